//! The workspace: incidents, what hangs on them, and what their changes start.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{
    StoreError,
    intake::{Intake, Verdict},
};
use crate::{
    access::{StoredToken, TokenId},
    incident::{
        Activity, ActivityKind, Actor, Alert, Causes, Comment, Document, DocumentKey, DocumentKind, Entity, Incident,
        IncidentRef, Rejected, Relation, ResourceName, Task, Write, Written,
    },
    odata::{Filter, Order},
};

/// The operations on the built-in workspace. Each is one transaction that is on disk when it returns.
#[async_trait::async_trait]
pub trait IncidentStore: Send + Sync + 'static {
    /// Does a write, with its entry in the activity log, the incident's new etag and, when somebody
    /// [listens](IncidentStore::listen), the event that tells of it. Inside, why nothing was changed.
    async fn write(&self, write: Write) -> Result<Result<Written, Rejected>, StoreError>;

    /// One incident.
    async fn find_incident(&self, incident: &IncidentRef) -> Result<Option<Incident>, StoreError>;
    /// A page of incidents.
    async fn list_incidents(&self, listing: Listing) -> Result<Page<Incident>, StoreError>;
    /// A page of an incident's comments, newest first by default; `None` when there is no such incident.
    async fn comments(&self, incident: &IncidentRef, listing: Listing) -> Result<Option<Page<Comment>>, StoreError>;
    async fn comment(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Comment>, StoreError>;
    /// A page of an incident's relations; `None` when there is no such incident.
    async fn relations(&self, incident: &IncidentRef, listing: Listing) -> Result<Option<Page<Relation>>, StoreError>;
    async fn relation(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Relation>, StoreError>;
    /// An incident's tasks in the order they were made; `None` when there is no such incident.
    async fn tasks(&self, incident: &IncidentRef) -> Result<Option<Vec<Task>>, StoreError>;
    async fn task(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Task>, StoreError>;
    /// The alerts related to an incident, oldest relation first; `None` when there is no such incident.
    async fn alerts_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Alert>>, StoreError>;
    /// The bookmarks related to an incident; `None` when there is no such incident.
    async fn bookmarks_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Document>>, StoreError>;
    /// The entities of an incident's alerts, each once; `None` when there is no such incident.
    async fn entities_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Entity>>, StoreError>;
    /// The relations of incidents to a bookmark, oldest first, each with its incident's name.
    async fn bookmark_relations(&self, bookmark: &ResourceName) -> Result<Vec<(ResourceName, Relation)>, StoreError>;
    /// The incidents an alert or bookmark is related to.
    async fn incidents_of(&self, related: &ResourceName) -> Result<Vec<Incident>, StoreError>;
    async fn alert(&self, name: &ResourceName) -> Result<Option<Alert>, StoreError>;
    /// A page of alerts, newest first.
    async fn alerts(&self, listing: Listing) -> Result<Page<Alert>, StoreError>;
    async fn entity(&self, name: Uuid) -> Result<Option<Entity>, StoreError>;
    async fn document(&self, key: &DocumentKey) -> Result<Option<Document>, StoreError>;
    /// The documents of a kind and parent, oldest first.
    async fn documents(&self, kind: DocumentKind, parent: Option<&ResourceName>) -> Result<Vec<Document>, StoreError>;
    /// A page of `top` bookmarks, oldest first, from where the page before ended.
    async fn bookmarks(&self, top: usize, after: Option<Vec<u8>>) -> Result<Page<Document>, StoreError>;

    /// An incident's log by its number, oldest first, also when it was deleted; `after` continues a listing.
    async fn activity(&self, incident: u64, after: Option<i64>, limit: usize) -> Result<Vec<Activity>, StoreError>;
    /// Incidents in which all words of `query` occur (title, description, comments, entities, owner), best first. What was
    /// written in the last moments may be missing.
    async fn search(&self, query: &str, limit: usize) -> Result<Vec<SearchHit>, StoreError>;
    /// Incidents that have something in common with this one, most in common first.
    async fn related_incidents(&self, incident: &IncidentRef, limit: usize)
    -> Result<Vec<RelatedIncident>, StoreError>;
    /// Brings a portion of what was written into the search index; `false` when nothing was left to do.
    async fn index_portion(&self) -> Result<bool, StoreError>;
    /// How long anything was being written since the store was opened: what works in the background sees by it whether it
    /// should give way.
    fn time_writing(&self) -> Duration;

    /// Says whether changes of incidents start anything: only then are events kept of those that follow. Keeping an
    /// automation rule says so too.
    fn listen(&self, listens: bool);
    /// Events that nothing dealt with yet, oldest first.
    async fn workspace_events(&self, limit: usize) -> Result<Vec<WorkspaceEvent>, StoreError>;
    /// Ends with a new event, or soon after.
    async fn next_workspace_event(&self);
    /// Deals with an event: does the writes that rules want, opens the runs of playbooks and forgets the event, in one
    /// transaction. An event that was dealt with before changes nothing and gives `None`.
    async fn settle(&self, settlement: Settlement) -> Result<Option<Settled>, StoreError>;

    /// Keeps a token; its name is free or that of a token that can no longer be used, else `false`.
    async fn keep_token(&self, token: StoredToken) -> Result<bool, StoreError>;
    async fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError>;
    /// Every token, oldest first.
    async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError>;
    /// Revokes the usable token of this name or id; `false` when there is none.
    async fn revoke_token(&self, name: &str, at: DateTime<Utc>) -> Result<bool, StoreError>;
}

/// What a list is asked for.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    pub filter: Option<Filter>,
    /// Empty: the list's own order.
    pub order: Vec<Order>,
    /// The size of a page; 0 is the default one.
    pub top: usize,
    /// Where a page before ended, [`Page::next`].
    pub after: Option<Vec<u8>>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; opaque. `None` on the last page.
    pub next: Option<Vec<u8>>,
}

/// An incident a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchHit {
    pub incident: Incident,
    /// A few words around the first place found, plain text.
    pub excerpt: String,
}

/// An incident that has something in common with another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RelatedIncident {
    pub incident: Incident,
    pub because: Vec<Reason>,
}

/// What two incidents have in common.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// Entities, by their friendly names.
    SharedEntities {
        entities: Vec<String>,
    },
    SameSender {
        sender: String,
    },
    SameTitle,
}

/// Something happened in the workspace that may start playbooks and rules.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkspaceEvent {
    /// Grows.
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub by: Actor,
    pub causes: Causes,
    pub subject: Subject,
}

/// What it happened to.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// An incident was [created](ActivityKind::Created) or changed; how it stood right then.
    Incident { incident: Box<Incident>, what: ActivityKind },
    /// An alert came in.
    Alert { alert: ResourceName },
    /// What is kept of it cannot be read; the number of its incident, where that can.
    Unreadable { incident: Option<u64>, because: String },
}

/// How an event is dealt with.
#[derive(Debug)]
pub struct Settlement {
    pub seq: i64,
    /// In order. One that is rejected changes nothing and hinders nothing else; the incident's log says so.
    pub writes: Vec<Write>,
    pub intake: Option<Intake>,
}

/// What dealing with an event came to.
#[derive(Debug)]
pub struct Settled {
    pub written: Vec<Result<Written, Rejected>>,
    /// Of the intake's reports.
    pub verdicts: Vec<Verdict>,
}
