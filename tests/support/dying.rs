//! `dying FOLDER POINT COUNT`: Larum on the configuration in FOLDER that kills itself (SIGKILL) the COUNTth time it
//! reaches POINT, such as `before accept` or `after record`. A program of its own, because what is tested is a process that
//! is gone between two instructions; the product itself knows nothing of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, Utc};
use larum::{
    access::{StoredToken, TokenId},
    app::{App, Core},
    incident::{
        Activity, Alert, Comment, Document, DocumentKey, DocumentKind, Entity, Incident, IncidentRef, Rejected,
        Relation, ResourceName, Task, Write, Written,
    },
    playbook::Concurrency,
    store::{
        EventId, RunId, SqliteStore, Store, StoreError, Version,
        incidents::{IncidentStore, Listing, Page, RelatedIncident, SearchHit, Settled, Settlement, WorkspaceEvent},
        intake::{Intake, Verdict},
        mailbox::{Burial, DeadLetter, Feed, FeedName, FeedNews, MailTask},
        query::{HistoryEntry, IncidentFilter, RunFilter, RunSummary, StoredEvent, StoredMessage},
        resubmission::{FamilyIncident, Resubmission, Resubmitted, Resumed},
        run::{Finish, OpenRun, Record, Recorded, RunState, Signal, SignalVerdict, StoredRun, Timer},
    },
};

struct Dying {
    inner: Arc<dyn Store>,
    point: String,
    left: AtomicUsize,
}

impl Dying {
    /// The end, when `point` is reached for the last time.
    async fn dies(&self, point: &str) {
        if point == self.point && self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _ = std::process::Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            // Nothing may happen between the signal and its delivery.
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |what: &str| arguments.next().unwrap_or_else(|| panic!("{what} is missing"));
    let (folder, point, count) = (argument("FOLDER"), argument("POINT"), argument("COUNT"));
    std::env::set_current_dir(folder).expect("the folder exists");
    let config = larum::cli::configuration(Some("larum.yaml".as_ref())).expect("the configuration is good");
    std::fs::create_dir_all(&config.data).expect("the data folder can be made");
    let inner = SqliteStore::open(&config.data).expect("the data folder opens");
    let left = AtomicUsize::new(count.parse().expect("COUNT is a number"));
    let listener = tokio::net::TcpListener::bind(config.server.listen).await.expect("the address is free");
    let core = Core::over(config, Arc::new(Dying { inner, point, left })).expect("the core opens");
    let _app = App::start(core, listener, drop).await.expect("Larum starts");
    std::future::pending::<()>().await;
}

#[async_trait::async_trait]
impl IncidentStore for Dying {
    fn listen(&self, listens: bool) {
        self.inner.listen(listens);
    }

    async fn next_workspace_event(&self) {
        self.inner.next_workspace_event().await;
    }

    async fn write(&self, write: Write) -> Result<Result<Written, Rejected>, StoreError> {
        self.dies("before write").await;
        let done = self.inner.write(write).await;
        self.dies("after write").await;
        done
    }

    async fn find_incident(&self, incident: &IncidentRef) -> Result<Option<Incident>, StoreError> {
        self.inner.find_incident(incident).await
    }

    async fn list_incidents(&self, listing: Listing) -> Result<Page<Incident>, StoreError> {
        self.inner.list_incidents(listing).await
    }

    async fn comments(&self, incident: &IncidentRef, listing: Listing) -> Result<Option<Page<Comment>>, StoreError> {
        self.inner.comments(incident, listing).await
    }

