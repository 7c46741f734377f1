//! The incidents that a bookmark is related to: the incidents' own relations, seen from the bookmark.

use axum::{http::StatusCode, response::Response};

use super::{
    body::{Envelope, RelationWrite},
    bookmarks::found,
    list::whole,
    relations::target,
};
use crate::{
    incident::Rejected,
    incident::{Change, Document, IncidentRef, RelatedKind, Relation, ResourceName, Written},
    server::{
        ask::{Ask, gone, not_found, put, unexpected},
        problem::{Problem, json},
    },
};

/// GET `/bookmarks/{bookmark}/relations`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let bookmark = found(&ask).await?;
    let relations = ask.store().bookmark_relations(&bookmark.key.name).await?;
    Ok(whole(&relations, |(incident, relation)| relation.of_bookmark(incident, ask.workspace())))
}

/// GET `/bookmarks/{bookmark}/relations/{relation}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let (bookmark, name) = (found(&ask).await?, ask.name("relation")?);
    let (incident, relation) = called(&ask, &bookmark, &name).await?.ok_or_else(|| not_found(name))?;
    Ok(json(StatusCode::OK, &relation.of_bookmark(&incident, ask.workspace())))
}

/// PUT `/bookmarks/{bookmark}/relations/{relation}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let name = ask.name("relation")?;
    let Envelope { etag, properties } = ask.json::<Envelope<RelationWrite>>().await?;
    let ((), incident) = target(
        &properties.related_resource_id,
        ask.workspace(),
        |collection| collection.eq_ignore_ascii_case("incidents").then_some(()),
        "an incident (…/incidents/…), which is all that a bookmark is related to",
        "bookmark",
    )?;
    let bookmark = found(&ask).await?;
    if let Some((other, _)) = called(&ask, &bookmark, &name).await?.filter(|(other, _)| *other != incident) {
        let message = format!(
            "Relation with name {name} already exists in bookmark {} to different incident {other}.",
            bookmark.key.name
        );
        return Err(Rejected::Conflict(message).into());
    }
    let precondition = ask.precondition(etag);
    let (incident, related) = (IncidentRef::Name(incident), bookmark.key.name);
    let change = Change::PutRelation { incident, name, kind: RelatedKind::Bookmark, related, precondition };
    match ask.change(change).await? {
        Written::Relation { incident, relation, created } => {
            Ok(put(created, &relation.of_bookmark(&incident.name, ask.workspace())))
        }
        _ => Err(unexpected()),
    }
}

/// DELETE `/bookmarks/{bookmark}/relations/{relation}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let (bookmark, name) = (found(&ask).await?, ask.name("relation")?);
    let Some((incident, relation)) = called(&ask, &bookmark, &name).await? else {
        return Ok(gone(&Written::Gone { existed: false }));
    };
    let change = Change::DeleteRelation {
        incident: IncidentRef::Name(incident),
        name: relation.name,
        precondition: ask.precondition(None),
    };
    Ok(gone(&ask.change(change).await?))
}

/// The bookmark's relation of this name and the incident it is of. Two incidents may call theirs alike; the older is meant.
async fn called(
    ask: &Ask,
    bookmark: &Document,
    name: &ResourceName,
) -> Result<Option<(ResourceName, Relation)>, Box<Problem>> {
    let relations = ask.store().bookmark_relations(&bookmark.key.name).await?;
    Ok(relations.into_iter().find(|(_, relation)| relation.name == *name))
}
