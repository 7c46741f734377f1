//! `larum backtest` over a data folder in which a real engine ran.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use larum::{
    app::Core,
    config::Config,
    mail,
    playbook::Trigger,
    store::{
        intake::{Decision, Intake, Listening, Report, Uniqueness},
        query::{IncidentFilter, RunFilter},
        run::RunStatus,
    },
    trigger::{
        intake::Arrival,
        mailbox::{feed_name, refused},
    },
};
use serde_json::{Value, json};
use uuid::Uuid;

/// How long the runs of a test may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// A mail with this number; every tenth is urgent, every seventh is about a door.
fn numbered(number: usize) -> String {
    let about = if number.is_multiple_of(7) { "door" } else { "noise" };
    let importance = if number.is_multiple_of(10) { "high" } else { "normal" };
    written(number, &format!("incident {number}: {about}"), importance)
}

fn written(number: usize, subject: &str, importance: &str) -> String {
    format!(
        "Return-Path: <r{number}@example.com>\r\nFrom: R <r{number}@example.com>\r\nTo: soc@example.org\r\n\
         Subject: {subject}\r\nMessage-ID: <{number}@example.com>\r\nImportance: {importance}\r\n\
         Date: Tue, 24 Nov 2026 09:05:00 +0000\r\n\r\nText {number}.\r\n"
    )
}

fn config(folder: &Path) -> Config {
    Config { data: folder.join("larum-data"), playbooks: vec![folder.join("playbooks")], ..Config::default() }
}

