//! What Larum makes of real, odd and hostile mails (`tests/data/mail/`).
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use larum::mail::{self, Unreadable};
use proptest::prelude::*;
use serde_json::json;

fn received_at() -> DateTime<Utc> {
    "2026-11-24T09:15:00Z".parse().unwrap()
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let mut samples: Vec<_> = fs::read_dir(Path::new("tests/data/mail"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect();
    samples.sort();
    samples
}

#[test]
fn every_sample_reads_as_its_snapshot() {
    for (name, raw) in samples() {
        let message = mail::read(&raw, received_at()).unwrap();
        insta::assert_json_snapshot!(
            name,
            json!({"trigger": message.trigger, "remarks": message.remarks, "message_id": message.message_id})
        );
    }
}

#[test]
fn every_attachment_can_be_decoded_by_its_id_and_is_what_was_listed() {
    use sha2::{Digest, Sha256};
    let mut seen = 0;
    for (name, raw) in samples() {
        let message = mail::read(&raw, received_at()).unwrap();
        for listed in message.trigger["attachments"].as_array().unwrap() {
            let found = mail::attachment(&raw, listed["id"].as_str().unwrap()).unwrap();
            let got =
                json!([found.name, found.content_type, found.bytes.len(), hex::encode(Sha256::digest(&found.bytes))]);
            assert_eq!(got, json!([listed["name"], listed["contentType"], listed["size"], listed["sha256"]]), "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 10);
    assert_eq!(mail::attachment(b"From: a@b.c\n\nx", "7"), None);
    assert_eq!(mail::attachment(b"", "1"), None);
}

#[test]
fn a_forwarded_mail_inside_reads_as_a_mail_again() {
    let raw = fs::read("tests/data/mail/forwarded-octet-stream.eml").unwrap();
    for id in ["2", "3", "4"] {
        let inner = mail::read(&mail::attachment(&raw, id).unwrap().bytes, received_at()).unwrap();
        assert_eq!(inner.trigger["from"], "security@paypa1.example");
        assert_eq!(inner.subject, "Your account is locked");
    }
}

#[test]
fn mails_beyond_a_limit_are_refused_with_the_reason() {
    let head = "From: a@example.com\n";
    let nested: String =
        (0..500).map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n")).collect();
    let parts = "--b\n\nx\n".repeat(10_000);
    let addresses = format!("To: {}\n", "a@b.c, ".repeat(9_000)).repeat(20);
    for (raw, reason) in [
        (String::new(), "the message is empty"),
        (" \r\n\0\n ".to_owned(), "the message is empty"),
        ("\nonly a body\n".to_owned(), "the message has no header fields"),
        ("no mail at all".to_owned(), "the message has no header fields"),
        (format!("{head}{}\nbody", "X-Field: y\n".repeat(100_000)), "the message has more than 10000 header fields"),
        (
            format!(
                "{head}Content-Type: multipart/mixed; boundary=b\n\n{}",
                format!("--b\n{}\n\n", "X: y\n".repeat(100)).repeat(200)
            ),
            "the message has more than 10000 header fields",
        ),
        (
            format!("{head}{addresses}\nbody"),
            "the header fields of the message, or of one of its parts, have more than 1048576 bytes",
        ),
        (
            format!("{head}Content-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n"),
            "the message has more than 1000 parts",
        ),
        (format!("{head}{nested}deep"), "the parts of the message nest deeper than 100"),
        (
            format!("{head}\n{}", "x".repeat(64 * 1024 * 1024)),
            "the message has 67108885 bytes; at most 67108864 are read",
        ),
    ] {
        let refused = mail::read(raw.as_bytes(), received_at()).map(|message| message.subject);
        assert_eq!(refused.unwrap_err().to_string(), reason);
    }
}

#[test]
fn messages_inside_messages_are_not_followed() {
    let raw = format!("From: a@example.com\n{}deep", "Content-Type: message/rfc822\n\n".repeat(200_000));
    let message = mail::read(raw.as_bytes(), received_at()).unwrap();
    assert_eq!(message.trigger["attachments"][0]["contentType"], "message/rfc822");
}

#[test]
fn a_subject_of_5_mb_is_shown_cut_and_a_recipient_list_is_bounded() {
    let recipients = vec!["someone@example.com"; 3_000].join(", ");
    let raw = format!("From: a@example.com\nSubject: {}\nTo: {recipients}\n\nbody", "long ".repeat(1_000_000));
    let message = mail::read(raw.as_bytes(), received_at()).unwrap();
    assert_eq!(message.subject.chars().count(), 2_000);
    assert_eq!(message.trigger["to"].as_array().unwrap().len(), 1_000);
    assert_eq!(message.remarks, ["to names 3000 addresses; the first 1000 are shown"]);
    assert!(message.trigger.to_string().len() < 500_000);
}

#[test]
fn a_long_body_is_shown_cut_and_said_to_be() {
    let raw = format!("From: a@example.com\nSubject: s\n\n{}", "é".repeat(1_000_000));
    let message = mail::read(raw.as_bytes(), received_at()).unwrap();
    assert_eq!(message.trigger["body"].as_str().unwrap().len(), 1024 * 1024);
    assert_eq!(message.remarks, ["the body is longer than 1048576 bytes; its start is shown"]);
}

#[test]
fn the_content_hash_tells_new_reports_from_repeated_deliveries() {
    let hash = |raw: &str| mail::read(raw.as_bytes(), received_at()).unwrap().content_hash;
    let sent =
        "Received: one\nFrom: a@b.c\nTo: d@e.f\nDate: today\nSubject: a long subject\nMessage-ID: <1@b.c>\n\nbody";
    for same in [
        sent.replace("Received: one", "Received: another way"),
        sent.replace("a long subject", "a long\n subject"),
        sent.replace("<1@b.c>", "<2@b.c>"),
        sent.replace('\n', "\r\n"),
    ] {
        assert_eq!(hash(&same), hash(sent), "{same}");
    }
    for other in [
        sent.replace("body", "another body"),
        sent.replace("d@e.f", "g@e.f"),
        sent.replace("today", "tomorrow"),
        sent.replace("a long", "another"),
        sent.replace("From: a@b.c", "From: a@b.c\nFrom: x@b.c"),
        sent.replace("Subject:", "Content-Type: text/html\nSubject:"),
    ] {
        assert_ne!(hash(&other), hash(sent), "{other}");
    }
}

#[test]
fn importance_is_read_as_each_program_writes_it() {
    for (header, importance) in [
        ("", "normal"),
        ("Importance: High", "high"),
        ("Importance: low", "low"),
        ("Importance: normal\nX-Priority: 1", "high"),
        ("X-Priority: 1 (Highest)", "high"),
        ("X-Priority: 3", "normal"),
        ("Priority: non-urgent", "low"),
        ("X-MSMail-Priority: High", "high"),
        ("Importance: nonsense", "normal"),
    ] {
        let raw = format!("From: a@b.c\n{header}\n\n").replace("\n\n\n", "\n\n");
        assert_eq!(mail::read(raw.as_bytes(), received_at()).unwrap().trigger["importance"], importance, "{header}");
    }
}

/// A sample with some of its bytes removed, repeated or replaced.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let samples: Vec<Vec<u8>> = samples().into_iter().map(|(_, raw)| raw).collect();
    let edit = (any::<prop::sample::Index>(), 0..40_usize, prop::collection::vec(any::<u8>(), 0..8), any::<bool>());
    (prop::sample::select(samples), prop::collection::vec(edit, 0..12)).prop_map(|(mut raw, edits)| {
        for (at, length, new, repeat) in edits {
            let at = at.index(raw.len() + 1);
            let end = (at + length).min(raw.len());
            let new = if repeat { [raw[at..end].to_vec(), raw[at..end].to_vec()].concat() } else { new };
            raw.splice(at..end, new);
        }
        raw
    })
}

fn check_reading(raw: &[u8]) {
    let read =
        || mail::read(raw, received_at()).map(|message| (message.trigger, message.remarks, message.content_hash));
    let first = read();
    assert_eq!(first, read());
    let Ok((trigger, ..)) = first else { return };
    assert!(!trigger["subject"].as_str().unwrap().is_empty());
    for attachment in trigger["attachments"].as_array().unwrap() {
        assert!(mail::attachment(raw, attachment["id"].as_str().unwrap()).is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_reading_fail_or_differ(raw in prop::collection::vec(any::<u8>(), 0..2_000)) {
        check_reading(&raw);
    }

    #[test]
    fn no_damage_to_a_mail_makes_reading_fail_or_differ(raw in mutated()) {
        check_reading(&raw);
    }
}

#[test]
fn an_empty_mail_has_its_own_reason() {
    assert_eq!(mail::read(b"", received_at()).unwrap_err(), Unreadable::Empty);
}
