//! A run as it is told to people and programs, as it is or as it stood after an event of its journal.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Event, Past};
use crate::{
    incident::Actor,
    store::{
        RunId, Store, StoreError,
        resubmission::Beginning,
        run::{RunStatus, StoredRun},
    },
};

/// A run with what became of each of its actions.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunHistory {
    #[schemars(with = "String")]
    pub run: RunId,
    pub playbook: String,
    /// The version it follows.
    pub version: String,
    pub status: RunStatus,
    #[schemars(with = "String")]
    pub started: DateTime<Utc>,
    #[schemars(with = "Option<String>")]
    pub ended: Option<DateTime<Utc>>,
    #[schemars(with = "String")]
    pub event: Uuid,
    /// Which trigger started it.
    pub kind: String,
    /// The report in a few words.
    pub report: String,
    /// An earlier event with the same Message-ID and other content.
    #[schemars(with = "Option<String>")]
    pub resembles: Option<Uuid>,
    /// The number of the incident it made; null where it is told as it stood before its end.
    pub incident: Option<u64>,
    /// `{code, message}`. Of a suspended run also `recorded` and `computed`, the input that stands in the journal and the
    /// one this Larum computes, or `trigger`, why its trigger could make nothing of the report.
    pub error: Option<Value>,
    /// The run it repeats.
    #[schemars(with = "Option<String>")]
    pub resubmit_of: Option<RunId>,
    /// Whether it repeats that run from its report or from where it failed.
    pub resubmit_from: Option<Beginning>,
    /// Who had that run repeated.
    pub resubmit_by: Option<Actor>,
    /// The runs that repeat this one, oldest first.
    #[schemars(with = "Vec<String>")]
    pub resubmitted_as: Vec<RunId>,
    /// How many events its journal holds.
    pub journal_events: usize,
    /// After which of these events the run is told as it stood; null when it is told as its records have it.
    pub at: Option<Moment>,
    /// The variables as they stood then.
    pub variables: Option<Value>,
    /// What became of each action, in file order, iterations of a loop behind it: name, iterations, status, code, startTime,
    /// endTime, inputs, outputs, error, retryHistory (the attempts before the last), kept (done by the run this one
    /// repeats). Null when it cannot be told.
    pub actions: Option<Value>,
    /// Why the actions cannot be told.
    pub fault: Option<String>,
}

/// A point of a run's journal.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Events that had happened.
    pub event: usize,
    /// What the last of them was: `started`, `finished`, `woke`, `signalled`, `returned`, `replied` or `cancelled`; null
    /// when the run had only begun.
    pub what: Option<&'static str>,
    /// The step it was about.
    pub step: Option<String>,
    pub attempt: Option<u32>,
    /// The instant of it, or of the run's beginning.
    #[schemars(with = "String")]
    pub time: DateTime<Utc>,
}

impl RunHistory {
    /// What is stored of a run: its records, once it has ended.
    #[must_use]
    pub fn new(stored: &StoredRun, incident: Option<u64>, resubmitted_as: Vec<RunId>) -> Self {
        let origin = stored.origin.as_deref();
        Self {
            run: stored.run,
            playbook: stored.playbook.clone(),
            version: stored.version.clone(),
            status: stored.status,
            started: stored.started,
            ended: stored.ended,
            event: stored.event,
            kind: stored.kind.clone(),
            report: stored.summary.clone(),
            resembles: stored.resembles,
            incident,
            error: stored.error.clone(),
            resubmit_of: origin.map(|origin| origin.of),
            resubmit_from: origin.map(|origin| origin.from),
            resubmit_by: origin.map(|origin| origin.by.clone()),
            resubmitted_as,
            journal_events: stored.journal.len(),
            at: None,
            variables: None,
            actions: stored.actions.clone(),
            fault: None,
        }
    }

    /// The same with what the store knows beside the run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(store: &dyn Store, stored: &StoredRun) -> Result<Self, StoreError> {
        let incident = store.incident_of_run(stored.run).await?;
        Ok(Self::new(stored, incident, store.resubmissions(stored.run).await?))
    }

    /// How many events of the journal must be folded to tell of the run, when `at` is asked for; `None` when its records
    /// tell: they are kept as they were when it ended, and not computed again.
    #[must_use]
    pub fn to_fold(&self, at: Option<usize>) -> Option<usize> {
        let has_records = self.actions.as_ref().and_then(Value::as_array).is_some_and(|actions| !actions.is_empty());
        match (at, self.status) {
            (Some(at), _) if at < self.journal_events || !has_records => Some(at),
            (None, RunStatus::Running | RunStatus::Suspended) if !has_records => Some(self.journal_events),
            _ => None,
        }
    }

    /// The run as it stood after `events` events.
    pub fn stood(&mut self, past: &Past, events: usize) {
        let machine = &past.machine;
        if events < self.journal_events {
            self.status = RunStatus::Running;
            (self.ended, self.error, self.incident) = (None, None, None);
        }
        let (what, step, attempt) = past.last.as_ref().map_or((None, None, None), told);
        self.at = Some(Moment { event: events, what, step, attempt, time: machine.now() });
        self.variables = Some(machine.variables());
        self.actions = serde_json::from_str(&machine.records()).ok();
        for told in [&mut self.variables, &mut self.actions].into_iter().flatten() {
            past.secrets.redact(told);
        }
    }
}

fn told(event: &Event) -> (Option<&'static str>, Option<String>, Option<u32>) {
    let (what, step, attempt) = match event {
        Event::Started { step, attempt, .. } => ("started", Some(step), Some(*attempt)),
        Event::Finished { step, attempt, .. } => ("finished", Some(step), Some(*attempt)),
        Event::Woke { .. } => ("woke", None, None),
        Event::Signalled { step, .. } => ("signalled", Some(step), None),
        Event::Returned { step, .. } => ("returned", Some(step), None),
        Event::Replied { .. } => ("replied", None, None),
        Event::Cancelled { .. } => ("cancelled", None, None),
    };
    (Some(what), step.map(ToString::to_string), attempt)
}
