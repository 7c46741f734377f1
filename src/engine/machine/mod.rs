//! The machine: a run as a fold over its journal. No clock, no random source, no I/O; the same events give the same
//! commands, byte for byte.
//!
//! A run outside of its loops, and each iteration of a loop, is a frame with a slot for each of its actions. `enter` is an
//! action's turn, `hear` what events do to it, `turns` the iterations of loops, `end` how actions, containers and the run
//! come to their ends.

mod earlier;
mod end;
mod enter;
mod hear;
mod reason;
mod record;
mod sight;
mod state;
mod status;
mod trace;
mod turns;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use self::reason::Cause;
use self::state::{Frame, Phase, Place, Purpose, Slot};
pub use self::trace::Evaluated;
use super::{
    Earlier, Step,
    event::{Command, Event},
    plan::Plan,
    secrets::Secrets,
};
use crate::{action::RunInfo, limits, playbook::ActionStatus, store::run::RunStatus};

/// What starts a run.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub info: Arc<RunInfo>,
    pub at: DateTime<Utc>,
    /// All randomness of the run.
    pub seed: [u8; 32],
    pub secrets: Arc<Secrets>,
    /// What is kept of the run that this one repeats.
    pub earlier: Arc<Earlier>,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Machine {
    plan: Arc<Plan>,
    trigger: Delivered,
    /// The instant of the last event; `utcNow()`.
    now: DateTime<Utc>,
    /// The run outside of its loops first.
    frames: Vec<Frame>,
    /// Actions whose turn has come.
    ready: BinaryHeap<Reverse<Place>>,
    timers: BTreeMap<u64, (Place, Purpose)>,
    next_timer: u64,
    variables: Vec<Value>,
    reply: Reply,
    /// Events applied.
    events: u64,
    /// The step budget ran out with work left.
    paused: bool,
    /// Pauses passed since the last event.
    pauses: u32,
    ended: bool,
    /// An action failed, timed out or was cancelled.
    failed: bool,
    /// What was recorded is not what this program would do.
    suspended: bool,
    /// A limit ended it, perhaps between attempts that began together.
    at_limit: bool,
    /// How fields came about, where somebody wants to know.
    trace: Option<Vec<Evaluated>>,
}

/// Whether the run's caller was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Open,
    /// This action's answer is on its way.
    Sending(Place),
    Sent,
}

impl Machine {
    /// Begins a run and takes its first steps.
    #[must_use]
    pub fn start(plan: Arc<Plan>, trigger: Delivered) -> (Self, Vec<Command>) {
        Self::begin(plan, trigger, None)
    }

    /// The same, with [`Machine::take_trace`] telling how the fields of actions came about.
    #[must_use]
    pub fn start_traced(plan: Arc<Plan>, trigger: Delivered) -> (Self, Vec<Command>) {
        Self::begin(plan, trigger, Some(Vec::new()))
    }

    fn begin(plan: Arc<Plan>, trigger: Delivered, trace: Option<Vec<Evaluated>>) -> (Self, Vec<Command>) {
        let trigger = Delivered { secrets: trigger.secrets.afresh(), ..trigger };
        let variables = plan.playbook.variables.iter().map(|variable| variable.default.clone()).collect();
        let mut machine = Self {
            now: trigger.at,
            frames: vec![Frame::new(&plan, 0, None, 0)],
            ready: BinaryHeap::new(),
            timers: BTreeMap::new(),
            next_timer: 0,
            variables,
            reply: Reply::Open,
            events: 0,
            paused: false,
            pauses: 0,
            ended: false,
            failed: false,
            suspended: false,
            at_limit: false,
            trace,
            plan,
            trigger,
        };
        let plan = machine.plan.clone();
        let mut out = Vec::new();
        if !machine.begin_list(&plan, 0, plan.regions[0].list) {
            machine.finish(&plan, &mut out);
        }
        machine.settle(&mut out);
        (machine, out)
    }

    /// Applies one committed event. When [`Machine::is_paused`] afterwards, [`Machine::go_on`] continues; the next event
    /// does so by itself, except for a cancellation, which takes effect at the pause it was journalled at.
    pub fn apply(&mut self, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        let until = if let Event::Cancelled { pauses, .. } = event { pauses } else { u32::MAX };
        while self.paused && self.pauses < until {
            self.pauses += 1;
            self.settle(&mut out);
        }
        if self.ended {
            let plan = self.plan.clone();
            self.hear_late(&plan, &event, &mut out);
            return out;
        }
        self.now = self.now.max(event.at());
        self.pauses = 0;
        self.events += 1;
        let plan = self.plan.clone();
        self.hear(&plan, event, &mut out);
        self.settle(&mut out);
        self.hold_limits(&plan, &mut out);
        out
    }

