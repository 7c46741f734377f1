//! Automation rules in YAML, beside the playbooks. What a file says and what the API is sent become the same rule.

mod action;
mod condition;

use std::ops::Range;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Loaded, Trigger};
use crate::{
    diagnostic::{Faults, codes, nearest},
    incident::{
        Actor, Document, DocumentKey, DocumentKind, ResourceName,
        automation::{AutomationRule, OrderedAction, RuleFault, TriggersOn, TriggersWhen},
    },
    limits,
    yaml::{Fields, Given, Node},
};

/// An automation rule that stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRule {
    pub name: ResourceName,
    /// The file, as the author knows it.
    pub path: String,
    /// When the file was last written.
    pub written: DateTime<Utc>,
    pub rule: AutomationRule,
}

impl FileRule {
    /// The rule as the API shows those it keeps.
    #[must_use]
    pub fn document(&self) -> Document {
        let properties = self.rule.to_properties();
        Document {
            key: DocumentKey { kind: DocumentKind::AutomationRule, parent: None, name: self.name.clone() },
            etag: Uuid::new_v5(&Uuid::NAMESPACE_OID, properties.to_string().as_bytes()),
            properties,
            created: self.written,
            created_by: Actor::Larum,
            modified: self.written,
            modified_by: Actor::Larum,
        }
    }
}

/// The key that makes a file one of a rule.
const KEY: &str = "automation_rule";

/// A rule with the places of what is looked up later.
pub(super) struct Read {
    pub file: FileRule,
    /// Where its name stands.
    pub name: Range<usize>,
    /// The playbooks it runs.
    pub runs: Vec<(String, Range<usize>)>,
}

/// Whether the root of a file is a rule's.
pub(super) fn is_rule(root: &Node) -> bool {
    matches!(&root.value, crate::yaml::Value::Map(entries) if entries.iter().any(|entry| entry.key == KEY))
}

/// Where the parts of a rule stand, by their paths in the API's form.
#[derive(Default)]
struct Places(Vec<(String, Range<usize>)>);

impl Places {
    fn note(&mut self, path: impl Into<String>, span: Range<usize>) {
        self.0.push((path.into(), span));
    }

    /// The place of a path, or of the nearest that it is in.
    fn of(&self, path: &str) -> Option<Range<usize>> {
        let inside =
            |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let known = self.0.iter().filter(|(known, _)| inside(known));
        known.max_by_key(|(known, _)| known.len()).map(|(_, span)| span.clone())
    }
}

/// Reads the root of a file that [is a rule's](is_rule).
pub(super) fn rule(root: &Node, faults: &mut Faults) -> Option<Read> {
    let mut fields = Fields::of(root, "an automation rule", faults)?;
    let name = fields.required(KEY);
    let display_name = fields.optional("display_name");
    let order = fields.required("order");
    let enabled = fields.optional("enabled");
    let on = fields.optional("on");
    let when = fields.optional("when");
    let expires = fields.optional("expires");
    let conditions = fields.optional("conditions");
    let actions = fields.required("actions");
    fields.finish(faults);

    let mut places = Places::default();
    let mut noted = |path: &str, given: Option<Given<'_>>| {
        if let Some(given) = given {
            places.note(path, given.span());
        }
    };
    noted("properties.displayName", display_name.or(name));
    noted("properties.triggeringLogic.triggersWhen", when);
    let named = name.and_then(|given| self::name(given, faults));
    let display_name = match display_name {
        Some(given) => given.words(faults),
        None => named.as_ref().map(|(text, _, _)| *text),
    };
    let order = order.and_then(|given| given.count(1..=u64::from(limits::RULE_ORDER), faults));
    let enabled = enabled.is_none_or(|given| given.flag(faults).unwrap_or(true));
    let choices = [("incidents", TriggersOn::Incidents), ("alerts", TriggersOn::Alerts)];
    let on = on.and_then(|given| given.choice(&choices, faults)).unwrap_or(TriggersOn::Incidents);
    let choices = [("created", TriggersWhen::Created), ("updated", TriggersWhen::Updated)];
    let when = when.and_then(|given| given.choice(&choices, faults)).unwrap_or(TriggersWhen::Created);
    let expires = expires.and_then(|given| instant(given, faults));
    let conditions = match conditions {
        Some(given) => {
            let path = "properties.triggeringLogic.conditions";
            places.note(path, given.key_span());
            condition::conditions(given, path, 1, &mut places, faults)
        }
        None => Vec::new(),
    };
    let mut runs = Vec::new();
    let actions = actions.map(|given| {
        let path = "properties.actions";
        places.note(path, given.key_span());
        action::actions(given, path, &mut places, &mut runs, faults)
    });
    if faults.count() > 0 {
        return None;
    }
    let (_, name, span) = named?;
    let actions = (1..).zip(actions?).map(|(order, action)| OrderedAction { order, action }).collect();
    let rule = AutomationRule {
        display_name: display_name?.to_owned(),
        order: u32::try_from(order?).ok()?,
        enabled,
        expires,
        on,
        when,
        conditions,
        actions,
    };
    match rule.check() {
        Ok(rule) => {
            let path = faults.source().name.to_string();
            let written =
                std::fs::metadata(&path).and_then(|file| file.modified()).map_or(DateTime::UNIX_EPOCH, Into::into);
            Some(Read { file: FileRule { name, path, written, rule }, name: span, runs })
        }
        Err(RuleFault { path, message }) => {
            let span = places.of(&path).unwrap_or_else(|| span.clone());
            faults.add(codes::RULE, span, message.trim_end_matches('.'));
            None
        }
    }
}

