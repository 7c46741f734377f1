//! A workspace to ask, and what is put into it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use larum::{
    incident::{
        Actor, Alert, Change, Draft, Incident, IncidentRef, Patch, Precondition, RelatedKind, ResourceName, Severity,
        Workspace, Write, Written, properties::INCIDENT,
    },
    odata::{Filter, Order},
    store::{
        SqliteStore,
        incidents::{IncidentStore, Listing},
    },
};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;

pub struct Kit {
    _data: TempDir,
    pub store: Arc<SqliteStore>,
}

impl Kit {
    pub fn new() -> Self {
        let data = TempDir::new().unwrap();
        Self { store: SqliteStore::open(data.path()).unwrap(), _data: data }
    }

    pub async fn write(&self, at: DateTime<Utc>, change: Change) -> Written {
        let by = Actor::Person { id: Uuid::from_u128(1), name: "Alice".to_owned() };
        let write = Write { by, causes: vec![], at, etag: Uuid::now_v7(), change };
        self.store.write(write).await.unwrap().unwrap()
    }

    pub async fn create(&self, at: DateTime<Utc>, draft: Draft) -> Incident {
        let name = Uuid::now_v7().into();
        let change = Change::PutIncident { name, incident: Box::new(draft), precondition: Precondition::default() };
        match self.write(at, change).await {
            Written::Incident { incident, .. } => *incident,
            other => panic!("{other:?}"),
        }
    }

    pub async fn patch(&self, at: DateTime<Utc>, number: u64, patch: Patch) {
        let change = Change::PatchIncident {
            incident: IncidentRef::Number(number),
            patch: Box::new(patch),
            precondition: Precondition::default(),
        };
        self.write(at, change).await;
    }

    /// Takes an alert of a product in and relates it to an incident.
    pub async fn alert(&self, at: DateTime<Utc>, number: u64, properties: Value, entities: &[Value]) -> ResourceName {
        let name = ResourceName::from(Uuid::now_v7());
        let alert = Alert {
            name: name.clone(),
            etag: Uuid::nil(),
            title: "An alert".to_owned(),
            severity: Severity::Medium,
            received: at,
            properties: members(properties),
            entities: entities.iter().map(|entity| serde_json::from_value(entity.clone()).unwrap()).collect(),
        };
        self.write(at, Change::PutAlert { alert: Box::new(alert), precondition: Precondition::default() }).await;
        let change = Change::PutRelation {
            incident: IncidentRef::Number(number),
            name: Uuid::now_v7().into(),
            kind: RelatedKind::Alert,
            related: name.clone(),
            precondition: Precondition::default(),
        };
        self.write(at, change).await;
        name
    }

    /// The numbers of a whole list, read in pages of this size.
    pub async fn list(&self, filter: Option<&str>, order: &str, top: usize) -> Vec<u64> {
        let mut listing = listing(filter, order, top);
        let mut found = Vec::new();
        loop {
            let page = self.store.list_incidents(listing.clone()).await.unwrap();
            assert!(page.items.len() <= top && (page.items.len() == top || page.next.is_none()));
            found.extend(page.items.iter().map(|incident| incident.number));
            listing.after = page.next;
            if listing.after.is_none() {
                return found;
            }
        }
    }

    /// Every incident as the API shows it.
    pub async fn resources(&self) -> Vec<Value> {
        let page = self.store.list_incidents(listing(None, "properties/incidentNumber", 10_000)).await.unwrap();
        page.items.iter().map(|incident| json!(incident.resource(&workspace()))).collect()
    }

    pub async fn index(&self) {
        while self.store.index_portion().await.unwrap() {}
    }
}

pub fn listing(filter: Option<&str>, order: &str, top: usize) -> Listing {
    let filter = filter.map(|filter| Filter::parse(filter, INCIDENT).unwrap_or_else(|error| panic!("{error}")));
    let order = if order.is_empty() { vec![] } else { Order::parse(order, INCIDENT).unwrap() };
    Listing { filter, order, top, after: None }
}

pub fn workspace() -> Workspace {
    Workspace {
        subscription: "s".to_owned(),
        resource_group: "g".to_owned(),
        name: "w".to_owned(),
        url: "http://localhost".to_owned(),
    }
}

pub fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other}"),
    }
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
