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
    playbook::{Method, Playbook, Trigger, WebhookTrigger},
    store::{
        EventId,
        intake::{Decision, Delivery as Delivered, Listening},
        mailbox::FeedName,
    },
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

    /// An event as it was stored: as far as the playbook's trigger says, with why it is refused; `None` when the trigger
    /// does not listen there at all.
    pub(super) fn stored(
        playbook: &Playbook,
        feed: &FeedName,
        from: &str,
        summary: &str,
        outputs: Value,
    ) -> Option<Self> {
        let refused = match &playbook.trigger {
            trigger if trigger.kind() != from => return None,
            Trigger::Mailbox(listens) => {
                (mailbox::feed_name(listens) == *feed).then(|| mailbox::refused(&listens.filter, &outputs["body"]))?
            }
            Trigger::Form(form) => (form.path == feed.folder).then_some(None)?,
            Trigger::Webhook(hook) => {
                (hook.path == feed.folder).then(|| unfit(hook, outputs["method"].as_str(), &outputs["body"]))?
            }
            Trigger::Schedule(_) => feed.folder.eq_ignore_ascii_case(&playbook.name).then_some(None)?,
            Trigger::Incident(listens) => {
                let wanted =
                    if outputs["body"]["objectEventType"] == "Update" { listens.updated } else { listens.created };
                (!wanted).then(|| "it listens to other changes".to_owned())
            }
            Trigger::Alert(_) | Trigger::Manual => None,
        };
        Some(Self { refused, ..Self::asked_for(from, summary, outputs) })
    }

    /// An event as it was stored, whatever a trigger says of it.
    pub(super) fn asked_for(from: &str, summary: &str, outputs: Value) -> Self {
        Self { kind: kind(from), summary: summary.to_owned(), outputs, refused: None }
    }

    /// The event that started a run.
    pub(super) fn started(start: &Start) -> Self {
        let Start { kind, summary, outputs } = start;
        Self { kind, summary: summary.clone(), outputs: (**outputs).clone(), refused: None }
    }

    /// Whether the trigger refuses it.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// The same event under another name.
    pub(super) fn called(mut self, summary: &str) -> Self {
        summary.clone_into(&mut self.summary);
        self
    }

    /// The event in a few words.
    pub(super) fn summary(&self) -> &str {
        &self.summary
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
        let refused = unfit(hook, Some(call.method.as_str()), &call.body);
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
        let live = Live { version: "test".into(), playbook: playbook.clone() };
        let mut all = self.arrive_all(&live, EVENT, at);
        match all.len() {
            // Refused, or of one run only.
            1 if element == 0 || matches!(all[0], Delivery::Refused { .. }) => all.swap_remove(0),
            count if element < count => all.swap_remove(element),
            count => Delivery::Refused { because: format!("there is no element {element}, the event has {count}") },
        }
    }

    /// What the door makes of it: filters, `conditions`, and a run for each element of `split_on`. One refusal where none
    /// is started.
    pub(super) fn arrive_all(self, live: &Live, event: EventId, at: DateTime<Utc>) -> Vec<Delivery> {
        let Self { kind, summary, outputs, refused } = self;
        let refusal = |because: String| vec![Delivery::Refused { because }];
        if let Some(because) = refused {
            return refusal(because);
        }
        let text = outputs.to_string();
        let opening = match admission::decide(live, &Arrival { kind, event, outputs: &text, at }) {
            Ok(Listening { decision: Decision::Start(opening), .. }) => opening,
            Ok(Listening { decision: Decision::Skip { because }, .. }) => return refusal(because),
            Err(error) => return refusal(error.to_string()),
        };
        let outputs = Arc::new(outputs);
        let start = |delivery| match delivery {
            Delivered::Whole => Delivery::Start(Start { kind, summary: summary.clone(), outputs: outputs.clone() }),
            Delivered::Part(part) => {
                let outputs = Arc::new(serde_json::from_str(&part).unwrap_or_default());
                Delivery::Start(Start { kind, summary: summary.clone(), outputs })
            }
            Delivered::Fault(error) => Delivery::Fault { error },
        };
        opening.runs.into_iter().map(|run| start(run.delivery)).collect()
    }
}

/// A call with nothing but a body.
pub(super) fn posted(body: Value) -> HookCall {
    HookCall { method: Method::Post, headers: Map::new(), queries: Map::new(), parameters: Map::new(), body }
}

/// Why a webhook does not take a call.
fn unfit(hook: &WebhookTrigger, method: Option<&str>, body: &Value) -> Option<String> {
    if let Some(method) = method
        && !hook.methods.iter().any(|taken| taken.as_str() == method)
    {
        return Some(format!("the method {method} is not taken"));
    }
    let fault = hook.schema.as_ref()?.faults(body, 1).into_iter().next()?;
    Some(match fault.pointer.is_empty() {
        true => format!("the body does not fit: {}", fault.message),
        false => format!("the body does not fit at {}: {}", fault.pointer, fault.message),
    })
}

/// The trigger kind of this name.
pub(super) fn kind(name: &str) -> &'static str {
    let kinds = ["mailbox", "form", "webhook", "schedule", "incident", "alert"];
    kinds.into_iter().find(|kind| *kind == name).unwrap_or("manual")
}
