//! In what one run came out otherwise than another one of the same event.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::found::{Found, NOT_STARTED, Record};
use crate::{redaction::REDACTED, store::RunId};

/// One value that would be otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// The run of then; nothing where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// `status`, `actions.create`, `incidents.create.severity`, `mails.acknowledge.subject`.
    pub path: String,
    /// What was; nothing where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<Value>,
    /// What would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Value>,
}

/// Everything in which `now` came out otherwise than `then`. Of steps that `is_secured` names it is told that they did, and
/// not how.
pub(super) fn changes(
    run: Option<RunId>,
    then: &Found,
    now: &Found,
    is_secured: &dyn Fn(&str) -> bool,
) -> Vec<Changed> {
    let mut out = Changes { run, out: Vec::new() };
    out.value("status", Some(&status(then)), Some(&status(now)));
    if then.status != NOT_STARTED && now.status != NOT_STARTED {
        out.value("error", then.error.as_ref(), now.error.as_ref());
        out.actions(&then.records, &now.records);
    }
    out.deeds("incidents", &then.world.incidents, &now.world.incidents, is_secured);
    out.deeds("mails", &then.world.mails, &now.world.mails, is_secured);
    out.deeds("calls", &then.world.calls, &now.world.calls, is_secured);
    out.deeds("children", &then.world.children, &now.world.children, is_secured);
    out.value("reply", then.world.reply.as_ref(), now.world.reply.as_ref());
    out.out
}

fn status(found: &Found) -> Value {
    match &found.because {
        Some(because) => json!(format!("{}: {because}", found.status)),
        None => json!(found.status),
    }
}

struct Changes {
    run: Option<RunId>,
    out: Vec<Changed>,
}

impl Changes {
    fn add(&mut self, path: &str, then: Option<&Value>, now: Option<&Value>) {
        let (then, now) = (then.cloned(), now.cloned());
        self.out.push(Changed { run: self.run, path: path.to_owned(), then, now });
    }

    /// Status and code of each step.
    fn actions(&mut self, then: &[Record], now: &[Record]) {
        let line = |record: &Record| Value::from(format!("{} {}", record.status, record.code));
        let of = |records: &[Record], step: &str| records.iter().find(|record| record.step() == step).map(line);
        let known: BTreeSet<String> = then.iter().map(Record::step).collect();
        let new = now.iter().map(Record::step).filter(|step| !known.contains(step));
        for step in then.iter().map(Record::step).chain(new) {
            self.value(&format!("actions.{step}"), of(then, &step).as_ref(), of(now, &step).as_ref());
        }
    }

    /// Things done, by the step that did them.
    fn deeds(
        &mut self,
        name: &str,
        then: &[(String, Value)],
        now: &[(String, Value)],
        is_secured: &dyn Fn(&str) -> bool,
    ) {
        let of = |deeds: &[(String, Value)], step: &str| {
            let (_, deed) = deeds.iter().find(|(known, _)| known == step)?;
            let mut deed = deed.clone();
            if let Some(members) = deed.as_object_mut() {
                // The path names the action, and the number is not the playbook's to give.
                members.retain(|member, value| !matches!(&**member, "action" | "number") && !value.is_null());
            }
            Some(deed)
        };
        let new = now.iter().filter(|(step, _)| !then.iter().any(|(known, _)| known == step));
        for (step, _) in then.iter().chain(new) {
            let from = self.out.len();
            self.value(&format!("{name}.{step}"), of(then, step).as_ref(), of(now, step).as_ref());
            if is_secured(step) {
                let values = self.out[from..].iter_mut().flat_map(|one| [&mut one.then, &mut one.now]).flatten();
                values.for_each(|value| *value = REDACTED.into());
            }
        }
    }

    fn value(&mut self, path: &str, then: Option<&Value>, now: Option<&Value>) {
        match (then, now) {
            (Some(Value::Object(was)), Some(Value::Object(is))) => {
                let new = is.keys().filter(|name| !was.contains_key(*name));
                for name in was.keys().chain(new) {
                    self.value(&format!("{path}.{name}"), was.get(name), is.get(name));
                }
            }
            (then, now) if then == now => {}
            (then, now) => self.add(path, then, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_compared_member_by_member_and_lists_as_a_whole() {
        let mut changes = Changes { run: None, out: Vec::new() };
        let deed = |deed: Value| vec![("create".to_owned(), deed)];
        changes.deeds(
            "incidents",
            &deed(json!({"number": 7, "severity": "High", "tags": ["a"], "owner": null, "status": "New"})),
            &deed(json!({"number": 1, "severity": "Low", "tags": ["a", "b"], "title": "x", "status": "New"})),
            &|_| false,
        );
        changes.deeds("mails", &deed(json!({"to": ["a"]})), &[], &|_| false);
        changes.deeds("calls", &deed(json!({"url": "a"})), &deed(json!({"url": "b"})), &|step| step == "create");
        let all: Vec<_> = changes.out.iter().map(|one| json!([one.path, one.then, one.now])).collect();
        let expected = json!([
            ["incidents.create.severity", "High", "Low"],
            ["incidents.create.tags", ["a"], ["a", "b"]],
            ["incidents.create.title", null, "x"],
            ["mails.create", {"to": ["a"]}, null],
            ["calls.create.url", "[secret]", "[secret]"],
        ]);
        assert_eq!(json!(all), expected);
    }
}
