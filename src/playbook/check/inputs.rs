//! `with:` against what the action says it takes.
//!
//! The schema is followed here and not by a validator, because half of the values are expressions that have no value
//! yet: what is written out is checked, what is computed is checked when it is known.

use std::ops::Range;

use serde_json::Value as Json;

use super::{
    Checker, Named,
    references::{self, Reader},
    values,
};
use crate::{
    diagnostic::{codes, did_you_mean},
    expression::Tree,
    playbook::{ActionSpec, GivenBy, Trigger},
    yaml::{Entry, Given, Node, Value},
};

/// Keys of `authentication` whose values are secrets.
const SECRET_KEYS: &[&str] = &["password", "token", "secret", "client_secret", "value", "pfx", "key"];
/// Headers whose values are secrets.
const SECRET_HEADERS: &[&str] = &["authorization", "proxy-authorization"];

impl Checker<'_> {
    /// Checks and compiles the inputs of an action that is named at `span`.
    pub(super) fn inputs(
        &mut self,
        spec: &ActionSpec,
        with: Option<&Node>,
        span: Range<usize>,
        reader: &Reader<'_>,
    ) -> Tree {
        let entries: &[Entry] = match with.map(|node| &node.value) {
            Some(Value::Map(entries)) => entries,
            _ => &[],
        };
        let root = (spec.inputs)().to_value();
        let schema = Schema { root: &root, node: &root };
        self.keys(spec, &schema, entries, span);
        let mut members = Vec::with_capacity(entries.len());
        for entry in entries {
            let tree = if spec.template_input == Some(entry.key.as_str()) {
                self.template_name(entry, reader)
            } else if !spec.variables.is_empty() && entry.key == "name" {
                self.variable_name(spec, entry)
            } else if spec.per_item == Some(entry.key.as_str()) {
                self.value(&entry.value, &Reader { item: true, ..*reader })
            } else {
                if entry.key == "connection"
                    && !spec.connections.is_empty()
                    && let Some(name) = self.written_out(entry)
                {
                    let span = entry.value.span.clone();
                    self.connections.push(Named { name: name.to_owned(), span, kinds: spec.connections });
                }
                if entry.key == "authentication" {
                    self.no_literal_secret(&entry.value, SECRET_KEYS);
                }
                if entry.key == "headers" {
                    self.no_literal_secret(&entry.value, SECRET_HEADERS);
                }
                let faults = self.faults.count();
                if let Some(schema) = schema.property(&entry.key) {
                    self.fits(&entry.key, &entry.value, &schema);
                }
                let tree = self.value(&entry.value, reader);
                if self.faults.count() == faults
                    && let Some(refused) = tree.literal().and_then(|value| (spec.refuses)(&entry.key, &value))
                {
                    self.faults.add(codes::WRONG_INPUT, entry.value.span.clone(), refused);
                }
                tree
            };
            members.push((entry.key.clone(), tree));
        }
        if members.is_empty() { values::nothing() } else { Tree::Object(members) }
    }

    /// Unknown and missing keys.
    fn keys(&mut self, spec: &ActionSpec, schema: &Schema<'_>, entries: &[Entry], span: Range<usize>) {
        let known = schema.properties();
        let mut missing = schema.required();
        missing.retain(|key| {
            // A null counts as absent.
            !entries.iter().any(|entry| entry.key == *key && entry.value.value != Value::Null)
        });
        if !schema.is_open() {
            for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
                let help = did_you_mean(&entry.key, known.iter().copied());
                if let Some(near) = crate::diagnostic::nearest(&entry.key, known.iter().copied()) {
                    missing.retain(|key| *key != near);
                }
                let help = help.unwrap_or_else(|| format!("it takes {}", known.join(", ")));
                let message = format!("`{}` takes no input `{}`", spec.name, entry.key);
                self.faults.add_with(codes::UNKNOWN_INPUT, entry.key_span.clone(), message, Some(help));
            }
        }
        for key in missing {
            let message = format!("`{}` needs the input `{key}`", spec.name);
            self.faults.add(codes::MISSING_INPUT, span.clone(), message);
        }
        self.given_by_trigger(spec, entries, span);
    }

    /// An input that is not written must be one that the trigger gives.
    fn given_by_trigger(&mut self, spec: &ActionSpec, entries: &[Entry], span: Range<usize>) {
        let written = |key: &str| entries.iter().any(|entry| entry.key == key && entry.value.value != Value::Null);
        let (Some(GivenBy { input, trigger, instead }), Some(kind)) = (spec.given_by, self.trigger.map(Trigger::kind))
        else {
            return;
        };
        if written(input) || instead.iter().any(|key| written(key)) {
            return;
        }
        let connected = written("connection");
        if kind == trigger && !connected {
            return;
        }
        let message = format!("`{}` needs the input `{input}`", spec.name);
        let help = if connected {
            format!("with a `connection`, which leads to another workspace, `{input}` must say which one")
        } else {
            format!("only a trigger of the kind `{trigger}` gives one by itself, and this one is of the kind `{kind}`")
        };
        self.faults.add_with(codes::MISSING_INPUT, span, message, Some(help));
    }

    fn template_name(&mut self, entry: &Entry, reader: &Reader<'_>) -> Tree {
        match self.written_out(entry) {
            Some(name) => self.template(&entry.value, name, reader),
            None => Tree::Literal(Json::Null),
        }
    }

    /// The variable that an action changes, as it is spelt where it is declared.
    fn variable_name(&mut self, spec: &ActionSpec, entry: &Entry) -> Tree {
        let Some(name) = self.written_out(entry) else { return Tree::Literal(Json::Null) };
        let span = entry.value.span.clone();
        let Some(variable) = self.variables.iter().find(|variable| variable.name.eq_ignore_ascii_case(name)) else {
            let known = self.variables.iter().map(|variable| variable.name.as_str());
            if let Some(refused) = references::unknown(name, "variable", codes::UNKNOWN_VARIABLE, known) {
                self.faults.add_with(refused.code, span, refused.message, refused.help);
            }
            return Tree::Literal(Json::Null);
        };
        if !spec.variables.contains(&variable.kind) {
            let kinds: Vec<&str> = spec.variables.iter().map(|kind| kind.name()).collect();
            let message = format!(
                "`{}` is for variables of type {}, and `{}` is of type {}",
                spec.name,
                kinds.join(" or "),
                variable.name,
                variable.kind.name()
            );
            self.faults.add(codes::WRONG_INPUT, span, message);
        }
        Tree::Literal(variable.name.clone().into())
    }

    /// A text that may not be computed.
    fn written_out<'n>(&mut self, entry: &'n Entry) -> Option<&'n str> {
        let text = Given::of(entry).words(self.faults)?;
        if text.starts_with('@') || text.contains("{{") || text.contains("@{") {
            let message = format!("`{}` must be written out, not computed", entry.key);
            self.faults.add(codes::WRONG_INPUT, entry.value.span.clone(), message);
            return None;
        }
        Some(text)
    }

    fn no_literal_secret(&mut self, node: &Node, secret: &[&str]) {
        let Value::Map(entries) = &node.value else { return };
        for entry in entries.iter().filter(|entry| secret.iter().any(|key| entry.key.eq_ignore_ascii_case(key))) {
            let literal = match &entry.value.value {
                Value::Text(text) => !is_computed(&text.value),
                Value::Number(_) | Value::Bool(_) => true,
                _ => false,
            };
            if literal {
                let help = "give it as a parameter of type securestring, or let a connection of larum.yaml hold it";
                let message = format!("the secret `{}` is written down", entry.key);
                self.faults.add_secret(entry.value.span.clone(), message, help);
            }
        }
    }

    /// Whether what is written out fits; what is computed is passed over.
    fn fits(&mut self, name: &str, node: &Node, schema: &Schema<'_>) {
        let wanted = schema.wanted();
        match &node.value {
            Value::Null | Value::Broken => {}
            Value::Text(text) if is_computed(&text.value) => {}
            Value::Text(text) => {
                if !wanted.choices.is_empty() {
                    if !wanted.choices.iter().any(|choice| choice.eq_ignore_ascii_case(&text.value))
                        && !wanted.types.contains(&"string")
                    {
                        let help = did_you_mean(&text.value, wanted.choices.iter().copied())
                            .unwrap_or_else(|| format!("it may be {}", wanted.choices.join(", ")));
                        let message = format!("`{}` is not a value of `{name}`", text.value);
                        self.faults.add_with(codes::WRONG_INPUT, node.span.clone(), message, Some(help));
                    }
                } else {
                    self.typed(name, node, "string", &wanted);
                }
            }
            Value::Bool(_) => self.typed(name, node, "boolean", &wanted),
            Value::Number(number) => {
                let kind = if number.is_f64() { "number" } else { "integer" };
                self.typed(name, node, kind, &wanted);
            }
            Value::List(items) => {
                self.typed(name, node, "array", &wanted);
                if let Some(inner) = schema.items() {
                    items.iter().for_each(|item| self.fits(name, item, &inner));
                }
            }
            Value::Map(entries) => {
                self.typed(name, node, "object", &wanted);
                for entry in entries {
                    if let Some(inner) = schema.property(&entry.key) {
                        self.fits(&entry.key, &entry.value, &inner);
                    } else if schema.is_closed() {
                        let known = schema.properties();
                        let help = did_you_mean(&entry.key, known.iter().copied())
                            .unwrap_or_else(|| format!("it takes {}", known.join(", ")));
                        let message = format!("`{name}` takes no `{}`", entry.key);
                        self.faults.add_with(codes::UNKNOWN_INPUT, entry.key_span.clone(), message, Some(help));
                    }
                }
            }
        }
    }

    fn typed(&mut self, name: &str, node: &Node, kind: &str, wanted: &Wanted<'_>) {
        let fits =
            wanted.anything || wanted.types.contains(&kind) || kind == "integer" && wanted.types.contains(&"number");
        if fits {
            return;
        }
        let mut words: Vec<&str> =
            wanted.types.iter().filter(|kind| **kind != "null").map(|kind| in_words(kind)).collect();
        if !wanted.choices.is_empty() && !words.contains(&"text") {
            words.push("text");
        }
        words.dedup();
        let message = format!("`{name}` must be {}, but is {}", words.join(" or "), node.kind());
        let help = match (kind, words.contains(&"text")) {
            ("integer" | "number" | "boolean", true) => Some("quote it to make it text".to_owned()),
            _ => None,
        };
        self.faults.add_with(codes::WRONG_INPUT, node.span.clone(), message, help);
    }
}

