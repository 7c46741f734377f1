//! What events do.

use std::{borrow::Cow, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Machine, Reply, draw,
    reason::{Cause, Why},
    state::{Attempt, Ending, Kept, Phase, Place, Purpose},
};
use crate::{
    action::{Nature, Outcome, Poll},
    engine::{
        Step,
        event::{Command, Event, Input},
        plan::{Kind, Node, Plan},
        retry,
    },
    limits,
    playbook::ActionStatus,
    redaction::REDACTED,
    store::run::RunStatus,
};

impl Machine {
    pub(super) fn hear(&mut self, plan: &Plan, event: Event, out: &mut Vec<Command>) {
        match event {
            Event::Started { step, attempt, at, input } => self.started(plan, &step, attempt, at, &input, out),
            Event::Finished { step, attempt, outcome, .. } => self.finished(plan, &step, attempt, outcome, out),
            // A timer is never set beyond the run's last instant; at that instant it is the run that times out.
            Event::Woke { timer, .. } if self.now < self.deadline() => self.woke(plan, timer, out),
            Event::Woke { timer, .. } => {
                self.timers.remove(&timer);
            }
            Event::Signalled { step, payload, .. } => self.signalled(plan, &step, &payload, out),
            Event::Returned { step, outcome, .. } => self.returned(plan, &step, outcome, out),
            Event::Replied { .. } => self.replied(plan, out),
            Event::Cancelled { .. } => {
                self.stop(plan, RunStatus::Cancelled, None, Cause::RunCancelled, out);
            }
        }
    }

    fn started(
        &mut self,
        plan: &Plan,
        step: &Step,
        attempt: u32,
        at: DateTime<Utc>,
        input: &Input,
        out: &mut Vec<Command>,
    ) {
        let Some(place) = self.place(plan, step) else { return self.differs(plan, step, attempt, None, input, out) };
        // A live run journals only what it wants at that moment, so whatever else stands there was wanted by another program.
        let slot = self.slot(plan, place);
        let expected = slot.work.as_ref().and_then(|work| work.journalled.as_ref());
        let is_same = |expected| self.is_same(expected, input, slot.input.as_ref());
        if slot.phase != Phase::Running || attempt != slot.attempt() || !expected.is_some_and(is_same) {
            return self.differs(plan, step, attempt, Some(place), input, out);
        }
        self.slot_mut(plan, place).work().begun = Some(at);
    }

    fn finished(&mut self, plan: &Plan, step: &Step, attempt: u32, mut outcome: Outcome, out: &mut Vec<Command>) {
        let Some(at) = self.place(plan, step) else { return };
        let node = plan.node_at(at.index);
        let now = self.now;
        let slot = self.slot_mut(plan, at);
        if slot.phase != Phase::Running || attempt != slot.attempt() {
            return;
        }
        let input = slot.input.as_ref().map(Kept::shared);
        let work = slot.work();
        let begun = work.begun.take().unwrap_or(now);
        if let Some(poll) = outcome.poll.take() {
            work.failures = 0;
            let mut next = input.as_deref().cloned().unwrap_or_default();
            // The rest of the input stands in the journal since the first attempt; each question needs only what is new.
            let journalled = self.journalled(&json!({Poll::KEY: poll.state}));
            if let Value::Object(members) = &mut next {
                members.insert(Poll::KEY.to_owned(), poll.state);
            }
            let work = self.slot_mut(plan, at).work();
            work.polling = Some(Arc::new(next));
            work.journalled = Some(journalled);
            return self.pause(plan, at, poll.after, out);
        }
        if outcome.status == ActionStatus::Failed && outcome.retryable {
            let failures = work.failures + 1;
            let random = draw(&self.trigger.seed, "retry", step, attempt, 0);
            if let Some(wait) = retry::wait(node.retry, failures, outcome.retry_after, random) {
                let work = self.slot_mut(plan, at).work();
                work.failures = failures;
                work.history.push(Attempt { started: begun, ended: now, code: outcome.code, error: outcome.error });
                return self.pause(plan, at, wait, out);
            }
        }
        if let Kind::Call { action, .. } = &node.kind
            && matches!(action.nature, Nature::Approval { .. })
            && outcome.status == ActionStatus::Succeeded
        {
            return self.await_answer(plan, at, outcome, out);
        }
        self.end(plan, at, ending(outcome), out);
    }

