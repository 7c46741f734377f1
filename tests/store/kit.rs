//! What the tests say reports, runs and incidents with.

use std::{path::Path, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use larum::{
    incident::{
        Activity, ActivityKind, Actor, Alert, Change, DocumentKey, DocumentKind, Draft, Entity, EntityKind, Incident,
        IncidentRef, Patch, Precondition, Provenance, Rejected, RelatedKind, ResourceName, Severity, TaskStatus, Write,
        Written,
    },
    store::{
        RunId, SqliteStore, Store, Version,
        incidents::IncidentStore,
        intake::{Decision, Intake, Listening, Report, Uniqueness, Verdict},
        mailbox::FeedName,
        run::{Finish, LocalEffect, Record, RunStatus},
    },
};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

/// A store in a folder of its own.
pub struct Kit {
    pub data: TempDir,
    pub store: Arc<SqliteStore>,
}

impl Kit {
    /// A fresh store that knows the playbooks `file` and `acknowledge`.
    pub async fn new() -> Self {
        let data = TempDir::new().unwrap();
        let store = open(data.path());
        for playbook in ["file", "acknowledge"] {
            store.keep_version(version(playbook), at(0)).await.unwrap();
        }
        Self { data, store }
    }

    /// The same folder after a stop.
    pub fn reopened(self) -> Self {
        self.store.close();
        Self { store: open(self.data.path()), data: self.data }
    }

    pub async fn accept(&self, reports: Vec<Report>) -> Vec<Verdict> {
        self.store.accept(intake("soc", reports)).await.unwrap()
    }

    /// Accepts one report and returns the run it started.
    pub async fn run(&self, report: Report) -> RunId {
        started(&self.accept(vec![report]).await[0])[0]
    }

    /// Does a write as Alice, at the tests' second minute.
    pub async fn write(&self, change: Change) -> Result<Written, Rejected> {
        self.store.write(write(change)).await.unwrap()
    }

    /// Makes an incident by the API.
    pub async fn put(&self, name: &str, title: &str) -> Incident {
        incident(self.write(put(name, Draft::new(title))).await)
    }

    pub async fn find(&self, number: u64) -> Incident {
        self.store.find_incident(&IncidentRef::Number(number)).await.unwrap().unwrap()
    }

    /// An incident's whole log.
    pub async fn log(&self, number: u64) -> Vec<Activity> {
        self.store.activity(number, None, 1_000).await.unwrap()
    }

    /// What an incident's log says happened, but for its creation.
    pub async fn happened(&self, number: u64) -> Vec<ActivityKind> {
        self.log(number).await.into_iter().skip(1).map(|entry| entry.what).collect()
    }

    /// Takes an alert in and relates it to an incident.
    pub async fn relate(&self, number: u64, called: &str) -> Result<Written, Rejected> {
        self.write(put_alert(alert(called, "Defender", &["Execution"]))).await.unwrap();
        self.write(relate(number, called, RelatedKind::Alert, called)).await
    }

    /// Creates an incident from a run, as its event `seq`.
    pub async fn file(&self, run: RunId, seq: u64, title: &str) -> Incident {
        let record = Record { local: Some(create(run, title)), ..Record::events(run, seq, vec![]) };
        self.store.record(record).await.unwrap().incident.unwrap()
    }
}

pub fn open(data: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(data).unwrap()
}

/// An instant `minutes` after the tests' beginning.
pub fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_510_800, 0).unwrap() + Duration::minutes(minutes)
}

pub fn version(playbook: &str) -> Version {
    Version {
        id: format!("hash-of-{playbook}"),
        playbook: playbook.to_owned(),
        path: format!("playbooks/{playbook}.yaml"),
        bundle: "{}".to_owned(),
    }
}

pub fn feed(connection: &str) -> FeedName {
    FeedName { connection: connection.to_owned(), folder: "INBOX".to_owned() }
}

pub fn intake(connection: &str, reports: Vec<Report>) -> Intake {
    Intake { feed: feed(connection), reports, cursor: None, at: at(1) }
}

pub fn starts(playbook: &str) -> Listening {
    Listening {
        playbook: playbook.to_owned(),
        decision: Decision::start(Uuid::now_v7(), format!("hash-of-{playbook}"), [7; 32]),
    }
}

pub fn skips(playbook: &str, because: &str) -> Listening {
    Listening { playbook: playbook.to_owned(), decision: Decision::Skip { because: because.to_owned() } }
}

pub fn report(uniqueness: Uniqueness, playbooks: Vec<Listening>) -> Report {
    Report {
        event: Uuid::now_v7(),
        kind: "mailbox",
        uniqueness,
        summary: "stranger at the door".to_owned(),
        outputs: r#"{"body":{"subject":"stranger at the door"}}"#.into(),
        raw: None,
        playbooks,
        mail_tasks: vec![],
        skipped: None,
    }
}

/// A report that is like no other, taken by the playbook `file`.
pub fn fresh() -> Report {
    report(Uniqueness::Always, vec![starts("file")])
}

