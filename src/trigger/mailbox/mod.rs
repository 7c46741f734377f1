//! Reports by mail: one reader for each mailbox a playbook listens to, each on its own, so that a fault in one never
//! reaches another.

mod dead;
mod fault;
mod imap;
mod liveness;
mod maildir;
mod peek;
pub mod probe;
mod reader;
mod report;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use dead::{RequestError, request_retry};
pub use fault::Fault;
pub use imap::ImapError;
pub use maildir::MaildirError;
pub use peek::{Peeked, peek};
pub use report::refused;

use self::{liveness::Liveness, reader::Reader};
use super::intake::Door;
use crate::{
    config::{Connection, Imap, Start},
    limits,
    metrics::Metrics,
    playbook::{MailboxTrigger, Trigger},
    secret::Vault,
    store::mailbox::FeedName,
};

/// What a mailbox trigger without `connection:` reads, in the log and in `larum mail status`.
pub const EMBEDDED: &str = "embedded";

/// The waits of a reader; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// For a connection to come about.
    pub connect: Duration,
    /// For one answer.
    pub answer: Duration,
    /// For how long one IDLE lasts.
    pub idle: Duration,
    /// Before the first new try after a fault.
    pub backoff_first: Duration,
    /// The longest such wait.
    pub backoff_most: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: limits::MAIL_CONNECT,
            answer: limits::MAIL_ANSWER,
            idle: limits::MAIL_IDLE,
            backoff_first: limits::MAIL_BACKOFF_FIRST,
            backoff_most: limits::MAIL_BACKOFF_MOST,
        }
    }
}

/// The mailboxes of all playbooks in force.
pub struct Mailboxes {
    pub door: Arc<Door>,
    /// Those of `larum.yaml`.
    pub connections: BTreeMap<String, Connection>,
    /// The data folder; the embedded maildir is in it.
    pub data: PathBuf,
    pub vault: Vault,
    pub metrics: Metrics,
    pub timing: Timing,
    /// Dead letters may be waiting to be tried again, from an earlier process or after a fault.
    pub retries_left: AtomicBool,
}

/// Where a mailbox trigger's mails come from.
#[must_use]
pub fn feed_name(trigger: &MailboxTrigger) -> FeedName {
    let connection = trigger.connection.clone().unwrap_or_else(|| EMBEDDED.to_owned());
    // RFC 3501 §5.1: INBOX is the one folder name that ignores case.
    let folder = if trigger.folder.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { trigger.folder.clone() };
    FeedName { connection, folder }
}

/// The embedded maildir of a data folder.
#[must_use]
pub fn embedded_maildir(data: &std::path::Path) -> PathBuf {
    data.join("maildir")
}

/// What a reader reads from.
#[derive(Clone)]
enum Source {
    Maildir { path: PathBuf, start: Start },
    Imap(Imap),
    Missing,
    WrongKind(&'static str),
}

/// A reader at work.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        if let Err(failed) = self.task.await {
            tracing::error!("a mailbox reader ended badly: {failed}");
        }
    }
}

impl Mailboxes {
    /// Reads until `stop`: starts and ends readers as playbooks come and go, and tries dead letters again when somebody
    /// asked for it. When this returns, every commit that was begun is done.
    pub async fn run(self, stop: CancellationToken) {
        let commits = TaskTracker::new();
        let mut library = self.door.library.watch();
        let mut readers: BTreeMap<FeedName, Running> = BTreeMap::new();
        loop {
            let wanted: BTreeSet<FeedName> = library
                .borrow_and_update()
                .iter()
                .filter_map(|live| match &live.playbook.trigger {
                    Trigger::Mailbox(trigger) => Some(feed_name(trigger)),
                    _ => None,
                })
                .collect();
            for gone in readers.keys().filter(|feed| !wanted.contains(*feed)).cloned().collect::<Vec<_>>() {
                if let Some(running) = readers.remove(&gone) {
                    tracing::info!(
                        connection = gone.connection,
                        folder = gone.folder,
                        "no playbook listens to mailbox"
                    );
                    running.end().await;
                }
            }
            for feed in wanted {
                if !readers.contains_key(&feed) {
                    readers.insert(feed.clone(), self.start(feed, &commits, &stop));
                }
            }
            tokio::select! {
                changed = library.changed() => if changed.is_err() { break },
                () = dead::retries(&self, &commits) => {}
                () = stop.cancelled() => break,
            }
        }
        for (_, running) in readers {
            running.end().await;
        }
        commits.close();
        commits.wait().await;
    }

