//! Entities and alerts as the Sentinel API shows them.

use serde_json::{Map, Value, json};

use super::{Workspace, etag, provider_id, time};
use crate::incident::{Alert, Entity};

/// The envelope of an entity; `kind` tells clients which properties there are.
fn envelope(workspace: &Workspace, name: &str, kind: &str, properties: Map<String, Value>) -> Value {
    json!({
        "id": format!("{}/Entities/{name}", provider_id(workspace)),
        "name": name,
        "type": "Microsoft.SecurityInsights/Entities",
        "kind": kind,
        "properties": properties,
    })
}

impl Entity {
    /// The resource.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        envelope(workspace, &self.name.to_string(), self.kind.as_str(), self.properties.clone())
    }
}

impl Alert {
    /// The resource: to the API an alert is an entity of the kind `SecurityAlert`.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        let mut properties = self.properties.clone();
        properties.insert("systemAlertId".into(), json!(self.name));
        properties.insert("alertDisplayName".into(), json!(self.title));
        properties.insert("severity".into(), json!(self.severity));
        properties.insert("timeGenerated".into(), time(self.received).into());
        properties.entry("friendlyName").or_insert_with(|| json!(self.title));
        let mut resource = envelope(workspace, &self.name.to_string(), "SecurityAlert", properties);
        resource["etag"] = etag(self.etag).into();
        resource
    }
}
