//! The API over a large workspace: what a call takes with ten thousand incidents and with a million, each with three
//! comments, and what the same SQL takes bare.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use larum::store::{SqliteStore, incidents::IncidentStore};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::{
    Promise, Row,
    process::{self, Site},
};

const SMALL: u32 = 10_000;
const LARGE: u32 = 1_000_000;
/// Calls of each kind that are timed.
const CALLS: usize = 300;
/// Links that are followed to the far page.
const LINKS: usize = 999;
/// How much slower a call may be over the large workspace: the index is a level deeper and less of it is cached.
const GROWTH: f64 = 3.0;
const BASE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/larum/providers/Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights";
const VERSION: &str = "api-version=2024-03-01";
/// Instants start here, a second apart: 2026-01-01 in microseconds.
const START: i64 = 1_767_225_600_000_000;
/// A word that is in the description of this many incidents, however large the workspace is.
const RARE: (&str, u32) = ("wallaby", 40);

const PLAYBOOK: &str =
    "name: idle\ntrigger: {manual: {}}\nactions: [{id: nothing, action: compose, with: {inputs: 1}}]\n";

/// The middle and the 99th percentile, in milliseconds.
#[derive(Clone, Copy)]
struct Took {
    p50: f64,
    p99: f64,
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:.2} ms p99 {:.2} ms", self.p50, self.p99)
    }
}

pub fn rows() -> Vec<Row> {
    let small = measure(SMALL);
    let large = measure(LARGE);
    let pairs = small.into_iter().zip(large);
    pairs
        .map(|((name, small), (_, large))| Row {
            name: format!("api: {name}, a million to ten thousand"),
            figure: match large.bare {
                Some(bare) => format!("{}; the SQL bare {bare}; over ten thousand {}", large.served, small.served),
                None => format!("{}; over ten thousand {}", large.served, small.served),
            },
            // Below a third of a millisecond the growth is noise.
            value: large.served.p50.max(0.3) / small.served.p50.max(0.3),
            promise: Promise::AtMost(GROWTH),
        })
        .collect()
}

struct Measured {
    served: Took,
    bare: Option<Took>,
}

/// Every kind of call over a workspace of this many incidents.
fn measure(incidents: u32) -> Vec<(&'static str, Measured)> {
    let site = Site::new("{}", PLAYBOOK);
    let token = site.token();
    let database = site.folder.path().join("larum-data/larum.db");
    fill(&database, incidents);
    index(&database);
    let mut measured = Vec::new();
    {
        let larum = site.serve();
        larum.listens(site.address);
        let mut client = Client::new(site.address, &token);
        let list = |query: &str| format!("{BASE}/incidents?{VERSION}&{query}");
        let bare = Connection::open(&database).expect("the database opens");
        let columns = "i.*";
        let page = "ORDER BY i.created DESC, i.number DESC LIMIT 51";

        let queue = list("$orderby=properties/createdTimeUtc%20desc");
        let sql = format!("SELECT {columns} FROM incident i INDEXED BY incident_created {page}");
        measured.push(("the default queue", against(&mut client, |_| queue.clone(), &bare, &sql, |_| vec![])));

        let since = START + i64::from(incidents) * 500_000;
        let filter = "properties/status%20eq%20'New'%20and%20properties/severity%20eq%20'High'%20and%20properties/createdTimeUtc%20ge%20";
        let three = list(&format!("$filter={filter}{}&$orderby=properties/createdTimeUtc%20desc", instant(since)));
        let sql = format!(
            "SELECT {columns} FROM incident i WHERE i.number IN (SELECT number FROM (SELECT number, created FROM incident \
             INDEXED BY incident_queue WHERE status = 'New' AND severity = 'High' AND created >= ?1 \
             ORDER BY created DESC LIMIT 51)) {page}"
        );
        measured.push((
            "three filters and an order",
            against(&mut client, |_| three.clone(), &bare, &sql, |_| vec![since]),
        ));

        let sql = format!(
            "SELECT {columns} FROM incident i INDEXED BY incident_created WHERE (i.created, i.number) < (?1, ?2) {page}"
        );
        let (far, last) = follow(&mut client, &list("$top=50"), incidents);
        let place = move |_| vec![START + i64::from(last) * 1_000_000, i64::from(last)];
        measured.push(("the page behind 999 links", against(&mut client, |_| far.clone(), &bare, &sql, place)));

        let one = |n: usize| format!("{BASE}/incidents/{}?{VERSION}", name(nth(n, incidents)));
        let sql = format!("SELECT {columns} FROM incident i WHERE i.number = ?1");
        measured.push(("get", against(&mut client, one, &bare, &sql, |n| vec![i64::from(nth(n, incidents))])));

        let search = format!("/api/incidents/search?q={}", RARE.0);
        let sql = format!(
            "SELECT {columns} FROM incident i WHERE i.number IN (SELECT rowid FROM incident_text WHERE incident_text MATCH '{}' \
             ORDER BY rank LIMIT 50)",
            RARE.0
        );
        measured.push(("full-text search", against(&mut client, |_| search.clone(), &bare, &sql, |_| vec![])));

        let served = time(|n| client.send("PUT", &format!("{BASE}/incidents/new-{n}?{VERSION}"), &body(n)));
        measured.push(("create", Measured { served, bare: Some(write_bare(&bare, incidents)) }));
        let served = time(|n| client.send("PUT", &one(n), &body(n)));
        measured.push(("update", Measured { served, bare: Some(update_bare(&bare, incidents)) }));
    }
    measured
}

