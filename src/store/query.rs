//! Questions about what is kept, and their answers.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{EventId, RunId, mailbox::FeedName, run::RunStatus};
use crate::incident::{Severity, Status};

/// Which incidents to list.
#[derive(Debug, Clone)]
pub struct IncidentFilter {
    pub status: Option<Status>,
    pub severity: Option<Severity>,
    /// Only incidents numbered below this, to go on after a page.
    pub below: Option<u64>,
    pub limit: usize,
}

impl Default for IncidentFilter {
    /// The newest hundred.
    fn default() -> Self {
        Self { status: None, severity: None, below: None, limit: 100 }
    }
}

/// Which runs to list.
#[derive(Debug, Clone)]
pub struct RunFilter {
    pub status: Option<RunStatus>,
    pub playbook: Option<String>,
    /// Only runs older than this one, to go on after a page.
    pub before: Option<RunId>,
    pub limit: usize,
}

impl Default for RunFilter {
    /// The newest hundred.
    fn default() -> Self {
        Self { status: None, playbook: None, before: None, limit: 100 }
    }
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunSummary {
    #[schemars(with = "String")]
    pub run: RunId,
    pub playbook: String,
    pub version: String,
    pub status: RunStatus,
    #[schemars(with = "String")]
    pub started: DateTime<Utc>,
    #[schemars(with = "Option<String>")]
    pub ended: Option<DateTime<Utc>>,
    #[schemars(with = "String")]
    pub event: EventId,
    pub report: String,
    pub incident: Option<u64>,
    pub error: Option<Value>,
    /// The run it repeats.
    #[serde(rename = "resubmitOf")]
    #[schemars(with = "Option<String>")]
    pub resubmit_of: Option<RunId>,
}

/// What a trigger saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredEvent {
    pub event: EventId,
    pub feed: FeedName,
    pub kind: String,
    pub at: DateTime<Utc>,
    pub summary: String,
    /// The trigger's outputs.
    pub outputs: Value,
    pub resembles: Option<EventId>,
}

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    pub sha256: String,
    pub raw: Vec<u8>,
}

/// One line of a trigger's history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryEntry {
    pub at: DateTime<Utc>,
    pub feed: FeedName,
    /// The report in a few words.
    pub summary: String,
    /// The playbook it concerns; `None` when nothing listened.
    pub playbook: Option<String>,
    pub outcome: HistoryOutcome,
}

/// What became of a report, for one playbook.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum HistoryOutcome {
    Accepted {
        event: EventId,
        run: RunId,
    },
    Duplicate {
        event: EventId,
        run: Option<RunId>,
    },
    /// `by` had the run `of` repeated.
    Resubmitted {
        event: EventId,
        run: RunId,
        of: RunId,
        by: String,
    },
    Skipped {
        because: String,
    },
    Dead {
        letter: i64,
        because: String,
    },
}
