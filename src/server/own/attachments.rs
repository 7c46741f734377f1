//! What was attached to the report an incident came from.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::found;
use crate::{
    mail,
    server::{
        ask::{Ask, not_found},
        problem::{Problem, json},
        request::segment,
        sentinel::ListOf,
    },
    store::{EventId, StoreError},
};

/// An attachment, without its bytes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attached {
    #[serde(skip_serializing)]
    #[schemars(skip)]
    id: String,
    /// As its sender called it.
    name: String,
    /// As its sender declared it, or as it looks.
    content_type: String,
    /// Bytes.
    size: u64,
    /// Hex SHA-256 of the bytes.
    sha256: String,
    is_inline: bool,
}

/// GET `/api/incidents/{incident}/attachments`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let value = all(&ask).await?.map(|(_, attached)| attached).unwrap_or_default();
    Ok(json(StatusCode::OK, &ListOf { value, next_link: None }))
}

/// GET `/api/incidents/{incident}/attachments/{attachment}`: the bytes, never shown by a browser: they came from outside.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let wanted = ask.parameter("attachment");
    let missing = || not_found(wanted);
    let (event, attached) = all(&ask).await?.ok_or_else(missing)?;
    let place = match wanted.parse::<usize>() {
        Ok(place) => Some(place),
        Err(_) => attached.iter().position(|attached| attached.sha256.eq_ignore_ascii_case(wanted)),
    };
    let attached = place.and_then(|place| attached.into_iter().nth(place)).ok_or_else(missing)?;
    let room = ask.site.downloads.room(attached.size).await?;
    let turn = ask.site.downloads.turn().await?;
    let message = ask.store().message(event).await?.ok_or_else(missing)?;
    let id = attached.id.clone();
    // Decoding a large mail takes a while, and the others on this thread should not wait for it.
    let decoded = tokio::task::spawn_blocking(move || {
        // Held here, since the work goes on when its client has gone.
        let _turn = turn;
        mail::attachment(&message.raw, &id)
    })
    .await;
    let decoded = decoded.map_err(|error| StoreError::Failed(error.to_string().into()))?;
    let bytes = decoded.ok_or_else(missing)?.bytes;
    let disposition = format!("attachment; filename*=UTF-8''{}", segment(&attached.name));
    let mut response = Body::from(room.keep(bytes)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// The attachments of the report an incident came from, and the event they belong to; `None` when it came from none.
async fn all(ask: &Ask) -> Result<Option<(EventId, Vec<Attached>)>, Box<Problem>> {
    let Some(event) = found(ask).await?.provenance.event else { return Ok(None) };
    let Some(stored) = ask.store().event(event).await? else { return Ok(None) };
    let given = stored.outputs["body"]["attachments"].as_array().cloned().unwrap_or_default();
    let attached = given.into_iter().filter_map(|attached| serde_json::from_value(attached).ok()).collect();
    Ok(Some((event, attached)))
}
