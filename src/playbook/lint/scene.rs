//! What lints look at: the steps of a checked playbook, each with what is around it and where its texts stand.

use std::ops::Range;

use crate::{
    diagnostic::{Code, Diagnostic},
    expression::{Template, Tree, Use},
    playbook::{Action, ActionKind, Playbook, VariableType, Vocabulary},
    yaml::{Node, Value},
};

/// A checked playbook with the file it was read from.
pub(super) struct Scene<'p> {
    pub playbook: &'p Playbook,
    /// Every action, however deep it stands, by place in the file.
    pub steps: Vec<Step<'p>>,
    /// The computed texts of the trigger.
    door: Vec<Text<'p>>,
    vocabulary: &'p Vocabulary,
}

/// An action and where it stands.
pub(super) struct Step<'p> {
    pub action: &'p Action,
    /// What is written of it.
    node: &'p Node,
    /// The list it stands in, and its place there.
    pub list: &'p [Action],
    pub place: usize,
    /// The containers around it, outermost first, as places in [`Scene::steps`].
    pub within: Vec<usize>,
    /// What is computed for it; for a container, without what is in it.
    pub texts: Vec<Text<'p>>,
}

/// A computed text.
pub(super) struct Text<'p> {
    /// The input of the action, or the key, that it stands under.
    pub key: &'p str,
    pub template: &'p Template,
    node: &'p Node,
}

impl<'p> Scene<'p> {
    pub(super) fn of(playbook: &'p Playbook, root: &'p Node, vocabulary: &'p Vocabulary) -> Self {
        let mut scene = Self { playbook, steps: Vec::new(), door: Vec::new(), vocabulary };
        if let Some(trigger) = root.member("trigger") {
            let conditions = playbook.admission.conditions.iter().map(|condition| &condition.expression);
            if let Some(node) = trigger.member("conditions") {
                let items = items(node).unwrap_or(std::slice::from_ref(node));
                conditions.zip(items).for_each(|(tree, node)| texts("conditions", tree, node, &mut scene.door));
            }
            if let (Some(tree), Some(node)) = (&playbook.admission.split_on, trigger.member("split_on")) {
                texts("split_on", tree, node, &mut scene.door);
            }
        }
        if let Some(node) = root.member("actions") {
            scene.list(&playbook.actions, node, &[]);
        }
        scene
    }

    fn list(&mut self, list: &'p [Action], node: &'p Node, within: &[usize]) {
        for (place, (action, node)) in list.iter().zip(items(node).unwrap_or_default()).enumerate() {
            let at = self.steps.len();
            let texts = own_texts(action, node);
            self.steps.push(Step { action, node, list, place, within: within.to_vec(), texts });
            let inner = [within, &[at]].concat();
            let mut under = |list: &'p [Action], node: Option<&'p Node>| {
                if let Some(node) = node {
                    self.list(list, node, &inner);
                }
            };
            match &action.kind {
                ActionKind::If { then, otherwise, .. } => {
                    under(then, node.member("then"));
                    under(otherwise, node.member("else"));
                }
                ActionKind::Switch { cases, default, .. } => {
                    let written = node.member("cases").and_then(items).unwrap_or_default();
                    cases.iter().zip(written).for_each(|((_, list), case)| under(list, case.member("do")));
                    under(default, node.member("default"));
                }
                ActionKind::ForEach { actions, .. } | ActionKind::Until { actions, .. } => {
                    under(actions, node.member("do"));
                }
                ActionKind::Scope { actions } => under(actions, node.member("scope")),
                ActionKind::Terminate(_) | ActionKind::Call { .. } => {}
            }
        }
    }