    async fn comment(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Comment>, StoreError> {
        self.inner.comment(incident, name).await
    }

    async fn relations(&self, incident: &IncidentRef, listing: Listing) -> Result<Option<Page<Relation>>, StoreError> {
        self.inner.relations(incident, listing).await
    }

    async fn relation(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Relation>, StoreError> {
        self.inner.relation(incident, name).await
    }

    async fn tasks(&self, incident: &IncidentRef) -> Result<Option<Vec<Task>>, StoreError> {
        self.inner.tasks(incident).await
    }

    async fn task(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Task>, StoreError> {
        self.inner.task(incident, name).await
    }

    async fn alerts_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Alert>>, StoreError> {
        self.inner.alerts_of(incident).await
    }

    async fn bookmarks_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Document>>, StoreError> {
        self.inner.bookmarks_of(incident).await
    }

    async fn entities_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Entity>>, StoreError> {
        self.inner.entities_of(incident).await
    }

    async fn bookmark_relations(&self, bookmark: &ResourceName) -> Result<Vec<(ResourceName, Relation)>, StoreError> {
        self.inner.bookmark_relations(bookmark).await
    }

    async fn incidents_of(&self, related: &ResourceName) -> Result<Vec<Incident>, StoreError> {
        self.inner.incidents_of(related).await
    }

    async fn alert(&self, name: &ResourceName) -> Result<Option<Alert>, StoreError> {
        self.inner.alert(name).await
    }

    async fn alerts(&self, listing: Listing) -> Result<Page<Alert>, StoreError> {
        self.inner.alerts(listing).await
    }

    async fn entity(&self, name: uuid::Uuid) -> Result<Option<Entity>, StoreError> {
        self.inner.entity(name).await
    }

    async fn document(&self, key: &DocumentKey) -> Result<Option<Document>, StoreError> {
        self.inner.document(key).await
    }

    async fn documents(&self, kind: DocumentKind, parent: Option<&ResourceName>) -> Result<Vec<Document>, StoreError> {
        self.inner.documents(kind, parent).await
    }

    async fn bookmarks(&self, top: usize, after: Option<Vec<u8>>) -> Result<Page<Document>, StoreError> {
        self.inner.bookmarks(top, after).await
    }

    async fn activity(&self, incident: u64, after: Option<i64>, limit: usize) -> Result<Vec<Activity>, StoreError> {
        self.inner.activity(incident, after, limit).await
    }

    async fn search(&self, query: &str, limit: usize) -> Result<Vec<SearchHit>, StoreError> {
        self.inner.search(query, limit).await
    }

    async fn related_incidents(
        &self,
        incident: &IncidentRef,
        limit: usize,
    ) -> Result<Vec<RelatedIncident>, StoreError> {
        self.inner.related_incidents(incident, limit).await
    }

    async fn index_portion(&self) -> Result<bool, StoreError> {
        self.inner.index_portion().await
    }

    fn time_writing(&self) -> std::time::Duration {
        self.inner.time_writing()
    }

    async fn workspace_events(&self, limit: usize) -> Result<Vec<WorkspaceEvent>, StoreError> {
        self.inner.workspace_events(limit).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<Option<Settled>, StoreError> {
        self.dies("before settle").await;
        let done = self.inner.settle(settlement).await;
        self.dies("after settle").await;
        done
    }

    async fn keep_token(&self, token: StoredToken) -> Result<bool, StoreError> {
        self.dies("before keep_token").await;
        let done = self.inner.keep_token(token).await;
        self.dies("after keep_token").await;
        done
    }

    async fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError> {
        self.inner.token(id).await
    }

    async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.inner.tokens().await
    }

    async fn revoke_token(&self, name: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        self.inner.revoke_token(name, at).await
    }
}

#[async_trait::async_trait]
impl Store for Dying {
    async fn keep_version(&self, version: Version, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.inner.keep_version(version, at).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        self.inner.version(id).await
    }

    async fn current_versions(&self) -> Result<Vec<Version>, StoreError> {
        self.inner.current_versions().await
    }

    async fn withdraw_playbook(&self, playbook: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.inner.withdraw_playbook(playbook, at).await
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        self.inner.check_writable().await
    }

    async fn accept(&self, intake: Intake) -> Result<Vec<Verdict>, StoreError> {
        self.dies("before accept").await;
        let done = self.inner.accept(intake).await;
        self.dies("after accept").await;
        done
    }

    async fn feed(&self, feed: &FeedName) -> Result<Option<Feed>, StoreError> {
        self.inner.feed(feed).await
    }

    async fn note_feed(&self, feed: &FeedName, news: FeedNews) -> Result<(), StoreError> {
        self.inner.note_feed(feed, news).await
    }

    async fn mail_tasks(&self, feed: &FeedName, limit: usize) -> Result<Vec<MailTask>, StoreError> {
        self.dies("before mail_tasks").await;
        let done = self.inner.mail_tasks(feed, limit).await;
        self.dies("after mail_tasks").await;
        done
    }

    async fn mail_tasks_done(&self, tasks: &[i64]) -> Result<(), StoreError> {
        self.dies("before mail_tasks_done").await;
        let done = self.inner.mail_tasks_done(tasks).await;
        self.dies("after mail_tasks_done").await;
        done
    }

    async fn bury(&self, burial: Burial) -> Result<i64, StoreError> {
        self.inner.bury(burial).await
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters().await
    }

    async fn dead_letter_raw(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.dead_letter_raw(id).await
    }

    async fn retry_dead_letter(&self, id: i64) -> Result<(), StoreError> {
        self.inner.retry_dead_letter(id).await
    }

    async fn forget_dead_letter(&self, id: i64) -> Result<(), StoreError> {
        self.inner.forget_dead_letter(id).await
    }

    async fn dead_letters_to_retry(&self, feed: &FeedName) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters_to_retry(feed).await
    }

    async fn load_run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        self.inner.load_run(run).await
    }

    async fn open_runs(&self, after: Option<RunId>, limit: usize) -> Result<Vec<OpenRun>, StoreError> {
        self.inner.open_runs(after, limit).await
    }

    async fn record(&self, record: Record) -> Result<Recorded, StoreError> {
        self.dies("before record").await;
        let done = self.inner.record(record).await;
        self.dies("after record").await;
        done
    }

    async fn finish(&self, finish: Finish) -> Result<Option<Incident>, StoreError> {
        self.dies("before finish").await;
        let done = self.inner.finish(finish).await;
        self.dies("after finish").await;
        done
    }

    async fn promote(&self, playbook: &str, runs: Option<u32>, at: DateTime<Utc>) -> Result<Vec<RunId>, StoreError> {
        self.dies("before promote").await;
        let done = self.inner.promote(playbook, runs, at).await;
        self.dies("after promote").await;
        done
    }

    async fn waiting_beyond(&self, playbook: &str, keep: u32) -> Result<Vec<RunId>, StoreError> {
        self.inner.waiting_beyond(playbook, keep).await
    }

    async fn drop_waiting(
        &self,
        run: RunId,
        error: serde_json::Value,
        parent: Option<RunId>,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.inner.drop_waiting(run, error, parent, at).await
    }

    async fn playbooks_waiting(&self) -> Result<Vec<String>, StoreError> {
        self.inner.playbooks_waiting().await
    }

    async fn signal(&self, signal: Signal) -> Result<SignalVerdict, StoreError> {
        self.dies("before signal").await;
        let done = self.inner.signal(signal).await;
        self.dies("after signal").await;
        done
    }

    async fn signals(&self, run: RunId) -> Result<Vec<Signal>, StoreError> {
        self.inner.signals(run).await
    }

    async fn run_state(&self, run: RunId) -> Result<Option<RunState>, StoreError> {
        self.inner.run_state(run).await
    }

    async fn resubmit(&self, wish: Resubmission) -> Result<Resubmitted, StoreError> {
        self.dies("before resubmit").await;
        let done = self.inner.resubmit(wish).await;
        self.dies("after resubmit").await;
        done
    }

    async fn resubmissions(&self, run: RunId) -> Result<Vec<RunId>, StoreError> {
        self.inner.resubmissions(run).await
    }

    async fn newest_resubmission(&self, run: RunId, before: RunId) -> Result<RunId, StoreError> {
        self.inner.newest_resubmission(run, before).await
    }

    async fn incident_of_family(&self, run: RunId, tag: &str) -> Result<Option<FamilyIncident>, StoreError> {
        self.inner.incident_of_family(run, tag).await
    }

    async fn resume(&self, run: RunId, limit: Option<Concurrency>) -> Result<Resumed, StoreError> {
        self.dies("before resume").await;
        let done = self.inner.resume(run, limit).await;
        self.dies("after resume").await;
        done
    }

    async fn due_timers(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Timer>, StoreError> {
        self.inner.due_timers(now, limit).await
    }

    async fn next_timer(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.inner.next_timer().await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.inner.prune(before).await
    }

    async fn reserve_mail(
        &self,
        message_id: &str,
        recipients: &[String],
        at: DateTime<Utc>,
        limit: u32,
    ) -> Result<bool, StoreError> {
        self.dies("before reserve_mail").await;
        let done = self.inner.reserve_mail(message_id, recipients, at, limit).await;
        self.dies("after reserve_mail").await;
        done
    }

    async fn incidents(&self, filter: IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        self.inner.incidents(filter).await
    }

    async fn incident(&self, number: u64) -> Result<Option<Incident>, StoreError> {
        self.inner.incident(number).await
    }

    async fn incident_of_run(&self, run: RunId) -> Result<Option<u64>, StoreError> {
        self.inner.incident_of_run(run).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.inner.runs(filter).await
    }

    async fn event(&self, event: EventId) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.event(event).await
    }

    async fn events(
        &self,
        since: DateTime<Utc>,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.inner.events(since, after, limit).await
    }

    async fn message(&self, event: EventId) -> Result<Option<StoredMessage>, StoreError> {
        self.inner.message(event).await
    }

    async fn history(&self, feed: Option<&FeedName>, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        self.inner.history(feed, limit).await
    }

    async fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        self.inner.feeds().await
    }
}
