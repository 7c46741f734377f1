//! Runs: a run is a fold over its journal.

mod library;

pub use library::{Library, Live};

use crate::store::{RunId, run::StoredRun};

/// The handle by which runs are handed to the engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    runs: tokio::sync::mpsc::UnboundedSender<Begin>,
}

/// A run to be driven.
pub enum Begin {
    /// Just opened by the intake door: everything is in memory already.
    Fresh(Box<StoredRun>),
    /// To be read from the store: recovery, a timer, a signal.
    Stored(RunId),
}

impl Engine {
    /// A handle, and the end where the runs handed to it arrive.
    #[must_use]
    pub fn channel() -> (Self, tokio::sync::mpsc::UnboundedReceiver<Begin>) {
        let (runs, arriving) = tokio::sync::mpsc::unbounded_channel();
        (Self { runs }, arriving)
    }

    /// Drives a run. Returns at once; when many runs are active it waits its turn. A run that cannot be handed over
    /// because Larum is stopping is found again by recovery at the next start.
    pub fn begin(&self, run: Begin) {
        let _ = self.runs.send(run);
    }
}
