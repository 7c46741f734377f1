//! `compose`: a value put together from others.

use serde_json::Value;

use super::{ActionType, Nature, Outcome, Returns};
use crate::playbook::ActionSpec;

/// Gives back what it is given: a value put together once and used in several places.
#[derive(Debug, schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it; the value itself is passed on as it is")]
struct Input {
    /// The value, of any type. `actions.ID` is this value.
    inputs: Option<Value>,
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec::new("compose", || schemars::schema_for!(Input)),
    nature: Nature::Pure(execute),
    returns: Returns::Outputs,
};

/// The value of `inputs`, or null.
fn execute(input: &Value) -> Outcome {
    Outcome::succeeded(input.get("inputs").cloned().unwrap_or_default())
}
