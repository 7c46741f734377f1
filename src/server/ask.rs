//! A request as an API's handler sees it: who asks for what, already admitted.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Site,
    caller::Caller,
    problem::{Problem, json},
    request::STORE_RETRY,
    strict::Strict,
};
use crate::{
    action::causes::{self, CAUSES_HEADER},
    content,
    incident::{Cause, Causes, Change, Precondition, Rejected, ResourceName, Workspace, Write, Written},
    limits::API_BODY_BYTES,
    store::{Store, StoreError},
    trigger::rules,
};

/// A request that was let in.
pub struct Ask {
    pub site: Arc<Site>,
    pub caller: Caller,
    /// What stood in the address for the route's parameters, decoded.
    pub(super) parameters: Vec<(&'static str, String)>,
    /// Decoded, in order.
    pub(super) query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub uri: Uri,
    /// Who sent it: the client, or a proxy.
    pub(super) peer: IpAddr,
    /// A body is no thing to share; only its one reader gets at it.
    pub(super) body: Mutex<Body>,
}

impl Ask {
    /// A parameter of the path; the table's tests see to it that every handler asks for those its path has.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The first query parameter of this name, ignoring case.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The JSON body, read as a `T`. What is wrong with it is told with the place of it.
    ///
    /// # Errors
    /// 400 when it is no JSON or no `T`, 413 when it is too large, 415 when it says that it is something else.
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Box<Problem>> {
        let value = self.value().await?;
        self.read(value)
    }

    /// A JSON value read as a `T`.
    ///
    /// # Errors
    /// 400 with the place and what is wrong there.
    pub fn read<T: DeserializeOwned>(&self, value: Value) -> Result<T, Box<Problem>> {
        // An object alone: what reads one would take a list of its members too.
        if !value.is_object() {
            return Err(bad_request("The request body is not valid: it must be a JSON object."));
        }
        serde_path_to_error::deserialize(Strict(value)).map_err(|error| {
            let (path, inner) = (error.path().to_string(), error.inner().to_string());
            let path = if path == "." { String::new() } else { path };
            let missing = inner.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
            let told = match missing {
                Some(member) if path.is_empty() => format!("'{member}': it is required"),
                Some(member) => format!("'{path}.{member}': it is required"),
                None if path.is_empty() => inner,
                None => format!("'{path}': {inner}"),
            };
            bad_request(format!("The request body is not valid: {told}."))
        })
    }

    /// The JSON body.
    ///
    /// # Errors
    /// As [`Ask::json`]'s.
    pub async fn value(&mut self) -> Result<Value, Box<Problem>> {
        let declared = self.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        // Clients that send JSON without saying so are understood.
        if let Some(declared) = declared.filter(|declared| !declared.to_ascii_lowercase().contains("json")) {
            let message = format!("The body must be JSON (Content-Type: application/json), not '{declared}'.");
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UnsupportedMediaType",
                "This cannot be read",
                message,
            ));
        }
        let body = std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner));
        let held = self.site.bodies.read(body, &self.headers, API_BODY_BYTES).await?;
        if held.bytes.is_empty() {
            return Err(bad_request("The request body is missing; it must be a JSON object."));
        }
        content::value(Some("application/json"), held.bytes.clone())
            .await
            .map_err(|fault| bad_request(format!("The request body is not valid: {fault}.")))
    }
}

/// 400.
#[must_use]
pub fn bad_request(message: impl Into<String>) -> Box<Problem> {
    Problem::new(StatusCode::BAD_REQUEST, "BadRequest", "This cannot be taken", message)
}

impl Ask {
    /// Changes something in the caller's name.
    ///
    /// # Errors
    /// What the workspace's rules say against it, or 503 when it cannot be stored.
    pub async fn change(&self, change: Change) -> Result<Written, Box<Problem>> {
        let write = Write {
            by: self.caller.actor.clone(),
            causes: self.causes().await?,
            at: self.site.door.clock.now(),
            etag: Uuid::new_v4(),
            change,
        };
        Ok(self.site.door.store.write(write).await??)
    }

