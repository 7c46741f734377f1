//! The playbooks in force: what triggers listen for and new runs start with.

use std::sync::Arc;

use tokio::sync::watch;

use crate::playbook::Playbook;

/// A playbook version in force.
#[derive(Debug, Clone)]
pub struct Live {
    pub version: String,
    pub playbook: Arc<Playbook>,
}

/// The playbooks in force, sorted by name; shared, and changed only as a whole.
#[derive(Debug, Clone)]
pub struct Library {
    current: watch::Sender<Arc<Vec<Live>>>,
}

impl Default for Library {
    fn default() -> Self {
        Self { current: watch::Sender::new(Arc::default()) }
    }
}

impl Library {
    /// The playbooks in force now.
    #[must_use]
    pub fn current(&self) -> Arc<Vec<Live>> {
        self.current.borrow().clone()
    }

    /// Tells of every change, the present state first.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Vec<Live>>> {
        self.current.subscribe()
    }

    /// Puts `playbooks` in force for new runs.
    pub fn set(&self, mut playbooks: Vec<Live>) {
        playbooks.sort_by(|a, b| a.playbook.name.cmp(&b.playbook.name));
        self.current.send_replace(Arc::new(playbooks));
    }
}
