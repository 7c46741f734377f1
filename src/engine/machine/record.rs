//! An action's record, as `actions('x')` shows it and as it is kept when the run has ended.

use std::{borrow::Cow, sync::Arc};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Machine,
    reason::container_did_not_run,
    state::{Attempt, Kept, Place},
};
use crate::{
    action::ErrorInfo,
    engine::{
        plan::{Index, Plan},
        secrets::{Secrets, without_credentials},
    },
    limits,
    playbook::ActionStatus,
    redaction::REDACTED,
};

/// Logic Apps' shape.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActionRecord<'m> {
    name: &'m str,
    /// The iterations it stands in, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    iterations: Vec<u32>,
    /// `null` while it has not ended.
    status: Option<ActionStatus>,
    code: Cow<'m, str>,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tracking_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_tracking_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Cow<'m, Kept>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<Cow<'m, Kept>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retry_history: Vec<Value>,
    /// It was done by the run that this one repeats, and not again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    kept: bool,
    /// How often the body of a loop ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    repetition_count: Option<usize>,
}

impl<'m> ActionRecord<'m> {
    pub(super) fn of(machine: &'m Machine, at: Place) -> Self {
        let plan = &machine.plan;
        let slot = machine.slot(plan, at);
        let history = slot.work.as_ref().map(|work| work.history.as_slice()).unwrap_or_default();
        Self {
            name: &plan.node_at(at.index).id,
            iterations: machine.step(plan, at).iterations,
            status: slot.status,
            code: Cow::Borrowed(slot.code()),
            start_time: slot.started.or(slot.ended).map(instant),
            end_time: slot.ended.map(instant),
            tracking_id: None,
            client_tracking_id: None,
            inputs: slot.input.as_ref().map(shown),
            outputs: slot.outputs.as_ref().map(Cow::Borrowed),
            error: slot.why.as_ref().map(|why| why.error(machine, at)),
            retry_history: history.iter().map(attempt).collect(),
            kept: slot.work.as_ref().is_some_and(|work| work.kept.is_some()),
            repetition_count: slot.turns().map(|turns| turns.frames.len()),
        }
    }

    /// The record with secrets taken out of what came from outside or was computed. What Larum itself says in it, its own
    /// keys above all, stays whatever word is a secret.
    fn without(mut self, secrets: &Secrets) -> Self {
        let clean = |kept: Cow<'m, Kept>| {
            let mut value = kept.value().into_owned();
            secrets.redact(&mut value);
            Cow::Owned(Kept::Whole(Arc::new(value)))
        };
        self.inputs = self.inputs.map(clean);
        self.outputs = self.outputs.map(clean);
        self.code = Cow::Owned(secrets.redact_text(&self.code).into_owned());
        if let Some(error) = &mut self.error {
            error.code = secrets.redact_text(&error.code).into_owned();
            error.message = secrets.redact_text(&error.message).into_owned();
        }
        let members =
            self.retry_history.iter_mut().filter_map(Value::as_object_mut).flat_map(|attempt| attempt.iter_mut());
        members
            .filter(|(key, _)| ["code", "error"].contains(&key.as_str()))
            .for_each(|(_, value)| secrets.redact(value));
        self
    }

    /// An action inside a loop that had no iteration.
    fn never(plan: &'m Plan, index: Index, container: Index) -> Self {
        let id = &plan.node_at(index).id;
        Self {
            name: id,
            iterations: Vec::new(),
            status: Some(ActionStatus::Skipped),
            code: Cow::Borrowed("ActionSkipped"),
            start_time: None,
            end_time: None,
            tracking_id: None,
            client_tracking_id: None,
            inputs: None,
            outputs: None,
            error: Some(container_did_not_run(id, &plan.node_at(container).id)),
            retry_history: Vec::new(),
            kept: false,
            repetition_count: None,
        }
    }
}

/// An input without credentials.
fn shown(input: &Kept) -> Cow<'_, Kept> {
    let clean = without_credentials(&input.value());
    clean.map_or(Cow::Borrowed(input), |clean| Cow::Owned(Kept::Whole(Arc::new(clean))))
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "startTime": instant(attempt.started),
        "endTime": instant(attempt.ended),
        "code": attempt.code,
        "error": attempt.error,
    })
}

