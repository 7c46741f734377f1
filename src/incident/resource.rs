//! An incident as the Sentinel API and connector show it.

use serde_json::{Value, json};

use super::{Incident, Owner};
use crate::config;

/// The workspace an incident's resource id names.
pub type Workspace = config::Workspace;

impl Incident {
    /// The resource id, `/subscriptions/…/providers/Microsoft.SecurityInsights/Incidents/{guid}`.
    #[must_use]
    pub fn resource_id(&self, workspace: &Workspace) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights/workspaces/{}/providers/Microsoft.SecurityInsights/Incidents/{}",
            workspace.subscription, workspace.resource_group, workspace.name, self.id
        )
    }

    /// The resource Sentinel's API returns: envelope, etag and properties. Empty lists are `[]`, never null, because
    /// clients iterate without checking; absent optional members are left out.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        let id = self.resource_id(workspace);
        let labels: Vec<Value> = self.tags.iter().map(|tag| json!({"labelName": tag, "labelType": "User"})).collect();
        let mut properties = json!({
            "title": self.title,
            "description": self.description,
            "severity": self.severity,
            "status": self.status,
        });
        let optional = [
            ("classification", self.classification.map(|value| json!(value))),
            ("classificationReason", self.classification_reason.map(|value| json!(value))),
            ("classificationComment", self.classification_comment.as_ref().map(|value| json!(value))),
            ("firstActivityTimeUtc", self.first_activity.map(time)),
            ("lastActivityTimeUtc", self.last_activity.map(time)),
        ];
        let always = [
            ("owner", owner(&self.owner)),
            ("labels", Value::Array(labels)),
            ("lastModifiedTimeUtc", time(self.modified)),
            ("createdTimeUtc", time(self.created)),
            ("incidentNumber", json!(self.number)),
            ("providerName", json!("Larum")),
            ("providerIncidentId", json!(self.number.to_string())),
            ("relatedAnalyticRuleIds", json!([])),
            (
                "additionalData",
                json!({"alertsCount": 0, "bookmarksCount": 0, "commentsCount": 0, "alertProductNames": [], "tactics": []}),
            ),
        ];
        if let Some(members) = properties.as_object_mut() {
            members.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
            members.extend(always.map(|(name, value)| (name.to_owned(), value)));
        }
        json!({
            "id": id,
            "name": self.id,
            "etag": format!("\"{}\"", self.etag),
            "type": "Microsoft.SecurityInsights/Incidents",
            "properties": properties,
        })
    }
}

fn owner(owner: &Owner) -> Value {
    json!({
        "objectId": owner.object_id,
        "email": owner.email,
        "assignedTo": owner.assigned_to,
        "userPrincipalName": owner.user_principal_name,
    })
}

/// ISO 8601 in UTC with a `Z`, seven fraction digits as Sentinel writes them.
fn time(at: chrono::DateTime<chrono::Utc>) -> Value {
    json!(at.format("%Y-%m-%dT%H:%M:%S%.6f0Z").to_string())
}
