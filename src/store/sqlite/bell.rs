//! Who wants to hear of the workspace's events, and how they are woken.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Rung after the commit that an event came with.
#[derive(Debug, Default)]
pub(super) struct Bell {
    listens: AtomicBool,
    /// An event was written that is not committed yet. A rollback need not take it back: a ring too many does no harm.
    pulled: AtomicBool,
    notify: Notify,
}

impl Bell {
    pub(super) fn listen(&self, listens: bool) {
        self.listens.store(listens, Ordering::Release);
    }

    /// Whether events are kept.
    pub(super) fn listens(&self) -> bool {
        self.listens.load(Ordering::Acquire)
    }

    /// An event was written.
    pub(super) fn pull(&self) {
        self.pulled.store(true, Ordering::Relaxed);
    }

    /// What was written is on disk.
    pub(super) fn committed(&self) {
        if self.pulled.swap(false, Ordering::Relaxed) {
            // Remembered when nobody waits right now, so that no event is slept through.
            self.notify.notify_one();
        }
    }

    /// Ends with the next ring, at once when one was not heard.
    pub(super) async fn rings(&self) {
        self.notify.notified().await;
    }
}
