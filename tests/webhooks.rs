//! Webhooks over HTTP, as programs meet them.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[allow(dead_code, reason = "the kit is made for forms, which need more of it")]
#[path = "forms/kit.rs"]
mod kit;

use std::{fs, path::Path};

use chrono::Duration as Span;
use insta::{assert_json_snapshot, assert_snapshot};
use kit::{Served, request, served};
use larum::{
    config::Config,
    diagnostic::Source,
    limits::{HOOK_BYTES, REQUEST_HEAD_BYTES},
    store::Store,
    trigger::webhook::{CallbackKeys, KeyName},
};
use proptest::prelude::*;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");
const GITHUB: &str = r#"
name: github
trigger:
  webhook:
    path: github
    connection: github
    schema:
      type: object
      required: [action]
      properties:
        action: {type: string}
        issue: {type: object, properties: {number: {type: integer}, title: {type: string}}}
    key: "github:{{request.headers.x-github-delivery}}"
actions:
  - id: create
    action: create_incident
    with: {title: "{{trigger.action}}: {{trigger.issue.title}}"}
"#;
const OPEN: &str = "
name: open
trigger: {webhook: {path: open, connection: none, methods: [GET, POST, PUT]}}
actions:
  - {id: note, action: compose, with: {inputs: hello}}
";
const SIGNED: &str = "
name: alarm
trigger: {webhook: {path: alarm, methods: [POST], relative_path: 'sites/{site}/doors/{door}'}}
actions:
  - {id: note, action: compose, with: {inputs: '{{request.relativePathParameters.door}}'}}
";
const SECRET: &str = "It's a Secret to Everybody";

