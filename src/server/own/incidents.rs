//! Incidents as people and the command line handle them: by number, and in parts.

use axum::{http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{found, missing, named, number};
use crate::{
    incident::{
        Change, Classification, ClassificationReason, Draft, Incident, IncidentProperties, IncidentRef, Owner, Patch,
        Precondition, Provenance, Refusal, Rejected, Resource, ResourceName, Severity, Status, Workspace, Written,
    },
    limits::{API_FOUND, API_FOUND_MOST},
    server::{
        ask::{Ask, bad_request, gone, put, unexpected},
        problem::{Problem, json},
        sentinel::{ListOf, optional_word},
    },
    store::incidents::Reason,
};

/// An incident, and where it came from.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentWithProvenance")]
pub struct Shown<'a> {
    #[serde(flatten)]
    resource: Resource<IncidentProperties<'a>>,
    provenance: &'a Provenance,
}

impl<'a> Shown<'a> {
    pub fn of(incident: &'a Incident, workspace: &Workspace) -> Self {
        Self { resource: incident.resource(workspace), provenance: &incident.provenance }
    }
}

/// An incident to be made; its name and number are Larum's choice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
pub struct NewIncident {
    title: String,
    /// At most 5,000 characters.
    #[serde(default)]
    description: String,
    /// Medium when it is not given.
    #[serde(default, deserialize_with = "optional_word")]
    severity: Option<Severity>,
    /// New when it is not given.
    #[serde(default, deserialize_with = "optional_word")]
    status: Option<Status>,
    #[serde(default, deserialize_with = "optional_word")]
    classification: Option<Classification>,
    #[serde(default, deserialize_with = "optional_word")]
    classification_reason: Option<ClassificationReason>,
    #[serde(default)]
    classification_comment: Option<String>,
    /// An object id, a user principal name or a mail address.
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// What is to be changed of an incident; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
pub struct IncidentPatch {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default, deserialize_with = "optional_word")]
    severity: Option<Severity>,
    #[serde(default, deserialize_with = "optional_word")]
    status: Option<Status>,
    #[serde(default, deserialize_with = "optional_word")]
    classification: Option<Classification>,
    #[serde(default, deserialize_with = "optional_word")]
    classification_reason: Option<ClassificationReason>,
    #[serde(default)]
    classification_comment: Option<String>,
    /// An object id, a user principal name or a mail address; an empty text takes the owner away.
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    add_tags: Vec<String>,
    /// Ignoring case.
    #[serde(default)]
    remove_tags: Vec<String>,
}

/// A comment to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct NewComment {
    /// HTML or Markdown, at most 30,000 characters.
    message: String,
}

/// Which incidents are to be merged into the one of the address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct Merge {
    /// By number or name.
    incidents: Vec<Named>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Named {
    Number(u64),
    Name(String),
}

/// An incident a search found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Hit<'a> {
    incident: Shown<'a>,
    /// A few words around the first place found.
    excerpt: &'a str,
}

/// An incident that has something in common with another.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Related<'a> {
    incident: Shown<'a>,
    because: &'a [Reason],
}

/// POST `/api/incidents`.
pub async fn create(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let given: NewIncident = ask.json().await?;
    let draft = Draft {
        title: given.title,
        description: given.description,
        severity: given.severity.unwrap_or(Severity::Medium),
        status: given.status.unwrap_or(Status::New),
        classification: given.classification,
        classification_reason: given.classification_reason,
        classification_comment: given.classification_comment,
        owner: given.owner.as_deref().map(Owner::parse).unwrap_or_default(),
        tags: given.tags,
        ..Draft::new("")
    };
    let incident = checked(draft)?;
    let name = ResourceName::Guid(Uuid::new_v4());
    changed(&ask, Change::PutIncident { name, incident, precondition: Precondition::default() }).await
}

/// GET `/api/incidents/{incident}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let incident = found(&ask).await?;
    Ok(json(StatusCode::OK, &Shown::of(&incident, ask.workspace())))
}

