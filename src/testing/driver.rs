//! Drives a case's run: what the machine asks for is answered from the file, time jumps to what comes next.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    case::{Case, Says},
    delivery::{Delivery, Start},
    found::{Found, Record, run_status},
    state::{Calling, End, State, Wanted, info},
    world::World,
};
use crate::{
    action::{self, Child, EffectKind, Identity, Nature, Outcome, Performed, Rehearsal, RunInfo},
    config::Config,
    engine::{Event, Step, fallback, journal, redact},
    limits,
    playbook::ActionStatus,
    secret::Vault,
    store::run::RunStatus,
};

/// Addresses, the workspace's name: what larum.yaml would say where it says nothing.
static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);

/// Runs a case. With `crash`, or where the case asks for it, the process dies after every event.
pub(super) fn run(case: &Case, crash: bool) -> Found {
    let found = match &case.delivery {
        Delivery::Refused { because } => Found::refused(because),
        Delivery::Fault { error } => Found::fault(error),
        Delivery::Start(start) => Driver::new(case, start, crash || case.crash).drive(),
    };
    found.without_secrets(&case.secrets)
}

struct Driver<'c> {
    case: &'c Case,
    info: Arc<RunInfo>,
    vault: Vault,
    state: State,
    journal: Vec<Vec<u8>>,
    world: World,
    crash: bool,
    /// What a replay made otherwise, and what went wrong beside the run.
    faults: Vec<String>,
}

/// What comes next when time passes.
enum Next {
    Landed(Wanted),
    Signalled(Step, Value),
    Returned(Step, Box<Outcome>),
    Woke(u64),
}

impl<'c> Driver<'c> {
    fn new(case: &'c Case, start: &Start, crash: bool) -> Self {
        let info = info(case, start.kind, &start.summary, start.outputs.clone());
        let state = State::start(case, &info);
        Self {
            case,
            info,
            vault: Vault::ephemeral("test"),
            state,
            journal: Vec::new(),
            world: World::default(),
            crash,
            faults: Vec::new(),
        }
    }

    fn drive(mut self) -> Found {
        loop {
            self.state.settle();
            if let Some(end) = self.state.end.take() {
                return self.found(Some(end));
            }
            if !self.faults.is_empty() || !self.step() {
                return self.found(None);
            }
        }
    }

    /// Lets one thing happen; `false` when nothing can.
    fn step(&mut self) -> bool {
        let at = self.state.machine.now();
        if let Some(mut response) = self.state.reply.clone() {
            self.case.secrets.redact(&mut response);
            self.world.reply = Some(response);
            self.commit(&[Event::Replied { at }]);
            return true;
        }
        let begins =
            |call: &Calling| Event::Started { step: call.step.clone(), attempt: 1, at, input: call.journalled.clone() };
        let calls: Vec<Event> = self.state.calls.iter().filter(|call| call.begun.is_none()).map(begins).collect();
        if !calls.is_empty() {
            for call in self.state.calls.iter().filter(|call| call.begun.is_none()) {
                self.world.child(&call.step, &call.child);
            }
            self.commit(&calls);
            return true;
        }
        if let Some(local) = self.state.wanted.iter().find(|wanted| self.is_local(wanted)).cloned() {
            // It commits together with the start of its attempt.
            let started = started(&local, at);
            let outcome = self.perform(&local, at);
            let finished = self.finished(&local, at, outcome);
            self.commit(&[started, finished]);
            return true;
        }
        let new: Vec<Wanted> = self.state.wanted.iter().filter(|wanted| wanted.begun.is_none()).cloned().collect();
        if !new.is_empty() {
            for wanted in &new {
                self.world.begun(wanted.action, &wanted.step, &wanted.input);
            }
            let events: Vec<Event> = new.iter().map(|wanted| started(wanted, at)).collect();
            self.commit(&events);
            return true;
        }
        self.pass(at)
    }

