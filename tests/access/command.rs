//! The commands that ask a running server, with the real program on both sides.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::support::larum::{Larum, Site};

struct Running {
    site: Site,
    token: String,
    url: String,
    _larum: Larum,
}

impl Running {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(playbooks: &[(&str, &str)]) -> Self {
        let site = Site::new("", playbooks);
        let token = site.administrator();
        let larum = site.serve();
        let url = format!("http://{}", site.address);
        Self { site, token, url, _larum: larum }
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.site.run_with(&[("LARUM_URL", &self.url), ("LARUM_TOKEN", &self.token)], arguments)
    }

    /// What a command prints that must succeed.
    fn done(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {err}");
        out
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["--output", "json"]].concat())).unwrap()
    }

    /// How a command fails.
    fn failed(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let (code, out, err) = self.run(arguments);
        assert_eq!(out, "", "{arguments:?}");
        (code, err)
    }
}

#[test]
fn an_incident_through_its_life() {
    let larum = Running::new();
    let made = larum.json(&[
        "incidents",
        "create",
        "--title",
        "Stranger at the door",
        "--severity",
        "High",
        "--tag",
        "door",
        "--tag",
        "night",
        "--owner",
        "ada@example.com",
        "--description",
        "He had a ladder.",
    ]);
    let properties = &made["properties"];
    assert_eq!(
        json!([
            properties["incidentNumber"],
            properties["severity"],
            properties["status"],
            properties["owner"]["email"],
            properties["description"]
        ]),
        json!([1, "High", "New", "ada@example.com", "He had a ladder."])
    );
    assert_eq!(
        larum.done(&["incidents", "create", "--title", "A second one"]),
        "incident 2 is created: A second one\n"
    );

    let changed = larum.json(&[
        "incidents",
        "update",
        "1",
        "--severity",
        "Low",
        "--status",
        "Active",
        "--add-tag",
        "gate",
        "--remove-tag",
        "NIGHT",
    ]);
    let labels: Vec<&str> = changed["properties"]["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label["labelName"].as_str().unwrap())
        .collect();
    assert_eq!(
        (labels, changed["properties"]["severity"].as_str(), changed["properties"]["title"].as_str()),
        (vec!["door", "gate"], Some("Low"), Some("Stranger at the door"))
    );

    let comment = larum.json(&["incidents", "comment", "1", "Asked the *porter*."]);
    assert_eq!(
        (comment["properties"]["message"].as_str(), comment["properties"]["author"]["name"].as_str()),
        (Some("Asked the *porter*."), Some("boss"))
    );

    let (code, err) = larum.failed(&["incidents", "close", "1", "--classification", "BenignPositive"]);
    assert_eq!(
        (code, &*err),
        (
            Some(1),
            "error: incident 1 was not closed: classification 'BenignPositive' must have classificationReason.; give it with --reason\n"
        )
    );
    assert_eq!(
        larum.done(&[
            "incidents",
            "close",
            "1",
            "--classification",
            "BenignPositive",
            "--reason",
            "SuspiciousButExpected",
            "--comment",
            "the roofer"
        ]),
        "incident 1 is closed: Stranger at the door\n"
    );

    assert_eq!(larum.done(&["incidents", "merge", "2", "--into", "1"]), "incident 1 took in 2: Stranger at the door\n");
    assert_eq!(larum.done(&["incidents", "delete", "2"]), "incident 2 is deleted; its activity log stays\n");
    assert_eq!(
        larum.failed(&["incidents", "delete", "2"]),
        (
            Some(1),
            "error: incident 2 was not deleted: there is none of this number; it may have been deleted before\n"
                .to_owned()
        )
    );
    assert_eq!(
        larum.failed(&["incidents", "comment", "9", "x"]),
        (Some(1), "error: incident 9 was not commented on: Resource '9' does not exist.\n".to_owned())
    );
    assert_eq!(
        larum.failed(&["incidents", "update", "1"]),
        (
            Some(1),
            "error: incident 1 was not changed: nothing says what to change, such as --severity High\n".to_owned()
        )
    );
    assert_eq!(larum.failed(&["incidents", "update", "1", "--severity", "Bad"]).0, Some(2), "clap says what it may be");
}

#[test]
fn words_are_found_by_the_server_and_in_the_folder() {
    let larum = Running::new();
    larum.done(&["incidents", "create", "--title", "Stranger at the door", "--description", "He had a ladder."]);
    larum.done(&["incidents", "create", "--title", "Lost badge"]);
    let found = |hits: &Value| -> Vec<u64> {
        let hits = hits.as_array().unwrap();
        hits.iter().map(|hit| hit["incident"]["properties"]["incidentNumber"].as_u64().unwrap()).collect()
    };
    let search = ["incidents", "search", "ladder"];
    // What was written in the last moments may be missing.
    larum.site.until("the incident to be indexed", || found(&larum.json(&search)) == [1]);
    let (_, read, err) = larum.site.run(&[&search[..], &["--config", "larum.yaml", "--output", "json"]].concat());
    assert_eq!(found(&serde_json::from_str(&read).unwrap_or_else(|error| panic!("{error}: {err}"))), [1]);
    assert_eq!(larum.done(&["incidents", "search", "roofer"]), "no incidents\n");
    let (code, _, err) = larum.site.run(&["incidents", "search", "la*", "--config", "larum.yaml"]);
    let too_short = "error: 'la*' would find too much: a beginning has at least 3 characters before its *\n";
    assert_eq!((code, err.as_str()), (Some(1), too_short));
    let most = i64::MAX.to_string();
    let (code, _, err) = larum.site.run(&["incidents", "list", "--limit", &most, "--config", "larum.yaml"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "however many are asked for");
}

/// A playbook whose run waits for an hour.
const SLOW: &str = "
name: slow
trigger: {webhook: {path: slow, connection: none}}
actions:
  - {id: wait, action: delay, with: {count: 1, unit: hour}}
";

#[test]
fn a_run_is_cancelled_by_the_end_of_its_id() {
    let larum = Running::with(&[("slow.yaml", SLOW)]);
    assert_eq!(larum.site.post("/hooks/slow", "", "{}").unwrap().status, 202);
    let runs = larum.site.json(&["runs", "list"]);
    let run = runs[0]["run"].as_str().unwrap().to_owned();
    let short = run.replace('-', "").split_off(24);
    assert_eq!(larum.done(&["runs", "cancel", &short]), format!("run {run} of slow is asked to end\n"));
    larum.site.until("the run to end", || larum.site.json(&["runs", "list"])[0]["status"] == "Cancelled");
    let (code, err) = larum.failed(&["runs", "cancel", &run]);
    assert_eq!(
        (code, err),
        (Some(1), format!("error: run {run} was not cancelled: Run {run} has ended as Cancelled already.\n"))
    );
    assert_eq!(
        larum.failed(&["runs", "cancel", "0123456789ab"]).1,
        "error: run 0123456789ab was not cancelled: the server has no such run\n"
    );
}

#[test]
fn tokens_are_made_where_they_can_be() {
    let larum = Running::new();
    // With the server running the folder is held, and the message says so.
    let (code, _, err) = larum.site.run(&["tokens", "create", "ci", "--role", "reader"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("LARUM_URL") && err.contains("stop the server"), "{err}");
    let made = larum.json(&["tokens", "create", "ci", "--role", "responder", "--expires", "never"]);
    assert_eq!(
        json!([made["name"], made["role"], made["expires"], made["createdBy"], made["status"]]),
        json!(["ci", "responder", null, "boss", "active"])
    );
    let (code, out, err) = larum.run(&["tokens", "create", "night", "--role", "reader"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.starts_with("larum_") && out.lines().count() == 1 && !err.contains("larum_"),
        "only the token is printed"
    );
    assert_eq!(
        larum.failed(&["tokens", "create", "CI", "--role", "reader"]),
        (
            Some(1),
            "error: the token CI was not made: A token called 'CI' is in use. Revoke it, or choose another name.\n"
                .to_owned()
        )
    );
    assert_eq!(larum.done(&["tokens", "revoke", "ci"]), "the token ci is refused from now on\n");
    assert_eq!(larum.failed(&["tokens", "revoke", "ci"]).0, Some(1));
    let other = larum.json(&["tokens", "create", "other", "--role", "reader"]);
    let id = other["id"].as_str().unwrap();
    assert_eq!(larum.done(&["tokens", "revoke", id]), format!("the token {id} is refused from now on\n"));
    for name in [".", "..", id] {
        assert_eq!(larum.failed(&["tokens", "create", name, "--role", "reader"]).0, Some(1), "{name}");
    }
    // A token alone asks the usual server, as everywhere.
    let (_, _, err) = larum.site.run_with(&[("LARUM_TOKEN", &larum.token)], &["tokens", "list"]);
    assert!(!err.contains("no token") && err.contains("127.0.0.1:8787"), "{err}");
    let listed = larum.json(&["tokens", "list"]);
    let shown: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|token| (token["name"].as_str().unwrap(), token["status"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [("boss", "active"), ("ci", "revoked"), ("night", "active"), ("other", "revoked")]);
    // The data folder says the same beside the running server.
    let read: Value =
        serde_json::from_str(&larum.site.run(&["tokens", "list", "--config", "larum.yaml", "--output", "json"]).1)
            .unwrap();
    assert_eq!(read, listed);
}

#[test]
fn a_command_says_what_keeps_it_from_its_server() {
    let larum = Running::new();
    let delete = ["incidents", "delete", "1"];
    type Case<'a> = (&'a [(&'a str, &'a str)], Option<i32>, &'a str);
    let table: [Case<'_>; 6] = [
        (&[("LARUM_URL", &larum.url), ("LARUM_TOKEN", "larum_x\nlarum_y")], Some(1), "LARUM_TOKEN holds no token"),
        (&[("LARUM_URL", &larum.url)], Some(1), "LARUM_TOKEN is not set"),
        (
            &[("LARUM_URL", &larum.url), ("LARUM_TOKEN", "larum_x")],
            Some(1),
            "The access token is invalid. LARUM_TOKEN must hold a token of this server",
        ),
        (
            &[("LARUM_URL", "http://reports.example.com"), ("LARUM_TOKEN", "x")],
            Some(1),
            "the token would cross the network readable",
        ),
        (&[("LARUM_URL", "reports.example.com"), ("LARUM_TOKEN", "x")], Some(1), "is not the address of a server"),
        (
            &[("LARUM_URL", "http://127.0.0.1:1"), ("LARUM_TOKEN", "x")],
            Some(3),
            "there is no server to speak to at http://127.0.0.1:1/",
        ),
    ];
    for (variables, code, message) in table {
        let (found, _, err) = larum.site.run_with(variables, &delete);
        assert_eq!(found, code, "{err}");
        assert!(err.contains(message), "{err}");
    }
    // An argument can name the server; a token never comes by one.
    let (code, _, err) =
        larum.site.run_with(&[("LARUM_TOKEN", &larum.token)], &["incidents", "delete", "1", "--url", &larum.url]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("incident 1 was not deleted"), "{err}");
    assert_eq!(larum.run(&["incidents", "delete", "1", "--token", "x"]).0, Some(2));
}

#[test]
fn a_lost_answer_makes_no_second_incident() {
    let larum = Running::new();
    let losing = Losing::before(larum.site.address.to_string());
    let (code, out, err) = larum.site.run_with(
        &[("LARUM_URL", &losing.url), ("LARUM_TOKEN", &larum.token)],
        &["incidents", "create", "--title", "once"],
    );
    assert_eq!((code, &*out), (Some(0), "incident 1 is created: once\n"), "{err}");
    assert_eq!(losing.lost.load(Ordering::SeqCst), 1, "an answer was lost");
    assert_eq!(larum.site.count("SELECT count(*) FROM incident"), 1);
    // A script that repeats the command with a name of its own makes one, too.
    let name = "73e01a99-5cd7-4139-a149-9f2736ff2ab5";
    let twice = ["incidents", "create", "--title", "twice", "--name", name];
    assert_eq!(larum.done(&twice), "incident 2 is created: twice\n");
    assert_eq!(larum.done(&twice), "incident 2 is there already, with this name: twice\n");
    assert_eq!(larum.site.count("SELECT count(*) FROM incident"), 2);
}

#[test]
fn what_is_repeated_after_a_lost_answer_is_told_as_it_is() {
    let larum = Running::new();
    larum.done(&["incidents", "create", "--title", "once"]);
    larum.done(&["tokens", "create", "ci", "--role", "reader"]);
    let table = [
        (["incidents", "delete", "1"], "incident 1 is not there; an answer was lost, so this may have deleted it\n"),
        (["tokens", "revoke", "ci"], "no token ci is in use; an answer was lost, so this may have revoked it\n"),
    ];
    for (command, expected) in table {
        let losing = Losing::before(larum.site.address.to_string());
        let variables = [("LARUM_URL", &*losing.url), ("LARUM_TOKEN", &*larum.token)];
        let (code, out, err) = larum.site.run_with(&variables, &command);
        assert_eq!((code, &*out), (Some(0), expected), "{err}");
    }
}

/// Stands before a server and hangs up instead of passing on its answer to the first request that changes something.
struct Losing {
    url: String,
    lost: Arc<AtomicU32>,
}

impl Losing {
    fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let lost = Arc::new(AtomicU32::new(0));
        let count = lost.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, count) = (server.clone(), count.clone());
                thread::spawn(move || pass(client, &server, &count));
            }
        });
        Self { url, lost }
    }
}

