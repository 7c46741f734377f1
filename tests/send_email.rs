//! The action `send_email`, from its inputs to the file in the outbox.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::{path::PathBuf, sync::Arc};

use chrono::{DateTime, Utc};
use larum::{
    action::{self, Call, Identity, Nature, Outcome, Performed, RunInfo, Services},
    clock::ManualClock,
    config::{Config, Connection, Imap, Smtp, Start, Tls},
    mail::{self, guard},
    metrics::Metrics,
    playbook::ActionStatus,
    secret::{SecretRef, Vault},
    store::{
        SqliteStore, Store, Version,
        intake::{Decision, Intake, Listening, Report, Uniqueness},
        mailbox::FeedName,
    },
};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-11-24T09:15:00Z".parse::<DateTime<Utc>>().unwrap() + chrono::Duration::minutes(minutes)
}

/// A run for one report, in a data folder of its own.
struct Kit {
    data: TempDir,
    services: Services,
    run: RunInfo,
}

impl Kit {
    /// The run of the mail `raw`, which arrived in the mailbox soc@example.org.
    async fn for_mail(raw: &[u8]) -> Self {
        let trigger = mail::read(raw, at(0)).unwrap().trigger;
        Self::new("mailbox", trigger, Some(raw.to_vec())).await
    }

    async fn new(kind: &'static str, body: Value, raw: Option<Vec<u8>>) -> Self {
        let data = TempDir::new().unwrap();
        let store = SqliteStore::open(data.path()).unwrap();
        let version = Version { id: "v".into(), playbook: "p".into(), path: "p.yaml".into(), bundle: "{}".into() };
        store.keep_version(version, at(0)).await.unwrap();
        let (event, run, outputs) = (Uuid::now_v7(), Uuid::now_v7(), json!({"body": body}));
        let decision = Decision::start(run, "v", [7; 32]);
        let report = Report {
            event,
            kind,
            uniqueness: Uniqueness::Always,
            summary: "a report".into(),
            outputs: outputs.to_string().into(),
            raw,
            playbooks: vec![Listening { playbook: "p".into(), decision }],
            mail_tasks: vec![],
            skipped: None,
        };
        let feed = FeedName { connection: "soc".into(), folder: "INBOX".into() };
        store.accept(Intake { feed, reports: vec![report], cursor: None, at: at(0) }).await.unwrap();
        let mut config = Config { data: data.path().to_owned(), ..Config::default() };
        let imap = Imap {
            host: "imap.example.org".into(),
            port: 993,
            tls: Tls::Implicit { ca_file: None },
            username: "soc@example.org".into(),
            password: SecretRef::Env("NONE".into()),
            start: Start::Now,
            addresses: vec!["security@example.org".into()],
        };
        config.connections.insert("soc".into(), Connection::Imap(imap));
        let services = Services {
            config: Arc::new(config),
            store,
            vault: Vault::ephemeral("key"),
            clock: Arc::new(ManualClock::at(at(0))),
            metrics: Metrics::default(),
            http: action::http::HttpClients::default(),
            mailer: mail::send::Mailer::default(),
        };
        let run = RunInfo {
            run,
            effects: run,
            playbook: "p".into(),
            version: "v".into(),
            event,
            kind: kind.into(),
            summary: "a report".into(),
            resembles: None,
            outputs: Arc::new(outputs),
        };
        Self { data, services, run }
    }

    async fn send(&self, step: &str, minutes: i64, input: Value) -> Outcome {
        let Nature::Effect(effect) = action::find("send_email").unwrap().nature else { panic!("an effect") };
        let identity = Identity::of(self.run.run, step);
        let call = Call {
            run: &self.run,
            identity,
            step,
            attempt: 1,
            input: &input,
            services: &self.services,
            at: at(minutes),
        };
        match effect.perform(call).await {
            Performed::Outcome(outcome) => outcome,
            Performed::Local(_) => panic!("a mail is no local effect"),
        }
    }

    /// Why a mail to `to` was held back.
    async fn suppressed(&self, to: &str) -> Option<String> {
        let sent = self.send("a", 0, json!({"to": to, "subject": "s", "body": "b"})).await;
        assert_eq!(sent.status, ActionStatus::Succeeded, "{sent:?}");
        sent.outputs.unwrap()["body"]["suppressed"].as_str().map(str::to_owned)
    }

    fn outbox(&self) -> Vec<PathBuf> {
        let Ok(folder) = std::fs::read_dir(self.data.path().join("outbox")) else { return vec![] };
        folder.map(|file| file.unwrap().path()).collect()
    }

    fn only_mail(&self) -> Value {
        let files = self.outbox();
        assert_eq!(files.len(), 1);
        mail::read(&std::fs::read(&files[0]).unwrap(), at(0)).unwrap().trigger
    }
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/data/mail/{name}.eml")).unwrap()
}

#[tokio::test]
async fn an_acknowledgement_answers_the_report() {
    let kit = Kit::for_mail(&sample("alternative-with-attachments")).await;
    let sent = kit
        .send(
            "acknowledge",
            0,
            json!({
                "to": "bob@example.com",
                "cc": [null, {"name": "Desk", "address": "desk@example.net"}],
                "reply_to": "answers@example.org",
                "subject": "Received: Re: Verdächtige Rechnung (#7)",
                "template": "<p>Thank you.</p>",
                "is_html": true,
                "attachments": [{"id": "2", "name": "ignored"}, "1.2"],
            }),
        )
        .await;
    assert_eq!((sent.status, sent.retryable), (ActionStatus::Succeeded, false), "{sent:?}");
    let mut mail = kit.only_mail();
    let message_id = mail["messageId"].take();
    assert!(guard::is_own_message_id(&kit.services.vault, message_id.as_str().unwrap()));
    assert_eq!(sent.outputs.unwrap()["body"]["messageId"], json!(format!("<{}>", message_id.as_str().unwrap())));
    insta::assert_json_snapshot!(
        mail,
        {".id" => "[id]", ".internetMessageId" => "[id]", ".headers[\"message-id\"]" => "[id]", ".headers[\"content-type\"]" => "[boundary]"}
    );
}

