//! `get_incident`: an incident as it is now.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Connection, Operation,
    answer::{self, done, no_incident},
    named::{self, Given},
    sentinel::Client,
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    incident::{Incident, IncidentRef, Workspace},
};

/// Reads an incident as it is now. Returns the incident: `actions.ID.properties.status`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    incident: Option<Given>,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

pub(in crate::action) const ACTION: ActionType = super::on_incident(&GetIncident, &["readincident"]);

struct GetIncident;

#[async_trait::async_trait]
impl Operation for GetIncident {
    type Input = Input;

    const NAME: &'static str = "get_incident";
    const WRITES: bool = false;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        let config = &call.services.config;
        let incident = named::incident(input.incident.as_ref(), call.run, &config.workspace)?;
        let incident = find(call, &incident).await?;
        Ok(Performed::Outcome(done(incident.to_resource(&Workspace::of(config)))))
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        named::rehearsed(call, input.incident.as_ref())?;
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        client.get_incident(&named::elsewhere(input.incident.as_ref(), client.workspace())?).await
    }
}

/// An incident of the built-in workspace.
pub(super) async fn find(call: &Call<'_>, incident: &IncidentRef) -> Result<Incident, Box<Outcome>> {
    match call.services.store.find_incident(incident).await {
        Ok(Some(incident)) => Ok(incident),
        Ok(None) => Err(no_incident(incident)),
        Err(error) => Err(answer::store(&error)),
    }
}
