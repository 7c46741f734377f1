//! What starts a run, as its trigger would deliver it: the same readers, the same filters, the same conditions.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    engine::{
        Live,
        admission::{self, Arrival},
    },
    mail,
    playbook::{Method, Playbook, Trigger},
    store::intake::{Decision, Delivery as Delivered},
    trigger::{
        form::{self, Answers, Refusal},
        mailbox,
        webhook::{self, HookCall},
    },
};

/// The event's id in every test.
pub(super) const EVENT: Uuid = Uuid::from_u128(2);

/// What a trigger makes of an event.
#[derive(Debug, Clone)]
pub(super) enum Delivery {
    Start(Start),
    /// The playbook does not start.
    Refused {
        because: String,
    },
    /// The run fails before its first action, with `{code, message}`.
    Fault {
        error: Value,
    },
}

/// What a run is started with.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) kind: &'static str,
    pub(super) summary: String,
    pub(super) outputs: Arc<Value>,
}

/// An event before the door.
pub(super) struct Event {
    kind: &'static str,
    summary: String,
    outputs: Value,
    /// Why the trigger refuses it.
    refused: Option<String>,
}

impl Event {
    /// Outputs as they are.
    pub(super) fn raw(playbook: &Playbook, outputs: Value) -> Self {
        let kind = playbook.trigger.kind();
        Self { kind, summary: format!("{kind} event"), outputs, refused: None }
    }

    /// What `trigger` is.
    pub(super) fn body(playbook: &Playbook, body: &Value) -> Self {
        Self::raw(playbook, json!({"body": body}))
    }

    /// A raw mail, received at `at`.
    ///
    /// # Errors
    /// When it cannot be read; it would go to the dead-letter box.
    pub(super) fn mail(playbook: &Playbook, raw: &[u8], at: DateTime<Utc>) -> Result<Self, mail::Unreadable> {
        let mail::Message { trigger, message_id, remarks, subject, .. } = mail::read(raw, at)?;
        let refused = match &playbook.trigger {
            Trigger::Mailbox(listens) => mailbox::refused(&listens.filter, &trigger),
            _ => None,
        };
        let outputs =
            if remarks.is_empty() { json!({"body": trigger}) } else { json!({"body": trigger, "remarks": remarks}) };
        let summary = match message_id {
            Some(id) => format!("{subject} <{id}>"),
            None => subject,
        };
        Ok(Self { kind: "mailbox", summary, outputs, refused })
    }

    /// A submission, sent at `at`; `None` when the playbook has no form.
    pub(super) fn form(playbook: &Playbook, answers: &Value, at: DateTime<Utc>) -> Option<Self> {
        let Trigger::Form(form) = &playbook.trigger else { return None };
        let summary = format!("form {}, response {EVENT}", form.path);
        let read = Answers::from_json(&form.fields, answers.to_string().as_bytes());
        let (outputs, refused) = match read {
            Ok(answers) => match form::outputs(&answers, &form::Request::default(), EVENT, at) {
                Ok(outputs) => (serde_json::from_str(&outputs).unwrap_or_default(), None),
                Err(error) => (Value::Null, Some(error.to_string())),
            },
            Err(Refusal::Malformed(message)) => (Value::Null, Some(message)),
            Err(Refusal::Fields(faults)) => {
                let faults: Vec<String> =
                    faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect();
                (Value::Null, Some(faults.join(" ")))
            }
        };
        Some(Self { kind: "form", summary, outputs, refused })
    }

    /// A call; `None` when the playbook has no webhook.
    pub(super) fn webhook(playbook: &Playbook, call: HookCall) -> Option<Self> {
        let Trigger::Webhook(hook) = &playbook.trigger else { return None };
        let fault = hook.schema.as_ref().and_then(|schema| schema.faults(&call.body, 1).into_iter().next());
        let refused = match fault {
            _ if !hook.methods.contains(&call.method) => {
                Some(format!("the method {} is not taken", call.method.as_str()))
            }
            Some(fault) if fault.pointer.is_empty() => Some(format!("the body does not fit: {}", fault.message)),
            Some(fault) => Some(format!("the body does not fit at {}: {}", fault.pointer, fault.message)),
            None => None,
        };
        let summary = format!("webhook {}, call {EVENT}", hook.path);
        Some(Self { kind: "webhook", summary, outputs: webhook::outputs(call), refused })
    }

    /// A tick of a schedule.
    pub(super) fn tick(scheduled: DateTime<Utc>, previous: Option<DateTime<Utc>>, missed: u64) -> Self {
        let stamp = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let outputs = json!({"body": {
            "scheduledTime": stamp(scheduled),
            "previousTime": previous.map(stamp),
            "missed": missed,
        }});
        Self { kind: "schedule", summary: format!("tick of {}", stamp(scheduled)), outputs, refused: None }
    }

    /// What the door makes of it: filters, `conditions`, and of `split_on` the run of one element.
    pub(super) fn arrive(self, playbook: &Arc<Playbook>, at: DateTime<Utc>, element: usize) -> Delivery {
        let Self { kind, summary, outputs, refused } = self;
        if let Some(because) = refused {
            return Delivery::Refused { because };
        }
        let live = Live { version: "test".into(), playbook: playbook.clone() };
        let text = outputs.to_string();
        let decided = admission::decide(&live, &Arrival { kind, event: EVENT, outputs: &text, at });
        let opening = match decided.map(|listening| listening.decision) {
            Ok(Decision::Start(opening)) => opening,
            Ok(Decision::Skip { because }) => return Delivery::Refused { because },
            Err(error) => return Delivery::Refused { because: error.to_string() },
        };
        let count = opening.runs.len();
        match opening.runs.into_iter().nth(element).map(|run| run.delivery) {
            Some(Delivered::Whole) => Delivery::Start(Start { kind, summary, outputs: Arc::new(outputs) }),
            Some(Delivered::Part(part)) => {
                let outputs = Arc::new(serde_json::from_str(&part).unwrap_or_default());
                Delivery::Start(Start { kind, summary, outputs })
            }
            Some(Delivered::Fault(error)) => Delivery::Fault { error },
            None => Delivery::Refused { because: format!("there is no element {element}, the event has {count}") },
        }
    }
}

/// A call with nothing but a body.
pub(super) fn posted(body: Value) -> HookCall {
    HookCall { method: Method::Post, headers: Map::new(), queries: Map::new(), parameters: Map::new(), body }
}
