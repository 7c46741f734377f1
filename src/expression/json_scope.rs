//! A scope over one JSON value, for `larum eval` and for tests.

use std::{borrow::Cow, cell::Cell};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Lookup, Scope, value};

/// A [`Scope`] over a JSON object: `{now, trigger, triggerBody, triggerOutputs, request, actions, variables, parameters,
/// item, items, iterationIndexes, workflow, callbackUrl}`, every key optional.
///
/// `trigger` is the trigger's whole record when it has `outputs`, else what it delivered. An action is its whole record
/// when it has `outputs`, `status`, `error`, `code`, `inputs` or `result`, else what it returned.
#[derive(Debug)]
pub struct JsonScope {
    context: Value,
    now: DateTime<Utc>,
    random: Cell<u64>,
}

impl JsonScope {
    /// A scope over `context`. The context's `now` comes before the one given; `seed` starts the random sequence.
    #[must_use]
    pub fn new(context: Value, now: DateTime<Utc>, seed: u64) -> Self {
        let own = context.get("now").and_then(Value::as_str).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        Self { context, now: own.map_or(now, |own| own.with_timezone(&Utc)), random: Cell::new(seed) }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.context.get(key)
    }

    fn named(&self, group: &str, name: &str) -> Option<&Value> {
        value::find(self.get(group)?.as_object()?, name)
    }

    /// An action's record, when what the context holds of it is one.
    fn record(&self, name: &str) -> Option<&Map<String, Value>> {
        const MARKS: [&str; 6] = ["outputs", "status", "error", "code", "inputs", "result"];
        self.named("actions", name)?.as_object().filter(|map| MARKS.iter().any(|mark| map.contains_key(*mark)))
    }

    fn trigger_record(&self) -> Option<&Map<String, Value>> {
        self.get("trigger")?.as_object().filter(|map| map.contains_key("outputs"))
    }
}

fn some(value: Option<&Value>) -> Lookup<'_> {
    value.map(Cow::Borrowed)
}

/// The value, or null where the thing exists and has no such part.
fn or_null(value: Option<&Value>) -> Lookup<'_> {
    Some(Cow::Borrowed(value.unwrap_or(&value::NULL)))
}

impl Scope for JsonScope {
    fn trigger_body(&self) -> Lookup<'_> {
        if let Some(body) = self.get("triggerBody") {
            return some(Some(body));
        }
        match self.trigger_record() {
            Some(record) => or_null(record.get("outputs").and_then(|outputs| outputs.get("body"))),
            None => some(self.get("trigger").or_else(|| self.get("triggerOutputs")?.get("body"))),
        }
    }

    fn trigger(&self) -> Lookup<'_> {
        if self.trigger_record().is_some() {
            return some(self.get("trigger"));
        }
        let outputs = self.trigger_outputs()?.into_owned();
        Some(Cow::Owned(serde_json::json!({"name": "trigger", "outputs": outputs})))
    }

    fn trigger_outputs(&self) -> Lookup<'_> {
        if let Some(outputs) = self.get("triggerOutputs") {
            return some(Some(outputs));
        }
        if let Some(record) = self.trigger_record() {
            return some(record.get("outputs"));
        }
        let body = self.trigger_body()?.into_owned();
        Some(Cow::Owned(serde_json::json!({"body": body})))
    }

    fn request(&self) -> Lookup<'_> {
        some(self.get("request"))
    }

    fn body(&self, action: &str) -> Lookup<'_> {
        let given = self.named("actions", action)?;
        match self.record(action) {
            Some(record) => or_null(record.get("outputs").and_then(|outputs| outputs.get("body"))),
            None => some(Some(given)),
        }
    }

    fn outputs(&self, action: &str) -> Lookup<'_> {
        let given = self.named("actions", action)?;
        match self.record(action) {
            Some(record) => or_null(record.get("outputs")),
            None => Some(Cow::Owned(serde_json::json!({"body": given}))),
        }
    }

    fn action(&self, action: &str) -> Lookup<'_> {
        let given = self.named("actions", action)?;
        match self.record(action) {
            Some(_) => some(Some(given)),
            None => Some(Cow::Owned(serde_json::json!({"name": action, "outputs": {"body": given}}))),
        }
    }

    fn result(&self, container: &str) -> Lookup<'_> {
        or_null(self.named("actions", container)?.get("result"))
    }

    fn variable(&self, name: &str) -> Lookup<'_> {
        some(self.named("variables", name))
    }

    fn parameter(&self, name: &str) -> Lookup<'_> {
        some(self.named("parameters", name))
    }

    fn item(&self) -> Lookup<'_> {
        some(self.get("item"))
    }

    fn items(&self, name: &str) -> Lookup<'_> {
        some(self.named("items", name))
    }

    fn iteration_index(&self, name: &str) -> Option<u64> {
        self.named("iterationIndexes", name)?.as_u64()
    }

    fn workflow(&self) -> Lookup<'_> {
        some(self.get("workflow"))
    }

    fn callback_url(&self) -> Lookup<'_> {
        some(self.get("callbackUrl"))
    }

    fn now(&self) -> DateTime<Utc> {
        self.now
    }

    fn random(&self) -> u64 {
        // SplitMix64: short, and good enough for a value that only has to differ from the one before.
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
