//! The partials of `templates/`, compiled once and shared by every template.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Include, Node, lower};
use crate::expression::{CompileError, CompileErrorKind as Kind};

/// Compiled partials by name (the file's name without `.hbs`). Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Partials(Arc<BTreeMap<String, Vec<Node>>>);

impl Partials {
    /// Compiles partials given as name and source. They may include one another, but not themselves.
    ///
    /// # Errors
    /// Every fault of every partial, with the partial's name and the place in its source.
    pub fn new(sources: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<(String, CompileError)>> {
        let sources: BTreeMap<String, String> = sources.into_iter().collect();
        let mut compiled = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, source) in &sources {
            match lower::lower(source, &|other| sources.contains_key(other)) {
                Ok(nodes) => {
                    compiled.insert(name.clone(), nodes);
                }
                Err(faults) => errors.extend(faults.into_iter().map(|fault| (name.clone(), fault))),
            }
        }
        if errors.is_empty() {
            for (name, nodes) in &compiled {
                errors.extend(recursion(&compiled, name, nodes).map(|fault| (name.clone(), fault)));
            }
        }
        if errors.is_empty() { Ok(Self(Arc::new(compiled))) } else { Err(errors) }
    }

    /// Whether there is a partial called `name`.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn get(&self, name: &str) -> &[Node] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The inclusion in `name` through which it comes back to itself.
fn recursion(all: &BTreeMap<String, Vec<Node>>, name: &str, nodes: &[Node]) -> Option<CompileError> {
    includes(nodes).into_iter().find(|include| reaches(all, &include.name, name)).map(|include| {
        CompileError::new(
            Kind::RecursivePartial,
            include.range.clone(),
            format!("the partial '{name}' includes itself"),
        )
    })
}

/// Whether the partial `from` is, or reaches, the partial `to`.
fn reaches(all: &BTreeMap<String, Vec<Node>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(name) = waiting.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            let nodes = all.get(name).map_or(&[][..], Vec::as_slice);
            waiting.extend(includes(nodes).into_iter().map(|include| include.name.as_str()));
        }
    }
    false
}

/// Every inclusion in `nodes`, those inside blocks too.
pub(super) fn includes(nodes: &[Node]) -> Vec<&Include> {
    let mut found = Vec::new();
    for node in nodes {
        match node {
            Node::Text(_) | Node::Print(_) | Node::PartialBlock => {}
            Node::If { then: body, otherwise, .. }
            | Node::Each { body, otherwise, .. }
            | Node::With { body, otherwise, .. } => {
                found.extend(includes(body));
                found.extend(includes(otherwise));
            }
            Node::Partial(include) => {
                found.push(include);
                found.extend(include.block.iter().flat_map(|block| includes(block)));
            }
        }
    }
    found
}
