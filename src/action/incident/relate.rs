//! `relate_alert`: an alert becomes one of an incident's.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Connection, Operation,
    answer::{bad, write},
    get,
    named::{self, Given, Named},
    sentinel::Client,
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    config::Workspace,
    incident::{Change, IncidentRef, Precondition, RelatedKind, ResourceName},
};

/// Relates an alert to an incident: the incident then shows it and its entities. Returns the relation. An incident takes
/// 150 alerts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    incident: Option<Given>,
    /// The alert: its `systemAlertId`, its resource id, or the whole alert.
    #[schemars(schema_with = "alert_schema")]
    alert: Value,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

fn alert_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["string", "object"]})
}

pub(in crate::action) const ACTION: ActionType =
    super::on_incident(&RelateAlert, &["addalerttoincident", "addrelation", "addalert"]);

struct RelateAlert;

#[async_trait::async_trait]
impl Operation for RelateAlert {
    type Input = Input;

    const NAME: &'static str = "relate_alert";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        let workspace = &call.services.config.workspace;
        let related = alert(&input.alert, workspace)?;
        let incident = match named::incident(input.incident.as_ref(), call.run, workspace)? {
            IncidentRef::Name(name) => name,
            number @ IncidentRef::Number(_) => get::find(call, &number).await?.name,
        };
        Ok(write(
            call,
            Change::PutRelation {
                name: relation(&incident, &related)?,
                incident: IncidentRef::Name(incident),
                kind: RelatedKind::Alert,
                related,
                precondition: Precondition::default(),
            },
        ))
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        named::rehearsed(call, input.incident.as_ref())?;
        if !named::is_unknown(&input.alert) {
            named::wherever(alert(&input.alert, &call.config.workspace))?;
        }
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        let related = alert(&input.alert, client.workspace())?;
        let incident = named::elsewhere(input.incident.as_ref(), client.workspace())?;
        let incident = client.name_of(&incident).await?;
        client.relate_alert(&incident, &relation(&incident, &related)?, &related).await
    }
}

fn alert(given: &Value, workspace: &Workspace) -> Result<ResourceName, Box<Outcome>> {
    // The alert trigger's payload is flat.
    let given = ["SystemAlertId", "systemAlertId"].iter().find_map(|key| given.get(*key)).unwrap_or(given);
    match Named::read("alert", given, workspace)? {
        Named::Number(number) => named::name("alert", &number.to_string()),
        Named::Name(text) => named::name("alert", text),
        Named::Id(id) => match id.name_of("Entities") {
            Some(text) => named::name("alert", text),
            None => Err(bad("the input `alert` is the id of something else than an alert")),
        },
    }
}

/// The relation's name, as Sentinel names them; the same again for a repeat.
fn relation(incident: &ResourceName, alert: &ResourceName) -> Result<ResourceName, Box<Outcome>> {
    named::name("alert", &format!("{incident}_{alert}"))
}
