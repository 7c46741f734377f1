//! The workspace over SQLite: one file for each subject, and here which of them answers what.

mod activity;
mod alerts;
mod comments;
mod documents;
mod events;
mod incident;
mod index;
mod listing;
mod merge;
mod plan;
mod related;
mod relations;
mod search;
mod tasks;
mod team;
mod writing;

pub(super) use events::tell_created;
pub(super) use listing::queue;
pub(super) use writing::decide;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use rusqlite::Connection;
use uuid::Uuid;

use super::{SqliteStore, incidents, tokens, writer::Writer};
use crate::{
    access::{StoredToken, TokenId},
    incident::{
        Activity, Alert, Comment, Document, DocumentKey, DocumentKind, Entity, Incident, IncidentRef, Rejected,
        Relation, ResourceName, Task, Write, Written,
    },
    store::{
        StoreError,
        incidents::{IncidentStore, Listing, Page, RelatedIncident, SearchHit, Settled, Settlement, WorkspaceEvent},
    },
};

/// What is asked of an incident; `None` when there is no such incident.
fn of<T>(
    connection: &Connection,
    incident: &IncidentRef,
    question: impl FnOnce(u64) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    incidents::number(connection, incident)?.map(question).transpose()
}

#[async_trait::async_trait]
impl IncidentStore for SqliteStore {
    async fn write(&self, write: Write) -> Result<Result<Written, Rejected>, StoreError> {
        self.write_checked(move |writing| writing::perform(writing, &write)).await
    }

    async fn find_incident(&self, incident: &IncidentRef) -> Result<Option<Incident>, StoreError> {
        let incident = incident.clone();
        self.ask(move |connection| incidents::find(connection, &incident)).await
    }

    async fn list_incidents(&self, listing: Listing) -> Result<Page<Incident>, StoreError> {
        self.look(move |connection| listing::incidents(connection, &listing)).await
    }

    async fn comments(&self, incident: &IncidentRef, listing: Listing) -> Result<Option<Page<Comment>>, StoreError> {
        let incident = incident.clone();
        self.look(move |connection| of(connection, &incident, |number| listing::comments(connection, number, &listing)))
            .await
    }