    /// Waits between two attempts.
    fn pause(&mut self, plan: &Plan, at: Place, wait: std::time::Duration, out: &mut Vec<Command>) {
        self.slot_mut(plan, at).phase = Phase::Pausing;
        let timer = self.sleep(at, Purpose::Retry, self.after(wait), out);
        self.slot_mut(plan, at).work().timer = Some(timer);
    }

    /// What was asked is on its way; now somebody must answer.
    fn await_answer(&mut self, plan: &Plan, at: Place, sent: Outcome, out: &mut Vec<Command>) {
        let slot = self.slot_mut(plan, at);
        slot.phase = Phase::Waiting;
        slot.work().sent = sent.outputs.map(Arc::new);
        self.wait_at_most(plan, at, out);
        out.push(Command::Await { step: self.step(plan, at) });
    }

    /// Nobody waits longer than the run may last, and a run that only waits needs a time to be woken at.
    pub(super) fn wait_at_most(&mut self, plan: &Plan, at: Place, out: &mut Vec<Command>) {
        if self.slot_mut(plan, at).work().timeout.is_none() {
            let timer = self.sleep(at, Purpose::Timeout, self.after(limits::RUN_DURATION), out);
            self.slot_mut(plan, at).work().timeout = Some(timer);
        }
    }

    /// What a step asks somebody, and how it ended when it no longer waits; `None` when it asks nothing or has not begun.
    /// Secrets are left out.
    #[must_use]
    pub fn asked(&self, step: &Step) -> Option<(Value, Option<ActionStatus>)> {
        let at = self.place(&self.plan, step)?;
        let Kind::Call { action, .. } = &self.plan.node_at(at.index).kind else { return None };
        let slot = self.slot(&self.plan, at);
        let mut input =
            slot.input.as_ref().filter(|_| matches!(action.nature, Nature::Approval { .. }))?.value().into_owned();
        self.trigger.secrets.redact(&mut input);
        Some((input, slot.status))
    }

    fn signalled(&mut self, plan: &Plan, step: &Step, payload: &Value, out: &mut Vec<Command>) {
        let Some(at) = self.place(plan, step) else { return };
        let slot = self.slot(plan, at);
        let Kind::Call { action, .. } = &plan.node_at(at.index).kind else { return };
        let Nature::Approval { answer, .. } = action.nature else { return };
        if slot.phase == Phase::Waiting {
            let sent = slot.work.as_ref().and_then(|work| work.sent.clone()).unwrap_or_default();
            self.end(plan, at, ending(answer(&sent, payload)), out);
        }
    }

    fn returned(&mut self, plan: &Plan, step: &Step, outcome: Outcome, out: &mut Vec<Command>) {
        let Some(at) = self.place(plan, step) else { return };
        let is_child = matches!(&plan.node_at(at.index).kind, Kind::Call { action, .. } if matches!(action.nature, Nature::Child(_)));
        if is_child && self.slot(plan, at).phase == Phase::Running {
            self.end(plan, at, ending(outcome), out);
        }
    }

    fn replied(&mut self, plan: &Plan, out: &mut Vec<Command>) {
        let Reply::Sending(at) = self.reply else { return };
        self.reply = Reply::Sent;
        let slot = self.slot(plan, at);
        if slot.phase == Phase::Running {
            let outputs = slot.outputs.clone();
            self.end(plan, at, Ending { outputs, ..Ending::succeeded("OK") }, out);
        }
    }

