//! What an action's record says when the engine, not the action, decided: Logic Apps' codes and words.

use serde_json::{Value, json};

use super::{Machine, state::Place};
use crate::{
    action::ErrorInfo,
    engine::plan::{Index, Node},
    expression::{EvalError, type_name},
    playbook::ActionStatus,
};

/// Why an action ended as it did. The engine's own reasons are put into words only when somebody asks, because a loop
/// may skip the same action very often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Why {
    /// What the action itself said, or what is wrong with its inputs.
    Said(Box<ErrorInfo>),
    /// A predecessor ended in a status that `run_after` does not name.
    RunAfter,
    /// It stands in a branch that was not taken.
    BranchNotTaken,
    /// This container was skipped, or never got to start it.
    ContainerDidNotRun(Index),
    /// Its own leaves say failed.
    ActionFailed,
    /// Its own leaves say timed out.
    InnerTimedOut,
    /// Its own `timeout:` passed.
    TimedOut,
    /// The run, or the container, ended before it did.
    Terminated(Cause),
    /// Nobody waits for the answer any more.
    NobodyWaits,
}

impl Why {
    /// Logic Apps' code for it, as an action's record has it.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Said(error) => &error.code,
            Self::RunAfter | Self::BranchNotTaken | Self::ContainerDidNotRun(_) => "ActionSkipped",
            Self::ActionFailed => ACTION_FAILED,
            Self::InnerTimedOut | Self::TimedOut => "ActionTimedOut",
            Self::Terminated(_) => "Terminated",
            Self::NobodyWaits => "ActionResponseSkipped",
        }
    }

    /// The error of the action at `at`, whose reason this is.
    pub(super) fn error(&self, machine: &Machine, at: Place) -> ErrorInfo {
        let plan = &machine.plan;
        let node = plan.node_at(at.index);
        let id = &node.id;
        match self {
            Self::Said(error) => (**error).clone(),
            Self::RunAfter => {
                let unmet = node.after.iter().find_map(|(predecessor, expected)| {
                    let actual = machine.slot(plan, Place { index: *predecessor, ..at }).status?;
                    (!expected.contains(&actual)).then_some((*predecessor, expected, actual))
                });
                match unmet {
                    Some((predecessor, expected, actual)) => {
                        run_after(id, &plan.node_at(predecessor).id, expected, actual)
                    }
                    None => {
                        error("ActionConditionFailed", format!("The execution of template action '{id}' is skipped."))
                    }
                }
            }
            Self::BranchNotTaken => error(
                "ActionBranchingConditionNotSatisfied",
                format!(
                    "The execution of template action '{id}' skipped: the branching condition for this action is not satisfied."
                ),
            ),
            Self::ContainerDidNotRun(container) => container_did_not_run(id, &plan.node_at(*container).id),
            Self::ActionFailed => action_failed(),
            Self::InnerTimedOut => inner_timed_out(),
            Self::TimedOut => error("ActionTimedOut", format!("The execution of template action '{id}' timed out.")),
            Self::Terminated(cause) => {
                let why = cause.words();
                error("Terminated", format!("The execution of template action '{id}' ended early: {why}."))
            }
            Self::NobodyWaits => error(
                "ActionResponseSkipped",
                format!(
                    "The execution of template action '{id}' is skipped: the caller no longer waits for a response."
                ),
            ),
        }
    }
}

/// What ended an action early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    RunTerminated,
    RunCancelled,
    RunTooLong,
    JournalFull,
    TooManyIterations,
    ContainerTimedOut,
}

impl Cause {
    fn words(self) -> &'static str {
        match self {
            Self::RunTerminated => "the run was terminated",
            Self::RunCancelled => "the run was cancelled",
            Self::RunTooLong => "the run lasted too long",
            Self::JournalFull => "the journal is full",
            Self::TooManyIterations => "its loops went on for too long",
            Self::ContainerTimedOut => "the action it belongs to timed out",
        }
    }
}

/// `code` of a container that failed, and of a run.
pub(super) const ACTION_FAILED: &str = "ActionFailed";

fn error(code: &str, message: String) -> ErrorInfo {
    ErrorInfo { code: code.to_owned(), message }
}

fn run_after(id: &str, sibling: &str, expected: &[ActionStatus], actual: ActionStatus) -> ErrorInfo {
    let expected = expected.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
    error(
        "ActionConditionFailed",
        format!(
            "The execution of template action '{id}' is skipped: the 'runAfter' condition for action '{sibling}' is not satisfied. Expected status values '{expected}' and actual value '{actual}'."
        ),
    )
}

/// An action whose container was skipped, or never got to start it.
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
    error("ActionTimedOut", "An action timed out. No dependent actions succeeded.".to_owned())
}

/// An expression of an action has no value. The evaluator's words may quote one, so an action that keeps its inputs to
/// itself does not repeat them.
pub(super) fn no_value(node: &Node, fault: &EvalError) -> ErrorInfo {
    if !node.secure_inputs {
        return invalid_template(&node.id, fault);
    }
    let message = format!(
        "Unable to process template language expressions in action '{}' inputs. Its inputs are secure, so it is not said why.",
        node.id
    );
    error(&fault.code, message)
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

/// What a container goes by came out as something of another type.
pub(super) fn wrong_type(id: &str, what: &str, value: &Value, expected: &str) -> ErrorInfo {
    error(
        "ExpressionEvaluationFailed",
        format!(
            "The execution of template action '{id}' failed: The result of the evaluation of its {what} is of type '{}' but is expected to be a value of type '{expected}'.",
            type_name(value)
        ),
    )
}

/// `from` of an action that goes over a list.
pub(super) fn not_a_list(id: &str, value: &Value) -> ErrorInfo {
    error(
        "BadRequest",
        format!(
            "The 'from' property value in the action '{id}' inputs is of type '{}'. The value must be an array.",
            type_name(value)
        ),
    )
}

/// More items than a loop may go over.
pub(super) fn too_many_items(id: &str, items: usize, most: usize) -> ErrorInfo {
    error("BadRequest", format!("The action '{id}' is given {items} items; at most {most} are allowed."))
}

/// An `until` whose limits were reached, where that makes it fail.
pub(super) fn limit_reached(id: &str, iterations: usize) -> ErrorInfo {
    error(
        ACTION_FAILED,
        format!("The action '{id}' reached its limit after {iterations} iterations before its condition was true."),
    )
}

/// A second answer to one caller.
pub(super) fn already_answered(id: &str) -> ErrorInfo {
    error("BadRequest", format!("The action '{id}' cannot answer: the caller was answered already."))
}

/// A run's own error.
pub(super) fn run_error(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message})
}