    /// Whether there are pure steps left to take before the next event.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// How often [`Machine::go_on`] was called since the last event, for [`Event::Cancelled`].
    #[must_use]
    pub fn pauses(&self) -> u32 {
        self.pauses
    }

    /// Takes the next [`limits::PURE_STEPS`] steps after a pause.
    pub fn go_on(&mut self) -> Vec<Command> {
        let mut out = Vec::new();
        if self.paused {
            self.pauses += 1;
            self.settle(&mut out);
        }
        out
    }

    /// The instant of the last event; no later event may be dated before it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// How many events were applied: the sequence number of the next one.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The run's secrets, with what was derived from them so far.
    #[must_use]
    pub fn secrets(&self) -> &Arc<Secrets> {
        &self.trigger.secrets
    }

    /// The variables with their present values, secrets left out.
    #[must_use]
    pub fn variables(&self) -> Value {
        let names = self.plan.playbook.variables.iter().map(|variable| variable.name.clone());
        let mut values = Value::Object(names.zip(self.variables.iter().cloned()).collect());
        self.trigger.secrets.redact(&mut values);
        values
    }

    /// Whether it stopped because what was recorded is not what this program would do.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// The status of an action outside of loops, once it has one.
    #[must_use]
    pub fn status(&self, id: &str) -> Option<ActionStatus> {
        let index = self.plan.find(id).filter(|&index| self.plan.node_at(index).region == 0)?;
        self.slot(&self.plan, Place { index, frame: 0 }).status
    }

    // --- where things are ---

    fn slot(&self, plan: &Plan, at: Place) -> &Slot {
        &self.frames[at.frame as usize].slots[plan.node_at(at.index).place as usize]
    }

    fn slot_mut(&mut self, plan: &Plan, at: Place) -> &mut Slot {
        &mut self.frames[at.frame as usize].slots[plan.node_at(at.index).place as usize]
    }

    /// The step at a place.
    fn step(&self, plan: &Plan, at: Place) -> Step {
        let mut iterations = Vec::new();
        let mut frame = &self.frames[at.frame as usize];
        while let Some(owner) = frame.owner {
            iterations.push(frame.iteration);
            frame = &self.frames[owner.frame as usize];
        }
        iterations.reverse();
        Step { action: plan.node_at(at.index).id.clone(), iterations }
    }

    /// The place of a step, once its iterations have begun.
    fn place(&self, plan: &Plan, step: &Step) -> Option<Place> {
        let index = plan.find(&step.action)?;
        let mut loops = Vec::new();
        let mut region = plan.node_at(index).region;
        while let Some(owner) = plan.regions[region as usize].owner {
            loops.push(owner);
            region = plan.node_at(owner).region;
        }
        if loops.len() != step.iterations.len() {
            return None;
        }
        let mut frame = 0;
        for (&owner, &iteration) in loops.iter().rev().zip(&step.iterations) {
            let turns = self.slot(plan, Place { index: owner, frame }).turns()?;
            frame = *turns.frames.get(iteration as usize)?;
        }
        Some(Place { index, frame })
    }

    /// Everything inside a container at `at`, in every iteration begun, itself not included.
    fn inside(&self, plan: &Plan, at: Place) -> Vec<Place> {
        let region = plan.node_at(at.index).region;
        let subtree = plan.node_at(at.index).subtree.clone().skip(1);
        let beside = subtree.filter(|&index| plan.node_at(index).region == region);
        let mut found: Vec<Place> = beside.map(|index| Place { index, ..at }).collect();
        // Loops, itself perhaps among them, have their iterations elsewhere.
        let mut next = 0;
        let mut holders = vec![at];
        loop {
            holders.extend(found[next..].iter().filter(|place| plan.node_at(place.index).kind.body().is_some()));
            next = found.len();
            let Some(holder) = holders.pop() else { return found };
            let frames = self.slot(plan, holder).turns().map(|turns| turns.frames.as_slice()).unwrap_or_default();
            for &frame in frames {
                let nodes = &plan.regions[self.frames[frame as usize].region as usize].nodes;
                found.extend(nodes.iter().map(|&index| Place { index, frame }));
            }
        }
    }