    /// Lets time pass until something comes, or a person ends the run.
    fn pass(&mut self, now: DateTime<Utc>) -> bool {
        let next = self.next();
        let cancelled = self.case.cancel_after.and_then(|after| later(self.case.now, after));
        let (at, next) = match (next, cancelled) {
            (Some((at, next)), None) => (at, next),
            (Some((at, next)), Some(cancelled)) if at <= cancelled => (at, next),
            (_, Some(cancelled)) => {
                let pauses = self.state.machine.pauses();
                self.commit(&[Event::Cancelled { at: cancelled.max(now), pauses }]);
                return true;
            }
            (None, None) => return false,
        };
        let at = at.max(now);
        let event = match next {
            Next::Landed(wanted) => {
                let outcome = self.land(&wanted, at);
                self.finished(&wanted, at, outcome)
            }
            Next::Signalled(step, mut payload) => {
                self.case.secrets.redact(&mut payload);
                Event::Signalled { step, payload, at }
            }
            Next::Returned(step, mut outcome) => {
                redact(&self.case.secrets, &mut outcome);
                Event::Returned { step, outcome: *outcome, at }
            }
            Next::Woke(timer) => Event::Woke { timer, at },
        };
        self.commit(&[event]);
        true
    }

    /// What comes first; of what comes at once, answers in the order they were asked for, then timers.
    fn next(&self) -> Option<(DateTime<Utc>, Next)> {
        let mut first: Option<(DateTime<Utc>, Next)> = None;
        let mut consider = |at: DateTime<Utc>, next: Next| {
            if first.as_ref().is_none_or(|(known, _)| at < *known) {
                first = Some((at, next));
            }
        };
        let answers = &self.case.answers;
        for wanted in &self.state.wanted {
            let Some(begun) = wanted.begun else { continue };
            let answer = answers.attempt(&wanted.step, wanted.attempt);
            let after = answer.map(|answer| answer.after).unwrap_or_default();
            let after = match answer.map(|answer| &answer.says) {
                // A question nobody answers was sent all the same.
                Some(Says::Nothing) if !is_question(wanted) => continue,
                Some(Says::Chosen(_)) => Duration::ZERO,
                _ => after,
            };
            if let Some(at) = later(begun, after) {
                consider(at, Next::Landed(wanted.clone()));
            }
        }
        for (step, since) in &self.state.awaits {
            if let Some((payload, after)) = answers.chosen(step)
                && let Some(at) = later(*since, after)
            {
                consider(at, Next::Signalled(step.clone(), payload.clone()));
            }
        }
        for call in &self.state.calls {
            let Some(begun) = call.begun else { continue };
            let answer = answers.attempt(&call.step, 1);
            let after = answer.map(|answer| answer.after).unwrap_or_default();
            let outcome = match answer.map(|answer| &answer.says) {
                Some(Says::Outcome(outcome)) => outcome.clone(),
                Some(Says::Nothing | Says::Chosen(_)) => continue,
                Some(Says::Well) | None => Box::new(child(&call.child)),
            };
            if let Some(at) = later(begun, after) {
                consider(at, Next::Returned(call.step.clone(), outcome));
            }
        }
        let timer = self.state.timers.iter().min_by_key(|(timer, until)| (**until, **timer));
        if let Some((timer, until)) = timer {
            consider(*until, Next::Woke(*timer));
        }
        first
    }

    /// Whether an effect commits with its journal event and the file says nothing of it.
    fn is_local(&self, wanted: &Wanted) -> bool {
        wanted.effect.kind(&wanted.input) == EffectKind::Local
            && self
                .case
                .answers
                .attempt(&wanted.step, wanted.attempt)
                .is_none_or(|answer| matches!(answer.says, Says::Well) && answer.after.is_zero())
    }

    /// What an effect comes to when its answer is there.
    fn land(&mut self, wanted: &Wanted, at: DateTime<Utc>) -> Outcome {
        let answer = self.case.answers.attempt(&wanted.step, wanted.attempt).map(|answer| &answer.says);
        match answer {
            Some(Says::Outcome(outcome)) => {
                // What it would have made is made when the answer says that it went well.
                if outcome.status == ActionStatus::Succeeded {
                    self.perform(wanted, at);
                }
                (**outcome).clone()
            }
            _ => self.perform(wanted, at),
        }
    }

    /// Performs an effect in a world where everything goes well.
    fn perform(&mut self, wanted: &Wanted, at: DateTime<Utc>) -> Outcome {
        let identity = Identity::of(self.info.run, &wanted.step.to_string());
        let (config, vault) = (&*CONFIG, &self.vault);
        let call = Rehearsal { run: &self.info, identity, input: &wanted.input, config, vault, at };
        match wanted.effect.rehearse(call) {
            Performed::Outcome(outcome) => {
                self.world.landed(wanted.action, &wanted.step, &wanted.input, &outcome);
                outcome
            }
            Performed::Local(change) => self.world.change(&wanted.step, change, &self.info, at),
        }
    }

