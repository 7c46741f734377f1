//! A filter as the tests make it: written down for the store, and evaluated over the JSON of a resource, by no code that
//! the store uses.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::Value;

#[derive(Debug, Clone)]
pub enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Compare(Operand, &'static str, Operand),
    Match(&'static str, Operand, Operand),
    Any(&'static str, Option<Box<Condition>>),
}

#[derive(Debug, Clone)]
pub enum Operand {
    /// Its path, and how it compares.
    Property(&'static str, Kind),
    /// A path below the element of the innermost `any`; empty for the element itself.
    Element(&'static str),
    Text(String),
    Integer(i64),
    Instant(String),
    Null,
    Lower(Box<Operand>),
    Upper(Box<Operand>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Text,
    /// Case does not count.
    Name,
    Choice(&'static [&'static str]),
    Integer,
    Instant,
}

const SEVERITIES: &[&str] = &["Informational", "Low", "Medium", "High"];
const STATUSES: &[&str] = &["New", "Active", "Closed"];
const CLASSIFICATIONS: &[&str] = &["Undetermined", "TruePositive", "BenignPositive", "FalsePositive"];

/// What can be compared, with values that some incidents have.
pub const PROPERTIES: &[(&str, Kind)] = &[
    ("name", Kind::Name),
    ("properties/title", Kind::Text),
    ("properties/description", Kind::Text),
    ("properties/severity", Kind::Choice(SEVERITIES)),
    ("properties/status", Kind::Choice(STATUSES)),
    ("properties/classification", Kind::Choice(CLASSIFICATIONS)),
    ("properties/classificationComment", Kind::Text),
    ("properties/owner/objectId", Kind::Name),
    ("properties/owner/email", Kind::Text),
    ("properties/owner/assignedTo", Kind::Text),
    ("properties/owner/userPrincipalName", Kind::Text),
    ("properties/firstActivityTimeUtc", Kind::Instant),
    ("properties/createdTimeUtc", Kind::Instant),
    ("properties/lastModifiedTimeUtc", Kind::Instant),
    ("properties/incidentNumber", Kind::Integer),
    ("properties/providerName", Kind::Text),
    ("properties/providerIncidentId", Kind::Text),
    ("properties/additionalData/alertsCount", Kind::Integer),
    ("properties/additionalData/commentsCount", Kind::Integer),
];

pub const TEXTS: &[&str] = &[
    "door",
    "Door",
    "ÄRGER im Flur",
    "ärger",
    "it's",
    "100%",
    "_",
    "a@b.c",
    "Ann",
    "snow",
    "Snow",
    "vip",
    "Defender",
    "7",
    "",
];
pub const INSTANTS: &[&str] = &[
    "2024-01-01T00:00:00Z",
    "2024-01-01T01:00:00.000001Z",
    "2024-01-01T01:00:00.0000015Z",
    "2024-01-01T05:00:00+02:00",
    "2024-01-01T12:00:00.000000Z",
    "2024-01-02",
];

impl Condition {
    /// As it is sent.
    pub fn text(&self) -> String {
        self.written(0)
    }

    fn written(&self, any: usize) -> String {
        match self {
            Self::And(left, right) => format!("({} and {})", left.written(any), right.written(any)),
            Self::Or(left, right) => format!("({} or {})", left.written(any), right.written(any)),
            Self::Not(inner) => format!("not ({})", inner.written(any)),
            Self::Compare(left, operator, right) => format!("{} {operator} {}", left.written(any), right.written(any)),
            Self::Match(function, text, part) => format!("{function}({},{})", text.written(any), part.written(any)),
            Self::Any(list, None) => format!("{list}/any()"),
            Self::Any(list, Some(inner)) => format!("{list}/any(x{any}: {})", inner.written(any + 1)),
        }
    }

    /// Whether it holds for a resource, and the element of the innermost `any`.
    pub fn holds(&self, resource: &Value, element: &Value) -> bool {
        match self {
            Self::And(left, right) => left.holds(resource, element) && right.holds(resource, element),
            Self::Or(left, right) => left.holds(resource, element) || right.holds(resource, element),
            Self::Not(inner) => !inner.holds(resource, element),
            Self::Compare(left, operator, right) => {
                let (kind, right_kind) = (left.kind().or(right.kind()), right.kind());
                let (left, right) = (left.value(resource, element), right.value(resource, element));
                if left.is_null() || right.is_null() {
                    return match *operator {
                        "eq" => left.is_null() && right.is_null(),
                        "ne" => left.is_null() != right.is_null(),
                        _ => false,
                    };
                }
                let named = kind == Some(Kind::Name) || right_kind == Some(Kind::Name);
                let order = compare(&left, &right, if named { Some(Kind::Name) } else { kind });
                match *operator {
                    "eq" => order.is_eq(),
                    "ne" => order.is_ne(),
                    "gt" => order.is_gt(),
                    "ge" => order.is_ge(),
                    "lt" => order.is_lt(),
                    _ => order.is_le(),
                }
            }
            Self::Match(function, text, part) => {
                let (text, part) = (text.value(resource, element), part.value(resource, element));
                let (Some(text), Some(part)) = (text.as_str(), part.as_str()) else { return false };
                match *function {
                    "contains" => text.contains(part),
                    "startswith" => text.starts_with(part),
                    _ => text.ends_with(part),
                }
            }
            Self::Any(list, inner) => {
                let elements = at(resource, list);
                let mut elements = elements.as_array().into_iter().flatten();
                elements.any(|element| inner.as_ref().is_none_or(|inner| inner.holds(resource, element)))
            }
        }
    }
}

impl Operand {
    fn written(&self, any: usize) -> String {
        match self {
            Self::Property(path, _) => (*path).to_owned(),
            Self::Element("") => format!("x{}", any - 1),
            Self::Element(path) => format!("x{}/{path}", any - 1),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Integer(integer) => integer.to_string(),
            Self::Instant(instant) => instant.clone(),
            Self::Null => "null".to_owned(),
            Self::Lower(inner) => format!("toLower({})", inner.written(any)),
            Self::Upper(inner) => format!("TOUPPER({})", inner.written(any)),
        }
    }

    fn kind(&self) -> Option<Kind> {
        match self {
            Self::Property(_, kind) => Some(*kind),
            Self::Instant(_) => Some(Kind::Instant),
            _ => None,
        }
    }

    fn value(&self, resource: &Value, element: &Value) -> Value {
        match self {
            Self::Property(path, _) => at(resource, path).clone(),
            Self::Element("") => element.clone(),
            Self::Element(path) => at(element, path).clone(),
            Self::Text(text) | Self::Instant(text) => text.clone().into(),
            Self::Integer(integer) => (*integer).into(),
            Self::Null => Value::Null,
            Self::Lower(inner) => inner.value(resource, element).as_str().map(str::to_lowercase).into(),
            Self::Upper(inner) => inner.value(resource, element).as_str().map(str::to_uppercase).into(),
        }
    }
}

/// The value at a path; null where there is none.
pub fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('/').fold(value, |value, member| value.get(member).unwrap_or(&Value::Null))
}

/// How two values that are there compare.
pub fn compare(left: &Value, right: &Value, kind: Option<Kind>) -> Ordering {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match kind {
        Some(Kind::Integer) => left.as_i64().cmp(&right.as_i64()),
        Some(Kind::Instant) => instant(&text(left)).cmp(&instant(&text(right))),
        Some(Kind::Choice(values)) => {
            let place = |value| values.iter().position(|known| known.eq_ignore_ascii_case(&text(value))).unwrap();
            place(left).cmp(&place(right))
        }
        Some(Kind::Name) => text(left).to_ascii_lowercase().cmp(&text(right).to_ascii_lowercase()),
        Some(Kind::Text) | None => text(left).cmp(&text(right)),
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    let text = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    DateTime::parse_from_rfc3339(&text).unwrap().to_utc()
}

const OPERATORS: &[&str] = &["eq", "ne", "gt", "ge", "lt", "le"];
const FUNCTIONS: &[&str] = &["contains", "startswith", "endsWith"];

/// Any filter over incidents.
pub fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![4 => comparison(), 1 => between_properties(), 2 => matching(), 2 => any()];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(left, right)| Condition::And(Box::new(left), Box::new(right))),
            two.prop_map(|(left, right)| Condition::Or(Box::new(left), Box::new(right))),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn literal(kind: Kind) -> BoxedStrategy<Operand> {
    let some = match kind {
        Kind::Text | Kind::Name => text().boxed(),
        Kind::Choice(values) => {
            prop::sample::select(values).prop_map(|value| Operand::Text(value.to_ascii_uppercase())).boxed()
        }
        Kind::Integer => (0i64..60).prop_map(Operand::Integer).boxed(),
        Kind::Instant => prop::sample::select(INSTANTS).prop_map(|at| Operand::Instant(at.to_owned())).boxed(),
    };
    prop_oneof![8 => some, 1 => Just(Operand::Null)].boxed()
}

fn text() -> impl Strategy<Value = Operand> {
    prop::sample::select(TEXTS).prop_map(|text| Operand::Text(text.to_owned()))
}

fn comparison() -> impl Strategy<Value = Condition> {
    (prop::sample::select(PROPERTIES), prop::sample::select(OPERATORS), any_bool()).prop_flat_map(
        |((path, kind), operator, turned)| {
            literal(kind).prop_map(move |literal| {
                let property = Operand::Property(path, kind);
                if turned && !matches!(literal, Operand::Null) {
                    let operator = match operator {
                        "gt" => "lt",
                        "lt" => "gt",
                        "ge" => "le",
                        "le" => "ge",
                        same => same,
                    };
                    return Turned { property, operator, literal }.condition();
                }
                Condition::Compare(property, operator, literal)
            })
        },
    )
}

/// A literal on the left.
struct Turned {
    property: Operand,
    operator: &'static str,
    literal: Operand,
}

impl Turned {
    fn condition(self) -> Condition {
        Condition::Compare(self.literal, self.operator, self.property)
    }
}

fn between_properties() -> impl Strategy<Value = Condition> {
    let same = |(left, right): &((&str, Kind), (&str, Kind))| {
        left.1 == right.1 && !matches!(left.1, Kind::Choice(_))
            || matches!((left.1, right.1), (Kind::Text, Kind::Name) | (Kind::Name, Kind::Text))
    };
    let properties = (prop::sample::select(PROPERTIES), prop::sample::select(PROPERTIES));
    let properties = properties.prop_filter("of one type", same);
    (properties, prop::sample::select(OPERATORS)).prop_map(|((left, right), operator)| {
        Condition::Compare(Operand::Property(left.0, left.1), operator, Operand::Property(right.0, right.1))
    })
}

/// A text of a property, perhaps in one case.
fn changed(operand: Operand, case: u8) -> Operand {
    match case {
        0 => Operand::Lower(Box::new(operand)),
        1 => Operand::Upper(Box::new(operand)),
        _ => operand,
    }
}

fn matching() -> impl Strategy<Value = Condition> {
    let textual: Vec<_> =
        PROPERTIES.iter().filter(|(_, kind)| !matches!(kind, Kind::Integer | Kind::Instant)).copied().collect();
    (prop::sample::select(FUNCTIONS), prop::sample::select(textual), 0u8..4, text()).prop_map(
        |(function, (path, kind), case, part)| {
            Condition::Match(function, changed(Operand::Property(path, kind), case), part)
        },
    )
}

fn any() -> impl Strategy<Value = Condition> {
    let lists = prop::sample::select(&[
        ("properties/labels", "labelName"),
        ("properties/additionalData/alertProductNames", ""),
        ("properties/additionalData/tactics", ""),
    ]);
    let inner = (prop::sample::select(OPERATORS), prop::sample::select(FUNCTIONS), text(), 0u8..4, 0u8..6);
    (lists, inner, text(), prop::option::weighted(0.9, any_bool())).prop_map(
        |((list, member), (operator, function, first, case, shape), second, is_one)| {
            let element = || changed(Operand::Element(member), case);
            let compare = Condition::Compare(element(), operator, first);
            let matches = Condition::Match(function, element(), second);
            let inner = is_one.map(|_| match shape {
                0 => Condition::Or(Box::new(compare), Box::new(matches)),
                1 => Condition::And(Box::new(compare), Box::new(matches)),
                2 => Condition::Not(Box::new(compare)),
                3 => matches,
                4 => Condition::And(
                    Box::new(compare),
                    Box::new(Condition::Compare(Operand::Property("properties/title", Kind::Text), "ne", element())),
                ),
                _ => compare,
            });
            Condition::Any(list, inner.map(Box::new))
        },
    )
}

fn any_bool() -> proptest::bool::Any {
    proptest::bool::ANY
}
