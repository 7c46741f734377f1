//! A rule as the Sentinel API writes it.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{
    Added, AutomationRule, Changed, Condition, Direction, Each, Items, Operator, OrderedAction, Property, RuleAction,
    TriggersOn, TriggersWhen, property::PROPERTIES,
};
use crate::incident::{Classification, ClassificationReason, Owner, Patch, Severity, Status};

/// Why `properties` are no automation rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{path}': {message}")]
pub struct RuleFault {
    /// Of what is at fault, as in `properties.actions[0].actionType`.
    pub path: String,
    /// One sentence without its full stop.
    pub message: String,
}

/// The API's names of values; the rule file's are these in snake_case.
type Names<T> = &'static [(&'static str, T)];

const ON: Names<TriggersOn> = &[("Incidents", TriggersOn::Incidents), ("Alerts", TriggersOn::Alerts)];
const WHEN: Names<TriggersWhen> = &[("Created", TriggersWhen::Created), ("Updated", TriggersWhen::Updated)];
const OPERATORS: Names<Operator> = &[
    ("Equals", Operator::Equals),
    ("NotEquals", Operator::NotEquals),
    ("Contains", Operator::Contains),
    ("NotContains", Operator::NotContains),
    ("StartsWith", Operator::StartsWith),
    ("NotStartsWith", Operator::NotStartsWith),
    ("EndsWith", Operator::EndsWith),
    ("NotEndsWith", Operator::NotEndsWith),
];
const ITEMS: Names<Items> = &[
    ("CustomDetails", Items::CustomDetails),
    ("CustomDetailValues", Items::CustomDetailValues),
    ("IncidentLabels", Items::Labels),
];
const EACH: Names<Each> = &[("AnyItem", Each::Any), ("AllItems", Each::All)];
const CHANGED: Names<Changed> =
    &[("IncidentSeverity", Changed::Severity), ("IncidentStatus", Changed::Status), ("IncidentOwner", Changed::Owner)];
const DIRECTIONS: Names<Direction> = &[("ChangedFrom", Direction::From), ("ChangedTo", Direction::To)];
const ADDED: Names<Added> =
    &[("Alerts", Added::Alerts), ("Labels", Added::Labels), ("Tactics", Added::Tactics), ("Comments", Added::Comments)];
const CONDITION_TYPES: Names<ConditionType> = &[
    ("Property", ConditionType::Property),
    ("PropertyArray", ConditionType::PropertyArray),
    ("PropertyChanged", ConditionType::PropertyChanged),
    ("PropertyArrayChanged", ConditionType::PropertyArrayChanged),
    ("Boolean", ConditionType::Boolean),
];
const ACTION_TYPES: Names<ActionType> = &[
    ("ModifyProperties", ActionType::ModifyProperties),
    ("RunPlaybook", ActionType::RunPlaybook),
    ("AddIncidentTask", ActionType::AddIncidentTask),
];

#[derive(Clone, Copy, PartialEq)]
enum ConditionType {
    Property,
    PropertyArray,
    PropertyChanged,
    PropertyArrayChanged,
    Boolean,
}

#[derive(Clone, Copy, PartialEq)]
enum ActionType {
    ModifyProperties,
    RunPlaybook,
    AddIncidentTask,
}

/// The API's name of a value.
fn name<T: PartialEq>(names: Names<T>, value: &T) -> &'static str {
    names.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

impl Operator {
    /// Every operator with the API's name of it.
    pub const NAMES: &'static [(&'static str, Self)] = OPERATORS;
}

