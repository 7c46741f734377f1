//! The actions of a playbook by id.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnostic::{Faults, codes},
    playbook::read::{Body, Step},
};

/// Where an action stands.
pub(super) struct Known<'n> {
    /// As the author spelt it.
    pub id: &'n str,
    /// The containers around it, outermost first, each with the branch the action is in.
    pub within: Vec<(&'n str, &'static str)>,
    pub is_container: bool,
    line: usize,
}

/// Every action by its id in lower case.
pub(super) struct Names<'n>(BTreeMap<String, Known<'n>>);

impl<'n> Names<'n> {
    /// Indexes all steps; an id that is taken is a fault.
    pub(super) fn of(steps: &[Step<'n>], faults: &mut Faults) -> Self {
        let mut names = Self(BTreeMap::new());
        names.add(steps, &[], faults);
        names
    }

    fn add(&mut self, steps: &[Step<'n>], within: &[(&'n str, &'static str)], faults: &mut Faults) {
        for step in steps {
            let mut id = "";
            if let Some((name, span)) = &step.id {
                id = name;
                let key = fold(name);
                if let Some(first) = self.0.get(&key) {
                    let message = format!("the id `{}` is taken in line {}", first.id, first.line);
                    let help = (first.id != *name).then(|| "case does not count".to_owned());
                    faults.add_with(codes::DUPLICATE_NAME, span.clone(), message, help);
                } else {
                    let line = faults.source().position(span.start).line;
                    let is_container = matches!(step.body, Some(Body::If { .. }));
                    self.0.insert(key, Known { id: name, within: within.to_vec(), is_container, line });
                }
            }
            if let Some(Body::If { then, otherwise, .. }) = &step.body {
                self.add(then, &[within, &[(id, "then")]].concat(), faults);
                self.add(otherwise, &[within, &[(id, "else")]].concat(), faults);
            }
        }
    }

    /// The action of this name, ignoring case.
    pub(super) fn get(&self, id: &str) -> Option<&Known<'n>> {
        self.0.get(&fold(id))
    }

    /// Every id as it is spelt.
    pub(super) fn ids(&self) -> impl Iterator<Item = &'n str> {
        self.0.values().map(|known| known.id)
    }
}

/// A name as it is compared.
pub(super) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Adds a step and everything inside it to `ids`, in lower case.
pub(super) fn collect(step: &Step<'_>, ids: &mut BTreeSet<String>) {
    if let Some((id, _)) = &step.id {
        ids.insert(fold(id));
    }
    if let Some(Body::If { then, otherwise, .. }) = &step.body {
        for inner in then.iter().chain(otherwise) {
            collect(inner, ids);
        }
    }
}
