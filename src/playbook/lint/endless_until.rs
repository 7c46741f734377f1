//! An `until` whose condition cannot become true ends at its limit, and that is a success.

use std::collections::BTreeSet;

use serde_json::Value;

use super::scene::{Scene, Step};
use crate::{
    diagnostic::{Diagnostic, codes},
    expression::{Reference, Template, Tree},
    playbook::{Action, ActionKind, RunAfter},
};

/// Functions that give something else each time.
const CHANGE: &[&str] = &["utcNow", "guid", "rand", "getFutureTime", "getPastTime"];

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    (0..scene.steps.len()).filter_map(|at| endless(scene, at)).collect()
}

fn endless(scene: &Scene<'_>, at: usize) -> Option<Diagnostic> {
    let step = &scene.steps[at];
    let ActionKind::Until { condition, .. } = &step.action.kind else { return None };
    let id = &step.action.id;
    let constant = match condition {
        Tree::Literal(value) => Some(value),
        Tree::Template(template) => template.constant(),
        Tree::Array(_) | Tree::Object(_) => None,
    };
    let message = match (constant, condition) {
        (Some(Value::Bool(false)), _) => format!("`{id}` can only end at its limit: its condition is never true"),
        (None, Tree::Template(template)) if is_fixed(scene, at, template) => format!(
            "nothing that the condition of `{id}` reads changes in the loop, so it ends after one round or at its limit"
        ),
        _ => return None,
    };
    let help = "let it read an action of its `do`, or a variable that is changed there; a loop that ends at its limit \
                has succeeded, unless fail_when_limits_reached is true";
    let span = step.key("until").unwrap_or(step.action.span.clone());
    Some(scene.warning(codes::ENDLESS_UNTIL, span, message, help))
}

/// Whether a condition reads something, and only what stays as it is while the loop goes on.
fn is_fixed(scene: &Scene<'_>, at: usize, condition: &Template) -> bool {
    // What a template's file says is not followed.
    let followed = condition.partials().is_empty();
    let moves = condition.calls().iter().any(|call| CHANGE.contains(&call.name()));
    let uses = condition.uses();
    followed && !moves && !uses.is_empty() && !changes(scene, at, uses.iter().map(|used| &used.what))
}

/// Whether any of what is read can change while the loop goes on.
fn changes<'r>(scene: &Scene<'_>, at: usize, mut read: impl Iterator<Item = &'r Reference>) -> bool {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let variables = changing_variables(scene, at);
    read.any(|reference| match reference {
        Reference::Action { id, .. } | Reference::Result(id) => scene.inside(at).any(|step| same(&step.action.id, id)),
        Reference::Variable(name) => variables.contains(&name.to_lowercase()),
        Reference::IterationIndexes(name) => same(name, &scene.steps[at].action.id),
        _ => false,
    })
}

/// The variables that the loop changes, or something that can run beside it.
fn changing_variables(scene: &Scene<'_>, at: usize) -> BTreeSet<String> {
    let around = [&scene.steps[at].within[..], &[at]].concat();
    let parallel = |at: &&usize| matches!(scene.steps[**at].action.kind, ActionKind::ForEach { concurrency, .. } if concurrency > 1);
    // Other iterations of a loop around it run beside it too.
    let iterations = scene.steps[at].within.iter().filter(parallel).flat_map(|at| scene.inside(*at));
    let beside = scene.steps.iter().enumerate().filter(|(other, step)| {
        let other = step.within.iter().chain([other]);
        other.into_iter().any(|other| around.iter().any(|at| is_beside(&scene.steps[*at], &scene.steps[*other])))
    });
    let others = iterations.chain(beside.map(|(_, step)| step));
    scene.inside(at).chain(others).filter_map(|step| scene.changes(step)).collect()
}

/// Whether two actions of one list wait neither for the other.
fn is_beside(step: &Step<'_>, other: &Step<'_>) -> bool {
    std::ptr::eq(step.list, other.list)
        && step.place != other.place
        && !waited_for(step.list, step.place).contains(&other.place)
        && !waited_for(step.list, other.place).contains(&step.place)
}

/// The places of all that ends before the action at `place` begins.
fn waited_for(list: &[Action], place: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![place];
    while let Some(place) = waiting.pop() {
        if let RunAfter::After(earlier) = &list[place].run_after {
            waiting.extend(earlier.iter().map(|(place, _)| *place).filter(|place| found.insert(*place)));
        }
    }
    found
}
