//! Much at once: a long loop, many calls, many waiting runs, by the real binary.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chrono::Utc;
use larum::mail;
use serde_json::{Value, json};
use support::larum::{Larum, Site};

/// How long the large things here may take, in a debug build on a busy machine.
const DEADLINE: Duration = Duration::from_secs(240);

fn until(what: &str, site: &Site, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}; the log:\n{}", site.log());
        thread::sleep(Duration::from_millis(50));
    }
}

/// A figure of `/proc/PID/status` in MB.
fn memory(larum: &Larum, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", larum.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    line.split_whitespace().next().and_then(|kb| kb.parse::<u64>().ok()).unwrap() / 1_000
}

/// The incidents' titles.
fn titles(site: &Site) -> Vec<String> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let db = rusqlite::Connection::open_with_flags(site.data().join("larum.db"), flags).unwrap();
    let mut rows = db.prepare("SELECT title FROM incident").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
#[ignore = "large: 100,000 iterations in the real binary"]
fn a_loop_over_100_000_items_takes_less_than_300_mb() {
    let site = Site::new("playbooks: [playbooks]\n", &[("loop.yaml", include_str!("data/playbooks/long-loop.yaml"))]);
    let larum = site.serve();
    let items: Vec<Value> = (0..100_000).map(|n| json!({ "n": n })).collect();
    let answer = site.post("/hooks/loop", "", &json!({ "items": items }).to_string()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    until("the loop to end", &site, || site.count("SELECT count(*) FROM run WHERE status = 'Succeeded'") == 1);
    assert_eq!(titles(&site), ["50000"]);
    let most = memory(&larum, "VmHWM:");
    println!("the most memory it took: {most} MB");
    assert!(most < 300, "{most} MB");
}

/// A server that answers each request after a moment and knows how many it answered at once.
struct Busy {
    port: u16,
    answered: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Busy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answered, most, now) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let busy = Self { port, answered: answered.clone(), most: most.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answered, most, now) = (answered.clone(), most.clone(), now.clone());
                thread::spawn(move || answer(&stream, &answered, &most, &now));
            }
        });
        busy
    }
}

fn answer(stream: &TcpStream, answered: &AtomicUsize, most: &AtomicUsize, now: &AtomicUsize) {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    while matches!(lines.read_line(&mut line), Ok(read) if read > 0) {
        // The empty line ends the head; these requests have no body.
        if line == "\r\n" {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(3));
            now.fetch_sub(1, Ordering::SeqCst);
            answered.fetch_add(1, Ordering::SeqCst);
            let written = (&*stream)
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
            if written.is_err() {
                return;
            }
        }
        line.clear();
    }
}

#[test]
#[ignore = "large: 1,000 calls by the real binary"]
fn a_loops_calls_never_exceed_its_concurrency() {
    let busy = Busy::start();
    let playbook = format!(
        r#"
name: calls
trigger: {{webhook: {{path: calls, connection: none}}}}
actions:
  - id: each
    for_each: "@range(0, 1000)"
    concurrency: 7
    do:
      - {{id: call, action: http, with: {{connection: local, url: "http://127.0.0.1:{}/@{{item}}"}}}}
  - {{id: create, action: create_incident, with: {{title: "@{{length(actions.call)}}"}}}}
"#,
        busy.port
    );
    let config = format!(
        "playbooks: [playbooks]\nconnections: {{local: {{http: {{base_url: \"http://127.0.0.1:{}\", allow_networks: [127.0.0.0/8]}}}}}}\n",
        busy.port
    );
    let site = Site::new(&config, &[("calls.yaml", &playbook)]);
    let _larum = site.serve();
    assert_eq!(site.post("/hooks/calls", "", "{}").unwrap().status, 202);
    until("the calls to be made", &site, || site.count("SELECT count(*) FROM run WHERE status = 'Succeeded'") == 1);
    assert_eq!(titles(&site), ["1000"]);
    assert_eq!(busy.answered.load(Ordering::SeqCst), 1_000);
    let most = busy.most.load(Ordering::SeqCst);
    assert!((2..=7).contains(&most), "{most} at once");
}

const WAITING: usize = 10_000;
/// Of these, how many wait for a person.
const ASKED: usize = 500;
/// How long the others wait: long enough for all to be asleep, Larum to be killed and to be back.
const NAP: Duration = Duration::from_secs(75);

#[test]
#[ignore = "large: 10,000 waiting runs, kill -9 in between"]
fn ten_thousand_waiting_runs_take_little_memory_and_go_on_once() {
    let playbook = format!(
        r#"
name: wait
trigger:
  webhook: {{path: wait, connection: none}}
  split_on: "@trigger.items"
actions:
  - id: who
    if: "@less(trigger.n, {ASKED})"
    then:
      - {{id: ask, action: approve, with: {{to: "person-@{{trigger.n}}@example.com", subject: "May I?", body: "Say so."}}}}
    else:
      - {{id: nap, action: delay_until, with: {{timestamp: "@trigger.until"}}}}
  - {{id: create, action: create_incident, with: {{title: "@{{trigger.n}}"}}}}
"#
    );
    let site = Site::new("playbooks: [playbooks]\n", &[("wait.yaml", &playbook)]);
    let larum = site.serve();
    let until_when = Utc::now() + NAP;
    let items: Vec<Value> = (0..WAITING).map(|n| json!({ "n": n, "until": until_when.to_rfc3339() })).collect();
    let answer = site.post("/hooks/wait", "", &json!({ "items": items }).to_string()).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    let asleep = || site.count("SELECT count(*) FROM run WHERE status = 'Running' AND waiting_until IS NOT NULL");
    until("every run to wait", &site, || asleep() == WAITING as u64);
    assert!(Utc::now() < until_when, "this machine is too slow for a wait of {NAP:?}");
    let now = memory(&larum, "VmRSS:");
    println!("{WAITING} waiting runs take {now} MB");
    assert!(now < 200, "{now} MB");
    larum.kill();

    let larum = site.serve();
    assert!(memory(&larum, "VmRSS:") < 200);
    let links: Vec<String> =
        fs::read_dir(site.data().join("outbox")).unwrap().map(|file| first_link(&file.unwrap().path())).collect();
    assert_eq!(links.len(), ASKED);
    for link in &links {
        let answer = site.confirm(link);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    until("every run to end", &site, || {
        site.count("SELECT count(*) FROM run WHERE status = 'Succeeded'") == WAITING as u64
    });
    let made = titles(&site);
    assert_eq!(made.len(), WAITING, "each once");
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), WAITING);
}

/// The path of the first link in a mail.
fn first_link(path: &std::path::Path) -> String {
    let read = mail::read(&fs::read(path).unwrap(), Utc::now()).unwrap().trigger;
    let text = read["text"].as_str().unwrap();
    let token = text.split_whitespace().find_map(|word| word.split_once("/approvals/")).unwrap().1;
    format!("/approvals/{token}")
}
