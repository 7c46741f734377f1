//! An incident as the Sentinel API and connector show it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Resource, Workspace, etag, provider_id, time};
use crate::incident::{Classification, ClassificationReason, Incident, Owner, Severity, Status};

/// `providerName`: who made an incident. The service's own name, since clients filter by it.
pub const PROVIDER: &str = "Azure Sentinel";

/// What an incident says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Incident")]
pub struct IncidentProperties<'a> {
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
    /// When what is reported began.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_activity_time_utc: Option<String>,
    /// When what is reported was last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_activity_time_utc: Option<String>,
    owner: OwnerInfo<'a>,
    labels: Vec<Label<'a>>,
    last_modified_time_utc: String,
    created_time_utc: String,
    /// Sequential in its workspace, from 1.
    incident_number: u64,
    /// Where people look at it.
    incident_url: String,
    provider_name: &'static str,
    provider_incident_id: String,
    /// Resource ids of the analytic rules that raised its alerts.
    related_analytic_rule_ids: &'a [String],
    additional_data: AdditionalData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team_information: Option<TeamInformation<'a>>,
}

/// The team that works on an incident. Larum keeps that there is one; it makes none in Microsoft Teams.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamInformation<'a> {
    team_id: String,
    /// Where people look at the incident.
    primary_channel_url: String,
    team_creation_time_utc: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
}

/// Who an incident is assigned to. Of an assigned one the members are there that are known; unassigned, all are null.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
enum OwnerInfo<'a> {
    Somebody(Somebody<'a>),
    Nobody(Nobody),
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Somebody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_principal_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_type: Option<&'a str>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Nobody {
    object_id: (),
    email: (),
    assigned_to: (),
    user_principal_name: (),
}

impl<'a> From<&'a Owner> for OwnerInfo<'a> {
    fn from(owner: &'a Owner) -> Self {
        let Owner { object_id, email, assigned_to, user_principal_name, owner_type } = owner;
        if [object_id, email, assigned_to, user_principal_name].iter().all(|member| member.is_none()) {
            return Self::Nobody(Nobody::default());
        }
        Self::Somebody(Somebody {
            object_id: object_id.as_deref(),
            email: email.as_deref(),
            assigned_to: assigned_to.as_deref(),
            user_principal_name: user_principal_name.as_deref(),
            owner_type: owner_type.as_deref(),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Label<'a> {
    label_name: &'a str,
    label_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AdditionalData<'a> {
    alerts_count: u64,
    bookmarks_count: u64,
    comments_count: u64,
    alert_product_names: &'a [String],
    tactics: &'a [String],
    techniques: &'a [String],
    /// The incident this one was merged into.
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_incident_number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_incident_url: Option<String>,
}

/// Where people look at the incident of a number.
fn url(workspace: &Workspace, number: u64) -> String {
    format!("{}/incidents/{number}", workspace.url)
}

impl Incident {
    /// The resource id, `/subscriptions/…/providers/Microsoft.SecurityInsights/Incidents/{guid}`.
    #[must_use]
    pub fn resource_id(&self, workspace: &Workspace) -> String {
        format!("{}/Incidents/{}", provider_id(workspace), self.name)
    }

    /// Where people look at it.
    fn url(&self, workspace: &Workspace) -> String {
        url(workspace, self.number)
    }

    /// The API's `TeamInformation`, when there is a team.
    #[must_use]
    pub fn team_information(&self, workspace: &Workspace) -> Option<TeamInformation<'_>> {
        self.team.as_ref().map(|team| TeamInformation {
            team_id: team.id.to_string(),
            primary_channel_url: self.url(workspace),
            team_creation_time_utc: time(team.created),
            name: &team.name,
            description: team.description.as_deref(),
        })
    }

    /// The resource, to be written as JSON text.
    #[must_use]
    pub fn resource(&self, workspace: &Workspace) -> Resource<IncidentProperties<'_>> {
        let labels = self.tags.iter().map(|tag| Label { label_name: tag, label_type: "User" });
        Resource {
            id: self.resource_id(workspace),
            name: self.name.to_string(),
            etag: etag(self.etag),
            kind: "Microsoft.SecurityInsights/Incidents",
            properties: IncidentProperties {
                title: &self.title,
                description: &self.description,
                severity: self.severity,
                status: self.status,
                classification: self.classification,
                classification_reason: self.classification_reason,
                classification_comment: self.classification_comment.as_deref(),
                first_activity_time_utc: self.first_activity.map(time),
                last_activity_time_utc: self.last_activity.map(time),
                owner: (&self.owner).into(),
                labels: labels.collect(),
                last_modified_time_utc: time(self.modified),
                created_time_utc: time(self.created),
                incident_number: self.number,
                incident_url: self.url(workspace),
                // What clients compare with to tell Sentinel's own incidents from those of Defender.
                provider_name: PROVIDER,
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
                    merged_incident_url: self.merged_into.map(|number| url(workspace, number)),
                },
                team_information: self.team_information(workspace),
            },
        }
    }

    /// The resource as a JSON value.
    #[must_use]
    pub fn to_resource(&self, workspace: &Workspace) -> Value {
        serde_json::to_value(self.resource(workspace)).unwrap_or_default()
    }
}