impl AutomationRule {
    /// A rule from the API's `properties`. What a client may not write is passed over.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(properties: &Value) -> Result<Self, RuleFault> {
        let properties = At { value: properties, path: "properties".to_owned() };
        let logic = properties.required("triggeringLogic")?;
        let mut conditions = Vec::new();
        for given in logic.items("conditions")? {
            conditions.push(condition(&given, 1)?);
        }
        let mut actions = Vec::new();
        for given in properties.required("actions")?.list()? {
            actions.push(action(&given)?);
        }
        let order = properties.required("order")?;
        let rule = Self {
            display_name: properties.required("displayName")?.text()?.to_owned(),
            order: order.integer()?.try_into().or_else(|_| order.fault("an order is at least 1"))?,
            enabled: logic.required("isEnabled")?.flag()?,
            expires: logic.optional("expirationTimeUtc").map(|given| given.instant()).transpose()?,
            on: logic.required("triggersOn")?.choice(ON)?,
            when: logic.required("triggersWhen")?.choice(WHEN)?,
            conditions,
            actions,
        };
        rule.check()
    }

    /// The API's writable `properties`; [`AutomationRule::parse`] gives the same rule again.
    #[must_use]
    pub fn to_properties(&self) -> Value {
        let mut logic = json!({
            "isEnabled": self.enabled,
            "triggersOn": name(ON, &self.on),
            "triggersWhen": name(WHEN, &self.when),
            "conditions": self.conditions.iter().map(Condition::to_json).collect::<Vec<_>>(),
        });
        if let Some(expires) = self.expires {
            logic["expirationTimeUtc"] = expires.to_rfc3339_opts(SecondsFormat::AutoSi, true).into();
        }
        json!({
            "displayName": self.display_name,
            "order": self.order,
            "triggeringLogic": logic,
            "actions": self.actions.iter().map(OrderedAction::to_json).collect::<Vec<_>>(),
        })
    }
}

fn condition(given: &At<'_>, depth: usize) -> Result<Condition, RuleFault> {
    // The rest of the rule is read by recursion too, so that no input exhausts the stack.
    if depth > crate::limits::RULE_CONDITION_NESTING {
        let most = crate::limits::RULE_CONDITION_NESTING;
        return given.fault(format!("conditions stand in at most {most} others"));
    }
    let inner = |given: &At<'_>, member: &str| -> Result<Vec<Condition>, RuleFault> {
        given.items(member)?.iter().map(|inner| condition(inner, depth + 1)).collect()
    };
    let kind = given.required("conditionType")?.choice(CONDITION_TYPES)?;
    let given = given.required("conditionProperties")?;
    Ok(match kind {
        ConditionType::Property => Condition::Is {
            property: property(&given.required("propertyName")?)?,
            operator: given.required("operator")?.choice(OPERATORS)?,
            values: given.texts("propertyValues")?,
        },
        ConditionType::PropertyArray => Condition::Items {
            items: given.required("arrayType")?.choice(ITEMS)?,
            each: given.required("arrayConditionType")?.choice(EACH)?,
            conditions: inner(&given, "itemConditions")?,
        },
        ConditionType::PropertyChanged => {
            let direction = given.optional("changeType").map(|given| given.choice(DIRECTIONS)).transpose()?;
            let to = match direction {
                Some(direction) => {
                    let operator = given.required("operator")?.choice(OPERATORS)?;
                    Some((direction, operator, given.texts("propertyValues")?))
                }
                None => None,
            };
            Condition::Changed { property: given.required("propertyName")?.choice(CHANGED)?, to }
        }
        ConditionType::PropertyArrayChanged => {
            given.required("changeType")?.choice(&[("Added", ())])?;
            Condition::Added(given.required("arrayType")?.choice(ADDED)?)
        }
        ConditionType::Boolean => match given.required("operator")?.choice(&[("And", true), ("Or", false)])? {
            true => Condition::All(inner(&given, "innerConditions")?),
            false => Condition::Any(inner(&given, "innerConditions")?),
        },
    })
}