    async fn comment(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Comment>, StoreError> {
        let (incident, name) = (incident.clone(), name.clone());
        self.ask(move |connection| {
            of(connection, &incident, |number| comments::get(connection, number, &name)).map(Option::flatten)
        })
        .await
    }

    async fn relations(&self, incident: &IncidentRef, listing: Listing) -> Result<Option<Page<Relation>>, StoreError> {
        let incident = incident.clone();
        self.look(move |connection| {
            of(connection, &incident, |number| listing::relations(connection, number, &listing))
        })
        .await
    }

    async fn relation(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Relation>, StoreError> {
        let (incident, name) = (incident.clone(), name.clone());
        self.ask(move |connection| {
            of(connection, &incident, |number| relations::get(connection, number, &name)).map(Option::flatten)
        })
        .await
    }

    async fn tasks(&self, incident: &IncidentRef) -> Result<Option<Vec<Task>>, StoreError> {
        let incident = incident.clone();
        self.ask(move |connection| of(connection, &incident, |number| tasks::all(connection, number))).await
    }

    async fn task(&self, incident: &IncidentRef, name: &ResourceName) -> Result<Option<Task>, StoreError> {
        let (incident, name) = (incident.clone(), name.clone());
        self.ask(move |connection| {
            of(connection, &incident, |number| tasks::get(connection, number, &name)).map(Option::flatten)
        })
        .await
    }

    async fn alerts_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Alert>>, StoreError> {
        let incident = incident.clone();
        self.ask(move |connection| of(connection, &incident, |number| alerts::of_incident(connection, number))).await
    }

    async fn bookmarks_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Document>>, StoreError> {
        let incident = incident.clone();
        self.ask(move |connection| of(connection, &incident, |number| documents::bookmarks(connection, number))).await
    }

    async fn entities_of(&self, incident: &IncidentRef) -> Result<Option<Vec<Entity>>, StoreError> {
        let incident = incident.clone();
        self.ask(move |connection| of(connection, &incident, |number| alerts::entities_of_incident(connection, number)))
            .await
    }

    async fn bookmark_relations(&self, bookmark: &ResourceName) -> Result<Vec<(ResourceName, Relation)>, StoreError> {
        let bookmark = bookmark.clone();
        self.ask(move |connection| relations::of_bookmark(connection, &bookmark)).await
    }

    async fn incidents_of(&self, related: &ResourceName) -> Result<Vec<Incident>, StoreError> {
        let related = related.clone();
        self.ask(move |connection| incidents::related_to(connection, &related)).await
    }

    async fn alert(&self, name: &ResourceName) -> Result<Option<Alert>, StoreError> {
        let name = name.clone();
        self.ask(move |connection| alerts::get(connection, &name)).await
    }

    async fn alerts(&self, listing: Listing) -> Result<Page<Alert>, StoreError> {
        self.look(move |connection| listing::alerts(connection, &listing)).await
    }

    async fn entity(&self, name: Uuid) -> Result<Option<Entity>, StoreError> {
        self.ask(move |connection| alerts::entity(connection, name)).await
    }

    async fn document(&self, key: &DocumentKey) -> Result<Option<Document>, StoreError> {
        let key = key.clone();
        self.ask(move |connection| documents::get(connection, &key)).await
    }

    async fn documents(&self, kind: DocumentKind, parent: Option<&ResourceName>) -> Result<Vec<Document>, StoreError> {
        let parent = parent.cloned();
        self.ask(move |connection| documents::list(connection, kind, parent.as_ref())).await
    }

    async fn bookmarks(&self, top: usize, after: Option<Vec<u8>>) -> Result<Page<Document>, StoreError> {
        self.ask(move |connection| documents::bookmark_page(connection, top, after.as_deref())).await
    }

    async fn activity(&self, incident: u64, after: Option<i64>, limit: usize) -> Result<Vec<Activity>, StoreError> {
        self.ask(move |connection| activity::list(connection, incident, after, limit)).await
    }

    async fn search(&self, query: &str, limit: usize) -> Result<Vec<SearchHit>, StoreError> {
        let query = query.to_owned();
        self.look(move |connection| search::search(connection, &query, limit)).await
    }

    async fn related_incidents(
        &self,
        incident: &IncidentRef,
        limit: usize,
    ) -> Result<Vec<RelatedIncident>, StoreError> {
        let incident = incident.clone();
        let blobs = Arc::clone(&self.blobs);
        self.look(move |connection| related::related(connection, &blobs, &incident, limit)).await
    }

    async fn index_portion(&self) -> Result<bool, StoreError> {
        let portion = self.ask_bodies(index::read).await?;
        if portion.is_empty() {
            return Ok(false);
        }
        self.write(move |writing| index::put(writing, &portion)).await?;
        Ok(true)
    }

    fn time_writing(&self) -> Duration {
        self.writer.as_ref().map(Writer::worked).unwrap_or_default()
    }

    fn listen(&self, listens: bool) {
        self.bell.listen(listens);
    }

    async fn workspace_events(&self, limit: usize) -> Result<Vec<WorkspaceEvent>, StoreError> {
        self.ask(move |connection| events::list(connection, limit)).await
    }

    async fn next_workspace_event(&self) {
        self.bell.rings().await;
    }

    async fn settle(&self, settlement: Settlement) -> Result<Option<Settled>, StoreError> {
        events::settle(self, settlement).await
    }

    async fn keep_token(&self, token: StoredToken) -> Result<bool, StoreError> {
        self.write(move |writing| tokens::keep(writing, &token)).await
    }

    async fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError> {
        self.ask(move |connection| tokens::get(connection, id)).await
    }

    async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.ask(tokens::list).await
    }

    async fn revoke_token(&self, name: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |writing| tokens::revoke(writing, &name, at)).await
    }
}
