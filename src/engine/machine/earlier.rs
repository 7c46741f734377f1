//! A run that repeats another one: what is taken over from that one, and what it leaves to the next.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Machine, Reply,
    reason::{ACTION_FAILED, Why},
    state::{Kept, Place},
};
use crate::{
    action::{ActionType, Nature, Outcome},
    engine::{
        Step,
        earlier::Entry,
        event::Command,
        plan::{Kind, Plan},
        secrets::without_credentials,
    },
    playbook::ActionStatus,
};

impl Machine {
    /// What is kept of the step at a place.
    fn entry(&self, plan: &Plan, at: Place) -> Option<&Entry> {
        if self.trigger.earlier.is_empty() {
            return None;
        }
        self.trigger.earlier.of(&self.step(plan, at))
    }

    /// Ends an action as it ended in the earlier run, where it was done then; `false` when it was not.
    pub(super) fn take_over(&mut self, plan: &Plan, at: Place, action: &ActionType, out: &mut Vec<Command>) -> bool {
        let Some(Entry::Done { action: name, input, outcome, started, ended, .. }) = self.entry(plan, at) else {
            return false;
        };
        if name != action.spec.name || !is_kept(&action.nature) {
            return false;
        }
        let (input, outcome, started, ended) = (Arc::new(input.clone()), outcome.clone(), *started, *ended);
        if let Nature::Reply(_) = action.nature {
            self.reply = Reply::Sent;
        }
        let slot = self.slot_mut(plan, at);
        slot.started = Some(started);
        slot.input = Some(Kept::Whole(input));
        slot.work().kept = Some(ended);
        self.end(plan, at, super::hear::ending(*outcome), out);
        true
    }

    /// The branch the earlier run took, where that is to stay.
    pub(super) fn branch_taken(&self, plan: &Plan, at: Place) -> Option<u32> {
        let Some(Entry::Branch { branch, .. }) = self.entry(plan, at) else { return None };
        plan.node_at(at.index).kind.lists().get(*branch as usize).copied()
    }

    /// How often an `until` went round in the earlier run, and whether it was over then.
    pub(super) fn rounds_gone(&self, plan: &Plan, at: Place) -> Option<(usize, bool)> {
        let Some(Entry::Rounds { rounds, over, .. }) = self.entry(plan, at) else { return None };
        Some((*rounds as usize, *over))
    }

    /// What a run that does again only what failed takes over from this one. Secret parameters are left out, and inputs are
    /// without any secret; an outcome may hold one of a `secure:` field, because the run may need it.
    #[must_use]
    pub fn leaves(&self) -> Vec<Entry> {
        let plan = &*self.plan;
        self.places(plan).filter_map(|at| self.leaves_of(plan, at)).collect()
    }

    /// The actions that failed, timed out or were cancelled, with their codes.
    #[must_use]
    pub fn failed(&self) -> Vec<(Step, ActionStatus, String)> {
        let plan = &*self.plan;
        let failed = self.places(plan).filter_map(|at| {
            let slot = self.slot(plan, at);
            let status = slot.status.filter(|status| status.is_failure())?;
            Some((self.step(plan, at), status, slot.code().to_owned()))
        });
        failed.collect()
    }

    /// Every action of every iteration begun.
    fn places<'m>(&'m self, plan: &'m Plan) -> impl Iterator<Item = Place> + 'm {
        let frames = self.frames.iter().zip(0u32..);
        frames.flat_map(move |(frame, number)| {
            let nodes = &plan.regions[frame.region as usize].nodes;
            nodes.iter().map(move |&index| Place { index, frame: number })
        })
    }

    fn leaves_of(&self, plan: &Plan, at: Place) -> Option<Entry> {
        let slot = self.slot(plan, at);
        let (started, step) = (slot.started?, || self.step(plan, at));
        match &plan.node_at(at.index).kind {
            Kind::Call { action, .. } if is_kept(&action.nature) && slot.status == Some(ActionStatus::Succeeded) => {
                let mut input = slot.input.as_ref().map(|input| input.value().into_owned()).unwrap_or_default();
                self.trigger.secrets.redact(&mut input);
                let given = |outputs: &Kept| {
                    let mut outputs = outputs.value().into_owned();
                    self.trigger.secrets.withhold(&mut outputs);
                    outputs.into()
                };
                let outcome = Outcome {
                    code: slot.code().to_owned(),
                    outputs: slot.outputs.as_ref().map(given),
                    ..Outcome::succeeded(Value::Null)
                };
                Some(Entry::Done {
                    step: step(),
                    action: action.spec.name.to_owned(),
                    input: without_credentials(&input).unwrap_or(input),
                    outcome: Box::new(outcome),
                    started,
                    ended: slot.ended?,
                })
            }
            // What was decided later may have been decided by a failure, and that may not come again.
            kind @ (Kind::If { .. } | Kind::Switch { .. }) if slot.early => {
                let lists = kind.lists();
                let first = |list: &u32| plan.lists[*list as usize].members.first();
                let is_taken = |list: &u32| {
                    first(list).is_some_and(|&index| {
                        let why = &self.slot(plan, Place { index, ..at }).why;
                        !matches!(why, Some(Why::BranchNotTaken))
                    })
                };
                // Where all others were passed over it was one with nothing in it, whichever.
                let empty = || lists.iter().position(|list| first(list).is_none());
                let branch = lists.iter().position(is_taken).or_else(empty)?;
                Some(Entry::Branch { step: step(), branch: u32::try_from(branch).ok()? })
            }
            Kind::Until { .. } => {
                let rounds = super::count(&slot.turns()?.frames);
                let over = slot.status == Some(ActionStatus::Succeeded) && slot.early;
                let at_limit = matches!(&slot.why, Some(Why::Said(error)) if error.code == ACTION_FAILED);
                (over || at_limit).then(|| Entry::Rounds { step: step(), rounds, over })
            }
            _ => None,
        }
    }
}

/// Whether what an action did reaches beyond the run, or took its time: that is not done twice. Everything else is worked
/// out anew.
fn is_kept(nature: &Nature) -> bool {
    match nature {
        Nature::Effect(_) | Nature::Approval { .. } | Nature::Child(_) | Nature::Delay(_) | Nature::Reply(_) => true,
        Nature::Pure(_) | Nature::Clocked(_) | Nature::PerItem(_) | Nature::Variable(_) => false,
    }
}
