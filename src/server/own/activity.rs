//! An incident's activity log.

use axum::{http::StatusCode, response::Response};

use super::{found, named, number};
use crate::{
    incident::IncidentRef,
    limits::{API_PAGE, API_PAGE_MOST},
    server::{
        ask::{Ask, bad_request, not_found},
        problem::{Problem, json},
        sentinel::{ListOf, link},
    },
};

const AFTER: &str = "after";

/// GET `/api/incidents/{incident}/activity`, oldest first. By its number the log of a deleted incident is there too.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let limit = number(&ask, "limit", API_PAGE, API_PAGE_MOST)?;
    let after = ask.query(AFTER).map(|text| {
        text.parse().map_err(|_| bad_request(format!("The query parameter after must be an entry's id, not '{text}'.")))
    });
    let after = after.transpose()?;
    let incident = match named(&ask)? {
        IncidentRef::Number(number) => number,
        IncidentRef::Name(_) => found(&ask).await?.number,
    };
    let entries = ask.store().activity(incident, after, limit).await?;
    if entries.is_empty() && after.is_none() {
        return Err(not_found(incident));
    }
    let last = entries.last().filter(|_| entries.len() == limit).map(|entry| entry.id.to_string());
    let next_link = last.map(|id| link(&ask, AFTER, &id));
    Ok(json(StatusCode::OK, &ListOf { value: entries, next_link }))
}