    /// Every computed text of the playbook.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text<'p>> {
        self.door.iter().chain(self.steps.iter().flat_map(|step| &step.texts))
    }

    /// The steps inside of the container at this place, however deep.
    pub(super) fn inside(&self, container: usize) -> impl Iterator<Item = &Step<'p>> {
        self.steps.iter().filter(move |step| step.within.contains(&container))
    }

    /// The name of the variable that a step changes, in lower case.
    pub(super) fn changes(&self, step: &Step<'_>) -> Option<String> {
        let (action, with) = step.call()?;
        let spec = self.vocabulary.iter().find(|spec| spec.name == action)?;
        let Tree::Literal(serde_json::Value::String(name)) = input(with, "name")? else { return None };
        (!spec.variables.is_empty()).then(|| name.to_lowercase())
    }

    /// The type of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<VariableType> {
        let mut variables = self.playbook.variables.iter();
        variables.find(|variable| variable.name.eq_ignore_ascii_case(name)).map(|variable| variable.kind)
    }

    /// A warning at a place of the file.
    pub(super) fn warning(&self, code: Code, span: Range<usize>, message: String, help: &str) -> Diagnostic {
        Diagnostic::new(code, &self.playbook.source, span, message).help(help)
    }

    /// The bytes of the file that a range of a text was written in.
    pub(super) fn place(&self, text: &Text<'_>, range: Range<usize>) -> Range<usize> {
        text.node.place(&self.playbook.source, range)
    }

    /// Where a reference stands; of one in a template's file, where the template is used.
    pub(super) fn place_of(&self, text: &Text<'_>, used: &Use) -> Range<usize> {
        match used.partial {
            Some(_) => text.node.span.clone(),
            None => self.place(text, used.range.clone()),
        }
    }
}

impl Step<'_> {
    /// The action's name, where it is one of the action room's, and what it is called with.
    pub(super) fn call(&self) -> Option<(&'static str, &Tree)> {
        match &self.action.kind {
            ActionKind::Call { action, with } => Some((action, with)),
            _ => None,
        }
    }

    /// Where the value of one of its keys stands.
    pub(super) fn key(&self, name: &str) -> Option<Range<usize>> {
        self.node.member(name).map(|node| node.span.clone())
    }

    /// Where one of its inputs stands.
    pub(super) fn input(&self, name: &str) -> Option<Range<usize>> {
        self.node.member("with")?.member(name).map(|node| node.span.clone())
    }
}

impl Text<'_> {
    /// A reference of the text as the author wrote it, or which template it stands in.
    pub(super) fn written(&self, used: &Use) -> String {
        match &used.partial {
            Some(template) => format!("what the template `{template}` takes"),
            None => {
                let written = self.node.as_text().and_then(|text| text.get(used.range.clone())).unwrap_or_default();
                format!("`{written}`")
            }
        }
    }
}

/// The value of one input.
pub(super) fn input<'t>(with: &'t Tree, name: &str) -> Option<&'t Tree> {
    let Tree::Object(members) = with else { return None };
    members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

fn items(node: &Node) -> Option<&[Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        _ => None,
    }
}

fn own_texts<'p>(action: &'p Action, node: &'p Node) -> Vec<Text<'p>> {
    let mut found = Vec::new();
    let mut under = |key, tree, node: Option<&'p Node>| {
        if let Some(node) = node {
            texts(key, tree, node, &mut found);
        }
    };
    match &action.kind {
        ActionKind::If { condition, .. } => under("if", condition, node.member("if")),
        ActionKind::Switch { on, .. } => under("switch", on, node.member("switch")),
        ActionKind::ForEach { over, .. } => under("for_each", over, node.member("for_each")),
        ActionKind::Until { condition, limit, .. } => {
            under("until", condition, node.member("until"));
            under("limit", &limit.count, node.member("limit").and_then(|limit| limit.member("count")));
        }
        ActionKind::Scope { .. } => {}
        ActionKind::Terminate(ending) => {
            let written = |key| node.member("terminate").and_then(|ending| ending.member(key));
            for (key, tree) in [("code", &ending.code), ("message", &ending.message)] {
                if let Some(tree) = tree {
                    under(key, tree, written(key));
                }
            }
        }
        ActionKind::Call { with: Tree::Object(members), .. } => {
            for (key, tree) in members {
                under(key, tree, node.member("with").and_then(|with| with.member(key)));
            }
        }
        ActionKind::Call { .. } => {}
    }
    found
}

fn texts<'p>(key: &'p str, tree: &'p Tree, node: &'p Node, found: &mut Vec<Text<'p>>) {
    match (tree, &node.value) {
        (Tree::Template(template), _) => found.push(Text { key, template, node }),
        (Tree::Array(trees), Value::List(items)) => {
            trees.iter().zip(items).for_each(|(tree, node)| texts(key, tree, node, found));
        }
        (Tree::Object(members), _) => {
            for (name, tree) in members {
                if let Some(node) = node.member(name) {
                    texts(key, tree, node, found);
                }
            }
        }
        (Tree::Literal(_) | Tree::Array(_), _) => {}
    }
}
