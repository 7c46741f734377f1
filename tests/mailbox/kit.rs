//! A Larum whose mailboxes run, and what the tests ask of it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use larum::{
    action::{ACTIONS, Services, http::HttpClients, vocabulary},
    clock::SystemClock,
    config::{self, Config, Connection, Start, Tls},
    engine::{Engine, Library, Live},
    mail::send::Mailer,
    metrics::Metrics,
    playbook::{self, After, Bundle, Filter, MailboxTrigger, Trigger},
    secret::{SecretRef, Vault},
    store::{
        SqliteStore, Store, Version,
        mailbox::{Feed, FeedName},
        query::{HistoryEntry, IncidentFilter, RunFilter},
    },
    trigger::{
        intake::Door,
        mailbox::{Mailboxes, Timing},
    },
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support;

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

/// Every mail becomes an incident.
pub const CREATE: &str = r#"
  - id: create
    action: create_incident
    with: {title: "{{trigger.subject}}", description: "{{trigger.text}}"}
"#;

/// The parts of Larum that turn mails into incidents, in a runtime of their own, so that they can be killed between any two steps.
pub struct Larum {
    pub store: Arc<SqliteStore>,
    pub library: Library,
    pub metrics: Metrics,
    pub vault: Vault,
    actions: String,
    stop: CancellationToken,
    runtime: Option<tokio::runtime::Runtime>,
    mailboxes: tokio::task::JoinHandle<()>,
}

impl Larum {
    /// Starts on a data folder, with one playbook for each trigger, named `p0`, `p1`, ….
    pub async fn start(data: &Path, connections: &[(&str, Connection)], triggers: Vec<MailboxTrigger>) -> Self {
        Self::start_with(data, connections, triggers, QUICK, CREATE).await
    }

    pub async fn start_with(
        data: &Path,
        connections: &[(&str, Connection)],
        triggers: Vec<MailboxTrigger>,
        timing: Timing,
        actions: &str,
    ) -> Self {
        let store = support::open_store(data);
        let connections: BTreeMap<String, Connection> =
            connections.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect();
        let (library, metrics) = (Library::default(), Metrics::default());
        let (stop, vault) = (CancellationToken::new(), Vault::ephemeral("test"));
        let config = Config { data: data.to_owned(), connections: connections.clone(), ..Config::default() };
        let services = Arc::new(Services {
            config: Arc::new(config),
            store: store.clone(),
            vault: vault.clone(),
            clock: Arc::new(SystemClock),
            metrics: metrics.clone(),
            http: HttpClients::default(),
            mailer: Mailer::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let engine = {
            let _inside = runtime.enter();
            Engine::start(services, library.clone(), ACTIONS)
        };
        let door = Door {
            store: store.clone(),
            engine: engine.clone(),
            library: library.clone(),
            clock: Arc::new(SystemClock),
        };
        let mailboxes = Mailboxes {
            door: Arc::new(door),
            connections,
            data: data.to_owned(),
            vault: vault.clone(),
            metrics: metrics.clone(),
            timing,
            retries_left: AtomicBool::new(true),
        };
        let (stopping, waiting) = (stop.clone(), library.clone());
        let mailboxes = runtime.spawn(async move {
            // As the wiring does: playbooks first, then what an earlier process left, then new mail.
            let mut playbooks = waiting.watch();
            while playbooks.borrow_and_update().is_empty() {
                playbooks.changed().await.unwrap();
            }
            engine.recover().await.unwrap();
            mailboxes.run(stopping).await;
            engine.drain().await;
        });
        let actions = actions.to_owned();
        let larum = Self { store, library, metrics, vault, actions, stop, runtime: Some(runtime), mailboxes };
        larum.listen(triggers).await;
        larum
    }

    /// Puts these playbooks in force.
    pub async fn listen(&self, triggers: Vec<MailboxTrigger>) {
        let mut live = Vec::new();
        for (at, trigger) in triggers.into_iter().enumerate() {
            let name = format!("p{at}");
            let bundle = Bundle {
                path: format!("{name}.yaml"),
                source: format!("name: {name}\ntrigger: {{mailbox: {{}}}}\nactions:{}", self.actions),
                templates: BTreeMap::new(),
                parameters: BTreeMap::new(),
            };
            let mut playbook = playbook::load(&bundle, &vocabulary()).unwrap();
            playbook.trigger = Trigger::Mailbox(trigger);
            let version = Version {
                id: bundle.version(),
                playbook: name,
                path: bundle.path.clone(),
                bundle: serde_json::to_string(&bundle).unwrap(),
            };
            live.push(Live { version: version.id.clone(), playbook: Arc::new(playbook) });
            self.store.keep_version(version, chrono::Utc::now()).await.unwrap();
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

    /// Waits until there are so many incidents, and makes sure that each came from a run of its own and that their numbers
    /// have neither gap nor repeat.
    pub async fn await_incidents(&self, count: usize) {
        let filter = || IncidentFilter { limit: 1_000_000, ..IncidentFilter::default() };
        within(DEADLINE, &format!("{count} incidents are there"), async || {
            self.store.incidents(filter()).await.unwrap().len() >= count
        })
        .await;
        let mut numbers: Vec<u64> =
            self.store.incidents(filter()).await.unwrap().iter().map(|incident| incident.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=count as u64).collect::<Vec<_>>());
        assert_eq!(self.runs().await, count);
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
