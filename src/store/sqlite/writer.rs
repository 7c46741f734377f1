//! The one writer: a thread that takes whatever waits and commits it together.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{bell::Bell, connection, memo::Memo};
use crate::{limits, store::StoreError};

/// What an operation writes with: the connection inside the batch's transaction, and what is known without asking it.
pub(super) struct Writing<'a> {
    pub connection: &'a Connection,
    pub memo: &'a mut Memo,
    pub bell: &'a Bell,
}

trait Job: Send {
    /// Whether it may fail after it changed something, so that it needs a savepoint.
    fn may_fail_halfway(&self) -> bool;
    /// Does the work inside the transaction and keeps the result.
    fn run(&mut self, writing: &mut Writing<'_>) -> Result<(), StoreError>;
    /// Tells the caller, once the transaction is on disk or came to nothing.
    fn answer(self: Box<Self>, committed: &Result<(), StoreError>);
}

struct Operation<F, T> {
    work: Option<F>,
    may_fail_halfway: bool,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Operation<F, T>
where
    F: FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn may_fail_halfway(&self) -> bool {
        self.may_fail_halfway
    }

    fn run(&mut self, writing: &mut Writing<'_>) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        // An operation runs code of other rooms (a journal event is written around a number that is only known here);
        // its panic must not take the writer along.
        let result = catch_unwind(AssertUnwindSafe(|| work(writing)))
            .unwrap_or_else(|_| Err(StoreError::Failed("an operation panicked".into())));
        let outcome = result.as_ref().map(drop).map_err(Clone::clone);
        self.result = Some(result);
        outcome
    }

    fn answer(self: Box<Self>, committed: &Result<(), StoreError>) {
        let answer = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
            (Some(result), Ok(())) => result,
            (None, Ok(())) => Err(closed()),
        };
        // Whoever asked may have gone away; what was committed stays committed.
        let _ = self.caller.send(answer);
    }
}

fn closed() -> StoreError {
    StoreError::Failed("the store was closed".into())
}

enum Message {
    Work(Box<dyn Job>),
    Stop,
}

/// The way to the writer's thread.
pub(super) struct Writer {
    queue: Sender<Message>,
    worked: Arc<AtomicU64>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread. `lock` is held until the connection is closed; `bell` is rung when an event of the workspace is
    /// on disk.
    pub(super) fn start(connection: Connection, path: PathBuf, lock: File, bell: Arc<Bell>) -> std::io::Result<Self> {
        let (queue, waiting) = channel();
        let worked = Arc::default();
        let mut desk =
            Desk { path, connection: Some(connection), memo: Memo::default(), bell, worked: Arc::clone(&worked) };
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || {
            desk.serve(&waiting);
            drop(desk);
            drop(lock);
        })?;
        Ok(Self { queue, worked, thread: std::sync::Mutex::new(Some(thread)) })
    }

    /// Runs `work` inside the next transaction; returns once that is on disk.
    ///
    /// A savepoint copies every page an operation touches. Operations that come with each report do without: they check
    /// everything before they change anything, and say so here. Should one fail halfway all the same, its whole batch
    /// is rolled back, so that nothing half done is ever committed.
    pub(super) async fn run<T, F>(&self, may_fail_halfway: bool, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut Writing<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Operation { work: Some(work), may_fail_halfway, result: None, caller };
        self.queue.send(Message::Work(Box::new(job))).map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// How long it was at work, its waits for the disk included.
    pub(super) fn worked(&self) -> Duration {
        Duration::from_micros(self.worked.load(Ordering::Relaxed))
    }

    /// Lets the thread finish what waits, and waits for it.
    pub(super) fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = self.queue.send(Message::Stop);
            let _ = thread.join();
        }
    }
}

/// The thread's own things.
struct Desk {
    path: PathBuf,
    /// Gone after a batch failed: the next one opens it anew.
    connection: Option<Connection>,
    memo: Memo,
    bell: Arc<Bell>,
    /// Microseconds it was at work.
    worked: Arc<AtomicU64>,
}

impl Desk {
    fn serve(&mut self, waiting: &Receiver<Message>) {
        let mut batch = Vec::with_capacity(limits::COMMIT_BATCH);
        let mut stopping = false;
        while !stopping {
            let Ok(mut message) = waiting.recv() else { break };
            loop {
                match message {
                    Message::Work(job) => batch.push(job),
                    Message::Stop => stopping = true,
                }
                if batch.len() >= limits::COMMIT_BATCH {
                    break;
                }
                let Ok(next) = waiting.try_recv() else { break };
                message = next;
            }
            let begun = Instant::now();
            let committed = self.commit(&mut batch);
            let worked = u64::try_from(begun.elapsed().as_micros()).unwrap_or_default();
            self.worked.fetch_add(worked, Ordering::Relaxed);
            for job in batch.drain(..) {
                job.answer(&committed);
            }
        }
        if let Some(connection) = &self.connection {
            // A start after a clean stop then has nothing to recover.
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    /// Runs a batch in one transaction. An operation that fails takes only its own changes back; a fault of the disk
    /// takes back the whole batch.
    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connection::writer(&self.path)?,
        };
        let committed = transact(&connection, &mut self.memo, &self.bell, batch);
        if committed.is_ok() {
            self.connection = Some(connection);
            self.bell.committed();
        } else {
            // Closing it rolls back; what made it fail may be gone when the next batch opens the database anew.
            self.memo.reset();
        }
        committed
    }
}

