//! Bookmarks.

use axum::{http::StatusCode, response::Response};
use serde_json::Value;

use super::{
    body::{BookmarkWrite, Envelope},
    documents::put_document,
    list::{listing, page},
};
use crate::{
    incident::{Change, Document, DocumentKey, DocumentKind, within},
    limits::{BOOKMARK_BYTES, BOOKMARK_NAME_CHARS},
    server::{
        ask::{Ask, bad_request, gone, not_found, unexpected},
        own::incidents::refused,
        problem::{Problem, json},
    },
    store::incidents::Listing,
};

/// What the service itself says of a bookmark, whatever a client sends.
const SERVICE_SET: [&str; 4] = ["created", "createdBy", "updated", "updatedBy"];

fn key(ask: &Ask) -> Result<DocumentKey, Box<Problem>> {
    Ok(DocumentKey { kind: DocumentKind::Bookmark, parent: None, name: ask.name("bookmark")? })
}

/// The bookmark an address names.
///
/// # Errors
/// 404 when there is none.
pub async fn found(ask: &Ask) -> Result<Document, Box<Problem>> {
    let key = key(ask)?;
    let bookmark = ask.store().document(&key).await?;
    bookmark.ok_or_else(|| not_found(key.name))
}

/// GET `/bookmarks`, oldest first.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let Listing { top, after, .. } = listing(&ask, &[])?;
    let bookmarks = ask.store().bookmarks(top, after).await?;
    Ok(page(&ask, bookmarks, |bookmark| bookmark.to_resource(ask.workspace())))
}

/// GET `/bookmarks/{bookmark}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let bookmark = found(&ask).await?;
    Ok(json(StatusCode::OK, &bookmark.resource(ask.workspace())))
}

/// PUT `/bookmarks/{bookmark}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let body = ask.value().await?;
    let checked: Envelope<BookmarkWrite> = ask.read(body.clone())?;
    if checked.properties.display_name.trim().is_empty() {
        return Err(bad_request("'properties.displayName' must not be empty."));
    }
    within("displayName", Some(&checked.properties.display_name), BOOKMARK_NAME_CHARS).map_err(refused)?;
    let Value::Object(mut properties) = body["properties"].clone() else { return Err(unexpected()) };
    properties.retain(|name, value| !value.is_null() && !SERVICE_SET.contains(&&**name));
    let properties = Value::from(properties);
    if properties.to_string().len() > BOOKMARK_BYTES {
        return Err(bad_request(format!("'properties' has more than {BOOKMARK_BYTES} bytes.")));
    }
    put_document(&ask, key, properties, checked.etag).await
}

/// DELETE `/bookmarks/{bookmark}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    Ok(gone(&ask.change(Change::DeleteDocument { key, precondition: ask.precondition(None) }).await?))
}
