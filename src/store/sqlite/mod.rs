//! The store over SQLite: one writer that commits together what waits, readers of their own, large bodies as files.

mod bell;
mod blobs;
mod codec;
mod concurrency;
mod connection;
mod error;
mod events;
mod functions;
mod history;
mod incidents;
mod intake;
mod mailbox;
mod memo;
mod outgoing;
mod outside;
mod prune;
mod reader;
mod resubmission;
mod runs;
mod tokens;
mod versions;
mod workspace;
mod writer;

use std::{path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use serde_json::Value;

use super::{
    EventId, RunId, Store, StoreError, Version,
    intake::{Intake, Verdict},
    mailbox::{Burial, DeadLetter, Feed, FeedName, FeedNews, MailTask},
    query::{HistoryEntry, IncidentFilter, RunFilter, RunSummary, StoredEvent, StoredMessage},
    resubmission::{FamilyIncident, Resubmission, Resubmitted, Resumed},
    run::{Finish, OpenRun, Record, Recorded, RunState, Signal, SignalVerdict, StoredRun, Timer},
};
use crate::{incident::Incident, limits, playbook::Concurrency};
use bell::Bell;
use blobs::Blobs;
use codec::Dense;
pub use connection::OpenError;
use reader::Readers;
use writer::{Writer, Writing};

/// A [`Store`] in a data folder: `larum.db`, `blobs/`, and `lock` while a process writes.
pub struct SqliteStore {
    blobs: Arc<Blobs>,
    readers: Readers,
    /// `None` when it was opened to read only.
    writer: Option<Writer>,
    bell: Arc<Bell>,
}

impl SqliteStore {
    /// Opens a data folder to read and write: takes its lock, brings the schema up to date, starts the writer. The
    /// folder must exist. A crash before is recovered from here.
    ///
    /// # Errors
    /// When the folder is missing or another process holds it, or the database cannot be opened or brought up to date.
    pub fn open(data: &Path) -> Result<Arc<Self>, OpenError> {
        let lock = connection::lock(data)?;
        let path = connection::database(data);
        let failed = |source| OpenError::Database { path: path.clone(), source };
        let mut connection = connection::writer(&path).map_err(failed)?;
        connection::migrate(&mut connection, &path)?;
        let bell = Arc::new(Bell::default());
        let writer = Writer::start(connection, path.clone(), lock, Arc::clone(&bell))
            .map_err(|source| OpenError::File { path: path.clone(), source })?;
        Ok(Arc::new(Self { blobs: Blobs::open(data), readers: Readers::new(path), writer: Some(writer), bell }))
    }

    /// Opens a data folder to read only, beside a running server or without one. Operations that write fail.
    ///
    /// # Errors
    /// When there is no database, or it is of another version of larum.
    pub fn open_read_only(data: &Path) -> Result<Arc<Self>, OpenError> {
        if !data.is_dir() {
            return Err(OpenError::NoFolder(data.to_owned()));
        }
        let path = connection::database(data);
        if !path.exists() {
            return Err(OpenError::NoDatabase(data.to_owned()));
        }
        let connection =
            connection::reader(&path).map_err(|source| OpenError::Database { path: path.clone(), source })?;
        connection::check_version(&connection, &path)?;
        let (blobs, readers) = (Blobs::beside(data), Readers::new(path));
        Ok(Arc::new(Self { blobs, readers, writer: None, bell: Arc::default() }))
    }

    /// Commits what waits, moves the write-ahead log into the database and gives the folder free. Blocks while it does.
    /// Later operations that write fail.
    pub fn close(&self) {
        self.readers.close();
        if let Some(writer) = &self.writer {
            writer.stop();
        }
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.writer()?.run(true, work).await
    }

    /// Writes what [checks everything before it changes anything](Writer::run).
    async fn write_checked<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.writer()?.run(false, work).await
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        self.writer.as_ref().ok_or_else(|| StoreError::Failed("the data folder was opened to read only".into()))
    }

    async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.readers.ask(question).await
    }

    /// Asks for a list or a search, [within a time](Readers::ask_within).
    async fn look<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.readers.ask_within(limits::QUESTION, question).await
    }

    /// Asks a question that may need a large body.
    async fn ask_bodies<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection, &Blobs) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let blobs = Arc::clone(&self.blobs);
        self.ask(move |connection| question(connection, &blobs)).await
    }

    /// Writes the large bodies of a batch.
    async fn pack_intake(&self, mut intake: Intake) -> Result<(Intake, Vec<intake::Packed>), StoreError> {
        if intake::is_heavy(&intake) {
            return self.pack(move |blobs| intake::pack(&mut intake, blobs).map(|reports| (intake, reports))).await;
        }
        let reports = intake::pack(&mut intake, &self.blobs)?;
        Ok((intake, reports))
    }

    /// Does what blocks on the disk away from the async threads.
    async fn pack<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Arc<Blobs>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let blobs = Arc::clone(&self.blobs);
        let packed = tokio::task::spawn_blocking(move || work(&blobs)).await;
        packed.map_err(|error| StoreError::Failed(error.to_string().into()))?
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn keep_version(&self, version: Version, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(move |writing| versions::keep(writing, &version, at)).await
    }

    async fn version(&self, id: &str) -> Result<Option<Version>, StoreError> {
        let id = id.to_owned();
        self.ask(move |connection| versions::get(connection, &id)).await
    }

    async fn current_versions(&self) -> Result<Vec<Version>, StoreError> {
        self.ask(versions::current).await
    }

    async fn withdraw_playbook(&self, playbook: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        let playbook = playbook.to_owned();
        self.write(move |writing| versions::withdraw(writing, &playbook, at)).await
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        // Rewriting a row as it is goes through the write-ahead log and its sync like any other change.
        let rewrite = "UPDATE counter SET value = value";
        self.write(move |writing| Ok(writing.connection.execute(rewrite, []).map(drop)?)).await
    }

    async fn accept(&self, intake: Intake) -> Result<Vec<Verdict>, StoreError> {
        let (intake, reports) = self.pack_intake(intake).await?;
        // The reports come back with the verdicts, so that their files stay pinned until the commit.
        let work = move |writing: &mut Writing<'_>| Ok((intake::accept(writing, &intake, &reports)?, reports));
        self.write_checked(work).await.map(|(verdicts, _)| verdicts)
    }

    async fn feed(&self, feed: &FeedName) -> Result<Option<Feed>, StoreError> {
        let feed = feed.clone();
        self.ask(move |connection| mailbox::get(connection, &feed)).await
    }

    async fn note_feed(&self, feed: &FeedName, news: FeedNews) -> Result<(), StoreError> {
        let feed = feed.clone();
        self.write(move |writing| mailbox::note(writing, &feed, &news)).await
    }

    async fn mail_tasks(&self, feed: &FeedName, limit: usize) -> Result<Vec<MailTask>, StoreError> {
        let feed = feed.clone();
        self.ask(move |connection| mailbox::tasks(connection, &feed, limit)).await
    }

    async fn mail_tasks_done(&self, tasks: &[i64]) -> Result<(), StoreError> {
        let tasks = tasks.to_vec();
        self.write(move |writing| mailbox::tasks_done(writing, &tasks)).await
    }

    async fn bury(&self, mut burial: Burial) -> Result<i64, StoreError> {
        let raw = std::mem::take(&mut burial.raw);
        let raw = self.pack(move |blobs| blobs.pack([raw])).await?;
        let work = move |writing: &mut Writing<'_>| {
            let [parcel] = raw.as_slice() else { return Err(StoreError::Failed("a burial is one mail".into())) };
            Ok((mailbox::bury(writing, &burial, parcel)?, raw))
        };
        self.write(work).await.map(|(letter, _)| letter)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        self.ask(|connection| mailbox::dead_letters(connection, None)).await
    }

    async fn dead_letter_raw(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask_bodies(move |connection, blobs| mailbox::dead_letter_raw(connection, blobs, id)).await
    }

    async fn retry_dead_letter(&self, id: i64) -> Result<(), StoreError> {
        self.write(move |writing| mailbox::retry(writing, id)).await
    }

    async fn forget_dead_letter(&self, id: i64) -> Result<(), StoreError> {
        self.write(move |writing| mailbox::forget(writing, id)).await
    }

    async fn dead_letters_to_retry(&self, feed: &FeedName) -> Result<Vec<DeadLetter>, StoreError> {
        let feed = feed.clone();
        self.ask(move |connection| mailbox::dead_letters(connection, Some(&feed))).await
    }

    async fn load_run(&self, run: RunId) -> Result<Option<StoredRun>, StoreError> {
        self.ask_bodies(move |connection, blobs| runs::load(connection, blobs, run)).await
    }

    async fn open_runs(&self, after: Option<RunId>, limit: usize) -> Result<Vec<OpenRun>, StoreError> {
        self.ask(move |connection| runs::open(connection, after, limit)).await
    }

    async fn record(&self, record: Record) -> Result<Recorded, StoreError> {
        let (record, large) = if record.events.iter().any(|event| blobs::is_large(event.len())) {
            self.pack(move |blobs| runs::pack(&record, blobs).map(|large| (record, large))).await?
        } else {
            (record, Vec::new())
        };
        // Compressed here, because the writer is the one thing that everybody waits for.
        let dense = runs::dense(&record);
        let work = move |writing: &mut Writing<'_>| Ok((runs::record(writing, record, dense.as_ref(), &large)?, large));
        self.write_checked(work).await.map(|(recorded, _)| recorded)
    }

    async fn finish(&self, finish: Finish) -> Result<Option<Incident>, StoreError> {
        let actions = Dense::of(&finish.actions);
        self.write_checked(move |writing| runs::finish(writing, finish, &actions)).await
    }

    async fn promote(&self, playbook: &str, runs: Option<u32>, at: DateTime<Utc>) -> Result<Vec<RunId>, StoreError> {
        let playbook = playbook.to_owned();
        self.write(move |writing| concurrency::promote(writing, &playbook, runs, at)).await
    }

    async fn waiting_beyond(&self, playbook: &str, keep: u32) -> Result<Vec<RunId>, StoreError> {
        let playbook = playbook.to_owned();
        self.ask(move |connection| concurrency::waiting_beyond(connection, &playbook, keep)).await
    }

    async fn drop_waiting(
        &self,
        run: RunId,
        error: Value,
        parent: Option<RunId>,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.write(move |writing| concurrency::drop_waiting(writing, run, &error, parent, at)).await
    }

    async fn playbooks_waiting(&self) -> Result<Vec<String>, StoreError> {
        self.ask(concurrency::playbooks_waiting).await
    }

    async fn signal(&self, signal: Signal) -> Result<SignalVerdict, StoreError> {
        self.write(move |writing| outside::signal(writing, &signal)).await
    }

    async fn signals(&self, run: RunId) -> Result<Vec<Signal>, StoreError> {
        self.ask(move |connection| outside::signals(connection, run)).await
    }

    async fn run_state(&self, run: RunId) -> Result<Option<RunState>, StoreError> {
        self.ask(move |connection| outside::state(connection, run)).await
    }

    async fn resubmit(&self, wish: Resubmission) -> Result<Resubmitted, StoreError> {
        let kept = resubmission::dense(&wish.origin.kept);
        self.write(move |writing| resubmission::open(writing, &wish, kept.as_ref())).await
    }

    async fn resubmissions(&self, run: RunId) -> Result<Vec<RunId>, StoreError> {
        self.ask(move |connection| resubmission::of(connection, run)).await
    }

    async fn newest_resubmission(&self, run: RunId, before: RunId) -> Result<RunId, StoreError> {
        self.ask(move |connection| resubmission::newest(connection, run, before)).await
    }

    async fn incident_of_family(&self, run: RunId, tag: &str) -> Result<Option<FamilyIncident>, StoreError> {
        let tag = tag.to_owned();
        self.ask(move |connection| resubmission::incident(connection, run, &tag)).await
    }

    async fn resume(&self, run: RunId, limit: Option<Concurrency>) -> Result<Resumed, StoreError> {
        self.write(move |writing| resubmission::resume(writing, run, limit)).await
    }

    async fn due_timers(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<Timer>, StoreError> {
        self.ask(move |connection| runs::due(connection, now, limit)).await
    }

    async fn next_timer(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.ask(runs::next_timer).await
    }

    async fn prune(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let (mut gone, mut next) = (0, Some(RunId::nil()));
        while let Some(after) = next {
            let portion = self.ask(move |connection| prune::portion(connection, before, after)).await?;
            next = portion.after;
            gone += self.write(move |writing| prune::delete(writing, &portion.old)).await?;
        }
        while self.write(move |writing| prune::delete_lines(writing, before)).await? {}
        self.ask_bodies(|connection, blobs| blobs.sweep(connection)).await?;
        Ok(gone)
    }

    async fn reserve_mail(
        &self,
        message_id: &str,
        recipients: &[String],
        at: DateTime<Utc>,
        limit: u32,
    ) -> Result<bool, StoreError> {
        let (message_id, recipients) = (message_id.to_owned(), recipients.to_vec());
        self.write(move |writing| outgoing::reserve(writing, &message_id, &recipients, at, limit)).await
    }

    async fn incidents(&self, filter: IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        self.look(move |connection| workspace::queue(connection, &filter)).await
    }

    async fn incident(&self, number: u64) -> Result<Option<Incident>, StoreError> {
        self.ask(move |connection| incidents::get(connection, number)).await
    }

    async fn incident_of_run(&self, run: RunId) -> Result<Option<u64>, StoreError> {
        self.ask(move |connection| incidents::of_run(connection, run)).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.ask(move |connection| runs::list(connection, &filter)).await
    }

    async fn event(&self, event: EventId) -> Result<Option<StoredEvent>, StoreError> {
        self.ask_bodies(move |connection, blobs| events::get(connection, blobs, event)).await
    }

    async fn events(
        &self,
        since: DateTime<Utc>,
        after: Option<EventId>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.ask_bodies(move |connection, blobs| events::since(connection, blobs, since, after, limit)).await
    }

    async fn message(&self, event: EventId) -> Result<Option<StoredMessage>, StoreError> {
        self.ask_bodies(move |connection, blobs| events::message(connection, blobs, event)).await
    }

    async fn history(&self, feed: Option<&FeedName>, limit: usize) -> Result<Vec<HistoryEntry>, StoreError> {
        let feed = feed.cloned();
        self.ask(move |connection| history::list(connection, feed.as_ref(), limit)).await
    }

    async fn feeds(&self) -> Result<Vec<Feed>, StoreError> {
        self.ask(mailbox::list).await
    }

    async fn close(&self) {
        // Blocks while it checkpoints, which is all right at the very end.
        Self::close(self);
    }
}
