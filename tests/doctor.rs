//! `larum doctor` against real servers: what works, what does not and what to do, and nothing changed.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod support;

use std::{fs, io::Write, net::TcpListener};

use support::{
    dovecot::Dovecot,
    larum::Site,
    smtp::{DOMAIN, Smtp},
};

const PLAYBOOK: &str = "name: mails
trigger: {mailbox: {connection: soc, after: {mark_seen: true, move_to: Filed}}}
actions: [{id: create, action: create_incident, with: {title: \"{{trigger.subject}}\"}}]
";
const ELSEWHERE: &str = "name: elsewhere
trigger: {mailbox: {connection: soc, folder: Reports}}
actions: [{id: create, action: create_incident, with: {title: \"{{trigger.subject}}\"}}]
";

/// What the doctor says, the ports and folders of this run taken out.
fn says(site: &Site, ports: &[(u16, &str)]) -> (Option<i32>, String) {
    let (exit, out, err) = site.run(&["doctor", "--config", "larum.yaml"]);
    assert_eq!(err, "");
    let said = out.replace(&site.address.to_string(), "ADDRESS");
    let said = said.replace(&site.folder.path().display().to_string(), "FOLDER");
    // Dovecot says how long it thought.
    let said: String = said.split_inclusive('\n').map(untimed).collect();
    (exit, ports.iter().fold(said, |said, (port, name)| said.replace(&format!(":{port}"), &format!(":{name}"))))
}

fn untimed(line: &str) -> String {
    let timed = line.contains(" secs)").then(|| line.rfind(" (")).flatten();
    timed.map_or_else(|| line.to_owned(), |place| format!("{}\n", &line[..place]))
}

#[test]
#[ignore = "needs dovecot and postfix"]
fn servers_that_work_are_well_and_no_mail_is_touched() {
    let dovecot = Dovecot::start();
    let smtp = Smtp::start(&dovecot);
    dovecot.deliver("soc", "INBOX", b"Subject: one\r\n\r\nx\r\n");
    dovecot.deliver("soc", "Reports", b"Subject: two\r\n\r\nx\r\n");
    let config = format!(
        "connections:
  outgoing: {{smtp: {{host: 127.0.0.1, port: {}, tls: none, from: soc@{DOMAIN}}}}}
  soc: {{imap: {{host: 127.0.0.1, port: {}, tls: none, username: soc, password: {{file: password}}, start: all}}}}
",
        smtp.port, dovecot.port
    );
    let site = Site::new(&config, &[("mails.yaml", PLAYBOOK), ("elsewhere.yaml", ELSEWHERE)]);
    fs::write(site.folder.path().join("password"), "secret\n").unwrap();
    let flags = |folder: &str| {
        dovecot
            .files("soc", folder)
            .iter()
            .map(|name| name.split(":2,").nth(1).unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };

    let (exit, said) = says(&site, &[(smtp.port, "SMTP"), (dovecot.port, "IMAP")]);
    insta::assert_snapshot!("servers_that_work", said);
    assert_eq!(exit, Some(0));
    assert_eq!((flags("INBOX"), flags("Reports")), (vec![String::new()], vec![String::new()]), "nothing is marked");
    assert!(!site.data().exists(), "nothing is made");
}

#[test]
#[ignore = "needs dovecot"]
fn what_does_not_work_is_said_with_what_to_do() {
    let dovecot = Dovecot::start();
    dovecot.deliver("soc", "INBOX", b"Subject: one\r\n\r\nx\r\n");
    let closed = support::free_port();
    let config = format!(
        "connections:
  a-wrong-password: {{imap: {{host: 127.0.0.1, port: {imap}, tls: none, username: soc, password: {{file: wrong}}}}}}
  b-no-secret: {{imap: {{host: 127.0.0.1, port: {imap}, tls: none, username: soc, password: {{env: LARUM_NO_SUCH}}}}}}
  c-no-server: {{smtp: {{host: 127.0.0.1, port: {closed}, tls: none, from: soc@example.com}}}}
  d-private: {{http: {{base_url: \"http://127.0.0.1:{closed}/\"}}}}
  e-no-secret: {{webhook: {{header: x-signature, secret: {{file: nowhere}}}}}}
  soc: {{imap: {{host: 127.0.0.1, port: {imap}, tls: none, username: soc, password: {{file: password}}}}}}
parameters: {{elsewhere: {{key: {{env: LARUM_NO_SUCH}}}}}}
",
        imap = dovecot.port
    );
    let keyed = format!("parameters: {{key: {{type: securestring}}}}\n{ELSEWHERE}");
    let site = Site::new(&config, &[("elsewhere.yaml", &keyed)]);
    fs::write(site.folder.path().join("password"), "secret\n").unwrap();
    fs::write(site.folder.path().join("wrong"), "not it\n").unwrap();
    let (exit, said) = says(&site, &[(dovecot.port, "IMAP"), (closed, "CLOSED")]);
    insta::assert_snapshot!("servers_that_do_not", said);
    assert_eq!(exit, Some(3));
}

/// A service that answers everything with one status.
fn service(status: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut asked);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
            );
        }
    });
    port
}

#[test]
fn a_service_is_judged_by_its_answer_and_the_missing_right_is_named() {
    let (good, refuses, forbids, lost) =
        (service("200 OK"), service("401 Unauthorized"), service("403 Forbidden"), service("404 Not Found"));
    let sentinel = |port: u16| {
        format!(
            "{{sentinel: {{subscription: 00000000-0000-0000-0000-000000000000, resource_group: rg, workspace: soc, endpoint: \"http://127.0.0.1:{port}/\", token: {{file: token}}, allow_networks: [127.0.0.0/8]}}}}"
        )
    };
    let config = format!(
        "connections:
  a: {{http: {{base_url: \"http://127.0.0.1:{good}/\", allow_networks: [127.0.0.0/8]}}}}
  b: {{http: {{base_url: \"http://127.0.0.1:{refuses}/\", allow_networks: [127.0.0.0/8]}}}}
  c: {}
  d: {}
  e: {}
  f: {}
",
        sentinel(good),
        sentinel(refuses),
        sentinel(forbids),
        sentinel(lost)
    );
    let site = Site::new(&config, &[]);
    fs::write(site.folder.path().join("token"), "a-token-of-some-length\n").unwrap();
    let ports = [(good, "GOOD"), (refuses, "REFUSES"), (forbids, "FORBIDS"), (lost, "LOST")];
    let (exit, said) = says(&site, &ports);
    insta::assert_snapshot!("services", said);
    assert_eq!(exit, Some(3));
}
