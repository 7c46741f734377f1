//! Which incidents can fulfil a condition at all, as far as an index tells: a set that is usually small, of which the
//! condition then picks.

use chrono::{DateTime, Utc};

use super::{super::super::codec, condition::Parameters};
use crate::{
    incident::ResourceName,
    odata::{Filter, Kind, Operand, Operator, Property},
};

/// Incidents that an index finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Candidates {
    Number {
        operator: Operator,
        number: i64,
    },
    /// One of these; none at all when a value is none that a number can have.
    Numbers(Vec<i64>),
    Names(Vec<ResourceName>),
    /// A property has one of these values, by its [`token`] in the index that is filled in the background.
    Tokens(Vec<String>),
    Labels(Vec<String>),
    Queue(Queue),
    Times {
        column: Times,
        bounds: Vec<(Operator, DateTime<Utc>)>,
    },
    /// One of these microseconds.
    Instants {
        column: Times,
        micros: Vec<i64>,
    },
    Either(Vec<Candidates>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    Created,
    Modified,
}

impl Times {
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Created => "incident.created",
            Self::Modified => "incident.modified",
        }
    }

    fn compared(self, operator: Operator, at: DateTime<Utc>) -> Option<Candidates> {
        match operator {
            Operator::Eq => Some(Candidates::Instants { column: self, micros: vec![at.timestamp_micros()] }),
            Operator::Ne => None,
            _ => Some(Candidates::Times { column: self, bounds: vec![(operator, at)] }),
        }
    }
}

/// Statuses and severities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queue {
    pub statuses: Vec<&'static str>,
    pub severities: Vec<&'static str>,
}

const STATUS: &str = "properties/status";
const SEVERITY: &str = "properties/severity";

impl Queue {
    /// The part of the queue that a condition leaves; `None` when that is all of it.
    pub(super) fn of(filter: &Filter) -> Option<Self> {
        let (statuses, severities) = (allowed(filter, STATUS), allowed(filter, SEVERITY));
        (statuses.is_some() || severities.is_some()).then(|| Self {
            statuses: statuses.unwrap_or_else(|| all(STATUS)),
            severities: severities.unwrap_or_else(|| all(SEVERITY)),
        })
    }

    pub(super) fn whole() -> Self {
        Self { statuses: all(STATUS), severities: all(SEVERITY) }
    }
}

/// Every value of a property that has a closed list of them.
fn all(path: &str) -> Vec<&'static str> {
    match super::named(path).map(|property| property.kind) {
        Some(Kind::Choice(values)) => values.to_vec(),
        _ => Vec::new(),
    }
}

/// The values a property that is always there may have where the condition holds; `None` when it says nothing about it.
fn allowed(filter: &Filter, path: &str) -> Option<Vec<&'static str>> {
    match filter {
        Filter::And(parts) => parts.iter().filter_map(|part| allowed(part, path)).reduce(|mut left, right| {
            left.retain(|value| right.contains(value));
            left
        }),
        Filter::Or(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(|part| allowed(part, path)).collect();
            let parts = parts?.concat();
            Some(all(path).into_iter().filter(|value| parts.contains(value)).collect())
        }
        Filter::Not(inner) if matches!(**inner, Filter::Compare { .. }) => {
            let inner = allowed(inner, path)?;
            Some(all(path).into_iter().filter(|value| !inner.contains(value)).collect())
        }
        Filter::Compare { left: Operand::Property(property), operator, right: Operand::Text(value) }
            if property.path == path =>
        {
            let values = all(path);
            let place = values.iter().position(|known| known == value);
            let fits = |known: &usize| place.is_some_and(|place| operator.holds(known.cmp(&place)));
            Some((0..values.len()).filter(fits).map(|known| values[known]).collect())
        }
        _ => None,
    }
}

