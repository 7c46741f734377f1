//! Drives a case's run: what the machine asks for is answered from the file, time jumps to what comes next.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    case::Says,
    delivery::{Delivery, Start},
    found::{Found, Record, run_status},
    past::Past,
    play::Play,
    state::{Calling, End, State, Wanted},
    world::World,
};
use crate::{
    action::{self, Child, EffectKind, Identity, Nature, Outcome, Performed, Rehearsal, RunInfo},
    engine::{Event, Input, Step, fallback, journal},
    limits,
    playbook::ActionStatus,
    secret::Vault,
    store::run::RunStatus,
};

/// Plays a run. With `crash`, or where the play asks for it, the process dies after every event.
pub(super) fn run(play: &Play, crash: bool) -> Found {
    match &play.delivery {
        Delivery::Refused { because } => Found::refused(because),
        Delivery::Fault { error } => Found::fault(error).without_secrets(&play.secrets),
        Delivery::Start(start) => Driver::new(play, start, crash || play.crash).drive(),
    }
}

struct Driver<'p> {
    play: &'p Play,
    info: Arc<RunInfo>,
    vault: Vault,
    state: State,
    journal: Vec<Vec<u8>>,
    world: World,
    crash: bool,
    past: Past,
    /// Steps that the past knows nothing of.
    unrecorded: Vec<String>,
    /// Steps that were given something else in the past.
    given_otherwise: Vec<String>,
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