    fn finished(&self, wanted: &Wanted, at: DateTime<Utc>, mut outcome: Outcome) -> Event {
        redact(&self.case.secrets, &mut outcome);
        Event::Finished { step: wanted.step.clone(), attempt: wanted.attempt, at, outcome }
    }

    /// Journals events together and applies them as they are read back. Then, where the case asks for it, the process
    /// dies and another one goes on from the journal.
    fn commit(&mut self, events: &[Event]) {
        for event in events {
            let went = journal::encode(event, None).and_then(|bytes| {
                self.state.absorb(&bytes, &self.vault)?;
                self.journal.push(bytes);
                Ok(())
            });
            if let Err(error) = went {
                self.faults.push(error.to_string());
            }
        }
        // What a bare call did when its process dies is unknown, and never the same.
        let bare = |wanted: &Wanted| {
            wanted.begun.is_some()
                && wanted.effect.kind(&wanted.input) == EffectKind::Bare { repeat_when_unknown: false }
        };
        let events_so_far = self.journal.len();
        let due = events_so_far <= limits::TEST_CRASHES || events_so_far.is_multiple_of(100);
        if self.crash && due && !self.state.wanted.iter().any(bare) {
            self.die(events);
        }
    }

    fn die(&mut self, events: &[Event]) {
        self.state.settle();
        match State::replay(self.case, &self.info, &self.journal, &self.vault) {
            Ok(mut replayed) => {
                replayed.settle();
                if let Some(what) = self.state.difference(&replayed) {
                    let (number, last) = (self.journal.len(), events.last().map_or("", name));
                    self.faults
                        .push(format!("a process that goes on after event {number} ({last}) finds otherwise: {what}"));
                }
                self.state = replayed;
            }
            Err(error) => self.faults.push(error.to_string()),
        }
    }

    fn found(mut self, end: Option<End>) -> Found {
        let (status, error) = match end {
            Some((status, error)) => (status, error),
            None => (RunStatus::Running, None),
        };
        if status != RunStatus::Running {
            self.faults.extend(self.state.left().map(|what| format!("the run has ended and still has {what}")));
        }
        if status == RunStatus::Running && self.faults.is_empty() {
            let waits: Vec<String> = self.state.wanted.iter().map(|wanted| format!("'{}'", wanted.step)).collect();
            let message = format!("the run never ends: nothing comes of {} and no timeout ends it", waits.join(", "));
            self.faults.push(message);
        }
        let wanted = self.case.plan.playbook.fallback && self.world.incidents.is_empty();
        if let Some(fallback) = fallback(&self.info, wanted, status, error.as_ref()) {
            self.world.fallback(&fallback.draft);
        }
        let records: Vec<Value> = serde_json::from_str(&self.state.machine.records()).unwrap_or_default();
        Found {
            status: run_status(status),
            error,
            because: None,
            records: records.iter().map(Record::of).collect(),
            attempts: self.state.attempts,
            variables: self.state.machine.variables(),
            world: self.world,
            lasts: self.state.machine.now() - self.case.now,
            faults: self.faults,
        }
    }
}

fn started(wanted: &Wanted, at: DateTime<Utc>) -> Event {
    Event::Started { step: wanted.step.clone(), attempt: wanted.attempt, at, input: wanted.journalled.clone() }
}

/// Whether the effect puts a question to somebody, who answers later.
fn is_question(wanted: &Wanted) -> bool {
    matches!(action::find(wanted.action).map(|known| known.nature), Some(Nature::Approval { .. }))
}

/// What a run of another playbook comes to in a world where everything goes well.
fn child(child: &Child) -> Outcome {
    let run = uuid::Uuid::from_u128(3);
    let body = if child.wait { json!({"run": run, "status": "Succeeded"}) } else { json!({"run": run}) };
    Outcome::succeeded(json!({"body": body}))
}

fn later(at: DateTime<Utc>, after: Duration) -> Option<DateTime<Utc>> {
    at.checked_add_signed(TimeDelta::from_std(after).ok()?)
}

fn name(event: &Event) -> &'static str {
    match event {
        Event::Started { .. } => "an attempt began",
        Event::Finished { .. } => "an attempt ended",
        Event::Woke { .. } => "a time came",
        Event::Signalled { .. } => "an answer came",
        Event::Returned { .. } => "a playbook returned",
        Event::Replied { .. } => "the caller was answered",
        Event::Cancelled { .. } => "the run was cancelled",
    }
}
