//! Runs a second with 1, 10 and 100 effects, begun together by one webhook call that is split.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

use serde_json::json;

use crate::{
    Promise, Row,
    process::{self, Site},
};

/// Effects of a run, and how many such runs there are.
const LOADS: [(u32, u64); 3] = [(1, 20_000), (10, 4_000), (100, 400)];

pub fn rows() -> Vec<Row> {
    LOADS.map(|(effects, runs)| row(effects, runs)).into()
}

fn row(effects: u32, runs: u64) -> Row {
    let playbook = format!(
        r#"
name: bench
trigger: {{webhook: {{path: bench, connection: none}}, split_on: "@trigger.items"}}
actions:
  - id: each
    for_each: "@range(0, {effects})"
    do:
      - {{id: create, action: create_incident, with: {{title: "report @{{item}}"}}}}
"#
    );
    let site = Site::new("{}", &playbook);
    let larum = site.serve();
    larum.listens(site.address);
    let body = json!({ "items": (0..runs).collect::<Vec<_>>() }).to_string();
    let began = Instant::now();
    post(&site, &body);
    let ended = "SELECT count(*) FROM run WHERE status = 'Succeeded'";
    let database = site.folder.path().join("larum-data/larum.db");
    process::wait("every run to end", || process::ask(&database, ended) >= runs);
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(site.incidents(), runs * u64::from(effects));
    let rate = runs as f64 / seconds;
    Row {
        name: format!("runs with {effects} effects, a second"),
        figure: format!("{rate:.0} runs/s, {:.0} effects/s", rate * f64::from(effects)),
        value: rate,
        promise: Promise::AtLeast(0.0),
    }
}

fn post(site: &Site, body: &str) {
    let address = site.address;
    let mut stream = TcpStream::connect(address).expect("larum listens");
    let head = format!(
        "POST /hooks/bench HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("larum reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("larum answers");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}
