//! A whole Larum without its servers: a data folder, a store, an engine and the intake door.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use larum::{
    action::Services,
    clock::{Clock, ManualClock},
    config::{Config, ParameterValue},
    engine::{Engine, Library, Live, Watch},
    metrics::Metrics,
    playbook::{self, Bundle, Playbook},
    secret::{SecretRef, Vault},
    store::{
        RunId, SqliteStore, Store, StoreError, Version,
        intake::{Intake, Report, Uniqueness, Verdict},
        mailbox::FeedName,
        query::RunSummary,
        run::{RunStatus, StoredRun},
    },
    trigger::intake::{Arrival, Door},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::probe;

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

pub fn bundle(source: &str) -> Bundle {
    Bundle {
        path: "playbook.yaml".into(),
        source: source.into(),
        templates: BTreeMap::new(),
        parameters: BTreeMap::new(),
    }
}

/// A playbook of these actions, for a form.
pub fn form(actions: &str) -> String {
    let fields = "[{id: what, label: What, type: long_text}]";
    format!("name: report\ntrigger:\n  form: {{path: report, title: Report, fields: {fields}}}\nactions:\n{actions}")
}

#[track_caller]
pub fn load(source: &str) -> Playbook {
    let vocabulary: Vec<_> = probe::actions().iter().map(|action| action.spec).collect();
    playbook::load(&bundle(source), &vocabulary).unwrap_or_else(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        panic!("{}", faults.join("\n"))
    })
}

pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_510_800, 123_456_789).unwrap()
}

pub struct House {
    pub data: TempDir,
    pub clock: ManualClock,
    source: String,
    config: Config,
    pub living: Living,
}

/// What a process holds.
pub struct Living {
    pub disk: Arc<SqliteStore>,
    pub engine: Engine,
    pub door: Door,
    live: Live,
}

impl House {
    /// A house with one playbook.
    pub async fn new(source: &str) -> Self {
        Self::with_secrets(source, Vec::new()).await
    }

    /// With secret parameters of the playbook `report`.
    pub async fn with_secrets(source: &str, secrets: Vec<(String, SecretRef)>) -> Self {
        let secrets = secrets.into_iter().map(|(name, place)| (name, ParameterValue::Secret(place))).collect();
        let parameters = BTreeMap::from([("report".to_owned(), secrets)]);
        Self::with_config(source, Config { parameters, ..Config::default() }).await
    }

    /// Under this configuration.
    pub async fn with_config(source: &str, config: Config) -> Self {
        let data = TempDir::new().unwrap();
        let clock = ManualClock::at(start());
        let disk = SqliteStore::open(data.path()).unwrap();
        let living = live(&disk, disk.clone(), &clock, source, &config).await;
        Self { data, clock, source: source.to_owned(), config, living }
    }

    /// The process stops as it should, and starts again.
    pub async fn restarted(self) -> Self {
        self.living.engine.drain().await;
        self.killed(|disk| disk).await
    }

    /// The process is gone; a new one opens the same folder, with a store that `wrap` puts around the new one.
    pub async fn killed(self, wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        let Self { data, clock, source, config, living } = self;
        living.disk.close();
        let disk = SqliteStore::open(data.path()).unwrap();
        let living = live(&disk, wrap(disk.clone()), &clock, &source, &config).await;
        living.engine.recover().await.unwrap();
        Self { data, clock, source, config, living }
    }

