//! Conditions, and when they hold.

use serde_json::Value;

use super::{
    Property,
    property::{SEVERITIES, STATUSES},
};
use crate::incident::{ActivityKind, Actor, Alert, Entity, Incident, Owner, RelatedKind, ResourceName};

/// What a rule's conditions look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'s> {
    /// As earlier rules left it; `None` when an alert came in.
    pub incident: Option<&'s Incident>,
    pub what: &'s ActivityKind,
    pub by: &'s Actor,
    /// The incident's alerts, or the one that came in.
    pub alerts: &'s [Alert],
    /// The entities of these alerts.
    pub entities: &'s [Entity],
}

/// Something that must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `Property`
    Is { property: &'static Property, operator: Operator, values: Vec<String> },
    /// `PropertyArray`: of the items, any or each one fulfils all of `conditions`.
    Items { items: Items, each: Each, conditions: Vec<Condition> },
    /// `PropertyChanged`; without a direction any change will do.
    Changed { property: Changed, to: Option<(Direction, Operator, Vec<String>)> },
    /// `PropertyArrayChanged`: something was added.
    Added(Added),
    /// `Boolean` with `And`.
    All(Vec<Condition>),
    /// `Boolean` with `Or`.
    Any(Vec<Condition>),
}

/// How a value is compared. Case does not count; any of the given values will do, and for a negated operator none may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equals,
    NotEquals,
    Contains,
    NotContains,
    StartsWith,
    NotStartsWith,
    EndsWith,
    NotEndsWith,
}

/// A list whose items are looked at one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// Custom details, each a key with values.
    CustomDetails,
    /// The values of the custom detail that is looked at, or of all.
    CustomDetailValues,
    Labels,
}

/// How many items must fulfil the conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    Any,
    All,
}

/// A property whose change is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Severity,
    Status,
    Owner,
}

/// Which side of a change is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    From,
    To,
}

/// What was added to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    Alerts,
    Labels,
    Tactics,
    Comments,
}

/// One item of a list.
pub(super) enum Item {
    Detail { key: String, values: Vec<String> },
    DetailValue(String),
    Label(String),
}

impl Operator {
    /// Whether one of `has` is as wanted, or for a negated operator none is.
    fn accepts(self, has: &[String], wanted: &[String]) -> bool {
        let (compare, negated): (fn(&str, &str) -> bool, bool) = match self {
            Self::Equals => (|a, b| a == b, false),
            Self::NotEquals => (|a, b| a == b, true),
            Self::Contains => (|a, b| a.contains(b), false),
            Self::NotContains => (|a, b| a.contains(b), true),
            Self::StartsWith => (|a, b| a.starts_with(b), false),
            Self::NotStartsWith => (|a, b| a.starts_with(b), true),
            Self::EndsWith => (|a, b| a.ends_with(b), false),
            Self::NotEndsWith => (|a, b| a.ends_with(b), true),
        };
        let wanted: Vec<String> = wanted.iter().map(|value| value.to_lowercase()).collect();
        let found = has.iter().any(|value| {
            let value = value.to_lowercase();
            wanted.iter().any(|wanted| compare(&value, wanted))
        });
        found != negated
    }
}

impl Condition {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, scene: &Scene<'_>) -> bool {
        self.holds_for(scene, None)
    }

    fn holds_for(&self, scene: &Scene<'_>, item: Option<&Item>) -> bool {
        match self {
            Self::Is { property, operator, values } => operator.accepts(&property.values(scene, item), values),
            Self::Items { items, each, conditions } => {
                let items = items.of(scene, item);
                let mut fulfilled =
                    items.iter().map(|item| conditions.iter().all(|inner| inner.holds_for(scene, Some(item))));
                match each {
                    Each::Any => fulfilled.any(|fulfilled| fulfilled),
                    // As with any list, nothing contradicts where there is nothing; Sentinel has no item to look at either.
                    Each::All => fulfilled.all(|fulfilled| fulfilled),
                }
            }
            Self::Changed { property, to } => property.changed(scene, to.as_ref()),
            Self::Added(added) => added.happened(scene),
            Self::All(conditions) => conditions.iter().all(|inner| inner.holds_for(scene, item)),
            Self::Any(conditions) => conditions.iter().any(|inner| inner.holds_for(scene, item)),
        }
    }
}