/// Whatever the body, signed as GitHub does.
fn signature(body: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A server whose connection `github` has [`SECRET`].
async fn site(playbooks: &[&str]) -> Served {
    served(playbooks, |config| {
        fs::write(config.data.join("secret"), SECRET).unwrap();
        let source =
            "connections: {github: {webhook: {header: X-Hub-Signature-256, prefix: sha256=, secret: {file: secret}}}}";
        let read = Config::read(&Source::new("larum.yaml", source), &config.data).unwrap();
        config.connections = read.connections;
    })
    .await
}

async fn post_github(site: &Served, delivery: &str, body: &str) -> kit::Answer {
    let signature = signature(body);
    let headers = [JSON, ("x-hub-signature-256", &*signature), ("x-github-delivery", delivery)];
    site.post("/hooks/github", &headers, body).await
}

fn query(data: &Path, path: &str, key: KeyName, hours: Option<i64>) -> String {
    let expires = hours.map(|hours| kit::start() + Span::hours(hours));
    CallbackKeys::of(data).query(path, key, expires).unwrap()
}

// --- what a good call becomes ---

#[tokio::test]
async fn a_call_is_answered_with_the_address_of_its_run() {
    let site = site(&[GITHUB]).await;
    let answer = post_github(&site, "1", r#"{"action": "opened", "issue": {"number": 7, "title": "A leak"}}"#).await;
    assert_snapshot!("accepted", answer.shown());
    let run = answer.json()["run"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(&*format!("/runs/{run}")));
    assert_json_snapshot!("trigger_outputs", site.newest_outputs().await);
}

#[tokio::test]
async fn what_admits_a_caller_is_not_kept() {
    let site = site(&[GITHUB, OPEN, SIGNED]).await;
    let body = r#"{"action": "opened"}"#;
    let signature = signature(body);
    let headers =
        [JSON, ("x-hub-signature-256", &*signature), ("authorization", "Bearer hunter2"), ("cookie", "a=hunter2")];
    assert_eq!(site.post("/hooks/github?a=1&a=2", &headers, body).await.status, 202);
    let outputs = site.newest_outputs().await.to_string();
    assert!(!outputs.contains("hunter2") && !outputs.contains(&signature), "{outputs}");
    let query = query(site.data.path(), "alarm", KeyName::Primary, None);
    let answer = site.post_json(&format!("/hooks/alarm/sites/north/doors/7?{query}&colour=red"), "{}").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let outputs = site.newest_outputs().await;
    let queries = json!({"sp": "/triggers/webhook/run", "sv": "1.0", "colour": "red"});
    assert_eq!(outputs["queries"], queries);
}

#[tokio::test]
async fn a_body_is_delivered_by_its_type_and_parameters_by_their_names() {
    let site = site(&[OPEN, SIGNED]).await;
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 5] = [
        ("POST", "/hooks/open", &[("content-type", "text/plain")], "hello"),
        ("POST", "/hooks/open", &[("content-type", "application/x-www-form-urlencoded")], "a=1&a=2"),
        ("PUT", "/hooks/open", &[], "\u{0}\u{1}"),
        ("POST", "/hooks/open", &[JSON], ""),
        ("GET", "/hooks/OPEN?a=%20&b", &[("x", "1"), ("x", "2")], ""),
    ];
    let mut shown = Vec::new();
    for (method, path, headers, body) in cases {
        let body = Some(body.as_bytes()).filter(|body| !body.is_empty());
        let answer = site.raw(&request(method, path, headers, body)).await;
        assert_eq!(answer.status, 202, "{method} {path}: {}", answer.body);
        shown.push(site.newest_outputs().await);
    }
    let query = query(site.data.path(), "alarm", KeyName::Primary, None);
    assert_eq!(site.post_json(&format!("/hooks/alarm/sites/north%2Fwest/doors/7?{query}"), "1").await.status, 202);
    let mut outputs = site.newest_outputs().await;
    outputs["queries"] = Value::Null;
    shown.push(outputs);
    assert_json_snapshot!("bodies", shown);
}

// --- repeated calls ---

#[tokio::test]
async fn one_key_fifty_times_at_once_is_one_run_and_fifty_equal_answers() {
    let site = site(&[GITHUB, OPEN]).await;
    let body = r#"{"action": "opened"}"#;
    let answers = futures::future::join_all((0..50).map(|_| post_github(&site, "delivery", body))).await;
    assert_eq!(site.runs().await, 1);
    let first = &answers[0];
    assert_eq!(first.status, 202);
    for answer in &answers {
        let same = (answer.status, &answer.body, answer.header("location"));
        assert_eq!(same, (first.status, &first.body, first.header("location")));
    }
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count(), 1);

    let headers = [JSON, ("idempotency-key", "delivery")];
    let answers = futures::future::join_all((0..50).map(|_| site.post("/hooks/open", &headers, "{}"))).await;
    assert_eq!(site.runs().await, 2);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body && answer.status == 202));
}

#[tokio::test]
async fn a_call_without_what_its_key_is_made_from_is_a_new_one() {
    let site = site(&[GITHUB]).await;
    let body = r#"{"action": "opened"}"#;
    let signature = signature(body);
    let headers = [JSON, ("x-hub-signature-256", &*signature)];
    for _ in 0..2 {
        assert_eq!(site.post("/hooks/github", &headers, body).await.status, 202);
    }
    assert_eq!(site.runs().await, 2);
    let keyed = [JSON, ("x-hub-signature-256", &*signature), ("idempotency-key", "a")];
    for _ in 0..2 {
        assert_eq!(site.post("/hooks/github", &keyed, body).await.status, 202);
    }
    assert_eq!(site.runs().await, 3);
}

