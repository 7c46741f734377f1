//! Runs are repeated through a running server, with the real program on both sides and an outside whose answers change.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::{Value, json};

use crate::support::larum::{Larum, Site, dying};

/// A request that the outside heard.
#[derive(Debug, Clone)]
struct Heard {
    path: String,
    key: String,
}

#[derive(Default)]
struct State {
    heard: Vec<Heard>,
    /// Paths that are answered 500.
    broken: BTreeSet<String>,
}

/// An HTTP server that answers 200, or 500 at the paths that are broken just now.
#[derive(Clone)]
struct Outside {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Outside {
    fn new(broken: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let broken = broken.iter().map(|path| (*path).to_owned()).collect();
        let state = Arc::new(Mutex::new(State { heard: Vec::new(), broken }));
        let outside = Self { address: listener.local_addr().unwrap(), state };
        let served = outside.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let outside = served.clone();
                thread::spawn(move || outside.answer(stream));
            }
        });
        outside
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let (mut line, mut length, mut key) = (String::new(), 0, String::new());
        reader.read_line(&mut line).ok()?;
        let path = line.split_whitespace().nth(1)?.to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().ok()?,
                "idempotency-key" => key = value.trim().to_owned(),
                _ => {}
            }
        }
        reader.take(length).read_to_end(&mut Vec::new()).ok()?;
        let mut state = self.lock();
        let status = if state.broken.contains(&path) { "500 Broken" } else { "200 OK" };
        state.heard.push(Heard { path, key });
        drop(state);
        let body = r#"{"ok":true}"#;
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n");
        stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).ok()
    }

    /// A playbook with the address where it says OUTSIDE.
    fn in_place(&self, playbook: &str) -> String {
        playbook.replace("OUTSIDE", &format!("http://{}", self.address))
    }

    fn mend(&self) {
        self.lock().broken.clear();
    }

    /// How often each path was asked, in order of the paths.
    fn counts(&self) -> Vec<(String, usize)> {
        let heard = self.lock().heard.clone();
        let paths: BTreeSet<String> = heard.iter().map(|heard| heard.path.clone()).collect();
        paths.into_iter().map(|path| (path.clone(), heard.iter().filter(|heard| heard.path == path).count())).collect()
    }

    fn keys(&self, path: &str) -> Vec<String> {
        self.lock().heard.iter().filter(|heard| heard.path == path).map(|heard| heard.key.clone()).collect()
    }
}

struct House {
    site: Site,
    outside: Outside,
    token: String,
    url: String,
}

impl House {
    fn new(playbook: &str, broken: &[&str]) -> Self {
        let outside = Outside::new(broken);
        let connection = format!(
            "connections: {{out: {{http: {{base_url: 'http://{}', allow_networks: [127.0.0.0/8]}}}}}}\n",
            outside.address
        );
        let playbook = outside.in_place(playbook);
        let site = Site::new(&connection, &[("report.yaml", &playbook)]);
        let (token, url) = (site.administrator(), format!("http://{}", site.address));
        Self { site, outside, token, url }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.site.run_with(&[("LARUM_URL", &self.url), ("LARUM_TOKEN", &self.token)], arguments)
    }

    /// Repeats a run by the command; what it printed on both outputs.
    fn resubmit(&self, run: &str, more: &[&str]) -> (String, String) {
        let (code, out, err) = self.run(&[&["runs", "resubmit", run, "--output", "json"], more].concat());
        assert_eq!(code, Some(0), "{err}");
        let made: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(made["resubmitOf"], run);
        (made["run"].as_str().unwrap().to_owned(), err)
    }

    fn show(&self, run: &str, more: &[&str]) -> Value {
        self.site.json(&[&["runs", "show", run], more].concat())
    }

    /// The run once it is over.
    fn ended(&self, run: &str) -> Value {
        let mut shown = Value::Null;
        self.site.until("the run to end", || {
            shown = self.show(run, &[]);
            !shown["ended"].is_null()
        });
        shown
    }

