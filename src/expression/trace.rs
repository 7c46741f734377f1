//! What evaluating a value took and gave, string by string, for those who ask why a field came out as it did.

use std::{borrow::Cow, cell::RefCell, fmt};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{EvalError, Lookup, Scope, Template, Tree};
use crate::redaction::Tracked;

/// A string (or another value without parts) of a [`Tree`], evaluated.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// Where it stands in the tree.
    pub path: Vec<Key>,
    /// What it came to.
    pub value: Result<Value, EvalError>,
    /// What it read, each once, in the order of reading.
    pub reads: Vec<Read>,
}

/// One step into a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Member(String),
    Element(usize),
}

/// Something an expression read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// As the author wrote it: `trigger.subject`, `body('get')?['id']`.
    pub what: String,
    pub value: Value,
}

impl Tree {
    /// The value, as [`Tree::evaluate`] gives it, and how each string of it came about. A string that fails ends it.
    pub fn trace(&self, scope: &dyn Scope) -> (Result<Value, EvalError>, Vec<Rendered>) {
        let mut rendered = Vec::new();
        let value = self.traced(scope, &mut Vec::new(), &mut rendered);
        (value, rendered)
    }

    fn traced(&self, scope: &dyn Scope, path: &mut Vec<Key>, out: &mut Vec<Rendered>) -> Result<Value, EvalError> {
        match self {
            Self::Literal(value) => {
                out.push(Rendered { path: path.clone(), value: Ok(value.clone()), reads: Vec::new() });
                Ok(value.clone())
            }
            Self::Template(template) => {
                let (value, reads) = trace(template, scope);
                out.push(Rendered { path: path.clone(), value: value.clone(), reads });
                value
            }
            Self::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (place, item) in items.iter().enumerate() {
                    path.push(Key::Element(place));
                    let value = item.traced(scope, path, out);
                    path.pop();
                    values.push(value?);
                }
                Ok(Value::Array(values))
            }
            Self::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for (key, member) in members {
                    path.push(Key::Member(key.clone()));
                    let value = member.traced(scope, path, out);
                    path.pop();
                    map.insert(key.clone(), value?);
                }
                Ok(Value::Object(map))
            }
        }
    }
}

fn trace(template: &Template, scope: &dyn Scope) -> (Result<Value, EvalError>, Vec<Read>) {
    let watched = Watched { scope, reads: RefCell::default() };
    let value = template.evaluate(&watched);
    (value, watched.reads.into_inner())
}

/// A scope that notes what is read from it.
struct Watched<'s> {
    scope: &'s dyn Scope,
    reads: RefCell<Vec<Read>>,
}

impl Scope for Watched<'_> {
    fn is_watched(&self) -> bool {
        true
    }

    fn note_read(&self, what: &dyn fmt::Display, value: &Value) {
        let what = what.to_string();
        let mut reads = self.reads.borrow_mut();
        if !reads.iter().any(|known| known.what == what && known.value == *value) {
            reads.push(Read { what, value: value.clone() });
        }
    }

    fn trigger_body(&self) -> Lookup<'_> {
        self.scope.trigger_body()
    }

    fn trigger(&self) -> Lookup<'_> {
        self.scope.trigger()
    }

    fn trigger_outputs(&self) -> Lookup<'_> {
        self.scope.trigger_outputs()
    }

    fn request(&self) -> Lookup<'_> {
        self.scope.request()
    }

    fn body(&self, action: &str) -> Lookup<'_> {
        self.scope.body(action)
    }

    fn outputs(&self, action: &str) -> Lookup<'_> {
        self.scope.outputs(action)
    }

    fn action(&self, action: &str) -> Lookup<'_> {
        self.scope.action(action)
    }

    fn result(&self, container: &str) -> Lookup<'_> {
        self.scope.result(container)
    }

    fn variable(&self, name: &str) -> Lookup<'_> {
        self.scope.variable(name)
    }

    fn parameter(&self, name: &str) -> Lookup<'_> {
        self.scope.parameter(name)
    }

    fn item(&self) -> Lookup<'_> {
        self.scope.item()
    }

    fn items(&self, name: &str) -> Lookup<'_> {
        self.scope.items(name)
    }

    fn iteration_index(&self, name: &str) -> Option<u64> {
        self.scope.iteration_index(name)
    }

    fn workflow(&self) -> Lookup<'_> {
        self.scope.workflow()
    }

    fn callback_url(&self) -> Lookup<'_> {
        self.scope.callback_url()
    }

    fn now(&self) -> DateTime<Utc> {
        self.scope.now()
    }

    fn random(&self) -> u64 {
        self.scope.random()
    }

    fn tracked(&self) -> Option<&Tracked> {
        self.scope.tracked()
    }
}

