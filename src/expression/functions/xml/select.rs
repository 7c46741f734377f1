//! XPath 1.0 over a [`Document`]. The expression is parsed and evaluated by `xpath-eval`; this file shows it the tree,
//! with an end to how much of it may be walked.

use std::{cell::Cell, cmp::Ordering};

use xpath_eval::{EvaluationContext, ExpandedName, Node, NodeKind, Value};

use super::document::{Attribute, DOCUMENT, Document, Id, Kind};
use crate::limits;

/// What an expression yields.
pub(super) enum Selected {
    Nodes(Vec<Found>),
    Boolean(bool),
    Number(f64),
    Text(String),
}

/// A node that was selected.
pub(super) enum Found {
    /// An element or the whole document, as XML.
    Xml(String),
    /// The text of anything else.
    Text(String),
}

/// What `expression` selects, the nodes with `most` bytes in all. The error is a clause without a capital letter or a
/// full stop.
pub(super) fn select(document: &Document, expression: &str, most: usize) -> Result<Selected, String> {
    within_limits(expression)?;
    let expression = xpath_eval::parse(expression).map_err(|error| format!("the XPath cannot be read: {error}"))?;
    let view = View { document, steps: Cell::new(limits::XPATH_STEPS) };
    let unknown_prefix = Cell::new(false);
    let no_namespaces = |_: &str| {
        unknown_prefix.set(true);
        None
    };
    let mut context = EvaluationContext::new(At { view: &view, place: Place::Node(DOCUMENT) });
    context.namespaces = Some(&no_namespaces);
    let value = xpath_eval::evaluate(&expression, &context).map_err(|error| format!("the XPath fails: {error}"))?;
    if view.steps.get() == 0 {
        return Err(format!("the XPath takes more than {} steps through this XML", limits::XPATH_STEPS));
    }
    if unknown_prefix.get() {
        return Err("the XPath has a prefix, and nothing says what it stands for: write *[local-name()='name']".into());
    }
    Ok(match value {
        Value::NodeSet(nodes) => Selected::Nodes(found(&nodes, most)?),
        Value::Boolean(flag) => Selected::Boolean(flag),
        Value::Number(number) => Selected::Number(number),
        Value::String(text) => Selected::Text(text),
    })
}

/// The nodes written out, one inside the other too, which may come to many times the document.
fn found(nodes: &[At<'_>], most: usize) -> Result<Vec<Found>, String> {
    let mut left = most;
    let written = nodes.iter().map(|node| {
        let found = node.found(left);
        let (Found::Xml(text) | Found::Text(text)) = &found;
        left =
            left.checked_sub(text.len()).ok_or_else(|| format!("what it selects has more than {most} characters"))?;
        Ok(found)
    });
    written.collect()
}

/// Refuses what could exhaust the stack of a parser that recurses.
fn within_limits(expression: &str) -> Result<(), String> {
    if expression.len() > limits::XPATH_BYTES {
        return Err(format!("the XPath is longer than {} bytes", limits::XPATH_BYTES));
    }
    let (mut depth, mut signs, mut quote, mut before) = (0_usize, 0, None, ' ');
    for letter in expression.chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (letter, Some(open)) if letter == open => quote = None,
            ('(' | '[', None) => depth += 1,
            (')' | ']', None) => depth = depth.saturating_sub(1),
            ('+' | '=' | '<' | '>' | '|', None) => signs += 1,
            // Within a name it is a part of it.
            ('-', None) if !before.is_alphanumeric() => signs += 1,
            // After a value it multiplies, else it stands for any name.
            ('*', None) if before.is_alphanumeric() || matches!(before, ')' | ']' | '.' | '*') => signs += 1,
            _ => {}
        }
        if !letter.is_whitespace() {
            before = letter;
        }
        if signs > limits::XPATH_SIGNS {
            return Err(format!("the XPath has more than {} signs such as '+' and '|'", limits::XPATH_SIGNS));
        }
        if depth > limits::XPATH_NESTING {
            return Err(format!("the XPath is nested deeper than {} levels", limits::XPATH_NESTING));
        }
    }
    Ok(())
}

/// Bytes of text that count as one step.
const LINE: usize = 64;

struct View<'d> {
    document: &'d Document,
    /// What may still be walked. At zero every node seems to have no children, which ends any walk soon.
    steps: Cell<usize>,
}

impl View<'_> {
    fn spend(&self, steps: usize) -> bool {
        let left = self.steps.get().saturating_sub(steps);
        self.steps.set(left);
        left > 0
    }
}

/// A node of XPath's data model.
#[derive(Clone, Copy)]
struct At<'d> {
    view: &'d View<'d>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Node(Id),
    /// An element's attribute, by its number.
    Attribute(Id, usize),
    /// A namespace in scope of an element, by its number.
    Namespace(Id, usize),
}

