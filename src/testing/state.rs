//! A run between two events: its machine, and what it waits for.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::play::Play;
use crate::{
    action::{ACTIONS, Child, Effect, Nature, RunInfo},
    engine::{
        Command, Delivered, Event, Input, Machine, Step,
        journal::{self, JournalError},
    },
    secret::Vault,
    store::{RunId, run::RunStatus},
};

/// An effect that is asked for.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) step: Step,
    pub(super) attempt: u32,
    pub(super) action: &'static str,
    pub(super) effect: &'static dyn Effect,
    pub(super) input: Arc<Value>,
    pub(super) journalled: Input,
    /// When its attempt was journalled.
    pub(super) begun: Option<DateTime<Utc>>,
}

/// A run of another playbook that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calling {
    pub(super) step: Step,
    pub(super) child: Child,
    pub(super) journalled: Input,
    pub(super) begun: Option<DateTime<Utc>>,
}

/// The end of a run.
pub(super) type End = (RunStatus, Option<Value>);

/// What a process that drives the run knows. Everything in it follows from the journal.
pub(super) struct State {
    run: RunId,
    pub(super) machine: Machine,
    pub(super) wanted: Vec<Wanted>,
    pub(super) timers: BTreeMap<u64, DateTime<Utc>>,
    /// Steps that wait for an answer, with when they began to.
    pub(super) awaits: Vec<(Step, DateTime<Utc>)>,
    pub(super) calls: Vec<Calling>,
    pub(super) reply: Option<Value>,
    pub(super) end: Option<End>,
    /// How often each effect was asked for.
    pub(super) attempts: BTreeMap<String, u32>,
}

impl State {
    /// A run that has just begun.
    pub(super) fn start(play: &Play, info: &Arc<RunInfo>) -> Self {
        let (at, seed) = (play.now, play.name.seed);
        let (info, secrets) = (info.clone(), play.secrets.clone());
        let delivered = Delivered { info, at, seed, secrets, earlier: Arc::default() };
        let start = if play.traced { Machine::start_traced } else { Machine::start };
        let (machine, commands) = start(play.plan.clone(), delivered);
        let mut state = Self {
            run: play.name.run,
            machine,
            wanted: Vec::new(),
            timers: BTreeMap::new(),
            awaits: Vec::new(),
            calls: Vec::new(),
            reply: None,
            end: None,
            attempts: BTreeMap::new(),
        };
        state.take(commands);
        state
    }