/// Tells a watched scope of a read.
pub(super) fn note(scope: &dyn Scope, what: &dyn fmt::Display, value: Option<&Cow<'_, Value>>) {
    if scope.is_watched() {
        scope.note_read(what, value.map_or(&Value::Null, |value| value.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::expression::{JsonScope, Partials};

    fn reads(text: &str) -> Vec<(String, Value)> {
        let context = json!({
            "trigger": {"subject": "Door", "importance": "high", "to": [{"name": "a"}, {"name": "b"}], "n": 1},
            "actions": {"get": {"id": 7}},
            "variables": {"seen": ["x"]},
        });
        let tree = Tree::Template(Template::compile(text, &Partials::default()).unwrap());
        let (_, rendered) = tree.trace(&JsonScope::new(context, DateTime::UNIX_EPOCH, 0));
        rendered.into_iter().flat_map(|one| one.reads).map(|read| (read.what, read.value)).collect()
    }

    #[test]
    fn what_was_read_is_told_as_it_was_written_with_its_value() {
        for (text, expected) in [
            ("plain", json!([])),
            ("@trigger.subject", json!([["trigger.subject", "Door"]])),
            (
                "@concat(body('get')?['id'], triggerBody()?['none'])",
                json!([["body('get')?['id']", 7], ["triggerBody()?['none']", null]]),
            ),
            // What was not needed was not read.
            (
                "@if(equals(trigger.importance, 'high'), 'High', trigger.subject)",
                json!([["trigger.importance", "high"]]),
            ),
            ("@trigger.to[trigger.n].name", json!([["trigger.n", 1], ["trigger.to[trigger.n].name", "b"]])),
            (
                "a @{variables('seen')} b @{variables.seen}",
                json!([["variables('seen')", ["x"]], ["variables.seen", ["x"]]]),
            ),
            (
                "{{trigger.subject}}{{trigger.subject}}{{trigger.none}}",
                json!([["trigger.subject", "Door"], ["trigger.none", null]]),
            ),
            (
                "{{#each trigger.to}}{{name}}{{@index}}{{/each}}",
                json!([["trigger.to", [{"name": "a"}, {"name": "b"}]], ["name", "a"], ["name", "b"]]),
            ),
            ("{{#if trigger.none}}{{trigger.subject}}{{/if}}", json!([["trigger.none", null]])),
            ("@utcNow()", json!([])),
        ] {
            assert_eq!(json!(reads(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_tree_comes_out_as_it_does_untraced_with_the_place_of_each_string() {
        let compile = |text: &str| Tree::Template(Template::compile(text, &Partials::default()).unwrap());
        let tree = Tree::Object(vec![
            ("severity".into(), Tree::Literal(json!("High"))),
            ("tags".into(), Tree::Array(vec![Tree::Literal(json!("email")), compile("{{trigger.a}}")])),
            ("broken".into(), compile("@trigger.none")),
            ("never".into(), compile("@trigger.a")),
        ]);
        let scope = JsonScope::new(json!({"trigger": {"a": 1}}), DateTime::UNIX_EPOCH, 0);
        let (value, rendered) = tree.trace(&scope);
        assert_eq!(value.unwrap_err().message, tree.evaluate(&scope).unwrap_err().message);
        let member = |name: &str| Key::Member(name.to_owned());
        let places: Vec<_> = rendered.iter().map(|one| (one.path.clone(), one.value.is_ok())).collect();
        let expected = [
            (vec![member("severity")], true),
            (vec![member("tags"), Key::Element(0)], true),
            (vec![member("tags"), Key::Element(1)], true),
            (vec![member("broken")], false),
        ];
        assert_eq!(places, expected);
    }
}
