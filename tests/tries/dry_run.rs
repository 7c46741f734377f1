//! `larum run --dry-run` as an author meets it.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde_json::{Value, json};

const PLAYBOOK: &str = r#"name: report
parameters: {token: {type: securestring}, desk: {type: string, default: SOC}}
variables: {seen: {type: array, default: []}}
trigger: {mailbox: {connection: soc, filter: {subject_contains: incident}}}
actions:
  - id: create
    action: create_incident
    with:
      title: "{{trigger.subject}}"
      description: |
        From {{trigger.from}}
        to the {{parameters.desk}}
      severity: "@if(equals(trigger.importance, 'high'), 'High', 'Medium')"
      tags: [email, "{{trigger.sender.domain}}"]
  - id: ask
    action: http
    with:
      method: POST
      url: "https://example.com/@{trigger.sender.name}"
      headers: {Authorization: "Bearer @{parameters('token')}", X-Trace: "@concat('t-', parameters('token'))"}
      body: {number: "@body('create')?['properties']?['incidentNumber']"}
  - id: urgent
    if: "@equals(trigger.importance, 'high')"
    then: [{id: call, action: compose, with: {inputs: now}}]
  - id: each
    for_each: "@trigger.to"
    do: [{id: remember, action: append_to_array, with: {name: seen, value: "@item().address"}}]
  - {id: hidden, action: compose, secure: [outputs], with: {inputs: "@base64(parameters('token'))"}}
  - {id: shown, action: compose, with: {inputs: "@toUpper(body('hidden'))"}}
  - {id: broken, action: compose, with: {inputs: "@trigger.attachments[5].name"}}
"#;

const CONFIG: &str = "playbooks: [report.yaml]
parameters: {report: {token: {env: LARUM_TEST_TOKEN}}}
connections: {soc: {maildir: {path: mail}}}
";

const MAIL: &str = "Return-Path: <ann@example.com>\r\nFrom: Ann <ann@example.com>\r\nTo: SOC <soc@example.org>, b@example.org\r\n\
    Subject: incident: north door\r\nMessage-ID: <1@example.com>\r\nDate: Tue, 24 Nov 2026 09:05:00 +0000\r\n\r\nSomebody \
    stood there.\r\n";

/// A folder with playbook, configuration, a mail and a maildir.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(folder.path().join("mail").join(part)).unwrap();
    }
    for (name, text) in [("report.yaml", PLAYBOOK), ("larum.yaml", CONFIG), ("mail.eml", MAIL)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn larum(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
    let command = command.args(args).current_dir(folder).env("LARUM_TEST_TOKEN", "s3cret-token");
    let out = command.output().unwrap();
    (out.status.code(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap())
}

/// Every file below, with its text.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let text = fs::read_to_string(entry.path()).unwrap();
                files.insert(entry.path().strip_prefix(folder).unwrap().display().to_string(), text);
            }
        }
    }
    files
}

#[test]
fn every_field_is_shown_with_its_expression_and_what_went_in_and_nothing_is_performed() {
    let folder = folder();
    let before = files(folder.path());
    let (code, text) = larum(folder.path(), &["run", "report", "--event", "mail.eml", "--dry-run"]);
    // The last action has no value.
    assert_eq!(code, Some(1), "{text}");
    insta::assert_snapshot!(text);
    let (_, data) = larum(folder.path(), &["run", "report", "--event", "mail.eml", "--dry-run", "--output", "json"]);
    let data: Value = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
    let create = &data[0]["actions"][0];
    assert_eq!(
        create["fields"][2],
        json!({
            "field": "severity",
            "value": "Medium",
            "file": "report.yaml",
            "line": 13,
            "column": 17,
            "expression": "@if(equals(trigger.importance, 'high'), 'High', 'Medium')",
            "reads": [{"path": "trigger.importance", "value": "normal"}],
        })
    );
    for secret in ["s3cret", "czNjcmV0", "CZNJCMV0"] {
        assert!(!data.to_string().contains(secret) && !text.contains(secret), "{data}");
    }
    assert_eq!(files(folder.path()), before, "a dry run leaves nothing behind");
}

#[test]
fn a_mail_that_the_filter_refuses_is_not_started() {
    let folder = folder();
    fs::write(folder.path().join("mail.eml"), MAIL.replace("incident", "holiday")).unwrap();
    let (code, text) = larum(folder.path(), &["run", "report", "--event", "mail.eml", "--dry-run"]);
    let expected = "report (report.yaml): holiday: north door <1@example.com>\n\
        would not be started: the subject does not contain \"incident\"\n\nNothing was performed.\n";
    assert_eq!((code, text.as_str()), (Some(1), expected));
}

#[test]
fn the_newest_mails_of_a_maildir_are_tried_where_they_lie() {
    let folder = folder();
    let playbook = PLAYBOOK.split("  - id: ask").next().unwrap();
    fs::write(folder.path().join("report.yaml"), playbook).unwrap();
    for (name, subject) in [("new/1", "incident: one"), ("cur/2:2,S", "holiday"), ("new/3", "incident: three")] {
        let mail = MAIL.replace("incident: north door", subject);
        fs::write(folder.path().join("mail").join(name), mail).unwrap();
        // Their age is that of their files.
        let age = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(name.as_bytes()[4]));
        let file = fs::File::options().write(true).open(folder.path().join("mail").join(name)).unwrap();
        file.set_modified(age).unwrap();
    }
    let before = files(folder.path());
    let args = ["run", "report", "--mailbox", "soc", "--last", "2", "--dry-run", "--output", "json"];
    let (code, text) = larum(folder.path(), &args);
    assert_eq!(code, Some(0), "{text}");
    let data: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let tried: Vec<_> = data.as_array().unwrap().iter().map(|run| json!([run["mail"], run["status"]])).collect();
    assert_eq!(json!(tried), json!([["2", "not_started"], ["3", "succeeded"]]));
    assert_eq!(files(folder.path()), before, "a dry run leaves a mailbox as it is");
    let (code, text) = larum(folder.path(), &["run", "report", "--mailbox", "other", "--dry-run"]);
    let expected = "error: the mailbox other cannot be read: larum.yaml has no connection of this name\n";
    assert_eq!((code, text.as_str()), (Some(3), expected));
}

#[test]
fn why_a_field_has_no_value_is_not_told_of_an_action_that_keeps_its_inputs_to_itself() {
    let folder = folder();
    let playbook = "name: report\ntrigger: {manual: {}}\nactions:\n\
        \x20 - {id: hidden, action: compose, secure: [inputs], with: {inputs: \"@int(trigger.code)\"}}\n";
    fs::write(folder.path().join("report.yaml"), playbook).unwrap();
    fs::write(folder.path().join("larum.yaml"), "playbooks: [report.yaml]\n").unwrap();
    fs::write(folder.path().join("event.json"), r#"{"code": "door-4711"}"#).unwrap();
    for output in ["text", "json"] {
        let args = ["run", "report", "--event", "event.json", "--dry-run", "--output", output];
        let (code, text) = larum(folder.path(), &args);
        assert!(code == Some(1) && text.contains("[secret]"), "{code:?} {text}");
        assert!(!text.contains("door-4711"), "{text}");
    }
}