fn property(given: &At<'_>) -> Result<&'static Property, RuleFault> {
    let name = given.text()?;
    Property::parse(name).map_or_else(
        || given.fault(format!("'{name}' is not a property{}", near(name, PROPERTIES.iter().map(|known| known.name)))),
        Ok,
    )
}

fn action(given: &At<'_>) -> Result<OrderedAction, RuleFault> {
    let order = given.required("order")?;
    let order = order.integer()?.try_into().or_else(|_| order.fault("it is too large"))?;
    let kind = given.required("actionType")?.choice(ACTION_TYPES)?;
    let given = given.required("actionConfiguration")?;
    let action = match kind {
        ActionType::ModifyProperties => RuleAction::ModifyProperties(Box::new(patch(&given)?)),
        ActionType::RunPlaybook => RuleAction::RunPlaybook {
            resource: given.required("logicAppResourceId")?.text()?.to_owned(),
            tenant: given.optional_text("tenantId")?,
        },
        ActionType::AddIncidentTask => RuleAction::AddIncidentTask {
            title: given.required("title")?.text()?.to_owned(),
            description: given.optional_text("description")?,
        },
    };
    Ok(OrderedAction { order, action })
}

fn patch(given: &At<'_>) -> Result<Patch, RuleFault> {
    let mut labels = Vec::new();
    for label in given.items("labels")? {
        labels.push(label.required("labelName")?.text()?.to_owned());
    }
    let owner = given.optional("owner").map(|owner| {
        serde_json::from_value::<Owner>(owner.value.clone())
            .or_else(|error| owner.fault(format!("it is no owner: {error}")))
    });
    Ok(Patch {
        severity: given.named("severity", Severity::ALL, Severity::as_str)?,
        status: given.named("status", Status::ALL, Status::as_str)?,
        classification: given.named("classification", Classification::ALL, Classification::as_str)?,
        classification_reason: given.named(
            "classificationReason",
            ClassificationReason::ALL,
            ClassificationReason::as_str,
        )?,
        classification_comment: given.optional_text("classificationComment")?,
        // Clients write out the members of an owner they do not mean to set; one of nulls alone changes nothing.
        owner: owner.transpose()?.filter(|owner| *owner != Owner::default()),
        add_tags: labels,
        ..Patch::default()
    })
}

impl Condition {
    fn to_json(&self) -> Value {
        let list = |conditions: &[Self]| conditions.iter().map(Self::to_json).collect::<Vec<_>>();
        let (kind, properties) = match self {
            Self::Is { property, operator, values } => (
                ConditionType::Property,
                json!({
                    "propertyName": property.name,
                    "operator": name(OPERATORS, operator),
                    "propertyValues": values,
                }),
            ),
            Self::Items { items, each, conditions } => (
                ConditionType::PropertyArray,
                json!({
                    "arrayType": name(ITEMS, items),
                    "arrayConditionType": name(EACH, each),
                    "itemConditions": list(conditions),
                }),
            ),
            Self::Changed { property, to: None } => {
                (ConditionType::PropertyChanged, json!({"propertyName": name(CHANGED, property)}))
            }
            Self::Changed { property, to: Some((direction, operator, values)) } => (
                ConditionType::PropertyChanged,
                json!({
                    "propertyName": name(CHANGED, property),
                    "changeType": name(DIRECTIONS, direction),
                    "operator": name(OPERATORS, operator),
                    "propertyValues": values,
                }),
            ),
            Self::Added(added) => {
                (ConditionType::PropertyArrayChanged, json!({"arrayType": name(ADDED, added), "changeType": "Added"}))
            }
            Self::All(conditions) => {
                (ConditionType::Boolean, json!({"operator": "And", "innerConditions": list(conditions)}))
            }
            Self::Any(conditions) => {
                (ConditionType::Boolean, json!({"operator": "Or", "innerConditions": list(conditions)}))
            }
        };
        json!({"conditionType": name(CONDITION_TYPES, &kind), "conditionProperties": properties})
    }
}

impl OrderedAction {
    fn to_json(&self) -> Value {
        let (kind, configuration) = match &self.action {
            RuleAction::ModifyProperties(patch) => (ActionType::ModifyProperties, modification(patch)),
            RuleAction::RunPlaybook { resource, tenant } => {
                let mut configuration = json!({"logicAppResourceId": resource});
                if let Some(tenant) = tenant {
                    configuration["tenantId"] = tenant.as_str().into();
                }
                (ActionType::RunPlaybook, configuration)
            }
            RuleAction::AddIncidentTask { title, description } => {
                let mut configuration = json!({"title": title});
                if let Some(description) = description {
                    configuration["description"] = description.as_str().into();
                }
                (ActionType::AddIncidentTask, configuration)
            }
        };
        json!({
            "order": self.order,
            "actionType": name(ACTION_TYPES, &kind),
            "actionConfiguration": configuration,
        })
    }
}

fn modification(patch: &Patch) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    put("severity", patch.severity.map(|value| json!(value)));
    put("status", patch.status.map(|value| json!(value)));
    put("classification", patch.classification.map(|value| json!(value)));
    put("classificationReason", patch.classification_reason.map(|value| json!(value)));
    put("classificationComment", patch.classification_comment.as_ref().map(|value| json!(value)));
    put("owner", patch.owner.as_ref().map(|value| json!(value)));
    if !patch.add_tags.is_empty() {
        put("labels", Some(patch.add_tags.iter().map(|label| json!({"labelName": label})).collect()));
    }
    Value::Object(out)
}

