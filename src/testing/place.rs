//! Where the fields of a playbook's actions stand in its file.

use serde::Serialize;

use crate::{
    diagnostic::{Faults, Position, Source},
    expression::Key,
    playbook::Playbook,
    yaml::{self, Entry, Node, Value as Yaml},
};

/// A field's place in its file, with what is written there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    pub file: String,
    #[serde(flatten)]
    pub position: Position,
    /// The expression or template; nothing where the value itself is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
}

/// A playbook's file, to look fields up in.
pub(super) struct Places<'p> {
    source: &'p Source,
    root: Option<Node>,
}

impl<'p> Places<'p> {
    pub(super) fn of(playbook: &'p Playbook) -> Self {
        let root = yaml::parse(&mut Faults::new(&playbook.source));
        Self { source: &playbook.source, root }
    }

    /// The place of what stands at `path` under `key` (`with`, `limit.count`) of an action, or as near to it as the file
    /// has it.
    pub(super) fn field(&self, action: &str, key: &str, path: &[Key], value: Option<&serde_json::Value>) -> Written {
        let mut node = self.root.as_ref().and_then(|root| find(root, action));
        let mut exact = node.is_some();
        let mut step = |next: Option<&'_ Node>| exact &= next.is_some();
        for name in key.split('.') {
            let next = node.and_then(|node| node.member(name));
            step(next);
            node = next.or(node);
        }
        for key in path {
            let next = node.and_then(|node| match (key, &node.value) {
                (Key::Member(name), _) => node.member(name),
                (Key::Element(place), Yaml::List(items)) => items.get(*place),
                (Key::Element(_), _) => None,
            });
            step(next);
            node = next.or(node);
        }
        let span = node.map_or(0, |node| node.span.start);
        let written = node.filter(|_| exact).and_then(Node::as_text);
        let literal = |text: &&str| value.and_then(serde_json::Value::as_str) != Some(*text);
        Written {
            file: self.source.name.to_string(),
            position: self.source.position(span),
            expression: written.filter(literal).map(|text| text.trim_end().to_owned()),
        }
    }
}

/// The map of the action of this id, however deep it stands.
fn find<'n>(node: &'n Node, id: &str) -> Option<&'n Node> {
    match &node.value {
        Yaml::Map(entries) => {
            let is_it = |entry: &Entry| {
                entry.key == "id" && entry.value.as_text().is_some_and(|text| text.eq_ignore_ascii_case(id))
            };
            if entries.iter().any(is_it) {
                return Some(node);
            }
            // Only what can hold actions: an input may have an `id` of its own.
            let holds = |entry: &&Entry| {
                ["actions", "then", "else", "do", "scope", "cases", "default", "playbook"].contains(&entry.key.as_str())
            };
            entries.iter().filter(holds).find_map(|entry| find(&entry.value, id))
        }
        Yaml::List(items) => items.iter().find_map(|item| find(item, id)),
        _ => None,
    }
}
