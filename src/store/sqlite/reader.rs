//! Readers: a few connections of their own, each question in one snapshot, off the async threads.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection;
use crate::store::StoreError;

/// Lists and searches answered at once.
const LISTS: usize = 3;
/// Other questions answered at once. They are quick, and what everything else waits for: no list may keep them waiting.
const OTHERS: usize = 2;
/// Steps of SQLite's machine between two looks whether anybody still waits for the answer: well under a millisecond.
const STEPS: i32 = 10_000;

/// Connections that only read.
#[derive(Clone)]
pub(super) struct Readers {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
    lists: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

/// Says so when nobody waits for an answer any more.
#[derive(Default)]
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Readers {
    /// Readers of the database at `path`; they are opened when they are needed.
    pub(super) fn new(path: PathBuf) -> Self {
        let turns = |most| Arc::new(Semaphore::new(most));
        Self { path: Arc::new(path), idle: Arc::default(), lists: turns(LISTS), others: turns(OTHERS) }
    }

    /// Asks in one snapshot, on a thread that may block.
    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.take_turn(&self.others, None, question).await
    }

    /// As [`Readers::ask`], for what somebody else worded, so that nobody knows what it costs: it ends after `time`, the
    /// wait for its turn included, or when the asking future is dropped.
    pub(super) async fn ask_within<T, F>(&self, time: Duration, question: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let waiting = Waiting::default();
        let asked = self.take_turn(&self.lists, Some(Arc::clone(&waiting.0)), question);
        tokio::time::timeout(time, asked).await.unwrap_or(Err(StoreError::TooLong))
    }

    async fn take_turn<T, F>(
        &self,
        turns: &Arc<Semaphore>,
        given_up: Option<Arc<AtomicBool>>,
        question: F,
    ) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let failed = |error: &dyn std::fmt::Display| StoreError::Failed(error.to_string().into());
        let turn = Arc::clone(turns).acquire_owned().await.map_err(|error| failed(&error))?;
        let readers = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connection::reader(&readers.path)?,
            };
            let stop = given_up.map(|given_up| move || given_up.load(Ordering::Relaxed));
            connection.progress_handler(STEPS, stop)?;
            let snapshot = connection.unchecked_transaction()?;
            let answer = question(&snapshot);
            // Ending the snapshot must not be stopped as well.
            let lasting = connection.progress_handler(0, None::<fn() -> bool>);
            // A connection whose snapshot does not end is closed instead of kept.
            if snapshot.finish().is_ok() && lasting.is_ok() {
                readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            answer
        });
        asked.await.map_err(|error| failed(&error))?
    }

    /// Closes the idle connections.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n WHERE n < 0";

    fn endless(connection: &Connection) -> Result<i64, StoreError> {
        Ok(connection.query_row(ENDLESS, [], |row| row.get(0))?)
    }

    fn readers() -> (tempfile::TempDir, Readers) {
        let data = tempfile::tempdir().unwrap();
        let path = connection::database(data.path());
        drop(connection::writer(&path).unwrap());
        (data, Readers::new(path))
    }

    #[tokio::test]
    async fn a_list_that_takes_too_long_is_given_up_and_keeps_no_other_question_waiting() {
        let (_data, readers) = readers();
        let lists = (0..2 * LISTS).map(|_| readers.ask_within(Duration::from_millis(100), endless));
        let other = readers.ask(|connection| Ok(connection.query_row("SELECT 7", [], |row| row.get::<_, i64>(0))?));
        let (lists, other) = tokio::join!(futures::future::join_all(lists), other);
        assert!(lists.iter().all(|answer| matches!(answer, Err(StoreError::TooLong))), "{lists:?}");
        assert_eq!(other.unwrap(), 7);
        // Its reader is free again, and a connection that was stopped answers the next question.
        for _ in 0..2 * LISTS {
            let next = readers.ask_within(Duration::from_secs(60), |connection| {
                Ok(connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?)
            });
            assert_eq!(next.await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn a_question_ends_when_nobody_waits_for_the_answer() {
        let (_data, readers) = readers();
        let asked = tokio::spawn({
            let readers = readers.clone();
            async move { readers.ask_within(Duration::from_secs(3_600), endless).await }
        });
        while readers.lists.available_permits() == LISTS {
            tokio::task::yield_now().await;
        }
        asked.abort();
        let free = readers.lists.acquire_many(u32::try_from(LISTS).unwrap());
        assert!(tokio::time::timeout(Duration::from_secs(60), free).await.is_ok());
    }
}
