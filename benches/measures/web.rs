//! A form post → a run → an incident, held against one synced row per request.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Promise, Row,
    process::{self, Running, Site},
};

/// How long each load runs.
const SECONDS: u64 = 5;
/// How often Larum and its floor are measured one after the other where something is promised.
const PAIRS: usize = 5;

const PLAYBOOK: &str = r#"
name: bench
trigger:
  form:
    path: bench
    title: Report
    fields:
      - {id: title, label: Title, type: text, required: true}
      - {id: what, label: What happened, type: long_text}
actions:
  - id: create
    action: create_incident
    with:
      title: "{{trigger.title}}"
      description: "{{trigger.what}}"
      severity: "@if(equals(trigger.title, 'stranger at the north door'), 'High', 'Medium')"
"#;

/// What wrk sends.
const SCRIPT: &str = r#"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"title": "stranger at the north door", "what": "Somebody without a badge followed me in. I asked, he left."}'
"#;

pub fn rows() -> Vec<Row> {
    [(1, None), (16, None), (64, Some(0.25))].map(|(connections, least)| row(connections, least)).into()
}

fn row(connections: u32, least: Option<f64>) -> Row {
    // The machine has moods that last for seconds: what is promised is the middle one of several pairs.
    let mut pairs: Vec<_> = (0..least.map_or(1, |_| PAIRS)).map(|_| (larum(connections), floor(connections))).collect();
    pairs.sort_by(|(a, under_a), (b, under_b)| (a.0 / under_a.0).total_cmp(&(b.0 / under_b.0)));
    let (larum, floor) = pairs.swap_remove(pairs.len() / 2);
    let ratio = larum.0 / floor.0;
    Row {
        name: format!("web: form posts, {connections} connections, of floor"),
        figure: format!("{:.0} incidents/s (p99 {}), floor {:.0} rows/s (p99 {})", larum.0, larum.1, floor.0, floor.1),
        value: ratio,
        // The design promises a ratio at 64 connections; the others are shown.
        promise: Promise::AtLeast(least.unwrap_or(0.0)),
    }
}

fn floor(connections: u32) -> (f64, String) {
    let folder = tempfile::tempdir_in(process::program("")).expect("target is writable");
    let database = folder.path().join("floor.db");
    let address = process::free_address();
    let floor =
        Running::start(Command::new(process::program("examples/floor-web")).arg(address.to_string()).arg(&database));
    floor.listens(address);
    let count = || process::ask(&database, "SELECT coalesce(max(id), 0) FROM report");
    measure(folder.path(), &format!("http://{address}/"), connections, count)
}

fn larum(connections: u32) -> (f64, String) {
    let site = Site::new("{}", PLAYBOOK);
    let larum = site.serve();
    larum.listens(site.address);
    measure(site.folder.path(), &format!("http://{}/forms/bench", site.address), connections, || site.incidents())
}

/// Rows a second from the first request until the last row is committed, and the 99th percentile of the answers.
fn measure(folder: &Path, url: &str, connections: u32, count: impl Fn() -> u64) -> (f64, String) {
    let script = folder.join("post.lua");
    std::fs::write(&script, SCRIPT).expect("the folder is writable");
    let started = Instant::now();
    let load = Command::new("wrk")
        .args(["-t1", "--latency", &format!("-c{connections}"), &format!("-d{SECONDS}s"), "-s"])
        .arg(&script)
        .arg(url)
        .output()
        .expect("wrk is installed (`make bench` installs it)");
    let said = String::from_utf8_lossy(&load.stdout).into_owned();
    assert!(!said.contains("Non-2xx"), "the load was refused:\n{said}");
    let answered: u64 = field(&said, "requests in").unwrap_or_else(|| panic!("wrk says how many:\n{said}"));
    process::wait("every answered report to be committed", || count() >= answered);
    let elapsed = started.elapsed().max(Duration::from_secs(1));
    let p99 = said.lines().find(|line| line.trim_start().starts_with("99%")).unwrap_or_default();
    (count() as f64 / elapsed.as_secs_f64(), p99.split_whitespace().nth(1).unwrap_or("?").to_owned())
}

/// The number before `words`.
fn field(text: &str, words: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains(words))?;
    line.split_whitespace().next()?.parse().ok()
}
