//! Where things rest. The [`Store`] trait speaks in whole operations, each one transaction, so that no other room knows
//! SQL and a second database is one more folder.

pub mod incidents;
pub mod intake;
pub mod mailbox;
pub mod query;
pub mod resubmission;
pub mod run;
mod sqlite;

pub use sqlite::{OpenError, SqliteStore};

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{incident::Incident, playbook::Concurrency};
use intake::{Intake, Verdict};
use mailbox::{Burial, DeadLetter, Feed, FeedName, FeedNews, MailTask};
use query::{HistoryEntry, IncidentFilter, RunFilter, RunSummary, StoredEvent, StoredMessage};
use resubmission::{FamilyIncident, Resubmission, Resubmitted, Resumed};
use run::{Finish, OpenRun, Record, Recorded, RunState, Signal, SignalVerdict, StoredRun, Timer};

/// Names a run; version 7, so that ids sort by age.
pub type RunId = Uuid;
/// Names a stored event.
pub type EventId = Uuid;

/// What went wrong in the store, told apart by what the caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No room on the disk, or the database or its folder may not be written. Nothing was committed; try again later.
    #[error("the data folder cannot be written: {0}")]
    Unavailable(Arc<str>),
    /// The journal already holds an event at this place: another driver has the run.
    #[error("run {run} already has an event {seq} in its journal")]
    Conflict { run: RunId, seq: u64 },
    /// What was asked for does not exist.
    #[error("there is no {0}")]
    NotFound(String),
    /// A page was asked for with a continuation that does not belong to this list and order, or that is damaged.
    #[error("the continuation does not belong to this list and its order")]
    BadContinuation,
    /// A search for the words that begin with fewer than
    /// [`limits::SEARCH_BEGINNING_CHARS`](crate::limits::SEARCH_BEGINNING_CHARS) characters, as it was written.
    #[error(
        "'{written}' would find too much: a beginning has at least {} characters before its *",
        crate::limits::SEARCH_BEGINNING_CHARS
    )]
    ShortBeginning { written: String },
    /// A list or a search took longer than [`limits::QUESTION`](crate::limits::QUESTION) and was given up. Nothing was
    /// changed; a narrower one is quicker.
    #[error("the question took longer than {} s and was given up; ask for less, or more exactly", crate::limits::QUESTION.as_secs())]
    TooLong,
    /// Anything else: a damaged file, a bug.
    #[error("the database failed: {0}")]
    Failed(Arc<str>),
}

impl StoreError {
    /// Whether the same call may succeed later without anything being repaired by hand but room or rights. A question that
    /// took [too long](Self::TooLong) takes as long again.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// A version of a playbook: everything that decides what it does, under its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Hex SHA-256 of the rest.
    pub id: String,
    /// The playbook's name.
    pub playbook: String,
    /// The file it was read from, as the author knows it.
    pub path: String,
    /// The playbook's source, its reached templates and its plain parameter values, as `playbook::Bundle` serialises them.
    pub bundle: String,
}

/// The durable state of Larum. Every operation is one transaction that is on disk when it returns.
#[async_trait::async_trait]
pub trait Store: incidents::IncidentStore {
    // --- playbook versions ---