    fn deadline(&self) -> DateTime<Utc> {
        self.trigger.at + limits::RUN_DURATION
    }

    // --- taking steps ---

    /// Takes steps until none is ready or the budget is spent.
    fn settle(&mut self, out: &mut Vec<Command>) {
        let plan = self.plan.clone();
        let mut budget = limits::PURE_STEPS;
        while !self.ended {
            if self.is_overrun() {
                let message = format!("The run's loops went through more than {} iterations.", limits::RUN_ITERATIONS);
                let error = reason::run_error("TooManyIterations", &message);
                return self.stop(&plan, RunStatus::Failed, Some(error), Cause::TooManyIterations, out);
            }
            let Some(&Reverse(at)) = self.ready.peek() else { break };
            if budget == 0 {
                self.paused = true;
                return;
            }
            budget -= 1;
            self.ready.pop();
            if self.slot(&plan, at).phase == Phase::Ready {
                self.enter(&plan, at, out);
            }
        }
        self.paused = false;
    }

    /// Makes a list's first actions ready; `false` when it has none.
    fn begin_list(&mut self, plan: &Plan, frame: u32, list: u32) -> bool {
        let starters = &plan.lists[list as usize].starters;
        starters.iter().for_each(|&index| self.make_ready(plan, Place { index, frame }));
        !starters.is_empty()
    }

    fn make_ready(&mut self, plan: &Plan, at: Place) {
        let slot = self.slot_mut(plan, at);
        if slot.phase == Phase::Idle {
            slot.phase = Phase::Ready;
            self.ready.push(Reverse(at));
        }
    }

    // --- timers ---

    fn start_timeout(&mut self, plan: &Plan, at: Place, out: &mut Vec<Command>) {
        if let Some(after) = plan.node_at(at.index).timeout {
            let timer = self.sleep(at, Purpose::Timeout, self.after(after), out);
            self.slot_mut(plan, at).work().timeout = Some(timer);
        }
    }

    /// The instant that lies `duration` ahead.
    fn after(&self, duration: Duration) -> DateTime<Utc> {
        let duration = chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::MAX);
        self.now.checked_add_signed(duration).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn sleep(&mut self, at: Place, purpose: Purpose, until: DateTime<Utc>, out: &mut Vec<Command>) -> u64 {
        let timer = self.next_timer;
        self.next_timer += 1;
        self.timers.insert(timer, (at, purpose));
        // No longer than the run may last: the wake-up at the deadline is what ends it.
        out.push(Command::Sleep { timer, until: until.min(self.deadline()) });
        timer
    }

    fn unsleep(&mut self, timer: Option<u64>, out: &mut Vec<Command>) {
        if let Some(timer) = timer
            && self.timers.remove(&timer).is_some()
        {
            out.push(Command::Unsleep { timer });
        }
    }

    /// A journal may not grow for ever and a run may not last for ever.
    fn hold_limits(&mut self, plan: &Plan, out: &mut Vec<Command>) {
        if self.ended {
            return;
        }
        self.at_limit = true;
        if self.now >= self.deadline() {
            let message = format!("The run lasted longer than {} days.", limits::RUN_DURATION.as_secs() / 86_400);
            let error = reason::run_error("RunTimedOut", &message);
            self.stop(plan, RunStatus::TimedOut, Some(error), Cause::RunTooLong, out);
        } else if self.events >= limits::JOURNAL_EVENTS {
            let message = format!("The run's journal holds {} events, the most there may be.", limits::JOURNAL_EVENTS);
            let error = reason::run_error("JournalFull", &message);
            self.stop(plan, RunStatus::Failed, Some(error), Cause::JournalFull, out);
        } else {
            self.at_limit = false;
        }
    }
}

/// A number of the run's own random sequence, the same on every replay.
fn draw(seed: &[u8; 32], purpose: &str, step: &Step, attempt: u32, nth: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(purpose.as_bytes());
    hash.update([0]);
    hash.update(step.to_string().as_bytes());
    hash.update([0]);
    hash.update(attempt.to_le_bytes());
    hash.update(nth.to_le_bytes());
    let bytes: [u8; 32] = hash.finalize().into();
    bytes[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A playbook holds at most [`limits::PLAYBOOK_ACTIONS`] actions.
fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}
