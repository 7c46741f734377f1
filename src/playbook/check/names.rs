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
    /// The containers around it, outermost first.
    pub within: Vec<Within<'n>>,
    /// What it is, when it holds other actions.
    pub kind: Option<ContainerKind>,
    line: usize,
}

/// A container around an action.
#[derive(Debug, Clone)]
pub(super) struct Within<'n> {
    pub id: &'n str,
    /// The list of the container that the action is in.
    pub branch: String,
    pub kind: ContainerKind,
}

/// What makes a difference between containers when actions are referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContainerKind {
    /// One of its lists runs, once.
    Plain,
    /// Its list runs for each item.
    ForEach,
    /// Its list runs until a condition is true.
    Until,
}

impl ContainerKind {
    pub(super) fn of(body: &Body<'_>) -> Self {
        match body {
            Body::ForEach { .. } => Self::ForEach,
            Body::Until { .. } => Self::Until,
            _ => Self::Plain,
        }
    }
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

    fn add(&mut self, steps: &[Step<'n>], within: &[Within<'n>], faults: &mut Faults) {
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
                    let kind = step.body.as_ref().filter(|body| body.is_container()).map(ContainerKind::of);
                    self.0.insert(key, Known { id: name, within: within.to_vec(), kind, line });
                }
            }
            let Some(body) = &step.body else { continue };
            for (branch, steps) in body.lists() {
                let around = Within { id, branch, kind: ContainerKind::of(body) };
                self.add(steps, &[within, &[around]].concat(), faults);
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
    inside(step, ids);
}

/// Adds everything inside a step to `ids`, in lower case.
pub(super) fn inside(step: &Step<'_>, ids: &mut BTreeSet<String>) {
    let lists = step.body.as_ref().map(Body::lists).unwrap_or_default();
    lists.iter().flat_map(|(_, steps)| steps.iter()).for_each(|inner| collect(inner, ids));
}
