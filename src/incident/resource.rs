//! An incident as the Sentinel API and connector show it, and what hangs on it.

mod child;
mod entity;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{Classification, ClassificationReason, Incident, Owner, Severity, Status};
use crate::config;

/// The workspace an incident's resource id names.
pub type Workspace = config::Workspace;

/// The resource Sentinel's API returns: envelope, etag and properties. Empty lists are `[]`, never null, because clients
/// iterate without checking; absent optional members are left out.
#[derive(Debug, Serialize)]
pub struct Resource<'a> {
    id: String,
    name: String,
    etag: String,
    #[serde(rename = "type")]
    kind: &'static str,
    properties: Properties<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    title: &'a str,
    description: &'a str,
    severity: Severity,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification: Option<Classification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification_reason: Option<ClassificationReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification_comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_activity_time_utc: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activity_time_utc: Option<String>,
    owner: &'a Owner,
    labels: Vec<Label<'a>>,
    last_modified_time_utc: String,
    created_time_utc: String,
    incident_number: u64,
    provider_name: &'static str,
    provider_incident_id: String,
    related_analytic_rule_ids: &'a [String],
    additional_data: AdditionalData<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Label<'a> {
    label_name: &'a str,
    label_type: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AdditionalData<'a> {
    alerts_count: u64,
    bookmarks_count: u64,
    comments_count: u64,
    alert_product_names: &'a [String],
    tactics: &'a [String],
    techniques: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_incident_number: Option<u64>,
}

impl Incident {
    /// The resource id, `/subscriptions/…/providers/Microsoft.SecurityInsights/Incidents/{guid}`.
    #[must_use]
    pub fn resource_id(&self, workspace: &Workspace) -> String {
        format!("{}/Incidents/{}", provider_id(workspace), self.name)
    }

    /// The resource, to be written as JSON text.
    #[must_use]
    pub fn resource(&self, workspace: &Workspace) -> Resource<'_> {
        let labels = self.tags.iter().map(|tag| Label { label_name: tag, label_type: "User" });
        Resource {
            id: self.resource_id(workspace),
            name: self.name.to_string(),
            etag: etag(self.etag),
            kind: "Microsoft.SecurityInsights/Incidents",
            properties: Properties {
                title: &self.title,
                description: &self.description,
                severity: self.severity,
                status: self.status,
                classification: self.classification,
                classification_reason: self.classification_reason,
                classification_comment: self.classification_comment.as_deref(),
                first_activity_time_utc: self.first_activity.map(time),
                last_activity_time_utc: self.last_activity.map(time),
                owner: &self.owner,
                labels: labels.collect(),
                last_modified_time_utc: time(self.modified),
                created_time_utc: time(self.created),
                incident_number: self.number,
                provider_name: "Larum",
                provider_incident_id: self.number.to_string(),
                related_analytic_rule_ids: &self.summary.analytic_rules,
                additional_data: AdditionalData {
                    alerts_count: self.summary.alerts,
                    bookmarks_count: self.summary.bookmarks,
                    comments_count: self.summary.comments,
                    alert_product_names: &self.summary.alert_products,
                    tactics: &self.summary.tactics,
                    techniques: &self.summary.techniques,
                    merged_incident_number: self.merged_into,
                },
            },
        }
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        serde_json::to_value(self.resource(workspace)).unwrap_or_default()
    }
}

/// What every resource id of the workspace begins with: `/subscriptions/…/providers/Microsoft.SecurityInsights`.
#[must_use]
pub fn provider_id(workspace: &Workspace) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights/workspaces/{}/providers/Microsoft.SecurityInsights",
        workspace.subscription, workspace.resource_group, workspace.name
    )
}

/// An etag with the quotes that belong to it.
fn etag(etag: Uuid) -> String {
    format!("\"{etag}\"")
}

/// ISO 8601 in UTC with a `Z`, seven fraction digits as Sentinel writes them.
fn time(at: DateTime<Utc>) -> String {
    let mut text = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    text.insert(text.len() - 1, '0');
    text
}
