//! `select`: a list made of another, element by element, Logic Apps' Select.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{ActionType, Nature, Outcome, Returns};
use crate::playbook::ActionSpec;

/// Makes a list of another: `select` is evaluated once for each element of `from`, which `item` then is. `actions.ID` is
/// the new list, as long as the old one.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it; the machine evaluates the values")]
struct Inputs {
    /// The list.
    from: Vec<Value>,
    /// What becomes of an element: a map such as `{name: "@item()?['displayName']"}`, or one expression.
    select: Value,
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec { per_item: Some("select"), ..ActionSpec::new("select", || schemars::schema_for!(Inputs)) },
    nature: Nature::PerItem(execute),
    returns: Returns::Body,
};

fn execute(_input: &Value, values: Vec<Value>) -> Outcome {
    Outcome::succeeded(json!({"body": Value::Array(values)}))
}
