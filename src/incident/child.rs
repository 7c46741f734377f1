//! What hangs on an incident: comments, tasks, relations.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Actor, ResourceName};

/// A comment.
#[derive(Debug, Clone, PartialEq)]
pub struct Comment {
    /// The incident's number.
    pub incident: u64,
    pub name: ResourceName,
    pub etag: Uuid,
    /// HTML or Markdown, kept as it came.
    pub message: String,
    pub author: Actor,
    pub created: DateTime<Utc>,
    pub modified: DateTime<Utc>,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum TaskStatus {
    New,
    Completed,
}

/// Something to be done about an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The incident's number.
    pub incident: u64,
    pub name: ResourceName,
    pub etag: Uuid,
    pub title: String,
    pub description: Option<String>,
    pub status: TaskStatus,
    pub created: DateTime<Utc>,
    pub created_by: Actor,
    pub modified: DateTime<Utc>,
    pub modified_by: Actor,
}

/// What an incident can be related to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum RelatedKind {
    Alert,
    Bookmark,
}

/// A relation of an incident to an alert or a bookmark.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// The incident's number.
    pub incident: u64,
    pub name: ResourceName,
    pub etag: Uuid,
    pub kind: RelatedKind,
    /// The alert's or bookmark's name.
    pub related: ResourceName,
    pub created: DateTime<Utc>,
}