#[tokio::test]
async fn a_key_may_come_from_the_body() {
    let playbook = "
name: ticket
trigger: {webhook: {path: ticket, connection: none, key: \"@string(triggerBody()['id'])\"}}
actions:
  - {id: note, action: compose, with: {inputs: hello}}
";
    let site = site(&[playbook]).await;
    for (body, runs) in [(r#"{"id": 1}"#, 1), (r#"{"id": 1, "again": true}"#, 1), (r#"{"id": 2}"#, 2)] {
        assert_eq!(site.post_json("/hooks/ticket", body).await.status, 202);
        assert_eq!(site.runs().await, runs, "{body}");
    }
    let long = format!(r#"{{"id": "{}"}}"#, "x".repeat(1001));
    assert_snapshot!("no_key", site.post_json("/hooks/ticket", "{}").await.shown());
    assert_snapshot!("long_key", site.post_json("/hooks/ticket", long).await.shown());
    assert_eq!(site.runs().await, 2);
}

// --- who may call ---

#[tokio::test]
async fn a_wrong_or_missing_signature_is_401_and_nothing_is_stored() {
    let site = site(&[GITHUB]).await;
    let body = r#"{"action": "opened"}"#;
    let good = signature(body);
    type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str);
    let cases: [Case<'_>; 4] = [
        ("no signature", vec![JSON], body),
        ("another body's signature", vec![JSON, ("x-hub-signature-256", &good)], r#"{"action": "closed"}"#),
        ("no signature at all", vec![JSON, ("x-hub-signature-256", "sha256=zz")], body),
        ("a signed address instead", vec![JSON], body),
    ];
    let query = query(site.data.path(), "github", KeyName::Primary, None);
    let mut shown = String::new();
    for (name, headers, body) in cases {
        let path = if name.contains("address") { format!("/hooks/github?{query}") } else { "/hooks/github".to_owned() };
        let answer = site.post(&path, &headers, body).await;
        assert_eq!(answer.status, 401, "{name}");
        shown += &format!("### {name}\n{}\n\n", answer.shown());
    }
    assert_snapshot!("unsigned", shown);
    assert_eq!(site.runs().await, 0);
    assert_eq!(site.store.history(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_secret_that_is_changed_counts_without_a_restart_and_an_empty_one_admits_nobody() {
    let site = site(&[GITHUB]).await;
    let body = r#"{"action": "opened"}"#;
    assert_eq!(post_github(&site, "1", body).await.status, 202);
    fs::write(site.data.path().join("secret"), "another").unwrap();
    assert_eq!(post_github(&site, "2", body).await.status, 401);
    for empty in [Some(""), None] {
        match empty {
            Some(text) => fs::write(site.data.path().join("secret"), text).unwrap(),
            None => fs::remove_file(site.data.path().join("secret")).unwrap(),
        }
        assert_eq!(post_github(&site, "3", body).await.status, 503);
    }
    assert_eq!(site.runs().await, 1);
}

#[tokio::test]
async fn a_signed_address_counts_until_it_expires_or_its_key_is_changed() {
    let site = site(&[SIGNED]).await;
    let data = site.data.path().to_owned();
    let address = |query: &str| format!("/hooks/alarm/sites/a/doors/b?{query}");
    let no_keys = site.post_json(&address("sp=a&sv=b&sig=c"), "{}").await;
    assert_eq!(no_keys.status, 401);
    let for_ever = address(&query(&data, "alarm", KeyName::Primary, None));
    let for_a_day = address(&query(&data, "alarm", KeyName::Secondary, Some(24)));
    let other = address(&query(&data, "other", KeyName::Primary, None));
    for (path, status) in [(&for_ever, 202), (&for_a_day, 202), (&other, 401), (&address(""), 401)] {
        assert_eq!(site.post_json(path, "{}").await.status, status, "{path}");
    }
    site.clock.advance(Span::hours(24));
    assert_snapshot!("expired", site.post_json(&for_a_day, "{}").await.shown());
    assert_eq!(site.post_json(&for_ever, "{}").await.status, 202);
    CallbackKeys::of(&data).rotate(KeyName::Primary).unwrap();
    assert_snapshot!("rotated", site.post_json(&for_ever, "{}").await.shown());
    let again = address(&query(&data, "alarm", KeyName::Primary, None));
    assert_eq!(site.post_json(&again, "{}").await.status, 202);
    assert_eq!(site.runs().await, 4);
}

#[tokio::test]
async fn programs_come_from_anywhere_but_to_our_host_only() {
    let site = site(&[OPEN]).await;
    let answer =
        site.post("/hooks/open", &[JSON, ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], "{}");
    assert_eq!(answer.await.status, 202);
    assert_eq!(site.post("/hooks/open", &[JSON, ("host", "evil.example")], "{}").await.status, 421);
}

// --- refused calls ---

#[tokio::test]
async fn a_body_of_the_wrong_schema_is_400_naming_the_place() {
    let site = site(&[GITHUB]).await;
    let mut shown = String::new();
    for body in [
        r#"{"action": "opened", "issue": {"number": "seven", "title": 7}}"#,
        r#"{"issue": {}}"#,
        r#"["opened"]"#,
        r#"{"action": null}"#,
        "",
    ] {
        let answer = post_github(&site, "1", body).await;
        assert_eq!(answer.status, 400, "{body}");
        shown += &format!("### {body}\n{}\n\n", answer.shown());
    }
    assert_snapshot!("wrong_schema", shown);
    assert_eq!(site.runs().await, 0);
    // A refused call has not used its key up.
    assert_eq!(post_github(&site, "1", r#"{"action": "opened"}"#).await.status, 202);
}

#[tokio::test]
async fn a_hostile_call_is_refused_with_words() {
    let site = site(&[OPEN, SIGNED, GITHUB]).await;
    let deep = "[".repeat(100_000);
    let long_key = "k".repeat(201);
    let query = query(site.data.path(), "alarm", KeyName::Primary, None);
    let alarm = |rest: &str| format!("/hooks/alarm{rest}?{query}");
    let multipart = ("content-type", "multipart/form-data; boundary=x");
    type Case<'a> = (&'a str, String, Vec<(&'a str, &'a str)>, &'a [u8]);
    let open = || "/hooks/open".to_owned();
    let cases: Vec<Case<'_>> = vec![
        ("no such webhook", "/hooks/nothing".to_owned(), vec![JSON], b"{}"),
        ("no name", "/hooks/".to_owned(), vec![JSON], b"{}"),
        ("another path", "/hooks/..%2f..%2fetc%2fpasswd".to_owned(), vec![JSON], b"{}"),
        ("more path than is taken", "/hooks/open/more".to_owned(), vec![JSON], b"{}"),
        ("less path than is needed", alarm("/sites/a"), vec![JSON], b"{}"),
        ("an empty parameter", alarm("/sites//doors/b"), vec![JSON], b"{}"),
        ("a parameter that is not UTF-8", alarm("/sites/%ff/doors/b"), vec![JSON], b"{}"),
        ("a query that is not UTF-8", "/hooks/open?a=%ff".to_owned(), vec![JSON], b"{}"),
        ("no JSON", open(), vec![JSON], b"hello"),
        ("JSON and more", open(), vec![JSON], b"{} {}"),
        ("JSON that is not UTF-8", open(), vec![JSON], b"\"\xff\""),
        ("a number beyond any", open(), vec![JSON], b"1e999"),
        ("a hundred thousand levels", open(), vec![JSON], deep.as_bytes()),
        ("a body that is no form", open(), vec![("content-type", "application/x-www-form-urlencoded")], b"a=%ff"),
        ("a body of no parts", open(), vec![multipart], b"hello"),
        ("a part without end", open(), vec![multipart], b"--x\r\nA: b\r\n\r\nhello"),
        ("no boundary", open(), vec![("content-type", "multipart/form-data")], b"--x--"),
        ("an empty idempotency key", open(), vec![JSON, ("idempotency-key", "")], b"{}"),
        ("a long idempotency key", open(), vec![JSON, ("idempotency-key", &long_key)], b"{}"),
        ("two idempotency keys", open(), vec![JSON, ("idempotency-key", "a"), ("idempotency-key", "b")], b"{}"),
        (
            "a body said to be too large",
            open(),
            vec![JSON, ("content-length", "99999999999"), ("expect", "100-continue")],
            b"",
        ),
        (
            "a huge unsigned body, which is not read",
            "/hooks/github".to_owned(),
            vec![JSON, ("content-length", "20000000"), ("expect", "100-continue")],
            b"",
        ),
    ];
    let mut shown = String::new();
    for (name, path, headers, body) in cases {
        let answer = site.post(&path, &headers, body).await;
        assert!((400..500).contains(&answer.status), "{name}: {} {}", answer.status, answer.body);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        shown += &format!("### {name}\n{}\n\n", answer.shown());
    }
    for method in ["PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"] {
        let answer = site.raw(&request(method, "/hooks/open", &[JSON], None)).await;
        shown += &format!("### {method}\n{}\n\n", answer.shown());
    }
    assert_snapshot!("hostile", shown);
    assert_eq!(site.runs().await, 0);
}

#[tokio::test]
async fn what_is_larger_than_github_sends_is_refused() {
    let site = site(&[OPEN]).await;
    let large = vec![b'x'; HOOK_BYTES + 1];
    let octets = [("content-type", "application/octet-stream")];
    assert_snapshot!("too_large", site.post("/hooks/open", &octets, &large).await.shown());
    assert_eq!(site.post("/hooks/open", &octets, &large[1..]).await.status, 202);
    let many = format!("[{}0]", "0,".repeat(1_000_000));
    assert_snapshot!("too_many_values", site.post_json("/hooks/open", many).await.shown());
}

#[tokio::test]
async fn a_head_that_is_larger_than_any_client_needs_is_431() {
    let site = site(&[OPEN]).await;
    let padding = "a".repeat(REQUEST_HEAD_BYTES - 1024);
    assert_eq!(site.post("/hooks/open", &[JSON, ("x-padding", &padding)], "{}").await.status, 202);
    let mut endless = b"POST /hooks/open HTTP/1.1\r\nhost: localhost\r\nx-padding: ".to_vec();
    endless.resize(REQUEST_HEAD_BYTES, b'a');
    assert_eq!(site.raw(&endless).await.status, 431);
}

#[tokio::test]
async fn a_client_may_call_so_many_times_a_minute() {
    let site = served(&[OPEN], |config| config.server.hook_calls_per_minute = 2).await;
    for _ in 0..2 {
        assert_eq!(site.post_json("/hooks/open", "{}").await.status, 202);
    }
    let refused = site.post_json("/hooks/open", "{}").await;
    assert_snapshot!("too_many", refused.shown());
    site.clock.advance(Span::seconds(refused.header("retry-after").unwrap().parse().unwrap()));
    assert_eq!(site.post_json("/hooks/open", "{}").await.status, 202);
}

#[tokio::test]
async fn a_call_that_cannot_be_stored_is_not_acknowledged() {
    let site = site(&[OPEN]).await;
    site.store.close();
    assert_snapshot!("not_stored", site.post_json("/hooks/open", "{}").await.shown());
}

#[tokio::test]
async fn what_became_of_calls_is_counted() {
    let site = site(&[GITHUB]).await;
    let body = r#"{"action": "opened"}"#;
    for _ in 0..3 {
        post_github(&site, "1", body).await;
    }
    site.post_json("/hooks/github", body).await;
    let metrics = site.get("/metrics").await.body;
    for line in [
        r#"larum_reports_total{trigger="webhook",verdict="accepted"} 1"#,
        r#"larum_reports_total{trigger="webhook",verdict="duplicate"} 2"#,
        r#"larum_reports_total{trigger="webhook",verdict="refused"} 1"#,
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}: {metrics}");
    }
}

// --- the command line ---

#[tokio::test]
async fn the_command_prints_addresses_that_count_until_their_key_is_changed() {
    let site = site(&[SIGNED]).await;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("playbooks")).unwrap();
    fs::write(folder.path().join("playbooks/alarm.yaml"), SIGNED).unwrap();
    fs::write(folder.path().join("playbooks/open.yaml"), OPEN).unwrap();
    let config = format!("data: {:?}\nserver: {{listen: '{}'}}\n", site.data.path(), site.address);
    fs::write(folder.path().join("larum.yaml"), config).unwrap();
    let larum = |arguments: &[&str]| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_larum"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let url = |arguments: &[&str]| {
        let (code, out, err) = larum(&[&["hooks", "url", "alarm"], arguments].concat());
        assert_eq!(code, Some(0), "{err}");
        let path = out.trim_end().strip_prefix(&format!("http://{}", site.address)).unwrap();
        path.replace("{site}", "north").replace("{door}", "7")
    };
    let primary = url(&[]);
    let secondary = url(&["--key", "secondary", "--expires", "30d"]);
    assert!(primary.starts_with("/hooks/alarm/sites/north/doors/7?sp=") && !primary.contains("se="), "{primary}");
    // The command's clock is the world's, which is not before the server's.
    assert!(secondary.contains("&se="), "{secondary}");
    for path in [&primary, &secondary] {
        assert_eq!(site.post_json(path, "{}").await.status, 202, "{path}");
    }
    assert_eq!(larum(&["hooks", "rotate", "primary"]).0, Some(0));
    assert_eq!(site.post_json(&primary, "{}").await.status, 401);
    assert_eq!(site.post_json(&secondary, "{}").await.status, 202);

    let (code, out, err) = larum(&["hooks", "url", "open"]);
    assert_eq!((code, out), (Some(0), format!("http://{}/hooks/open\n", site.address)));
    assert_eq!(err, "anybody may call it (connection: none); the address needs no signature\n");
    let (code, _, err) = larum(&["hooks", "url", "alram"]);
    assert_eq!((code, &*err), (Some(1), "error: no playbook is called alram; did you mean alarm?\n"));
    assert_eq!(larum(&["hooks", "url", "alarm", "--expires", "soon"]).0, Some(2));
}

// --- whatever is sent ---

proptest! {
    #[test]
    fn whatever_body_is_sent_is_read_or_refused(kind in content_types(), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let read = futures::executor::block_on(larum::content::value(kind.as_deref(), body.into()));
        // What was read can be stored and read back.
        if let Ok(value) = read {
            let text = serde_json::to_string(&json!({"body": value})).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"body": value}));
        }
    }

    #[test]
    fn whatever_json_is_sent_comes_back(value in json_values()) {
        let body = serde_json::to_vec(&value).unwrap();
        let read = futures::executor::block_on(larum::content::value(Some("application/json"), body.into()));
        prop_assert_eq!(read.unwrap(), value);
    }
}

/// Content types a webhook may meet, and some it should not.
fn content_types() -> impl Strategy<Value = Option<String>> {
    let known = [
        "application/json",
        "text/plain; charset=utf-16",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
        "multipart/mixed; boundary=\"\"",
    ];
    let known = proptest::sample::select(known.map(str::to_owned).to_vec());
    proptest::option::of(prop_oneof![known, ".*"])
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::hash_map(".*", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

// --- the gallery ---

#[tokio::test]
async fn the_gallerys_alarm_becomes_one_incident_however_often_it_is_sent() {
    let site = site(&[include_str!("../playbooks/create-incident-from-webhook.yaml")]).await;
    let address = format!("/hooks/alarm?{}", query(site.data.path(), "alarm", KeyName::Primary, None));
    let (full, bare) = (
        r#"{"id": "a-1", "title": "Door forced", "description": "North", "severity": "High"}"#,
        r#"{"title": "Smoke"}"#,
    );
    for (body, runs) in [(full, 1), (full, 1), (bare, 2), (bare, 3)] {
        assert_eq!(site.post_json(&address, body).await.status, 202);
        assert_eq!(site.runs().await, runs, "{body}");
    }
    for number in 1..=3 {
        for _ in 0..2000 {
            if site.store.incident(number).await.unwrap().is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    let mut titles: Vec<String> = Vec::new();
    for number in 1..=3 {
        let incident = site.store.incident(number).await.unwrap().unwrap();
        titles.push(format!("{} {:?} {:?}", incident.title, incident.severity, incident.tags));
    }
    titles.sort();
    let (door, smoke) = (r#"Door forced High ["webhook"]"#, r#"Smoke Medium ["webhook"]"#);
    assert_eq!(titles, [door, smoke, smoke]);
    let refused = site.post_json(&address, r#"{"title": "", "severity": "Worst"}"#).await;
    assert_eq!((refused.status, site.runs().await), (400, 3));
}
