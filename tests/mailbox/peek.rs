//! A dry run over a real IMAP server leaves its mailbox as it is.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::Command,
};

use serde_json::{Value, json};

use crate::support::dovecot::{Dovecot, PASSWORD};

/// What the server answers to commands, without tags and greetings; nobody's flags change by it unless they ask for that.
fn ask(port: u16, commands: &[&str]) -> Vec<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map(Result::unwrap);
    lines.next().unwrap();
    let login = format!("LOGIN soc {PASSWORD}");
    let mut answers = Vec::new();
    for (number, command) in std::iter::once(&*login).chain(commands.iter().copied()).enumerate() {
        write!(connection, "t{number} {command}\r\n").unwrap();
        let done = format!("t{number} ");
        for line in lines.by_ref() {
            if let Some(status) = line.strip_prefix(&done) {
                assert!(status.starts_with("OK"), "{command}: {status}");
                break;
            }
            if number > 0 {
                answers.push(line);
            }
        }
    }
    answers
}

/// UIDs, flags and counts of the mailbox.
fn state(port: u16) -> Vec<String> {
    ask(
        port,
        &[
            "STATUS INBOX (MESSAGES RECENT UNSEEN UIDNEXT UIDVALIDITY)",
            "EXAMINE INBOX",
            "UID FETCH 1:* (UID FLAGS INTERNALDATE)",
        ],
    )
}

#[test]
#[ignore = "needs dovecot"]
fn a_dry_run_over_a_live_mailbox_leaves_uids_flags_and_seen_as_they_were() {
    let (folder, dovecot) = (tempfile::tempdir().unwrap(), Dovecot::start());
    for number in 1..=5 {
        let mail = format!(
            "Return-Path: <ann@example.com>\r\nFrom: ann@example.com\r\nTo: soc@larum.test\r\n\
             Subject: incident {number}\r\nMessage-ID: <{number}@example.com>\r\n\r\nText {number}.\r\n"
        );
        dovecot.deliver("soc", "INBOX", mail.as_bytes());
    }
    ask(dovecot.port, &["SELECT INBOX", "UID STORE 2,4 +FLAGS (\\Seen)", "UID STORE 4 +FLAGS (\\Flagged)"]);
    // One that nobody was told of yet.
    dovecot.deliver(
        "soc",
        "INBOX",
        b"From: b@example.com\r\nSubject: holiday\r\nMessage-ID: <6@example.com>\r\n\r\nx\r\n",
    );
    fs::write(folder.path().join("password"), PASSWORD).unwrap();
    let config = format!(
        "playbooks: [report.yaml]\nconnections:\n  soc:\n    imap: {{host: 127.0.0.1, port: {}, tls: none, username: soc, \
         password: {{file: password}}}}\n",
        dovecot.port
    );
    fs::write(folder.path().join("larum.yaml"), config).unwrap();
    let playbook = "name: report\ntrigger: {mailbox: {connection: soc, filter: {subject_contains: incident}, after: \
                    {mark_seen: true, move_to: Filed}}}\nactions:\n  - {id: create, action: create_incident, with: {title: \
                    '{{trigger.subject}}'}}\n  - {id: answer, action: send_email, with: {to: '{{trigger.from}}', subject: \
                    Received, body: Thanks}}\n";
    fs::write(folder.path().join("report.yaml"), playbook).unwrap();
    let before = state(dovecot.port);

    let args = ["run", "report", "--mailbox", "soc", "--last", "4", "--dry-run", "--output", "json"];
    let out = Command::new(env!("CARGO_BIN_EXE_larum")).args(args).current_dir(folder.path()).output().unwrap();
    let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
    assert_eq!(out.status.code(), Some(0), "{text}\n{}", dovecot.log());
    let data: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let tried: Vec<Value> = data.as_array().unwrap().iter().map(|run| json!([run["mail"], run["status"]])).collect();
    let expected =
        json!([["UID 3", "succeeded"], ["UID 4", "succeeded"], ["UID 5", "succeeded"], ["UID 6", "not_started"],]);
    assert_eq!(json!(tried), expected);

    assert_eq!(state(dovecot.port), before);
    assert!(before.iter().any(|line| line.contains("UID 4 FLAGS (\\Flagged \\Seen)")), "{before:?}");
    assert!(!folder.path().join("larum-data").exists(), "a dry run makes no data folder");
}
