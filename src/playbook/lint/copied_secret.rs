//! A secret in a mail or an incident, where everybody who reads it has it.

use super::{
    flow::{Flow, Kind},
    scene::Scene,
};
use crate::{
    diagnostic::{Diagnostic, codes},
    expression::Reference,
};

/// Actions whose inputs people read, and what that becomes.
const READ_BY_PEOPLE: &[(&str, &str)] = &[
    ("send_email", "a mail"),
    ("approve", "a mail"),
    ("create_incident", "an incident"),
    ("update_incident", "an incident"),
    ("close_incident", "an incident"),
    ("add_comment", "an incident"),
    ("add_task", "an incident"),
    ("add_tags", "an incident"),
];

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    let parameters = &scene.playbook.parameters;
    let is_secret = |name: &str| {
        let mut known = parameters.iter();
        known.any(|known| known.name.eq_ignore_ascii_case(name) && known.kind.is_secret())
    };
    let begins = |reference: &Reference| matches!(reference, Reference::Parameter(name) if is_secret(name));
    let kind = Kind { begins: &begins, returned_by: &|action| action.secure_outputs, ends: &[] };
    let flow = Flow::of(scene, kind);
    let mut found = Vec::new();
    for step in &scene.steps {
        let Some((action, _)) = step.call() else { continue };
        let Some((_, what)) = READ_BY_PEOPLE.iter().find(|(name, _)| *name == action) else { continue };
        for text in &step.texts {
            let Some(used) = flow.carried(scene, step, text) else { continue };
            let message =
                format!("{} is a secret, and `{}` of `{action}` goes into {what}", text.written(used), text.key);
            let help = "leave it out: a mail and an incident are kept and read in clear";
            found.push(scene.warning(codes::COPIED_SECRET, scene.place_of(text, used), message, help));
        }
    }
    found
}
