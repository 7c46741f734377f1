//! `add_to_time`: a timestamp moved on, Logic Apps' Add to time.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Unit, moved, refuses};
use crate::{
    action::{ActionType, Nature, Outcome, Returns, input},
    playbook::ActionSpec,
};

const NAME: &str = "add_to_time";

/// Moves a timestamp by a number of units; `actions.ID` is the new one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The timestamp, such as `@trigger.receivedDateTime`.
    base_time: String,
    /// How many units, a whole number; a negative one moves back.
    interval: i64,
    /// `Second`, `Minute`, `Hour`, `Day`, `Week`, `Month` or `Year`. A month later than 31 January is the last day of
    /// February.
    #[schemars(with = "Unit")]
    time_unit: String,
    /// A .NET format such as `yyyy-MM-dd HH:mm`. Default `o`, `2026-01-31T12:00:00.0000000Z`.
    #[serde(default)]
    format: Option<String>,
}

pub(in crate::action) const ACTION: ActionType = ActionType {
    spec: ActionSpec { refuses, ..ActionSpec::new(NAME, || schemars::schema_for!(Inputs)) },
    nature: Nature::Pure(execute),
    returns: Returns::Body,
};

pub(super) fn execute(input: &Value) -> Outcome {
    match input::read::<Inputs>(NAME, input) {
        Ok(Inputs { base_time, interval, time_unit, format }) => {
            moved(&base_time, Some(interval), &time_unit, format.as_deref())
        }
        Err(outcome) => *outcome,
    }
}
