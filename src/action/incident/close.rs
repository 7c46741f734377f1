//! `close_incident`: closes an incident with what it turned out to be.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Connection, Operation,
    answer::rejected,
    named::Given,
    patch_built_in, patch_remote,
    sentinel::Client,
    values::{self, Text},
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    incident::{Patch, Refusal, Status},
};

/// Closes an incident and says what it turned out to be. Returns the closed incident.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    incident: Option<Given>,
    /// `Undetermined`, `TruePositive`, `BenignPositive` or `FalsePositive`; or with its reason, as Logic Apps' connector
    /// writes it: `TruePositive - SuspiciousActivity`.
    classification: Text,
    /// `SuspiciousActivity`, `SuspiciousButExpected`, `IncorrectAlertLogic` or `InaccurateData`. Every classification but
    /// `Undetermined` needs one.
    #[serde(default)]
    #[schemars(extend("enum" = ["SuspiciousActivity", "SuspiciousButExpected", "IncorrectAlertLogic", "InaccurateData"]))]
    classification_reason: Text,
    /// Why, in words.
    #[serde(default)]
    classification_comment: Text,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

pub(in crate::action) const ACTION: ActionType = super::on_incident(&CloseIncident, &["closecase", "resolveincident"]);

struct CloseIncident;

#[async_trait::async_trait]
impl Operation for CloseIncident {
    type Input = Input;

    const NAME: &'static str = "close_incident";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        patch_built_in(call, input.incident.as_ref(), patch(&input)?)
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        super::patch_rehearsed(call, input.incident.as_ref(), &patch(&input)?)
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        patch_remote(client, input.incident.as_ref(), patch(&input)?).await
    }
}

fn patch(input: &Input) -> Result<Patch, Box<Outcome>> {
    let refuse = |refusal: Refusal| rejected(&refusal.into());
    let (classification, classification_reason) =
        values::classification(&input.classification, &input.classification_reason).map_err(refuse)?;
    let classification = classification.ok_or_else(|| refuse(Refusal::NoClassification))?;
    Ok(Patch {
        status: Some(Status::Closed),
        classification: Some(classification),
        classification_reason,
        classification_comment: input.classification_comment.to_given(),
        ..Patch::default()
    })
}