impl Items {
    fn of(self, scene: &Scene<'_>, around: Option<&Item>) -> Vec<Item> {
        match (self, around) {
            (Self::CustomDetailValues, Some(Item::Detail { values, .. })) => {
                values.iter().cloned().map(Item::DetailValue).collect()
            }
            (Self::CustomDetailValues, _) => {
                scene.details().into_iter().flat_map(|(_, values)| values).map(Item::DetailValue).collect()
            }
            (Self::CustomDetails, _) => {
                scene.details().into_iter().map(|(key, values)| Item::Detail { key, values }).collect()
            }
            (Self::Labels, _) => {
                scene.incident.into_iter().flat_map(|incident| &incident.tags).cloned().map(Item::Label).collect()
            }
        }
    }
}

impl Changed {
    /// All values the property can have, where these are few.
    pub(super) fn choices(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Severity => Some(SEVERITIES),
            Self::Status => Some(STATUSES),
            Self::Owner => None,
        }
    }

    /// Under the name the activity log has it by.
    fn field(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Status => "status",
            Self::Owner => "owner",
        }
    }

    fn changed(self, scene: &Scene<'_>, side: Option<&(Direction, Operator, Vec<String>)>) -> bool {
        let ActivityKind::Updated { changes } = scene.what else { return false };
        let Some(change) = changes.iter().find(|change| change.field == self.field()) else { return false };
        let Some((direction, operator, wanted)) = side else { return true };
        let value = match direction {
            Direction::From => &change.from,
            Direction::To => &change.to,
        };
        operator.accepts(&names(value), wanted)
    }
}

/// A field's value as texts: an owner has several names.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(_) => {
            let owner: Owner = serde_json::from_value(value.clone()).unwrap_or_default();
            [owner.object_id, owner.email, owner.assigned_to, owner.user_principal_name].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

impl Added {
    fn happened(self, scene: &Scene<'_>) -> bool {
        match (self, scene.what) {
            (Self::Comments, ActivityKind::CommentAdded { .. }) => true,
            (Self::Labels, ActivityKind::Updated { changes }) => changes.iter().any(|change| {
                let before = change.from.as_array().map(Vec::as_slice).unwrap_or_default();
                let after = change.to.as_array().map(Vec::as_slice).unwrap_or_default();
                change.field == "labels" && after.iter().any(|label| !before.contains(label))
            }),
            (Self::Alerts, ActivityKind::Related { kind, .. }) => *kind == RelatedKind::Alert,
            (Self::Tactics, ActivityKind::Related { kind: RelatedKind::Alert, related }) => {
                !added_tactics(scene.alerts, related).is_empty()
            }
            _ => false,
        }
    }
}

/// The tactics that an alert brought to an incident, whose alerts are given oldest relation first. Those that came after
/// it, before its event was dealt with, take nothing from it.
#[must_use]
pub fn added_tactics(alerts: &[Alert], added: &ResourceName) -> Vec<String> {
    let before: Vec<String> = alerts.iter().take_while(|alert| alert.name != *added).flat_map(Alert::tactics).collect();
    let new = alerts.iter().filter(|alert| alert.name == *added).flat_map(Alert::tactics);
    new.filter(|tactic| !before.contains(tactic)).collect()
}

impl Scene<'_> {
    /// The custom details of its alerts, each key once with its values.
    pub(super) fn details(&self) -> Vec<(String, Vec<String>)> {
        let mut details: Vec<(String, Vec<String>)> = Vec::new();
        for (key, values) in self.alerts.iter().flat_map(Alert::custom_details) {
            match details.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) => {
                    for value in values {
                        if !known.contains(&value) {
                            known.push(value);
                        }
                    }
                }
                None => details.push((key, values)),
            }
        }
        details
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tactic_is_new_with_the_first_alert_that_has_it_also_when_events_queue() {
        let alert = |name: &str, tactics: &[&str]| Alert {
            name: ResourceName::parse(name).unwrap(),
            etag: uuid::Uuid::nil(),
            title: name.into(),
            severity: crate::incident::Severity::Low,
            received: chrono::DateTime::UNIX_EPOCH,
            properties: json!({"tactics": tactics}).as_object().unwrap().clone(),
            entities: Vec::new(),
        };
        let alerts = [alert("a", &["Impact"]), alert("b", &["Impact", "Discovery"]), alert("c", &["Discovery"])];
        let rows: [(&str, &[&str]); 4] = [("a", &["Impact"]), ("b", &["Discovery"]), ("c", &[]), ("d", &[])];
        for (added, expected) in rows {
            assert_eq!(added_tactics(&alerts, &ResourceName::parse(added).unwrap()), expected, "{added}");
        }
    }
}
