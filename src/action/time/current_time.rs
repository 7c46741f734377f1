//! `current_time`: the run's present instant, Logic Apps' Current time.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{outcome, refuses, written};
use crate::{
    action::{ActionType, Nature, Outcome, Returns, input},
    expression::{TimeUnit, add_to_time},
    playbook::ActionSpec,
};

const NAME: &str = "current_time";

/// Gives the present time in UTC; `actions.ID` is the text. Within one run it never goes backwards.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// A .NET format such as `yyyy-MM-dd HH:mm`. Default `o`, `2026-01-31T12:00:00.0000000Z`.
    #[serde(default)]
    format: Option<String>,
}

pub(in crate::action) const ACTION: ActionType = ActionType {
    spec: ActionSpec { refuses, ..ActionSpec::new(NAME, || schemars::schema_for!(Inputs)) },
    nature: Nature::Clocked(execute),
    returns: Returns::Body,
};

pub(super) fn execute(input: &Value, now: DateTime<Utc>) -> Outcome {
    match input::read::<Inputs>(NAME, input) {
        Ok(Inputs { format }) => outcome(add_to_time(&written(now), 0, TimeUnit::Second, format.as_deref())),
        Err(outcome) => *outcome,
    }
}