/// Times calls of the API, and the same question put to SQLite.
fn against(
    client: &mut Client,
    path: impl Fn(usize) -> String,
    bare: &Connection,
    sql: &str,
    parameters: impl Fn(usize) -> Vec<i64>,
) -> Measured {
    let served = time(|n| client.send("GET", &path(n), ""));
    let bare = time(|n| {
        let mut statement = bare.prepare_cached(sql).expect("the SQL is good");
        let columns = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(parameters(n))).expect("the SQL runs");
        while let Some(row) = rows.next().expect("a row is read") {
            // Read as Larum must: every column.
            for column in 0..columns {
                std::hint::black_box(row.get_ref(column).expect("a column is read"));
            }
        }
    });
    Measured { served, bare: Some(bare) }
}

fn time<T>(mut call: impl FnMut(usize) -> T) -> Took {
    for n in 0..20 {
        call(CALLS + n);
    }
    let mut took: Vec<Duration> = (0..CALLS)
        .map(|n| {
            let started = Instant::now();
            call(n);
            started.elapsed()
        })
        .collect();
    took.sort();
    let milliseconds = |at: usize| took[at].as_secs_f64() * 1_000.0;
    Took { p50: milliseconds(CALLS / 2), p99: milliseconds(CALLS * 99 / 100) }
}

/// The path of the page behind [`LINKS`] links, or the last one before the end, and the number of the last incident before it.
fn follow(client: &mut Client, first: &str, incidents: u32) -> (String, u32) {
    let (mut path, mut last) = (first.to_owned(), incidents);
    // A small workspace has fewer pages.
    for _ in 0..LINKS.min(incidents as usize / 50 - 1) {
        let page = client.send("GET", &path, "");
        let link = page["nextLink"].as_str().expect("a page has a link to the next");
        path = url_path(link);
        let rows = page["value"].as_array().expect("a page has rows");
        let number = rows.last().and_then(|row| row["properties"]["incidentNumber"].as_u64());
        last = number.and_then(|number| u32::try_from(number).ok()).expect("an incident has a number");
    }
    (path, last)
}

fn url_path(link: &str) -> String {
    let after = link.split_once("://").map_or(link, |(_, rest)| rest);
    after.find('/').map_or_else(String::new, |at| after[at..].to_owned())
}

fn body(n: usize) -> String {
    json!({"properties": {"title": format!("Report {n}"), "severity": "Medium", "status": "New", "labels": [{"labelName": "bench"}]}})
        .to_string()
}

/// Numbers spread over the whole workspace.
fn nth(n: usize, incidents: u32) -> u32 {
    1 + u32::try_from(n).unwrap_or_default().wrapping_mul(2_654_435_761) % incidents
}

/// The name of the incident of this number, as [`fill`] gives them.
fn name(number: u32) -> uuid::Uuid {
    uuid::Uuid::from_u128(u128::from(number))
}