    /// The same house whose store is wrapped from the start.
    pub async fn wrapped(source: &str, wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> Self {
        Self::new(source).await.killed(wrap).await
    }

    /// Puts another text in force, as an edit of the playbook would.
    pub async fn edit(&mut self, source: &str) {
        self.source = source.to_owned();
        self.living.live = put_in_force(&*self.living.disk, &self.living.door.library, source).await;
    }

    /// A report through the intake door.
    pub async fn report(&self, key: &str, body: Value) -> Result<RunId, StoreError> {
        self.take(self.told(key, body)).await
    }

    /// A report through the intake door, watched as a form page watches it.
    pub async fn watched(&self, key: &str, body: Value) -> Watch {
        let report = self.told(key, body);
        let run = report.playbooks[0].runs().next().unwrap().run;
        let watch = self.living.engine.watch(run);
        self.take(report).await.unwrap();
        watch
    }

    /// A report as the playbook takes it.
    pub fn told(&self, key: &str, body: Value) -> Report {
        self.decided(Report {
            event: uuid::Uuid::now_v7(),
            kind: self.living.live.playbook.trigger.kind(),
            uniqueness: Uniqueness::Key(key.to_owned()),
            summary: format!("report {key}"),
            outputs: Value::from_iter([("headers", json!({})), ("body", body)]).to_string().into(),
            raw: None,
            playbooks: Vec::new(),
            mail_tasks: Vec::new(),
            skipped: None,
        })
    }

    /// A report with what the playbook makes of it.
    pub fn decided(&self, report: Report) -> Report {
        let Report { event, kind, .. } = report;
        let arrival = Arrival { kind, event, outputs: &report.outputs, at: self.clock.now() };
        let listening = self.living.door.start(&self.living.live, &arrival).unwrap();
        Report { playbooks: vec![listening], ..report }
    }

    async fn take(&self, report: Report) -> Result<RunId, StoreError> {
        match self.verdict(report).await? {
            Verdict::Accepted { runs, .. } => Ok(runs[0].run),
            Verdict::Duplicate { run, .. } => Ok(run.unwrap()),
            Verdict::Skipped { because } | Verdict::Busy { because } => panic!("not taken: {because}"),
        }
    }

    /// What becomes of a report at the door.
    pub async fn verdict(&self, report: Report) -> Result<Verdict, StoreError> {
        let feed = FeedName { connection: report.kind.into(), folder: "report".into() };
        let intake = Intake { feed, reports: vec![report], cursor: None, at: self.clock.now() };
        Ok(self.living.door.take(intake).await?.remove(0))
    }

    pub async fn run(&self, run: RunId) -> RunSummary {
        let runs = self.living.disk.runs(Default::default()).await.unwrap();
        runs.into_iter().find(|known| known.run == run).unwrap()
    }

    pub async fn stored(&self, run: RunId) -> StoredRun {
        self.living.disk.load_run(run).await.unwrap().unwrap()
    }

    /// The run once it is no longer running.
    pub async fn ended(&self, run: RunId) -> RunSummary {
        until("the run ends", async || {
            let summary = self.run(run).await;
            (summary.status != RunStatus::Running).then_some(summary)
        })
        .await
    }

    /// The statuses of a run's actions by id, as its records keep them.
    pub async fn statuses(&self, run: RunId) -> Vec<(String, String)> {
        let records = self.stored(run).await.actions.unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        records.as_array().into_iter().flatten().map(|one| (text(&one["name"]), text(&one["status"]))).collect()
    }

    /// Waits until the engine holds no run in memory.
    pub async fn quiet(&self) {
        until("no run is in memory", async || (self.living.engine.runs_in_memory() == 0).then_some(())).await;
    }
}

async fn live(
    disk: &Arc<SqliteStore>,
    store: Arc<dyn Store>,
    clock: &ManualClock,
    source: &str,
    config: &Config,
) -> Living {
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    let services = Arc::new(Services {
        config: Arc::new(config.clone()),
        store: store.clone(),
        vault: Vault::ephemeral("key"),
        clock: clock.clone(),
        metrics: Metrics::default(),
        mailer: Default::default(),
        http: Default::default(),
    });
    let library = Library::default();
    let live = put_in_force(&**disk, &library, source).await;
    let engine = Engine::start(services, library.clone(), probe::actions());
    let door = Door { store, engine: engine.clone(), library, clock };
    Living { disk: disk.clone(), engine, door, live }
}

/// Puts a playbook in force, and those that stand behind it after a line of `---`. Returns the first.
async fn put_in_force(store: &dyn Store, library: &Library, sources: &str) -> Live {
    let mut all = Vec::new();
    for source in sources.split("\n---\n") {
        let playbook = Arc::new(load(source));
        let bundle = bundle(source);
        let version = Version {
            id: bundle.version(),
            playbook: playbook.name.clone(),
            path: bundle.path.clone(),
            bundle: serde_json::to_string(&bundle).unwrap(),
        };
        all.push(Live { version: version.id.clone(), playbook });
        store.keep_version(version, start()).await.unwrap();
    }
    library.set(all.clone());
    all.remove(0)
}

/// Asks until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let answer = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(answer) => answer,
        Err(_) => panic!("within {DEADLINE:?}: {what}"),
    }
}
