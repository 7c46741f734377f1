//! How the fields of actions came about, noted while they are evaluated: what a dry run shows.

use serde_json::Value;

use super::{Machine, sight::Sight, state::Place};
use crate::{
    engine::{Step, plan::Plan, secrets::without_credentials},
    expression::{EvalError, Key, Rendered, Tree},
    redaction::REDACTED,
};

/// One key of an action, evaluated.
#[derive(Debug, Clone)]
pub struct Evaluated {
    pub step: Step,
    /// The key as the playbook has it: `with`, `if`, `switch`, `for_each`, `until`, `limit.count`, `terminate.code`, ….
    pub key: &'static str,
    /// Each string under it. Of a key that is evaluated for each element of a list, those of all elements.
    pub fields: Vec<Rendered>,
}

impl Machine {
    /// The value of a tree, noted where the run is traced.
    pub(super) fn value(&mut self, plan: &Plan, at: Place, key: &'static str, tree: &Tree) -> Result<Value, EvalError> {
        if self.trace.is_none() {
            return tree.evaluate(&Sight::of(self, at));
        }
        let (value, fields) = tree.trace(&Sight::of(self, at));
        self.note(plan, at, key, fields);
        value
    }

    pub(super) fn note(&mut self, plan: &Plan, at: Place, key: &'static str, fields: Vec<Rendered>) {
        let mut evaluated = Evaluated { step: self.step(plan, at), key, fields };
        self.hide(plan, at, &mut evaluated);
        self.trace.get_or_insert_default().push(evaluated);
    }

    /// Takes out what nobody may see whatever its value: credentials, and everything of an action that keeps its inputs to
    /// itself.
    fn hide(&self, plan: &Plan, at: Place, evaluated: &mut Evaluated) {
        let node = plan.node_at(at.index);
        for field in &mut evaluated.fields {
            if node.secure_inputs || (evaluated.key == "with" && is_credential(&field.path)) {
                values(field).for_each(|value| *value = REDACTED.into());
                // The evaluator's words may quote a value.
                if let Err(error) = &mut field.value {
                    error.message = REDACTED.to_owned();
                }
            }
        }
    }

    /// What was evaluated since the last call, without secrets; nothing where the run is not traced.
    pub fn take_trace(&mut self) -> Vec<Evaluated> {
        let mut trace = self.trace.as_mut().map(std::mem::take).unwrap_or_default();
        let secrets = &self.trigger.secrets;
        for field in trace.iter_mut().flat_map(|evaluated| &mut evaluated.fields) {
            values(field).for_each(|value| secrets.redact(value));
            if let Err(error) = &mut field.value {
                error.message = secrets.redact_text(&error.message).into_owned();
            }
        }
        trace
    }
}

/// Every value of a field: its own and those it read.
fn values(field: &mut Rendered) -> impl Iterator<Item = &mut Value> {
    field.value.as_mut().ok().into_iter().chain(field.reads.iter_mut().map(|read| &mut read.value))
}

/// Whether an input at this place is one that neither journal nor record may hold.
fn is_credential(path: &[Key]) -> bool {
    let whole = path.iter().rev().fold(Value::from("x"), |inner, key| match key {
        Key::Member(name) => Value::Object([(name.clone(), inner)].into_iter().collect()),
        Key::Element(_) => Value::Array(vec![inner]),
    });
    without_credentials(&whole).is_some_and(|clean| clean != whole)
}