    /// The run that a report to the form or hook `path` starts.
    fn report(&self, path: &str) -> String {
        let answer = self.site.post(path, "", r#"{"what":"stranger"}"#).unwrap();
        assert!((200..300).contains(&answer.status), "{answer:?}");
        self.site.json(&["runs", "list"])[0]["run"].as_str().unwrap().to_owned()
    }

    fn incidents(&self) -> Vec<Value> {
        self.site.json(&["incidents", "list"]).as_array().unwrap().clone()
    }

    fn call(&self, path: &str, headers: &str, body: &str) -> Option<(u16, Value)> {
        let about = format!("Authorization: Bearer {}\r\n{headers}", self.token);
        let answer = self.site.post(path, &about, body)?;
        Some((answer.status, serde_json::from_str(&answer.body).unwrap_or_default()))
    }
}

/// What the records of a run say, one line an action.
fn lines(shown: &Value) -> Vec<String> {
    let line = |record: &Value| {
        let iterations: String =
            record["iterations"].as_array().into_iter().flatten().map(|iteration| format!("/{iteration}")).collect();
        let kept = if record["kept"] == true { " kept" } else { "" };
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        format!("{}{iterations} {} {}{kept}", text("name"), text("status"), text("code"))
    };
    shown["actions"].as_array().unwrap().iter().map(line).collect()
}

const PLAYBOOK: &str = "
name: report
trigger: {webhook: {path: report, connection: none}}
actions:
  - {id: create, action: create_incident, with: {title: 'Report of {{trigger.what}}'}}
  - {id: first, action: http, with: {connection: out, method: POST, url: OUTSIDE/first, body: {n: 1}}}
  - id: each
    for_each: '@createArray(0, 1, 2)'
    do:
      - id: item
        action: http
        retry: {policy: none}
        with: {connection: out, method: POST, url: 'OUTSIDE/item/{{item}}', idempotency_key: true}
  - {id: last, action: http, with: {connection: out, method: POST, url: OUTSIDE/last}}
";

#[test]
fn from_the_failure_only_what_failed_is_done_under_the_same_identity_and_no_second_incident_is_made() {
    let house = House::new(PLAYBOOK, &["/item/1"]);
    let _larum = house.site.serve();
    let run = house.report("/hooks/report");
    let first = house.ended(&run);
    assert_eq!(first["status"], "Failed");
    assert_eq!(
        lines(&first),
        [
            "create Succeeded OK",
            "first Succeeded OK",
            "each Failed ActionFailed",
            "item/0 Succeeded OK",
            "item/1 Failed InternalServerError",
            "item/2 Succeeded OK",
            "last Skipped ActionSkipped",
        ]
    );
    house.outside.mend();
    let (again, warnings) = house.resubmit(&run, &["--from-failure"]);
    assert_eq!(warnings, "");
    let second = house.ended(&again);
    assert_eq!(
        lines(&second),
        [
            "create Succeeded OK kept",
            "first Succeeded OK kept",
            "each Succeeded OK",
            "item/0 Succeeded OK kept",
            "item/1 Succeeded OK",
            "item/2 Succeeded OK kept",
            "last Succeeded OK",
        ]
    );
    assert_eq!(second["status"], "Succeeded");
    for place in [0, 1, 3] {
        let told = |run: &Value| {
            let record = &run["actions"][place];
            json!([record["inputs"], record["outputs"], record["startTime"], record["endTime"]])
        };
        assert_eq!(told(&second), told(&first), "what is kept is told as it was done");
    }
    let counts = [("/first", 1), ("/item/0", 1), ("/item/1", 2), ("/item/2", 1), ("/last", 1)];
    assert_eq!(house.outside.counts(), counts.map(|(path, count)| (path.to_owned(), count)));
    let keys = house.outside.keys("/item/1");
    assert!(!keys[0].is_empty() && keys[0] == keys[1], "the outside sees a repeat as a repeat: {keys:?}");
    assert_eq!(house.incidents().len(), 1);

    // Both ways visible, and one act by somebody with a name.
    assert_eq!(house.show(&run, &[])["resubmittedAs"], json!([again]));
    assert_eq!(
        json!([second["resubmitOf"], second["resubmitFrom"], second["resubmitBy"]["name"]]),
        json!([run, "failure", "boss"])
    );
    assert_eq!(house.site.json(&["runs", "list"])[0]["resubmitOf"], *run);
    // People see a tree.
    let (_, tree, _) = house.site.run(&["runs", "show", &again, "--config", "larum.yaml"]);
    let drawn: Vec<&str> = tree.lines().filter(|line| line.contains('─')).collect();
    assert!(drawn[0].starts_with("├─ create  Succeeded  OK  ") && drawn[0].ends_with("  kept"), "{tree}");
    assert!(drawn[2].starts_with("├─ each  Succeeded  OK  ") && drawn[2].ends_with("  3 iterations"), "{tree}");
    assert_eq!(drawn[3], "│  ├─ [0]", "{tree}");
    let (_, tree, _) = house.site.run(&["runs", "show", &run, "--config", "larum.yaml"]);
    let drawn: Vec<&str> = tree.lines().filter(|line| line.contains('─')).collect();
    assert_eq!(drawn[3], "│  ├─ [1]", "what failed comes first: {tree}");
    assert!(tree.contains(&format!("repeated   as {again}\n")), "{tree}");

    let (code, _, err) = house.run(&["runs", "resubmit", &again, "--from-failure"]);
    let nothing = format!("No action of run {again} failed; it can be repeated from its beginning.");
    assert_eq!((code, err), (Some(1), format!("error: run {again} was not repeated: {nothing}\n")));
}

#[test]
fn from_the_report_the_same_answers_give_the_same_steps_statuses_and_inputs() {
    let house = House::new(PLAYBOOK, &["/item/1"]);
    let _larum = house.site.serve();
    let run = house.report("/hooks/report");
    let first = house.ended(&run);
    let (again, warnings) = house.resubmit(&run, &[]);
    assert_eq!(warnings, "");
    let second = house.ended(&again);
    assert_eq!((lines(&second), &second["status"]), (lines(&first), &first["status"]));
    let inputs = |run: &Value| {
        run["actions"].as_array().unwrap().iter().map(|record| record["inputs"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(&second), inputs(&first));
    assert_eq!(house.incidents().len(), 2, "everything is done again");
    let keys = house.outside.keys("/item/1");
    assert_ne!(keys[0], keys[1], "it is another request");

    // On the version in force.
    let edited = house.outside.in_place(&PLAYBOOK.replace("Report of", "Edited:"));
    std::fs::write(house.site.folder.path().join("playbooks/report.yaml"), edited).unwrap();
    let version = |run: &str| house.show(run, &[])["version"].clone();
    house.site.until("the edit to be in force", || {
        let (latest, _) = house.resubmit(&run, &["--current-version"]);
        house.ended(&latest);
        version(&latest) != version(&run)
    });
    assert_eq!(house.incidents()[0]["properties"]["title"], "Edited: stranger");
    let (own, warnings) = house.resubmit(&run, &[]);
    assert_eq!(version(&own), version(&run));
    assert!(
        warnings.contains(&format!("warning: It was repeated before, as run {again}, which is Failed.")),
        "{warnings}"
    );
    house.ended(&own);
    assert_eq!(house.incidents()[0]["properties"]["title"], "Report of stranger");
}

#[test]
fn a_run_is_told_as_it_stood_after_any_event_of_its_journal() {
    let house = House::new(PLAYBOOK, &["/item/1"]);
    let _larum = house.site.serve();
    let run = house.report("/hooks/report");
    let ended = house.ended(&run);
    let events = ended["journalEvents"].as_u64().unwrap();
    let at = |number: u64| house.show(&run, &["--at", &number.to_string()]);
    let start = at(0);
    assert_eq!((&start["status"], &start["at"]["what"]), (&json!("Running"), &json!(null)));
    let second = at(2);
    assert_eq!(
        json!([second["at"]["what"], second["at"]["step"], second["at"]["attempt"], second["ended"]]),
        json!(["finished", "create", 1, null])
    );
    assert_eq!(second["actions"][0], ended["actions"][0]);
    assert_eq!(second["actions"][1]["status"], json!(null), "under way: {second}");
    assert_eq!(at(events), ended, "at the end its records are told as they were kept");
    for number in [0, 2, 3, events] {
        let (status, told) = ask(&house, &format!("/api/runs/{run}?at={number}"));
        assert_eq!((status, told), (200, at(number)), "both tell the same");
    }
    let (status, refused) = ask(&house, &format!("/api/runs/{run}?at={}", events + 1));
    assert_eq!(status, 400, "{refused}");
    let (code, _, err) = house.site.run(&["runs", "show", &run, "--at", "999", "--config", "larum.yaml"]);
    assert_eq!((code, err), (Some(1), format!("error: --at 999: the journal of run {run} has {events} events\n")));
}

fn ask(house: &House, path: &str) -> (u16, Value) {
    let answer = house.site.call("GET", path, &house.token, "").unwrap();
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[test]
fn asked_twice_with_one_key_it_is_one_run_also_when_larum_dies_before_the_answer() {
    let house = House::new(PLAYBOOK, &[]);
    let larum = house.site.serve();
    let run = house.report("/hooks/report");
    house.ended(&run);
    larum.kill();
    let path = format!("/api/runs/{run}/resubmit");
    let repeats = || {
        let runs = house.site.json(&["runs", "list"]);
        runs.as_array().unwrap().iter().filter(|listed| listed["resubmitOf"] == *run).count()
    };
    for (point, kept) in [("before resubmit", 0), ("after resubmit", 1)] {
        let key = format!("Idempotency-Key: {}\r\n", point.replace(' ', "-"));
        let before = repeats();
        let mut doomed = Command::new(dying()).arg(house.site.folder.path()).args([point, "1"]).spawn().unwrap();
        house.site.until("the server to answer", || house.site.get("/healthz").is_some());
        assert_eq!(house.call(&path, &key, "{}"), None, "no answer came");
        house.site.until(point, || doomed.try_wait().unwrap().is_some());
        assert_eq!(repeats(), before + kept, "{point}");
        let larum: Larum = house.site.serve();
        let (status, first) = house.call(&path, &key, "{}").unwrap();
        assert_eq!(status, if kept == 1 { 200 } else { 201 }, "{first}");
        let (status, again) = house.call(&path, &key, "{}").unwrap();
        assert_eq!((status, &again["run"]), (200, &first["run"]));
        assert_eq!(repeats(), before + 1, "{point}");
        assert_eq!(house.ended(first["run"].as_str().unwrap())["status"], "Succeeded");
        let (status, other) = house.call(&path, &key, r#"{"from": "failure"}"#).unwrap();
        assert_eq!(status, 409, "{other}");
        larum.kill();
    }
}

#[test]
fn the_incident_that_stood_for_a_failed_report_says_what_became_of_it() {
    let playbook = "
name: report
trigger: {form: {path: report, title: Report, fields: [{id: what, label: What, type: text}]}}
actions:
  - {id: lookup, action: http, retry: {policy: none}, with: {connection: out, method: GET, url: OUTSIDE/lookup}}
  - {id: create, action: create_incident, with: {title: 'Report of {{trigger.what}}'}}
";
    let house = House::new(playbook, &["/lookup"]);
    let _larum = house.site.serve();
    let run = house.report("/forms/report");
    assert_eq!(house.ended(&run)["incident"], 1, "the one that stands for it");
    let comments = || {
        let (_, answer) = ask(&house, "/api/incidents/1");
        answer["properties"]["additionalData"]["commentsCount"].clone()
    };
    let (again, _) = house.resubmit(&run, &["--from-failure"]);
    assert_eq!(house.ended(&again)["status"], "Failed");
    assert_eq!((house.incidents().len(), comments()), (1, json!(1)), "it failed again, and no second one is made");
    house.outside.mend();
    let (last, warnings) = house.resubmit(&run, &["--from-failure"]);
    assert!(warnings.contains("It was repeated before"), "{warnings}");
    let ended = house.ended(&last);
    assert_eq!((&ended["status"], &ended["incident"]), (&json!("Succeeded"), &json!(2)));
    assert_eq!(comments(), json!(2));
    let said = house.site.count(&format!(
        "SELECT count(*) FROM comment WHERE message = 'This report was processed after all: run {last}, by which boss had run {run} repeated, succeeded and made incident #2. This incident may be closed.'"
    ));
    assert_eq!(said, 1);
}

#[test]
fn a_run_that_goes_on_or_made_nothing_is_not_repeated() {
    let playbook = "
name: report
trigger: {webhook: {path: report, connection: none}}
actions:
  - {id: wait, action: delay, with: {for: PT1H}}
";
    let house = House::new(playbook, &[]);
    let _larum = house.site.serve();
    let run = house.report("/hooks/report");
    let path = format!("/api/runs/{run}");
    let refused = |what: &str| {
        let (status, answer) = house.call(&format!("{path}/{what}"), "", "{}").unwrap();
        (status, answer["error"]["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused("resubmit"), (409, format!("Run {run} has not ended; it is Running.")));
    assert_eq!(refused("resume"), (409, format!("Run {run} is not suspended; it is Running.")));
    let (status, _) = house.call("/api/runs/0197a1de-0000-7000-8000-000000000000/resubmit", "", "{}").unwrap();
    assert_eq!(status, 404);
}
