//! Which runs are in memory, so that no run is driven twice at once.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::store::RunId;

/// What others tell a run.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    cancel: AtomicBool,
    /// Something from outside that the run waits for may have come.
    news: AtomicBool,
    told: Notify,
}

impl Inbox {
    /// Whether a person ended the run.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Acquire)
    }

    /// Whether something from outside may have come since the last call.
    pub(crate) fn take_news(&self) -> bool {
        self.news.swap(false, Ordering::AcqRel)
    }

    /// Returns once something was told since the last call.
    pub(crate) async fn told(&self) {
        self.told.notified().await;
    }
}

/// The runs that are queued or driven.
#[derive(Debug, Default)]
pub(crate) struct Roster(Mutex<HashMap<RunId, Arc<Inbox>>>);

impl Roster {
    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Inbox>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a run; `None` when it is there already.
    pub(crate) fn enter(&self, run: RunId) -> Option<Arc<Inbox>> {
        let mut runs = self.lock();
        if runs.contains_key(&run) {
            return None;
        }
        let inbox = Arc::new(Inbox::default());
        runs.insert(run, inbox.clone());
        Some(inbox)
    }

    /// Asks a run to end; it is entered when it was not there, and then the answer is its inbox.
    pub(crate) fn cancel(&self, run: RunId) -> Option<Arc<Inbox>> {
        let mut runs = self.lock();
        let known = runs.contains_key(&run);
        let inbox = runs.entry(run).or_default();
        inbox.cancel.store(true, Ordering::Release);
        inbox.told.notify_one();
        (!known).then(|| inbox.clone())
    }

    /// Tells a run that something from outside came; it is entered when it was not there, and then the answer is its
    /// inbox.
    pub(crate) fn tell(&self, run: RunId) -> Option<Arc<Inbox>> {
        let mut runs = self.lock();
        let known = runs.contains_key(&run);
        let inbox = runs.entry(run).or_default();
        inbox.news.store(true, Ordering::Release);
        inbox.told.notify_one();
        (!known).then(|| inbox.clone())
    }

    /// Lets a run that only waits go, unless it was told something in the meantime.
    pub(crate) fn rest(&self, run: RunId, inbox: &Arc<Inbox>) -> bool {
        let mut runs = self.lock();
        let goes = !inbox.is_cancelled() && !inbox.news.load(Ordering::Acquire);
        if goes && runs.get(&run).is_some_and(|known| Arc::ptr_eq(known, inbox)) {
            runs.remove(&run);
        }
        goes
    }

    /// Takes a run off, whatever became of it.
    pub(crate) fn leave(&self, run: RunId, inbox: &Arc<Inbox>) {
        let mut runs = self.lock();
        // After `rest` another driver may have entered it anew.
        if runs.get(&run).is_some_and(|known| Arc::ptr_eq(known, inbox)) {
            runs.remove(&run);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }
}
