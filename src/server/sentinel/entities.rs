//! What an incident concerns: its alerts, its bookmarks, and the entities that its alerts name.

use axum::{http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::incidents::{missing, named};
use crate::{
    incident::{Entity, EntityKind, EntityResource, ResourceName},
    server::{
        ask::{Ask, not_found},
        problem::{Problem, json},
    },
};

/// Alerts or bookmarks as entities.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EntityList {
    value: Vec<EntityResource>,
}

/// The entities of an incident, and how many there are of each kind.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IncidentEntities {
    entities: Vec<EntityResource>,
    meta_data: Vec<Counted>,
}

/// How many entities there are of a kind.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    entity_kind: EntityKind,
    count: usize,
}

/// POST `/incidents/{incident}/alerts`. What the body holds is of no interest; most clients send none.
pub async fn alerts_of(ask: Ask) -> Result<Response, Box<Problem>> {
    let alerts = ask.store().alerts_of(&named(&ask)?).await?.ok_or_else(|| missing(&ask))?;
    let value = alerts.iter().map(|alert| alert.resource(ask.workspace())).collect();
    Ok(json(StatusCode::OK, &EntityList { value }))
}

/// POST `/incidents/{incident}/bookmarks`.
pub async fn bookmarks_of(ask: Ask) -> Result<Response, Box<Problem>> {
    let found = ask.store().bookmarks_of(&named(&ask)?).await?.ok_or_else(|| missing(&ask))?;
    let value = found.iter().map(|bookmark| bookmark.entity(ask.workspace())).collect();
    Ok(json(StatusCode::OK, &EntityList { value }))
}

/// POST `/incidents/{incident}/entities`.
pub async fn entities_of(ask: Ask) -> Result<Response, Box<Problem>> {
    let found = ask.store().entities_of(&named(&ask)?).await?.ok_or_else(|| missing(&ask))?;
    let entities = found.iter().map(|entity| entity.resource(ask.workspace())).collect();
    Ok(json(StatusCode::OK, &IncidentEntities { entities, meta_data: count(&found) }))
}

/// How many there are of each kind, in the order in which the kinds come.
pub fn count(entities: &[Entity]) -> Vec<Counted> {
    let mut counts: Vec<Counted> = Vec::new();
    for entity in entities {
        match counts.iter_mut().find(|counted| counted.entity_kind == entity.kind) {
            Some(counted) => counted.count += 1,
            None => counts.push(Counted { entity_kind: entity.kind, count: 1 }),
        }
    }
    counts
}

/// GET `/entities/{entity}`: an entity, or an alert, which is one to the API.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let entity = found(&ask, &ask.name("entity")?).await?;
    Ok(json(StatusCode::OK, &entity))
}

/// An entity or alert by its name.
///
/// # Errors
/// 404 when there is none.
pub async fn found(ask: &Ask, name: &ResourceName) -> Result<EntityResource, Box<Problem>> {
    if let Some(guid) = name.guid()
        && let Some(entity) = ask.store().entity(guid).await?
    {
        return Ok(entity.resource(ask.workspace()));
    }
    let alert = ask.store().alert(name).await?;
    let alert = alert.ok_or_else(|| not_found(name))?;
    Ok(alert.resource(ask.workspace()))
}
