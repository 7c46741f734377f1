//! A write to the workspace: one change, by somebody, at an instant. The store does it in one transaction, whoever asked.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Actor, Alert, Causes, Classification, ClassificationReason, Comment, Document, DocumentKey, Draft, Incident, Owner,
    Precondition, Refusal, RelatedKind, Relation, ResourceName, Severity, Status, Task, TaskStatus, TeamMembers,
};

/// A write.
#[derive(Debug, Clone)]
pub struct Write {
    pub by: Actor,
    pub causes: Causes,
    pub at: DateTime<Utc>,
    /// The etag of everything this write touches; a new one for each.
    pub etag: Uuid,
    pub change: Change,
}

/// Which incident is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncidentRef {
    Number(u64),
    Name(ResourceName),
}

/// What is to be changed. Every change of an incident or of what hangs on it gives the incident a new etag.
#[derive(Debug, Clone)]
pub enum Change {
    /// Creates the incident, or replaces everything a client may write of it.
    PutIncident {
        name: ResourceName,
        incident: Box<Draft>,
        precondition: Precondition,
    },
    /// Changes what is given and nothing else.
    PatchIncident {
        incident: IncidentRef,
        patch: Box<Patch>,
        precondition: Precondition,
    },
    /// Deletes it with all that hangs on it.
    DeleteIncident {
        incident: IncidentRef,
        precondition: Precondition,
    },
    /// Moves comments, tasks, relations and tags of `from` into `into`, and closes `from` as merged.
    Merge {
        into: IncidentRef,
        from: Vec<IncidentRef>,
        /// Of `into`.
        precondition: Precondition,
    },
    PutComment {
        incident: IncidentRef,
        name: ResourceName,
        message: String,
        precondition: Precondition,
        /// Whether others' comments may be edited too.
        any_author: bool,
    },
    DeleteComment {
        incident: IncidentRef,
        name: ResourceName,
        precondition: Precondition,
    },
    PutTask {
        incident: IncidentRef,
        name: ResourceName,
        title: String,
        description: Option<String>,
        status: TaskStatus,
        precondition: Precondition,
    },
    /// Sets a task's status and nothing else. The task is found by its name alone when no incident is given.
    SetTaskStatus {
        incident: Option<IncidentRef>,
        name: ResourceName,
        status: TaskStatus,
    },
    DeleteTask {
        incident: IncidentRef,
        name: ResourceName,
        precondition: Precondition,
    },
    PutRelation {
        incident: IncidentRef,
        name: ResourceName,
        kind: RelatedKind,
        related: ResourceName,
        precondition: Precondition,
    },
    /// Keeps that a team works on the incident; there is one at most.
    CreateTeam {
        incident: IncidentRef,
        id: Uuid,
        name: String,
        description: Option<String>,
        who: TeamMembers,
    },
    DeleteRelation {
        incident: IncidentRef,
        name: ResourceName,
        precondition: Precondition,
    },
    /// Takes an alert in, or replaces it.
    PutAlert {
        alert: Box<Alert>,
        precondition: Precondition,
    },
    PutDocument {
        key: DocumentKey,
        properties: Value,
        precondition: Precondition,
    },
    DeleteDocument {
        key: DocumentKey,
        precondition: Precondition,
    },
    /// Notes that a playbook was asked for by hand, by a rule or by the API.
    NotePlaybook {
        incident: IncidentRef,
        playbook: String,
        run: Uuid,
    },
    /// Notes that the guard kept a playbook or rule from starting itself again.
    NoteNotStarted {
        incident: IncidentRef,
        name: String,
        because: String,
    },
}

/// Changes to single fields of an incident; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    pub title: Option<String>,
    pub description: Option<String>,
    pub severity: Option<Severity>,
    pub status: Option<Status>,
    pub classification: Option<Classification>,
    pub classification_reason: Option<ClassificationReason>,
    pub classification_comment: Option<String>,
    /// `Some(Owner::default())` takes the owner away.
    pub owner: Option<Owner>,
    pub add_tags: Vec<String>,
    /// Ignoring case.
    pub remove_tags: Vec<String>,
    pub first_activity: Option<DateTime<Utc>>,
    pub last_activity: Option<DateTime<Utc>>,
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    Incident {
        incident: Box<Incident>,
        created: bool,
    },
    Comment {
        incident: Box<Incident>,
        comment: Comment,
        created: bool,
    },
    Task {
        incident: Box<Incident>,
        task: Task,
        created: bool,
    },
    Relation {
        incident: Box<Incident>,
        relation: Relation,
        created: bool,
    },
    Alert {
        alert: Box<Alert>,
        created: bool,
    },
    Document {
        document: Box<Document>,
        created: bool,
    },
    /// It was deleted, or was not there.
    Gone {
        existed: bool,
    },
    Noted,
}

/// Why a write changed nothing. The messages are Sentinel's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// 404 `ResourceNotFound`.
    #[error("Resource '{0}' does not exist.")]
    NotFound(String),
    /// 409 `Conflict`.
    #[error("Newer version of resource '{0}' exists. Data was not saved")]
    Stale(String),
    /// 409 `Conflict`, for any other reason.
    #[error("{0}")]
    Conflict(String),
    /// 412 `PreconditionFailed`.
    #[error("The condition set in the request's If-Match header is not met by resource '{0}'.")]
    PreconditionFailed(String),
    /// The same, of `If-None-Match`.
    #[error("Resource '{0}' exists, which the request's If-None-Match header excludes.")]
    Exists(String),
    /// 400 `BadRequest`.
    #[error("{0}")]
    Invalid(String),
    /// 403 `Forbidden`.
    #[error("{0}")]
    Forbidden(String),
}

impl Rejected {
    /// The HTTP status Sentinel answers with.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::Stale(_) | Self::Conflict(_) => 409,
            Self::PreconditionFailed(_) | Self::Exists(_) => 412,
            Self::Invalid(_) => 400,
            Self::Forbidden(_) => 403,
        }
    }

    /// The error code Sentinel answers with.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "ResourceNotFound",
            Self::Stale(_) | Self::Conflict(_) => "Conflict",
            Self::PreconditionFailed(_) | Self::Exists(_) => "PreconditionFailed",
            Self::Invalid(_) => "BadRequest",
            Self::Forbidden(_) => "Forbidden",
        }
    }
}

impl From<Refusal> for Rejected {
    fn from(refusal: Refusal) -> Self {
        Self::Invalid(refusal.to_string())
    }
}
