//! What a stored run learned from outside, put once more to a run that may follow another version of its playbook: an
//! event is told when the run asks for it, at the instant it was told then.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::state::State;
use crate::engine::{Event, Input, Step};

/// The journal of a stored run, as far as it is not told yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    events: Vec<Event>,
    /// The attempts that began then, told or not, with their inputs.
    begun: BTreeMap<(String, u32), Input>,
}

impl Past {
    pub(super) fn new(events: Vec<Event>) -> Self {
        let begun = events.iter().filter_map(|event| match event {
            Event::Started { step, attempt, input, .. } => Some(((step.to_string(), *attempt), input.clone())),
            _ => None,
        });
        let begun = begun.collect();
        Self { events, begun }
    }

    /// The first event that the run asks for, by its place, with its instant.
    pub(super) fn next(&self, state: &State) -> Option<(usize, DateTime<Utc>)> {
        let place = self.events.iter().position(|event| fits(event, state))?;
        Some((place, self.events[place].at()))
    }

    /// Takes the event at a place.
    pub(super) fn take(&mut self, place: usize) -> Event {
        self.events.remove(place)
    }

    /// Whether an attempt began then, told or not.
    pub(super) fn began(&self, step: &Step, attempt: u32) -> bool {
        self.input(step, attempt).is_some()
    }

    /// What an attempt was given then.
    pub(super) fn input(&self, step: &Step, attempt: u32) -> Option<&Input> {
        if self.begun.is_empty() { None } else { self.begun.get(&(step.to_string(), attempt)) }
    }

    /// Whether an answer to a question is still to be told.
    pub(super) fn will_signal(&self, step: &Step) -> bool {
        self.tells(|event| matches!(event, Event::Signalled { step: of, .. } if of == step))
    }

    /// Whether the answer to the caller is still to be told.
    pub(super) fn will_reply(&self) -> bool {
        self.tells(|event| matches!(event, Event::Replied { .. }))
    }

    /// Whether a timer that is due at `until` is still to be told of.
    pub(super) fn will_wake(&self, timer: u64, until: DateTime<Utc>) -> bool {
        self.tells(|event| matches!(event, Event::Woke { timer: of, at } if *of == timer && *at >= until))
    }

    fn tells(&self, what: impl FnMut(&Event) -> bool) -> bool {
        self.events.iter().any(what)
    }
}

/// Whether a run asks for what the event tells.
fn fits(event: &Event, state: &State) -> bool {
    match event {
        Event::Started { step, attempt, .. } => {
            let wanted =
                state.wanted.iter().any(|one| one.step == *step && one.attempt == *attempt && one.begun.is_none());
            wanted || state.calls.iter().any(|call| call.step == *step && call.begun.is_none())
        }
        Event::Finished { step, attempt, .. } => {
            state.wanted.iter().any(|one| one.step == *step && one.attempt == *attempt && one.begun.is_some())
        }
        Event::Woke { timer, at } => state.timers.get(timer).is_some_and(|until| until <= at),
        Event::Signalled { step, .. } => state.awaits.iter().any(|(awaited, _)| awaited == step),
        Event::Returned { step, .. } => state.calls.iter().any(|call| call.step == *step && call.begun.is_some()),
        Event::Replied { .. } => state.reply.is_some(),
        Event::Cancelled { .. } => true,
    }
}