pub fn mail(message_id: Option<&str>, content: &str) -> Report {
    let uniqueness = Uniqueness::Mail { message_id: message_id.map(str::to_owned), content_hash: content.to_owned() };
    report(uniqueness, vec![starts("file")])
}

pub fn keyed(key: &str) -> Report {
    report(Uniqueness::Key(key.to_owned()), vec![starts("file")])
}

/// The runs a verdict started.
pub fn started(verdict: &Verdict) -> Vec<RunId> {
    match verdict {
        Verdict::Accepted { runs, .. } => runs.iter().map(|started| started.run).collect(),
        Verdict::Duplicate { .. } | Verdict::Skipped { .. } | Verdict::Busy { .. } => vec![],
    }
}

pub fn create(run: RunId, title: &str) -> LocalEffect {
    LocalEffect::CreateIncident {
        draft: Box::new(Draft::new(title)),
        provenance: provenance(run),
        at: at(2),
        id: Uuid::now_v7(),
        repeated: false,
        causes: vec![],
        event: Box::new(|incident| format!("created {}", incident.number).into_bytes()),
    }
}

pub fn provenance(run: RunId) -> Provenance {
    Provenance {
        run: Some(run),
        playbook: Some("file".to_owned()),
        version: Some("hash-of-file".to_owned()),
        event: Some(Uuid::nil()),
        report: Some("stranger at the door".to_owned()),
    }
}

pub fn ends(run: RunId, status: RunStatus, minutes: i64) -> Finish {
    Finish { run, status, at: at(minutes), error: None, actions: "[]".into(), fallback: None, note: None, parent: None }
}

pub fn alice() -> Actor {
    Actor::Person { id: Uuid::from_u128(1), name: "Alice".to_owned() }
}

pub fn bob() -> Actor {
    Actor::Token { id: Uuid::from_u128(2), name: "Bob's script".to_owned() }
}

pub fn write(change: Change) -> Write {
    Write { by: alice(), causes: vec![], at: at(2), etag: Uuid::now_v7(), change }
}

pub fn name(name: &str) -> ResourceName {
    ResourceName::parse(name).unwrap()
}

pub fn put(called: &str, draft: Draft) -> Change {
    Change::PutIncident { name: name(called), incident: Box::new(draft), precondition: Precondition::default() }
}

pub fn patch(number: u64, patch: Patch) -> Change {
    Change::PatchIncident {
        incident: IncidentRef::Number(number),
        patch: Box::new(patch),
        precondition: Precondition::default(),
    }
}

/// The incident a write gave.
pub fn incident(written: Result<Written, Rejected>) -> Incident {
    match written.unwrap() {
        Written::Incident { incident, .. }
        | Written::Comment { incident, .. }
        | Written::Task { incident, .. }
        | Written::Relation { incident, .. } => *incident,
        other => panic!("no incident: {other:?}"),
    }
}

pub fn number(number: u64) -> IncidentRef {
    IncidentRef::Number(number)
}

pub fn delete(number: u64) -> Change {
    Change::DeleteIncident { incident: IncidentRef::Number(number), precondition: Precondition::default() }
}

pub fn comment(incident: u64, called: &str, message: &str) -> Change {
    Change::PutComment {
        incident: number(incident),
        name: name(called),
        message: message.to_owned(),
        precondition: Precondition::default(),
        any_author: false,
    }
}

pub fn task(incident: u64, called: &str, title: &str, status: TaskStatus) -> Change {
    Change::PutTask {
        incident: number(incident),
        name: name(called),
        title: title.to_owned(),
        description: None,
        status,
        precondition: Precondition::default(),
    }
}

pub fn relate(incident: u64, called: &str, kind: RelatedKind, related: &str) -> Change {
    Change::PutRelation {
        incident: number(incident),
        name: name(called),
        kind,
        related: name(related),
        precondition: Precondition::default(),
    }
}

pub fn alert(called: &str, product: &str, tactics: &[&str]) -> Alert {
    let properties = json!({
        "productName": product,
        "tactics": tactics,
        "techniques": ["T1059"],
        "additionalData": {"Analytic Rule Ids": format!("[\"rule of {product}\"]")},
    });
    Alert {
        name: name(called),
        etag: Uuid::nil(),
        title: "Suspicious sign-in".to_owned(),
        severity: Severity::High,
        received: at(1),
        properties: properties.as_object().cloned().unwrap(),
        entities: vec![address("192.0.2.1")],
    }
}

pub fn address(address: &str) -> Entity {
    Entity {
        name: Uuid::new_v5(&Uuid::NAMESPACE_OID, address.as_bytes()),
        kind: EntityKind::Ip,
        properties: json!({"address": address}).as_object().cloned().unwrap(),
    }
}

pub fn put_alert(alert: Alert) -> Change {
    Change::PutAlert { alert: Box::new(alert), precondition: Precondition::default() }
}

pub fn bookmark(called: &str) -> DocumentKey {
    DocumentKey { kind: DocumentKind::Bookmark, parent: None, name: name(called) }
}

pub fn put_bookmark(called: &str) -> Change {
    let properties = json!({"displayName": called, "query": "x"});
    Change::PutDocument { key: bookmark(called), properties, precondition: Precondition::default() }
}
