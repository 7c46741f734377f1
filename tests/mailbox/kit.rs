//! A Larum whose mailboxes run, and what the tests ask of it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larum::{
    clock::SystemClock,
    config::{self, Connection, Start, Tls},
    diagnostic::Source,
    engine::{Engine, Library, Live},
    metrics::Metrics,
    playbook::{After, Filter, MailboxTrigger, Playbook, Trigger},
    secret::{SecretRef, Vault},
    store::{
        SqliteStore, Store, Version,
        mailbox::{Feed, FeedName},
        query::{HistoryEntry, RunFilter},
    },
    trigger::{
        intake::Door,
        mailbox::{Mailboxes, Timing},
    },
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How long anything that is not said to be quicker may take.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Short waits, so that a fault is noticed and got over within a test.
pub const QUICK: Timing = Timing {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(2),
    idle: Duration::from_secs(2),
    backoff_first: Duration::from_millis(100),
    backoff_most: Duration::from_secs(1),
};

/// The parts of Larum that a mailbox needs, in a runtime of their own, so that they can be killed between any two steps.
pub struct Larum {
    pub store: Arc<SqliteStore>,
    pub library: Library,
    pub metrics: Metrics,
    pub vault: Vault,
    began: Arc<AtomicUsize>,
    stop: CancellationToken,
    runtime: Option<tokio::runtime::Runtime>,
    mailboxes: tokio::task::JoinHandle<()>,
}

impl Larum {
    /// Starts on a data folder, with one playbook for each trigger, named `p0`, `p1`, ….
    pub async fn start(data: &Path, connections: &[(&str, Connection)], triggers: Vec<MailboxTrigger>) -> Self {
        Self::start_with(data, connections, triggers, QUICK).await
    }

    pub async fn start_with(
        data: &Path,
        connections: &[(&str, Connection)],
        triggers: Vec<MailboxTrigger>,
        timing: Timing,
    ) -> Self {
        let store = SqliteStore::open(data).unwrap();
        let (engine, mut arriving) = Engine::channel();
        let door =
            Arc::new(Door { store: store.clone(), engine, library: Library::default(), clock: Arc::new(SystemClock) });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let began = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&began);
        runtime.spawn(async move {
            while arriving.recv().await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (library, metrics) = (door.library.clone(), Metrics::default());
        let (stop, vault) = (CancellationToken::new(), Vault::ephemeral("test"));
        let mailboxes = Mailboxes {
            door,
            connections: connections
                .iter()
                .map(|(name, it)| ((*name).to_owned(), it.clone()))
                .collect::<BTreeMap<_, _>>(),
            data: data.to_owned(),
            vault: vault.clone(),
            metrics: metrics.clone(),
            timing,
            retries_left: AtomicBool::new(true),
        };
        let mailboxes = runtime.spawn(mailboxes.run(stop.clone()));
        let larum = Self { store, library, metrics, vault, began, stop, runtime: Some(runtime), mailboxes };
        larum.listen(triggers).await;
        larum
    }

    /// Puts these playbooks in force.
    pub async fn listen(&self, triggers: Vec<MailboxTrigger>) {
        let mut live = Vec::new();
        for (at, trigger) in triggers.into_iter().enumerate() {
            let name = format!("p{at}");
            let version =
                Version { id: format!("{name}-1"), playbook: name.clone(), path: String::new(), bundle: String::new() };
            self.store.keep_version(version.clone(), chrono::Utc::now()).await.unwrap();
            live.push(Live { version: version.id, playbook: Arc::new(playbook(&name, trigger)) });
        }
        self.library.set(live);
    }

    /// Stops in good order.
    pub async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.mailboxes).await.unwrap();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.store.close();
    }

    /// Drops everything where it stands, then closes the store.
    pub fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        self.store.close();
    }

    /// What is known of a mailbox that was met.
    pub async fn feed(&self, connection: &str, folder: &str) -> Option<Feed> {
        self.store.feed(&name(connection, folder)).await.unwrap()
    }

    /// What is known of a mailbox, even if it never answered.
    pub async fn any_feed(&self, connection: &str) -> Option<Feed> {
        self.store.feeds().await.unwrap().into_iter().find(|feed| feed.name.connection == connection)
    }

    pub async fn accepted(&self, connection: &str) -> u64 {
        self.feed(connection, "INBOX").await.map_or(0, |feed| feed.accepted)
    }

    /// Waits until the INBOX of a connection has brought so many reports, and makes sure that no more come with them.
    pub async fn await_accepted(&self, connection: &str, count: u64) {
        within(DEADLINE, &format!("{count} reports are accepted"), async || self.accepted(connection).await >= count)
            .await;
        assert_eq!(self.accepted(connection).await, count);
    }

    pub async fn await_met(&self, connection: &str) {
        within(DEADLINE, "the mailbox is met", async || self.feed(connection, "INBOX").await.is_some()).await;
    }

    /// The history, oldest first.
    pub async fn history(&self) -> Vec<HistoryEntry> {
        let mut history = self.store.history(None, 100_000).await.unwrap();
        history.reverse();
        history
    }

    /// How many runs there are.
    pub async fn runs(&self) -> usize {
        self.store.runs(RunFilter { limit: 1_000_000, ..RunFilter::default() }).await.unwrap().len()
    }

    /// How many runs were handed to the engine.
    pub fn began(&self) -> usize {
        self.began.load(Ordering::SeqCst)
    }

    /// A metric's line, as `/metrics` has it.
    pub fn metric(&self, start: &str) -> Option<String> {
        let text = self.metrics.encode().unwrap();
        text.lines().find(|line| line.starts_with(start)).map(str::to_owned)
    }
}