    fn start(&self, feed: FeedName, commits: &TaskTracker, stop: &CancellationToken) -> Running {
        let source = match self.connections.get(&feed.connection) {
            Some(Connection::Maildir(maildir)) => Source::Maildir { path: maildir.path.clone(), start: maildir.start },
            Some(Connection::Imap(imap)) => Source::Imap(imap.clone()),
            Some(other) => Source::WrongKind(other.kind()),
            None if feed.connection == EMBEDDED => {
                Source::Maildir { path: embedded_maildir(&self.data), start: Start::All }
            }
            None => Source::Missing,
        };
        let stop = stop.child_token();
        let reader = Arc::new(self.reader(feed, commits));
        Running { stop: stop.clone(), task: tokio::spawn(keep_reading(reader, source, stop)) }
    }

    fn reader(&self, feed: FeedName, commits: &TaskTracker) -> Reader {
        let (store, clock) = (Arc::clone(&self.door.store), Arc::clone(&self.door.clock));
        Reader {
            liveness: Liveness::new(store, clock, self.metrics.clone(), feed.clone()),
            feed,
            door: Arc::clone(&self.door),
            vault: self.vault.clone(),
            metrics: self.metrics.clone(),
            timing: self.timing,
            wake: Notify::new(),
            commits: commits.clone(),
        }
    }
}

/// One session after another, with a growing wait between those that came to nothing.
async fn keep_reading(reader: Arc<Reader>, source: Source, stop: CancellationToken) {
    let memory = Arc::new(imap::Memory::default());
    let mut wait = reader.timing.backoff_first;
    loop {
        let began = Instant::now();
        // A task of its own, so that a panic ends the session and nothing else.
        let mut session = JoinSet::new();
        session.spawn(read(Arc::clone(&reader), source.clone(), Arc::clone(&memory)));
        let ended = tokio::select! {
            ended = session.join_next() => ended,
            () = stop.cancelled() => return,
        };
        let fault = match ended {
            Some(Ok(Err(fault))) => fault,
            Some(Ok(Ok(never))) => match never {},
            Some(Err(failed)) => match failed.try_into_panic() {
                Ok(panic) => Fault::Stopped(report::panic_text(panic.as_ref()).to_owned()),
                Err(failed) => Fault::Stopped(failed.to_string()),
            },
            None => return,
        };
        reader.liveness.faulted(&fault.to_string()).await;
        // A session that went well for long is no reason to wait long.
        if began.elapsed() >= reader.timing.backoff_most {
            wait = reader.timing.backoff_first;
        }
        // Room on our own disk is looked for often: no other machine is burdened by it.
        let most = match fault {
            Fault::Store(_) => limits::MAIL_BACKOFF_STORE.min(reader.timing.backoff_most),
            _ => reader.timing.backoff_most,
        };
        wait = wait.min(most);
        tokio::select! {
            () = tokio::time::sleep(jittered(wait)) => {}
            () = stop.cancelled() => return,
        }
        wait *= 2;
    }
}

async fn read(reader: Arc<Reader>, source: Source, memory: Arc<imap::Memory>) -> Result<Infallible, Fault> {
    match source {
        Source::Maildir { path, start } => maildir::read(&reader, &path, start).await,
        Source::Imap(imap) => imap::read(&reader, &imap, &memory).await,
        Source::Missing => Err(Fault::NoConnection),
        Source::WrongKind(kind) => Err(Fault::WrongKind(kind)),
    }
}

/// Between three quarters of a wait and five quarters, so that mailboxes which failed together do not return together.
fn jittered(wait: Duration) -> Duration {
    let mut random = [0u8; 1];
    let share = if getrandom::fill(&mut random).is_ok() { f64::from(random[0]) / 255.0 } else { 0.5 };
    wait.mul_f64(0.75 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_spread_by_a_quarter_either_way() {
        for _ in 0..100 {
            let wait = jittered(Duration::from_secs(4));
            assert!((Duration::from_secs(3)..=Duration::from_secs(5)).contains(&wait), "{wait:?}");
        }
    }
}
