//! Microsoft Sentinel's incident API, at the address Azure Resource Manager gives it: one file per resource.

pub(super) mod actions;
pub(super) mod automation_rules;
mod body;
pub(super) mod bookmark_relations;
pub(super) mod bookmarks;
pub(super) mod comments;
mod documents;
pub(super) mod entities;
pub(super) mod expansion;
pub(super) mod incidents;
mod list;
pub(super) mod onboarding;
pub(super) mod playbooks;
pub(super) mod relations;
pub(super) mod tasks;

use axum::{
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use serde_json::json;

pub use body::{
    ActionWrite, BookmarkWrite, CommentWrite, Envelope, ExpansionWrite, IncidentWrite, OnboardingWrite, RelationWrite,
    RunPlaybook, TaskWrite, TeamWrite, optional_instant, optional_word, word,
};
pub use entities::{EntityList, IncidentEntities};
pub use expansion::Expansion;
pub use list::{ListOf, encoded_bytes, link, listing, page};

use super::{
    ask::{Ask, bad_request, not_found},
    problem::{Problem, json as json_answer},
};
use crate::config::is_api_version;

/// The parameter every operation needs.
const API_VERSION: &str = "api-version";
/// Checks what every operation is asked with: a known api-version and the workspace that is here.
///
/// # Errors
/// 400 for the version, 404 for another workspace.
pub(super) fn addressed(ask: &Ask) -> Result<(), Box<Problem>> {
    let version = ask.query(API_VERSION).unwrap_or_default();
    if version.is_empty() {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(coded("MissingApiVersionParameter", message));
    }
    if !is_api_version(version) {
        let message = format!(
            "The api-version '{version}' is invalid. It is a date, YYYY-MM-DD, from 2019-01-01 on, and may end in '-preview'."
        );
        return Err(coded("InvalidApiVersionParameter", message));
    }
    let workspace = ask.workspace();
    let named = [
        (&workspace.subscription, "subscription"),
        (&workspace.resource_group, "resourceGroup"),
        (&workspace.name, "workspace"),
    ];
    for (ours, parameter) in named {
        let given = ask.parameter(parameter);
        if !ours.eq_ignore_ascii_case(given) {
            return Err(not_found(given));
        }
    }
    Ok(())
}

fn coded(code: &'static str, message: impl Into<String>) -> Box<Problem> {
    let mut problem = bad_request(message);
    problem.code = code;
    problem
}

/// What Azure Resource Manager says when an address does not take a method.
pub(super) fn wrong_method(uri: &Uri, origin: &str, method: &Method, allow: &str) -> Response {
    let version = uri.query().unwrap_or_default().split('&').find_map(|pair| {
        pair.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case(API_VERSION)).map(|(_, version)| version)
    });
    let message = format!(
        "The HTTP resource that matches the request URI '{origin}{}' with API version '{}' does not support HTTP method '{method}'.",
        uri.path(),
        version.unwrap_or_default(),
    );
    let error = json!({"error": {"code": "UnsupportedApiVersion", "message": message, "innerError": null}});
    let mut response = json_answer(StatusCode::METHOD_NOT_ALLOWED, &error);
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