impl<'p> Driver<'p> {
    fn new(play: &'p Play, start: &Start, crash: bool) -> Self {
        let info = play.info(start);
        let state = State::start(play, &info);
        Self {
            play,
            info,
            vault: Vault::ephemeral("test"),
            state,
            journal: Vec::new(),
            world: World::default(),
            crash,
            past: play.past.clone(),
            unrecorded: Vec::new(),
            given_otherwise: Vec::new(),
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
        if let Some(response) = self.state.reply.clone().filter(|_| !self.past.will_reply()) {
            self.reply(response);
            self.commit(&[Event::Replied { at }]);
            return true;
        }
        let is_new = |call: &&Calling| call.begun.is_none() && !self.past.began(&call.step, 1);
        let calls: Vec<Calling> = self.state.calls.iter().filter(is_new).cloned().collect();
        if !calls.is_empty() {
            for call in &calls {
                self.world.child(&call.step, &call.child);
                self.is_unrecorded(&call.step);
            }
            let events: Vec<Event> = calls.iter().map(|call| begun(call, at)).collect();
            self.commit(&events);
            return true;
        }
        let is_new = |wanted: &&Wanted| wanted.begun.is_none() && !self.past.began(&wanted.step, wanted.attempt);
        let wanted: Vec<Wanted> = self.state.wanted.iter().filter(is_new).cloned().collect();
        if let Some(local) = wanted.iter().find(|wanted| self.is_local(wanted)).cloned() {
            self.is_unrecorded(&local.step);
            // It commits together with the start of its attempt.
            let started = started(&local, at);
            let outcome = self.perform(&local, at);
            let finished = self.finished(&local, at, outcome);
            self.commit(&[started, finished]);
            return true;
        }
        if !wanted.is_empty() {
            for wanted in &wanted {
                self.world.begun(wanted.action, &wanted.step, &wanted.input);
                self.is_unrecorded(&wanted.step);
            }
            let events: Vec<Event> = wanted.iter().map(|wanted| started(wanted, at)).collect();
            self.commit(&events);
            return true;
        }
        self.pass(at)
    }

    fn reply(&mut self, mut response: Value) {
        self.state.machine.secrets().redact(&mut response);
        self.world.reply = Some(response);
    }

    /// Notes a step that begins and of which the past, if the run has one, knows nothing.
    fn is_unrecorded(&mut self, step: &Step) {
        let name = step.to_string();
        if self.play.answers.of(step).is_empty() && !self.unrecorded.contains(&name) {
            self.unrecorded.push(name);
        }
    }

    /// Notes a step that was given something else in the past.
    fn is_given(&mut self, step: &Step, now: &Input, then: &Input) {
        if now != then {
            self.given_otherwise.push(step.to_string());
        }
    }

    /// Lets time pass until something comes, or a person ends the run.
    fn pass(&mut self, now: DateTime<Utc>) -> bool {
        let next = self.next();
        if let Some((place, at)) = self.past.next(&self.state)
            && next.as_ref().is_none_or(|(due, _)| at <= *due)
        {
            let event = self.past.take(place);
            self.repeat(event, at.max(now));
            return true;
        }
        let cancelled = self.play.cancel_after.and_then(|after| later(self.play.now, after));
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
                self.play.secrets.withhold(&mut payload);
                Event::Signalled { step, payload, at }
            }
            Next::Returned(step, mut outcome) => {
                self.play.secrets.withhold_outcome(&mut outcome);
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
        let answers = &self.play.answers;
        for wanted in &self.state.wanted {
            let Some(begun) = wanted.begun else { continue };
            // What came then is told from the past; what did not come then does not come now.
            if self.past.began(&wanted.step, wanted.attempt) {
                continue;
            }
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
            if !self.past.will_signal(step)
                && let Some((payload, after)) = answers.chosen(step)
                && let Some(at) = later(*since, after)
            {
                consider(at, Next::Signalled(step.clone(), payload.clone()));
            }
        }
        for call in &self.state.calls {
            let Some(begun) = call.begun else { continue };
            if self.past.began(&call.step, 1) {
                continue;
            }
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
        let own = self.state.timers.iter().filter(|(timer, until)| !self.past.will_wake(**timer, **until));
        let timer = own.min_by_key(|(timer, until)| (**until, **timer));
        if let Some((timer, until)) = timer {
            consider(*until, Next::Woke(*timer));
        }
        first
    }

    /// Whether an effect commits with its journal event and the file says nothing of it.
    fn is_local(&self, wanted: &Wanted) -> bool {
        wanted.effect.kind(&wanted.input) == EffectKind::Local
            && self
                .play
                .answers
                .attempt(&wanted.step, wanted.attempt)
                .is_none_or(|answer| matches!(answer.says, Says::Well) && answer.after.is_zero())
    }

    /// What an effect comes to when its answer is there.
    fn land(&mut self, wanted: &Wanted, at: DateTime<Utc>) -> Outcome {
        let answer = self.play.answers.attempt(&wanted.step, wanted.attempt).map(|answer| &answer.says);
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
        match self.rehearse(wanted, at) {
            Performed::Outcome(outcome) => {
                self.world.landed(wanted.action, &wanted.step, &wanted.input, &outcome);
                outcome
            }
            Performed::Local(change) => self.world.change(&wanted.step, change, &self.info, at, None),
        }
    }

    fn rehearse(&self, wanted: &Wanted, at: DateTime<Utc>) -> Performed {
        let identity = Identity::of(self.info.run, &wanted.step.to_string());
        let (config, vault) = (&self.play.config, &self.vault);
        wanted.effect.rehearse(Rehearsal { run: &self.info, identity, input: &wanted.input, config, vault, at })
    }

    /// Performs an effect in the world of then, where it came to `then`.
    fn perform_again(&mut self, wanted: &Wanted, at: DateTime<Utc>, then: Outcome) -> Outcome {
        let same = self.past.input(&wanted.step, wanted.attempt) == Some(&wanted.journalled);
        let went_well = then.status == ActionStatus::Succeeded;
        let is_local = wanted.effect.kind(&wanted.input) == EffectKind::Local;
        if same && !went_well {
            return then;
        }
        match self.rehearse(wanted, at) {
            Performed::Local(change) if went_well || is_local => {
                let made = self.world.change(&wanted.step, change, &self.info, at, Some(&then));
                if same { then } else { made }
            }
            // What its inputs alone make fail fails, whatever others came to then.
            Performed::Outcome(outcome) if !same && outcome.status != ActionStatus::Succeeded => outcome,
            _ => {
                self.world.landed(wanted.action, &wanted.step, &wanted.input, &then);
                then
            }
        }
    }

    /// Lets something happen that happened then, as far as the run's own doing is in it by what the run does now.
    fn repeat(&mut self, event: Event, at: DateTime<Utc>) {
        let wanted = |driver: &Self, step: &Step, attempt: u32| {
            let wanted = driver.state.wanted.iter().find(|one| one.step == *step && one.attempt == attempt);
            wanted.cloned()
        };
        let event = match event {
            Event::Started { step, attempt, input, .. } => match wanted(self, &step, attempt) {
                Some(wanted) => {
                    self.is_given(&step, &wanted.journalled, &input);
                    self.world.begun(wanted.action, &wanted.step, &wanted.input);
                    started(&wanted, at)
                }
                None => {
                    let Some(call) = self.state.calls.iter().find(|call| call.step == step).cloned() else { return };
                    self.is_given(&step, &call.journalled, &input);
                    self.world.child(&call.step, &call.child);
                    begun(&call, at)
                }
            },
            Event::Finished { step, attempt, outcome, .. } => {
                let Some(wanted) = wanted(self, &step, attempt) else { return };
                let outcome = self.perform_again(&wanted, at, outcome);
                self.finished(&wanted, at, outcome)
            }
            Event::Woke { timer, .. } => Event::Woke { timer, at },
            Event::Signalled { step, payload, .. } => Event::Signalled { step, payload, at },
            Event::Returned { step, outcome, .. } => Event::Returned { step, outcome, at },
            Event::Replied { .. } => {
                if let Some(response) = self.state.reply.clone() {
                    self.reply(response);
                }
                Event::Replied { at }
            }
            Event::Cancelled { .. } => Event::Cancelled { at, pauses: self.state.machine.pauses() },
        };
        self.commit(&[event]);
    }

    fn finished(&self, wanted: &Wanted, at: DateTime<Utc>, mut outcome: Outcome) -> Event {
        self.play.secrets.withhold_outcome(&mut outcome);
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
        match State::replay(self.play, &self.info, &self.journal, &self.vault) {
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
        let wanted = self.play.plan.playbook.fallback && self.world.incidents.is_empty();
        if let Some(fallback) = fallback(&self.info, wanted, status, error.as_ref()) {
            self.world.fallback(&fallback.draft);
        }
        let secrets = self.state.machine.secrets().clone();
        let records: Vec<Value> = serde_json::from_str(&self.state.machine.records()).unwrap_or_default();
        Found {
            status: run_status(status),
            error,
            because: None,
            records: records.iter().map(Record::of).collect(),
            attempts: self.state.attempts,
            variables: self.state.machine.variables(),
            world: self.world,
            lasts: self.state.machine.now() - self.play.now,
            faults: self.faults,
            unrecorded: self.unrecorded,
            given_otherwise: self.given_otherwise,
            trace: self.state.machine.take_trace(),
        }
        .without_secrets(&secrets)
    }
}

fn started(wanted: &Wanted, at: DateTime<Utc>) -> Event {
    Event::Started { step: wanted.step.clone(), attempt: wanted.attempt, at, input: wanted.journalled.clone() }
}

fn begun(call: &Calling, at: DateTime<Utc>) -> Event {
    Event::Started { step: call.step.clone(), attempt: 1, at, input: call.journalled.clone() }
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