/// Lets mails come into the embedded mailbox and waits until their runs have ended.
async fn take(folder: &Path, mails: impl Iterator<Item = String>) {
    let core = Core::open(config(folder)).unwrap();
    let reading = core.shelf().read().await.unwrap();
    assert!(reading.faults.is_empty(), "{:?}", reading.faults);
    let at = core.clock.now();
    let mut feed = None;
    let mut reports = Vec::new();
    for raw in mails {
        let message = mail::read(raw.as_bytes(), at).unwrap();
        let outputs: Arc<str> = Arc::from(json!({"body": message.trigger}).to_string());
        let event = Uuid::now_v7();
        let mut playbooks = Vec::new();
        for live in core.door.library.current().iter() {
            let Trigger::Mailbox(listens) = &live.playbook.trigger else { continue };
            feed.get_or_insert(feed_name(listens));
            let arrival = Arrival { kind: "mailbox", event, outputs: &outputs, at };
            playbooks.push(match refused(&listens.filter, &message.trigger) {
                Some(because) => {
                    Listening { playbook: live.playbook.name.clone(), decision: Decision::Skip { because } }
                }
                None => core.door.start(live, &arrival).unwrap(),
            });
        }
        reports.push(Report {
            event,
            kind: "mailbox",
            uniqueness: Uniqueness::Mail { message_id: message.message_id, content_hash: message.content_hash },
            summary: message.subject,
            outputs,
            raw: Some(raw.into_bytes()),
            playbooks,
            mail_tasks: Vec::new(),
            skipped: None,
        });
    }
    core.door.take(Intake { feed: feed.unwrap(), reports, cursor: None, at }).await.unwrap();
    let until = Instant::now() + DEADLINE;
    for status in [RunStatus::Running, RunStatus::Waiting] {
        let open = RunFilter { status: Some(status), limit: 1, ..RunFilter::default() };
        while !core.store.runs(open.clone()).await.unwrap().is_empty() {
            assert!(Instant::now() < until, "runs go on for too long");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    core.close().await;
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder.join("playbooks")).unwrap();
    fs::write(folder.join("playbooks").join(name), text).unwrap();
}

fn backtest(folder: &Path, args: &[&str]) -> String {
    let (code, text) = larum(folder, "backtest", args);
    assert_eq!(code, Some(0), "{text}");
    text
}

fn larum(folder: &Path, command: &str, args: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_larum")).arg(command).args(args).current_dir(folder).output().unwrap();
    (out.status.code(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap())
}

fn data(folder: &Path, playbook: &str) -> Value {
    let text = backtest(folder, &[playbook, "--output", "json"]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What is in the data folder beside the database's own files, and how many incidents and runs.
async fn kept(folder: &Path) -> (BTreeSet<String>, usize, usize) {
    let core = Core::open(config(folder)).unwrap();
    let incidents = core.store.incidents(IncidentFilter { limit: 10_000, ..IncidentFilter::default() }).await.unwrap();
    let runs = core.store.runs(RunFilter { limit: 10_000, ..RunFilter::default() }).await.unwrap();
    core.close().await;
    let mut files = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.to_string_lossy().contains(".db") {
                files.insert(path.display().to_string());
            }
        }
    }
    (files, incidents.len(), runs.len())
}

const REPORT: &str = r#"name: report
trigger: {mailbox: {filter: {subject_contains: incident}}}
actions:
  - id: create
    action: create_incident
    with:
      title: "{{trigger.subject}}"
      severity: "@if(equals(trigger.importance, 'high'), 'High', 'Medium')"
  - id: acknowledge
    action: send_email
    with:
      to: "{{trigger.from}}"
      subject: "Received (#{{actions.create.properties.incidentNumber}}) at {{utcNow}}"
      body: "Severity {{actions.create.properties.severity}}"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_events_exactly_those_are_told_that_a_changed_severity_rule_changes() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "report.yaml", REPORT);
    take(here, (0..1_000).map(numbered)).await;
    let before = kept(here).await;

    let same = data(here, "report");
    let counts = |told: &Value| json!([told["events"], told["differ"], told["as_before"], told["not_compared"]]);
    assert_eq!(counts(&same), json!([1_000, 0, 1_000, 0]), "{same:#}");

    write(
        here,
        "report.yaml",
        &REPORT.replace("'high'), 'High'", "'high'), if(contains(trigger.subject, 'door'), 'Low', 'High')"),
    );
    let changed = data(here, "report");
    let told: BTreeSet<&str> =
        changed["different"].as_array().unwrap().iter().map(|event| event["summary"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..1_000_usize)
        .filter(|number| number.is_multiple_of(70))
        .map(|number| format!("incident {number}: door"))
        .collect();
    assert_eq!(told, expected.iter().map(String::as_str).collect());
    assert_eq!(counts(&changed), json!([1_000, 15, 985, 0]));
    assert_eq!(changed["differences"], json!({"incidents.create.severity": 15, "mails.acknowledge.body": 15}));
    assert_eq!(kept(here).await, before, "a backtest performs nothing");
}

/// Retries, timers, loops, branches that fail, a question nobody answers, instants: all come out as they did.
const EVERYTHING: &str = r#"name: everything
variables: {seen: {type: array, default: []}}
trigger: {mailbox: {}}
actions:
  - {id: wait, action: delay, with: {for: PT0.2S}}
  - id: call
    action: http
    with: {url: "http://127.0.0.1:9/none", method: POST, body: "{{guid}}"}
    retry: {policy: fixed, count: 1, interval: PT5S}
  - {id: hidden, action: compose, secure: [inputs, outputs], run_after: {call: [failed]}, with: {inputs: "{{guid}}"}}
  - {id: create, action: create_incident, secure: [outputs], run_after: {call: [failed]}, with: {title: "{{trigger.subject}} at {{utcNow}} {{guid}}"}}
  - {id: comment, action: add_comment, with: {incident: "@actions.create.id", message: "seen at {{utcNow}}"}}
  - id: each
    for_each: "@range(0, 4)"
    concurrency: 2
    do:
      - {id: rest, action: delay, with: {for: PT0.1S}}
      - {id: mail, action: send_email, with: {to: "a@{item()}.example.com", subject: "at @{utcNow()}", body: "@{rand(0, 1000)}"}}
  - {id: ask, action: approve, timeout: 1s, with: {to: lead@example.com, subject: Block?, body: Well, options: [Yes, No]}}
  - {id: late, action: create_incident, run_after: {ask: [timed_out, failed]}, with: {title: "late at {{utcNow}}"}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_that_did_not_change_comes_out_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "everything.yaml", EVERYTHING);
    take(folder.path(), (0..3).map(numbered)).await;
    let told = data(folder.path(), "everything");
    assert_eq!(json!([told["events"], told["differ"], told["not_compared"]]), json!([3, 0, 0]), "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_otherwise_is_told_event_by_event() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "report.yaml", REPORT);
    // It takes what the other one does not, so that such events are stored.
    let all = "name: all\ntrigger: {mailbox: {}}\nactions: [{id: a, action: compose, with: {inputs: 1}}]\n";
    write(here, "all.yaml", all);
    let mails = [("incident: window", "normal"), ("alarm", "normal"), ("incident: door", "high")];
    take(here, mails.iter().enumerate().map(|(number, (subject, importance))| written(number, subject, importance)))
        .await;
    let changed = REPORT
        .replace("{subject_contains: incident}", "{importance: normal}")
        .replace("{{trigger.subject}}", "Report: {{trigger.subject}}")
        + "  - {id: notify, action: http, with: {method: POST, url: 'https://example.com/hook'}}\n";
    write(here, "report.yaml", &changed);
    let text = backtest(here, &["report", "--since", "1h"]);
    // The instants are those of this test's run.
    let instant = |text: &str| text.len() == 9 && text.ends_with('Z') && text.contains(':');
    let day = |text: &str| text.len() == 10 && text.starts_with("20");
    let stamp = |text: &str| text.contains('T') && text.len() > 20 && text.starts_with("20");
    let shown: Vec<String> = text
        .lines()
        .map(|line| {
            let word = |word: &str| match word.trim_matches(['"', ',']) {
                bare if instant(bare) || day(bare) => "·".to_owned(),
                // Runs race for numbers.
                bare if bare.starts_with("(#") => "(#·)".to_owned(),
                bare if stamp(bare) => word.replace(bare, "·"),
                _ => word.to_owned(),
            };
            line.split(' ').map(word).collect::<Vec<_>>().join(" ")
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_run_that_was_asked_for_by_hand_is_compared_whatever_the_trigger_listens_to() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "report.yaml", REPORT);
    fs::write(here.join("mail.eml"), written(1, "holiday", "high")).unwrap();
    let args = ["run", "report", "--event", "mail.eml", "--data", "larum-data"];
    let out = Command::new(env!("CARGO_BIN_EXE_larum")).args(args).current_dir(here).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    write(here, "report.yaml", &REPORT.replace("'High'", "'Low'"));
    let told = data(here, "report");
    assert_eq!(told["differences"], json!({"incidents.create.severity": 1, "mails.acknowledge.body": 1}), "{told:#}");
}

/// A playbook that goes by a secret too short to be taken out of anything.
const BY_SECRET: &str = r#"name: report
parameters: {token: {type: securestring}}
trigger: {manual: {}}
actions:
  - id: create
    action: create_incident
    with: {title: Report, severity: "@if(equals(parameters('token'),'no'),'High','Low')"}
  - {id: chosen, action: compose, with: {inputs: "@if(equals(parameters('token'),'no'),'High','Low')"}}
"#;

/// A folder in which the playbook ran twice with the token `yes`.
fn ran_twice_by(playbook: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, "report.yaml", playbook);
    fs::write(here.join("larum.yaml"), "parameters: {report: {token: {file: token}}}\n").unwrap();
    fs::write(here.join("token"), "yes").unwrap();
    fs::write(here.join("event.json"), "{}").unwrap();
    for _ in 0..2 {
        let (code, text) = larum(here, "run", &["report", "--event", "event.json", "--data", "larum-data"]);
        assert_eq!(code, Some(0), "{text}");
    }
    folder
}

fn reasons(told: &Value) -> Vec<&str> {
    told["different"].as_array().unwrap().iter().filter_map(|event| event["not_compared"].as_str()).collect()
}

#[test]
fn what_comes_out_otherwise_because_a_secret_was_rotated_is_not_taken_for_what_happened() {
    let actions: Vec<&str> = BY_SECRET.split("  - ").collect();
    let head = actions[0];
    for (action, step) in [(actions[1], "create"), (actions[2], "chosen")] {
        let folder = ran_twice_by(&format!("{head}  - {action}"));
        let same = data(folder.path(), "report");
        assert_eq!(json!([same["as_before"], same["not_compared"]]), json!([2, 0]), "{same:#}");
        fs::write(folder.path().join("token"), "no").unwrap();
        let rotated = data(folder.path(), "report");
        let because =
            format!("what is kept of its run does not say how it came about ('{step}' was given other inputs then)");
        assert_eq!(reasons(&rotated), [&*because, &*because], "{rotated:#}");
        assert_eq!(json!([rotated["differ"], rotated["as_before"]]), json!([0, 0]));
    }
}

#[test]
fn a_playbook_whose_secret_parameter_is_renamed_is_compared_with_the_secret_of_then() {
    let folder = ran_twice_by(BY_SECRET);
    let here = folder.path();
    write(here, "report.yaml", &BY_SECRET.replace("token", "key").replace("'Low'", "'Medium'"));
    fs::write(here.join("larum.yaml"), "parameters: {report: {token: {file: token}, key: {file: key}}}\n").unwrap();
    fs::write(here.join("key"), "yes").unwrap();
    let told = data(here, "report");
    assert_eq!(told["differences"], json!({"incidents.create.severity": 2}), "{told:#}");
    fs::remove_file(here.join("token")).unwrap();
    let (code, text) = larum(here, "backtest", &["report"]);
    let expected = "error: the secret parameter 'token' of playbook 'report' cannot be read: ";
    assert!(code == Some(1) && text.contains(expected), "{code:?} {text}");
}

#[test]
fn a_secret_that_cannot_be_read_is_named_before_anything_is_tried() {
    let folder = ran_twice_by(BY_SECRET);
    fs::remove_file(folder.path().join("token")).unwrap();
    let expected = "error: the secret parameter 'token' of playbook 'report' cannot be read: ";
    for (command, args) in
        [("run", &["report", "--event", "event.json", "--dry-run"][..]), ("backtest", &["report", "--since", "1h"])]
    {
        let (code, text) = larum(folder.path(), command, args);
        assert!(code == Some(1) && text.contains(expected), "{code:?} {text}");
    }
}

/// Counts who connects and hangs up on them.
fn counted() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_calls_nobody_and_sends_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let ((web, called), (smtp, mailed)) = (counted(), counted());
    let call = |id: &str| {
        format!(
            "  - {{id: {id}, action: http, run_after: {{acknowledge: [succeeded]}}, retry: {{policy: none}}, \
             with: {{connection: hooks, method: POST, url: 'http://{web}/{id}'}}}}\n"
        )
    };
    let then = format!("{REPORT}{}", call("call"));
    let mut config =
        format!("connections:\n  hooks: {{http: {{base_url: 'http://{web}/', allow_networks: [127.0.0.0/8]}}}}\n");
    fs::write(here.join("larum.yaml"), &config).unwrap();
    fs::write(here.join("mail.eml"), written(1, "incident: door", "high")).unwrap();
    write(here, "report.yaml", &then);
    // In earnest it is called; it hangs up, so the run fails.
    let (_, text) = larum(here, "run", &["report", "--event", "mail.eml", "--data", "larum-data"]);
    assert!(called.swap(0, Ordering::SeqCst) > 0, "{text}");
    // The mail of then went into the outbox; one that were sent now would go to this server.
    let address = (smtp.ip(), smtp.port());
    config +=
        &format!("  out: {{smtp: {{host: {}, port: {}, tls: none, from: larum@example.org}}}}\n", address.0, address.1);
    fs::write(here.join("larum.yaml"), &config).unwrap();
    let before = kept(here).await;
    let changed = then.replace("Severity ", "It is of severity ").replace("/call'", "/elsewhere'")
        + &call("more")
        + "  - {id: again, action: send_email, run_after: {acknowledge: [succeeded]}, with: {to: a@example.com, subject: New, body: New}}\n";
    for (playbook, differ) in [(then, 0), (changed, 1)] {
        write(here, "report.yaml", &playbook);
        let told = data(here, "report");
        assert_eq!(json!([told["events"], told["differ"], told["not_compared"]]), json!([1, differ, 0]), "{told:#}");
        let connected = (called.load(Ordering::SeqCst), mailed.load(Ordering::SeqCst));
        assert_eq!(connected, (0, 0), "a backtest connects to nobody");
    }
    assert_eq!(kept(here).await, before, "a backtest performs nothing");
}
