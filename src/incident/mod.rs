//! The incident, with Microsoft Sentinel's shape, enums, limits and rules.

mod activity;
mod actor;
mod alert;
pub mod automation;
mod bookmark;
mod change;
mod child;
mod document;
mod draft;
mod entity;
mod etag;
mod name;
pub mod properties;
mod resource;
mod team;
mod write;

pub use activity::{Activity, ActivityKind, FieldChange};
pub use actor::{Actor, Cause, Causes};
pub use alert::{Alert, Entity, EntityKind};
pub use child::{Comment, RelatedKind, Relation, Task, TaskStatus};
pub use document::{Document, DocumentKey, DocumentKind};
pub use draft::{Draft, Refusal, cut, within};
pub use etag::Precondition;
pub use name::{BadName, ResourceName};
pub use resource::{
    ClientInfo, CommentProperties, DocumentResource, EntityResource, IncidentProperties, PROVIDER, RelationProperties,
    Resource, TaskProperties, TeamInformation, Workspace, provider_id,
};
pub use team::{Team, TeamMembers};
pub use write::{Change, IncidentRef, Patch, Rejected, Write, Written};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Severity {
    High,
    Medium,
    Low,
    Informational,
}

/// How far the work on it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Status {
    New,
    Active,
    Closed,
}

/// What a closed incident turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Classification {
    Undetermined,
    TruePositive,
    BenignPositive,
    FalsePositive,
}

/// Why it was classified so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum ClassificationReason {
    SuspiciousActivity,
    SuspiciousButExpected,
    IncorrectAlertLogic,
    InaccurateData,
}

macro_rules! names {
    ($type:ident: $($variant:ident),+) => {
        impl $type {
            /// Every value, in Sentinel's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name Sentinel gives it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// The value of this name, ignoring case and surrounding white space.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str().eq_ignore_ascii_case(name.trim()))
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

names!(Severity: High, Medium, Low, Informational);
names!(Status: New, Active, Closed);
names!(Classification: Undetermined, TruePositive, BenignPositive, FalsePositive);
names!(TaskStatus: New, Completed);
names!(RelatedKind: Alert, Bookmark);
names!(ClassificationReason: SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic, InaccurateData);

/// Who an incident is assigned to; all `None` means nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    pub object_id: Option<String>,
    pub email: Option<String>,
    pub assigned_to: Option<String>,
    pub user_principal_name: Option<String>,
    /// `Unknown`, `User` or `Group`, when a client said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_type: Option<String>,
}

impl Owner {
    pub(crate) fn texts(&self) -> [&Option<String>; 5] {
        [&self.object_id, &self.email, &self.assigned_to, &self.user_principal_name, &self.owner_type]
    }

    fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { object_id, email, assigned_to, user_principal_name, owner_type } = self;
        [object_id, email, assigned_to, user_principal_name, owner_type].into_iter().flatten()
    }

    /// An owner from what a person writes: an object id (UUID), or a UPN or mail address.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            Self::default()
        } else if Uuid::try_parse(text).is_ok() {
            Self { object_id: Some(text.to_owned()), ..Self::default() }
        } else {
            let email = text.contains('@').then(|| text.to_owned());
            Self {
                email,
                assigned_to: Some(text.to_owned()),
                user_principal_name: Some(text.to_owned()),
                ..Self::default()
            }
        }
    }
}

/// Where an incident came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Provenance {
    /// The run that made it.
    #[schemars(with = "Option<String>")]
    pub run: Option<Uuid>,
    /// The playbook's name.
    pub playbook: Option<String>,
    /// The playbook's version.
    pub version: Option<String>,
    /// The stored event (mail, submission, tick) that started the run.
    #[schemars(with = "Option<String>")]
    pub event: Option<Uuid>,
    /// The report in a few words: a mail's subject and Message-ID, a form's path and response id.
    pub report: Option<String>,
}

/// An incident as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its name in the API, usually a GUID.
    pub name: ResourceName,
    /// Sequential in its workspace, from 1, without gaps.
    pub number: u64,
    /// Changes with every write.
    pub etag: Uuid,
    pub title: String,
    pub description: String,
    pub severity: Severity,
    pub status: Status,
    pub classification: Option<Classification>,
    pub classification_reason: Option<ClassificationReason>,
    pub classification_comment: Option<String>,
    pub owner: Owner,
    pub tags: Vec<String>,
    pub first_activity: Option<DateTime<Utc>>,
    pub last_activity: Option<DateTime<Utc>>,
    pub created: DateTime<Utc>,
    pub created_by: Actor,
    pub modified: DateTime<Utc>,
    pub provenance: Provenance,
    /// What hangs on it, and what its alerts say.
    pub summary: Summary,
    /// The number of the incident that this one was merged into.
    pub merged_into: Option<u64>,
    /// The team that works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Team>,
}

/// How much hangs on an incident, and what its alerts have in common: the API's `additionalData`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub comments: u64,
    pub alerts: u64,
    pub bookmarks: u64,
    /// The products that raised its alerts, each once.
    pub alert_products: Vec<String>,
    pub tactics: Vec<String>,
    pub techniques: Vec<String>,
    /// Resource ids of the analytic rules that raised its alerts.
    pub analytic_rules: Vec<String>,
}
