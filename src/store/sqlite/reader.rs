//! Readers: a few connections of their own, each question in one snapshot, off the async threads.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection;
use crate::store::StoreError;

/// Questions answered at once.
const READERS: usize = 4;

/// Connections that only read.
#[derive(Clone)]
pub(super) struct Readers {
    path: Arc<PathBuf>,
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    /// Readers of the database at `path`; they are opened when they are needed.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path: Arc::new(path), idle: Arc::default(), turns: Arc::new(Semaphore::new(READERS)) }
    }

    /// Asks in one snapshot, on a thread that may block.
    pub(super) async fn ask<T, F>(&self, question: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let failed = |error: &dyn std::fmt::Display| StoreError::Failed(error.to_string().into());
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| failed(&error))?;
        let readers = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => connection::reader(&readers.path)?,
            };
            let snapshot = connection.unchecked_transaction()?;
            let answer = question(&snapshot);
            // A connection whose snapshot does not end is closed instead of kept.
            if snapshot.finish().is_ok() {
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
