//! Incidents as people and the command line handle them: by number, and in parts.

use axum::{
    http::{HeaderValue, StatusCode},
    response::Response,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::{Uuid, uuid};

use super::{found, missing, named, number};
use crate::{
    incident::{
        Actor, Change, Classification, ClassificationReason, Draft, Incident, IncidentProperties, IncidentRef, Owner,
        Patch, Precondition, Provenance, Refusal, Rejected, Resource, ResourceName, Severity, Status, Workspace,
        Written,
    },
    limits::{API_FOUND, API_FOUND_MOST},
    server::{
        ask::{Ask, bad_request, gone, put, unexpected},
        problem::{Problem, json},
        request::{REPLAYED, idempotency_key},
        sentinel::{ListOf, optional_word},
    },
    store::incidents::Reason,
};

/// The namespace of names that come from an `Idempotency-Key` (RFC 9562 §5.5).
const KEYED: Uuid = uuid!("5d1f7c1a-9a0b-5c57-8a2e-3b64c0e1d7f2");

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
    let (name, is_keyed) = name(&ask, "POST /api/incidents")?;
    if !is_keyed {
        return changed(&ask, Change::PutIncident { name, incident, precondition: Precondition::default() }).await;
    }
    let known = IncidentRef::Name(name.clone());
    let first = async || -> Result<Option<Response>, Box<Problem>> {
        let incident = ask.store().find_incident(&known).await?;
        Ok(incident.map(|incident| replayed(&Shown::of(&incident, ask.workspace()))))
    };
    if let Some(answer) = first().await? {
        return Ok(answer);
    }
    let made = changed(&ask, Change::PutIncident { name, incident, precondition: Precondition::new_only() }).await;
    or_first(made, first).await
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
    let incident = found(&ask).await?;
    let number = IncidentRef::Number(incident.number);
    // However the address names the incident.
    let (name, is_keyed) = name(&ask, &format!("POST /api/incidents/{}/comments", incident.number))?;
    let first = async || -> Result<Option<Response>, Box<Problem>> {
        let comment = ask.store().comment(&number, &name).await?;
        Ok(comment.map(|comment| replayed(&comment.resource(&incident.name, ask.workspace()))))
    };
    if is_keyed && let Some(answer) = first().await? {
        return Ok(answer);
    }
    let precondition = if is_keyed { Precondition::new_only() } else { Precondition::default() };
    let (incident, name) = (number.clone(), name.clone());
    let change = Change::PutComment { incident, name, message, precondition, any_author: false };
    let made = match ask.change(change).await {
        Ok(Written::Comment { incident, comment, created }) => {
            Ok(put(created, &comment.resource(&incident.name, ask.workspace())))
        }
        Ok(_) => Err(unexpected()),
        Err(problem) => Err(problem),
    };
    or_first(made, first).await
}

/// The name of what is made, and whether an `Idempotency-Key` gives it: then it is the same for the same token, route and
/// key.
///
/// # Errors
/// 400 when there is a key that is none.
fn name(ask: &Ask, route: &str) -> Result<(ResourceName, bool), Box<Problem>> {
    let Some(key) = idempotency_key(&ask.headers)? else { return Ok((Uuid::new_v4().into(), false)) };
    let client = match &ask.caller.actor {
        Actor::Token { id, .. } | Actor::Person { id, .. } => *id,
        Actor::Playbook { .. } | Actor::Rule { .. } | Actor::Larum => return Err(unexpected()),
    };
    let all = Value::from(vec![client.to_string(), route.to_owned(), key.to_owned()]).to_string();
    Ok((Uuid::new_v5(&KEYED, all.as_bytes()).into(), true))
}

/// The answer to a repeat: what the first request made.
fn replayed(resource: &impl Serialize) -> Response {
    let mut response = json(StatusCode::CREATED, resource);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// What was made; or, when a repeat that came at the same time was first, what that one made.
async fn or_first(
    made: Result<Response, Box<Problem>>,
    first: impl AsyncFnOnce() -> Result<Option<Response>, Box<Problem>>,
) -> Result<Response, Box<Problem>> {
    match made {
        Err(problem) if problem.status == StatusCode::PRECONDITION_FAILED => first().await?.ok_or(problem),
        made => made,
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
