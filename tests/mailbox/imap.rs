//! Mail from a real IMAP server.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use larum::{
    config::{self, Connection, Start, Tls},
    mail::guard,
    store::{Store, mailbox::Cursor, query::HistoryOutcome},
};

use crate::{
    kit::{DEADLINE, Larum, data, filing, imap, mail, mail_with_body, on, within},
    support::{dovecot::Dovecot, smtp::Smtp},
};

/// Sends a mail over SMTP.
async fn send(smtp: &Smtp, from: &str, id: &str, subject: &str) {
    use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
    let message = Message::builder()
        .from(from.parse().unwrap())
        .to("soc@larum.test".parse().unwrap())
        .message_id(Some(format!("<{id}>")))
        .subject(subject)
        .body("Somebody stood at the north door.".to_owned())
        .unwrap();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(smtp.port).build();
    transport.send(message).await.unwrap_or_else(|error| panic!("{error}\n{}", smtp.log()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot and postfix"]
async fn a_mail_sent_by_smtp_is_accepted_by_idle_within_five_seconds() {
    let (data, dovecot) = (data(), Dovecot::start());
    let smtp = Smtp::start(&dovecot);
    let connections = [("soc", imap(data.path(), dovecot.port, Start::Now))];
    // Every mail server that is asked at most once a minute: only IDLE can be this quick.
    let trigger = larum::playbook::MailboxTrigger { every: Duration::from_secs(60), ..on(Some("soc")) };
    let timing = larum::trigger::mailbox::Timing { idle: Duration::from_secs(60), ..crate::kit::QUICK };
    let larum = Larum::start_with(data.path(), &connections, vec![trigger], timing, crate::kit::CREATE).await;
    larum.await_met("soc").await;
    for number in 0..2 {
        send(&smtp, "reporter@larum.test", &format!("{number}@larum.test"), "incident: north door").await;
        within(Duration::from_secs(5), "the mail is accepted", async || larum.accepted("soc").await == number + 1)
            .await;
    }
    larum.stop().await;
}

/// Every mail becomes an incident, and its sender is told.
const ACKNOWLEDGE: &str = r#"
  - id: create
    action: create_incident
    with: {title: "{{trigger.subject}}", description: "{{trigger.text}}"}
  - id: acknowledge
    action: send_email
    with:
      to: "{{trigger.from}}"
      subject: "Received: {{trigger.subject}} (#{{actions.create.properties.incidentNumber}})"
      body: Thank you for the report.
"#;

/// A header of a mail, in lower case names, unfolded.
fn header(mail: &str, name: &str) -> Option<String> {
    let head = mail.split("\n\n").next().unwrap_or_default().replace("\n ", " ").replace("\n\t", " ");
    head.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot and postfix"]
async fn the_sender_is_answered_and_an_answer_in_the_polled_mailbox_starts_nothing() {
    let (data, dovecot) = (data(), Dovecot::start());
    let smtp = Smtp::start(&dovecot);
    let outgoing = Connection::Smtp(config::Smtp {
        host: "127.0.0.1".to_owned(),
        port: smtp.port,
        tls: Tls::None,
        from: "SOC <soc@larum.test>".to_owned(),
        username: None,
        password: None,
    });
    let connections = [("soc", imap(data.path(), dovecot.port, Start::Now)), ("outgoing", outgoing)];
    let listens = vec![on(Some("soc"))];
    let larum = Larum::start_with(data.path(), &connections, listens, crate::kit::QUICK, ACKNOWLEDGE).await;
    larum.await_met("soc").await;
    send(&smtp, "reporter@larum.test", "first@larum.test", "incident: north door").await;
    within(DEADLINE, "the sender is answered", async || dovecot.files("reporter", "INBOX").len() == 1).await;
    let answer = dovecot.mails("reporter", "INBOX").remove(0).replace("\r\n", "\n");
    let said = |name| header(&answer, name);
    assert_eq!(said("Subject").as_deref(), Some("Received: incident: north door (#1)"));
    assert_eq!(said("From").as_deref(), Some("SOC <soc@larum.test>"));
    assert_eq!(said("To").as_deref(), Some("reporter@larum.test"));
    assert_eq!(said("In-Reply-To").as_deref(), Some("<first@larum.test>"));
    assert_eq!(said("References").as_deref(), Some("<first@larum.test>"));
    assert_eq!(said("Auto-Submitted").as_deref(), Some("auto-replied"));
    assert!(guard::is_own_message_id(&larum.vault, &said("Message-ID").unwrap()));
    // `alias` is another name of the mailbox that nobody told Larum of: the answer comes back into the mailbox that is read.
    send(&smtp, "alias@larum.test", "second@larum.test", "incident: south door").await;
    within(DEADLINE, "the answer is skipped", async || {
        larum.feed("soc", "INBOX").await.is_some_and(|feed| (feed.accepted, feed.skipped) == (2, 1))
    })
    .await;
    let skipped = HistoryOutcome::Skipped { because: "our own mail".to_owned() };
    assert_eq!(larum.history().await.iter().filter(|entry| entry.outcome == skipped).count(), 1);
    larum.await_incidents(2).await;
    // Two reports and one answer; a third mail would be a loop.
    send(&smtp, "reporter@larum.test", "last@larum.test", "incident: last").await;
    larum.await_incidents(3).await;
    within(DEADLINE, "the last answer", async || dovecot.files("reporter", "INBOX").len() == 2).await;
    assert_eq!(dovecot.files("soc", "INBOX").len(), 4);
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot and postfix"]
async fn our_own_mail_in_the_mailbox_starts_nothing() {
    let (data, dovecot) = (data(), Dovecot::start());
    let smtp = Smtp::start(&dovecot);
    let connections = [("soc", imap(data.path(), dovecot.port, Start::Now))];
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    larum.await_met("soc").await;
    send(
        &smtp,
        "reporter@larum.test",
        &guard::own_message_id(&larum.vault, b"some run", "larum.test"),
        "Received: north door",
    )
    .await;
    send(&smtp, "reporter@larum.test", "other@larum.test", "incident: north door").await;
    larum.await_accepted("soc", 1).await;
    within(DEADLINE, "our own is skipped", async || {
        larum.feed("soc", "INBOX").await.is_some_and(|feed| feed.skipped == 1)
    })
    .await;
    let because = "our own mail".to_owned();
    assert!(
        larum.history().await.iter().any(|entry| entry.outcome == HistoryOutcome::Skipped { because: because.clone() })
    );
    larum.await_incidents(1).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_thousand_waiting_mails_become_a_thousand_reports_with_the_server_restarted_in_the_middle() {
    let (data, mut dovecot) = (data(), Dovecot::start());
    for number in 0..1000 {
        dovecot.deliver("soc", "INBOX", &mail(&number.to_string(), "incident"));
    }
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    within(DEADLINE, "some are taken", async || larum.accepted("soc").await >= 100).await;
    dovecot.kill();
    dovecot.begin();
    larum.await_accepted("soc", 1000).await;
    dovecot.stop();
    dovecot.begin();
    dovecot.deliver("soc", "INBOX", &mail("after", "incident"));
    larum.await_accepted("soc", 1001).await;
    let events: HashSet<_> = larum
        .history()
        .await
        .into_iter()
        .filter_map(|entry| match entry.outcome {
            HistoryOutcome::Accepted { event, .. } => Some(event),
            _ => None,
        })
        .collect();
    assert_eq!(events.len(), 1001);
    larum.await_incidents(1001).await;
    // Nobody's flags were touched.
    assert!(
        dovecot.files("soc", "INBOX").iter().all(|file| !file.split(":2,").nth(1).unwrap_or_default().contains('S'))
    );
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn the_same_mail_twice_is_one_report_and_the_same_id_with_other_content_a_marked_one() {
    let (data, dovecot) = (data(), Dovecot::start());
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    larum.await_accepted("soc", 1).await;
    dovecot.deliver("soc", "INBOX", &mail_with_body("1", "incident", "Somebody else stood at the south door.\r\n"));
    larum.await_accepted("soc", 2).await;
    let feed = larum.feed("soc", "INBOX").await.unwrap();
    assert_eq!((feed.accepted, feed.duplicates), (2, 1));
    let mut events = Vec::new();
    for entry in larum.history().await {
        if let HistoryOutcome::Accepted { event, .. } = entry.outcome {
            events.push(larum.store.event(event).await.unwrap().unwrap());
        }
    }
    assert_eq!((events[0].resembles, events[1].resembles), (None, Some(events[0].event)));
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_changed_uidvalidity_doubles_nothing_and_misses_nothing() {
    let (data, mut dovecot) = (data(), Dovecot::start());
    for number in 0..150 {
        dovecot.deliver("soc", "INBOX", &mail(&number.to_string(), "incident"));
    }
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    larum.await_accepted("soc", 150).await;
    let Some(Cursor::Imap { uid_validity: before, .. }) = larum.feed("soc", "INBOX").await.unwrap().cursor else {
        panic!("no cursor")
    };
    dovecot.renumber("soc");
    dovecot.deliver("soc", "INBOX", &mail("new", "incident"));
    larum.await_accepted("soc", 151).await;
    within(DEADLINE, "the others are found duplicates", async || {
        larum.feed("soc", "INBOX").await.is_some_and(|feed| feed.duplicates == 150)
    })
    .await;
    let Some(Cursor::Imap { uid_validity: after, uid }) = larum.feed("soc", "INBOX").await.unwrap().cursor else {
        panic!("no cursor")
    };
    assert_ne!(before, after);
    assert_eq!(uid, 151);
    larum.await_incidents(151).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn the_start_still_holds_after_a_changed_uidvalidity() {
    let (data, mut dovecot) = (data(), Dovecot::start());
    for number in 0..3 {
        let file = dovecot.deliver("soc", "INBOX", &mail(&format!("old{number}"), "incident"));
        // Dovecot's INTERNALDATE is the file's time.
        let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(yesterday).unwrap();
    }
    let connections = [("soc", imap(data.path(), dovecot.port, Start::Now))];
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    larum.await_met("soc").await;
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    larum.await_accepted("soc", 1).await;
    dovecot.renumber("soc");
    dovecot.deliver("soc", "INBOX", &mail("2", "incident"));
    larum.await_accepted("soc", 2).await;
    // A mail that somebody moves into the folder counts, however old it is.
    let file = dovecot.deliver("soc", "Later", &mail("moved", "incident"));
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(yesterday).unwrap();
    within(
        DEADLINE,
        "the rescan is over",
        async || matches!(larum.feed("soc", "INBOX").await.unwrap().cursor, Some(Cursor::Imap { uid, .. }) if uid >= 5),
    )
    .await;
    std::fs::rename(&file, dovecot.maildir("soc", "INBOX").join("new").join(file.file_name().unwrap())).unwrap();
    larum.await_accepted("soc", 3).await;
    larum.await_incidents(3).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn flags_and_moves_are_done_in_the_end_even_when_killed_in_between() {
    let (data, dovecot) = (data(), Dovecot::start());
    for number in 0..400 {
        dovecot.deliver("soc", "INBOX", &mail(&number.to_string(), "incident"));
    }
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    for floor in [50, 200] {
        let larum = Larum::start(data.path(), &connections, vec![filing(Some("soc"))]).await;
        within(DEADLINE, "some are taken", async || larum.accepted("soc").await >= floor).await;
        larum.kill();
    }
    let larum = Larum::start(data.path(), &connections, vec![filing(Some("soc"))]).await;
    larum.await_accepted("soc", 400).await;
    within(DEADLINE, "all are filed", async || dovecot.files("soc", "Filed").len() == 400).await;
    assert!(
        dovecot.files("soc", "Filed").iter().all(|file| file.split(":2,").nth(1).unwrap_or_default().contains('S'))
    );
    within(DEADLINE, "the mailbox is empty", async || dovecot.files("soc", "INBOX").is_empty()).await;
    within(DEADLINE, "no task is left", async || {
        larum.store.mail_tasks(&crate::kit::name("soc", "INBOX"), 10).await.unwrap().is_empty()
    })
    .await;
    larum.await_incidents(400).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn two_hundred_mails_of_two_megabytes_pass() {
    let (data, dovecot) = (data(), Dovecot::start());
    let picture = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n".repeat(2 * 1024 * 1024 / 66);
    let mail = |number: u32| {
        format!(
            "From: Ann <ann@example.com>\r\nSubject: incident\r\nMessage-ID: <{number}@example.com>\r\n\
             MIME-Version: 1.0\r\nContent-Type: image/jpeg; name=door.jpg\r\n\
             Content-Disposition: attachment; filename=door.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n{picture}"
        )
        .into_bytes()
    };
    for number in 0..200 {
        dovecot.deliver("soc", "INBOX", &mail(number));
    }
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    within(Duration::from_secs(120), "all are accepted", async || larum.accepted("soc").await == 200).await;
    larum.await_incidents(200).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn without_idle_and_move_the_server_is_polled_and_mails_are_copied_and_removed() {
    let (data, dovecot) =
        (data(), Dovecot::start_with_settings("protocol imap {\n imap_capability = IMAP4rev1 UIDPLUS\n}"));
    let connections = [("soc", imap(data.path(), dovecot.port, Start::Now))];
    let larum = Larum::start(data.path(), &connections, vec![filing(Some("soc"))]).await;
    larum.await_met("soc").await;
    for number in 0..2 {
        dovecot.deliver("soc", "INBOX", &mail(&number.to_string(), "incident"));
        larum.await_accepted("soc", number + 1).await;
    }
    within(DEADLINE, "both are filed", async || dovecot.files("soc", "Filed").len() == 2).await;
    within(DEADLINE, "the mailbox is empty", async || dovecot.files("soc", "INBOX").is_empty()).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_mail_that_cannot_be_read_goes_to_the_dead_letter_box_and_stays_in_the_mailbox() {
    let (data, dovecot) = (data(), Dovecot::start());
    let headers: String = (0..20_000).map(|number| format!("X-{number}: x\r\n")).collect();
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    dovecot.deliver("soc", "INBOX", format!("From: a@example.com\r\n{headers}\r\nx").as_bytes());
    let huge = mail_with_body("huge", "huge", &"x".repeat(76).repeat(1000).replace("xx", "x\n").repeat(900));
    assert!(huge.len() > larum::limits::MAIL_BYTES);
    dovecot.deliver("soc", "INBOX", &huge);
    drop(huge);
    dovecot.deliver("soc", "INBOX", &mail("2", "incident"));
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    larum.await_accepted("soc", 2).await;
    let letters = larum.store.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 2);
    assert!(
        letters[0].reason.contains("at most 67108864 are read. It is still in the mailbox"),
        "{}",
        letters[0].reason
    );
    assert!(!letters[0].whole);
    let raw = larum.store.dead_letter_raw(letters[0].id).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&raw).contains("Subject: huge"));
    assert_eq!(letters[1].reason, "the message has more than 10000 header fields");
    assert_eq!(dovecot.files("soc", "INBOX").len(), 4);
    assert_eq!(
        larum.metric("larum_dead_letters_total{").unwrap(),
        r#"larum_dead_letters_total{connection="soc",folder="INBOX"} 2"#
    );
    larum.stop().await;
}