    fn woke(&mut self, plan: &Plan, timer: u64, out: &mut Vec<Command>) {
        let Some((at, purpose)) = self.timers.remove(&timer) else { return };
        let work = self.slot_mut(plan, at).work();
        match purpose {
            Purpose::Retry => {
                work.timer = None;
                self.perform(plan, at, out);
            }
            Purpose::Delay => {
                work.timer = None;
                self.end(plan, at, Ending::succeeded("OK"), out);
            }
            Purpose::Timeout => {
                work.timeout = None;
                self.drop_work(plan, at, out);
                for inner in self.inside(plan, at) {
                    self.interrupt(plan, inner, Cause::ContainerTimedOut, out);
                }
                self.end(plan, at, Ending::why(ActionStatus::TimedOut, Why::TimedOut), out);
            }
        }
    }

    /// Asks for the next attempt of an effect.
    pub(super) fn perform(&mut self, plan: &Plan, at: Place, out: &mut Vec<Command>) {
        let Kind::Call { action, .. } = &plan.node_at(at.index).kind else { return };
        let slot = self.slot_mut(plan, at);
        slot.phase = Phase::Running;
        let input = slot.input.as_ref().map(Kept::shared);
        let work = slot.work();
        work.attempt += 1;
        work.begun = None;
        let (attempt, journalled) = (work.attempt, work.journalled.clone());
        let (Some(input), Some(journalled)) = (work.polling.clone().or(input), journalled) else { return };
        out.push(Command::Perform { step: self.step(plan, at), attempt, action: action.spec.name, input, journalled });
    }

    /// Tells the driver that something asked of it is no longer wanted.
    pub(super) fn drop_work(&mut self, plan: &Plan, at: Place, out: &mut Vec<Command>) {
        let slot = self.slot(plan, at);
        let Kind::Call { action, .. } = &plan.node_at(at.index).kind else { return };
        let is_asked = match action.nature {
            Nature::Effect(_) | Nature::Child(_) => slot.phase == Phase::Running,
            Nature::Approval { .. } => matches!(slot.phase, Phase::Running | Phase::Waiting),
            _ => false,
        };
        if is_asked {
            out.push(Command::Drop { step: self.step(plan, at), attempt: slot.attempt() });
        }
    }

    /// What the journal says is not what this program would do: the run stops and a person decides.
    fn differs(
        &mut self,
        plan: &Plan,
        step: &Step,
        attempt: u32,
        at: Option<Place>,
        recorded: &Input,
        out: &mut Vec<Command>,
    ) {
        let node: Option<&Node> = plan.find(&step.action).map(|index| plan.node_at(index));
        let hidden = node.is_some_and(|node| node.secure_inputs);
        let show = |input: Option<&Input>| match input {
            Some(_) if hidden => json!(REDACTED),
            Some(input) => self.shown(input),
            None => Value::Null,
        };
        let slot = at.map(|at| self.slot(plan, at));
        let computed = slot.filter(|slot| slot.phase == Phase::Running && slot.attempt() == attempt);
        let computed = computed.and_then(|slot| slot.work.as_ref()?.journalled.as_ref());
        let error = json!({
            "code": "ReplayDiffers",
            "message": format!(
                "Attempt {attempt} of action '{step}' was recorded with another input than this Larum computes from the same events. The run is suspended until a person resumes or cancels it."
            ),
            "action": step,
            "recorded": show(Some(recorded)),
            "computed": show(computed),
        });
        self.ended = true;
        self.suspended = true;
        self.paused = false;
        // Also where this program would have ended the run by now: what it would end it with is not to be believed.
        out.push(Command::Finish { status: RunStatus::Suspended, error: Some(error) });
    }

    /// An event behind the run's end: only an attempt that another program began says that something is wrong.
    pub(super) fn hear_late(&mut self, plan: &Plan, event: &Event, out: &mut Vec<Command>) {
        if let Event::Started { step, attempt, input, .. } = event
            && !self.at_limit
        {
            self.differs(plan, step, *attempt, self.place(plan, step), input, out);
        }
    }
}

/// An action's own outcome as its end.
pub(super) fn ending(outcome: Outcome) -> Ending {
    Ending {
        status: outcome.status,
        code: Cow::Owned(outcome.code),
        outputs: outcome.outputs.map(|outputs| Kept::Lazy(Arc::new(outputs))),
        why: outcome.error.map(|error| Why::Said(Box::new(error))),
    }
}
