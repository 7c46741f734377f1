//! The machine: a run as a fold over its journal. No clock, no random source, no I/O; the same events give the same
//! commands, byte for byte.

mod reason;
mod record;
mod sight;
mod state;
mod status;

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::{
    sight::Sight,
    state::{Attempt, Ending, Phase, Purpose, Slot},
};
use super::{
    Step,
    event::{Command, Event, Input},
    plan::{Index, Kind, Node, Plan},
    retry,
    secrets::{REDACTED, Secrets},
};
use crate::{
    action::{ErrorInfo, Nature, Outcome, RunInfo},
    limits,
    playbook::ActionStatus,
    store::run::RunStatus,
};

/// What starts a run.
#[derive(Debug, Clone)]
pub struct Delivered {
    pub info: Arc<RunInfo>,
    pub at: DateTime<Utc>,
    /// All randomness of the run.
    pub seed: [u8; 32],
    pub secrets: Arc<Secrets>,
}

/// One run.
#[derive(Debug, Clone)]
pub struct Machine {
    plan: Arc<Plan>,
    trigger: Delivered,
    /// The instant of the last event; `utcNow()`.
    now: DateTime<Utc>,
    slots: Vec<Slot>,
    /// For each list, how many members have not ended.
    open: Vec<u32>,
    /// Actions whose turn has come, in file order.
    ready: BinaryHeap<Reverse<Index>>,
    timers: BTreeMap<u64, (Index, Purpose)>,
    next_timer: u64,
    variables: Vec<Value>,
    /// Events applied.
    events: u64,
    /// The step budget ran out with work left.
    paused: bool,
    /// Pauses passed since the last event.
    pauses: u32,
    ended: bool,
}

