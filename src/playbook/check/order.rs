//! What runs after what in one list.

use std::collections::BTreeSet;

use super::names::{Names, fold};
use crate::{
    diagnostic::{Faults, codes, did_you_mean},
    playbook::{
        ActionStatus, RunAfter,
        read::{Order, Step},
    },
};

/// The order of a list.
pub(super) struct Plan {
    /// For each step, when it may start.
    pub run_after: Vec<RunAfter>,
    /// For each step, every sibling that has ended by then.
    pub before: Vec<BTreeSet<usize>>,
}

impl Plan {
    /// Resolves `run_after` of each step; siblings that are not there and circles are faults.
    pub(super) fn of(steps: &[Step<'_>], names: &Names<'_>, faults: &mut Faults) -> Self {
        let run_after: Vec<RunAfter> = (0..steps.len()).map(|at| resolve(steps, at, names, faults)).collect();
        let before = (0..steps.len()).map(|at| reach(&run_after, at)).collect::<Vec<_>>();
        report_cycles(steps, &run_after, &before, faults);
        Self { run_after, before }
    }
}

fn resolve(steps: &[Step<'_>], at: usize, names: &Names<'_>, faults: &mut Faults) -> RunAfter {
    let written = match &steps[at].order {
        Order::AsWritten if at == 0 => return RunAfter::Start,
        Order::AsWritten => return RunAfter::After(vec![(at - 1, vec![ActionStatus::Succeeded])]),
        Order::After(written) if written.is_empty() => return RunAfter::Start,
        Order::After(written) => written,
    };
    let mut after: Vec<(usize, Vec<ActionStatus>)> = Vec::new();
    for (name, span, statuses) in written {
        let is = |step: &Step<'_>| step.id.as_ref().is_some_and(|(id, _)| fold(id) == fold(name));
        match steps.iter().position(is) {
            Some(index) if after.iter().any(|(other, _)| *other == index) => {
                let message = format!("`{name}` is written twice: case does not count");
                faults.add(codes::DUPLICATE_NAME, span.clone(), message);
            }
            Some(index) => after.push((index, statuses.clone())),
            None => {
                let siblings = steps.iter().filter_map(|step| step.id.as_ref().map(|(id, _)| *id));
                let (message, help) = match names.get(name) {
                    Some(known) => (
                        format!("`{}` is in another list of actions", known.id),
                        Some("`run_after` names actions of the same list".to_owned()),
                    ),
                    None => (format!("there is no action `{name}` in this list"), did_you_mean(name, siblings)),
                };
                faults.add_with(codes::UNKNOWN_SIBLING, span.clone(), message, help);
            }
        }
    }
    RunAfter::After(after)
}

/// Every step that `from` waits for, directly or through another.
fn reach(run_after: &[RunAfter], from: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(at) = waiting.pop() {
        if let RunAfter::After(after) = &run_after[at] {
            waiting.extend(after.iter().map(|(index, _)| *index).filter(|index| seen.insert(*index)));
        }
    }
    seen
}

/// Reports each circle once, at the first of its steps that says `run_after`.
fn report_cycles(steps: &[Step<'_>], run_after: &[RunAfter], before: &[BTreeSet<usize>], faults: &mut Faults) {
    let mut reported: BTreeSet<usize> = BTreeSet::new();
    for (at, step) in steps.iter().enumerate() {
        if !before[at].contains(&at) || reported.contains(&at) {
            continue;
        }
        let Order::After(written) = &step.order else { continue };
        let circle: BTreeSet<usize> = before[at].iter().copied().filter(|other| before[*other].contains(&at)).collect();
        reported.extend(&circle);
        let name = |index: usize| steps[index].id.as_ref().map_or("?", |(id, _)| *id);
        // Walk the circle backwards, so that it reads in the order of waiting.
        let mut path = vec![name(at)];
        let mut here = at;
        while let RunAfter::After(after) = &run_after[here] {
            let Some((next, _)) = after.iter().find(|(index, _)| circle.contains(index)) else { break };
            path.push(name(*next));
            here = *next;
            if here == at || path.len() > steps.len() + 1 {
                break;
            }
        }
        let span = written
            .iter()
            .find(|(key, ..)| path.get(1).is_some_and(|next| fold(next) == fold(key)))
            .map_or(0..0, |(_, span, _)| span.clone());
        let message = if path.len() == 2 {
            format!("`{}` waits for itself", path[0])
        } else {
            let path: Vec<String> = path.iter().map(|id| format!("`{id}`")).collect();
            format!("actions wait for each other: {}", path.join(" after "))
        };
        faults.add(codes::CYCLE, span, message);
    }
}
