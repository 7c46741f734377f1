//! Comments, tasks and relations as the Sentinel API and connector show them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Resource, Workspace, etag, provider_id, time};
use crate::incident::{Actor, Comment, RelatedKind, Relation, ResourceName, Task, TaskStatus};

/// Who made a change. A token, a playbook or a rule has no mail address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientInfo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<String>,
    name: &'a str,
}

impl Actor {
    /// The API's `ClientInfo`.
    #[must_use]
    pub fn client_info(&self) -> ClientInfo<'_> {
        let object_id = match self {
            Self::Person { id, .. } | Self::Token { id, .. } => Some(id.to_string()),
            Self::Playbook { .. } | Self::Rule { .. } | Self::Larum => None,
        };
        ClientInfo { object_id, name: self.name() }
    }

    /// The same as a JSON value.
    #[must_use]
    pub fn to_client_info(&self) -> Value {
        serde_json::to_value(self.client_info()).unwrap_or_default()
    }
}

/// What a comment says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Comment")]
pub struct CommentProperties<'a> {
    /// HTML or Markdown, as it came.
    message: &'a str,
    created_time_utc: String,
    last_modified_time_utc: String,
    author: ClientInfo<'a>,
}

impl Comment {
    /// The resource, of the incident with this name.
    #[must_use]
    pub fn resource(&self, incident: &ResourceName, workspace: &Workspace) -> Resource<CommentProperties<'_>> {
        Resource {
            id: format!("{}/Incidents/{incident}/Comments/{}", provider_id(workspace), self.name),
            name: self.name.to_string(),
            etag: self.etag.to_string(),
            kind: "Microsoft.SecurityInsights/Incidents/Comments",
            properties: CommentProperties {
                message: &self.message,
                created_time_utc: time(self.created),
                last_modified_time_utc: time(self.modified),
                author: self.author.client_info(),
            },
        }
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, incident: &ResourceName, workspace: &Workspace) -> Value {
        serde_json::to_value(self.resource(incident, workspace)).unwrap_or_default()
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Task")]
pub struct TaskProperties<'a> {
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    status: TaskStatus,
    created_time_utc: String,
    last_modified_time_utc: String,
    created_by: ClientInfo<'a>,
    last_modified_by: ClientInfo<'a>,
}

impl Task {
    /// The resource, of the incident with this name.
    #[must_use]
    pub fn resource(&self, incident: &ResourceName, workspace: &Workspace) -> Resource<TaskProperties<'_>> {
        Resource {
            id: format!("{}/Incidents/{incident}/Tasks/{}", provider_id(workspace), self.name),
            name: self.name.to_string(),
            etag: etag(self.etag),
            kind: "Microsoft.SecurityInsights/Incidents/Tasks",
            properties: TaskProperties {
                title: &self.title,
                description: self.description.as_deref(),
                status: self.status,
                created_time_utc: time(self.created),
                last_modified_time_utc: time(self.modified),
                created_by: self.created_by.client_info(),
                last_modified_by: self.modified_by.client_info(),
            },
        }
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, incident: &ResourceName, workspace: &Workspace) -> Value {
        serde_json::to_value(self.resource(incident, workspace)).unwrap_or_default()
    }
}

/// What an incident is related to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Relation")]
pub struct RelationProperties {
    related_resource_id: String,
    related_resource_name: String,
    related_resource_type: &'static str,
    /// `SecurityAlert`; absent for a bookmark or an incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    related_resource_kind: Option<&'static str>,
}

impl Relation {
    /// The resource, of the incident with this name.
    #[must_use]
    pub fn resource(&self, incident: &ResourceName, workspace: &Workspace) -> Resource<RelationProperties> {
        let base = provider_id(workspace);
        // One client compares these types exactly.
        let (collection, kind, related_resource_kind) = match self.kind {
            RelatedKind::Alert => ("Entities", "Microsoft.SecurityInsights/Entities", Some("SecurityAlert")),
            RelatedKind::Bookmark => ("Bookmarks", "Microsoft.SecurityInsights/Bookmarks", None),
        };
        Resource {
            id: format!("{base}/Incidents/{incident}/Relations/{}", self.name),
            name: self.name.to_string(),
            etag: self.etag.to_string(),
            kind: "Microsoft.SecurityInsights/Incidents/Relations",
            properties: RelationProperties {
                related_resource_id: format!("{base}/{collection}/{}", self.related),
                related_resource_name: self.related.to_string(),
                related_resource_type: kind,
                related_resource_kind,
            },
        }
    }

    /// The resource as the related bookmark has it, of the incident with this name.
    #[must_use]
    pub fn of_bookmark(&self, incident: &ResourceName, workspace: &Workspace) -> Resource<RelationProperties> {
        let base = provider_id(workspace);
        Resource {
            id: format!("{base}/Bookmarks/{}/Relations/{}", self.related, self.name),
            name: self.name.to_string(),
            etag: self.etag.to_string(),
            kind: "Microsoft.SecurityInsights/Bookmarks/Relations",
            properties: RelationProperties {
                related_resource_id: format!("{base}/Incidents/{incident}"),
                related_resource_name: incident.to_string(),
                related_resource_type: "Microsoft.SecurityInsights/Incidents",
                related_resource_kind: None,
            },
        }
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, incident: &ResourceName, workspace: &Workspace) -> Value {
        serde_json::to_value(self.resource(incident, workspace)).unwrap_or_default()
    }
}
