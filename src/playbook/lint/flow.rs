//! Where a value goes: from what it begins with through variables, loops and the actions that only handle data.

use std::{collections::BTreeSet, ops::Range};

use super::scene::{Scene, Step, Text};
use crate::{
    expression::{Part, Reference, Use},
    playbook::{Action, ActionKind},
};

/// Actions whose result is made of their inputs.
const HANDLE_DATA: &[&str] =
    &["compose", "parse_json", "select", "filter_array", "join", "create_table", "convert_html_to_text"];

/// Functions whose result says little of what they are given.
const SAY_LITTLE: &[&str] = &[
    "equals",
    "greater",
    "greaterOrEquals",
    "less",
    "lessOrEquals",
    "and",
    "or",
    "not",
    "empty",
    "length",
    "contains",
    "startsWith",
    "endsWith",
    "indexOf",
    "lastIndexOf",
    "nthIndexOf",
    "isInt",
    "isFloat",
    "utf8Length",
    "utf16Length",
];

/// What a value begins with and ends at.
pub(super) struct Kind<'k> {
    /// The references that are the value, or hold it.
    pub begins: &'k dyn Fn(&Reference) -> bool,
    /// The actions that return it.
    pub returned_by: &'k dyn Fn(&Action) -> bool,
    /// Functions whose result no longer is it, beside comparisons.
    pub ends: &'k [&'k str],
}

/// What holds a value, in lower case.
pub(super) struct Flow<'k> {
    kind: Kind<'k>,
    variables: BTreeSet<String>,
    actions: BTreeSet<String>,
    loops: BTreeSet<String>,
}

impl<'k> Flow<'k> {
    pub(super) fn of(scene: &Scene<'_>, kind: Kind<'k>) -> Self {
        let returning = scene.steps.iter().filter(|step| (kind.returned_by)(step.action));
        let actions = returning.map(|step| step.action.id.to_lowercase()).collect();
        let mut flow = Self { kind, variables: BTreeSet::new(), actions, loops: BTreeSet::new() };
        // A loop can hand a value to an action that stands above, so this goes on until nothing new is found.
        while flow.widen(scene) {}
        flow
    }

    fn widen(&mut self, scene: &Scene<'_>) -> bool {
        let mut wider = false;
        for step in &scene.steps {
            if !step.texts.iter().any(|text| self.carried(scene, step, text).is_some()) {
                continue;
            }
            let id = step.action.id.to_lowercase();
            wider |= match &step.action.kind {
                ActionKind::ForEach { .. } => self.loops.insert(id),
                ActionKind::Call { action, .. } if HANDLE_DATA.contains(action) => self.actions.insert(id),
                _ => scene.changes(step).is_some_and(|name| self.variables.insert(name)),
            };
        }
        wider
    }

    /// The first reference by which a text has the value in it.
    pub(super) fn carried<'t>(&self, scene: &Scene<'_>, step: &Step<'_>, text: &'t Text<'_>) -> Option<&'t Use> {
        let calls = text.template.calls();
        let ends = |name: &str| SAY_LITTLE.contains(&name) || self.kind.ends.contains(&name);
        let ending: Vec<_> =
            calls.iter().filter(|call| ends(call.name())).map(crate::expression::Called::range).collect();
        let lost = |used: &Use| {
            let inside = |range: &Range<usize>| range.start <= used.range.start && used.range.end <= range.end;
            used.partial.is_none() && ending.iter().any(inside)
        };
        text.template.uses().iter().find(|used| self.holds(scene, step, &used.what) && !lost(used))
    }

    fn holds(&self, scene: &Scene<'_>, step: &Step<'_>, reference: &Reference) -> bool {
        let has = |set: &BTreeSet<String>, name: &str| set.contains(&name.to_lowercase());
        (self.kind.begins)(reference)
            || match reference {
                Reference::Action { id, part, path } => has(&self.actions, id) && is_result(*part, path),
                Reference::Variable(name) => has(&self.variables, name),
                Reference::Items { name, .. } => has(&self.loops, name),
                Reference::Item { .. } => {
                    let is_loop = |action: &&Action| matches!(action.kind, ActionKind::ForEach { .. });
                    let mut around = step.within.iter().rev().map(|at| scene.steps[*at].action).filter(is_loop);
                    around.next().is_some_and(|action| has(&self.loops, &action.id))
                }
                _ => false,
            }
    }
}

/// Whether what is read of an action's record can be what it returned.
fn is_result(part: Part, path: &[String]) -> bool {
    let first = path.first().map(|name| name.to_lowercase());
    match part {
        Part::Body => true,
        Part::Outputs => first.as_deref() != Some("statuscode"),
        Part::Record => first.is_none_or(|name| ["outputs", "inputs", "error"].contains(&name.as_str())),
    }
}
