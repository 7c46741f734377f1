//! Logic Apps' leaf rule: what the actions of a list say about its container or run.

use super::state::Slot;
use crate::{
    engine::plan::{Index, List, Plan},
    playbook::ActionStatus,
};

/// The status of a list all of whose actions have ended, given the slots of its frame: its leaves decide; a skipped leaf is replaced by its
/// predecessors, as long as those were skipped too. Any failed one makes it failed, else any timed-out one timed out;
/// cancelled and skipped ones say nothing.
pub(super) fn of_list(plan: &Plan, slots: &[Slot], list: &List) -> ActionStatus {
    let mut status = ActionStatus::Succeeded;
    for leaf in deciding(plan, slots, list) {
        match slots[plan.node_at(leaf).place as usize].status {
            Some(ActionStatus::Failed) => return ActionStatus::Failed,
            Some(ActionStatus::TimedOut) => status = ActionStatus::TimedOut,
            Some(ActionStatus::Succeeded | ActionStatus::Skipped | ActionStatus::Cancelled) | None => {}
        }
    }
    status
}

/// The actions that decide a list's status, none of them skipped, in file order.
pub(super) fn deciding(plan: &Plan, slots: &[Slot], list: &List) -> Vec<Index> {
    let skipped = |index: Index| slots[plan.node_at(index).place as usize].status == Some(ActionStatus::Skipped);
    if !list.leaves.iter().any(|&leaf| skipped(leaf)) {
        return list.leaves.clone();
    }
    let mut open = list.leaves.clone();
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    while let Some(index) = open.pop() {
        if !seen.insert(index) {
            continue;
        }
        if skipped(index) {
            open.extend(plan.node_at(index).after.iter().map(|(predecessor, _)| *predecessor));
        } else {
            found.push(index);
        }
    }
    found.sort_unstable();
    found
}