/// A value with its path, for messages.
struct At<'v> {
    value: &'v Value,
    path: String,
}

impl<'v> At<'v> {
    fn fault<T>(&self, message: impl Into<String>) -> Result<T, RuleFault> {
        Err(RuleFault { path: self.path.clone(), message: message.into() })
    }

    /// A member; null counts as absent.
    fn optional(&self, member: &str) -> Option<At<'v>> {
        let value = self.value.get(member).filter(|value| !value.is_null())?;
        Some(At { value, path: format!("{}.{member}", self.path) })
    }

    fn required(&self, member: &str) -> Result<At<'v>, RuleFault> {
        if !self.value.is_object() {
            return self.fault("it must be an object");
        }
        self.optional(member).map_or_else(
            || Err(RuleFault { path: format!("{}.{member}", self.path), message: "it is required".to_owned() }),
            Ok,
        )
    }

    fn list(&self) -> Result<Vec<At<'v>>, RuleFault> {
        let Some(items) = self.value.as_array() else { return self.fault("it must be a list") };
        let item = |(at, value)| {
            let mut path = self.path.clone();
            let _ = write!(path, "[{at}]");
            At { value, path }
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// The items of a list that may be absent.
    fn items(&self, member: &str) -> Result<Vec<At<'v>>, RuleFault> {
        self.optional(member).map_or_else(|| Ok(Vec::new()), |given| given.list())
    }

    fn text(&self) -> Result<&'v str, RuleFault> {
        self.value.as_str().map_or_else(|| self.fault("it must be text"), Ok)
    }

    fn optional_text(&self, member: &str) -> Result<Option<String>, RuleFault> {
        self.optional(member).map(|given| given.text().map(str::to_owned)).transpose()
    }

    fn texts(&self, member: &str) -> Result<Vec<String>, RuleFault> {
        self.items(member)?.iter().map(|item| item.text().map(str::to_owned)).collect()
    }

    fn flag(&self) -> Result<bool, RuleFault> {
        self.value.as_bool().map_or_else(|| self.fault("it must be true or false"), Ok)
    }

    fn integer(&self) -> Result<i64, RuleFault> {
        self.value.as_i64().map_or_else(|| self.fault("it must be a whole number"), Ok)
    }

    fn instant(&self) -> Result<DateTime<Utc>, RuleFault> {
        let text = self.text()?;
        DateTime::parse_from_rfc3339(text)
            .map(Into::into)
            .or_else(|_| self.fault(format!("'{text}' is no instant; it is written like 2026-11-24T09:05:00Z")))
    }

    /// One of `names`, ignoring case.
    fn choice<T: Copy>(&self, names: &[(&'static str, T)]) -> Result<T, RuleFault> {
        let text = self.text()?;
        match names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, value)) => Ok(*value),
            None => self.fault(one_of(text, names.iter().map(|(name, _)| *name))),
        }
    }

    /// A member that is one of `all`, ignoring case.
    fn named<T: Copy>(
        &self,
        member: &str,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>, RuleFault> {
        let Some(given) = self.optional(member) else { return Ok(None) };
        let names: Vec<(&'static str, T)> = all.iter().map(|value| (name(*value), *value)).collect();
        given.choice(&names).map(Some)
    }
}

fn one_of<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    match names[..] {
        [only] => format!("'{text}' is not possible here; it must be {only}"),
        _ => format!("'{text}' is not possible here; it must be one of {}", names.join(", ")),
    }
}

/// "; did you mean 'IncidentTitle'?"
fn near<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> String {
    crate::diagnostic::nearest(text, names).map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}

#[cfg(test)]
mod tests;
