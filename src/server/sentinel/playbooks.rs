//! Starting a playbook on an incident by hand.

use axum::{http::StatusCode, response::Response};

use super::{
    body::RunPlaybook,
    entities,
    incidents::{found, missing},
};
use crate::{
    engine::Live,
    incident::{Incident, IncidentRef, ResourceName, Workspace, automation::RuleAction, provider_id},
    playbook::Trigger,
    server::{
        ask::{Ask, bad_request, empty},
        problem::Problem,
        request::BUSY_RETRY,
    },
    store::intake::Verdict,
    trigger::incident,
};

const TITLE: &str = "This was not started";

/// POST `/incidents/{incident}/runPlaybook`.
pub async fn on_incident(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let given: RunPlaybook = ask.json().await?;
    let incident = found(&ask).await?;
    run(&ask, &given, &incident).await
}

/// POST `/entities/{entity}/runPlaybook`: on the incident that the entity is looked at in. No playbook here starts on an
/// entity alone; of an alert, its newest incident is meant when none is named.
pub async fn on_entity(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let given: RunPlaybook = ask.json().await?;
    let name = ask.name("entity")?;
    entities::found(&ask, &name).await?;
    let incident = match given.incident_arm_id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => {
            let incident = incident_of(id, ask.workspace()).ok_or_else(|| {
                bad_request(format!("'incidentArmId': '{id}' is not the resource id of an incident of this workspace."))
            })?;
            ask.store().find_incident(&IncidentRef::Name(incident)).await?
        }
        None => {
            let incidents = ask.store().incidents_of(&name).await?;
            let newest = incidents.into_iter().max_by_key(|incident| incident.number);
            let message = "'incidentArmId' is missing: playbooks start on an incident, not on an entity alone.";
            Some(newest.ok_or_else(|| bad_request(message))?)
        }
    };
    run(&ask, &given, &incident.ok_or_else(|| missing(&ask))?).await
}

/// The incident that a resource id names, if it is an incident's of this workspace. Azure's ids ignore case.
fn incident_of(id: &str, workspace: &Workspace) -> Option<ResourceName> {
    let provider = provider_id(workspace);
    let (given, below) = id.trim_end_matches('/').split_at_checked(provider.len())?;
    let (kind, name) = below.strip_prefix('/')?.split_once('/')?;
    let is_one = given.eq_ignore_ascii_case(&provider) && kind.eq_ignore_ascii_case("incidents") && !name.contains('/');
    is_one.then(|| ResourceName::parse(name).ok()).flatten()
}

async fn run(ask: &Ask, given: &RunPlaybook, incident: &Incident) -> Result<Response, Box<Problem>> {
    let name = RuleAction::playbook_of(&given.logic_apps_resource_id);
    let live = playbook(ask, name).ok_or_else(|| {
        let message = format!("No playbook called '{name}' starts on incidents.");
        Problem::new(StatusCode::NOT_FOUND, "ResourceNotFound", TITLE, message)
    })?;
    let by = ask.caller.actor.clone();
    let causes = ask.causes().await?;
    let verdict = incident::run(&ask.site.door, ask.workspace(), &live, incident, by, causes).await?;
    match verdict {
        Verdict::Accepted { .. } | Verdict::Duplicate { .. } => Ok(empty(StatusCode::NO_CONTENT)),
        Verdict::Skipped { because } => {
            let message = format!("The playbook '{name}' was not started: {because}.");
            Err(Problem::new(StatusCode::CONFLICT, "Conflict", TITLE, message))
        }
        Verdict::Busy { because } => {
            let message = format!("The playbook '{name}' was not started: {because}.");
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", TITLE, message).retry_after(BUSY_RETRY))
        }
    }
}

/// The playbook of this name, if it can be started on an incident.
fn playbook(ask: &Ask, name: &str) -> Option<Live> {
    let startable = |live: &&Live| matches!(live.playbook.trigger, Trigger::Incident(_) | Trigger::Manual);
    let current = ask.site.door.library.current();
    current.iter().filter(startable).find(|live| live.playbook.name.eq_ignore_ascii_case(name)).cloned()
}
