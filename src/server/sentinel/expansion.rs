//! What a bookmark leads to: the entities it names, and those of the alerts of its incidents.

use std::collections::BTreeSet;

use axum::{http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    body::ExpansionWrite,
    bookmarks::found,
    entities::{Counted, count},
};
use crate::{
    incident::{EntityResource, IncidentRef},
    limits::EXPANDED_INCIDENTS,
    server::{
        ask::{Ask, bad_request},
        problem::{Problem, json},
    },
};

/// What an expansion found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expansion {
    value: Expanded,
    meta_data: Aggregations,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Expanded {
    entities: Vec<EntityResource>,
    /// Always empty: how entities hang together is not kept.
    edges: [(); 0],
}

#[derive(Debug, Serialize, JsonSchema)]
struct Aggregations {
    aggregations: Vec<Counted>,
}

/// POST `/bookmarks/{bookmark}/expand`.
pub async fn expand(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let ExpansionWrite { start_time, end_time, .. } = ask.json().await?;
    if let (Some(start), Some(end)) = (start_time, end_time)
        && start > end
    {
        return Err(bad_request("'startTime' must not be after 'endTime'."));
    }
    let bookmark = found(&ask).await?;
    let mut entities = bookmark.mapped_entities();
    let mut known: BTreeSet<_> = entities.iter().map(|entity| entity.name).collect();
    let relations = ask.store().bookmark_relations(&bookmark.key.name).await?;
    for (_, relation) in relations.iter().rev().take(EXPANDED_INCIDENTS) {
        // An incident that was deleted just now has no alerts.
        let alerts = ask.store().alerts_of(&IncidentRef::Number(relation.incident)).await?.unwrap_or_default();
        let within = alerts.into_iter().filter(|alert| {
            start_time.is_none_or(|start| alert.received >= start) && end_time.is_none_or(|end| alert.received <= end)
        });
        entities.extend(within.flat_map(|alert| alert.entities).filter(|entity| known.insert(entity.name)));
    }
    let expansion = Expansion {
        meta_data: Aggregations { aggregations: count(&entities) },
        value: Expanded {
            entities: entities.iter().map(|entity| entity.resource(ask.workspace())).collect(),
            edges: [],
        },
    };
    Ok(json(StatusCode::OK, &expansion))
}