/// Sets of candidates of a condition: each alone holds all incidents that fulfil it.
pub(super) fn of(filter: &Filter) -> Vec<Candidates> {
    let mut sets = match filter {
        Filter::And(parts) => {
            let sets = parts.iter().flat_map(of).filter(|set| !matches!(set, Candidates::Queue(_)));
            let (times, mut sets): (Vec<_>, Vec<_>) = sets.partition(|set| matches!(set, Candidates::Times { .. }));
            sets.extend(within(times));
            sets
        }
        Filter::Or(parts) => {
            let firsts: Option<Vec<_>> = parts.iter().map(|part| of(part).into_iter().next()).collect();
            let firsts = firsts.filter(|sets| !sets.iter().all(|set| matches!(set, Candidates::Queue(_))));
            firsts.map(Candidates::either).into_iter().collect()
        }
        Filter::Compare { left: Operand::Property(property), operator, right } => {
            compared(property, *operator, right).into_iter().collect()
        }
        Filter::Any { list, filter: Some(filter) } => any(list, filter).into_iter().collect(),
        _ => Vec::new(),
    };
    sets.extend(Queue::of(filter).map(Candidates::Queue));
    sets
}

/// Bounds of the same time belong together.
fn within(times: Vec<Candidates>) -> Vec<Candidates> {
    let mut together: Vec<(Times, Vec<_>)> = Vec::new();
    for set in times {
        let Candidates::Times { column, bounds } = set else { continue };
        match together.iter_mut().find(|(known, _)| *known == column) {
            Some((_, known)) => known.extend(bounds),
            None => together.push((column, bounds)),
        }
    }
    together.into_iter().map(|(column, bounds)| Candidates::Times { column, bounds }).collect()
}

fn compared(property: &Property, operator: Operator, right: &Operand) -> Option<Candidates> {
    let equal = operator == Operator::Eq;
    Some(match (property.path, right) {
        ("properties/incidentNumber", Operand::Integer(number)) if equal => Candidates::Numbers(vec![*number]),
        ("properties/incidentNumber", Operand::Integer(number)) if operator != Operator::Ne => {
            Candidates::Number { operator, number: *number }
        }
        // What no incident can be called finds none.
        ("properties/providerIncidentId", Operand::Text(text)) if equal => {
            Candidates::Numbers(text.parse().into_iter().collect())
        }
        ("name", Operand::Text(name)) if equal => Candidates::Names(ResourceName::parse(name).into_iter().collect()),
        ("properties/createdTimeUtc", Operand::Instant(at)) => Times::Created.compared(operator, *at)?,
        ("properties/lastModifiedTimeUtc", Operand::Instant(at)) => Times::Modified.compared(operator, *at)?,
        (path, Operand::Text(value)) if equal && TOKENS.contains(&path) => Candidates::Tokens(vec![token(path, value)]),
        _ => return None,
    })
}

/// An element that is equal to a value.
fn any(list: &Property, filter: &Filter) -> Option<Candidates> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(|part| any(list, part)),
        Filter::Or(parts) => {
            parts.iter().map(|part| any(list, part)).collect::<Option<Vec<_>>>().map(Candidates::either)
        }
        Filter::Compare {
            left: Operand::Element { any: 0, property },
            operator: Operator::Eq,
            right: Operand::Text(value),
        } => match (list.path, property.map(|property| property.path)) {
            ("properties/labels", Some("labelName")) => Some(Candidates::Labels(vec![value.clone()])),
            (path, None) if TOKENS.contains(&path) => Some(Candidates::Tokens(vec![token(path, value)])),
            _ => None,
        },
        _ => None,
    }
}

/// Properties of which every value is in the index that is filled in the background.
const TOKENS: &[&str] = &[
    "properties/title",
    "properties/owner/objectId",
    "properties/owner/email",
    "properties/owner/assignedTo",
    "properties/owner/userPrincipalName",
    "properties/additionalData/alertProductNames",
];

/// What stands in that index for a property with a value: one word, whatever the value.
pub(in super::super) fn token(property: &str, value: &str) -> String {
    let value = if property == "properties/owner/objectId" { &value.to_ascii_lowercase() } else { value };
    hex::encode(codec::key(&[property, value]))
}

impl Candidates {
    /// All of these together. Values that one index is asked for are one set, however many they are.
    fn either(sets: Vec<Self>) -> Self {
        let mut together: Vec<Self> = Vec::new();
        for set in sets.into_iter().flat_map(Self::parts) {
            if !together.iter_mut().any(|known| known.takes(&set)) {
                together.push(set);
            }
        }
        match together.len() {
            1 => together.remove(0),
            _ => Self::Either(together),
        }
    }

