//! Automation rules, with Sentinel's shape, limits and meaning: what a change of the workspace must be like, and what is
//! then done about it. Nothing here reads or writes; who evaluates a rule gives it what it looks at.

mod check;
mod condition;
mod json;
mod property;

use chrono::{DateTime, Utc};

pub use condition::{Added, Changed, Condition, Direction, Each, Items, Operator, Scene, added_tactics};
pub use json::RuleFault;
pub use property::{PROPERTIES, Property};

use super::Patch;

/// An automation rule.
#[derive(Debug, Clone, PartialEq)]
pub struct AutomationRule {
    pub display_name: String,
    /// From 1; lower ones go first and later ones see what they changed.
    pub order: u32,
    pub enabled: bool,
    /// From this instant on it does nothing.
    pub expires: Option<DateTime<Utc>>,
    pub on: TriggersOn,
    pub when: TriggersWhen,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// In the order they are done in.
    pub actions: Vec<OrderedAction>,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggersOn {
    Incidents,
    Alerts,
}

/// Which changes a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggersWhen {
    Created,
    Updated,
}

/// An action with the number it is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderedAction {
    pub order: i32,
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleAction {
    /// Labels are added to those the incident has.
    ModifyProperties(Box<Patch>),
    RunPlaybook {
        /// The playbook's resource id; a name alone will do.
        resource: String,
        /// Kept for clients that sent it; it means nothing here.
        tenant: Option<String>,
    },
    AddIncidentTask {
        title: String,
        description: Option<String>,
    },
}

impl RuleAction {
    /// The name of a playbook by its resource id: the last segment.
    #[must_use]
    pub fn playbook_of(resource: &str) -> &str {
        resource.trim_end_matches('/').rsplit('/').next().unwrap_or(resource)
    }
}

impl AutomationRule {
    /// Whether it does anything at this instant.
    #[must_use]
    pub fn is_in_force(&self, now: DateTime<Utc>) -> bool {
        self.enabled && self.expires.is_none_or(|expires| now < expires)
    }

    /// Whether the change is one it looks at and all its conditions hold.
    #[must_use]
    pub fn matches(&self, scene: &Scene<'_>) -> bool {
        let on = if scene.incident.is_some() { TriggersOn::Incidents } else { TriggersOn::Alerts };
        let when = match self.when {
            TriggersWhen::Created => scene.what.is_creation(),
            TriggersWhen::Updated => scene.what.is_update(),
        };
        self.on == on && when && self.conditions.iter().all(|condition| condition.holds(scene))
    }
}
