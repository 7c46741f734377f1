//! A server with forms, its engine and its store in a temporary folder, and a client that can send what no well-behaved
//! one would.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use chrono::{DateTime, Utc};
use larum::{
    action::{ACTIONS, Services, http::HttpClients, vocabulary},
    clock::ManualClock,
    config::Config,
    engine::{Engine, Library, Live},
    mail::send::Mailer,
    metrics::Metrics,
    playbook::{Bundle, Field, Trigger, load},
    secret::Vault,
    server::{Site, serve},
    store::{SqliteStore, Store, Version, query::RunFilter},
    trigger::intake::Door,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Duration, timeout},
};

/// How long any one answer may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// A form with a field of every type, whose reports become incidents.
pub const REPORT: &str = r#"
name: report
trigger:
  form:
    path: report
    title: Report a concern
    fields:
      - {id: what, label: What happened?, type: long_text, required: true, max_length: 5000}
      - {id: place, label: Where?, type: text, max_length: 40}
      - {id: kind, label: Kind, type: choice, options: [Phishing, Lost device, Other]}
      - {id: affected, label: What is affected?, type: choice, multiple: true, options: [Mail, Laptop, Phone]}
      - {id: contact, label: Your mail address, type: email}
      - {id: link, label: A link you saw, type: url}
      - {id: day, label: When?, type: date}
      - {id: count, label: How many people?, type: number}
      - {id: urgent, label: It is still going on, type: checkbox}
actions:
  - id: create
    action: create_incident
    with: {title: "Report: {{trigger.what}}", severity: "@if(trigger.urgent, 'High', 'Medium')", tags: ["{{trigger.kind}}"]}
"#;

pub struct Served {
    pub address: SocketAddr,
    pub clock: ManualClock,
    pub store: Arc<SqliteStore>,
    pub library: Library,
    pub engine: Engine,
    pub recovered: watch::Sender<bool>,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<()>,
    pub data: tempfile::TempDir,
}

pub fn start() -> DateTime<Utc> {
    "2026-11-24T09:05:00Z".parse().unwrap()
}

/// A server with these playbooks and without a limit on posts, unless `change` sets one.
pub async fn served(playbooks: &[&str], change: impl FnOnce(&mut Config)) -> Served {
    let data = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(data.path()).unwrap();
    let clock = ManualClock::at(start());
    let mut config = Config { data: data.path().to_owned(), ..Config::default() };
    config.server.form_posts_per_minute = 0;
    config.server.hook_calls_per_minute = 0;
    config.server.api_calls_per_minute = 0;
    change(&mut config);
    let config = Arc::new(config);
    let vault = Vault::ephemeral("key");
    let metrics = Metrics::default();
    let library = Library::default();
    let services = Services {
        config: config.clone(),
        store: store.clone(),
        vault: vault.clone(),
        clock: Arc::new(clock.clone()),
        metrics: metrics.clone(),
        http: HttpClients::default(),
        mailer: Mailer::default(),
    };
    let engine = Engine::start(Arc::new(services), library.clone(), ACTIONS);
    put_in_force(&store, &library, playbooks).await;
    let (recovered, is_recovered) = watch::channel(true);
    let door =
        Door { store: store.clone(), engine: engine.clone(), library: library.clone(), clock: Arc::new(clock.clone()) };
    let site = Site::new(&config, Arc::new(door), vault, metrics, is_recovered).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(serve(listener, site, async {
        let _ = stopped.await;
    }));
    Served { address, clock, store, library, engine, recovered, stop, ended, data }
}

/// Keeps these playbooks and puts them, and no others, in force.
pub async fn put_in_force(store: &SqliteStore, library: &Library, playbooks: &[&str]) {
    let mut live = Vec::new();
    for source in playbooks {
        let bundle = Bundle {
            path: "form.yaml".to_owned(),
            source: (*source).to_owned(),
            templates: BTreeMap::new(),
            parameters: BTreeMap::new(),
        };
        let playbook = load(&bundle, &vocabulary()).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let version = Version {
            id: bundle.version(),
            playbook: playbook.name.clone(),
            path: bundle.path.clone(),
            bundle: serde_json::to_string(&bundle).unwrap(),
        };
        store.keep_version(version, start()).await.unwrap();
        live.push(Live { version: bundle.version(), playbook: Arc::new(playbook) });
    }
    library.set(live);
}

/// The fields of a playbook's form.
pub fn fields(source: &str) -> Vec<Field> {
    let bundle = Bundle {
        path: "form.yaml".to_owned(),
        source: source.to_owned(),
        templates: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    match load(&bundle, &vocabulary()).unwrap().trigger {
        Trigger::Form(form) => form.fields,
        other => panic!("not a form: {other:?}"),
    }
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).expect("an answer is UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not an answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Self {
            status: status.expect("a status line"),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The submission id of a form page.
    pub fn submission(&self) -> &str {
        let marked = self.body.split_once("name=\"larum.submission\" value=\"").expect("the page carries an id").1;
        marked.split_once('"').expect("an attribute ends").0
    }

    /// The answer as a snapshot shows it: without what differs from run to run.
    pub fn shown(&self) -> String {
        let mut shown = format!("{}\n", self.status);
        for name in ["content-type", "location", "allow", "retry-after", "idempotent-replayed", "preference-applied"] {
            if let Some(value) = self.header(name) {
                shown += &format!("{name}: {value}\n");
            }
        }
        shown += "\n";
        shown += &self.body;
        let marks = ["name=\"larum.submission\" value=\"", "receipt="];
        for mark in marks {
            shown = masked(&shown, mark);
        }
        mask_uuids(&shown)
    }
}

fn masked(text: &str, mark: &str) -> String {
    let mut pieces = text.split(mark);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        out += mark;
        out += "[signed]";
        out += rest;
    }
    out
}

