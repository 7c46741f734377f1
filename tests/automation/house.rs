//! A Larum without servers and mailboxes: playbook and rule files, a data folder, an engine, and the dispatcher.

use std::{fs, sync::Arc, time::Duration};

use chrono::Utc;
use larum::{
    app::Core,
    config::Config,
    incident::{
        Activity, ActivityKind, Actor, Alert, Change, DocumentKey, DocumentKind, Draft, Incident, IncidentRef, Patch,
        Precondition, ResourceName, Severity, Workspace, Write, Written,
    },
    store::{
        SqliteStore, Store,
        incidents::IncidentStore,
        query::{HistoryEntry, RunFilter, RunSummary},
        run::RunStatus,
    },
    trigger::dispatch::Dispatcher,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support;

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

pub struct House {
    folder: TempDir,
    living: Living,
}

/// What a process holds.
struct Living {
    disk: Arc<SqliteStore>,
    core: Core,
    stop: CancellationToken,
    dispatcher: JoinHandle<()>,
}

/// A client with a token.
pub fn client() -> Actor {
    Actor::Token { id: Uuid::from_u128(7), name: "siem".into() }
}

/// A person who signed in.
pub fn person() -> Actor {
    Actor::Person { id: Uuid::from_u128(8), name: "Ada".into() }
}

impl House {
    /// A house with these files beside its playbooks; each may hold several, set apart by `---`.
    pub async fn new(files: &[&str]) -> Self {
        Self::wrapped(files, |disk| disk).await
    }

    /// With a store that `wrap` puts around the one on disk.
    pub async fn wrapped(files: &[&str], wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("playbooks")).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        for (at, text) in files.iter().flat_map(|file| file.split("---\n")).enumerate() {
            fs::write(folder.path().join(format!("playbooks/{at}.yaml")), text).unwrap();
        }
        let living = live(&folder, wrap).await;
        Self { folder, living }
    }

    /// The process is gone; a new one opens the same folder.
    pub async fn killed(self) -> Self {
        let Self { folder, living } = self;
        living.dispatcher.abort();
        living.disk.close();
        let living = live(&folder, |disk| disk).await;
        Self { folder, living }
    }

    /// The file of the database.
    pub fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("data/larum.db")
    }

    pub fn store(&self) -> &SqliteStore {
        &self.living.disk
    }

    pub fn core(&self) -> &Core {
        &self.living.core
    }

    /// Does a write that must be taken; what it came to. By the disk, since the process may die before it hears of it.
    pub async fn write(&self, by: Actor, change: Change) -> Written {
        let write = Write { by, causes: Vec::new(), at: Utc::now(), etag: Uuid::new_v4(), change };
        self.living.disk.write(write).await.unwrap().unwrap()
    }

    /// Makes an incident through the API's operation.
    pub async fn create(&self, draft: Draft) -> Incident {
        let change = Change::PutIncident {
            name: Uuid::new_v4().into(),
            incident: Box::new(draft),
            precondition: Precondition::default(),
        };
        match self.write(client(), change).await {
            Written::Incident { incident, .. } => *incident,
            other => panic!("{other:?}"),
        }
    }

    /// Changes an incident by hand.
    pub async fn patch(&self, incident: u64, patch: Patch) {
        let incident = IncidentRef::Number(incident);
        self.write(
            person(),
            Change::PatchIncident { incident, patch: Box::new(patch), precondition: Precondition::default() },
        )
        .await;
    }

    /// Keeps a rule through the API's operation.
    pub async fn rule(&self, name: &str, properties: Value) {
        larum::incident::automation::AutomationRule::parse(&properties).unwrap();
        let key =
            DocumentKey { kind: DocumentKind::AutomationRule, parent: None, name: ResourceName::parse(name).unwrap() };
        self.write(client(), Change::PutDocument { key, properties, precondition: Precondition::default() }).await;
    }

    /// Waits until every event is dealt with and no run goes on.
    pub async fn quiet(&self) {
        let quiet = async {
            loop {
                let events = self.store().workspace_events(1).await.unwrap();
                let runs = self.runs().await;
                let open = runs.iter().any(|run| matches!(run.status, RunStatus::Running | RunStatus::Waiting));
                if events.is_empty() && !open && self.store().workspace_events(1).await.unwrap().is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, quiet).await.expect("all events are dealt with and all runs have ended");
    }

    /// Every run, oldest first.
    pub async fn runs(&self) -> Vec<RunSummary> {
        let mut runs = self.store().runs(RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap();
        runs.reverse();
        runs
    }

    /// The playbooks that ran, oldest first, each with how its run ended.
    pub async fn ran(&self) -> Vec<String> {
        self.runs().await.iter().map(|run| format!("{} {}", run.playbook, run.status.as_str())).collect()
    }

    /// What the trigger of the run at this place delivered.
    pub async fn delivered(&self, at: usize) -> Value {
        let run = self.runs().await[at].run;
        let stored = self.store().load_run(run).await.unwrap().unwrap();
        serde_json::from_str::<Value>(&stored.outputs).unwrap()["body"].take()
    }

    pub async fn incident(&self, number: u64) -> Incident {
        self.store().incident(number).await.unwrap().unwrap()
    }

    pub async fn activity(&self, incident: u64) -> Vec<Activity> {
        self.store().activity(incident, None, 1_000).await.unwrap()
    }

    /// What the guard and faulty rules kept from starting, as the incident's log tells it.
    pub async fn not_started(&self, incident: u64) -> Vec<String> {
        let log = self.activity(incident).await.into_iter();
        let told = log.filter_map(|entry| match entry.what {
            ActivityKind::NotStarted { name, because } => Some(format!("{name}: {because}")),
            _ => None,
        });
        told.collect()
    }

    /// The trigger's history, oldest first.
    pub async fn history(&self) -> Vec<HistoryEntry> {
        let mut history = self.store().history(None, 1_000).await.unwrap();
        history.reverse();
        history
    }
}

async fn live(folder: &TempDir, wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Living {
    let data = folder.path().join("data");
    let disk = support::open_store(&data);
    let config = Config { data, playbooks: vec![folder.path().join("playbooks")], ..Config::default() };
    let core = Core::over(config, wrap(disk.clone())).unwrap();
    // As `App::start` does it.
    let reading = core.shelf().read().await.unwrap();
    assert!(reading.faults.is_empty(), "{:#?}", reading.faults.iter().map(ToString::to_string).collect::<Vec<_>>());
    core.engine.recover().await.unwrap();
    let stop = CancellationToken::new();
    let dispatcher =
        Dispatcher { door: core.door.clone(), workspace: Workspace::of(&core.config), metrics: core.metrics.clone() };
    let dispatcher = tokio::spawn(dispatcher.serve(stop.clone()));
    Living { disk, core, stop, dispatcher }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.stop.cancel();
        self.dispatcher.abort();
    }
}

/// An incident to be.
pub fn draft(title: &str, severity: Severity) -> Draft {
    Draft { severity, ..Draft::new(title) }
}

/// A patch of the severity alone.
pub fn severity(severity: Severity) -> Patch {
    Patch { severity: Some(severity), ..Patch::default() }
}

/// A rule's properties, on incidents.
#[allow(clippy::needless_pass_by_value, reason = "called with literals")]
pub fn rule(order: u32, when: &str, conditions: Value, actions: Value) -> Value {
    let actions = actions.as_array().unwrap().iter().enumerate();
    let actions: Vec<Value> = actions
        .map(|(at, action)| {
            let (kind, configuration) = action.as_object().unwrap().iter().next().unwrap();
            json!({"order": at + 1, "actionType": kind, "actionConfiguration": configuration})
        })
        .collect();
    json!({
        "displayName": format!("rule {order}"), "order": order,
        "triggeringLogic": {"isEnabled": true, "triggersOn": "Incidents", "triggersWhen": when, "conditions": conditions},
        "actions": actions,
    })
}

/// A `Property` condition.
pub fn is(property: &str, operator: &str, values: &[&str]) -> Value {
    json!({
        "conditionType": "Property",
        "conditionProperties": {"propertyName": property, "operator": operator, "propertyValues": values},
    })
}

/// An alert about these entities.
pub fn alert(name: &str, entities: Vec<larum::incident::Entity>) -> Alert {
    Alert {
        name: ResourceName::parse(name).unwrap(),
        etag: Uuid::new_v4(),
        title: "Sign-in from two countries".into(),
        severity: Severity::High,
        received: Utc::now(),
        properties: json!({"productName": "IdP", "tactics": ["InitialAccess"], "additionalData": {"Custom Details": "{\"site\":[\"north\"]}"}})
            .as_object()
            .unwrap()
            .clone(),
        entities,
    }
}
