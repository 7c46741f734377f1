//! The iterations of loops.

use serde_json::Value;

use super::{
    Machine,
    reason::{self, Why},
    state::{Ending, Frame, Phase, Place, Slot, Turns},
    status,
};
use crate::{
    engine::{
        event::Command,
        plan::{Kind, Plan},
    },
    expression::Tree,
    limits,
    playbook::{ActionStatus, UntilLimit},
};

impl Machine {
    pub(super) fn begin_for_each(
        &mut self,
        plan: &Plan,
        at: Place,
        over: &Tree,
        out: &mut Vec<Command>,
    ) -> Result<(), Box<Ending>> {
        let id = &plan.node_at(at.index).id;
        let items = match self.evaluate(plan, at, "for_each", over)? {
            Value::Array(items) => items,
            value => {
                return Err(self.wrong_type(plan, at, "'for_each' expression", &value, "Array"));
            }
        };
        if items.len() > limits::FOR_EACH_ITEMS {
            let error = reason::too_many_items(id, items.len(), limits::FOR_EACH_ITEMS);
            return Err(Box::new(Ending::failed("BadRequest", error)));
        }
        let slot = self.slot_mut(plan, at);
        slot.phase = Phase::Running;
        slot.work().turns = Some(Turns { items, ..Turns::default() });
        self.start_timeout(plan, at, out);
        if let Some(ending) = self.next_items(plan, at) {
            self.end(plan, at, ending, out);
        }
        Ok(())
    }

    pub(super) fn begin_until(
        &mut self,
        plan: &Plan,
        at: Place,
        limit: &UntilLimit,
        out: &mut Vec<Command>,
    ) -> Result<(), Box<Ending>> {
        let most = match self.evaluate(plan, at, "limit.count", &limit.count)? {
            Value::Number(count) if count.as_u64().is_some_and(|count| (1..=limits::UNTIL_COUNT).contains(&count)) => {
                count.as_u64().unwrap_or(limits::UNTIL_COUNT_DEFAULT)
            }
            value => {
                let expected = format!("Integer from 1 to {}", limits::UNTIL_COUNT);
                return Err(self.wrong_type(plan, at, "'limit.count'", &value, &expected));
            }
        };
        let gone = self.rounds_gone(plan, at).filter(|(_, over)| !over).map_or(0, |(rounds, _)| rounds as u64);
        let slot = self.slot_mut(plan, at);
        slot.phase = Phase::Running;
        slot.work().turns = Some(Turns { most: most + gone, ..Turns::default() });
        self.start_timeout(plan, at, out);
        if !self.begin_iteration(plan, at)
            && let Some(ending) = self.look_again(plan, at, ActionStatus::Succeeded)
        {
            self.end(plan, at, ending, out);
        }
        Ok(())
    }

    /// Opens the next iteration of the loop at `at`; `false` when there is nothing in its body, so that it is over at once.
    fn begin_iteration(&mut self, plan: &Plan, at: Place) -> bool {
        let Some(region) = plan.node_at(at.index).kind.body() else { return false };
        let frame = super::count(&self.frames);
        let turns = self.slot_mut(plan, at).work().turns.get_or_insert_default();
        let iteration = super::count(&turns.frames);
        turns.frames.push(frame);
        turns.open += 1;
        self.frames.push(Frame::new(plan, region, Some(at), iteration));
        let begun = self.begin_list(plan, frame, plan.regions[region as usize].list);
        if !begun {
            self.slot_mut(plan, at).work().turns.get_or_insert_default().open -= 1;
        }
        begun
    }

    /// Whether the loops of the run went through more iterations than they may; then it is stopped at its next step.
    pub(super) fn is_overrun(&self) -> bool {
        // The run itself is a frame too.
        self.frames.len() > limits::RUN_ITERATIONS + 1
    }

    /// Opens as many iterations of a `for_each` as may run at once; its end, when none is left.
    fn next_items(&mut self, plan: &Plan, at: Place) -> Option<Ending> {
        let Kind::ForEach { concurrency, .. } = plan.node_at(at.index).kind else { return None };
        loop {
            let turns = self.slot(plan, at).turns()?;
            let left = turns.items.len() > turns.frames.len();
            if turns.open == 0 && !left {
                let status = turns.status.unwrap_or(ActionStatus::Succeeded);
                self.slot_mut(plan, at).work().turns.get_or_insert_default().items = Vec::new();
                return Some(of(status));
            }
            if turns.open >= concurrency || !left || self.is_overrun() {
                return None;
            }
            self.begin_iteration(plan, at);
        }
    }