fn mask_uuids(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(piece) = rest.get(..36)
            && uuid::Uuid::parse_str(piece).is_ok()
        {
            out += "[reference]";
            rest = &rest[36..];
        } else {
            let next = rest.chars().next().unwrap_or_default();
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

impl Served {
    pub async fn raw(&self, request: &[u8]) -> Answer {
        raw(self.address, request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.raw(&request("GET", path, &[("accept", "text/html")], None)).await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
        self.raw(&request("POST", path, headers, Some(body.as_ref()))).await
    }

    pub async fn post_json(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.post(path, &[("content-type", "application/json")], body).await
    }

    /// Opens a page and sends it with these answers.
    pub async fn post_page(&self, path: &str, answers: &[(&str, &str)]) -> Answer {
        let page = self.get(path).await;
        self.post(path, PAGE, urlencoded(page.submission(), answers)).await
    }

    /// The outputs of the trigger for the newest report, as the playbook sees them.
    pub async fn newest_outputs(&self) -> serde_json::Value {
        let runs = self.store.runs(RunFilter { limit: 1, ..Default::default() }).await.unwrap();
        self.store.event(runs[0].event).await.unwrap().expect("a run has an event").outputs
    }

    pub async fn runs(&self) -> usize {
        self.store.runs(RunFilter { limit: 1000, ..Default::default() }).await.unwrap().len()
    }
}

/// Sends bytes as they are and reads the answer.
pub async fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    Answer::parse(&bytes(address, request).await)
}

/// Sends bytes as they are and reads until the server closes.
pub async fn bytes(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent = request.to_vec();
    let sending = tokio::spawn(async move {
        // The server may answer and close before it has heard everything.
        let _ = write.write_all(&sent).await;
        write
    });
    let mut answer = Vec::new();
    // A close with unread bytes may reset the connection after the answer.
    let _ = timeout(DEADLINE, read.read_to_end(&mut answer)).await.expect("an answer in time");
    drop(sending);
    answer
}

/// What a browser sends with a form of ours.
pub const PAGE: &[(&str, &str)] = &[
    ("content-type", "application/x-www-form-urlencoded"),
    ("accept", "text/html"),
    ("sec-fetch-site", "same-origin"),
];

pub fn urlencoded(submission: &str, answers: &[(&str, &str)]) -> String {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.append_pair("larum.submission", submission);
    for (name, value) in answers {
        body.append_pair(name, value);
    }
    body.finish()
}

/// A request; `host` and `content-length` are added unless given.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += "host: localhost\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = body
        && !headers.iter().any(|(name, _)| *name == "content-length" || *name == "transfer-encoding")
    {
        head += &format!("content-length: {}\r\n", body.len());
    }
    let mut request = (head + "\r\n").into_bytes();
    request.extend_from_slice(body.unwrap_or_default());
    request
}

/// What every answer carries against being misled.
pub fn assert_hardened(answer: &Answer) {
    let policy = answer.header("content-security-policy").expect("every answer has a content security policy");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
}

/// The rules a page can be checked for without a browser: every input has its label, every description and link its
/// element, ids are unique, the language is said, there is one first heading, groups have legends, nothing is inline.
pub fn assert_accessible(answer: &Answer) {
    let page = &answer.body;
    let tags: Vec<&str> =
        page.split('<').skip(1).filter_map(|piece| piece.split_once('>')).map(|(tag, _)| tag).collect();
    let attribute = |tag: &str, name: &str| {
        let marked = tag.split_once(&format!(" {name}=\""))?.1;
        Some(marked.split_once('"')?.0.to_owned())
    };
    let all = |name: &str| -> Vec<String> { tags.iter().filter_map(|tag| attribute(tag, name)).collect() };
    let ids = all("id");
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "ids are unique: {ids:?}");
    let labels = all("for");
    for tag in &tags {
        let input = ["input ", "select ", "textarea "].iter().any(|name| tag.starts_with(name));
        if input && !tag.contains("type=\"hidden\"") {
            let id = attribute(tag, "id").unwrap_or_else(|| panic!("an input without an id: {tag}"));
            assert!(labels.contains(&id), "an input without a label: {tag}");
        }
        assert!(!tag.contains(" style=") && !tag.contains(" on"), "nothing is inline: {tag}");
    }
    for id in all("aria-describedby").iter().flat_map(|list| list.split(' ')) {
        assert!(ids.iter().any(|known| known == id), "nothing is called {id}");
    }
    for link in all("href").iter().filter_map(|link| link.strip_prefix('#')) {
        assert!(ids.iter().any(|known| known == link), "a link leads nowhere: {link}");
    }
    assert!(tags.contains(&"html lang=\"en\""));
    assert_eq!(tags.iter().filter(|tag| **tag == "h1").count(), 1);
    let count = |name: &str| tags.iter().filter(|tag| tag.starts_with(name)).count();
    assert_eq!(count("fieldset"), count("legend"));
    assert_eq!(count("title"), 1);
    if page.contains("class=\"error\"") {
        assert!(page.contains("role=\"alert\""), "mistakes are announced");
    }
}