/// One request in one piece, one answer; then the connection ends.
fn pass(mut client: TcpStream, server: &str, lost: &AtomicU32) -> Option<()> {
    let request = received(&mut client)?;
    let answer = answered(&request, server)?;
    if !request.starts_with(b"GET") && lost.fetch_add(1, Ordering::SeqCst) == 0 {
        return None;
    }
    client.write_all(&answer).ok()
}

/// A request, which asks that its connection end with the answer.
fn received(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let read = client.read(&mut piece).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or_default() {
            break;
        }
    }
    let head_end = memchr::memmem::find(&request, b"\r\n").unwrap();
    request.splice(head_end..head_end, b"\r\nConnection: close".iter().copied());
    Some(request)
}

fn answered(request: &[u8], server: &str) -> Option<Vec<u8>> {
    let mut upstream = TcpStream::connect(server).ok()?;
    upstream.write_all(request).ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_name_that_somebody_takes_meanwhile_is_left_to_them() {
    let larum = Running::new();
    let name = "73e01a99-5cd7-4139-a149-9f2736ff2ab5";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (server, token) = (larum.site.address, larum.token.clone());
    // Between the look and the PUT somebody else makes an incident of that name.
    thread::spawn(move || {
        let mut is_first = true;
        for mut client in listener.incoming().map_while(Result::ok) {
            let Some(request) = received(&mut client) else { continue };
            if request.starts_with(b"PUT") && std::mem::take(&mut is_first) {
                let line = request.split(|byte| *byte == b'\r').next().unwrap();
                let body = r#"{"properties": {"title": "theirs", "severity": "Low", "status": "New"}}"#;
                let theirs = format!(
                    "{}\r\nConnection: close\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
                    String::from_utf8_lossy(line),
                    body.len()
                );
                answered(theirs.as_bytes(), &server.to_string()).unwrap();
            }
            let answer = answered(&request, &server.to_string()).unwrap();
            client.write_all(&answer).unwrap();
        }
    });
    let (code, out, err) = larum.site.run_with(
        &[("LARUM_URL", &url), ("LARUM_TOKEN", &larum.token)],
        &["incidents", "create", "--title", "ours", "--name", name],
    );
    assert_eq!((code, &*out), (Some(0), "incident 1 is there already, with this name: theirs\n"), "{err}");
    assert_eq!(larum.json(&["incidents", "show", "1"])["properties"]["title"], "theirs");
}
