//! Alerts start runs: what the trigger delivers.

use serde_json::{Map, Value, json};

use super::incident::workspace_id;
use crate::{
    incident::{Alert, Workspace},
    store::mailbox::FeedName,
};

/// The trigger kind such events come as.
pub(super) const KIND: &str = "alert";

/// What the history knows alerts by.
#[must_use]
pub fn feed() -> FeedName {
    FeedName { connection: "workspace".into(), folder: "alerts".into() }
}

/// The connector's members, and those of the API's alert they come from.
const MEMBERS: &[(&str, &str)] = &[
    ("SystemAlertId", "systemAlertId"),
    ("AlertDisplayName", "alertDisplayName"),
    ("AlertType", "alertType"),
    ("Severity", "severity"),
    ("Description", "description"),
    ("ProductName", "productName"),
    ("VendorName", "vendorName"),
    ("ProviderAlertId", "providerAlertId"),
    ("TimeGenerated", "timeGenerated"),
    ("StartTimeUtc", "startTimeUtc"),
    ("EndTimeUtc", "endTimeUtc"),
    ("ExtendedProperties", "additionalData"),
    ("ExtendedLinks", "extendedLinks"),
    ("CompromisedEntity", "compromisedEntity"),
    ("AlertUri", "alertLink"),
    ("Tactics", "tactics"),
];

/// What an alert trigger delivers, as the Sentinel connector does: flat, in PascalCase. What the alert does not say is
/// null, or an empty list or object.
#[must_use]
pub fn payload(alert: &Alert, workspace: &Workspace) -> Value {
    let resource = alert.to_resource(workspace);
    let member = |name: &str| resource.get("properties").and_then(|properties| properties.get(name)).cloned();
    let mut payload: Map<String, Value> = MEMBERS
        .iter()
        .map(|(name, from)| {
            let nothing = match *name {
                "ExtendedProperties" => json!({}),
                "ExtendedLinks" | "Tactics" => json!([]),
                _ => Value::Null,
            };
            ((*name).to_owned(), member(from).filter(|value| !value.is_null()).unwrap_or(nothing))
        })
        .collect();
    let entities: Vec<Value> = alert.entities.iter().map(|entity| entity.to_resource(workspace)).collect();
    payload.insert("Entities".into(), entities.into());
    payload.insert("WorkspaceId".into(), json!(workspace_id(workspace)));
    payload.insert("WorkspaceSubscriptionId".into(), workspace.subscription.as_str().into());
    payload.insert("WorkspaceResourceGroup".into(), workspace.resource_group.as_str().into());
    Value::Object(payload)
}
