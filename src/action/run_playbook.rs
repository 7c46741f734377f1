//! `run_playbook`: a run of another playbook.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{ActionType, Child, Nature, Outcome, Returns, input};
use crate::playbook::ActionSpec;

/// Starts a run of another playbook, which must have a `manual` trigger, and waits for it. What that playbook answers
/// with `respond` is what this action returns: `{statusCode, headers, body}`; without an answer it returns
/// `{body: {run, status}}` once that run has ended, and fails when that run failed. Killed in between, the other run is
/// still started exactly once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunPlaybook {
    /// The playbook's name, ignoring case.
    playbook: String,
    /// What that run sees as `trigger`. Values of secret parameters are left out: the other playbook has its own.
    #[serde(default)]
    body: Value,
    /// `false` goes on at once and returns only `{body: {run}}`. Default `true`.
    #[serde(default = "yes")]
    wait: bool,
}

fn yes() -> bool {
    true
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec {
        sought_as: &["invokeworkflow", "workflow"],
        ..ActionSpec::new("run_playbook", || schemars::schema_for!(RunPlaybook))
    },
    nature: Nature::Child(read),
    returns: Returns::Body,
};

fn read(given: &Value) -> Result<Child, Box<Outcome>> {
    let RunPlaybook { playbook, body, wait } = input::read("run_playbook", given)?;
    Ok(Child { playbook, body, wait })
}