impl Drop for Larum {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub fn name(connection: &str, folder: &str) -> FeedName {
    FeedName { connection: connection.into(), folder: folder.into() }
}

/// A mailbox trigger on the INBOX of a connection; `None` is the embedded maildir.
pub fn on(connection: Option<&str>) -> MailboxTrigger {
    MailboxTrigger {
        connection: connection.map(str::to_owned),
        folder: "INBOX".to_owned(),
        every: Duration::from_secs(1),
        filter: Filter::default(),
        after: After::default(),
    }
}

/// The same with something to do afterwards.
pub fn filing(connection: Option<&str>) -> MailboxTrigger {
    MailboxTrigger { after: After { mark_seen: true, move_to: Some("Filed".to_owned()) }, ..on(connection) }
}

/// An imap connection to this machine without TLS, the user `soc`.
pub fn imap(data: &Path, port: u16, start: Start) -> Connection {
    let password = data.join("password");
    std::fs::write(&password, "secret\n").unwrap();
    Connection::Imap(config::Imap {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::None,
        username: "soc".to_owned(),
        password: SecretRef::File(password),
        start,
        addresses: Vec::new(),
    })
}

/// A small mail with a Message-ID of its own.
pub fn mail(id: &str, subject: &str) -> Vec<u8> {
    mail_with_body(id, subject, "Somebody stood at the north door.\r\n")
}

pub fn mail_with_body(id: &str, subject: &str, body: &str) -> Vec<u8> {
    format!(
        "Return-Path: <ann@example.com>\r\nFrom: Ann <ann@example.com>\r\nTo: soc@larum.test\r\nSubject: {subject}\r\n\
         Date: Tue, 24 Nov 2026 09:05:00 +0000\r\nMessage-ID: <{id}@example.com>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{body}"
    )
    .into_bytes()
}

pub fn data() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Waits for something, but no longer than `deadline`.
pub async fn within(deadline: Duration, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + deadline;
    while !holds().await {
        assert!(Instant::now() < until, "within {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn playbook(name: &str, trigger: MailboxTrigger) -> Playbook {
    Playbook {
        name: name.to_owned(),
        description: None,
        source: Source::new(format!("{name}.yaml"), ""),
        parameters: Vec::new(),
        variables: Vec::new(),
        fallback: true,
        trigger: Trigger::Mailbox(trigger),
        actions: Vec::new(),
    }
}
