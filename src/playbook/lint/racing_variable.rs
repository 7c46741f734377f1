//! A variable belongs to the run, not to an iteration: iterations that run at once overwrite each other's.

use super::scene::{Scene, Step, input};
use crate::{
    diagnostic::{Diagnostic, codes},
    expression::{Reference, Tree},
    playbook::ActionKind,
};

const SET: &str = "set_variable";

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    scene.steps.iter().filter_map(|step| racing(scene, step)).collect()
}

fn racing(scene: &Scene<'_>, step: &Step<'_>) -> Option<Diagnostic> {
    step.call().filter(|(action, _)| *action == SET)?;
    let name = scene.changes(step)?;
    let (at, concurrency) = step.within.iter().find_map(|at| match scene.steps[*at].action.kind {
        ActionKind::ForEach { concurrency, .. } if concurrency > 1 => Some((*at, concurrency)),
        _ => None,
    })?;
    if is_harmless(scene, at, &name) {
        return None;
    }
    let declared = scene.playbook.variables.iter().find(|variable| variable.name.eq_ignore_ascii_case(&name))?;
    let message = format!(
        "`{}` is one variable for all iterations of `{}`, of which up to {concurrency} run at once",
        declared.name, scene.steps[at].action.id
    );
    let help = "write `concurrency: 1` at the loop, or a `compose` instead of the variable, which each iteration has \
                for itself; append_to_array loses nothing either";
    Some(scene.warning(codes::RACING_VARIABLE, step.action.span.clone(), message, help))
}

/// Whether a loop sets a variable to one written-out value only and never looks at it: then it does not matter who is
/// last.
fn is_harmless(scene: &Scene<'_>, at: usize, name: &str) -> bool {
    let mut values = scene.inside(at).filter(|step| scene.changes(step).as_deref() == Some(name)).map(|step| {
        let (_, with) = step.call().filter(|(action, _)| *action == SET)?;
        input(with, "value").and_then(Tree::literal)
    });
    let Some(Some(first)) = values.next() else { return false };
    let reads = |what: &Reference| matches!(what, Reference::Variable(read) if read.eq_ignore_ascii_case(name));
    let mut uses = scene.inside(at).flat_map(|step| &step.texts).flat_map(|text| text.template.uses());
    values.all(|value| value.as_ref() == Some(&first)) && !uses.any(|used| reads(&used.what))
}
