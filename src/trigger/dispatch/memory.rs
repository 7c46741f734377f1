//! What the dispatcher remembers from one event to the next, for as long as the process lives.

use std::collections::{HashMap, HashSet};

use crate::{
    limits,
    store::incidents::{Subject, WorkspaceEvent},
};

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Kept rules that cannot be read, which the log tells once.
    pub(super) unreadable_rules: HashSet<String>,
    /// By the incident's number: playbooks and rules started by changes that playbooks and rules made, since somebody else
    /// changed it.
    started: HashMap<u64, u32>,
}

impl Memory {
    /// What was started in the train of events that this one belongs to; a change by somebody else begins a new one.
    pub(super) fn spent(&self, event: &WorkspaceEvent) -> u32 {
        match number(event) {
            Some(incident) if !event.causes.is_empty() => self.started.get(&incident).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    /// Remembers what is spent once the event was dealt with.
    pub(super) fn spend(&mut self, event: &WorkspaceEvent, spent: u32) {
        let Some(incident) = number(event) else { return };
        if event.causes.is_empty() {
            self.started.remove(&incident);
        } else if spent > 0 {
            if self.started.len() >= limits::CAUSED_STARTS_INCIDENTS {
                self.started.clear();
            }
            self.started.insert(incident, spent);
        }
    }
}

fn number(event: &WorkspaceEvent) -> Option<u64> {
    match &event.subject {
        Subject::Incident { incident, .. } => Some(incident.number),
        Subject::Alert { .. } | Subject::Unreadable { .. } => None,
    }
}
