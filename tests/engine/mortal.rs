//! A store whose process dies at a chosen moment: from then on nothing it is asked ever returns.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::{DateTime, Utc};
use larum::{
    access::{StoredToken, TokenId},
    incident::{
        Activity, Alert, Comment, Document, DocumentKey, DocumentKind, Entity, Incident, IncidentRef, Rejected,
        Relation, ResourceName, Task, Write, Written,
    },
    playbook::Concurrency,
    store::{
        EventId, RunId, Store, StoreError, Version,
        incidents::{IncidentStore, Listing, Page, RelatedIncident, SearchHit, Settled, Settlement, WorkspaceEvent},
        intake::{Intake, Verdict},
        mailbox::{Burial, DeadLetter, Feed, FeedName, FeedNews, MailTask},
        query::{HistoryEntry, IncidentFilter, RunFilter, RunSummary, StoredEvent, StoredMessage},
        resubmission::{FamilyIncident, Resubmission, Resubmitted, Resumed},
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
    ($trait:ident { $($other:tt)* } $($operation:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl $trait for Mortal {
            $($other)*
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
    IncidentStore {
        fn listen(&self, listens: bool) {
            self.store.listen(listens);
        }

        fn time_writing(&self) -> std::time::Duration {
            self.store.time_writing()
        }

        async fn next_workspace_event(&self) {
            self.store.next_workspace_event().await;
        }
    }
    write(write: Write) -> Result<Written, Rejected>;
    find_incident(incident: &IncidentRef) -> Option<Incident>;
    list_incidents(listing: Listing) -> Page<Incident>;
    comments(incident: &IncidentRef, listing: Listing) -> Option<Page<Comment>>;
    comment(incident: &IncidentRef, name: &ResourceName) -> Option<Comment>;
    relations(incident: &IncidentRef, listing: Listing) -> Option<Page<Relation>>;
    relation(incident: &IncidentRef, name: &ResourceName) -> Option<Relation>;
    tasks(incident: &IncidentRef) -> Option<Vec<Task>>;
    task(incident: &IncidentRef, name: &ResourceName) -> Option<Task>;
    alerts_of(incident: &IncidentRef) -> Option<Vec<Alert>>;
    bookmarks_of(incident: &IncidentRef) -> Option<Vec<Document>>;
    entities_of(incident: &IncidentRef) -> Option<Vec<Entity>>;
    bookmark_relations(bookmark: &ResourceName) -> Vec<(ResourceName, Relation)>;
    incidents_of(related: &ResourceName) -> Vec<Incident>;
    alert(name: &ResourceName) -> Option<Alert>;
    alerts(listing: Listing) -> Page<Alert>;
    entity(name: uuid::Uuid) -> Option<Entity>;
    document(key: &DocumentKey) -> Option<Document>;
    documents(kind: DocumentKind, parent: Option<&ResourceName>) -> Vec<Document>;
    bookmarks(top: usize, after: Option<Vec<u8>>) -> Page<Document>;
    activity(incident: u64, after: Option<i64>, limit: usize) -> Vec<Activity>;
    search(query: &str, limit: usize) -> Vec<SearchHit>;
    related_incidents(incident: &IncidentRef, limit: usize) -> Vec<RelatedIncident>;
    index_portion() -> bool;
    workspace_events(limit: usize) -> Vec<WorkspaceEvent>;
    settle(settlement: Settlement) -> Option<Settled>;
    keep_token(token: StoredToken) -> bool;
    token(id: TokenId) -> Option<StoredToken>;
    tokens() -> Vec<StoredToken>;
    revoke_token(name: &str, at: DateTime<Utc>) -> bool;
}

through! {
    Store {}
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
    resubmit(wish: Resubmission) -> Resubmitted;
    resubmissions(run: RunId) -> Vec<RunId>;
    newest_resubmission(run: RunId, before: RunId) -> RunId;
    incident_of_family(run: RunId, tag: &str) -> Option<FamilyIncident>;
    resume(run: RunId, limit: Option<Concurrency>) -> Resumed;
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
    events(since: DateTime<Utc>, after: Option<EventId>, limit: usize) -> Vec<StoredEvent>;
    message(event: EventId) -> Option<StoredMessage>;
    history(feed: Option<&FeedName>, limit: usize) -> Vec<HistoryEntry>;
    feeds() -> Vec<Feed>;
}