    /// What a new process makes of a journal.
    pub(super) fn replay(
        play: &Play,
        info: &Arc<RunInfo>,
        journal: &[Vec<u8>],
        vault: &Vault,
    ) -> Result<Self, JournalError> {
        let mut state = Self::start(play, info);
        journal.iter().try_for_each(|bytes| state.absorb(bytes, vault))?;
        Ok(state)
    }

    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Perform { step, attempt, action, input, journalled } => {
                    let nature = ACTIONS.iter().find(|known| known.spec.name == action).map(|known| &known.nature);
                    if let Some(Nature::Effect(effect) | Nature::Approval { ask: effect, .. }) = nature {
                        self.attempts.insert(step.to_string(), attempt);
                        self.wanted.push(Wanted {
                            step,
                            attempt,
                            action,
                            effect: *effect,
                            input,
                            journalled,
                            begun: None,
                        });
                    }
                }
                Command::Drop { step, attempt } => {
                    self.wanted.retain(|wanted| wanted.step != step || wanted.attempt != attempt);
                    self.awaits.retain(|(awaited, _)| *awaited != step);
                    self.calls.retain(|call| call.step != step);
                }
                Command::Await { step } => self.awaits.push((step, self.machine.now())),
                Command::Call { step, child, journalled } => {
                    self.calls.push(Calling { step, child, journalled, begun: None });
                }
                Command::Reply { response } => self.reply = Some(response),
                Command::Sleep { timer, until } => {
                    self.timers.insert(timer, until);
                }
                Command::Unsleep { timer } => {
                    self.timers.remove(&timer);
                }
                Command::Finish { status, error } => self.end = Some((status, error)),
            }
        }
    }

    /// Takes the pure steps that are left.
    pub(super) fn settle(&mut self) {
        while self.machine.is_paused() {
            let commands = self.machine.go_on();
            self.take(commands);
        }
    }

    /// Applies an event, as its stored bytes have it.
    pub(super) fn absorb(&mut self, bytes: &[u8], vault: &Vault) -> Result<(), JournalError> {
        let event = journal::decode(bytes, vault, self.run)?;
        match &event {
            Event::Started { step, attempt, at, .. } => {
                let wanted = self.wanted.iter_mut().filter(|one| one.step == *step && one.attempt == *attempt);
                wanted.for_each(|wanted| wanted.begun = Some(*at));
                self.calls.iter_mut().filter(|call| call.step == *step).for_each(|call| call.begun = Some(*at));
            }
            Event::Finished { step, attempt, .. } => {
                self.wanted.retain(|wanted| wanted.step != *step || wanted.attempt != *attempt);
            }
            Event::Woke { timer, .. } => {
                self.timers.remove(timer);
            }
            Event::Signalled { step, .. } => self.awaits.retain(|(awaited, _)| awaited != step),
            Event::Returned { step, .. } => self.calls.retain(|call| call.step != *step),
            Event::Replied { .. } => self.reply = None,
            Event::Cancelled { .. } => {}
        }
        let commands = self.machine.apply(event);
        self.take(commands);
        Ok(())
    }

    /// What a run that has ended should no longer have.
    pub(super) fn left(&self) -> Option<&'static str> {
        [
            (!self.wanted.is_empty(), "effects it asks for"),
            (!self.timers.is_empty(), "timers"),
            (!self.awaits.is_empty(), "answers it waits for"),
            (!self.calls.is_empty(), "playbooks it waits for"),
        ]
        .into_iter()
        .find_map(|(left, what)| left.then_some(what))
    }

    /// In what another process that read the same journal stands otherwise.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let wanted = |state: &Self| -> Vec<_> {
            let parts = |one: &Wanted| (one.step.clone(), one.attempt, one.begun, one.input.clone());
            state.wanted.iter().map(parts).collect()
        };
        [
            (self.machine.records() != other.machine.records(), "the actions' records"),
            (self.machine.variables() != other.machine.variables(), "the variables"),
            (wanted(self) != wanted(other), "the effects it asks for"),
            (self.timers != other.timers, "its timers"),
            (self.awaits != other.awaits, "the answers it waits for"),
            (self.calls != other.calls, "the playbooks it starts"),
            (self.reply != other.reply, "its answer to the caller"),
            (self.end != other.end, "its end"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        action::Outcome,
        diagnostic::Source,
        testing::{Loader, delivery::Delivery},
    };

    const TEST: &str = "playbook:\n  name: example\n  trigger: {manual: {}}\n  actions:\n    \
        - {id: get, action: http, with: {url: 'https://example.com'}}\n    - {id: d, action: delay, with: {for: 1h}}\n\
        cases: [{name: a, expect: {}}]\n";

    /// Every step of a replay that lacks its last event is told from one that has it.
    #[test]
    fn a_process_that_missed_an_event_is_found_out() {
        let name = "example.test.yaml";
        let suite = Loader::new(None).source(&Source::new(name, TEST), Path::new(name)).unwrap();
        let (play, vault) = (&suite.cases[0].play, Vault::ephemeral("test"));
        let Delivery::Start(start) = &play.delivery else { panic!("not started") };
        let info = play.info(start);
        let mut state = State::start(play, &info);
        let (step, at) = (state.wanted[0].step.clone(), play.now);
        let started = Event::Started { step: step.clone(), attempt: 1, at, input: state.wanted[0].journalled.clone() };
        let finished = Event::Finished { step, attempt: 1, at, outcome: Outcome::succeeded(Value::Null) };
        let mut journal = Vec::new();
        let mut missed = Vec::new();
        for event in [started, finished, Event::Woke { timer: 0, at: at + chrono::TimeDelta::hours(1) }] {
            let before = State::replay(play, &info, &journal, &vault).unwrap();
            journal.push(journal::encode(&event, None).unwrap());
            state.absorb(journal.last().unwrap(), &vault).unwrap();
            let after = State::replay(play, &info, &journal, &vault).unwrap();
            assert_eq!(state.difference(&after), None);
            missed.push(state.difference(&before));
        }
        let records = Some("the actions' records");
        assert_eq!(missed, [Some("the effects it asks for"), records, records]);
    }
}