/// PATCH `/api/incidents/{incident}`.
pub async fn patch(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let given: IncidentPatch = ask.json().await?;
    let patch = Patch {
        title: given.title,
        description: given.description,
        severity: given.severity,
        status: given.status,
        classification: given.classification,
        classification_reason: given.classification_reason,
        classification_comment: given.classification_comment,
        owner: given.owner.as_deref().map(Owner::parse),
        add_tags: given.add_tags,
        remove_tags: given.remove_tags,
        first_activity: None,
        last_activity: None,
    };
    patch.fits().map_err(refused)?;
    let (incident, patch) = (named(&ask)?, Box::new(patch));
    changed(&ask, Change::PatchIncident { incident, patch, precondition: ask.precondition(None) }).await
}

/// DELETE `/api/incidents/{incident}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let change = Change::DeleteIncident { incident: named(&ask)?, precondition: ask.precondition(None) };
    Ok(gone(&ask.change(change).await?))
}

/// POST `/api/incidents/{incident}/comments`.
pub async fn comment(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let NewComment { message } = ask.json().await?;
    let (incident, name) = (named(&ask)?, ResourceName::Guid(Uuid::new_v4()));
    let precondition = Precondition::default();
    match ask.change(Change::PutComment { incident, name, message, precondition, any_author: false }).await? {
        Written::Comment { incident, comment, created } => {
            Ok(put(created, &comment.resource(&incident.name, ask.workspace())))
        }
        _ => Err(unexpected()),
    }
}

/// POST `/api/incidents/{incident}/merge`.
pub async fn merge(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let given: Merge = ask.json().await?;
    let from: Result<Vec<_>, _> = given
        .incidents
        .iter()
        .map(|named| match named {
            Named::Number(number) => Ok(IncidentRef::Number(*number)),
            Named::Name(name) => ResourceName::parse(name).map(IncidentRef::Name),
        })
        .collect();
    let from = from.map_err(|error| bad_request(error.to_string()))?;
    if from.is_empty() {
        return Err(bad_request("'incidents' must name at least one incident."));
    }
    let into = named(&ask)?;
    changed(&ask, Change::Merge { into, from, precondition: ask.precondition(None) }).await
}

/// GET `/api/incidents/search?q=`.
pub async fn search(ask: Ask) -> Result<Response, Box<Problem>> {
    let words = ask.query("q").map(str::trim).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| bad_request("The query parameter q must say what to look for."))?;
    let limit = number(&ask, "limit", API_FOUND, API_FOUND_MOST)?;
    let hits = ask.store().search(words, limit).await?;
    let value = hits
        .iter()
        .map(|hit| Hit { incident: Shown::of(&hit.incident, ask.workspace()), excerpt: &hit.excerpt })
        .collect();
    Ok(json(StatusCode::OK, &ListOf { value, next_link: None }))
}

/// GET `/api/incidents/{incident}/related`.
pub async fn related(ask: Ask) -> Result<Response, Box<Problem>> {
    let limit = number(&ask, "limit", API_FOUND, API_FOUND_MOST)?;
    let incident = found(&ask).await?;
    let of = IncidentRef::Number(incident.number);
    let related = ask.store().related_incidents(&of, limit).await?;
    let value = related
        .iter()
        .map(|related| Related { incident: Shown::of(&related.incident, ask.workspace()), because: &related.because })
        .collect();
    Ok(json(StatusCode::OK, &ListOf { value, next_link: None }))
}

async fn changed(ask: &Ask, change: Change) -> Result<Response, Box<Problem>> {
    match ask.change(change).await? {
        Written::Incident { incident, created } => Ok(put(created, &Shown::of(&incident, ask.workspace()))),
        Written::Gone { .. } => Err(missing(ask)),
        _ => Err(unexpected()),
    }
}

/// An incident that may be stored. Intake cuts what is too long, because nobody is there to shorten it; here there is, and
/// the rest would be kept nowhere.
///
/// # Errors
/// 400 when something is too long, or breaks another rule.
pub fn checked(draft: Draft) -> Result<Box<Draft>, Box<Problem>> {
    draft.fits().and_then(|()| draft.check()).map(Box::new).map_err(refused)
}

/// 400 with what the rules say.
pub fn refused(refusal: Refusal) -> Box<Problem> {
    Rejected::from(refusal).into()
}
