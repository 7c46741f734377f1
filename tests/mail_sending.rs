//! Mails that Larum writes and sends, read back as their receiver would.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use larum::{
    config::{Smtp, Tls},
    mail::{
        self, Attachment,
        guard::own_message_id,
        send::{Mailer, SendError, Sent},
        write::{Outgoing, WriteError, write},
    },
    secret::{SecretRef, Vault},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

fn date() -> DateTime<Utc> {
    "2026-11-24T09:15:00Z".parse().unwrap()
}

fn outgoing() -> Outgoing {
    Outgoing {
        from: "SOC Berlin <soc@example.org>".into(),
        to: vec!["ann@example.com".into()],
        cc: vec![],
        bcc: vec![],
        reply_to: vec![],
        subject: "Received: stranger (#7)".into(),
        text: Some("Thank you, we look into it.\n".into()),
        html: None,
        attachments: vec![],
        message_id: own_message_id(&Vault::ephemeral("key"), b"run step", "soc.example.org"),
        in_reply_to: None,
        references: vec![],
        date: date(),
    }
}

fn read_back(outgoing: &Outgoing) -> Value {
    mail::read(&write(outgoing).unwrap().formatted(), date()).unwrap().trigger
}

#[test]
fn what_is_written_reads_back_the_same() {
    let written = Outgoing {
        to: vec!["\"Müller, Ann\" <ann@example.com>".into(), "Bob (Berlin) <bob@example.com>".into()],
        cc: vec!["cc@example.com".into()],
        bcc: vec!["hidden@example.com".into()],
        reply_to: vec!["answers@example.org".into()],
        subject: format!("Empfangen: {} (#7)", "sehr lange Verdächtigung ".repeat(10).trim_end()),
        text: None,
        html: Some("<p>Vielen Dank für <b>Ihren</b> Bericht.</p>".into()),
        attachments: vec![
            Attachment {
                name: "März/../bericht.pdf".into(),
                content_type: "application/pdf".into(),
                bytes: vec![0, 255, 10, 13],
            },
            Attachment {
                name: "mail.eml".into(),
                content_type: "message/rfc822".into(),
                bytes: b"From: a@b.c\nSubject: x\n\ny".to_vec(),
            },
            Attachment { name: "odd".into(), content_type: "no type\r\nX: y".into(), bytes: b"x".to_vec() },
        ],
        in_reply_to: Some("report-1@example.com".into()),
        references: vec!["earlier@example.com".into()],
        ..outgoing()
    };
    insta::assert_json_snapshot!("written_and_read_back", read_back(&written));
    assert_eq!(write(&written).unwrap().formatted(), write(&written).unwrap().formatted(), "always the same bytes");
    let recipients: Vec<String> = write(&written).unwrap().envelope().to().iter().map(ToString::to_string).collect();
    assert_eq!(recipients, ["ann@example.com", "bob@example.com", "cc@example.com", "hidden@example.com"]);
}

#[test]
fn an_answer_says_that_it_is_one_and_a_notice_says_that_it_is_automatic() {
    let notice = read_back(&outgoing());
    assert_eq!(notice["headers"]["auto-submitted"], json!(["auto-generated"]));
    assert_eq!(notice["references"], json!([]));
    let answer = read_back(&Outgoing { in_reply_to: Some("report-1@example.com".into()), ..outgoing() });
    assert_eq!(answer["headers"]["auto-submitted"], json!(["auto-replied"]));
    assert_eq!(answer["headers"]["in-reply-to"], json!(["<report-1@example.com>"]));
    assert_eq!(answer["references"], json!(["report-1@example.com"]));
    assert_eq!(answer["headers"]["date"], json!(["Tue, 24 Nov 2026 09:15:00 +0000"]));
}

#[test]
fn a_long_thread_keeps_its_first_and_its_last_mails() {
    let thread: Vec<String> = (0..300).map(|number| format!("mail-{number}-{}@example.com", "x".repeat(60))).collect();
    let answer = read_back(&Outgoing {
        in_reply_to: Some("answered@example.com".into()),
        references: thread.clone(),
        ..outgoing()
    });
    let references = answer["references"].as_array().unwrap();
    assert_eq!(references.len(), 20);
    assert_eq!(references[0], json!(thread[0]));
    assert_eq!(references[18], json!(thread[299]));
    assert_eq!(references[19], "answered@example.com");
}

#[test]
fn nothing_a_report_says_becomes_a_header_field() {
    let evil = "x\r\nBcc: victim@example.com\r\n\r\nbody";
    let mail = read_back(&Outgoing {
        from: format!("{evil} <soc@example.org>"),
        to: vec![format!("\"{evil}\" <ann@example.com>")],
        subject: evil.into(),
        in_reply_to: Some(format!("a@b.c>{evil}")),
        references: vec![evil.into(), "fine@example.com".into()],
        attachments: vec![Attachment { name: evil.into(), content_type: evil.into(), bytes: vec![] }],
        ..outgoing()
    });
    assert_eq!(mail["bccRecipients"], "");
    assert_eq!(mail["subject"], "x Bcc: victim@example.com body");
    assert_eq!(mail["references"], json!(["fine@example.com"]));
    assert_eq!(mail["text"], "Thank you, we look into it.\n");
    let names: Vec<&String> = mail["headers"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "from",
            "message-id",
            "date",
            "subject",
            "to",
            "references",
            "auto-submitted",
            "x-auto-response-suppress",
            "mime-version",
            "content-type"
        ]
    );
    for to in ["ann", "ann@", "@example.com", "a@b.c\r\nBcc: v@example.com", "a@b.c, d@e.f", "<>", ""] {
        let refused = write(&Outgoing { to: vec![to.into()], ..outgoing() });
        assert!(matches!(refused, Err(WriteError::Address { field: "to", .. })), "{to}");
    }
    assert!(matches!(write(&Outgoing { to: vec![], ..outgoing() }), Err(WriteError::NoRecipient)));
}

