//! Waiting for what a run comes to: the thank-you page shows the incident's number.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::oneshot;

use crate::store::{RunId, run::RunStatus};

/// What a watched run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It made this incident; it may still go on.
    Incident(u64),
    /// It ended, or was suspended, without one.
    Ended(RunStatus),
}

/// Who waits for which run.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<RunId, Vec<oneshot::Sender<News>>>>);

impl Watchers {
    pub(crate) fn watch(self: &Arc<Self>, run: RunId) -> Watch {
        let (tell, told) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(run).or_default().push(tell);
        Watch { run, told, watchers: self.clone() }
    }

    pub(crate) fn tell(&self, run: RunId, news: News) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
        for watcher in waiting.into_iter().flatten() {
            // One that left does not hear it.
            let _ = watcher.send(news);
        }
    }
}

/// A wait for a run's first news. It hears only what happens after it was made, so make it before the report goes through
/// the intake door.
#[derive(Debug)]
pub struct Watch {
    run: RunId,
    told: oneshot::Receiver<News>,
    watchers: Arc<Watchers>,
}

impl Watch {
    /// The run's first incident, or its end; `None` when Larum stops before either. Wrap it in a timeout.
    pub async fn news(mut self) -> Option<News> {
        (&mut self.told).await.ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.told.close();
        let mut watchers = self.watchers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = watchers.get_mut(&self.run) {
            waiting.retain(|watcher| !watcher.is_closed());
            if waiting.is_empty() {
                watchers.remove(&self.run);
            }
        }
    }
}
