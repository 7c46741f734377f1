//! The comments of an incident.

use axum::{http::StatusCode, response::Response};

use super::{
    body::{CommentWrite, Envelope},
    incidents::{found, missing, named},
    list::{listing, page},
};
use crate::{
    access::Role,
    incident::{Change, IncidentRef, Written, properties},
    server::{
        ask::{Ask, gone, not_found, put, unexpected},
        problem::{Problem, json},
    },
};

/// GET `/incidents/{incident}/comments`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let listing = listing(&ask, properties::COMMENT)?;
    let incident = found(&ask).await?;
    let comments = ask.store().comments(&IncidentRef::Number(incident.number), listing).await?;
    let comments = comments.ok_or_else(|| missing(&ask))?;
    Ok(page(&ask, comments, |comment| comment.to_resource(&incident.name, ask.workspace())))
}

/// GET `/incidents/{incident}/comments/{comment}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let (incident, name) = (found(&ask).await?, ask.name("comment")?);
    let comment = ask.store().comment(&IncidentRef::Number(incident.number), &name).await?;
    let comment = comment.ok_or_else(|| not_found(name))?;
    Ok(json(StatusCode::OK, &comment.resource(&incident.name, ask.workspace())))
}

/// PUT `/incidents/{incident}/comments/{comment}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let (incident, name) = (named(&ask)?, ask.name("comment")?);
    let Envelope { etag, properties } = ask.json::<Envelope<CommentWrite>>().await?;
    let precondition = ask.precondition(etag);
    let any_author = ask.caller.role >= Role::Contributor;
    let change = Change::PutComment { incident, name, message: properties.message, precondition, any_author };
    match ask.change(change).await? {
        Written::Comment { incident, comment, created } => {
            Ok(put(created, &comment.resource(&incident.name, ask.workspace())))
        }
        _ => Err(unexpected()),
    }
}

/// DELETE `/incidents/{incident}/comments/{comment}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let change = Change::DeleteComment {
        incident: named(&ask)?,
        name: ask.name("comment")?,
        precondition: ask.precondition(None),
    };
    Ok(gone(&ask.change(change).await?))
}
