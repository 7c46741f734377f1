//! What goes through the intake door, and what comes back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    EventId, RunId,
    mailbox::{Cursor, FeedName, NewMailTask},
};

/// A batch of reports from one feed.
#[derive(Debug)]
pub struct Intake {
    /// Where they came from.
    pub feed: FeedName,
    pub reports: Vec<Report>,
    /// Where the feed goes on after this batch.
    pub cursor: Option<Cursor>,
    pub at: DateTime<Utc>,
}

/// One thing a trigger saw.
#[derive(Debug)]
pub struct Report {
    /// The event's id, should it prove new.
    pub event: EventId,
    /// Which trigger kind saw it: `mailbox`, `form`, `webhook`, `schedule`, `manual`.
    pub kind: &'static str,
    pub uniqueness: Uniqueness,
    /// The report in a few words, for the incident's provenance and for history: subject and Message-ID, form path.
    pub summary: String,
    /// What the trigger delivers, the trigger's outputs as JSON text.
    pub outputs: Arc<str>,
    /// The raw message, kept once.
    pub raw: Option<Vec<u8>>,
    /// One entry for each playbook that listens: start it, or say why not.
    pub playbooks: Vec<Listening>,
    /// Flags and moves to be done in the mailbox once this is committed.
    pub mail_tasks: Vec<NewMailTask>,
    /// Why nothing listens at all (our own mail, mails before the start); goes into the history.
    pub skipped: Option<String>,
}

/// What a playbook makes of a report before it runs.
#[derive(Debug, Clone)]
pub struct Listening {
    pub playbook: String,
    pub decision: Decision,
}

/// Whether a playbook takes a report.
#[derive(Debug, Clone)]
pub enum Decision {
    Start { run: RunId, version: String, seed: [u8; 32] },
    Skip { because: String },
}

/// What makes a report the same as an earlier one from the same connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uniqueness {
    /// Same Message-ID and same content: a duplicate. Same Message-ID, other content: new, and marked.
    Mail { message_id: Option<String>, content_hash: String },
    /// A key the sender chose or the page carried.
    Key(String),
    /// Nothing makes it a duplicate.
    Always,
}

/// What became of one report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Committed; these runs start now. `resembles` names an event with the same Message-ID and other content.
    Accepted { event: EventId, runs: Vec<StartedRun>, resembles: Option<EventId> },
    /// Seen before; `run` is the first run that came of it.
    Duplicate { event: EventId, run: Option<RunId> },
    /// Committed to the history only, with the reasons.
    Skipped { because: String },
}

/// A run that the door opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StartedRun {
    pub run: RunId,
    pub playbook: String,
    pub version: String,
}
