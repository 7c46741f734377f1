//! What must fit together in a rule, however it was written.

use super::{AutomationRule, Condition, Operator, RuleAction, RuleFault, TriggersOn, TriggersWhen};
use crate::{
    incident::{Draft, Patch, Status},
    limits,
};

impl AutomationRule {
    /// Holds the rule against Sentinel's limits and against what can never be, and puts its actions in order.
    ///
    /// # Errors
    /// The first fault, with the path of what is at fault in the API's form.
    pub fn check(mut self) -> Result<Self, RuleFault> {
        let fault = |path: &str, message: String| Err(RuleFault { path: path.to_owned(), message });
        let length = self.display_name.chars().count();
        if self.display_name.trim().is_empty() || length > limits::RULE_NAME_CHARS {
            let most = limits::RULE_NAME_CHARS;
            return fault(DISPLAY_NAME, format!("a display name has 1 to {most} characters, not {length}"));
        }
        if !(1..=limits::RULE_ORDER).contains(&self.order) {
            let most = limits::RULE_ORDER;
            return fault(ORDER, format!("an order is a whole number from 1 to {most}, not {}", self.order));
        }
        if self.on == TriggersOn::Alerts && self.when == TriggersWhen::Updated {
            return fault(WHEN, "alerts are only created, never updated".to_owned());
        }
        if self.conditions.len() > limits::RULE_CONDITIONS {
            let (count, most) = (self.conditions.len(), limits::RULE_CONDITIONS);
            return fault(CONDITIONS, format!("there are {count} conditions, at most {most} are allowed"));
        }
        for (at, condition) in self.conditions.iter().enumerate() {
            self.condition(condition, &format!("{CONDITIONS}[{at}]"), 1)?;
        }
        if self.actions.is_empty() || self.actions.len() > limits::RULE_ACTIONS {
            let (count, most) = (self.actions.len(), limits::RULE_ACTIONS);
            return fault(ACTIONS, format!("a rule has 1 to {most} actions, not {count}"));
        }
        for (at, ordered) in self.actions.iter().enumerate() {
            self.action(&ordered.action, &format!("{ACTIONS}[{at}]"))?;
        }
        // Stable: actions of one number stay as they were written.
        self.actions.sort_by_key(|ordered| ordered.order);
        Ok(self)
    }

    fn condition(&self, condition: &Condition, path: &str, depth: usize) -> Result<(), RuleFault> {
        let fault = |member: &str, message: String| {
            Err(RuleFault { path: format!("{path}.conditionProperties{member}"), message })
        };
        if depth > limits::RULE_CONDITION_NESTING {
            let most = limits::RULE_CONDITION_NESTING;
            return fault("", format!("conditions stand in at most {most} others"));
        }
        let inner = |member: &str, conditions: &[Condition], least: usize| {
            let (count, most) = (conditions.len(), limits::RULE_INNER_CONDITIONS);
            if !(least..=most).contains(&count) {
                let member = format!(".{member}");
                return fault(&member, format!("there are {least} to {most} conditions here, not {count}"));
            }
            conditions.iter().enumerate().try_for_each(|(at, inner)| {
                self.condition(inner, &format!("{path}.conditionProperties.{member}[{at}]"), depth + 1)
            })
        };
        match condition {
            Condition::Is { property, operator, values } => {
                if self.on == TriggersOn::Alerts && property.is_of_incidents() {
                    let name = property.name;
                    return fault(".propertyName", format!("an alert has no '{name}', only an incident has"));
                }
                if self.when == TriggersWhen::Created && property.is_of_updates() {
                    let name = property.name;
                    return fault(".propertyName", format!("'{name}' is only there when something is updated"));
                }
                self::values(property.choices(), *operator, values).or_else(|message| fault(".propertyValues", message))
            }
            Condition::Items { conditions, .. } => inner("itemConditions", conditions, 1),
            Condition::All(conditions) | Condition::Any(conditions) => inner("innerConditions", conditions, 2),
            Condition::Changed { .. } | Condition::Added(_) if self.when == TriggersWhen::Created => {
                fault("", "nothing has changed when something is created, only when it is updated".to_owned())
            }
            Condition::Changed { property, to: Some((_, operator, values)) } => {
                self::values(property.choices(), *operator, values).or_else(|message| fault(".propertyValues", message))
            }
            Condition::Changed { to: None, .. } | Condition::Added(_) => Ok(()),
        }
    }

    fn action(&self, action: &RuleAction, path: &str) -> Result<(), RuleFault> {
        let fault = |member: &str, message: &str| {
            Err(RuleFault { path: format!("{path}.{member}"), message: message.to_owned() })
        };
        match action {
            RuleAction::RunPlaybook { resource, .. } if RuleAction::playbook_of(resource).trim().is_empty() => {
                fault("actionConfiguration.logicAppResourceId", "it must name a playbook")
            }
            RuleAction::RunPlaybook { .. } => Ok(()),
            _ if self.on == TriggersOn::Alerts => fault("actionType", "a rule on alerts can only run playbooks"),
            RuleAction::ModifyProperties(patch) if **patch == Patch::default() => {
                fault("actionConfiguration", "it must change something")
            }
            RuleAction::ModifyProperties(patch) => {
                closing(patch).or_else(|message| fault("actionConfiguration.classification", &message))
            }
            RuleAction::AddIncidentTask { title, .. } if title.trim().is_empty() => {
                fault("actionConfiguration.title", "a task needs a title")
            }
            RuleAction::AddIncidentTask { .. } => Ok(()),
        }
    }
}

const DISPLAY_NAME: &str = "properties.displayName";
const ORDER: &str = "properties.order";
const WHEN: &str = "properties.triggeringLogic.triggersWhen";
const CONDITIONS: &str = "properties.triggeringLogic.conditions";
const ACTIONS: &str = "properties.actions";

/// What closes an incident must say what it was, as always.
fn closing(patch: &Patch) -> Result<(), String> {
    if patch.status != Some(Status::Closed) {
        return Ok(());
    }
    let (classification, classification_reason) = (patch.classification, patch.classification_reason);
    let draft = Draft { status: Status::Closed, classification, classification_reason, ..Draft::new("any") };
    draft.check().map(drop).map_err(|refusal| refusal.to_string())
}

/// The values a condition compares with: at least one, and where one is compared whole with a severity or status, those
/// there are.
fn values(all: Option<&[&str]>, operator: Operator, values: &[String]) -> Result<(), String> {
    if values.is_empty() {
        return Err("at least one value is needed".to_owned());
    }
    let Some(all) = all.filter(|_| matches!(operator, Operator::Equals | Operator::NotEquals)) else { return Ok(()) };
    match values.iter().find(|value| !all.iter().any(|known| known.eq_ignore_ascii_case(value))) {
        Some(value) => Err(format!("'{value}' never comes; it must be one of {}", all.join(", "))),
        None => Ok(()),
    }
}
