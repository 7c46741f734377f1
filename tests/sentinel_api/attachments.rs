//! What was attached to the mail an incident came from.

use std::{sync::Arc, time::Duration};

use larum::{
    access::Role,
    mail,
    store::{
        EventId, Store,
        intake::{Intake, Report, Uniqueness},
        mailbox::FeedName,
    },
    trigger::intake::{Arrival, Door},
};
use serde_json::{Value, json};

use crate::{
    forms,
    kit::{Api, with},
};

const MAIL: &str = "From: Mara <mara@example.com>\r\nTo: soc@example.com\r\nSubject: A page I was sent\r\nMessage-ID: <1@example.com>\r\n\
Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\nContent-Type: text/plain\r\n\r\nLook at this.\r\n\
--b\r\nContent-Type: text/html; name=\"page.html\"\r\nContent-Disposition: attachment; filename*=UTF-8''p%C3%A4ge%20%22x%22.html\r\n\
Content-Transfer-Encoding: base64\r\n\r\nPHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==\r\n\
--b--\r\n";
const FILES: &str = "
name: files
trigger: {mailbox: {connection: soc}}
actions:
  - {id: create, action: create_incident, with: {title: '{{trigger.subject}}'}}
";

/// Takes the mail in and waits for its incident.
async fn receive(api: &Api) {
    let door = Door {
        store: api.served.store.clone(),
        engine: api.served.engine.clone(),
        library: api.served.library.clone(),
        clock: Arc::new(api.served.clock.clone()),
    };
    let message = mail::read(MAIL.as_bytes(), forms::start()).unwrap();
    let outputs: Arc<str> = json!({"body": message.trigger}).to_string().into();
    let event = EventId::now_v7();
    let live = api.served.library.current()[0].clone();
    let arrival = Arrival { kind: "mailbox", event, outputs: &outputs, at: forms::start() };
    let report = Report {
        event,
        kind: "mailbox",
        uniqueness: Uniqueness::Always,
        summary: message.subject,
        outputs: outputs.clone(),
        raw: Some(MAIL.as_bytes().to_vec()),
        playbooks: vec![door.start(&live, &arrival).unwrap()],
        mail_tasks: Vec::new(),
        skipped: None,
    };
    let feed = FeedName { connection: "soc".into(), folder: "INBOX".into() };
    door.take(Intake { feed, reports: vec![report], cursor: None, at: forms::start() }).await.unwrap();
    let waited = async {
        while api.served.store.incident(1).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.expect("the mail became an incident");
}

#[tokio::test]
async fn they_are_listed_and_downloaded_and_never_shown() {
    let api = with(&[FILES], Role::Reader).await;
    receive(&api).await;
    let listed = api.own(200, "GET", "/api/incidents/1/attachments", None).await;
    let attached: &Value = &listed["value"][0];
    assert_eq!(
        (&attached["name"], &attached["contentType"], &attached["size"], &attached["isInline"]),
        (&json!("päge \"x\".html"), &json!("text/html"), &json!(25), &json!(false)),
        "{listed}"
    );
    let sha256 = attached["sha256"].as_str().unwrap();
    for which in ["0", sha256, &sha256.to_uppercase()] {
        let answer = api.call("GET", &format!("/api/incidents/1/attachments/{which}"), None).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "<script>alert(1)</script>"));
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let disposition = "attachment; filename*=UTF-8''p%C3%A4ge%20%22x%22.html";
        assert_eq!(answer.header("content-disposition"), Some(disposition));
    }
    for which in ["1", "none", "-1"] {
        assert_eq!(api.call("GET", &format!("/api/incidents/1/attachments/{which}"), None).await.status, 404);
    }
    let shown = api.own(200, "GET", "/api/incidents/1", None).await;
    assert_eq!(shown["provenance"]["playbook"], "files", "{shown}");
    assert_eq!(api.call("GET", "/api/incidents/2/attachments", None).await.status, 404);
}
