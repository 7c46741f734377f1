//! Mails that wait in an IMAP mailbox → incidents, held against fetching, parsing and keeping them.

use std::{fs, path::Path, process::Command, time::Instant};

use crate::{
    Promise, Row,
    process::{self, Site},
    support::dovecot::Dovecot,
};

const PLAYBOOK: &str = r#"
name: bench
trigger: {mailbox: {connection: mailbox}}
actions:
  - id: create
    action: create_incident
    with:
      title: "{{trigger.subject}}"
      description: "{{> mail-report}}"
      severity: "@if(equals(trigger.importance, 'high'), 'High', 'Medium')"
      tags: [email, "{{trigger.sender.domain}}"]
"#;

pub fn rows() -> Vec<Row> {
    let small = load("mail: 10,000 mails of 5 kB", 10_000, 5_000, 0.2);
    let large = load("mail: 200 mails of 2 MB", 200, 2_000_000, 0.5);
    let resident = large.1;
    vec![
        small.0,
        large.0,
        Row {
            name: "mail: 200 mails of 2 MB, resident MB".into(),
            figure: format!("peak {resident:.0} MB"),
            value: resident,
            promise: Promise::AtMost(80.0),
        },
    ]
}

fn load(name: &str, mails: u64, bytes: usize, least: f64) -> (Row, f64) {
    let dovecot = Dovecot::start();
    let folder = tempfile::tempdir_in(process::program("")).expect("target is writable");
    for number in 0..mails {
        dovecot.deliver("soc", "INBOX", &mail(number, bytes));
    }
    let floor = floor(&dovecot, folder.path());
    let connection = format!(
        "{{mailbox: {{imap: {{host: 127.0.0.1, port: {}, tls: none, username: soc, password: {{file: password}}, start: all}}}}}}",
        dovecot.port
    );
    let site = Site::new(&connection, PLAYBOOK);
    fs::write(site.folder.path().join("password"), "secret").expect("the folder is writable");
    let started = Instant::now();
    let larum = site.serve();
    process::wait("every mail to be an incident", || site.incidents() >= mails);
    let rate = mails as f64 / started.elapsed().as_secs_f64();
    let peak = larum.memory("VmHWM") as f64 / 1024.0;
    assert_eq!(site.incidents(), mails, "each mail is exactly one incident");
    let row = Row {
        name: format!("{name}, of floor"),
        figure: format!("{rate:.0} incidents/s (peak {peak:.0} MB), floor {floor:.0} mails/s"),
        value: rate / floor,
        promise: Promise::AtLeast(least),
    };
    (row, peak)
}

/// Mails a second of the floor, as it says itself. Its first run also lets Dovecot build its index, so the second counts.
fn floor(dovecot: &Dovecot, folder: &Path) -> f64 {
    let mut rate = 0.0;
    for run in ["first", "second"] {
        let place = folder.join(run);
        fs::create_dir(&place).expect("the folder is writable");
        let said = Command::new(process::program("examples/floor-mail"))
            .args([format!("127.0.0.1:{}", dovecot.port), "soc".into(), "secret".into()])
            .arg(&place)
            .output()
            .expect("the floor runs");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let before = said.split(" mails/s").next().and_then(|text| text.rsplit(' ').next());
        rate = before
            .and_then(|figure| figure.parse().ok())
            .unwrap_or_else(|| panic!("the floor prints its rate, not: {said}"));
    }
    rate
}

/// A mail of about `bytes`, text up to 10 kB, above that with an attachment.
fn mail(number: u64, bytes: usize) -> Vec<u8> {
    let head = format!(
        "Return-Path: <user{number}@example.com>\r\nReceived: from mx.example.com by mail.example.org with ESMTP; Tue, 24 Nov 2026 09:00:00 +0000\r\n\
         From: User {number} <user{number}@example.com>\r\nTo: SOC <soc@example.com>\r\nSubject: incident {number}: stranger at the north door\r\n\
         Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{number}@bench.example.com>\r\nMIME-Version: 1.0\r\n"
    );
    let line = "Somebody without a badge followed me in; I asked, he left by the stairs.\r\n";
    let mut mail = head.into_bytes();
    if bytes <= 10_000 {
        mail.extend(b"Content-Type: text/plain; charset=utf-8\r\n\r\n");
        while mail.len() < bytes {
            mail.extend(line.as_bytes());
        }
    } else {
        mail.extend(b"Content-Type: multipart/mixed; boundary=bench\r\n\r\n--bench\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
        mail.extend(line.as_bytes());
        mail.extend(b"\r\n--bench\r\nContent-Type: image/jpeg; name=door.jpg\r\nContent-Disposition: attachment; filename=door.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n");
        // Every mail its own picture, so that nothing can be kept once for all.
        let row = format!(
            "{:0>8}{}\r\n",
            number,
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5".get(..68).unwrap_or_default()
        );
        while mail.len() < bytes {
            mail.extend(row.as_bytes());
        }
        mail.extend(b"\r\n--bench--\r\n");
    }
    mail
}