impl Place {
    /// Document order: an element, its namespaces, its attributes, its children.
    fn order(self) -> (Id, u8, usize) {
        match self {
            Place::Node(id) => (id, 0, 0),
            Place::Namespace(id, at) => (id, 1, at),
            Place::Attribute(id, at) => (id, 2, at),
        }
    }
}

impl PartialEq for At<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for At<'_> {}

impl<'d> At<'d> {
    fn to(self, place: Place) -> Self {
        Self { place, ..self }
    }

    fn attribute(self) -> Option<&'d Attribute> {
        match self.place {
            Place::Attribute(id, at) => self.view.document.element(id)?.attributes.get(at),
            _ => None,
        }
    }

    fn in_node(self) -> Option<&'d Kind> {
        match self.place {
            Place::Node(id) => Some(&self.view.document.node(id).kind),
            _ => None,
        }
    }

    /// The namespaces in scope of `element`: the prefix, and what it stands for.
    fn in_scope(self, element: Id) -> Vec<(&'d str, &'d str)> {
        let document = self.view.document;
        let mut scope: Vec<(&str, &str)> = vec![("xml", "http://www.w3.org/XML/1998/namespace")];
        let mut hidden = Vec::new();
        let mut at = Some(element);
        while let Some(element) = at.and_then(|id| document.element(id)) {
            for attribute in &element.attributes {
                let Some(prefix) = attribute.name.declares() else { continue };
                if !self.view.spend(1 + scope.len() + hidden.len()) {
                    return scope;
                }
                if hidden.contains(&prefix) || scope.iter().any(|(known, _)| *known == prefix) {
                    continue;
                }
                if attribute.value.is_empty() {
                    hidden.push(prefix);
                } else {
                    scope.push((prefix, &attribute.value));
                }
            }
            at = at.and_then(|id| document.node(id).parent);
        }
        scope
    }

    fn namespace(self) -> Option<(&'d str, &'d str)> {
        match self.place {
            Place::Namespace(id, at) => self.in_scope(id).get(at).copied(),
            _ => None,
        }
    }

    /// Whether this is a text that the one before it, as a sibling, is part of: XPath sees a run of texts as one.
    fn continues(document: &Document, siblings: &[Id], at: usize) -> bool {
        let is_text = |at: usize| matches!(document.node(siblings[at]).kind, Kind::Text(_) | Kind::CData(_));
        at > 0 && is_text(at) && is_text(at - 1)
    }

    /// The text of a run of texts that begins at `id`.
    fn run(self, id: Id) -> String {
        let document = self.view.document;
        let siblings = document.node(id).parent.map_or(&[][..], |parent| &document.node(parent).children);
        // Ids grow from sibling to sibling.
        let start = siblings.partition_point(|sibling| *sibling < id);
        let texts = siblings[start..].iter().map_while(|sibling| match &document.node(*sibling).kind {
            Kind::Text(text) | Kind::CData(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    fn found(self, most: usize) -> Found {
        match (self.place, self.in_node()) {
            (Place::Node(id), Some(Kind::Document | Kind::Element(_))) => {
                Found::Xml(self.view.document.outer_xml(id, most))
            }
            _ => Found::Text(self.text()),
        }
    }

    fn text(self) -> String {
        let document = self.view.document;
        let Place::Node(top) = self.place else {
            let attribute = self.attribute().map(|attribute| attribute.value.as_str());
            return attribute.or_else(|| self.namespace().map(|(_, uri)| uri)).unwrap_or_default().to_owned();
        };
        match &document.node(top).kind {
            Kind::Text(_) | Kind::CData(_) => self.run(top),
            Kind::Comment(text) | Kind::Instruction { data: text, .. } => text.clone(),
            _ => {
                let mut out = String::new();
                let mut waiting = vec![top];
                while let Some(id) = waiting.pop() {
                    let node = document.node(id);
                    let mut steps = 1;
                    if let Kind::Text(text) | Kind::CData(text) = &node.kind {
                        out.push_str(text);
                        steps += text.len() / LINE;
                    }
                    if !self.view.spend(steps) {
                        return String::new();
                    }
                    waiting.extend(node.children.iter().rev());
                }
                out
            }
        }
    }
}

impl<'d> Node<'d> for At<'d> {
    fn kind(self) -> NodeKind {
        match (self.place, self.in_node()) {
            (Place::Attribute(..), _) => NodeKind::Attribute,
            (Place::Namespace(..), _) => NodeKind::Namespace,
            (_, Some(Kind::Document)) => NodeKind::Root,
            (_, Some(Kind::Element(_))) => NodeKind::Element,
            (_, Some(Kind::Instruction { .. })) => NodeKind::ProcessingInstruction,
            (_, Some(Kind::Text(_) | Kind::CData(_))) => NodeKind::Text,
            _ => NodeKind::Comment,
        }
    }

    fn parent(self) -> Option<Self> {
        match self.place {
            Place::Node(id) => Some(self.to(Place::Node(self.view.document.node(id).parent?))),
            Place::Attribute(id, _) | Place::Namespace(id, _) => Some(self.to(Place::Node(id))),
        }
    }

    fn children(self) -> impl Iterator<Item = Self> + 'd {
        let document = self.view.document;
        let siblings = match self.place {
            Place::Node(id) => document.node(id).children.as_slice(),
            _ => &[],
        };
        siblings
            .iter()
            .enumerate()
            .take_while(move |_| self.view.spend(1))
            .filter(move |(at, id)| {
                let outside = matches!(document.node(**id).kind, Kind::Declaration { .. } | Kind::Doctype { .. });
                !outside && !Self::continues(document, siblings, *at)
            })
            .map(move |(_, id)| self.to(Place::Node(*id)))
    }

    fn attributes(self) -> impl Iterator<Item = Self> + 'd {
        let element = match self.place {
            Place::Node(id) => self.view.document.element(id).map(|element| (id, element)),
            _ => None,
        };
        element.into_iter().flat_map(move |(id, element)| {
            let numbered = element.attributes.iter().enumerate();
            numbered
                .take_while(move |_| self.view.spend(1))
                .filter(|(_, attribute)| attribute.name.declares().is_none())
                .map(move |(at, _)| self.to(Place::Attribute(id, at)))
        })
    }

    fn namespaces(self) -> impl Iterator<Item = Self> + 'd {
        let (id, count) = match self.place {
            Place::Node(id) if self.view.document.element(id).is_some() => (id, self.in_scope(id).len()),
            _ => (DOCUMENT, 0),
        };
        (0..count).map(move |at| self.to(Place::Namespace(id, at)))
    }

    fn expanded_name(self) -> Option<ExpandedName> {
        let named = |local: &str, namespace: &str| ExpandedName {
            namespace_uri: (!namespace.is_empty()).then(|| namespace.to_owned()),
            local_name: local.to_owned(),
        };
        if let Some(attribute) = self.attribute() {
            return Some(named(&attribute.name.local, &attribute.name.namespace));
        }
        if let Some((prefix, _)) = self.namespace() {
            return Some(named(prefix, ""));
        }
        match self.in_node()? {
            Kind::Element(element) => Some(named(&element.name.local, &element.name.namespace)),
            Kind::Instruction { target, .. } => Some(named(target, "")),
            _ => None,
        }
    }

    fn has_expanded_name(self, namespace: Option<&str>, local: &str) -> bool {
        let name = match self.in_node() {
            Some(Kind::Element(element)) => Some(&element.name),
            _ => self.attribute().map(|attribute| &attribute.name),
        };
        match name {
            Some(name) => name.local == local && name.namespace.as_ref() == namespace.unwrap_or_default(),
            None => self
                .expanded_name()
                .is_some_and(|name| name.local_name == local && name.namespace_uri.as_deref() == namespace),
        }
    }

    fn string_value(self) -> String {
        let text = self.text();
        if self.view.spend(1 + text.len() / LINE) { text } else { String::new() }
    }

    fn document_order(self, other: Self) -> Ordering {
        self.place.order().cmp(&other.place.order())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::read, Found, Selected, select};

    /// The bytes of what is selected, or why nothing is.
    fn selected(xml: &str, xpath: &str, most: usize) -> Result<usize, String> {
        match select(&read::read(xml)?, xpath, most)? {
            Selected::Nodes(nodes) => Ok(nodes.iter().map(|(Found::Xml(text) | Found::Text(text))| text.len()).sum()),
            _ => Err("no nodes".into()),
        }
    }

    #[test]
    fn what_is_selected_has_an_end_before_it_is_written() {
        let too_much = || Err("what it selects has more than 1000 characters".to_owned());
        let nested = format!("{}{}{}", "<a>".repeat(9), "x".repeat(90), "</a>".repeat(9));
        assert_eq!(selected(&nested, "/a", 1_000), Ok(153));
        assert_eq!(selected(&nested, "//a", 1_000), too_much());
        assert_eq!(selected(&nested, "//a", 1_125), Ok(1_125));
        let declared = format!("<r xmlns:p='{}'><m>{}</m></r>", "u".repeat(90), "<p:a/>".repeat(20));
        assert_eq!(selected(&declared, "/r", 1_000), Ok(255));
        assert_eq!(selected(&declared, "/r/m", 1_000), too_much());
        assert_eq!(selected(&declared, "//namespace::p", 1_000), too_much());
        // The memory that is taken is what is in question: writing stops where the limit is passed.
        let document = read::read(&declared).expect("an XML");
        let root = document.node(super::DOCUMENT).children[0];
        let inner = document.node(root).children[0];
        assert!(document.outer_xml(inner, 1_000).len() < 1_200);
    }
}
