//! How actions, containers and the run come to their ends.

use serde_json::{Value, json};

use super::{
    Machine,
    reason::{self, Cause, Why},
    state::{Ending, Phase, Place},
    status, turns,
};
use crate::{
    action::ErrorInfo,
    engine::{
        event::Command,
        plan::{Kind, Plan},
    },
    playbook::ActionStatus,
    store::run::RunStatus,
};

impl Machine {
    /// Writes an action's end down.
    pub(super) fn close(&mut self, plan: &Plan, at: Place, ending: Ending, out: &mut Vec<Command>) {
        let ending = self.learned(plan, at, ending);
        let (now, early) = (self.now, !self.failed);
        self.failed |= ending.status.is_failure();
        let slot = self.slot_mut(plan, at);
        slot.phase = Phase::Done;
        if let Kind::Until { .. } = plan.node_at(at.index).kind {
            slot.early = early;
        }
        slot.status = Some(ending.status);
        slot.code = ending.code;
        slot.outputs = ending.outputs;
        slot.why = ending.why;
        slot.ended = Some(slot.work.as_ref().and_then(|work| work.kept).unwrap_or(now));
        if let Some(work) = &mut slot.work {
            let (timeout, timer) = (work.timeout.take(), work.timer.take());
            self.unsleep(timeout, out);
            self.unsleep(timer, out);
        }
    }

    /// Ends an action, and the containers that end with it; makes ready what waited for it.
    pub(super) fn end(&mut self, plan: &Plan, at: Place, ending: Ending, out: &mut Vec<Command>) {
        let mut next = Some((at, ending));
        while let Some((at, ending)) = next.take() {
            self.close(plan, at, ending, out);
            let node = plan.node_at(at.index);
            for &dependent in &node.dependents {
                let dependent = Place { index: dependent, ..at };
                let slot = self.slot_mut(plan, dependent);
                slot.waiting = slot.waiting.saturating_sub(1);
                if slot.waiting == 0 {
                    self.make_ready(plan, dependent);
                }
            }
            let list = &plan.lists[node.list as usize];
            let frame = &mut self.frames[at.frame as usize];
            let open = &mut frame.open[list.place as usize];
            *open = open.saturating_sub(1);
            if *open > 0 {
                return;
            }
            next = match list.owner {
                None => return self.finish(plan, out),
                Some(_) if plan.regions[node.region as usize].list == node.list => self.iteration_ended(plan, at.frame),
                Some(owner) => {
                    let status = status::of_list(plan, &self.frames[at.frame as usize].slots, list);
                    Some((Place { index: owner, ..at }, turns::of(status)))
                }
            };
        }
    }

    /// Ends an action together with what surrounds it.
    pub(super) fn interrupt(&mut self, plan: &Plan, at: Place, why: Cause, out: &mut Vec<Command>) {
        let status = match self.slot(plan, at).phase {
            Phase::Done => return,
            Phase::Idle | Phase::Ready => ActionStatus::Skipped,
            Phase::Running | Phase::Pausing | Phase::Waiting => ActionStatus::Cancelled,
        };
        self.drop_work(plan, at, out);
        self.close(plan, at, Ending::why(status, Why::Terminated(why)), out);
    }

    /// The run is over at once: what runs is cancelled, what has not begun is skipped.
    pub(super) fn stop(
        &mut self,
        plan: &Plan,
        status: RunStatus,
        error: Option<Value>,
        why: Cause,
        out: &mut Vec<Command>,
    ) {
        for frame in 0..super::count(&self.frames) {
            let region = self.frames[frame as usize].region;
            for &index in &plan.regions[region as usize].nodes {
                self.interrupt(plan, Place { index, frame }, why, out);
            }
        }
        self.conclude(status, error, out);
    }

    /// Every action has ended: the leaves decide.
    pub(super) fn finish(&mut self, plan: &Plan, out: &mut Vec<Command>) {
        let list = &plan.lists[plan.regions[0].list as usize];
        let (status, error) = match status::of_list(plan, &self.frames[0].slots, list) {
            ActionStatus::Failed => (RunStatus::Failed, Some(self.failure(plan, &reason::action_failed()))),
            ActionStatus::TimedOut => (RunStatus::TimedOut, Some(self.failure(plan, &reason::inner_timed_out()))),
            ActionStatus::Succeeded | ActionStatus::Skipped | ActionStatus::Cancelled => (RunStatus::Succeeded, None),
        };
        self.conclude(status, error, out);
    }

    /// The run's error, with the action that decided it and what that action said as `details`, Azure's way.
    fn failure(&self, plan: &Plan, error: &ErrorInfo) -> Value {
        let mut value = reason::run_error(&error.code, &error.message);
        let mut looking = vec![(0, plan.regions[0].list)];
        while let Some((frame, list)) = looking.pop() {
            let slots = &self.frames[frame as usize].slots;
            let culprit = status::deciding(plan, slots, &plan.lists[list as usize]).into_iter().find(|&index| {
                let status = self.slot(plan, Place { index, frame }).status;
                matches!(status, Some(ActionStatus::Failed | ActionStatus::TimedOut))
            });
            let Some(index) = culprit else { continue };
            let at = Place { index, frame };
            let (node, slot) = (plan.node_at(index), self.slot(plan, at));
            let said = slot.why.as_ref().map(|why| why.error(self, at));
            value["details"] = json!([{
                "target": self.step(plan, at),
                "code": said.as_ref().map_or(slot.code(), |error| &error.code),
                "message": said.as_ref().map(|error| self.trigger.secrets.redact_text(&error.message)),
            }]);
            // A container only repeats what failed inside it.
            if !matches!(slot.why, Some(Why::ActionFailed | Why::InnerTimedOut)) {
                break;
            }
            looking.clear();
            let began = |list: u32| {
                let members = &plan.lists[list as usize].members;
                members.iter().any(|&index| self.slot(plan, Place { index, frame }).started.is_some())
            };
            match (&node.kind, node.kind.body()) {
                (Kind::Until { .. }, Some(region)) => {
                    let last = slot.turns().and_then(|turns| turns.frames.last());
                    looking.extend(last.map(|&last| (last, plan.regions[region as usize].list)));
                }
                (_, Some(region)) => {
                    let frames = slot.turns().map(|turns| turns.frames.as_slice()).unwrap_or_default();
                    let list = plan.regions[region as usize].list;
                    // The first iteration that came to what the loop came to.
                    let first = frames.iter().find(|&&frame| {
                        let slots = &self.frames[frame as usize].slots;
                        Some(status::of_list(plan, slots, &plan.lists[list as usize])) == slot.status
                    });
                    looking.extend(first.map(|&first| (first, list)));
                }
                (kind, None) => {
                    looking.extend(kind.lists().into_iter().find(|&list| began(list)).map(|list| (frame, list)));
                }
            }
        }
        value
    }

    pub(super) fn conclude(&mut self, status: RunStatus, error: Option<Value>, out: &mut Vec<Command>) {
        if !self.ended {
            self.ended = true;
            self.paused = false;
            out.push(Command::Finish { status, error });
        }
    }
}
