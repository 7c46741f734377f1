//! Comments, tasks and relations as the Sentinel API and connector show them.

use serde_json::{Value, json};

use super::{Workspace, etag, provider_id, time};
use crate::incident::{Actor, Comment, RelatedKind, Relation, ResourceName, Task};

impl Actor {
    /// The API's `ClientInfo`. Who has no mail address or user principal name has null there.
    #[must_use]
    pub fn to_client_info(&self) -> Value {
        let id = match self {
            Self::Person { id, .. } | Self::Token { id, .. } => Some(id),
            Self::Playbook { .. } | Self::Rule { .. } | Self::Larum => None,
        };
        json!({"objectId": id, "email": null, "userPrincipalName": null, "name": self.name()})
    }
}

impl Comment {
    /// The resource, of the incident with this name.
    #[must_use]
    pub fn to_resource(&self, incident: &ResourceName, workspace: &Workspace) -> Value {
        json!({
            "id": format!("{}/Incidents/{incident}/Comments/{}", provider_id(workspace), self.name),
            "name": self.name,
            "etag": etag(self.etag),
            "type": "Microsoft.SecurityInsights/Incidents/Comments",
            "properties": {
                "message": self.message,
                "createdTimeUtc": time(self.created),
                "lastModifiedTimeUtc": time(self.modified),
                "author": self.author.to_client_info(),
            },
        })
    }
}

impl Task {
    /// The resource, of the incident with this name.
    #[must_use]
    pub fn to_resource(&self, incident: &ResourceName, workspace: &Workspace) -> Value {
        let mut resource = json!({
            "id": format!("{}/Incidents/{incident}/Tasks/{}", provider_id(workspace), self.name),
            "name": self.name,
            "etag": etag(self.etag),
            "type": "Microsoft.SecurityInsights/Incidents/Tasks",
            "properties": {
                "title": self.title,
                "status": self.status,
                "createdTimeUtc": time(self.created),
                "lastModifiedTimeUtc": time(self.modified),
                "createdBy": self.created_by.to_client_info(),
                "lastModifiedBy": self.modified_by.to_client_info(),
            },
        });
        if let Some(description) = &self.description {
            resource["properties"]["description"] = json!(description);
        }
        resource
    }
}

impl Relation {
    /// The resource, of the incident with this name.
    #[must_use]
    pub fn to_resource(&self, incident: &ResourceName, workspace: &Workspace) -> Value {
        let base = provider_id(workspace);
        let (kind, collection) = match self.kind {
            RelatedKind::Alert => (Some("SecurityAlert"), "Entities"),
            RelatedKind::Bookmark => (None, "Bookmarks"),
        };
        let mut resource = json!({
            "id": format!("{base}/Incidents/{incident}/Relations/{}", self.name),
            "name": self.name,
            "etag": etag(self.etag),
            "type": "Microsoft.SecurityInsights/Incidents/Relations",
            "properties": {
                "relatedResourceId": format!("{base}/{collection}/{}", self.related),
                "relatedResourceName": self.related,
                "relatedResourceType": format!("Microsoft.SecurityInsights/{collection}"),
            },
        });
        if let Some(kind) = kind {
            resource["properties"]["relatedResourceKind"] = kind.into();
        }
        resource
    }
}
