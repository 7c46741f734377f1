//! What the dispatcher remembers from one event to the next, for as long as the process lives.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use crate::{
    incident::Actor,
    limits,
    store::incidents::{Subject, WorkspaceEvent},
};

/// An incident's number, and the client whose word there is for what led to its changes.
type Train = (u64, Option<Uuid>);

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Kept rules that cannot be read, which the log tells once.
    pub(super) unreadable_rules: HashSet<String>,
    /// By the incident's number: playbooks and rules started by changes that playbooks and rules made, since somebody else
    /// changed it. What clients say their changes were led to by is counted for each of them apart, so that one that makes
    /// it up uses up nobody else's.
    started: BTreeMap<Train, u32>,
}

impl Memory {
    /// What was started in the train of events that this one belongs to; a change by somebody else begins a new one.
    pub(super) fn spent(&self, event: &WorkspaceEvent) -> u32 {
        match train(event) {
            Some(train) if !event.causes.is_empty() => self.started.get(&train).copied().unwrap_or_default(),
            _ => 0,
        }
    }

    /// Remembers what is spent once the event was dealt with.
    pub(super) fn spend(&mut self, event: &WorkspaceEvent, spent: u32) {
        let Some(train) = train(event) else { return };
        if event.causes.is_empty() {
            let all = (train.0, None)..=(train.0, Some(Uuid::max()));
            let over: Vec<Train> = self.started.range(all).map(|(train, _)| *train).collect();
            for train in over {
                self.started.remove(&train);
            }
        } else if spent > 0 {
            if self.started.len() >= limits::CAUSED_STARTS_INCIDENTS {
                self.started.clear();
            }
            self.started.insert(train, spent);
        }
    }
}

fn train(event: &WorkspaceEvent) -> Option<Train> {
    let client = match &event.by {
        Actor::Token { id, .. } | Actor::Person { id, .. } => Some(*id),
        Actor::Playbook { .. } | Actor::Rule { .. } | Actor::Larum => None,
    };
    match &event.subject {
        Subject::Incident { incident, .. } => Some((incident.number, client)),
        Subject::Alert { .. } | Subject::Unreadable { .. } => None,
    }
}