fn is_computed(text: &str) -> bool {
    text.starts_with('@') || text.contains("@{") || text.contains("{{")
}

fn in_words(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

/// A place in a JSON schema, with the root its references start from.
struct Schema<'s> {
    root: &'s Json,
    node: &'s Json,
}

/// What a schema lets a value be.
#[derive(Default)]
struct Wanted<'s> {
    anything: bool,
    types: Vec<&'s str>,
    choices: Vec<&'s str>,
}

impl<'s> Schema<'s> {
    fn at(&self, node: &'s Json) -> Self {
        Self { root: self.root, node }
    }

    /// This schema with its references followed, and every alternative in it.
    fn alternatives(&self) -> Vec<&'s Json> {
        let mut out = Vec::new();
        let mut waiting = vec![self.node];
        let mut seen = Vec::new();
        while let Some(node) = waiting.pop() {
            out.push(node);
            // Choices narrow what they refer to.
            if !node["enum"].is_null() {
                continue;
            }
            for key in ["anyOf", "oneOf", "allOf"] {
                waiting.extend(node[key].as_array().into_iter().flatten());
            }
            let reference = node["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
            if let Some(reference) = reference
                && !seen.contains(&reference)
            {
                seen.push(reference);
                waiting.extend(self.root.pointer(reference));
            }
        }
        out
    }