fn instant(micros: i64) -> String {
    let at = chrono::DateTime::from_timestamp_micros(micros).expect("an instant of this century");
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Fills a workspace by SQL, as years of work would have.
fn fill(database: &Path, incidents: u32) {
    let db = Connection::open(database).expect("the database opens");
    db.execute_batch("PRAGMA synchronous = OFF; BEGIN").expect("a transaction begins");
    let author = r#"{"kind":"token","id":"00000000-0000-0000-0000-000000000001","name":"import"}"#;
    let mut incident = db
        .prepare(
            "INSERT INTO incident (number, id, etag, created, modified, severity, status, classification, owner_email, \
             owner_assigned_to, created_by, comments, title, tags, description) \
             VALUES (?1, ?2, randomblob(16), ?3, ?3, ?4, ?5, ?6, ?7, ?7, ?8, 3, ?9, ?10, ?11)",
        )
        .expect("the table is as it is written here");
    let mut label =
        db.prepare("INSERT INTO incident_label (label, incident) VALUES (?1, ?2)").expect("the label table");
    let mut comment = db
        .prepare(
            "INSERT INTO comment (incident, name, etag, created, modified, author, message) \
             VALUES (?1, randomblob(16), randomblob(16), ?2, ?2, ?3, ?4)",
        )
        .expect("the comment table");
    let words = ["door", "badge", "mail", "invoice", "printer", "login", "laptop", "visitor", "phone", "courier"];
    for number in 1..=incidents {
        let n = number as usize;
        // One in twenty is open, as a team's queue is.
        let (status, classification) = match n % 20 {
            0 => ("New", None),
            10 if n % 40 == 10 => ("Active", None),
            _ => ("Closed", Some("Undetermined")),
        };
        let severity = ["High", "Medium", "Low", "Informational"][n / 20 % 4];
        let owner = n.is_multiple_of(3).then(|| format!("analyst{}@example.com", n % 17));
        let rare = if number.is_multiple_of(incidents / RARE.1) { RARE.0 } else { "nothing else" };
        let (first, second) = (words[n % 10], words[n / 10 % 10]);
        let created = START + i64::from(number) * 1_000_000;
        let tag = format!("team-{}", n % 50);
        incident
            .execute(params![
                number,
                name(number).as_bytes(),
                created,
                severity,
                status,
                classification,
                owner,
                author,
                format!("{first} and {second}, case {number}"),
                format!("[\"{tag}\"]"),
                format!(
                    "Somebody reported a {first} beside a {second}, and {rare}. It was looked into and written down."
                ),
            ])
            .expect("an incident is filled in");
        label.execute(params![tag, number]).expect("a label is filled in");
        for n in 0..3 {
            let message = format!("Note {n} on the {first}: asked around, nobody knew, the {second} is back.");
            comment.execute(params![number, created + n, author, message]).expect("a comment is filled in");
        }
    }
    drop((incident, label, comment));
    db.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").expect("the workspace is filled");
}

/// Lets Larum bring everything into its search index.
fn index(database: &Path) {
    let data = database.parent().expect("the database lies in the data folder").to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let store = SqliteStore::open(&data).expect("the data folder opens");
        while store.index_portion().await.expect("a portion is indexed") {}
        store.close();
    });
}

/// What a create must write, and nothing else, synced as Larum does.
fn write_bare(db: &Connection, incidents: u32) -> Took {
    db.execute_batch("PRAGMA synchronous = FULL").expect("a pragma is set");
    // Behind what Larum itself gave numbers to while it was timed.
    let first = i64::from(incidents) + 100_000;
    time(|n| {
        let number = first + i64::try_from(n).unwrap_or_default();
        db.execute_batch("BEGIN IMMEDIATE").expect("a transaction begins");
        db.prepare_cached(
            "INSERT INTO incident (number, id, etag, created, modified, severity, status, title, tags, description) \
             VALUES (?1, ?2, randomblob(16), ?3, ?3, 'Medium', 'New', 'Report', '[\"bench\"]', '')",
        )
        .and_then(|mut insert| insert.execute(params![number, format!("bare-{number}"), START + number * 1_000_000]))
        .expect("an incident is inserted");
        db.prepare_cached("INSERT INTO incident_label VALUES ('bench', ?1)")
            .and_then(|mut insert| insert.execute([number]))
            .expect("a label is inserted");
        db.execute_batch("COMMIT").expect("it is committed");
    })
}

/// What an update must write.
fn update_bare(db: &Connection, incidents: u32) -> Took {
    time(|n| {
        let number = nth(n + 7, incidents);
        db.execute_batch("BEGIN IMMEDIATE").expect("a transaction begins");
        db.prepare_cached("UPDATE incident SET etag = randomblob(16), modified = ?2, title = 'Bare' WHERE number = ?1")
            .and_then(|mut update| update.execute(params![number, START]))
            .expect("an incident is updated");
        db.prepare_cached("INSERT INTO activity (incident, at, by, what) VALUES (?1, ?2, '{}', zeroblob(200))")
            .and_then(|mut insert| insert.execute(params![number, START]))
            .expect("its activity is noted");
        db.execute_batch("COMMIT").expect("it is committed");
    })
}

/// One connection that stays open.
struct Client {
    address: SocketAddr,
    token: String,
    stream: BufReader<TcpStream>,
}

impl Client {
    fn new(address: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket takes options");
        stream.set_read_timeout(Some(process::DEADLINE)).expect("a socket takes options");
        Self { address, token: token.to_owned(), stream: BufReader::new(stream) }
    }

    /// Sends a request and reads the JSON of its answer, which must be a yes.
    fn send(&mut self, method: &str, path: &str, body: &str) -> Value {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the request is sent");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer comes");
        let status = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a header comes");
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a length is a number");
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).expect("the whole answer comes");
        assert!(status.starts_with('2'), "{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).expect("the answer is JSON")
    }
}
