//! A server with one form, over a store in a temporary folder, and a client that can send what no well-behaved one would.

use std::{net::SocketAddr, sync::Arc};

use chrono::{DateTime, Utc};
use larum::{
    clock::{Clock, ManualClock},
    config::Config,
    diagnostic::Source,
    engine::{Begin, Engine, Library, Live},
    metrics::Metrics,
    playbook::{Field, FieldType, FormTrigger, Playbook, Trigger},
    secret::Vault,
    server::{Site, serve},
    store::{SqliteStore, Store, Version},
    trigger::intake::Door,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc::UnboundedReceiver, oneshot, watch},
    task::JoinHandle,
    time::{Duration, timeout},
};

/// How long any one answer may take.
const DEADLINE: Duration = Duration::from_secs(20);

pub struct Served {
    pub address: SocketAddr,
    pub clock: ManualClock,
    pub store: Arc<SqliteStore>,
    pub library: Library,
    /// Runs the door opened; nothing drives them here.
    pub runs: UnboundedReceiver<Begin>,
    pub recovered: watch::Sender<bool>,
    pub stop: oneshot::Sender<()>,
    pub ended: JoinHandle<()>,
    _data: tempfile::TempDir,
}

pub fn start() -> DateTime<Utc> {
    "2026-11-24T09:05:00Z".parse().unwrap()
}

/// A server with these forms and without a limit on posts, unless `change` sets one.
pub async fn served(forms: &[FormTrigger], change: impl FnOnce(&mut Config)) -> Served {
    let data = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(data.path()).unwrap();
    for form in forms {
        keep(&store, &live(form)).await;
    }
    let clock = ManualClock::at(start());
    let (engine, runs) = Engine::channel();
    let library = Library::default();
    library.set(forms.iter().map(live).collect());
    let mut config = Config::default();
    config.server.form_posts_per_minute = 0;
    change(&mut config);
    let (recovered, is_recovered) = watch::channel(true);
    let door = Door { store: store.clone(), engine, library: library.clone(), clock: Arc::new(clock.clone()) };
    let site = Site::new(&config, Arc::new(door), Vault::ephemeral("key"), Metrics::default(), is_recovered).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(serve(listener, site, async {
        let _ = stopped.await;
    }));
    Served { address, clock, store, library, runs, recovered, stop, ended, _data: data }
}

/// The playbook of a form, in force.
pub fn live(form: &FormTrigger) -> Live {
    live_as(&format!("file-{}", form.path), form)
}

/// The same under another name.
pub fn live_as(name: &str, form: &FormTrigger) -> Live {
    let playbook = Playbook {
        name: name.to_owned(),
        description: None,
        source: Source::new("form.yaml", ""),
        parameters: Vec::new(),
        variables: Vec::new(),
        fallback: true,
        trigger: Trigger::Form(form.clone()),
        actions: Vec::new(),
    };
    Live { version: format!("version of {name}"), playbook: Arc::new(playbook) }
}

/// Keeps a playbook's version, without which no run starts from it.
pub async fn keep(store: &SqliteStore, live: &Live) {
    let version = Version {
        id: live.version.clone(),
        playbook: live.playbook.name.clone(),
        path: "playbooks/form.yaml".to_owned(),
        bundle: "{}".to_owned(),
    };
    store.keep_version(version, start()).await.unwrap();
}

pub fn field(id: &str, label: &str, kind: FieldType) -> Field {
    Field {
        id: id.to_owned(),
        label: label.to_owned(),
        kind,
        required: false,
        max_length: None,
        options: Vec::new(),
        multiple: false,
    }
}

/// A form with a field of every type.
pub fn report() -> FormTrigger {
    let options = |options: &[&str]| options.iter().map(|option| (*option).to_owned()).collect();
    FormTrigger {
        path: "report".to_owned(),
        title: "Report a concern".to_owned(),
        fields: vec![
            Field { required: true, max_length: Some(5000), ..field("what", "What happened?", FieldType::LongText) },
            Field { max_length: Some(40), ..field("place", "Where?", FieldType::Text) },
            Field {
                options: options(&["Phishing", "Lost device", "Other"]),
                ..field("kind", "Kind", FieldType::Choice)
            },
            Field {
                options: options(&["Mail", "Laptop", "Phone"]),
                multiple: true,
                ..field("affected", "What is affected?", FieldType::Choice)
            },
            field("contact", "Your mail address", FieldType::Email),
            field("link", "A link you saw", FieldType::Url),
            field("day", "When?", FieldType::Date),
            field("count", "How many people?", FieldType::Number),
            field("urgent", "It is still going on", FieldType::Checkbox),
        ],
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
        let runs = self.store.runs(larum::store::query::RunFilter { limit: 1, ..Default::default() }).await.unwrap();
        self.store.event(runs[0].event).await.unwrap().expect("a run has an event").outputs
    }

    pub async fn runs(&self) -> usize {
        let filter = larum::store::query::RunFilter { limit: 1000, ..Default::default() };
        self.store.runs(filter).await.unwrap().len()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
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
