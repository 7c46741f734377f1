//! `add_tags` and `remove_tags`: labels of an incident.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Connection, Operation,
    named::{self, Given},
    patch_built_in, patch_remote,
    sentinel::Client,
    values::{self, Text},
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    incident::Patch,
};

/// Adds labels to an incident. Those there are stay; one that is there already is not added again. Returns the incident.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Added {
    #[serde(default)]
    incident: Option<Given>,
    /// The labels. Empty ones are dropped.
    tags: Vec<Text>,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

/// Takes labels from an incident. Returns the incident.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Removed {
    #[serde(default)]
    incident: Option<Given>,
    /// The labels, in any letter case. One that is not there is passed over.
    tags: Vec<Text>,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

pub(in crate::action) const ADD: ActionType =
    super::on_incident(&AddTags, &["addlabels", "addlabelstoincident", "addtagstoincident", "addtag"]);
pub(in crate::action) const REMOVE: ActionType = super::on_incident(
    &RemoveTags,
    &["removelabels", "removelabelsfromincident", "removetagsfromincident", "removetag"],
);

struct AddTags;

#[async_trait::async_trait]
impl Operation for AddTags {
    type Input = Added;

    const NAME: &'static str = "add_tags";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Added) -> Result<Performed, Box<Outcome>> {
        let patch = Patch { add_tags: values::tags(&input.tags), ..Patch::default() };
        patch_built_in(call, input.incident.as_ref(), patch)
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Added) -> Result<Performed, Box<Outcome>> {
        named::rehearsed(call, input.incident.as_ref())?;
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Added) -> Result<Outcome, Box<Outcome>> {
        let patch = Patch { add_tags: values::tags(&input.tags), ..Patch::default() };
        patch_remote(client, input.incident.as_ref(), patch).await
    }
}

struct RemoveTags;

#[async_trait::async_trait]
impl Operation for RemoveTags {
    type Input = Removed;

    const NAME: &'static str = "remove_tags";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Removed) -> Result<Performed, Box<Outcome>> {
        let patch = Patch { remove_tags: values::tags(&input.tags), ..Patch::default() };
        patch_built_in(call, input.incident.as_ref(), patch)
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Removed) -> Result<Performed, Box<Outcome>> {
        named::rehearsed(call, input.incident.as_ref())?;
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Removed) -> Result<Outcome, Box<Outcome>> {
        let patch = Patch { remove_tags: values::tags(&input.tags), ..Patch::default() };
        patch_remote(client, input.incident.as_ref(), patch).await
    }
}
