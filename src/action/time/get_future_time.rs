//! `get_future_time`: some time from now, Logic Apps' Get future time.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Unit, moved, refuses, written};
use crate::{
    action::{ActionType, Nature, Outcome, Returns, input},
    playbook::ActionSpec,
};

const NAME: &str = "get_future_time";

/// Gives the present time plus a number of units, in UTC; `actions.ID` is the text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// How many units, a whole number.
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
    nature: Nature::Clocked(execute),
    returns: Returns::Body,
};

pub(super) fn execute(input: &Value, now: DateTime<Utc>) -> Outcome {
    match input::read::<Inputs>(NAME, input) {
        Ok(Inputs { interval, time_unit, format }) => {
            moved(&written(now), Some(interval), &time_unit, format.as_deref())
        }
        Err(outcome) => *outcome,
    }
}
