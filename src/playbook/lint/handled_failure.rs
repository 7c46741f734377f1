//! A handler beside a success path: the handler runs, and the list it stands in fails all the same.
//!
//! What a list comes to is decided by its last actions. One that was skipped stands for what it waited for, so that
//! the skipped success path brings back the failure that was handled (Logic Apps' leaf rule).

use super::scene::Scene;
use crate::{
    diagnostic::{Diagnostic, codes},
    playbook::{Action, ActionKind, ActionStatus as Status, RunAfter},
};

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for step in scene.steps.iter().filter(|step| step.place == 0) {
        let container = step.within.last().map(|at| scene.steps[*at].action);
        // Of all that a list makes of every action's success, only what runs can fail.
        let smooth = statuses(step.list, None);
        for failing in (0..step.list.len()).filter(|place| smooth[*place] == Status::Succeeded) {
            found.extend(unheard(scene, step.list, failing, container));
        }
    }
    found
}

/// The warning for a failure of the action at `failing`.
fn unheard(scene: &Scene<'_>, list: &[Action], failing: usize, container: Option<&Action>) -> Option<Diagnostic> {
    let (handler, how) = list.iter().enumerate().find_map(|(place, action)| {
        let how = waits(action).find(|(waited, _)| *waited == failing).map(|(_, how)| how)?;
        let status = [Status::Failed, Status::TimedOut].into_iter().find(|status| how.contains(status))?;
        (!how.contains(&Status::Succeeded)).then_some((place, status))
    })?;
    let ended = statuses(list, Some((failing, how)));
    let ends_itself =
        list.iter().zip(&ended).any(|(action, status)| *status == Status::Succeeded && terminates(action));
    if ended[handler] != Status::Succeeded || ends_itself {
        return None;
    }
    let leaf = (0..list.len()).find(|leaf| {
        ended[*leaf] == Status::Skipped && is_leaf(list, *leaf) && stands_for(list, &ended, *leaf).contains(&failing)
    })?;
    let (handler, failing, leaf) = (&list[handler], &list[failing].id, &list[leaf].id);
    let what = container.map_or_else(|| "the run".to_owned(), |container| format!("`{}`", container.id));
    let failed = if how == Status::Failed { "fails" } else { "times out" };
    let message = format!(
        "when `{failing}` {failed} and `{}` handles it, {what} is failed all the same: `{leaf}` is skipped and stands \
         for what it waited for",
        handler.id
    );
    let help = "for a success, end both ways in one action that runs after `succeeded` and after `skipped` of each; if \
                it should be failed, allow this with a comment that says so";
    Some(scene.warning(codes::HANDLED_FAILURE, handler.span.clone(), message, help))
}

fn waits(action: &Action) -> impl Iterator<Item = (usize, &[Status])> {
    let earlier = match &action.run_after {
        RunAfter::Start => &[][..],
        RunAfter::After(earlier) => earlier,
    };
    earlier.iter().map(|(place, statuses)| (*place, &statuses[..]))
}

fn is_leaf(list: &[Action], place: usize) -> bool {
    !list.iter().any(|action| waits(action).any(|(waited, _)| waited == place))
}

/// What each action ends with when all that runs succeeds, but for one.
fn statuses(list: &[Action], but: Option<(usize, Status)>) -> Vec<Status> {
    let mut known: Vec<Option<Status>> = vec![None; list.len()];
    // Every round tells at least one action's, since they wait for each other without a circle.
    for _ in list {
        for (place, action) in list.iter().enumerate() {
            let agrees =
                |(waited, statuses): (usize, &[Status])| known[waited].map(|status| statuses.contains(&status));
            if let Some(agreed) = waits(action).map(agrees).collect::<Option<Vec<bool>>>() {
                let runs = agreed.into_iter().all(|agreed| agreed);
                let ended =
                    but.filter(|(failing, _)| *failing == place).map_or(Status::Succeeded, |(_, status)| status);
                known[place] = Some(if runs { ended } else { Status::Skipped });
            }
        }
        if known.iter().all(Option::is_some) {
            break;
        }
    }
    known.into_iter().map(|status| status.unwrap_or(Status::Skipped)).collect()
}

/// The actions that did not end as skipped and that one which did stands for.
fn stands_for(list: &[Action], ended: &[Status], leaf: usize) -> Vec<usize> {
    let (mut found, mut seen, mut waiting) = (Vec::new(), vec![false; list.len()], vec![leaf]);
    while let Some(place) = waiting.pop() {
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        if ended[place] == Status::Skipped {
            waiting.extend(waits(&list[place]).map(|(waited, _)| waited));
        } else {
            found.push(place);
        }
    }
    found
}

/// Whether it can end the run itself.
fn terminates(action: &Action) -> bool {
    matches!(action.kind, ActionKind::Terminate(_)) || action.inside().any(terminates)
}
