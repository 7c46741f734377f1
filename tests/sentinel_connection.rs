//! Playbooks that act on another Larum's workspace through a `sentinel` connection, as they would on Microsoft's. Between
//! the two stands a server that gives tokens and makes trouble.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::{Value, json};
use support::larum::{Larum, Site};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

/// The resources of the built-in workspace.
const BASE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/larum/providers\
                    /Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights";

/// The authority, and the way to the second Larum.
struct Between {
    second: SocketAddr,
    /// A token of an administrator of the second, for the tests themselves.
    administrator: String,
    /// The token that the authority gives.
    token: Mutex<String>,
    /// Seconds that it says tokens are good for.
    life: AtomicUsize,
    tokens_given: AtomicUsize,
    calls: Mutex<Vec<String>>,
    /// So many of the next calls are answered 429.
    busy: AtomicUsize,
    /// After so many of the next reads of an incident, somebody else writes before the answer arrives.
    meddled: AtomicUsize,
    /// Of how many PUTs one's answer gets lost after it was done; 0 for none.
    loses: AtomicUsize,
    puts: AtomicUsize,
}

/// Counts one down; whether there was one.
fn take(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

async fn between(
    State(this): State<Arc<Between>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answer = |status: u16, body: String| {
        Response::builder().status(status).header("content-type", "application/json").body(Body::from(body)).unwrap()
    };
    if uri.path() == "/contoso.example/oauth2/v2.0/token" {
        let form = String::from_utf8_lossy(&body);
        assert!(form.contains("client_secret=hunter2") && form.contains("grant_type=client_credentials"), "{form}");
        this.tokens_given.fetch_add(1, Ordering::SeqCst);
        let token = this.token.lock().unwrap().clone();
        let life = this.life.load(Ordering::SeqCst);
        return answer(200, json!({"token_type": "Bearer", "access_token": token, "expires_in": life}).to_string());
    }
    this.calls.lock().unwrap().push(format!("{method} {uri}"));
    if take(&this.busy) {
        let mut answer = answer(429, json!({"error": {"code": "TooManyRequests", "message": "busy"}}).to_string());
        answer.headers_mut().insert("retry-after", "1".parse().unwrap());
        return answer;
    }
    let authorization = headers["authorization"].to_str().unwrap();
    let (status, reply) = ask(this.second, method.as_str(), &uri.to_string(), authorization, &body).await;
    let of_incident = uri.path().rsplit('/').nth(1) == Some("incidents");
    if method == Method::GET && of_incident && status == 200 && take(&this.meddled) {
        let comment = format!("{}/comments/{}?api-version=2024-03-01", uri.path(), Uuid::new_v4());
        let body = json!({"properties": {"message": "somebody else"}}).to_string();
        let administrator = format!("Bearer {}", this.administrator);
        let (status, _) = ask(this.second, "PUT", &comment, &administrator, body.as_bytes()).await;
        assert_eq!(status, 201);
    }
    if method == Method::PUT {
        let loses = this.loses.load(Ordering::SeqCst);
        if loses > 0 && this.puts.fetch_add(1, Ordering::SeqCst).is_multiple_of(loses) {
            return answer(502, "the answer got lost".into());
        }
    }
    answer(status, reply)
}

/// Asks a server; status and body.
async fn ask(server: SocketAddr, method: &str, path: &str, authorization: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Two Larums and what stands between them.
struct Pair {
    first: Site,
    second: Site,
    between: Arc<Between>,
    runtime: tokio::runtime::Runtime,
    _second: Larum,
}

impl Pair {
    /// `actions` are what the first does with a submission of its form `go`.
    fn new(actions: &str) -> Self {
        let second = Site::new("", &[]);
        let unlimited = format!("server: {{listen: \"{}\", api_calls_per_minute: 0}}\n", second.address);
        fs::write(second.folder.path().join("larum.yaml"), unlimited).unwrap();
        let serving = second.serve();
        let link = fs::read_to_string(second.data().join("first-admin")).unwrap();
        let secret = link.trim().rsplit('/').next().unwrap();
        let made = second.post(&format!("/first-admin/{secret}"), "Accept: application/json\r\n", "").unwrap();
        let made: Value = serde_json::from_str(&made.body).unwrap();
        let administrator = made["token"].as_str().unwrap().to_owned();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let between = Arc::new(Between {
            second: second.address,
            administrator,
            token: Mutex::default(),
            life: AtomicUsize::new(3600),
            tokens_given: AtomicUsize::new(0),
            calls: Mutex::default(),
            busy: AtomicUsize::new(0),
            meddled: AtomicUsize::new(0),
            loses: AtomicUsize::new(0),
            puts: AtomicUsize::new(0),
        });
        let app = axum::Router::new().fallback(self::between).with_state(between.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let place = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        let connections = format!(
            "connections:\n  azure:\n    sentinel: {{subscription: 00000000-0000-0000-0000-000000000000, resource_group: \
             larum, workspace: default, tenant_id: contoso.example, client_id: larum, client_secret: {{file: secret}}, \
             authority: 'http://{place}', endpoint: 'http://{place}', allow_networks: [127.0.0.0/8]}}\n"
        );
        let fields = "[{id: what, label: What, type: text}, {id: which, label: Which, type: text}]";
        let playbook = format!(
            "name: go\nfallback: none\ntrigger:\n  form: {{path: go, title: Go, fields: {fields}}}\nactions:\n{actions}"
        );
        let first = Site::new(&connections, &[("go.yaml", &playbook)]);
        fs::write(first.folder.path().join("secret"), "hunter2\n").unwrap();
        let pair = Self { first, second, between, runtime, _second: serving };
        pair.give("first");
        pair
    }

    /// Makes a token at the second, which the authority gives from now on.
    fn give(&self, name: &str) {
        let token = self.api("POST", "/api/tokens", json!({"name": name, "role": "responder"}));
        *self.between.token.lock().unwrap() = token["token"].as_str().unwrap().to_owned();
    }

    /// Asks the second as an administrator.
    fn api(&self, method: &str, path: &str, body: impl Into<Value>) -> Value {
        let (authorization, body) = (format!("Bearer {}", self.between.administrator), body.into().to_string());
        let body = if method == "GET" { Vec::new() } else { body.into_bytes() };
        let asked = ask(self.second.address, method, path, &authorization, &body);
        let (status, answer) = self.runtime.block_on(asked);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap_or_default()
    }

    fn incidents(&self) -> Vec<Value> {
        let page = self.api("GET", &format!("{BASE}/incidents?api-version=2024-03-01&$top=1000"), Value::Null);
        page["value"].as_array().unwrap().clone()
    }

    /// Sends the form.
    fn go(&self, answers: &Value) {
        let taken = self.first.post("/forms/go", "", &answers.to_string()).unwrap();
        assert_eq!(taken.status / 100, 2, "{taken:?}");
    }

    /// The newest run once it has ended, as `larum runs show` prints it.
    fn ended(&self, runs: usize) -> Value {
        let mut newest = Value::Null;
        self.first.until("the run to end", || {
            let list = self.first.json(&["runs", "list"]);
            let list = list.as_array().unwrap();
            newest = list.first().cloned().unwrap_or_default();
            list.len() == runs && list.iter().all(|run| run["status"] != "Running")
        });
        self.first.json(&["runs", "show", newest["run"].as_str().unwrap()])
    }
}

/// Each action of a run with its status, and the error of one that failed.
fn statuses(run: &Value) -> String {
    let actions = run["actions"].as_array().unwrap().iter();
    let error = |action: &Value| match action["error"]["message"].as_str() {
        Some(message) if action["status"] == "Failed" => format!(" {message}"),
        _ => String::new(),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    actions.map(|action| format!("{} {}{}\n", text(&action["name"]), text(&action["status"]), error(action))).collect()
}

const EVERYTHING: &str = r#"
  - {id: create, action: create_incident, with: {connection: azure, title: "{{trigger.what}}", tags: [form]}}
  - {id: find, action: get_incident, with: {connection: azure, incident: "@actions.create.properties.incidentNumber"}}
  - id: update
    action: update_incident
    with:
      connection: azure
      incident: "@actions.create"
      severity: High
      owner: alice@contoso.com
      tags_to_add: [seen]
  - {id: unassign, action: update_incident, with: {connection: azure, incident: "@actions.create", owner_action: Unassign}}
  - {id: label, action: add_tags, with: {connection: azure, incident: "{{actions.create.id}}", tags: [door]}}
  - {id: unlabel, action: remove_tags, with: {connection: azure, incident: "{{actions.create.name}}", tags: [FORM]}}
  - {id: say, action: add_comment, with: {connection: azure, incident: "@actions.create", message: "<p>looked at</p>"}}
  - {id: task, action: add_task, with: {connection: azure, incident: "@actions.create", title: Ask the guard}}
  - {id: complete, action: complete_task, with: {connection: azure, task: "@actions.task"}}
  - {id: relate, action: relate_alert, with: {connection: azure, incident: "@actions.create", alert: "{{trigger.which}}"}}
  - {id: entities, action: get_entities, with: {connection: azure, incident: "@actions.create"}}
  - {id: list, action: list_incidents, with: {connection: azure, filter: "properties/title eq '{{trigger.what}}'"}}
  - {id: close, action: close_incident, with: {connection: azure, incident: "@actions.create", classification: BenignPositive - SuspiciousButExpected}}
  - {id: missing, action: get_incident, with: {connection: azure, incident: 99}}
"#;

#[test]
#[ignore = "starts the binary twice"]
fn every_action_works_on_another_larum() {
    let pair = Pair::new(EVERYTHING);
    let alert = json!({"alertDisplayName": "Many sign-ins failed", "severity": "High",
        "entities": [{"kind": "Ip", "properties": {"address": "203.0.113.7"}}]});
    let alert = pair.api("POST", "/api/alerts", alert);
    let _first = pair.first.serve();
    pair.go(&json!({"what": "stranger at the door", "which": alert["name"]}));
    let run = pair.ended(1);
    insta::assert_snapshot!(statuses(&run));
    let incidents = pair.incidents();
    let [incident] = &incidents[..] else { panic!("one incident: {incidents:?}") };
    let properties = &incident["properties"];
    let shown = ["title", "severity", "status", "classification", "classificationReason", "owner", "labels"];
    let shown: serde_json::Map<String, Value> =
        shown.iter().map(|name| ((*name).to_owned(), properties[*name].clone())).collect();
    insta::assert_json_snapshot!(shown);
    let counts = &properties["additionalData"];
    assert_eq!((&counts["commentsCount"], &counts["alertsCount"]), (&json!(1), &json!(1)));
    let tasks = format!("{BASE}/incidents/{}/tasks?api-version=2024-03-01", incident["name"].as_str().unwrap());
    let tasks = pair.api("GET", &tasks, Value::Null);
    assert_eq!(tasks["value"][0]["properties"]["status"], "Completed");
    assert_eq!(pair.between.tokens_given.load(Ordering::SeqCst), 1, "a token is kept");
    // Nothing of it is in the first one's own workspace.
    assert_eq!(pair.first.json(&["incidents", "list"]), json!([]));
}

const UPDATE: &str = r#"
  - {id: update, action: update_incident, with: {connection: azure, incident: 1, severity: "{{trigger.what}}", tags_to_add: ["{{trigger.what}}"]}}
"#;

#[test]
#[ignore = "starts the binary twice"]
fn what_somebody_else_wrote_meanwhile_is_read_and_kept() {
    let pair = Pair::new(UPDATE);
    pair.api("POST", "/api/incidents", json!({"title": "door"}));
    let _first = pair.first.serve();
    pair.between.meddled.store(2, Ordering::SeqCst);
    pair.go(&json!({"what": "High"}));
    assert_eq!(statuses(&pair.ended(1)), "update Succeeded\n");
    let incident = pair.incidents().remove(0);
    assert_eq!(incident["properties"]["severity"], "High");
    assert_eq!(incident["properties"]["additionalData"]["commentsCount"], 2);
    let calls = pair.between.calls.lock().unwrap().clone();
    let puts = calls.iter().filter(|call| call.starts_with("PUT")).count();
    assert_eq!(puts, 3, "two were refused as out of date: {calls:?}");
}

#[test]
#[ignore = "starts the binary twice"]
fn a_busy_service_is_asked_again_when_it_says() {
    let pair = Pair::new(UPDATE);
    pair.api("POST", "/api/incidents", json!({"title": "door"}));
    let _first = pair.first.serve();
    pair.between.busy.store(1, Ordering::SeqCst);
    pair.go(&json!({"what": "Low"}));
    assert_eq!(statuses(&pair.ended(1)), "update Succeeded\n");
    assert_eq!(pair.incidents()[0]["properties"]["severity"], "Low");
}

#[test]
#[ignore = "starts the binary twice"]
fn a_token_is_replaced_before_its_end_and_when_it_is_refused() {
    let pair = Pair::new(UPDATE);
    pair.api("POST", "/api/incidents", json!({"title": "door"}));
    let _first = pair.first.serve();
    let given = || pair.between.tokens_given.load(Ordering::SeqCst);
    // Good for two seconds, and used for one.
    pair.between.life.store(2, Ordering::SeqCst);
    pair.go(&json!({"what": "High"}));
    assert_eq!((statuses(&pair.ended(1)).as_str(), given()), ("update Succeeded\n", 1));
    thread::sleep(Duration::from_millis(1_500));
    pair.between.life.store(3600, Ordering::SeqCst);
    pair.go(&json!({"what": "Low"}));
    assert_eq!((statuses(&pair.ended(2)).as_str(), given()), ("update Succeeded\n", 2));
    // Revoked long before its end.
    pair.api("POST", "/api/tokens/first/revoke", json!({}));
    pair.give("second");
    pair.go(&json!({"what": "Medium"}));
    assert_eq!((statuses(&pair.ended(3)).as_str(), given()), ("update Succeeded\n", 3));
    assert_eq!(pair.incidents()[0]["properties"]["severity"], "Medium");
    let journal_and_log =
        [fs::read(pair.first.data().join("larum.db")).unwrap(), pair.first.log().into_bytes()].concat();
    let token = pair.between.token.lock().unwrap().clone();
    for secret in ["hunter2", &token] {
        assert!(!journal_and_log.windows(secret.len()).any(|piece| piece == secret.as_bytes()), "a secret was written");
    }
}

/// The playbook in the documentation.
fn documented() -> &'static str {
    let page = include_str!("../docs/incidents.md");
    let start = page.find("name: file-incident-in-sentinel").unwrap();
    page[start..].split("```").next().unwrap()
}

#[test]
#[ignore = "starts the binary twice"]
fn the_playbook_of_the_documentation_files_every_incident() {
    let pair = Pair::new("  - {id: create, action: create_incident, with: {title: '{{trigger.what}}'}}\n");
    fs::write(pair.first.folder.path().join("playbooks/file.yaml"), documented()).unwrap();
    let _first = pair.first.serve();
    pair.go(&json!({"what": "door"}));
    // The run of the form's playbook, and the one that its incident started.
    assert_eq!(statuses(&pair.ended(2)), "file Succeeded\nnote Succeeded\nsay_why_not Skipped\n");
    assert_eq!(pair.incidents()[0]["properties"]["labels"][0]["labelName"], "larum-1");
    assert_eq!(pair.first.json(&["incidents", "show", "1"])["properties"]["additionalData"]["commentsCount"], 1);
}

const MANY: &str = r#"
  - id: many
    for_each: "@range(0, 40)"
    concurrency: 4
    do:
      - id: create
        action: create_incident
        with: {connection: azure, title: "incident {{item}}"}
        retry: {policy: fixed, count: 20, interval: PT5S}
      - id: say
        action: add_comment
        with: {connection: azure, incident: "@actions.create", message: "of {{item}}"}
        retry: {policy: fixed, count: 20, interval: PT5S}
"#;

#[test]
#[ignore = "starts the binary many times"]
fn no_incident_is_doubled_by_kills_and_lost_answers() {
    let pair = Pair::new(MANY);
    pair.between.loses.store(7, Ordering::SeqCst);
    let first = pair.first.serve();
    pair.go(&json!({"what": "x"}));
    let mut running = Some(first);
    for kill in 1..=4 {
        let wanted = kill * 15;
        pair.first.until("some calls", || pair.between.calls.lock().unwrap().len() >= wanted);
        if let Some(larum) = running.take() {
            larum.kill();
        }
        running = Some(pair.first.serve());
    }
    let run = pair.ended(1);
    assert_eq!(run["status"], "Succeeded", "{run}");
    let incidents = pair.incidents();
    let titles: BTreeSet<&str> =
        incidents.iter().filter_map(|incident| incident["properties"]["title"].as_str()).collect();
    assert_eq!((incidents.len(), titles.len()), (40, 40));
    for incident in &incidents {
        assert_eq!(incident["properties"]["additionalData"]["commentsCount"], 1, "{incident}");
    }
}
