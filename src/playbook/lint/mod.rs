//! Lints: what is allowed and seldom meant. Each is a warning, and `# larum: allow LRnnnn` on its line or in the
//! comment above silences it.
//!
//! A lint looks at the checked playbook, so that an expression and a template that say the same are judged the same; of
//! the file it takes the places.

mod copied_secret;
mod doubled_post;
mod endless_until;
mod flow;
mod handled_failure;
mod letter_case;
mod mail_in_url;
mod racing_variable;
mod scene;
mod silence;
mod whole_division;

use super::{Playbook, Vocabulary};
use crate::{
    diagnostic::{self, Diagnostic},
    yaml::Node,
};
use scene::Scene;
use silence::Silence;

const LINTS: &[fn(&Scene<'_>) -> Vec<Diagnostic>] = &[
    letter_case::lint,
    whole_division::lint,
    racing_variable::lint,
    endless_until::lint,
    handled_failure::lint,
    copied_secret::lint,
    doubled_post::lint,
    mail_in_url::lint,
];

/// The warnings for a playbook that was read from `root`, by position, without those that a comment allows.
#[must_use]
pub fn lint(playbook: &Playbook, root: &Node, vocabulary: &Vocabulary) -> Vec<Diagnostic> {
    let scene = Scene::of(playbook, root, vocabulary);
    let mut found: Vec<Diagnostic> = LINTS.iter().flat_map(|lint| lint(&scene)).collect();
    if !found.is_empty() {
        let silence = Silence::of(&playbook.source, root);
        found.retain(|warning| !silence.covers(warning));
        diagnostic::sort(&mut found);
    }
    found
}
