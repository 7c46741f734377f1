//! The workspace over SQLite.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{SqliteStore, tokens};
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

fn missing<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed("this operation is not there yet".into()))
}

#[async_trait::async_trait]
impl IncidentStore for SqliteStore {
    async fn write(&self, _write: Write) -> Result<Result<Written, Rejected>, StoreError> {
        missing()
    }

    async fn find_incident(&self, _incident: &IncidentRef) -> Result<Option<Incident>, StoreError> {
        missing()
    }

    async fn list_incidents(&self, _listing: Listing) -> Result<Page<Incident>, StoreError> {
        missing()
    }

    async fn comments(&self, _incident: &IncidentRef, _listing: Listing) -> Result<Option<Page<Comment>>, StoreError> {
        missing()
    }

    async fn comment(&self, _incident: &IncidentRef, _name: &ResourceName) -> Result<Option<Comment>, StoreError> {
        missing()
    }

    async fn relations(
        &self,
        _incident: &IncidentRef,
        _listing: Listing,
    ) -> Result<Option<Page<Relation>>, StoreError> {
        missing()
    }

    async fn relation(&self, _incident: &IncidentRef, _name: &ResourceName) -> Result<Option<Relation>, StoreError> {
        missing()
    }

    async fn tasks(&self, _incident: &IncidentRef) -> Result<Option<Vec<Task>>, StoreError> {
        missing()
    }

    async fn task(&self, _incident: &IncidentRef, _name: &ResourceName) -> Result<Option<Task>, StoreError> {
        missing()
    }

    async fn alerts_of(&self, _incident: &IncidentRef) -> Result<Option<Vec<Alert>>, StoreError> {
        missing()
    }

    async fn bookmarks_of(&self, _incident: &IncidentRef) -> Result<Option<Vec<Document>>, StoreError> {
        missing()
    }

    async fn entities_of(&self, _incident: &IncidentRef) -> Result<Option<Vec<Entity>>, StoreError> {
        missing()
    }

    async fn incidents_of(&self, _related: &ResourceName) -> Result<Vec<Incident>, StoreError> {
        missing()
    }

    async fn alert(&self, _name: &ResourceName) -> Result<Option<Alert>, StoreError> {
        missing()
    }

    async fn alerts(&self, _listing: Listing) -> Result<Page<Alert>, StoreError> {
        missing()
    }

    async fn entity(&self, _name: Uuid) -> Result<Option<Entity>, StoreError> {
        missing()
    }

    async fn document(&self, _key: &DocumentKey) -> Result<Option<Document>, StoreError> {
        missing()
    }

    async fn documents(
        &self,
        _kind: DocumentKind,
        _parent: Option<&ResourceName>,
    ) -> Result<Vec<Document>, StoreError> {
        missing()
    }

    async fn activity(&self, _incident: u64, _after: Option<i64>, _limit: usize) -> Result<Vec<Activity>, StoreError> {
        missing()
    }

    async fn search(&self, _query: &str, _limit: usize) -> Result<Vec<SearchHit>, StoreError> {
        missing()
    }

    async fn related_incidents(
        &self,
        _incident: &IncidentRef,
        _limit: usize,
    ) -> Result<Vec<RelatedIncident>, StoreError> {
        missing()
    }

    async fn index_portion(&self) -> Result<bool, StoreError> {
        missing()
    }

    fn listen(&self, _listens: bool) {}

    async fn workspace_events(&self, _limit: usize) -> Result<Vec<WorkspaceEvent>, StoreError> {
        missing()
    }

    async fn next_workspace_event(&self) {
        std::future::pending().await
    }

    async fn settle(&self, _settlement: Settlement) -> Result<Option<Settled>, StoreError> {
        missing()
    }

    async fn keep_token(&self, token: StoredToken) -> Result<bool, StoreError> {
        SqliteStore::write(self, move |writing| tokens::keep(writing, &token)).await
    }

    async fn token(&self, id: TokenId) -> Result<Option<StoredToken>, StoreError> {
        self.ask(move |connection| tokens::get(connection, id)).await
    }

    async fn tokens(&self) -> Result<Vec<StoredToken>, StoreError> {
        self.ask(tokens::list).await
    }

    async fn revoke_token(&self, name: &str, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let name = name.to_owned();
        SqliteStore::write(self, move |writing| tokens::revoke(writing, &name, at)).await
    }
}
