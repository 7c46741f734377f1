//! Bookmarks, automation rules, alert-rule actions and onboarding states as the Sentinel API shows them.

use serde_json::{Map, Value, json};

use super::{Resource, Workspace, etag, provider_id, time};
use crate::incident::{Document, DocumentKind};

/// A document's resource.
pub type DocumentResource = Resource<Map<String, Value>>;

impl Document {
    /// The resource.
    #[must_use]
    pub fn resource(&self, workspace: &Workspace) -> DocumentResource {
        let (base, name) = (provider_id(workspace), &self.key.name);
        let (collection, kind, properties) = match self.key.kind {
            DocumentKind::Bookmark => {
                ("Bookmarks".to_owned(), "Microsoft.SecurityInsights/Bookmarks", bookmark_properties(self))
            }
            DocumentKind::AutomationRule => {
                ("AutomationRules".to_owned(), "Microsoft.SecurityInsights/AutomationRules", rule_properties(self))
            }
            DocumentKind::AlertRuleAction => {
                let rule = self.key.parent.as_ref().map(ToString::to_string).unwrap_or_default();
                let collection = format!("alertRules/{rule}/actions");
                (collection, "Microsoft.SecurityInsights/alertRules/actions", action_properties(self))
            }
            DocumentKind::OnboardingState => {
                ("onboardingStates".to_owned(), "Microsoft.SecurityInsights/onboardingStates", written(self))
            }
        };
        Resource {
            id: format!("{base}/{collection}/{name}"),
            name: name.to_string(),
            etag: etag(self.etag),
            kind,
            properties,
        }
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        serde_json::to_value(self.resource(workspace)).unwrap_or_default()
    }
}

/// The properties as they were written.
fn written(document: &Document) -> Map<String, Value> {
    document.properties.as_object().cloned().unwrap_or_default()
}

pub(super) fn bookmark_properties(bookmark: &Document) -> Map<String, Value> {
    let mut properties = written(bookmark);
    properties.entry("labels").or_insert_with(|| json!([]));
    properties.insert("created".into(), time(bookmark.created).into());
    properties.insert("createdBy".into(), bookmark.created_by.to_client_info());
    properties.insert("updated".into(), time(bookmark.modified).into());
    properties.insert("updatedBy".into(), bookmark.modified_by.to_client_info());
    properties
}

fn rule_properties(rule: &Document) -> Map<String, Value> {
    let mut properties = written(rule);
    properties.insert("createdTimeUtc".into(), time(rule.created).into());
    properties.insert("createdBy".into(), rule.created_by.to_client_info());
    properties.insert("lastModifiedTimeUtc".into(), time(rule.modified).into());
    properties.insert("lastModifiedBy".into(), rule.modified_by.to_client_info());
    properties
}

/// Without `triggerUri`, which holds what admits to a Logic App: it is written and never shown.
fn action_properties(action: &Document) -> Map<String, Value> {
    let mut properties = written(action);
    let uri = properties.remove("triggerUri");
    let uri = uri.as_ref().and_then(Value::as_str).unwrap_or_default();
    let workflow = uri.split('/').skip_while(|segment| !segment.eq_ignore_ascii_case("workflows")).nth(1);
    properties.insert("workflowId".into(), workflow.unwrap_or_default().into());
    properties
}
