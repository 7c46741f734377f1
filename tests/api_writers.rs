//! Many who write at once, and a server that dies under them: no write that was answered yes is lost, none is doubled.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use support::larum::{DEADLINE, Site};

const BASE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/larum/providers/Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights";
const VERSION: &str = "api-version=2024-03-01";
const WRITERS: usize = 50;
/// Writes each of them must land.
const ROUNDS: usize = 4;

fn incident(name: &str) -> String {
    format!("{BASE}/incidents/{name}?{VERSION}")
}

fn comment(incident: &str, name: &str) -> String {
    format!("{BASE}/incidents/{incident}/comments/{name}?{VERSION}")
}

fn body(title: &str) -> Value {
    json!({"properties": {"title": title, "severity": "Medium", "status": "New"}})
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
#[ignore = "starts the binary"]
fn fifty_writers_with_etags_each_land_or_get_their_conflict() {
    let site = Site::new("", &[]);
    let token = site.token("responder");
    let _larum = site.serve();
    let made = site.call("PUT", &incident("shared"), &token, &body("0").to_string()).unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let (conflicts, etags) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (site, token, conflicts, etags) = (&site, &token, &conflicts, &etags);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    loop {
                        // Each adds a label of its own to what it read: a lost write would lose its label.
                        let mut seen = read(&site.call("GET", &incident("shared"), token, "").unwrap().body);
                        let labels = seen["properties"]["labels"].as_array_mut().unwrap();
                        labels.push(json!({"labelName": format!("{writer}-{round}")}));
                        let answer = site.call("PUT", &incident("shared"), token, &seen.to_string()).unwrap();
                        match answer.status {
                            200 => {
                                let etag = read(&answer.body)["etag"].as_str().unwrap().to_owned();
                                assert!(etags.lock().unwrap().insert(etag), "every write has an etag of its own");
                                break;
                            }
                            409 => {
                                let error = read(&answer.body);
                                assert_eq!(error["error"]["code"], "Conflict", "{error}");
                                conflicts.fetch_add(1, Ordering::Relaxed);
                            }
                            other => panic!("{other}: {}", answer.body),
                        }
                    }
                }
            });
        }
    });
    let last = read(&site.call("GET", &incident("shared"), &token, "").unwrap().body);
    let labels = last["properties"]["labels"].as_array().unwrap();
    let labels: BTreeSet<&str> = labels.iter().map(|label| label["labelName"].as_str().unwrap()).collect();
    assert_eq!(labels.len(), WRITERS * ROUNDS, "no answered write is lost");
    assert_eq!(etags.lock().unwrap().len(), WRITERS * ROUNDS);
    assert!(conflicts.load(Ordering::Relaxed) > 0, "they did write at once");
}

/// What one client was told yes for.
#[derive(Default)]
struct Answered {
    incidents: Vec<String>,
    comments: Vec<(String, String)>,
    closed: Vec<String>,
    deleted: Vec<String>,
}

/// How many writes are answered before the last kill.
const WRITES: usize = 1_000;
const CLIENTS: usize = 8;
const KILLS: usize = 5;

#[test]
#[ignore = "starts the binary"]
fn a_kill_in_the_middle_of_a_thousand_writes_loses_none_that_was_answered() {
    let site = Arc::new(Site::new("", &[]));
    let token = site.token("contributor");
    let mut larum = Some(site.serve());
    let (done, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (site, token, done, written) = (site.clone(), token.clone(), done.clone(), written.clone());
            thread::spawn(move || write_on(&site, &token, client, &done, &written))
        })
        .collect();
    for kill in 1..=KILLS {
        site.until("writes to be answered", || written.load(Ordering::Relaxed) >= WRITES * kill / KILLS);
        larum.take().unwrap().kill();
        larum = Some(site.serve());
    }
    done.store(true, Ordering::Relaxed);
    let answered: Vec<Answered> = clients.into_iter().map(|client| client.join().unwrap()).collect();

    let get = |path: &str| site.call("GET", path, &token, "").unwrap();
    let mut numbers = BTreeSet::new();
    for answered in &answered {
        for name in &answered.incidents {
            let found = get(&incident(name));
            if answered.deleted.contains(name) {
                assert_eq!(found.status, 404, "{name} was deleted");
                continue;
            }
            assert_eq!(found.status, 200, "{name} was made: {}", found.body);
            let found = read(&found.body);
            assert!(numbers.insert(found["properties"]["incidentNumber"].as_u64().unwrap()), "a number is given once");
            if answered.closed.contains(name) {
                assert_eq!(found["properties"]["status"], "Closed", "{name} was closed");
            }
        }
        for (name, text) in &answered.comments {
            if !answered.deleted.contains(name) {
                let found = get(&comment(name, "note"));
                assert_eq!(found.status, 200, "{name} has its comment");
                assert_eq!(read(&found.body)["properties"]["message"], text.as_str());
            }
        }
    }
    let total: usize = answered.iter().map(|answered| answered.incidents.len()).sum();
    let deleted: usize = answered.iter().map(|answered| answered.deleted.len()).sum();
    eprintln!("{KILLS} kills, {total} incidents answered, {deleted} of them deleted");
    assert!(deleted > 0 && total > deleted);
}

/// Creates, comments, closes and deletes incidents one after the other. A call that was not answered is repeated as it was
/// until it is: every one of them may be repeated.
fn write_on(site: &Site, token: &str, client: usize, done: &AtomicBool, written: &AtomicUsize) -> Answered {
    let mut answered = Answered::default();
    let call = |method: &str, path: &str, body: &str| {
        let started = std::time::Instant::now();
        loop {
            match site.call(method, path, token, body) {
                Some(answer) if answer.status < 500 => {
                    written.fetch_add(1, Ordering::Relaxed);
                    return answer;
                }
                // Killed, or just coming up.
                _ => thread::sleep(Duration::from_millis(20)),
            }
            assert!(started.elapsed() < DEADLINE, "{method} {path} is never answered");
        }
    };
    for n in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("case-{client}-{n}");
        let made = call("PUT", &incident(&name), &body(&name).to_string());
        assert!(matches!(made.status, 200 | 201), "{}", made.body);
        answered.incidents.push(name.clone());
        let text = format!("comment of {name}");
        let put = call("PUT", &comment(&name, "note"), &json!({"properties": {"message": text}}).to_string());
        assert!(matches!(put.status, 200 | 201), "{}", put.body);
        answered.comments.push((name.clone(), text));
        if n % 3 == 0 {
            let mut closed = body(&name);
            closed["properties"]["status"] = "Closed".into();
            closed["properties"]["classification"] = "Undetermined".into();
            let put = call("PUT", &incident(&name), &closed.to_string());
            assert_eq!(put.status, 200, "{}", put.body);
            answered.closed.push(name.clone());
        }
        if n % 5 == 0 {
            let gone = call("DELETE", &incident(&name), "");
            assert!(matches!(gone.status, 200 | 204), "{}", gone.body);
            answered.deleted.push(name.clone());
        }
    }
    answered
}
