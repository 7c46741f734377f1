//! The activity log: who or what changed which field from what to what.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Actor, RelatedKind, ResourceName, TeamMembers};

/// One entry of an incident's log. Entries are never changed and outlive the incident.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Activity {
    /// Grows with every entry of the workspace; 0 is the creation, which the incident itself tells of.
    pub id: i64,
    /// The incident's number.
    pub incident: u64,
    #[schemars(with = "String")]
    pub at: DateTime<Utc>,
    pub by: Actor,
    #[serde(flatten)]
    pub what: ActivityKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum ActivityKind {
    Created,
    Updated {
        changes: Vec<FieldChange>,
    },
    /// The incident as it was last and what hung on it, so that nothing vanishes without a trace.
    Deleted {
        resource: Value,
    },
    CommentAdded {
        comment: ResourceName,
    },
    CommentEdited {
        comment: ResourceName,
        from: String,
    },
    CommentDeleted {
        comment: ResourceName,
        from: String,
    },
    TaskAdded {
        task: ResourceName,
        title: String,
    },
    TaskUpdated {
        task: ResourceName,
        title: String,
        changes: Vec<FieldChange>,
    },
    /// The task as it was last.
    TaskDeleted {
        task: ResourceName,
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// An alert or bookmark was related to the incident.
    Related {
        kind: RelatedKind,
        related: ResourceName,
    },
    Unrelated {
        kind: RelatedKind,
        related: ResourceName,
    },
    TeamCreated {
        #[schemars(with = "String")]
        team: Uuid,
        name: String,
        #[serde(flatten)]
        who: TeamMembers,
    },
    /// Others went into this one.
    Merged {
        from: Vec<u64>,
    },
    /// This one went into another.
    MergedInto {
        incident: u64,
    },
    PlaybookStarted {
        playbook: String,
        #[schemars(with = "String")]
        run: Uuid,
    },
    /// A playbook or rule was not started by a change that it led to itself.
    NotStarted {
        name: String,
        because: String,
    },
}

impl ActivityKind {
    /// Whether an incident came to be.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        matches!(self, Self::Created)
    }

    /// Whether triggers and automation rules count it as an update, as Sentinel does: a field changed, a comment or an alert
    /// came, others were merged in. Tasks, teams, notes and what was taken away are none.
    #[must_use]
    pub fn is_update(&self) -> bool {
        match self {
            Self::Updated { changes } => !changes.is_empty(),
            Self::CommentAdded { .. } | Self::Related { .. } | Self::Merged { .. } => true,
            _ => false,
        }
    }
}

/// A field's value before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FieldChange {
    /// Under the API's name: `severity`, `owner`, `labels`.
    pub field: String,
    pub from: Value,
    pub to: Value,
}