/// A rule's name: what it is called in the API, too.
fn name<'n>(given: Given<'n>, faults: &mut Faults) -> Option<(&'n str, ResourceName, Range<usize>)> {
    let text = given.words(faults)?;
    match ResourceName::parse(text) {
        Ok(name) => Some((text, name, given.span())),
        Err(bad) => {
            faults.add(codes::BAD_NAME, given.span(), bad.to_string());
            None
        }
    }
}

fn instant(given: Given<'_>, faults: &mut Faults) -> Option<DateTime<Utc>> {
    let text = given.words(faults)?;
    let instant = DateTime::parse_from_rfc3339(text).ok();
    if instant.is_none() {
        let help = "write it with its offset from UTC, like 2027-01-31T18:00:00Z".to_owned();
        faults.add_with(codes::BAD_VALUE, given.span(), format!("`{text}` is not an instant"), Some(help));
    }
    instant.map(Into::into)
}

/// Every playbook that the rule runs must be among `playbooks` and have the trigger for it. Those called `broken` are at
/// fault themselves, and one without a name may be any.
pub(super) fn playbooks(read: &Read, playbooks: &[Loaded], broken: &[String], faults: &mut Faults) {
    for (name, span) in &read.runs {
        let known = || playbooks.iter().map(|loaded| &loaded.playbook);
        let found = known().find(|playbook| playbook.name.eq_ignore_ascii_case(name));
        let fits = |trigger: &Trigger| match read.file.rule.on {
            TriggersOn::Incidents => matches!(trigger, Trigger::Incident(_) | Trigger::Manual),
            TriggersOn::Alerts => matches!(trigger, Trigger::Alert(_) | Trigger::Manual),
        };
        let (message, help) = match found {
            Some(playbook) if fits(&playbook.trigger) => continue,
            Some(playbook) => {
                let wanted = match read.file.rule.on {
                    TriggersOn::Incidents => "incident",
                    TriggersOn::Alerts => "alert",
                };
                let kind = playbook.trigger.kind();
                let message = format!("`{name}` has the trigger `{kind}`; this rule runs playbooks with `{wanted}`");
                (message, Some(format!("write `{wanted}: {{on: []}}` there to leave its start to rules")))
            }
            None if broken.iter().any(|broken| broken.is_empty() || broken.eq_ignore_ascii_case(name)) => continue,
            None => {
                let near = nearest(name, known().map(|playbook| playbook.name.as_str()));
                (format!("there is no playbook `{name}`"), near.map(|near| format!("did you mean `{near}`?")))
            }
        };
        faults.add_with(codes::RULE_PLAYBOOK, span.clone(), message, help);
    }
}