    /// What led to this request, where a Larum made it: playbooks and rules of this one, and of others. They only keep
    /// something from being started, so a client that makes them up harms what it asks for and nothing else.
    ///
    /// # Errors
    /// 400 when a header says so that no Larum sends.
    pub async fn causes(&self) -> Result<Causes, Box<Problem>> {
        let mut given = self.headers.get_all(CAUSES_HEADER).iter();
        let Some(first) = given.next() else { return Ok(Causes::new()) };
        if given.next().is_some() {
            return Err(bad_request("The header Larum-Causes is given more than once."));
        }
        let library = &self.site.door.library;
        let playbooks: Vec<Cause> =
            library.current().iter().map(|live| Cause::Playbook(live.playbook.name.clone())).collect();
        let rules = rules::all(&library.rules(), self.store()).await?;
        let rules = rules.iter().map(|rule| Cause::Rule(rule.name.to_string()));
        causes::read(&self.site.vault, first.as_bytes(), playbooks.into_iter().chain(rules)).map_err(bad_request)
    }

    /// What the client says of the state it saw.
    #[must_use]
    pub fn precondition(&self, etag: Option<String>) -> Precondition {
        let given = |name| {
            let mut lines = self.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            lines.next().map(|first| lines.fold(first.into_owned(), |all, more| all + "," + &more))
        };
        Precondition { etag, if_match: given(header::IF_MATCH), if_none_match: given(header::IF_NONE_MATCH) }
    }

    /// A parameter of the path that names a resource.
    ///
    /// # Errors
    /// 400 when no resource can be called so.
    pub fn name(&self, parameter: &str) -> Result<ResourceName, Box<Problem>> {
        ResourceName::parse(self.parameter(parameter)).map_err(|error| bad_request(error.to_string()))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.site.door.store
    }

    /// What addresses in answers begin with.
    #[must_use]
    pub fn origin(&self) -> String {
        self.site.guard.origin(self.site.scheme, self.peer, &self.uri, &self.headers)
    }

    /// The workspace that resource ids name.
    #[must_use]
    pub fn workspace(&self) -> &Workspace {
        &self.site.workspace
    }
}

impl From<Rejected> for Box<Problem> {
    fn from(rejected: Rejected) -> Self {
        let status = StatusCode::from_u16(rejected.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Problem::new(status, rejected.code(), "This was not done", rejected.to_string())
    }
}

/// A question that could not be answered, or a change that could not be kept: 503 when it may work later, else 500.
impl From<StoreError> for Box<Problem> {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::BadContinuation) {
            return bad_request("The query parameter $skipToken is not one that this list gave out.");
        }
        if matches!(error, StoreError::ShortBeginning { .. }) {
            return bad_request(format!("The search cannot be done: {error}."));
        }
        if matches!(error, StoreError::TooLong) {
            tracing::warn!(%error, "an API's list or search was given up");
            let message = format!(
                "The list or search took longer than {} seconds and was given up. Narrow it: compare the status, the \
                 severity, a time or a label with 'eq' or 'ge', sort by a time, and avoid 'any' inside 'any'.",
                crate::limits::QUESTION.as_secs()
            );
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "This takes too long", message)
                .retry_after(STORE_RETRY);
        }
        if error.is_passing() {
            tracing::error!(%error, "an API's request could not be stored; its sender is told to try again");
            let message = "The data folder cannot be written just now, so nothing was changed. Try again in a while.";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Not now", message)
                .retry_after(STORE_RETRY);
        }
        tracing::error!(%error, "an API's request failed");
        let message = "The request failed inside Larum; its log says why.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "This failed", message)
    }
}

/// 404.
#[must_use]
pub fn not_found(what: impl std::fmt::Display) -> Box<Problem> {
    Rejected::NotFound(what.to_string()).into()
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    status.into_response()
}

/// The answer to a deletion: 200 when it was there, 204 when it was not.
#[must_use]
pub fn gone(written: &Written) -> Response {
    let existed = matches!(written, Written::Gone { existed: true });
    empty(if existed { StatusCode::OK } else { StatusCode::NO_CONTENT })
}

/// The answer to a PUT: 201 for what is new, else 200.
#[must_use]
pub fn put(created: bool, resource: &impl Serialize) -> Response {
    json(if created { StatusCode::CREATED } else { StatusCode::OK }, resource)
}

/// What a store should never answer.
#[must_use]
pub fn unexpected() -> Box<Problem> {
    StoreError::Failed("the store answered a write with something else".into()).into()
}
