//! What an incident is related to: alerts and bookmarks.

use axum::{http::StatusCode, response::Response};

use super::{
    body::{Envelope, RelationWrite},
    incidents::{found, missing, named},
    list::{listing, page},
};
use crate::{
    incident::{Change, IncidentRef, RelatedKind, ResourceName, Workspace, Written, properties},
    server::{
        ask::{Ask, bad_request, gone, not_found, put, unexpected},
        problem::{Problem, json},
    },
};

/// GET `/incidents/{incident}/relations`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let listing = listing(&ask, properties::RELATION)?;
    let incident = found(&ask).await?;
    let relations = ask.store().relations(&IncidentRef::Number(incident.number), listing).await?;
    let relations = relations.ok_or_else(|| missing(&ask))?;
    Ok(page(&ask, relations, |relation| relation.to_resource(&incident.name, ask.workspace())))
}

/// GET `/incidents/{incident}/relations/{relation}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let (incident, name) = (found(&ask).await?, ask.name("relation")?);
    let relation = ask.store().relation(&IncidentRef::Number(incident.number), &name).await?;
    let relation = relation.ok_or_else(|| not_found(name))?;
    Ok(json(StatusCode::OK, &relation.resource(&incident.name, ask.workspace())))
}

/// PUT `/incidents/{incident}/relations/{relation}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let (incident, name) = (named(&ask)?, ask.name("relation")?);
    let Envelope { etag, properties } = ask.json::<Envelope<RelationWrite>>().await?;
    let wanted = "an alert (…/entities/…) or of a bookmark (…/bookmarks/…)";
    let (kind, related) = target(&properties.related_resource_id, ask.workspace(), related, wanted, "incident")?;
    let precondition = ask.precondition(etag);
    match ask.change(Change::PutRelation { incident, name, kind, related, precondition }).await? {
        Written::Relation { incident, relation, created } => {
            Ok(put(created, &relation.resource(&incident.name, ask.workspace())))
        }
        _ => Err(unexpected()),
    }
}

/// DELETE `/incidents/{incident}/relations/{relation}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let change = Change::DeleteRelation {
        incident: named(&ask)?,
        name: ask.name("relation")?,
        precondition: ask.precondition(None),
    };
    Ok(gone(&ask.change(change).await?))
}

/// What the end of a resource id names: a kind of resource and a name. `wanted` says which there may be and `of` what the
/// relation belongs to. The provider's name before the workspace is not looked at, because Microsoft's own example
/// misspells it.
///
/// # Errors
/// 400 when it is another kind of resource, or of another workspace.
pub fn target<K>(
    id: &str,
    workspace: &Workspace,
    kind: impl FnOnce(&str) -> Option<K>,
    wanted: &str,
    of: &str,
) -> Result<(K, ResourceName), Box<Problem>> {
    let segments: Vec<&str> = id.split('/').collect();
    let after = |name: &str| {
        let at = segments.iter().position(|segment| segment.eq_ignore_ascii_case(name));
        at.and_then(|at| segments.get(at + 1)).copied().unwrap_or_default()
    };
    let kind = match segments.as_slice() {
        [.., collection, _] => kind(collection),
        _ => None,
    };
    let name = segments.last().and_then(|name| ResourceName::parse(name).ok());
    let (Some(kind), Some(name)) = (kind, name) else {
        let message = format!("'properties.relatedResourceId': '{id}' is not the resource id of {wanted}.");
        return Err(bad_request(message));
    };
    let same = after("subscriptions").eq_ignore_ascii_case(&workspace.subscription)
        && after("resourceGroups").eq_ignore_ascii_case(&workspace.resource_group)
        && after("workspaces").eq_ignore_ascii_case(&workspace.name);
    if !same {
        return Err(bad_request(format!("Related resource and {of} should belong to the same workspace.")));
    }
    Ok((kind, name))
}

/// An incident is related to alerts and bookmarks.
fn related(collection: &str) -> Option<RelatedKind> {
    match collection.to_ascii_lowercase().as_str() {
        "entities" => Some(RelatedKind::Alert),
        "bookmarks" => Some(RelatedKind::Bookmark),
        _ => None,
    }
}