#[tokio::test]
async fn without_a_connection_a_mail_becomes_one_file_in_the_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    let mailer = Mailer::default();
    let mail = Outgoing { bcc: vec!["hidden@example.com".into()], ..outgoing() };
    let sent = mailer.send(None, &outbox, &mail).await.unwrap();
    assert_eq!(mailer.send(None, &outbox, &mail).await.unwrap(), sent, "a repeated mail is the same file");
    let files: Vec<_> = std::fs::read_dir(&outbox).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(sent, Sent::Outbox(files[0].clone()));
    assert_eq!(files, [outbox.join(format!("{}.eml", mail.message_id))]);
    let read = mail::read(&std::fs::read(&files[0]).unwrap(), date()).unwrap();
    assert_eq!(read.trigger["bccRecipients"], "hidden@example.com");
    assert_eq!(read.message_id.as_deref(), Some(mail.message_id.as_str()));
}

/// A server on loopback that gives one of `answers` to each mail (nothing means: it hangs up), and what it heard.
async fn smtp_server(answers: &[&'static str]) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = Arc::new(Mutex::new(VecDeque::from(answers.to_vec())));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all_heard = heard.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(converse(socket, answers.clone(), heard.clone()));
        }
    });
    (address, all_heard)
}

async fn converse(socket: TcpStream, answers: Arc<Mutex<VecDeque<&'static str>>>, heard: Arc<Mutex<Vec<String>>>) {
    let mut socket = BufReader::new(socket);
    socket.write_all(b"220 test ESMTP\r\n").await.unwrap();
    let mut in_data = false;
    let mut line = String::new();
    while socket.read_line(&mut line).await.unwrap_or(0) > 0 {
        let said = std::mem::take(&mut line);
        let mut answer = "250 fine";
        if in_data {
            in_data = said != ".\r\n";
            answer = if in_data { "" } else { answers.lock().unwrap().pop_front().unwrap() };
            if answer.is_empty() && !in_data {
                return;
            }
        } else if said.starts_with("EHLO") {
            answer = "250-test\r\n250 8BITMIME";
        } else if said.starts_with("DATA") {
            in_data = true;
            answer = "354 go on";
        }
        heard.lock().unwrap().push(said);
        if !answer.is_empty() {
            socket.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
    }
}

fn smtp(address: SocketAddr) -> Smtp {
    Smtp {
        host: "127.0.0.1".into(),
        port: address.port(),
        tls: Tls::None,
        from: "soc@example.org".into(),
        username: None,
        password: None,
    }
}

#[tokio::test]
async fn a_mail_goes_to_the_server_with_all_its_recipients() {
    let (address, heard) = smtp_server(&["250 queued as 1", "250 queued as 2"]).await;
    let mailer = Mailer::default();
    let mail = Outgoing { bcc: vec!["hidden@example.com".into()], ..outgoing() };
    let sent = mailer.send(Some(&smtp(address)), Path::new("unused"), &mail).await.unwrap();
    assert_eq!(sent, Sent::Accepted("queued as 1".into()));
    mailer.send(Some(&smtp(address)), Path::new("unused"), &mail).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    for said in ["MAIL FROM:<soc@example.org>", "RCPT TO:<ann@example.com>", "RCPT TO:<hidden@example.com>"] {
        assert_eq!(heard.iter().filter(|line| line.starts_with(said)).count(), 2, "{said}");
    }
    assert!(heard.contains(&format!("Message-ID: <{}>\r\n", mail.message_id)));
    assert!(!heard.iter().any(|line| line.starts_with("Bcc:")));
}

#[tokio::test]
async fn each_failure_says_whether_to_try_again_and_whether_the_mail_went() {
    for (answer, transient, known, text) in [
        ("451 later", true, true, "refused the mail with 451"),
        ("550 never", false, true, "refused the mail with 550"),
        ("", true, false, "broke, and the mail may have been sent"),
    ] {
        let (address, _) = smtp_server(&[answer]).await;
        let error = Mailer::default().send(Some(&smtp(address)), Path::new("unused"), &outgoing()).await.unwrap_err();
        assert_eq!((error.is_transient(), error.outcome_is_known()), (transient, known), "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Mailer::default().send(Some(&smtp(nobody)), Path::new("unused"), &outgoing()).await.unwrap_err();
    assert!(matches!(error, SendError::Unreachable { .. }), "{error}");
    assert!(error.is_transient() && error.outcome_is_known());
}

#[tokio::test]
async fn a_password_goes_nowhere_in_clear_and_certificates_must_be_readable() {
    let mut far = smtp("127.0.0.1:1".parse().unwrap());
    far.host = "mail.example.com".into();
    let secret = SecretRef::Env("LARUM_TEST_NO_SUCH_VARIABLE".into());
    let missing = Some("no-such-file.pem".into());
    for (smtp, text) in [
        (far.clone(), "mail.example.com:1 is not a loopback address, and mail is not sent there without encryption"),
        (
            Smtp { password: Some(secret), ..far.clone() },
            "the password for mail.example.com:1 cannot be read: the environment variable LARUM_TEST_NO_SUCH_VARIABLE is not set",
        ),
        (
            Smtp { tls: Tls::StartTls { ca_file: missing }, ..far },
            "the certificates in no-such-file.pem cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        let error = Mailer::default().send(Some(&smtp), Path::new("unused"), &outgoing()).await.unwrap_err();
        assert_eq!(error.to_string(), text);
        assert!(!error.is_transient());
    }
}
