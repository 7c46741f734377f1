//! The webhook trigger: a call of `/hooks/{path}` becomes a report.
//!
//! How it arrives over HTTP is the server's business; here is who may call, what a call delivers, and what names it.

mod callback;
mod signature;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

pub use callback::{CallbackFault, CallbackKeys, KeyName};
pub use signature::{Headers, SignatureFault, precheck, verify};

use super::{
    intake::{Arrival, Door},
    table::Addressed,
};
use crate::{
    action::respond,
    engine::Live,
    expression::{EvalError, JsonScope},
    limits::HOOK_KEY_CHARS,
    playbook::{Method, Segment, Trigger, WebhookTrigger},
    store::{
        EventId, StoreError,
        intake::{Intake, Report, Uniqueness},
        mailbox::FeedName,
    },
};

/// The connection all webhooks count as; a webhook's path is the folder.
const CONNECTION: &str = "webhook";

/// A webhook in force, with the playbook it starts.
#[derive(Debug)]
pub struct Hook {
    pub trigger: WebhookTrigger,
    /// Whether its caller waits for what the playbook answers. One call that starts a run for each element of a list has
    /// no one answer.
    pub responds: bool,
    pub live: Live,
}

impl Addressed for Hook {
    const KIND: &'static str = "webhook";

    fn of(live: &Live) -> Option<Self> {
        match &live.playbook.trigger {
            Trigger::Webhook(trigger) => {
                let responds = live.playbook.calls(respond::NAME) && live.playbook.admission.split_on.is_none();
                Some(Self { trigger: trigger.clone(), responds, live: live.clone() })
            }
            _ => None,
        }
    }

    fn path(&self) -> &str {
        &self.trigger.path
    }

    fn live(&self) -> &Live {
        &self.live
    }
}

/// A call as the playbook sees it. All of it is kept with the run, so nothing that admits anybody belongs in here.
#[derive(Debug, Clone)]
pub struct HookCall {
    pub method: Method,
    /// By name in lower case.
    pub headers: Map<String, Value>,
    pub queries: Map<String, Value>,
    /// What stood in the address for the parameters of `relative_path`.
    pub parameters: Map<String, Value>,
    pub body: Value,
}

/// Why a call has no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    #[error("the key of this call cannot be made: {0}")]
    Evaluation(EvalError),
    #[error("the key of this call has more than {HOOK_KEY_CHARS} characters")]
    TooLong,
}

impl Hook {
    /// The values of the relative path's parameters, if `rest` (what follows the hook's own path, still encoded) is such
    /// a path.
    #[must_use]
    pub fn parameters(&self, rest: &str) -> Option<Map<String, Value>> {
        let wanted = &self.trigger.relative_path;
        let given: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split('/').collect() };
        if given.len() != wanted.len() {
            return None;
        }
        let mut values = Map::new();
        for (segment, given) in wanted.iter().zip(given) {
            let given = percent_decode_str(given).decode_utf8().ok()?;
            match segment {
                Segment::Text(text) if *text == given => {}
                Segment::Text(_) => return None,
                Segment::Parameter(_) if given.is_empty() => return None,
                Segment::Parameter(name) => {
                    values.insert(name.clone(), given.into());
                }
            }
        }
        Some(values)
    }

    /// The batch of one report that a call is, ready for [`Door::take`]. A call that the playbook's `key` names is one
    /// with every other of that name; else `idempotency_key` names it; else nothing does.
    ///
    /// # Errors
    /// When its key cannot be made, or the system gives no randomness.
    pub fn intake(
        &self,
        door: &Door,
        call: HookCall,
        idempotency_key: Option<&str>,
    ) -> Result<Result<Intake, KeyFault>, StoreError> {
        let at = door.clock.now();
        let (event, path) = (EventId::now_v7(), &self.trigger.path);
        let outputs = outputs(call);
        let key = match self.key(&outputs, at) {
            Ok(key) => key.map(|key| format!("call {path} {key}")),
            Err(fault) => return Ok(Err(fault)),
        };
        let key = key.or_else(|| idempotency_key.map(|key| format!("key {path} {key}")));
        let text = serde_json::to_string(&outputs).map_err(|error| StoreError::Failed(error.to_string().into()))?;
        let arrival = Arrival { kind: CONNECTION, event, outputs: &text, at };
        let playbooks = vec![door.start(&self.live, &arrival)?];
        Ok(Ok(Intake {
            feed: FeedName { connection: CONNECTION.to_owned(), folder: path.clone() },
            reports: vec![Report {
                event,
                kind: CONNECTION,
                uniqueness: key.map_or(Uniqueness::Always, Uniqueness::Key),
                summary: format!("webhook {path}, call {event}"),
                outputs: Arc::from(text),
                raw: None,
                playbooks,
                mail_tasks: Vec::new(),
                skipped: None,
            }],
            cursor: None,
            at,
        }))
    }

    /// What the playbook's key template makes of a call; `None` when it makes nothing of it.
    fn key(&self, outputs: &Value, at: DateTime<Utc>) -> Result<Option<String>, KeyFault> {
        let Some(template) = &self.trigger.key else { return Ok(None) };
        let value_of = |outputs: &Value| {
            let mut request = outputs.clone();
            request.as_object_mut().map(|members| members.remove("body"));
            template.evaluate(&JsonScope::new(json!({"triggerOutputs": outputs, "request": request}), at, 0))
        };
        let value = value_of(outputs).map_err(KeyFault::Evaluation)?;
        // Two calls that lack what the key is made from are not the same call.
        let empty = json!({"method": outputs["method"], "headers": {}, "queries": {}, "relativePathParameters": {}, "body": null});
        if value_of(&empty).is_ok_and(|nothing| nothing == value) {
            return Ok(None);
        }
        let text = match value {
            Value::Null => return Ok(None),
            Value::String(text) if text.is_empty() => return Ok(None),
            Value::String(text) => text,
            other => other.to_string(),
        };
        if text.chars().count() > HOOK_KEY_CHARS { Err(KeyFault::TooLong) } else { Ok(Some(text)) }
    }
}

/// The outputs of a webhook trigger: `{method, headers, queries, relativePathParameters, body}`.
#[must_use]
pub fn outputs(call: HookCall) -> Value {
    let mut outputs = Map::new();
    outputs.insert("method".into(), call.method.as_str().into());
    outputs.insert("headers".into(), call.headers.into());
    outputs.insert("queries".into(), call.queries.into());
    outputs.insert("relativePathParameters".into(), call.parameters.into());
    outputs.insert("body".into(), call.body);
    outputs.into()
}