impl Machine {
    /// Begins a run and takes its first steps.
    #[must_use]
    pub fn start(plan: Arc<Plan>, trigger: Delivered) -> (Self, Vec<Command>) {
        let slots = plan.nodes.iter().map(|node| Slot::new(count(&node.after))).collect();
        let open = plan.lists.iter().map(|list| count(&list.members)).collect();
        let variables = plan.playbook.variables.iter().map(|variable| variable.default.clone()).collect();
        let mut machine = Self {
            now: trigger.at,
            slots,
            open,
            ready: BinaryHeap::new(),
            timers: BTreeMap::new(),
            next_timer: 0,
            variables,
            events: 0,
            paused: false,
            pauses: 0,
            ended: false,
            plan,
            trigger,
        };
        let plan = machine.plan.clone();
        let mut out = Vec::new();
        if !machine.begin_list(&plan, 0) {
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
            return out;
        }
        self.now = self.now.max(event.at());
        self.pauses = 0;
        self.events += 1;
        let plan = self.plan.clone();
        match event {
            Event::Started { step, attempt, at, input } => self.started(&plan, &step, attempt, at, &input, &mut out),
            Event::Finished { step, attempt, outcome, .. } => self.finished(&plan, &step, attempt, outcome, &mut out),
            // A timer is never set beyond the run's last instant; at that instant it is the run that times out.
            Event::Woke { timer, .. } if self.now < self.deadline() => self.woke(&plan, timer, &mut out),
            Event::Woke { timer, .. } => {
                self.timers.remove(&timer);
            }
            Event::Cancelled { .. } => self.stop(&plan, RunStatus::Cancelled, None, "the run was cancelled", &mut out),
        }
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

    /// The status of an action, once it has one.
    #[must_use]
    pub fn status(&self, id: &str) -> Option<ActionStatus> {
        self.slots[self.plan.find(id)? as usize].status
    }

    // --- what events do ---

    fn started(
        &mut self,
        plan: &Plan,
        step: &Step,
        attempt: u32,
        at: DateTime<Utc>,
        input: &Input,
        out: &mut Vec<Command>,
    ) {
        let Some((index, node)) = known(plan, step) else { return self.differs(step, attempt, None, input, out) };
        let slot = &mut self.slots[index as usize];
        if slot.phase == Phase::Done || attempt < slot.attempt {
            return;
        }
        if slot.phase != Phase::Running || attempt != slot.attempt || slot.journalled.as_ref() != Some(input) {
            return self.differs(step, attempt, Some(node), input, out);
        }
        slot.begun = Some(at);
    }

    fn finished(&mut self, plan: &Plan, step: &Step, attempt: u32, outcome: Outcome, out: &mut Vec<Command>) {
        let Some((index, node)) = known(plan, step) else { return };
        let slot = &mut self.slots[index as usize];
        if slot.phase != Phase::Running || attempt != slot.attempt {
            return;
        }
        let begun = slot.begun.take().unwrap_or(self.now);
        if outcome.status == ActionStatus::Failed && outcome.retryable {
            let random = draw(&self.trigger.seed, "retry", step, attempt, 0);
            if let Some(wait) = retry::wait(node.retry, attempt, outcome.retry_after, random) {
                slot.history.push(Attempt {
                    started: begun,
                    ended: self.now,
                    code: outcome.code,
                    error: outcome.error,
                });
                slot.phase = Phase::Pausing;
                let timer = self.sleep(index, Purpose::Retry, wait, out);
                self.slots[index as usize].retry = Some(timer);
                return;
            }
        }
        self.end(plan, index, ending(outcome), out);
    }

    fn woke(&mut self, plan: &Plan, timer: u64, out: &mut Vec<Command>) {
        let Some((index, purpose)) = self.timers.remove(&timer) else { return };
        let slot = &mut self.slots[index as usize];
        match purpose {
            Purpose::Retry => {
                slot.retry = None;
                self.perform(plan, index, out);
            }
            Purpose::Timeout => {
                slot.timeout = None;
                let node = plan.node_at(index);
                if slot.phase == Phase::Running && matches!(node.kind, Kind::Call { .. }) {
                    out.push(Command::Drop { step: plan.step(index), attempt: slot.attempt });
                }
                for inner in node.subtree.clone().skip(1) {
                    self.interrupt(plan, inner, "the action it belongs to timed out", out);
                }
                let error = Some(reason::timed_out(&node.id));
                self.end(plan, index, Ending::new(ActionStatus::TimedOut, reason::ACTION_TIMED_OUT, error), out);
            }
        }
    }

    /// The run is over at once: what runs is cancelled, what has not begun is skipped.
    fn stop(&mut self, plan: &Plan, status: RunStatus, error: Option<Value>, why: &str, out: &mut Vec<Command>) {
        for index in 0..count(&plan.nodes) {
            self.interrupt(plan, index, why, out);
        }
        self.conclude(status, error, out);
    }

    /// Ends an action together with what surrounds it.
    fn interrupt(&mut self, plan: &Plan, index: Index, why: &str, out: &mut Vec<Command>) {
        let node = plan.node_at(index);
        let slot = &self.slots[index as usize];
        let status = match slot.phase {
            Phase::Done => return,
            Phase::Idle | Phase::Ready => ActionStatus::Skipped,
            Phase::Running | Phase::Pausing => ActionStatus::Cancelled,
        };
        if slot.phase == Phase::Running && matches!(node.kind, Kind::Call { .. }) {
            out.push(Command::Drop { step: plan.step(index), attempt: slot.attempt });
        }
        let error = Some(reason::terminated(&node.id, why));
        self.close(index, Ending::new(status, reason::TERMINATED, error), out);
    }

    /// What the journal says is not what this program would do: the run stops and a person decides.
    fn differs(&mut self, step: &Step, attempt: u32, node: Option<&Node>, recorded: &Input, out: &mut Vec<Command>) {
        let hidden = node.is_none_or(|node| node.secure_inputs);
        let show = |input: Option<&Input>| match input {
            Some(_) if hidden && node.is_some() => json!(REDACTED),
            Some(input) => input.show(),
            None => Value::Null,
        };
        let slot = self.plan.find(&step.action).map(|index| &self.slots[index as usize]);
        let computed = slot.filter(|slot| slot.phase == Phase::Running && slot.attempt == attempt);
        let error = json!({
            "code": "ReplayDiffers",
            "message": format!(
                "Attempt {attempt} of action '{step}' was recorded with another input than this Larum computes from the same events. The run is suspended until a person resumes or cancels it."
            ),
            "action": step,
            "recorded": show(Some(recorded)),
            "computed": show(computed.and_then(|slot| slot.journalled.as_ref())),
        });
        self.conclude(RunStatus::Suspended, Some(error), out);
    }

    /// A journal may not grow for ever and a run may not last for ever.
    fn hold_limits(&mut self, plan: &Plan, out: &mut Vec<Command>) {
        if self.ended {
            return;
        }
        if self.now >= self.deadline() {
            let message = format!("The run lasted longer than {} days.", limits::RUN_DURATION.as_secs() / 86_400);
            let error = reason::run_error("RunTimedOut", &message);
            self.stop(plan, RunStatus::TimedOut, Some(error), "the run lasted too long", out);
        } else if self.events >= limits::JOURNAL_EVENTS {
            let message = format!("The run's journal holds {} events, the most there may be.", limits::JOURNAL_EVENTS);
            let error = reason::run_error("JournalFull", &message);
            self.stop(plan, RunStatus::Failed, Some(error), "the journal is full", out);
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
        while !self.ended
            && let Some(&Reverse(index)) = self.ready.peek()
        {
            if budget == 0 {
                self.paused = true;
                return;
            }
            budget -= 1;
            self.ready.pop();
            if self.slots[index as usize].phase == Phase::Ready {
                self.enter(&plan, index, out);
            }
        }
        self.paused = false;
    }

    /// An action's turn: it runs, or is skipped.
    fn enter(&mut self, plan: &Plan, index: Index, out: &mut Vec<Command>) {
        let node = plan.node_at(index);
        for (predecessor, accepted) in &node.after {
            if let Some(actual) = self.slots[*predecessor as usize].status
                && !accepted.contains(&actual)
            {
                let error = reason::run_after(&node.id, &plan.node_at(*predecessor).id, accepted, actual);
                self.skip_inside(plan, index, out);
                let ending = Ending::new(ActionStatus::Skipped, reason::ACTION_SKIPPED, Some(error));
                return self.end(plan, index, ending, out);
            }
        }
        self.slots[index as usize].started = Some(self.now);
        match &node.kind {
            Kind::If { condition, then, otherwise } => {
                let sight = Sight::of(self, index);
                let chosen = match condition.evaluate(&sight) {
                    Ok(Value::Bool(true)) => (*then, *otherwise),
                    Ok(Value::Bool(false)) => (*otherwise, *then),
                    other => {
                        let error = match other {
                            Ok(value) => reason::not_a_boolean(&node.id, &value),
                            Err(fault) => reason::invalid_template(&node.id, &fault),
                        };
                        self.skip_inside(plan, index, out);
                        return self.end(
                            plan,
                            index,
                            Ending::new(ActionStatus::Failed, "BadRequest", Some(error)),
                            out,
                        );
                    }
                };
                self.branch(plan, index, chosen, out);
            }
            Kind::Call { action, with, shape } => {
                let sight = Sight::of(self, index);
                let input = match with.evaluate(&sight) {
                    Ok(input) => input,
                    Err(fault) => {
                        let error = reason::invalid_template(&node.id, &fault);
                        return self.end(
                            plan,
                            index,
                            Ending::new(ActionStatus::Failed, "BadRequest", Some(error)),
                            out,
                        );
                    }
                };
                let input = match shape.shape(input) {
                    Ok(input) => Arc::new(input),
                    Err(key) => {
                        let error = Some(reason::missing_input(&node.id, key));
                        return self.end(plan, index, Ending::new(ActionStatus::Failed, "BadRequest", error), out);
                    }
                };
                self.slots[index as usize].input = Some(input.clone());
                match action.nature {
                    Nature::Pure(run) => {
                        let outcome = run(&input);
                        self.end(plan, index, ending(outcome), out);
                    }
                    Nature::Effect(_) => {
                        self.slots[index as usize].journalled = Some(self.journalled(&input));
                        self.start_timeout(node, index, out);
                        self.perform(plan, index, out);
                    }
                }
            }
        }
    }

    /// Starts the taken branch and skips the other.
    fn branch(&mut self, plan: &Plan, index: Index, (taken, other): (u32, u32), out: &mut Vec<Command>) {
        let node = plan.node_at(index);
        for &member in &plan.lists[other as usize].members {
            for inner in plan.node_at(member).subtree.clone() {
                let error = Some(reason::branch_not_taken(&plan.node_at(inner).id));
                self.close(inner, Ending::new(ActionStatus::Skipped, reason::ACTION_SKIPPED, error), out);
            }
        }
        self.slots[index as usize].phase = Phase::Running;
        if self.begin_list(plan, taken) {
            self.start_timeout(node, index, out);
        } else {
            self.end(plan, index, Ending::new(ActionStatus::Succeeded, "OK", None), out);
        }
    }

    /// Makes a list's first actions ready; `false` when it has none.
    fn begin_list(&mut self, plan: &Plan, list: u32) -> bool {
        let starters = &plan.lists[list as usize].starters;
        starters.iter().for_each(|&starter| self.make_ready(starter));
        !starters.is_empty()
    }

    fn make_ready(&mut self, index: Index) {
        let slot = &mut self.slots[index as usize];
        if slot.phase == Phase::Idle {
            slot.phase = Phase::Ready;
            self.ready.push(Reverse(index));
        }
    }

    /// Asks for the next attempt of an effect.
    fn perform(&mut self, plan: &Plan, index: Index, out: &mut Vec<Command>) {
        let Kind::Call { action, .. } = &plan.node_at(index).kind else { return };
        let slot = &mut self.slots[index as usize];
        let (Some(input), Some(journalled)) = (slot.input.clone(), slot.journalled.clone()) else { return };
        slot.phase = Phase::Running;
        slot.attempt += 1;
        slot.begun = None;
        let (step, attempt) = (plan.step(index), slot.attempt);
        out.push(Command::Perform { step, attempt, action: action.spec.name, input, journalled });
    }

    /// An effect's input as it is written down, without secrets.
    fn journalled(&self, input: &Value) -> Input {
        if self.trigger.secrets.is_empty() {
            return Input::of(input);
        }
        let mut clean = input.clone();
        self.trigger.secrets.redact(&mut clean);
        Input::of(&clean)
    }

    fn start_timeout(&mut self, node: &Node, index: Index, out: &mut Vec<Command>) {
        if let Some(after) = node.timeout {
            let timer = self.sleep(index, Purpose::Timeout, after, out);
            self.slots[index as usize].timeout = Some(timer);
        }
    }

    fn sleep(&mut self, index: Index, purpose: Purpose, after: std::time::Duration, out: &mut Vec<Command>) -> u64 {
        let timer = self.next_timer;
        self.next_timer += 1;
        self.timers.insert(timer, (index, purpose));
        // No longer than the run may last: the wake-up at the deadline is what ends it.
        let after = chrono::Duration::from_std(after).unwrap_or(chrono::Duration::MAX);
        let until = self.now.checked_add_signed(after).map_or(self.deadline(), |until| until.min(self.deadline()));
        out.push(Command::Sleep { timer, until });
        timer
    }

    fn unsleep(&mut self, timer: Option<u64>, out: &mut Vec<Command>) {
        if let Some(timer) = timer
            && self.timers.remove(&timer).is_some()
        {
            out.push(Command::Unsleep { timer });
        }
    }

    // --- ending ---

    /// Everything inside a container that is skipped or could not decide is skipped with it.
    fn skip_inside(&mut self, plan: &Plan, index: Index, out: &mut Vec<Command>) {
        let node = plan.node_at(index);
        for inner in node.subtree.clone().skip(1) {
            let error = Some(reason::container_did_not_run(&plan.node_at(inner).id, &node.id));
            self.close(inner, Ending::new(ActionStatus::Skipped, reason::ACTION_SKIPPED, error), out);
        }
    }

    /// Writes an action's end down.
    fn close(&mut self, index: Index, ending: Ending, out: &mut Vec<Command>) {
        let slot = &mut self.slots[index as usize];
        slot.phase = Phase::Done;
        slot.status = Some(ending.status);
        slot.code = ending.code;
        slot.outputs = ending.outputs;
        slot.error = ending.error;
        slot.ended = Some(self.now);
        let (timeout, retry) = (slot.timeout.take(), slot.retry.take());
        self.unsleep(timeout, out);
        self.unsleep(retry, out);
    }

    /// Ends an action, and the containers that end with it; makes ready what waited for it.
    fn end(&mut self, plan: &Plan, index: Index, ending: Ending, out: &mut Vec<Command>) {
        let mut next = Some((index, ending));
        while let Some((index, ending)) = next.take() {
            self.close(index, ending, out);
            let node = plan.node_at(index);
            for &dependent in &node.dependents {
                let slot = &mut self.slots[dependent as usize];
                slot.waiting = slot.waiting.saturating_sub(1);
                if slot.waiting == 0 {
                    self.make_ready(dependent);
                }
            }
            let open = &mut self.open[node.list as usize];
            *open = open.saturating_sub(1);
            if *open > 0 {
                return;
            }
            let list = &plan.lists[node.list as usize];
            match list.owner {
                None => self.finish(plan, out),
                Some(owner) => {
                    let ending = match status::of_list(plan, &self.slots, list) {
                        ActionStatus::Failed => {
                            Ending::new(ActionStatus::Failed, reason::ACTION_FAILED, Some(reason::action_failed()))
                        }
                        ActionStatus::TimedOut => Ending::new(
                            ActionStatus::TimedOut,
                            reason::ACTION_TIMED_OUT,
                            Some(reason::inner_timed_out()),
                        ),
                        ActionStatus::Succeeded | ActionStatus::Skipped | ActionStatus::Cancelled => {
                            Ending::new(ActionStatus::Succeeded, "OK", None)
                        }
                    };
                    next = Some((owner, ending));
                }
            }
        }
    }

    /// Every action has ended: the leaves decide.
    fn finish(&mut self, plan: &Plan, out: &mut Vec<Command>) {
        let (status, error) = match status::of_list(plan, &self.slots, &plan.lists[0]) {
            ActionStatus::Failed => (RunStatus::Failed, Some(self.failure(plan, &reason::action_failed()))),
            ActionStatus::TimedOut => (RunStatus::TimedOut, Some(self.failure(plan, &reason::inner_timed_out()))),
            ActionStatus::Succeeded | ActionStatus::Skipped | ActionStatus::Cancelled => (RunStatus::Succeeded, None),
        };
        self.conclude(status, error, out);
    }

    /// The run's error, with the action that decided it and what that action said as `details`, Azure's way.
    fn failure(&self, plan: &Plan, error: &ErrorInfo) -> Value {
        let mut value = reason::run_error(&error.code, &error.message);
        let mut list = 0;
        while let Some(culprit) =
            status::deciding(plan, &self.slots, &plan.lists[list as usize]).into_iter().find(|&index| {
                matches!(self.slots[index as usize].status, Some(ActionStatus::Failed | ActionStatus::TimedOut))
            })
        {
            let node = plan.node_at(culprit);
            let slot = &self.slots[culprit as usize];
            value["details"] = json!([{
                "target": *node.id,
                "code": slot.error.as_ref().map_or(&*slot.code, |error| &error.code),
                "message": slot.error.as_ref().map(|error| self.trigger.secrets.redact_text(&error.message)),
            }]);
            // A container only repeats what failed inside it.
            let Kind::If { then, otherwise, .. } = &node.kind else { break };
            if slot.code != reason::ACTION_FAILED {
                break;
            }
            let began = |list: u32| {
                let members = &plan.lists[list as usize].members;
                members.iter().any(|&member| self.slots[member as usize].started.is_some())
            };
            list = if began(*then) { *then } else { *otherwise };
        }
        value
    }

    fn conclude(&mut self, status: RunStatus, error: Option<Value>, out: &mut Vec<Command>) {
        if !self.ended {
            self.ended = true;
            self.paused = false;
            out.push(Command::Finish { status, error });
        }
    }
}

fn ending(outcome: Outcome) -> Ending {
    Ending {
        status: outcome.status,
        code: Cow::Owned(outcome.code),
        outputs: outcome.outputs.map(Arc::new),
        error: outcome.error,
    }
}

/// The action a step names; iterations belong to loops, which this machine does not have.
fn known<'p>(plan: &'p Plan, step: &Step) -> Option<(Index, &'p Node)> {
    let index = plan.find(&step.action).filter(|_| step.iterations.is_empty())?;
    Some((index, plan.node_at(index)))
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