/// ISO 8601 in UTC with seven fraction digits, as Logic Apps writes it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    let mut text = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    text.insert(text.len() - 1, '0');
    text
}

impl Machine {
    /// The records of every action in file order, each iteration's after its loop, JSON text: what is kept once the run
    /// has ended. `secure:` fields and secrets are left out.
    #[must_use]
    pub fn records(&self) -> String {
        let mut text = String::new();
        self.list(&mut text);
        text
    }

    /// The same, once the run has ended: what iterations took and gave is let go as it is written, so that a long loop is
    /// not held twice.
    pub fn take_records(&mut self) -> String {
        if self.frames.len() <= limits::WHOLE_ITERATIONS {
            return self.records();
        }
        // A text that grows is copied again and again, and held twice meanwhile.
        let mut size = Size::default();
        self.list(&mut size);
        let mut text = String::with_capacity(size.0);
        let plan = self.plan.clone();
        text.add("[");
        for &index in &plan.regions[0].nodes {
            let at = Place { index, frame: 0 };
            let frames = self.slot(&plan, at).turns().map(|turns| turns.frames.clone()).unwrap_or_default();
            let Some(body) = plan.node_at(index).kind.body().filter(|_| !frames.is_empty()) else {
                self.write(at, &mut text);
                continue;
            };
            self.write_one(at, &mut text);
            for frame in frames {
                for &index in &plan.regions[body as usize].nodes {
                    self.write(Place { index, frame }, &mut text);
                }
                self.frames[frame as usize].slots = Box::default();
            }
        }
        text.add("]");
        text
    }

    fn list(&self, out: &mut impl Sink) {
        out.add("[");
        for &index in &self.plan.regions[0].nodes {
            self.write(Place { index, frame: 0 }, out);
        }
        out.add("]");
    }

    /// A record, and those of everything inside.
    fn write(&self, at: Place, out: &mut impl Sink) {
        let plan = &*self.plan;
        let node = plan.node_at(at.index);
        self.write_one(at, out);
        let Some(body) = node.kind.body() else { return };
        let frames = self.slot(plan, at).turns().map(|turns| turns.frames.as_slice()).unwrap_or_default();
        for &frame in frames {
            for &index in &plan.regions[body as usize].nodes {
                self.write(Place { index, frame }, out);
            }
        }
        if frames.is_empty() {
            // What is inside of loops in it did not run for the same reason.
            for index in node.subtree.clone().skip(1) {
                self.push(ActionRecord::never(plan, index, at.index), out);
            }
        }
    }

    fn write_one(&self, at: Place, out: &mut impl Sink) {
        let node = self.plan.node_at(at.index);
        let mut record = ActionRecord::of(self, at);
        let hidden = || Cow::Owned(Kept::Whole(Arc::new(Value::String(REDACTED.to_owned()))));
        if node.secure_inputs {
            record.inputs = record.inputs.map(|_| hidden());
        }
        if node.secure_outputs {
            record.outputs = record.outputs.map(|_| hidden());
        }
        self.push(record, out);
    }

    fn push(&self, record: ActionRecord<'_>, out: &mut impl Sink) {
        if out.length() > 1 {
            out.add(",");
        }
        if self.trigger.secrets.is_empty() {
            out.add(&serde_json::to_string(&record).unwrap_or_default());
            return;
        }
        out.add(&serde_json::to_string(&record.without(&self.trigger.secrets)).unwrap_or_default());
    }
}

/// Takes the text of records.
trait Sink {
    fn add(&mut self, text: &str);
    fn length(&self) -> usize;
}

impl Sink for String {
    fn add(&mut self, text: &str) {
        self.push_str(text);
    }

    fn length(&self) -> usize {
        self.len()
    }
}

/// How long the text would be.
#[derive(Default)]
struct Size(usize);

impl Sink for Size {
    fn add(&mut self, text: &str) {
        self.0 += text.len();
    }

    fn length(&self) -> usize {
        self.0
    }
}
