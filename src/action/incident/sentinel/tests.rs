//! What the service is asked, call by call, and what the action makes of its answers.

use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    action::{self, Call, Identity, Nature, Outcome, Performed, RunInfo, Services},
    clock::ManualClock,
    config::{Config, Connection, Http, HttpAuthentication, Sentinel, Workspace},
    metrics::Metrics,
    secret::{SecretRef, Vault},
    store::SqliteStore,
};

/// A service that answers from a list and remembers what it was asked.
#[derive(Clone, Default)]
struct Service {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<String>>,
}

async fn answer(
    State(service): State<Service>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response<Body> {
    let path = percent_encoding::percent_decode_str(&uri.to_string()).decode_utf8_lossy().into_owned();
    let path = path.split_once("Microsoft.SecurityInsights").map_or(path.clone(), |(_, below)| format!("…{below}"));
    let _ = writeln!(service.asked.lock().unwrap(), "  {method} {path} {body}");
    assert_eq!(headers["authorization"], "Bearer from-the-file");
    let (status, body) = service.answers.lock().unwrap().pop_front().unwrap_or((500, json!("not asked for")));
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if status == 429 {
        response = response.header("retry-after", "7");
    }
    response.body(Body::from(body.to_string())).unwrap()
}

struct Kit {
    service: Service,
    services: Services,
    folder: tempfile::TempDir,
    address: std::net::SocketAddr,
}

impl Kit {
    async fn new() -> Self {
        let service = Service::default();
        let app = axum::Router::new().fallback(answer).with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "from-the-file\n").unwrap();
        let azure = Sentinel {
            workspace: Workspace { subscription: "s".into(), resource_group: "g".into(), name: "w".into() },
            api_version: "2024-03-01".into(),
            http: Http {
                base_url: format!("http://{address}").parse().unwrap(),
                authentication: Some(HttpAuthentication::Bearer {
                    token: SecretRef::File(folder.path().join("token")),
                }),
                allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
                ca_file: None,
            },
        };
        let mut config = Config::default();
        config.connections.insert("azure".into(), Connection::Sentinel(azure));
        let services = Services {
            config: Arc::new(config),
            store: SqliteStore::open(folder.path()).unwrap(),
            vault: Vault::ephemeral("key"),
            clock: Arc::new(ManualClock::at("2026-11-24T09:00:00Z".parse().unwrap())),
            metrics: Metrics::default(),
            http: Default::default(),
            mailer: Default::default(),
        };
        Self { service, services, folder, address }
    }

    /// Performs an action against these answers.
    async fn perform(&self, action: &str, mut input: Value, answers: &[(u16, Value)]) -> Outcome {
        *self.service.answers.lock().unwrap() = answers.iter().cloned().collect();
        self.service.asked.lock().unwrap().clear();
        input["connection"] = "azure".into();
        let run = RunInfo {
            run: Uuid::from_u128(1),
            effects: Uuid::from_u128(1),
            playbook: "report".into(),
            version: "version".into(),
            event: Uuid::from_u128(2),
            kind: "manual".into(),
            summary: "a report".into(),
            resembles: None,
            outputs: Arc::new(json!({})),
        };
        let call = Call {
            run: &run,
            identity: Identity::of(run.run, "step"),
            step: "step",
            attempt: 1,
            input: &input,
            services: &self.services,
            at: "2026-11-24T09:00:00Z".parse().unwrap(),
        };
        let Nature::Effect(effect) = action::find(action).unwrap().nature else { panic!("{action} is an effect") };
        match effect.perform(call).await {
            Performed::Outcome(outcome) => outcome,
            Performed::Local(_) => panic!("{action} acted in the built-in workspace"),
        }
    }

    /// What was asked, and what came of it.
    async fn told(&self, action: &str, input: Value, answers: &[(u16, Value)]) -> String {
        let shown = input.to_string();
        let outcome = self.perform(action, input, answers).await;
        let mut told = format!("{action} {shown}\n{}", self.service.asked.lock().unwrap());
        let outputs = outcome.outputs.map(|outputs| outputs["body"].clone()).unwrap_or_default();
        let again = match outcome.retryable {
            true => format!(" again after {:?}", outcome.retry_after),
            false => String::new(),
        };
        let _ = writeln!(told, "  = {:?} {}{again} {outputs}", outcome.status, outcome.code);
        if let Some(error) = outcome.error {
            let _ = writeln!(told, "  ! {}: {}", error.code, error.message);
        }
        told.replace(&self.address.to_string(), "ADDRESS").replace(&self.folder.path().display().to_string(), "FOLDER")
    }
}

