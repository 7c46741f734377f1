//! Larum's own API under `/api`: what Sentinel's has no place for, and what the command line needs.

pub(super) mod activity;
pub(super) mod alerts;
pub(super) mod attachments;
pub(super) mod incidents;
pub(super) mod runs;
pub(super) mod tokens;
pub(super) mod workspace;

use crate::{
    incident::{Incident, IncidentRef, ResourceName},
    server::{
        ask::{Ask, bad_request, not_found},
        problem::Problem,
    },
};

/// What stands before a name that would be read as something else: a number, or a word of the API's.
const NAME: &str = "name:";

/// The incident an address names, by its number or its name.
///
/// # Errors
/// 400 when it is neither.
fn named(ask: &Ask) -> Result<IncidentRef, Box<Problem>> {
    let text = ask.parameter("incident");
    let name = match text.split_at_checked(NAME.len()) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(NAME) => name,
        _ => match text.parse() {
            Ok(number) => return Ok(IncidentRef::Number(number)),
            Err(_) => text,
        },
    };
    ResourceName::parse(name).map(IncidentRef::Name).map_err(|error| bad_request(error.to_string()))
}

/// The incident an address names, as it is now.
///
/// # Errors
/// 404 when there is none.
async fn found(ask: &Ask) -> Result<Incident, Box<Problem>> {
    let incident = ask.store().find_incident(&named(ask)?).await?;
    incident.ok_or_else(|| missing(ask))
}

/// There is no such incident.
fn missing(ask: &Ask) -> Box<Problem> {
    not_found(ask.parameter("incident"))
}

/// The number a query parameter gives, at most `most`.
///
/// # Errors
/// 400 when it is no whole number from 1 on.
fn number(ask: &Ask, name: &str, default: usize, most: usize) -> Result<usize, Box<Problem>> {
    let Some(text) = ask.query(name).filter(|text| !text.is_empty()) else { return Ok(default) };
    let number = text.parse::<usize>().ok().filter(|number| *number > 0).map(|number| number.min(most));
    number.ok_or_else(|| {
        bad_request(format!("The query parameter {name} must be a whole number from 1 on, not '{text}'."))
    })
}
