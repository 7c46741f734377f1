//! What a run waits for from others: an answer somebody gives, a run it started, the caller it answers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Engine, Event, Input, News, Step, children, run::Run};
use crate::{
    action::{Child, Outcome},
    playbook::ActionStatus,
    store::{
        RunId, StoreError,
        run::{Record, Reply, Signal, SignalVerdict},
    },
};

/// A run of another playbook that a step asked for.
pub(super) struct Calling {
    pub(super) step: Step,
    pub(super) child: Child,
    pub(super) journalled: Input,
    /// The wish is in the journal.
    pub(super) is_journalled: bool,
    /// The run, once it was begun or found.
    pub(super) run: Option<RunId>,
}

impl Run<'_> {
    /// Journals what came from outside; `false` when there is nothing new.
    pub(super) async fn hear_others(&mut self) -> Result<bool, StoreError> {
        if self.reply.is_some() {
            self.answer().await?;
            return Ok(true);
        }
        let at = self.at();
        let begins: Vec<Event> =
            self.calls.iter().filter(|call| !call.is_journalled).map(Calling::begin_at(at)).collect();
        if !begins.is_empty() {
            self.commit(begins).await?;
            return Ok(true);
        }
        // News of what is no longer waited for is taken too, or the run could never rest. Both look into the store, so only
        // when somebody said that there is something.
        let news = self.inbox.take_news();
        if self.awaits.is_empty() && self.calls.is_empty() || !(news || self.unseen) {
            return Ok(false);
        }
        self.unseen = false;
        let mut events = Vec::new();
        if !self.awaits.is_empty() {
            let (store, run) = (&self.shared.services.store, self.id());
            let signals = self.shared.patiently(|| store.signals(run)).await?;
            let awaited = |signal: &Signal| self.awaits.iter().find(|step| step.to_string() == signal.step).cloned();
            events.extend(signals.into_iter().filter_map(|mut signal| {
                let step = awaited(&signal)?;
                self.machine.secrets().withhold(&mut signal.payload);
                Some(Event::Signalled { step, payload: signal.payload, at })
            }));
        }
        for place in 0..self.calls.len() {
            if let Some(outcome) = self.child(place).await? {
                events.push(self.returned(&self.calls[place].step, outcome));
            }
        }
        if events.is_empty() {
            return Ok(false);
        }
        self.commit(events).await?;
        Ok(true)
    }

    /// Puts the answer to the caller on record, then hands it over.
    async fn answer(&mut self) -> Result<(), StoreError> {
        let Some(mut response) = self.reply.clone() else { return Ok(()) };
        self.machine.secrets().redact(&mut response);
        let event = self.encode(&Event::Replied { at: self.at() })?;
        let parent = children::parent(&self.info, self.stored.origin.as_deref());
        let (store, blank, text) = (&self.shared.services.store, self.blank(), response.to_string());
        let record = || {
            let reply = Some(Reply { response: text.clone(), parent });
            store.record(Record { reply, ..blank.with(vec![event.clone()]) })
        };
        let recorded = self.shared.patiently(record).await?;
        self.apply(&recorded.events)?;
        self.shared.watchers.tell(self.id(), &News::Replied(Arc::new(response)));
        if let Some(parent) = parent {
            self.shared.tell(parent);
        }
        Ok(())
    }

    /// Begins the run a step asked for, or looks what it has come to; `None` while it goes on.
    async fn child(&mut self, place: usize) -> Result<Option<Outcome>, StoreError> {
        let call = &self.calls[place];
        let run = match call.run {
            Some(run) => run,
            None => {
                match children::begin(self.shared, &self.info, &call.step, &self.without_secrets(&call.child)).await? {
                    Ok(run) => run,
                    Err(refused) => return Ok(Some(*refused)),
                }
            }
        };
        self.calls[place].run = Some(run);
        if !self.calls[place].child.wait {
            return Ok(Some(Outcome::succeeded(json!({"body": {"run": run}}))));
        }
        let store = &self.shared.services.store;
        let state = self.shared.patiently(|| store.run_state(run)).await?;
        Ok(state.map_or_else(|| Some(children::gone(run)), |state| children::outcome(run, state)))
    }

    /// A child's event is kept in clear, so secrets do not go along: the other playbook has parameters of its own.
    fn without_secrets(&self, child: &Child) -> Child {
        let mut child = child.clone();
        self.machine.secrets().redact(&mut child.body);
        child
    }

    /// What a child came to as an event, without secrets.
    fn returned(&self, step: &Step, mut outcome: Outcome) -> Event {
        self.machine.secrets().withhold_outcome(&mut outcome);
        Event::Returned { step: step.clone(), outcome, at: self.at() }
    }
}

impl Calling {
    fn begin_at(at: chrono::DateTime<chrono::Utc>) -> impl Fn(&Self) -> Event {
        move |call| Event::Started { step: call.step.clone(), attempt: 1, at, input: call.journalled.clone() }
    }
}

/// A question that a run put to somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub playbook: String,
    /// The evaluated `with:` of the action that asks.
    pub input: Value,
    /// The answer that counts, once there is one.
    pub answer: Option<Signal>,
    /// How the action ended, when it no longer waits.
    pub ended: Option<ActionStatus>,
}

impl Engine {
    /// What a step of a run asks; `None` when there is no such run or step, or it never came to ask.
    ///
    /// # Errors
    /// When the store cannot be read, or the run cannot be folded.
    pub async fn question(&self, run: RunId, step: &Step) -> Result<Option<Question>, StoreError> {
        let Some((stored, past)) = self.past(run, usize::MAX).await? else { return Ok(None) };
        let playbook = stored.playbook.clone();
        let Some((input, ended)) = past.machine.asked(step) else { return Ok(None) };
        let signals = self.shared.services.store.signals(run).await?;
        let answer = signals.into_iter().find(|signal| signal.step == step.to_string());
        Ok(Some(Question { playbook, input, answer, ended }))
    }

    /// Gives the answer a step of a run waits for. The first one counts; it is on disk when this returns, and the run goes
    /// on.
    ///
    /// # Errors
    /// When nothing was kept.
    pub async fn signal(&self, run: RunId, step: &Step, payload: Value) -> Result<SignalVerdict, StoreError> {
        let services = &self.shared.services;
        let signal = Signal { run, step: step.to_string(), at: services.clock.now(), payload };
        let verdict = services.store.signal(signal).await?;
        if verdict == SignalVerdict::Taken {
            self.shared.tell(run);
        }
        Ok(verdict)
    }
}
