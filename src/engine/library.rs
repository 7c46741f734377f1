//! The playbooks in force: what triggers listen for and new runs start with.

use std::sync::Arc;

use tokio::sync::watch;

use crate::playbook::{FileRule, Playbook};

/// A playbook version in force.
#[derive(Debug, Clone)]
pub struct Live {
    pub version: String,
    pub playbook: Arc<Playbook>,
}

/// The playbooks in force, sorted by name, and the automation rules beside them; shared, and changed only as a whole.
#[derive(Debug, Clone)]
pub struct Library {
    current: watch::Sender<Arc<Vec<Live>>>,
    rules: watch::Sender<Arc<Vec<FileRule>>>,
}

impl Default for Library {
    fn default() -> Self {
        Self { current: watch::Sender::new(Arc::default()), rules: watch::Sender::new(Arc::default()) }
    }
}

impl Library {
    /// The playbooks in force now.
    #[must_use]
    pub fn current(&self) -> Arc<Vec<Live>> {
        self.current.borrow().clone()
    }

    /// The playbook of this name, in whatever letter case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Live> {
        self.current.borrow().iter().find(|live| live.playbook.name.eq_ignore_ascii_case(name)).cloned()
    }

    /// Tells of every change, the present state first.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Vec<Live>>> {
        self.current.subscribe()
    }

    /// The automation rules that stand in files.
    #[must_use]
    pub fn rules(&self) -> Arc<Vec<FileRule>> {
        self.rules.borrow().clone()
    }

    /// Puts the automation rules of the files in force.
    pub fn set_rules(&self, rules: Vec<FileRule>) {
        self.rules.send_replace(Arc::new(rules));
    }

    /// Puts `playbooks` in force for new runs.
    pub fn set(&self, mut playbooks: Vec<Live>) {
        playbooks.sort_by(|a, b| a.playbook.name.cmp(&b.playbook.name));
        self.current.send_replace(Arc::new(playbooks));
    }
}
