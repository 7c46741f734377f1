//! What goes through the intake door, and what comes back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    EventId, RunId,
    mailbox::{Cursor, FeedName, NewMailTask},
};
use crate::playbook::Concurrency;

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

impl Listening {
    /// The runs it opens.
    pub fn runs(&self) -> impl Iterator<Item = &NewRun> {
        let opening = if let Decision::Start(opening) = &self.decision { Some(opening) } else { None };
        opening.into_iter().flat_map(|opening| &opening.runs)
    }

    /// Why the playbook can make nothing of the report, `{code, message}`: its run will end failed with it. A caller who
    /// can mend the report is told instead, and nothing is committed.
    #[must_use]
    pub fn fault(&self) -> Option<&Value> {
        self.runs().find_map(|new| if let Delivery::Fault(error) = &new.delivery { Some(error) } else { None })
    }
}

/// Whether a playbook takes a report.
#[derive(Debug, Clone)]
pub enum Decision {
    Start(Opening),
    Skip { because: String },
}

impl Decision {
    /// One run for the whole report, at once.
    #[must_use]
    pub fn start(run: RunId, version: impl Into<String>, seed: [u8; 32]) -> Self {
        let runs = vec![NewRun { run, seed, delivery: Delivery::Whole }];
        Self::Start(Opening { version: version.into(), runs, limit: None })
    }
}

/// The runs that a report opens for one playbook, all or none.
#[derive(Debug, Clone)]
pub struct Opening {
    pub version: String,
    /// In the order they begin in.
    pub runs: Vec<NewRun>,
    /// Which of them begin now, which wait, and whether there is room at all.
    pub limit: Option<Concurrency>,
}

/// A run that a report opens.
#[derive(Debug, Clone)]
pub struct NewRun {
    pub run: RunId,
    pub seed: [u8; 32],
    pub delivery: Delivery,
}

/// What a run is given of its report.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// The report's outputs.
    Whole,
    /// Outputs of its own as JSON text: an element of the report.
    Part(Arc<str>),
    /// The playbook cannot make anything of the report: the run ends failed with this error, `{code, message}`.
    Fault(Value),
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
    /// Committed; these runs were opened. `resembles` names an event with the same Message-ID and other content.
    Accepted { event: EventId, runs: Vec<StartedRun>, resembles: Option<EventId> },
    /// Seen before; `run` is the first run that came of it.
    Duplicate { event: EventId, run: Option<RunId> },
    /// Committed to the history only, with the reasons.
    Skipped { because: String },
    /// As many runs as may be wait already: committed to the history only. Its keys are not kept, so that the same report
    /// may come again.
    Busy { because: String },
}

/// A run that the door opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StartedRun {
    pub run: RunId,
    /// It begins when there is room for it; [`super::Store::promote`] says when.
    pub waiting: bool,
    pub playbook: String,
    pub version: String,
}
