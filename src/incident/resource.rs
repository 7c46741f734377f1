//! Resources as the Sentinel API and connector show them: an incident, what hangs on it, and what else the workspace keeps.

mod child;
mod document;
mod entity;
mod incident;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

pub use child::{ClientInfo, CommentProperties, RelationProperties, TaskProperties};
pub use document::DocumentResource;
pub use entity::EntityResource;
pub use incident::{IncidentProperties, PROVIDER, TeamInformation};

use crate::config::Config;

/// The built-in workspace: what resource ids begin with, and where people look at an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub subscription: String,
    pub resource_group: String,
    pub name: String,
    /// The address people reach Larum by, without a `/` at its end.
    pub url: String,
}

impl Workspace {
    /// The workspace of this configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let workspace = &config.workspace;
        Self {
            subscription: workspace.subscription.clone(),
            resource_group: workspace.resource_group.clone(),
            name: workspace.name.clone(),
            url: config.server.url(),
        }
    }
}

/// The resource Sentinel's API returns: envelope, etag and properties. Empty lists are `[]`, never null, because clients
/// iterate without checking; absent optional members are left out.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "{P}Resource")]
pub struct Resource<P> {
    /// The resource id.
    id: String,
    /// The last part of the id.
    name: String,
    /// Changes with every write; sent back in a PUT, it keeps from overwriting what was not seen.
    etag: String,
    #[serde(rename = "type")]
    kind: &'static str,
    properties: P,
}

/// What every resource id of the workspace begins with: `/subscriptions/…/providers/Microsoft.SecurityInsights`.
#[must_use]
pub fn provider_id(workspace: &Workspace) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights/workspaces/{}/providers/Microsoft.SecurityInsights",
        workspace.subscription, workspace.resource_group, workspace.name
    )
}

/// An etag with the quotes that belong to it. Comments and relations have none.
fn etag(etag: Uuid) -> String {
    format!("\"{etag}\"")
}

/// ISO 8601 in UTC with a `Z`, seven fraction digits as Sentinel writes them.
pub(super) fn time(at: DateTime<Utc>) -> String {
    let mut text = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    text.insert(text.len() - 1, '0');
    text
}
