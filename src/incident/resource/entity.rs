//! Entities, alerts and bookmarks as the Sentinel API shows them in its lists of entities.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Workspace, document::bookmark_properties, provider_id, time};
use crate::incident::{Alert, Document, Entity, EntityKind};

/// An entity; `kind` tells clients which properties there are.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Entity")]
pub struct EntityResource {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: &'static str,
    kind: EntityKind,
    /// Those of the kind, under Sentinel's names, and `friendlyName`.
    properties: Map<String, Value>,
}

impl EntityResource {
    fn new(workspace: &Workspace, name: String, kind: EntityKind, properties: Map<String, Value>) -> Self {
        let id = format!("{}/Entities/{name}", provider_id(workspace));
        Self { id, name, resource_type: "Microsoft.SecurityInsights/Entities", kind, properties }
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Entity {
    /// The resource.
    #[must_use]
    pub fn resource(&self, workspace: &Workspace) -> EntityResource {
        EntityResource::new(workspace, self.name.to_string(), self.kind, self.properties.clone())
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        self.resource(workspace).to_value()
    }
}

impl Alert {
    /// The resource: to the API an alert is an entity of the kind `SecurityAlert`.
    #[must_use]
    pub fn resource(&self, workspace: &Workspace) -> EntityResource {
        let mut properties = self.properties.clone();
        properties.insert("systemAlertId".into(), json!(self.name));
        properties.insert("alertDisplayName".into(), json!(self.title));
        properties.insert("severity".into(), json!(self.severity));
        properties.insert("timeGenerated".into(), time(self.received).into());
        properties.entry("tactics").or_insert_with(|| json!([]));
        properties.entry("status").or_insert_with(|| json!("New"));
        properties.entry("friendlyName").or_insert_with(|| json!(self.title));
        EntityResource::new(workspace, self.name.to_string(), EntityKind::SecurityAlert, properties)
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        self.resource(workspace).to_value()
    }
}

impl Document {
    /// A bookmark as an entity, which is how an incident's bookmarks are listed.
    #[must_use]
    pub fn entity(&self, workspace: &Workspace) -> EntityResource {
        let mut properties = bookmark_properties(self);
        let name = properties.get("displayName").cloned().unwrap_or_default();
        properties.insert("friendlyName".into(), name);
        EntityResource::new(workspace, self.key.name.to_string(), EntityKind::Bookmark, properties)
    }

    /// The same as a JSON value.
    #[must_use]
    pub fn to_entity(&self, workspace: &Workspace) -> Value {
        self.entity(workspace).to_value()
    }
}