    fn properties(&self) -> Vec<&'s str> {
        self.alternatives()
            .into_iter()
            .filter_map(|node| node["properties"].as_object())
            .flat_map(|map| map.keys())
            .map(String::as_str)
            .collect()
    }

    fn property(&self, key: &str) -> Option<Self> {
        self.alternatives().into_iter().find_map(|node| node["properties"].get(key)).map(|node| self.at(node))
    }

    fn required(&self) -> Vec<&'s str> {
        self.node["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// Whether keys beyond the named ones are taken.
    fn is_open(&self) -> bool {
        let node = self.node;
        node["properties"].is_null() && node["additionalProperties"] != Json::Bool(false)
            || node["additionalProperties"].is_object()
            || node["additionalProperties"] == Json::Bool(true)
    }

    /// Whether every object it may be names all the keys it takes.
    fn is_closed(&self) -> bool {
        let is_object = |node: &&Json| {
            node["type"] == "object" || node["type"].as_array().is_some_and(|kinds| kinds.iter().any(|k| k == "object"))
        };
        let objects: Vec<&Json> = self.alternatives().into_iter().filter(is_object).collect();
        !objects.is_empty() && objects.iter().all(|node| node["additionalProperties"] == Json::Bool(false))
    }

    fn items(&self) -> Option<Self> {
        self.alternatives().into_iter().find_map(|node| node.get("items")).map(|node| self.at(node))
    }

    fn wanted(&self) -> Wanted<'s> {
        let mut wanted = Wanted::default();
        for node in self.alternatives() {
            match &node["type"] {
                Json::String(kind) if node["enum"].is_null() && node["const"].is_null() => wanted.types.push(kind),
                Json::Array(kinds) if node["enum"].is_null() => {
                    wanted.types.extend(kinds.iter().filter_map(Json::as_str));
                }
                _ => {}
            }
            wanted.choices.extend(
                node["enum"].as_array().into_iter().flatten().chain(node.get("const")).filter_map(Json::as_str),
            );
        }
        wanted.anything = wanted.types.is_empty() && wanted.choices.is_empty();
        wanted
    }
}
