//! Which workspace this is, and who asks.

use axum::{http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    access::Role,
    incident::provider_id,
    server::{
        ask::Ask,
        problem::{Problem, json},
    },
};

/// The workspace, and the caller.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Workspace")]
pub struct WorkspaceShown<'a> {
    subscription: &'a str,
    resource_group: &'a str,
    name: &'a str,
    /// What the addresses of its resources in Sentinel's API begin with.
    provider: String,
    caller: CallerShown<'a>,
}

/// Whom the token names.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Caller")]
pub struct CallerShown<'a> {
    name: &'a str,
    role: Role,
}

/// GET `/api/workspace`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let workspace = ask.workspace();
    let shown = WorkspaceShown {
        subscription: &workspace.subscription,
        resource_group: &workspace.resource_group,
        name: &workspace.name,
        provider: provider_id(workspace),
        caller: CallerShown { name: ask.caller.actor.name(), role: ask.caller.role },
    };
    Ok(json(StatusCode::OK, &shown))
}
