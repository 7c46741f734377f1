//! A store whose process dies at a chosen moment: from then on nothing it is asked ever returns.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::{DateTime, Utc};
use larum::{
    incident::Incident,
    store::{
        EventId, RunId, Store, StoreError, Version,
        intake::{Intake, Verdict},
        mailbox::{Burial, DeadLetter, Feed, FeedName, FeedNews, MailTask},
        query::{HistoryEntry, IncidentFilter, RunFilter, RunSummary, StoredEvent, StoredMessage},
        run::{Finish, OpenRun, Record, Recorded, RunState, Signal, SignalVerdict, StoredRun, Timer},
    },
};
use tokio::sync::Notify;

/// Before or after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// Where to die: at the `nth` call (from 0) of this operation.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    pub operation: &'static str,
    pub nth: usize,
    pub moment: Moment,
}

pub struct Mortal {
    store: Arc<dyn Store>,
    death: Death,
    calls: AtomicUsize,
    dead: AtomicBool,
    died: Notify,
}

impl Mortal {
    pub fn new(store: Arc<dyn Store>, death: Death) -> Arc<Self> {
        let (calls, dead) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { store, death, calls, dead, died: Notify::new() })
    }

    /// Returns once the process is dead.
    pub async fn died(&self) {
        self.died.notified().await;
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Counts the call; dies when it is the one.
    async fn before(&self, operation: &str) -> bool {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
        let this = operation == self.death.operation && self.calls.fetch_add(1, Ordering::SeqCst) == self.death.nth;
        if this && self.death.moment == Moment::Before {
            self.die().await;
        }
        this
    }

    async fn after(&self, this: bool) {
        if this || self.is_dead() {
            self.die().await;
        }
    }

    async fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
        std::future::pending::<()>().await;
    }
}

macro_rules! through {
    ($($operation:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl Store for Mortal {
            $(async fn $operation(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                let this = self.before(stringify!($operation)).await;
                let answer = self.store.$operation($($argument),*).await;
                self.after(this).await;
                answer
            })*
        }
    };
}

through! {
    keep_version(version: Version, at: DateTime<Utc>) -> ();
    version(id: &str) -> Option<Version>;
    current_versions() -> Vec<Version>;
    withdraw_playbook(playbook: &str, at: DateTime<Utc>) -> ();
    check_writable() -> ();
    accept(intake: Intake) -> Vec<Verdict>;
    feed(feed: &FeedName) -> Option<Feed>;
    note_feed(feed: &FeedName, news: FeedNews) -> ();
    mail_tasks(feed: &FeedName, limit: usize) -> Vec<MailTask>;
    mail_tasks_done(tasks: &[i64]) -> ();
    bury(burial: Burial) -> i64;
    dead_letters() -> Vec<DeadLetter>;
    dead_letter_raw(id: i64) -> Option<Vec<u8>>;
    retry_dead_letter(id: i64) -> ();
    forget_dead_letter(id: i64) -> ();
    dead_letters_to_retry(feed: &FeedName) -> Vec<DeadLetter>;
    load_run(run: RunId) -> Option<StoredRun>;
    open_runs(after: Option<RunId>, limit: usize) -> Vec<OpenRun>;
    record(record: Record) -> Recorded;
    promote(playbook: &str, runs: Option<u32>, at: DateTime<Utc>) -> Vec<RunId>;
    playbooks_waiting() -> Vec<String>;
    waiting_beyond(playbook: &str, keep: u32) -> Vec<RunId>;
    drop_waiting(run: RunId, error: serde_json::Value, parent: Option<RunId>, at: DateTime<Utc>) -> bool;
    finish(finish: Finish) -> Option<Incident>;
    signal(signal: Signal) -> SignalVerdict;
    signals(run: RunId) -> Vec<Signal>;
    run_state(run: RunId) -> Option<RunState>;
    due_timers(now: DateTime<Utc>, limit: usize) -> Vec<Timer>;
    next_timer() -> Option<DateTime<Utc>>;
    prune(before: DateTime<Utc>) -> u64;
    reserve_mail(message_id: &str, recipients: &[String], at: DateTime<Utc>, limit: u32) -> bool;
    incidents(filter: IncidentFilter) -> Vec<Incident>;
    incident(number: u64) -> Option<Incident>;
    incident_of_run(run: RunId) -> Option<u64>;
    runs(filter: RunFilter) -> Vec<RunSummary>;
    event(event: EventId) -> Option<StoredEvent>;
    message(event: EventId) -> Option<StoredMessage>;
    history(feed: Option<&FeedName>, limit: usize) -> Vec<HistoryEntry>;
    feeds() -> Vec<Feed>;
}
