//! Resources that are kept as they were written, whatever they are.

use axum::response::Response;
use serde_json::Value;

use crate::{
    incident::{Change, DocumentKey, Written},
    server::{
        ask::{Ask, put, unexpected},
        problem::Problem,
    },
};

/// Creates or replaces a document whose properties are checked.
pub(super) async fn put_document(
    ask: &Ask,
    key: DocumentKey,
    properties: Value,
    etag: Option<String>,
) -> Result<Response, Box<Problem>> {
    let precondition = ask.precondition(etag);
    match ask.change(Change::PutDocument { key, properties, precondition }).await? {
        Written::Document { document, created } => Ok(put(created, &document.resource(ask.workspace()))),
        _ => Err(unexpected()),
    }
}