    /// Keeps a version and makes it its playbook's current one.
    async fn keep_version(&self, version: Version, at: DateTime<Utc>) -> Result<(), StoreError>;
    /// A version by its hash.
    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError>;
    /// The last good version of every playbook that was ever loaded and not withdrawn.
    async fn current_versions(&self) -> Result<Vec<Version>, StoreError>;
    /// Marks a playbook as removed, so that no new run starts from its last version.
    async fn withdraw_playbook(&self, playbook: &str, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Commits something without meaning, to learn whether a report could be committed now; readiness asks.
    async fn check_writable(&self) -> Result<(), StoreError>;

    // --- intake: one door ---

    /// Takes a batch of reports: events, de-duplication keys, runs, history, mail tasks and the feed's cursor in one
    /// transaction. The verdicts come in the order of the reports.
    async fn accept(&self, intake: Intake) -> Result<Vec<Verdict>, StoreError>;
    /// A feed's cursor and liveness, `None` before the first contact (it may have failed to answer before that; see
    /// [`Store::feeds`]).
    async fn feed(&self, feed: &FeedName) -> Result<Option<Feed>, StoreError>;
    /// Notes that a mailbox was heard from, or why not; also a new UIDVALIDITY or the fixed start.
    async fn note_feed(&self, feed: &FeedName, news: FeedNews) -> Result<(), StoreError>;
    /// Flags and moves that are still to be done in a mailbox, oldest first.
    async fn mail_tasks(&self, feed: &FeedName, limit: usize) -> Result<Vec<MailTask>, StoreError>;
    /// Forgets tasks the server confirmed.
    async fn mail_tasks_done(&self, tasks: &[i64]) -> Result<(), StoreError>;
    /// Puts a mail that cannot be taken into the dead-letter box and moves the cursor past it, in one transaction.
    async fn bury(&self, burial: Burial) -> Result<i64, StoreError>;
    /// The dead letters, newest first.
    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError>;
    /// A dead letter's raw mail (or headers).
    async fn dead_letter_raw(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError>;
    /// Asks that a dead letter be tried again by its mailbox's reader.
    async fn retry_dead_letter(&self, id: i64) -> Result<(), StoreError>;
    /// Forgets a dead letter whose mail was taken after all. Burying it again instead ends the retry too.
    async fn forget_dead_letter(&self, id: i64) -> Result<(), StoreError>;
    /// Dead letters of a feed that somebody asked to try again.
    async fn dead_letters_to_retry(&self, feed: &FeedName) -> Result<Vec<DeadLetter>, StoreError>;

    // --- runs ---

    /// Everything needed to drive a run: where it came from and its whole journal.
    async fn load_run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError>;
    /// Runs that began and have not ended and are not suspended, oldest first; `after` continues a listing.
    async fn open_runs(&self, after: Option<RunId>, limit: usize) -> Result<Vec<OpenRun>, StoreError>;
    /// Appends to a run's journal, with the local effect and timer changes that belong to it, in one transaction.
    /// Returns the events as they were stored, in order.
    async fn record(&self, record: Record) -> Result<Recorded, StoreError>;
    /// Lets waiting runs of a playbook begin, oldest first, as far as `runs` leaves room beside those that run (`None`: all).
    /// A run is returned once; whoever gets it drives it, and after a crash it is among the open ones.
    async fn promote(&self, playbook: &str, runs: Option<u32>, at: DateTime<Utc>) -> Result<Vec<RunId>, StoreError>;
    /// The waiting runs of a playbook, save the `keep` youngest, oldest first.
    async fn waiting_beyond(&self, playbook: &str, keep: u32) -> Result<Vec<RunId>, StoreError>;
    /// Ends a run as cancelled if it still waits for room, and wakes the run that started it; `false` when it does not.
    async fn drop_waiting(
        &self,
        run: RunId,
        error: Value,
        parent: Option<RunId>,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError>;
    /// The playbooks of which runs wait.
    async fn playbooks_waiting(&self) -> Result<Vec<String>, StoreError>;
    /// Ends a run (or suspends it), with its action records and, for a report that came to nothing, the fallback incident.
    async fn finish(&self, finish: Finish) -> Result<Option<Incident>, StoreError>;
    /// Keeps an answer from outside for a step that waits for one: the first one counts. A run that left memory is no
    /// longer one that only waits, so that recovery finds it.
    async fn signal(&self, signal: Signal) -> Result<SignalVerdict, StoreError>;
    /// The answers a run was given.
    async fn signals(&self, run: RunId) -> Result<Vec<Signal>, StoreError>;
    /// How far a run is and what it answered its caller.
    async fn run_state(&self, run: RunId) -> Result<Option<RunState>, StoreError>;
    /// Opens a run that repeats one that has ended, with what is kept of it, and notes in the trigger's history who asked.
    async fn resubmit(&self, wish: Resubmission) -> Result<Resubmitted, StoreError>;
    /// The runs that repeat this one, oldest first.
    async fn resubmissions(&self, run: RunId) -> Result<Vec<RunId>, StoreError>;
    /// The youngest among a run, the one it repeats, and all that repeat the same, of those older than `before`.
    async fn newest_resubmission(&self, run: RunId, before: RunId) -> Result<RunId, StoreError>;
    /// An incident that came of the same report by another run than this one: one it repeats, or one that repeats the
    /// same. The oldest with this tag, and where none has it the oldest of all.
    async fn incident_of_family(&self, run: RunId, tag: &str) -> Result<Option<FamilyIncident>, StoreError>;
    /// Lets a suspended run be driven again, its journal and what its trigger made of the report unchanged, where the
    /// playbook's `limit` leaves room.
    async fn resume(&self, run: RunId, limit: Option<Concurrency>) -> Result<Resumed, StoreError>;
    /// Timers that are due, soonest first.
    async fn due_timers(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Timer>, StoreError>;
    /// When the next timer is due.
    async fn next_timer(&self) -> Result<Option<DateTime<Utc>>, StoreError>;
    /// Deletes runs that ended before `before`, with their journals, history older than that, and events and blobs that
    /// nothing refers to. Keys, incidents and the events incidents name stay. Returns how many runs went.
    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError>;

    // --- outgoing mail ---

    /// Reserves the right to send an automatic mail: `false` when a recipient already got `limit` within the hour. A
    /// repeated call with the same Message-ID answers as the first did and counts once.
    async fn reserve_mail(
        &self,
        message_id: &str,
        recipients: &[String],
        at: DateTime<Utc>,
        limit: u32,
    ) -> Result<bool, StoreError>;

    // --- questions ---

    /// Incidents, newest first.
    async fn incidents(&self, filter: IncidentFilter) -> Result<Vec<Incident>, StoreError>;
    /// One incident by its number.
    async fn incident(&self, number: u64) -> Result<Option<Incident>, StoreError>;
    /// The number of the incident that a run made, if it made one.
    async fn incident_of_run(&self, run: RunId) -> Result<Option<u64>, StoreError>;
    /// Runs, newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>, StoreError>;
    /// A stored event: what a trigger saw.
    async fn event(&self, event: EventId) -> Result<Option<StoredEvent>, StoreError>;
    /// Stored events from `since` on, oldest first; `after` continues a listing.
    async fn events(
        &self,
        since: DateTime<Utc>,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError>;
    /// The raw message an event arrived as.
    async fn message(&self, event: EventId) -> Result<Option<StoredMessage>, StoreError>;
    /// What a trigger accepted, found a duplicate or skipped, newest first.
    async fn history(&self, feed: Option<&FeedName>, limit: usize) -> Result<Vec<HistoryEntry>, StoreError>;
    /// Every mailbox Larum has a record of.
    async fn feeds(&self) -> Result<Vec<Feed>, StoreError>;

    /// Waits until everything begun is committed and lets the files go; nothing may be asked afterwards. A store that
    /// holds no files has nothing to do.
    async fn close(&self) {}
}