#[tokio::test]
async fn the_same_step_always_sends_the_same_mail_and_another_step_another() {
    let kit = Kit::for_mail(&sample("plain")).await;
    let input = json!({"to": "ann@example.com", "subject": "s", "body": "b"});
    kit.send("a", 0, input.clone()).await;
    kit.send("a", 5, input.clone()).await;
    assert_eq!(kit.outbox().len(), 1);
    kit.send("a/1", 5, input).await;
    assert_eq!(kit.outbox().len(), 2);
}

#[tokio::test]
async fn a_mail_that_could_start_a_loop_is_held_back_with_its_reason() {
    for (report, to, reason) in [
        ("delivery-report", "MAILER-DAEMON@example.com", Some("the message has a null return path")),
        ("mailing-list", "Heidi <heidi@EXAMPLE.com>", Some("the message says Precedence: list")),
        ("mailing-list", "on-call@example.org", None),
        ("plain", "soc@example.org", Some("soc@example.org is one of our own addresses")),
        ("plain", "SECURITY@example.org", Some("SECURITY@example.org is one of our own addresses")),
        ("plain", "ann@example.com", None),
    ] {
        let kit = Kit::for_mail(&sample(report)).await;
        assert_eq!(kit.suppressed(to).await.as_deref(), reason, "{report} to {to}");
        assert_eq!(kit.outbox().len(), usize::from(reason.is_none()));
    }
}

#[tokio::test]
async fn those_who_may_be_written_to_get_the_mail_without_the_others() {
    let kit = Kit::for_mail(&sample("mailing-list")).await;
    let input =
        json!({"to": "on-call@example.net; heidi@example.com", "bcc": "soc@example.org", "subject": "s", "body": "b"});
    kit.send("a", 0, input).await;
    let mail = kit.only_mail();
    assert_eq!((&mail["toRecipients"], &mail["bccRecipients"]), (&json!("on-call@example.net"), &json!("")));
    assert_eq!(mail["headers"]["auto-submitted"], json!(["auto-generated"]));
    assert_eq!(mail["references"], json!([]));
}

#[tokio::test]
async fn a_recipient_gets_five_mails_an_hour() {
    let kit = Kit::new("form", json!({"what": "a stranger", "headers": "an answer, not a mail"}), None).await;
    let mut sent = Vec::new();
    for (number, minutes) in [0, 1, 2, 3, 4, 5, 59, 62].into_iter().enumerate() {
        let input = json!({"to": if number % 2 == 0 { "ann@example.com" } else { "Ann <ANN@example.com>" }, "subject": "s", "body": "b"});
        let outcome = kit.send(&format!("step {number}"), minutes, input).await;
        sent.push(outcome.outputs.unwrap()["body"]["suppressed"].as_str().map(str::to_owned));
    }
    let held_back = Some("a recipient already got 5 automatic mails within the hour".to_owned());
    assert_eq!(sent, [None, None, None, None, None, held_back.clone(), held_back, None]);
}

#[tokio::test]
async fn inputs_that_cannot_be_used_fail_with_a_reason_a_playbook_can_read() {
    let kit = Kit::for_mail(&sample("plain")).await;
    for (input, message) in [
        (json!({"subject": "s", "body": "b"}), "the inputs of `send_email` cannot be used: missing field `to`"),
        (json!({"to": "nobody", "subject": "s", "body": "b"}), "“nobody” is not a mail address (to)"),
        (json!({"to": "", "subject": "s", "body": "b"}), "the mail has no recipient"),
        (
            json!({"to": "a@b.c", "reply_to": "x y", "subject": "s", "body": "b"}),
            "“x y” is not a mail address (reply_to)",
        ),
        (
            json!({"to": "a@b.c", "subject": "s", "body": "b", "connection": "soc"}),
            "there is no smtp connection called soc",
        ),
        (
            json!({"to": "a@b.c", "subject": "s", "body": "b", "attachments": "9"}),
            "the report has no attachment with the id 9",
        ),
        (json!({"to": "a@b.c", "subject": "s"}), "`send_email` takes either `body` or `template`"),
    ] {
        let outcome = kit.send("a", 0, input).await;
        assert_eq!(
            (outcome.status, outcome.code.as_str(), outcome.retryable),
            (ActionStatus::Failed, "BadRequest", false)
        );
        let error = json!({"code": "BadRequest", "message": message});
        assert_eq!(outcome.outputs.unwrap(), json!({"statusCode": 400, "headers": {}, "body": {"error": error}}));
    }
    assert_eq!(kit.outbox().len(), 0);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_tried_again() {
    let mut kit = Kit::for_mail(&sample("plain")).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = (*kit.services.config).clone();
    let smtp = Smtp {
        host: "127.0.0.1".into(),
        port,
        tls: Tls::None,
        from: "SOC <soc@example.org>".into(),
        username: None,
        password: None,
    };
    config.connections.insert("outgoing".into(), Connection::Smtp(smtp));
    kit.services.config = Arc::new(config);
    let outcome = kit.send("a", 0, json!({"to": "ann@example.com", "subject": "s", "body": "b"})).await;
    assert_eq!((outcome.status, outcome.code.as_str(), outcome.retryable), (ActionStatus::Failed, "SmtpError", true));
    assert_eq!(kit.outbox().len(), 0);
}