    /// An iteration's last action has ended; the loop's own end, when it was the last.
    pub(super) fn iteration_ended(&mut self, plan: &Plan, frame: u32) -> Option<(Place, Ending)> {
        let Frame { region, owner, iteration, slots, open } = &mut self.frames[frame as usize];
        let at = (*owner)?;
        let iteration = *iteration as usize;
        let list = &plan.lists[plan.regions[*region as usize].list as usize];
        let status = status::of_list(plan, slots, list);
        *open = Box::default();
        let turns = self.slot_mut(plan, at).work().turns.get_or_insert_default();
        turns.open = turns.open.saturating_sub(1);
        let ending = if matches!(plan.node_at(at.index).kind, Kind::ForEach { .. }) {
            turns.status = Some(worse(turns.status, status));
            // No expression can reach it any more.
            if let Some(item) = turns.items.get_mut(iteration) {
                item.take();
            }
            if turns.items.len() > limits::WHOLE_ITERATIONS {
                self.put_away(plan, frame);
            }
            self.next_items(plan, at)
        } else {
            self.look_again(plan, at, status)
        };
        ending.map(|ending| (at, ending))
    }

    /// Keeps what the actions of an iteration took and gave as text, those of loops inside of it too.
    fn put_away(&mut self, plan: &Plan, frame: u32) {
        let nodes = &plan.regions[self.frames[frame as usize].region as usize].nodes;
        let loops = nodes.iter().filter(|&&index| plan.node_at(index).kind.body().is_some());
        for place in loops.flat_map(|&index| self.inside(plan, Place { index, frame })).collect::<Vec<_>>() {
            self.slot_mut(plan, place).put_away();
        }
        self.frames[frame as usize].slots.iter_mut().for_each(Slot::put_away);
    }

    /// After an iteration of an `until`: over, or once more.
    fn look_again(&mut self, plan: &Plan, at: Place, last: ActionStatus) -> Option<Ending> {
        let Kind::Until { condition, limit, .. } = &plan.node_at(at.index).kind else { return None };
        let mut last = last;
        let gone = self.rounds_gone(plan, at);
        loop {
            let iterations = self.slot(plan, at).turns().map_or(0, |turns| turns.frames.len());
            match gone {
                Some((rounds, _)) if iterations < rounds => {
                    if self.begin_iteration(plan, at) {
                        return None;
                    }
                    last = ActionStatus::Succeeded;
                    continue;
                }
                Some((_, true)) => return Some(of(last)),
                _ => {}
            }
            match self.evaluate(plan, at, "until", condition) {
                Ok(Value::Bool(true)) => return Some(of(last)),
                Ok(Value::Bool(false)) => {}
                Ok(value) => {
                    return Some(*self.wrong_type(plan, at, "condition", &value, "Boolean"));
                }
                Err(ending) => return Some(*ending),
            }
            let slot = self.slot(plan, at);
            let (iterations, most) = slot.turns().map_or((0, 0), |turns| (turns.frames.len(), turns.most));
            let lasted = (self.now - slot.started.unwrap_or(self.now)).to_std().unwrap_or_default();
            if iterations as u64 >= most || lasted >= limit.timeout {
                return Some(match limit.fails {
                    true => {
                        let error = reason::limit_reached(&plan.node_at(at.index).id, iterations);
                        Ending::failed(reason::ACTION_FAILED, error)
                    }
                    false => of(last),
                });
            }
            if self.begin_iteration(plan, at) {
                return None;
            }
            last = ActionStatus::Succeeded;
        }
    }
}

/// The end of a container whose actions came to `status`.
pub(super) fn of(status: ActionStatus) -> Ending {
    match status {
        ActionStatus::Failed => Ending::why(ActionStatus::Failed, Why::ActionFailed),
        ActionStatus::TimedOut => Ending::why(ActionStatus::TimedOut, Why::InnerTimedOut),
        ActionStatus::Succeeded | ActionStatus::Skipped | ActionStatus::Cancelled => Ending::succeeded("OK"),
    }
}

/// Any failed iteration makes a loop failed, else any timed-out one timed out.
fn worse(so_far: Option<ActionStatus>, status: ActionStatus) -> ActionStatus {
    match (so_far, status) {
        (Some(ActionStatus::Failed), _) | (_, ActionStatus::Failed) => ActionStatus::Failed,
        (Some(ActionStatus::TimedOut), _) | (_, ActionStatus::TimedOut) => ActionStatus::TimedOut,
        _ => ActionStatus::Succeeded,
    }
}
