//! `convert_time_zone`: what other clocks show, Logic Apps' Convert time zone.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{outcome, refuses};
use crate::{
    action::{ActionType, Nature, Outcome, Returns, input},
    expression::convert_time_zone,
    playbook::ActionSpec,
};

const NAME: &str = "convert_time_zone";

/// Converts a timestamp from one time zone to another, with its summer time; `actions.ID` is the text, without an
/// offset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The timestamp, such as `@trigger.receivedDateTime`.
    base_time: String,
    /// The zone whose clocks `base_time` was read off, by its IANA name (`Europe/Berlin`) or Windows name (`W. Europe
    /// Standard Time`). A `base_time` that ends in `Z` or an offset is that instant, whatever stands here. Default `UTC`.
    #[serde(default)]
    source_time_zone: Option<String>,
    /// The zone to convert to.
    destination_time_zone: String,
    /// A .NET format such as `yyyy-MM-dd HH:mm`. Default `o`, `2026-01-31T12:00:00.0000000`.
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
        Ok(Inputs { base_time, source_time_zone, destination_time_zone, format }) => {
            let source = source_time_zone.as_deref().unwrap_or("UTC");
            outcome(convert_time_zone(&base_time, source, &destination_time_zone, format.as_deref()))
        }
        Err(outcome) => *outcome,
    }
}
