//! What a run did outside, as far as a test can expect it: incidents, mails, calls, runs of other playbooks, the answer to
//! its caller. An effect that is repeated after a crash is the same one, as it is in earnest.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    action::{Addresses, Child, LocalChange, Outcome, RunInfo},
    engine::{Step, without_credentials},
    incident::{Draft, Incident, Owner, Summary},
    playbook::ActionStatus,
};

/// Things done, each with the step that did it, in the order they were done.
type Deeds = Vec<(String, Value)>;

/// What was done.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) incidents: Deeds,
    pub(super) mails: Deeds,
    pub(super) calls: Deeds,
    pub(super) children: Deeds,
    pub(super) reply: Option<Value>,
}

/// Members of an incident in `expect:`.
pub(super) const INCIDENT: &[&str] = &[
    "number",
    "title",
    "description",
    "severity",
    "status",
    "owner",
    "tags",
    "classification",
    "classification_reason",
    "classification_comment",
    "first_activity",
    "last_activity",
    "action",
];
/// Members of a mail in `expect:`.
pub(super) const MAIL: &[&str] =
    &["to", "cc", "bcc", "reply_to", "subject", "body", "is_html", "attachments", "options", "connection", "action"];
/// Members of an HTTP call in `expect:`.
pub(super) const CALL: &[&str] =
    &["method", "url", "headers", "queries", "body", "cookie", "authentication", "connection", "action"];
/// Members of a run of another playbook in `expect:`.
pub(super) const CHILD: &[&str] = &["playbook", "body", "wait", "action"];
/// Members of the answer to the caller in `expect:`.
pub(super) const REPLY: &[&str] = &["status_code", "headers", "body"];

/// The `action` of the incident that Larum makes itself.
const FALLBACK: &str = "fallback";

impl World {
    /// An attempt began: from here on a call may have been received.
    pub(super) fn begun(&mut self, action: &str, step: &Step, input: &Value) {
        if action == "http" {
            put(&mut self.calls, step, call(input));
        }
    }

    /// An effect came to something.
    pub(super) fn landed(&mut self, action: &str, step: &Step, input: &Value, outcome: &Outcome) {
        let suppressed = outcome.outputs.as_ref().is_some_and(|outputs| outputs["body"].get("suppressed").is_some());
        if matches!(action, "send_email" | "approve") && outcome.status == ActionStatus::Succeeded && !suppressed {
            put(&mut self.mails, step, mail(input));
        }
    }

    /// A run of another playbook is started.
    pub(super) fn child(&mut self, step: &Step, child: &Child) {
        let Child { playbook, body, wait } = child;
        put(&mut self.children, step, json!({"playbook": playbook, "body": body, "wait": wait}));
    }

    /// A change of the workspace is made; gives what its action came to. `then` is what it came to once before.
    pub(super) fn change(
        &mut self,
        step: &Step,
        change: LocalChange,
        info: &RunInfo,
        at: DateTime<Utc>,
        then: Option<&Outcome>,
    ) -> Outcome {
        match change {
            LocalChange::CreateIncident { draft, id, outputs } => {
                let known = self.incidents.iter().position(|(known, _)| *known == step.to_string());
                let number = then.and_then(number).unwrap_or((known.unwrap_or(self.incidents.len()) + 1) as u64);
                put(&mut self.incidents, step, incident(number, &draft));
                let Draft { title, description, severity, status, owner, tags, .. } = *draft;
                let incident = Incident {
                    name: id.into(),
                    number,
                    etag: id,
                    title,
                    description,
                    severity,
                    status,
                    classification: draft.classification,
                    classification_reason: draft.classification_reason,
                    classification_comment: draft.classification_comment,
                    owner,
                    tags,
                    first_activity: draft.first_activity,
                    last_activity: draft.last_activity,
                    created: at,
                    created_by: info.actor(),
                    modified: at,
                    provenance: info.provenance(),
                    summary: Summary::default(),
                    merged_into: None,
                    team: None,
                };
                Outcome::succeeded(serde_json::from_str(outputs(&incident).get()).unwrap_or_default())
            }
            // What a change of an incident answers depends on a workspace that a test does not have; the file says it
            // where it matters.
            LocalChange::Write { .. } => {
                let well = || Outcome::succeeded(json!({"statusCode": 200, "headers": {}, "body": {}}));
                then.cloned().unwrap_or_else(well)
            }
        }
    }

    /// Nothing falls silent: Larum makes an incident of a report whose run came to nothing.
    pub(super) fn fallback(&mut self, draft: &Draft) {
        let mut made = incident((self.incidents.len() + 1) as u64, draft);
        made["action"] = FALLBACK.into();
        self.incidents.push((FALLBACK.to_owned(), made));
    }
}

/// The number of the incident that an action made.
fn number(outcome: &Outcome) -> Option<u64> {
    outcome.outputs.as_ref()?.pointer("/body/properties/incidentNumber")?.as_u64()
}

/// Notes a deed; one that is repeated is the same.
fn put(deeds: &mut Deeds, step: &Step, mut deed: Value) {
    let step = step.to_string();
    deed["action"] = step.clone().into();
    match deeds.iter_mut().find(|(known, _)| *known == step) {
        Some((_, known)) => *known = deed,
        None => deeds.push((step, deed)),
    }
}

fn incident(number: u64, draft: &Draft) -> Value {
    let instant = |at: Option<DateTime<Utc>>| at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    let Owner { object_id, email, assigned_to, user_principal_name, .. } = &draft.owner;
    let owner = [user_principal_name, email, object_id, assigned_to].into_iter().flatten().next();
    json!({
        "number": number,
        "title": draft.title,
        "description": draft.description,
        "severity": draft.severity,
        "status": draft.status,
        "owner": owner,
        "tags": draft.tags,
        "classification": draft.classification,
        "classification_reason": draft.classification_reason,
        "classification_comment": draft.classification_comment,
        "first_activity": instant(draft.first_activity),
        "last_activity": instant(draft.last_activity),
    })
}

/// A mail from the inputs of the action that sends it: recipients as lists, the text under `body`.
fn mail(input: &Value) -> Value {
    let mut mail = picked(input, MAIL);
    for field in ["to", "cc", "bcc", "reply_to"] {
        if let Some(given) = input.get(field)
            && let Ok(Addresses(addresses)) = Addresses::deserialize(given)
        {
            mail.insert(field.to_owned(), addresses.into());
        }
    }
    if let Some(text) = input.get("template") {
        mail.insert("body".to_owned(), text.clone());
    }
    mail.into()
}

fn call(input: &Value) -> Value {
    let clean = without_credentials(input);
    let mut call = picked(clean.as_ref().unwrap_or(input), CALL);
    let method = call.get("method").and_then(Value::as_str).unwrap_or("GET").to_ascii_uppercase();
    call.insert("method".to_owned(), method.into());
    call.into()
}

fn picked(input: &Value, members: &[&str]) -> Map<String, Value> {
    let picked = members.iter().filter_map(|name| Some(((*name).to_owned(), input.get(*name)?.clone())));
    picked.collect()
}