/// An action, its inputs, and what it is answered.
type Row = (&'static str, Value, Vec<(u16, Value)>);

fn incident() -> Value {
    json!({"name": "i-1", "etag": "\"1\"", "properties": {"title": "Door", "severity": "High", "status": "New",
        "incidentNumber": 7, "labels": [{"labelName": "a", "labelType": "User"}]}})
}

fn error(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

#[tokio::test]
async fn each_action_asks_for_what_it_needs_and_no_more() {
    let kit = Kit::new().await;
    let found = (200, incident());
    let missing = (404, error("ResourceNotFound", "Resource 'x' does not exist."));
    let task = json!({"name": "t", "etag": "\"2\"", "properties": {"title": "Ask", "status": "New"}});
    let id = "/subscriptions/S/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/Microsoft.SecurityInsights/Incidents/i-1";
    let ip = json!({"kind": "Ip", "properties": {"address": "203.0.113.7"}});
    let page = |next: Option<&str>| (200, json!({"value": [incident()], "nextLink": next}));
    let next = format!("http://{}/next?api-version=1&$skipToken=2", kit.address);
    let rows: Vec<Row> = vec![
        ("create_incident", json!({"title": "Door", "tags": ["a"]}), vec![missing.clone(), (201, incident())]),
        // Made by an earlier attempt.
        ("create_incident", json!({"title": "Door"}), vec![found.clone()]),
        ("get_incident", json!({"incident": "i-1"}), vec![found.clone()]),
        ("get_incident", json!({"incident": 7}), vec![page(None)]),
        ("update_incident", json!({"incident": id, "severity": "Low"}), vec![found.clone(), found.clone()]),
        ("add_tags", json!({"incident": "i-1", "tags": ["b"]}), vec![found.clone(), found.clone()]),
        // Nothing to change.
        ("add_tags", json!({"incident": "i-1", "tags": ["a"]}), vec![found.clone()]),
        ("remove_tags", json!({"incident": 7, "tags": ["A"]}), vec![page(None), found.clone(), found.clone()]),
        (
            "close_incident",
            json!({"incident": {"name": "i-1"}, "classification": "Undetermined"}),
            vec![found.clone(), found.clone()],
        ),
        ("add_comment", json!({"incident": "i-1", "message": "seen"}), vec![missing.clone(), (201, json!({}))]),
        ("add_task", json!({"incident": "i-1", "title": "Ask"}), vec![missing.clone(), (201, task.clone())]),
        ("complete_task", json!({"task": format!("{id}/tasks/t")}), vec![(200, task.clone()), (200, task.clone())]),
        ("relate_alert", json!({"incident": "i-1", "alert": "a-1"}), vec![missing.clone(), (201, json!({}))]),
        ("get_entities", json!({"incident": "i-1", "kind": "ip"}), vec![(200, json!({"entities": [ip]}))]),
        (
            "list_incidents",
            json!({"filter": "properties/title eq 'a&b'", "top": 2}),
            vec![page(Some(&next)), page(Some(&next))],
        ),
    ];
    let mut told = String::new();
    for (action, input, answers) in rows {
        told += &kit.told(action, input, &answers).await;
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn what_the_service_refuses_and_what_goes_wrong_is_told_with_the_connection() {
    let kit = Kit::new().await;
    let found = (200, incident());
    let stale = (409, error("Conflict", "Newer version of resource 'i-1' exists. Data was not saved"));
    let forbidden = (403, error("AuthorizationFailed", "The client may not write."));
    let busy = (429, error("TooManyRequests", "Slow down."));
    let one = || json!({"incident": "i-1", "tags": ["b"]});
    let again = std::iter::repeat_n([found.clone(), stale.clone()], 4).flatten().collect();
    let rows: Vec<Row> = vec![
        ("add_tags", one(), vec![found.clone(), stale.clone(), found.clone(), found.clone()]),
        ("add_tags", one(), again),
        ("add_tags", one(), vec![found.clone(), forbidden]),
        ("add_tags", one(), vec![found.clone(), busy.clone()]),
        ("add_tags", one(), vec![(404, json!("<html>"))]),
        ("add_tags", json!({"tags": ["b"]}), vec![]),
        ("create_incident", json!({"title": "Door"}), vec![busy]),
        ("create_incident", json!({"title": " "}), vec![]),
        ("get_incident", json!({"incident": 7}), vec![(200, json!({"value": []}))]),
        ("get_entities", json!({"incident": "i-1"}), vec![(200, json!({"value": []}))]),
        ("add_tags", one(), vec![(200, json!({"name": "i-1", "etag": "\"1\""}))]),
        ("create_incident", json!({"title": "Door"}), vec![(404, json!({})), stale.clone(), found.clone()]),
        ("create_incident", json!({"title": "Door"}), vec![(404, json!({})), stale.clone(), (404, json!({}))]),
        ("complete_task", json!({"task": "t"}), vec![]),
        (
            "list_incidents",
            json!({}),
            vec![(200, json!({"value": [], "nextLink": "https://elsewhere.example.com/page"}))],
        ),
    ];
    let mut told = String::new();
    for (action, input, answers) in rows {
        told += &kit.told(action, input, &answers).await;
    }
    std::fs::remove_file(kit.folder.path().join("token")).unwrap();
    told += &kit.told("get_incident", json!({"incident": "i-1"}), &[]).await;
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn what_is_too_long_is_cut_as_in_the_built_in_workspace() {
    let kit = Kit::new().await;
    let long = "x".repeat(5_001);
    let sent = |kit: &Kit| {
        let asked = kit.service.asked.lock().unwrap().clone();
        let put = asked.lines().find(|line| line.trim_start().starts_with("PUT")).unwrap().to_owned();
        let body: Value = serde_json::from_str(&put[put.find('{').unwrap()..]).unwrap();
        body["properties"]["description"].as_str().unwrap().to_owned()
    };
    let there = json!({"name": "a", "etag": "e", "properties": {"title": "x", "severity": "Low", "status": "New"}});
    let answers = [(404, json!({})), (201, there.clone())];
    let made = kit.perform("create_incident", json!({"title": "x", "description": long}), &answers).await;
    let (created, answers) = (sent(&kit), [(200, there.clone()), (200, there)]);
    let changed = kit.perform("update_incident", json!({"incident": "a", "description": long}), &answers).await;
    for (outcome, description) in [(made, created), (changed, sent(&kit))] {
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(description.chars().count(), 5_000);
        assert!(description.ends_with("\n[… cut: the full report is attached]"));
    }
}