fn transact(
    connection: &Connection,
    memo: &mut Memo,
    bell: &Bell,
    batch: &mut [Box<dyn Job>],
) -> Result<(), StoreError> {
    let run = |sql| connection.prepare_cached(sql)?.execute([]).map(drop);
    run("BEGIN IMMEDIATE")?;
    for job in batch {
        let changes = connection.total_changes();
        let savepoint = job.may_fail_halfway();
        if savepoint {
            memo.settle(connection)?;
            run("SAVEPOINT operation")?;
        }
        if let Err(error) = job.run(&mut Writing { connection, memo, bell }) {
            let changed = connection.total_changes() != changes;
            if error.is_passing() || connection.is_autocommit() || (changed && !savepoint) {
                return Err(error);
            }
            if savepoint {
                memo.reset();
                run("ROLLBACK TO operation")?;
            }
        }
        if savepoint {
            run("RELEASE operation")?;
        }
    }
    memo.settle(connection)?;
    run("COMMIT")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(data: &std::path::Path) -> Writer {
        let path = connection::database(data);
        let opened = connection::writer(&path).unwrap();
        opened.execute_batch("CREATE TABLE IF NOT EXISTS word (word TEXT PRIMARY KEY)").unwrap();
        Writer::start(opened, path, connection::lock(data).unwrap(), Arc::default()).unwrap()
    }

    fn insert(writing: &Writing<'_>, word: &str) -> Result<(), StoreError> {
        writing.connection.execute("INSERT INTO word VALUES (?1)", [word])?;
        Ok(())
    }

    async fn words(writer: &Writer) -> Vec<String> {
        let all = |writing: &mut Writing<'_>| {
            let mut rows = writing.connection.prepare("SELECT word FROM word ORDER BY word")?;
            Ok(rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        };
        writer.run(false, all).await.unwrap()
    }

    /// A batch: while the first operation holds the thread, all others gather behind it. They are sent when they are first
    /// polled, which is once the first has its turn, and before it is let go.
    async fn together<T>(writer: &Writer, others: impl Future<Output = T>) -> T {
        let ((release, held), (began, begun)) = (channel::<()>(), oneshot::channel());
        let first = writer.run(false, move |_| {
            let _ = began.send(());
            held.recv().map_err(|_| closed())
        });
        let rest = async {
            begun.await.unwrap();
            let release = async { release.send(()).unwrap() };
            tokio::join!(biased; others, release).0
        };
        tokio::join!(first, rest).1
    }

    #[tokio::test]
    async fn a_failing_operation_takes_back_its_own_changes_only() {
        let data = tempfile::tempdir().unwrap();
        let writer = writer(data.path());
        let halfway = |writing: &mut Writing<'_>| {
            insert(writing, "halfway")?;
            insert(writing, "before")
        };
        let panics = |writing: &mut Writing<'_>| {
            insert(writing, "panicked")?;
            panic!("a bug")
        };
        let (before, failed, panicked, after) = together(&writer, async {
            tokio::join!(
                writer.run(false, |writing| insert(writing, "before")),
                writer.run(true, halfway),
                writer.run::<(), _>(true, panics),
                writer.run(false, |writing| insert(writing, "after")),
            )
        })
        .await;
        assert!(matches!((before, failed, panicked, after), (Ok(()), Err(_), Err(_), Ok(()))));
        assert_eq!(words(&writer).await, ["after", "before"]);
    }

    #[tokio::test]
    async fn nothing_half_done_is_committed_even_when_an_operation_breaks_its_word() {
        let data = tempfile::tempdir().unwrap();
        let writer = writer(data.path());
        let halfway = |writing: &mut Writing<'_>| {
            insert(writing, "halfway")?;
            insert(writing, "halfway")
        };
        let (neighbour, failed) = together(&writer, async {
            tokio::join!(writer.run(false, |writing| insert(writing, "neighbour")), writer.run(false, halfway))
        })
        .await;
        assert!(neighbour.is_err() && failed.is_err(), "both are told, so neither is lost");
        assert_eq!(words(&writer).await, [""; 0]);
    }

    #[tokio::test]
    async fn a_full_database_fails_the_whole_batch_and_the_writer_goes_on_by_itself() {
        let data = tempfile::tempdir().unwrap();
        let writer = writer(data.path());
        let fills = |writing: &mut Writing<'_>| {
            writing.connection.pragma_update(None, "max_page_count", 4)?;
            insert(writing, &"x".repeat(1 << 20))
        };
        let (neighbour, full) = together(&writer, async {
            tokio::join!(writer.run(false, |writing| insert(writing, "neighbour")), writer.run(false, fills))
        })
        .await;
        assert!(neighbour.is_err_and(|error| error.is_passing()) && full.is_err_and(|error| error.is_passing()));
        writer.run(false, |writing| insert(writing, "later")).await.unwrap();
        assert_eq!(words(&writer).await, ["later"]);
    }
}