    fn parts(self) -> Vec<Self> {
        match self {
            Self::Either(parts) => parts,
            one => vec![one],
        }
    }

    /// Adds the values of another set when the same index has them.
    fn takes(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Numbers(known), Self::Numbers(more)) => known.extend(more),
            (Self::Names(known), Self::Names(more)) => known.extend_from_slice(more),
            (Self::Tokens(known), Self::Tokens(more)) | (Self::Labels(known), Self::Labels(more)) => {
                known.extend_from_slice(more);
            }
            (Self::Instants { column, micros }, Self::Instants { column: other, micros: more }) if column == other => {
                micros.extend(more);
            }
            _ => return false,
        }
        true
    }

    /// Their numbers, as a `SELECT`.
    pub(super) fn sql(&self, parameters: &mut Parameters) -> String {
        match self {
            Self::Number { operator, number } => {
                let number = parameters.bind(*number);
                format!("SELECT number FROM incident WHERE number {} {number}", symbol(*operator))
            }
            Self::Numbers(none) if none.is_empty() => String::from("SELECT NULL WHERE 0"),
            Self::Names(none) if none.is_empty() => String::from("SELECT NULL WHERE 0"),
            Self::Numbers(numbers) => {
                let numbers = list(numbers.iter().map(|number| parameters.bind(*number)));
                format!("SELECT number FROM incident WHERE number IN ({numbers})")
            }
            Self::Names(names) => {
                let names = list(names.iter().map(|name| match name {
                    ResourceName::Guid(guid) => parameters.bind(guid.as_bytes().to_vec()),
                    ResourceName::Text(text) => parameters.bind(text.to_string()),
                }));
                format!("SELECT number FROM incident WHERE id COLLATE NOCASE IN ({names})")
            }
            // What the index does not know yet are candidates all.
            Self::Tokens(tokens) => format!(
                "SELECT rowid FROM incident_key WHERE incident_key MATCH {} \
                 UNION ALL SELECT number FROM incident \
                 WHERE number > (SELECT value FROM counter WHERE name = 'incidents indexed') \
                 UNION ALL SELECT incident FROM incident_stale",
                parameters.bind(tokens.iter().map(|token| format!("\"{token}\"")).collect::<Vec<_>>().join(" OR "))
            ),
            Self::Labels(labels) => {
                let labels = list(labels.iter().map(|label| parameters.bind(label.clone())));
                format!("SELECT incident FROM incident_label WHERE label IN ({labels})")
            }
            Self::Queue(queue) => {
                let list = |values: &[&str]| list(values.iter().map(|value| format!("'{value}'")));
                format!(
                    "SELECT number FROM incident INDEXED BY incident_queue WHERE status IN ({}) AND severity IN ({})",
                    list(&queue.statuses),
                    list(&queue.severities)
                )
            }
            Self::Times { column, bounds } => {
                let column = column.column();
                // A microsecond too many on either side does no harm: the condition is asked all the same.
                let bounds = bounds.iter().map(|(operator, at)| {
                    let micros = at.timestamp_micros();
                    match operator {
                        Operator::Gt | Operator::Ge => format!("{column} >= {}", parameters.bind(micros)),
                        Operator::Lt | Operator::Le => format!("{column} <= {}", parameters.bind(micros + 1)),
                        Operator::Eq | Operator::Ne => format!("{column} = {}", parameters.bind(micros)),
                    }
                });
                format!("SELECT number FROM incident WHERE {}", bounds.collect::<Vec<_>>().join(" AND "))
            }
            Self::Instants { column, micros } => {
                let micros = list(micros.iter().map(|micros| parameters.bind(*micros)));
                format!("SELECT number FROM incident WHERE {} IN ({micros})", column.column())
            }
            Self::Either(sets) => sets.iter().map(|set| set.sql(parameters)).collect::<Vec<_>>().join(" UNION ALL "),
        }
    }
}

fn list(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(", ")
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq => "=",
        Operator::Ne => "<>",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::Lt => "<",
        Operator::Le => "<=",
    }
}
