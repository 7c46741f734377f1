//! Incidents.

use axum::{http::StatusCode, response::Response};
use uuid::Uuid;

use super::{
    body::{Envelope, IncidentWrite, TeamWrite},
    list::{listing, page},
};
use crate::{
    incident::{Change, Draft, Incident, IncidentRef, TeamMembers, Written, properties},
    server::{
        ask::{Ask, gone, not_found, put, unexpected},
        own::incidents::checked,
        problem::{Problem, json},
    },
};

/// The incident an address names.
///
/// # Errors
/// 400 when no incident can be called so.
pub fn named(ask: &Ask) -> Result<IncidentRef, Box<Problem>> {
    Ok(IncidentRef::Name(ask.name("incident")?))
}

/// The incident an address names, as it is now.
///
/// # Errors
/// 404 when there is none.
pub async fn found(ask: &Ask) -> Result<Incident, Box<Problem>> {
    let incident = ask.store().find_incident(&named(ask)?).await?;
    incident.ok_or_else(|| missing(ask))
}

/// There is no such incident.
pub fn missing(ask: &Ask) -> Box<Problem> {
    not_found(ask.parameter("incident"))
}

/// GET `/incidents`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let listing = listing(&ask, properties::INCIDENT)?;
    let incidents = ask.store().list_incidents(listing).await?;
    Ok(page(&ask, incidents, |incident| incident.to_resource(ask.workspace())))
}

/// GET `/incidents/{incident}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let incident = found(&ask).await?;
    Ok(json(StatusCode::OK, &incident.resource(ask.workspace())))
}

/// PUT `/incidents/{incident}`: creates it, or replaces everything a client may write of it.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let name = ask.name("incident")?;
    let Envelope { etag, properties } = ask.json::<Envelope<IncidentWrite>>().await?;
    let incident = checked(Draft::from(properties))?;
    let precondition = ask.precondition(etag);
    match ask.change(Change::PutIncident { name, incident, precondition }).await? {
        Written::Incident { incident, created } => Ok(put(created, &incident.resource(ask.workspace()))),
        _ => Err(unexpected()),
    }
}

/// DELETE `/incidents/{incident}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let change = Change::DeleteIncident { incident: named(&ask)?, precondition: ask.precondition(None) };
    Ok(gone(&ask.change(change).await?))
}

/// POST `/incidents/{incident}/createTeam`: keeps that a team works on the incident.
pub async fn create_team(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let incident = named(&ask)?;
    let given = ask.json::<TeamWrite>().await?;
    let who =
        TeamMembers { members: given.member_ids.unwrap_or_default(), groups: given.group_ids.unwrap_or_default() };
    let description = given.team_description.filter(|text| !text.trim().is_empty());
    let (id, name) = (Uuid::new_v4(), given.team_name);
    match ask.change(Change::CreateTeam { incident, id, name, description, who }).await? {
        Written::Incident { incident, .. } => Ok(json(StatusCode::OK, &incident.team_information(ask.workspace()))),
        _ => Err(unexpected()),
    }
}
