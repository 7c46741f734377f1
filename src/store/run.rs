//! A run as the store sees it: where it came from, its journal as opaque bytes, its timers, its end.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{EventId, RunId, resubmission::Origin};
use crate::incident::{Causes, Draft, Incident, Provenance, Rejected, Write, Written};

/// How far a run is. The names are Logic Apps'; `Suspended` waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
pub enum RunStatus {
    /// There is no room for it yet: the playbook's `concurrency` limit is reached.
    Waiting,
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    /// Replay differs from what was recorded (`ReplayDiffers`); a person resumes or cancels it.
    Suspended,
}

impl RunStatus {
    /// Whether nothing more happens in the run.
    #[must_use]
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running | Self::Suspended)
    }

    pub const ALL: &'static [Self] = &[
        Self::Waiting,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Suspended,
    ];

    /// The name shown and stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
            Self::Cancelled => "Cancelled",
            Self::Suspended => "Suspended",
        }
    }

    /// The status of this name, ignoring case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str().eq_ignore_ascii_case(name))
    }
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    pub run: RunId,
    pub playbook: String,
    pub version: String,
    /// It only waits for timers that are not due yet: it need not be in memory.
    pub waiting_until: Option<DateTime<Utc>>,
}

/// A run with all that decides it.
#[derive(Debug, Clone)]
pub struct StoredRun {
    pub run: RunId,
    pub status: RunStatus,
    pub playbook: String,
    /// The version it started with and keeps; [`super::Store::version`] has it.
    pub version: String,
    pub event: EventId,
    /// Set when it repeats another run.
    pub origin: Option<Box<Origin>>,
    /// Which trigger kind saw the event.
    pub kind: String,
    /// The event in a few words.
    pub summary: String,
    /// The event that has the same Message-ID and other content.
    pub resembles: Option<EventId>,
    /// When it began; of a waiting run, when it was opened.
    pub started: DateTime<Utc>,
    pub ended: Option<DateTime<Utc>>,
    pub seed: [u8; 32],
    /// What it was delivered, the trigger's outputs as JSON text.
    pub outputs: Arc<str>,
    /// The journal in order; event `n` has sequence number `n`, from 0. Empty once the run was pruned to its records.
    pub journal: Vec<Vec<u8>>,
    /// Set when it ended: error and action records. A running one that has an error can only end with it: its playbook
    /// can make nothing of the report.
    pub error: Option<Value>,
    pub actions: Option<Value>,
}

/// New events for a run's journal.
pub struct Record {
    pub run: RunId,
    /// The sequence number the first of them takes.
    pub first: u64,
    /// Events whose bytes are known beforehand.
    pub events: Vec<Vec<u8>>,
    /// An effect in the built-in workspace, committed with the event that tells of it.
    pub local: Option<LocalEffect>,
    /// Timers that start with these events.
    pub sleep: Vec<Timer>,
    /// Timers that are no longer wanted, by number.
    pub unsleep: Vec<u64>,
    /// `Some` when the run now only waits: until when. `None` says that it does something again.
    pub waiting_until: Option<DateTime<Utc>>,
    /// What the run answers its caller, and the run that waits for that.
    pub reply: Option<Reply>,
}

/// A run's answer to its caller.
#[derive(Debug, Clone)]
pub struct Reply {
    /// `{statusCode, headers, body}`, JSON text.
    pub response: String,
    /// The run whose step called.
    pub parent: Option<RunId>,
}

impl Record {
    /// A record of events only.
    #[must_use]
    pub fn events(run: RunId, first: u64, events: Vec<Vec<u8>>) -> Self {
        Self {
            run,
            first,
            events,
            local: None,
            sleep: Vec::new(),
            unsleep: Vec::new(),
            waiting_until: None,
            reply: None,
        }
    }
}

/// A change in the built-in workspace that happens exactly when its journal event does.
pub enum LocalEffect {
    /// Creates an incident; the number is only known inside the transaction, so the event is written there.
    CreateIncident {
        draft: Box<Draft>,
        provenance: Provenance,
        at: DateTime<Utc>,
        /// The incident's id, and its first etag.
        id: uuid::Uuid,
        /// An earlier run may have made it: then it is that one, as it is now.
        repeated: bool,
        causes: Causes,
        event: WriteEvent,
    },
    /// Any other change; what it came to, or why it was refused, is told by the event.
    Write { write: Box<Write>, event: WriteOutcomeEvent },
}

/// Writes the journal event that tells of a write.
pub type WriteOutcomeEvent = Box<dyn FnOnce(&Result<Written, Rejected>) -> Vec<u8> + Send>;

/// Writes the journal event that tells of an incident.
pub type WriteEvent = Box<dyn FnOnce(&Incident) -> Vec<u8> + Send>;

/// What was recorded.
#[derive(Debug)]
pub struct Recorded {
    /// The events as stored, those of `events` first, then the local effect's.
    pub events: Vec<Vec<u8>>,
    /// The incident a local effect made.
    pub incident: Option<Incident>,
}

/// A timer of a run, on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    pub run: RunId,
    /// The machine's number for it, unique within the run.
    pub timer: u64,
    pub until: DateTime<Utc>,
}

/// The end of a run.
#[derive(Debug)]
pub struct Finish {
    pub run: RunId,
    pub status: RunStatus,
    pub at: DateTime<Utc>,
    /// `{code, message}` of a run that failed.
    pub error: Option<Value>,
    /// The action records, JSON text.
    pub actions: Bytes,
    /// Made in the same transaction when the run itself made no incident.
    pub fallback: Option<Fallback>,
    /// Said on an incident that came of the same report before; left out where that incident takes no more.
    pub note: Option<Box<Write>>,
    /// The run whose step started this one; it has something to do again.
    pub parent: Option<RunId>,
}

/// An answer from outside that a step of a run waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    pub run: RunId,
    /// The step as the engine writes it.
    pub step: String,
    pub at: DateTime<Utc>,
    pub payload: Value,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalVerdict {
    /// It is on disk, and counts.
    Taken,
    /// This one came first, and counts.
    Already(Box<Signal>),
    /// The run has ended, or there is none.
    NoRun,
}

/// How far a run is, for those who wait for it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    pub status: RunStatus,
    pub error: Option<Value>,
    /// What it answered its caller.
    pub reply: Option<Value>,
}

/// The incident that keeps a failed report from falling silent.
#[derive(Debug)]
pub struct Fallback {
    pub draft: Draft,
    pub provenance: Provenance,
    pub id: uuid::Uuid,
    pub causes: Causes,
}
