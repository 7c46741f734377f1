//! What an action's record says when the engine, not the action, decided: Logic Apps' codes and words.

use serde_json::{Value, json};

use crate::{action::ErrorInfo, expression::EvalError, playbook::ActionStatus};

/// `code` of a container that failed, and of a run.
pub(super) const ACTION_FAILED: &str = "ActionFailed";
pub(super) const ACTION_SKIPPED: &str = "ActionSkipped";
pub(super) const ACTION_TIMED_OUT: &str = "ActionTimedOut";
pub(super) const TERMINATED: &str = "Terminated";

fn error(code: &str, message: String) -> ErrorInfo {
    ErrorInfo { code: code.to_owned(), message }
}

/// A predecessor ended in a status that `run_after` does not name.
pub(super) fn run_after(id: &str, sibling: &str, expected: &[ActionStatus], actual: ActionStatus) -> ErrorInfo {
    let expected = expected.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
    error(
        "ActionConditionFailed",
        format!(
            "The execution of template action '{id}' is skipped: the 'runAfter' condition for action '{sibling}' is not satisfied. Expected status values '{expected}' and actual value '{actual}'."
        ),
    )
}

/// It stands in the branch that was not taken.
pub(super) fn branch_not_taken(id: &str) -> ErrorInfo {
    error(
        "ActionBranchingConditionNotSatisfied",
        format!(
            "The execution of template action '{id}' skipped: the branching condition for this action is not satisfied."
        ),
    )
}

/// Its container was skipped, or never got to start it.
pub(super) fn container_did_not_run(id: &str, container: &str) -> ErrorInfo {
    error(
        "ActionDependencyFailed",
        format!(
            "The execution of template action '{id}' is skipped: the action '{container}' it belongs to did not run."
        ),
    )
}

/// A container whose leaves say failed.
pub(super) fn action_failed() -> ErrorInfo {
    error(ACTION_FAILED, "An action failed. No dependent actions succeeded.".to_owned())
}

/// A container whose leaves say timed out.
pub(super) fn inner_timed_out() -> ErrorInfo {
    error(ACTION_TIMED_OUT, "An action timed out. No dependent actions succeeded.".to_owned())
}

/// Its own `timeout:` passed.
pub(super) fn timed_out(id: &str) -> ErrorInfo {
    error(ACTION_TIMED_OUT, format!("The execution of template action '{id}' timed out."))
}

/// The run, or the container, ended before it did.
pub(super) fn terminated(id: &str, why: &str) -> ErrorInfo {
    error(TERMINATED, format!("The execution of template action '{id}' ended early: {why}."))
}

/// An expression in an action's inputs has no value.
pub(super) fn invalid_template(id: &str, fault: &EvalError) -> ErrorInfo {
    error(
        &fault.code,
        format!(
            "Unable to process template language expressions in action '{id}' inputs at line '0' and column '0': '{}'.",
            fault.message
        ),
    )
}

/// A required input is absent, or null, which is the same.
pub(super) fn missing_input(id: &str, key: &str) -> ErrorInfo {
    error("BadRequest", format!("The input '{key}' of action '{id}' is required and has no value."))
}

/// A condition came out as something else than true or false.
pub(super) fn not_a_boolean(id: &str, value: &Value) -> ErrorInfo {
    error(
        "ExpressionEvaluationFailed",
        format!(
            "The execution of template action '{id}' failed: The result of the evaluation of its condition is of type '{}' but is expected to be a value of type 'Boolean'.",
            kind(value)
        ),
    )
}

/// The name Logic Apps gives a JSON type.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Float",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

/// A run's own error.
pub(super) fn run_error(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message})
}
