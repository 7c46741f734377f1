//! What is wrong with a mailbox is said with its name, and got over when it is right again.

use std::fs;

use larum::config::{Connection, Start, Tls};

use crate::{
    kit::{DEADLINE, Larum, data, imap, mail, on, within},
    support::{dovecot::Dovecot, free_port, proxy::Proxy},
};

/// Waits until a mailbox's fault says all of this.
async fn await_fault(larum: &Larum, connection: &str, words: &[&str]) {
    let mut said = None;
    let until = std::time::Instant::now() + DEADLINE;
    while std::time::Instant::now() < until {
        said = larum.any_feed(connection).await.and_then(|feed| feed.fault).map(|(_, fault)| fault);
        if said.as_ref().is_some_and(|said| words.iter().all(|word| said.contains(word))) {
            let up = format!("larum_mailbox_up{{connection=\"{connection}\",folder=");
            assert!(larum.metric(&up).unwrap().ends_with(" 0"));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the fault says {said:?}, and not all of {words:?}");
}

async fn await_no_fault(larum: &Larum, connection: &str) {
    within(DEADLINE, "the fault is over", async || {
        larum.any_feed(connection).await.is_some_and(|feed| feed.fault.is_none() && feed.heard.is_some())
    })
    .await;
    let up = format!("larum_mailbox_up{{connection=\"{connection}\",folder=");
    assert!(larum.metric(&up).unwrap().ends_with(" 1"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_wrong_password_is_said_and_got_over_once_it_is_right() {
    let (data, dovecot) = (data(), Dovecot::start());
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    fs::write(data.path().join("password"), "wrong").unwrap();
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    let server = format!("127.0.0.1:{}", dovecot.port);
    await_fault(&larum, "soc", &[&server, "refused the login", "Authentication failed"]).await;
    fs::write(data.path().join("password"), "secret").unwrap();
    larum.await_accepted("soc", 1).await;
    await_no_fault(&larum, "soc").await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_password_is_said_and_nothing_is_connected_to() {
    let data = data();
    let proxy = Proxy::start(free_port()).await;
    let connections = [("soc", imap(data.path(), proxy.port, Start::All))];
    fs::remove_file(data.path().join("password")).unwrap();
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    await_fault(&larum, "soc", &["the password cannot be read, so no login was tried", "password"]).await;
    assert_eq!(proxy.accepted(), 0);
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_wrong_folder_is_said_and_stops_no_other() {
    let (data, dovecot) = (data(), Dovecot::start());
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    let wrong = larum::playbook::MailboxTrigger { folder: "Nowhere".into(), ..on(Some("soc")) };
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    let larum = Larum::start(data.path(), &connections, vec![wrong, on(Some("soc"))]).await;
    larum.await_accepted("soc", 1).await;
    within(DEADLINE, "the wrong folder is said", async || {
        let feeds = larum::store::Store::feeds(&*larum.store).await.unwrap();
        let fault = feeds.into_iter().find(|feed| feed.name.folder == "Nowhere").and_then(|feed| feed.fault);
        fault.is_some_and(|(_, fault)| fault.contains("has no folder \"Nowhere\""))
    })
    .await;
    dovecot.deliver("soc", "Nowhere", &mail("2", "incident"));
    within(DEADLINE, "the folder is read once it is there", async || {
        larum.feed("soc", "Nowhere").await.is_some_and(|feed| feed.accepted == 1)
    })
    .await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_connection_that_went_deaf_is_noticed() {
    let (data, dovecot) = (data(), Dovecot::start());
    let proxy = Proxy::start(dovecot.port).await;
    let connections = [("soc", imap(data.path(), proxy.port, Start::All))];
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    larum.await_accepted("soc", 1).await;
    proxy.go_deaf();
    await_fault(&larum, "soc", &["did not answer"]).await;
    dovecot.deliver("soc", "INBOX", &mail("2", "incident"));
    proxy.hear();
    larum.await_accepted("soc", 2).await;
    await_no_fault(&larum, "soc").await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_server_that_is_down_is_said_and_found_again() {
    let (data, mut dovecot) = (data(), Dovecot::start());
    let connections = [("soc", imap(data.path(), dovecot.port, Start::All))];
    let larum = Larum::start(data.path(), &connections, vec![on(Some("soc"))]).await;
    larum.await_met("soc").await;
    dovecot.stop();
    await_fault(&larum, "soc", &["cannot be reached", "refused"]).await;
    dovecot.begin();
    dovecot.deliver("soc", "INBOX", &mail("1", "incident"));
    larum.await_accepted("soc", 1).await;
    await_no_fault(&larum, "soc").await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs dovecot"]
async fn a_certificate_counts_only_when_it_is_known_and_for_this_host() {
    let (data, right) = (data(), Dovecot::start_with_tls("localhost"));
    let wrong = Dovecot::start_with_tls("mail.example.com");
    let secured = |dovecot: &Dovecot, ca_file| {
        let Connection::Imap(mut imap) = imap(data.path(), dovecot.tls_port.unwrap(), Start::All) else {
            unreachable!()
        };
        imap.host = "localhost".to_owned();
        imap.tls = Tls::Implicit { ca_file };
        Connection::Imap(imap)
    };
    let connections = [
        ("known", secured(&right, Some(right.certificate()))),
        ("unknown", secured(&right, None)),
        ("other-host", secured(&wrong, Some(wrong.certificate()))),
        ("no-file", secured(&right, Some(data.path().join("missing.pem")))),
    ];
    right.deliver("soc", "INBOX", &mail("1", "incident"));
    let triggers = connections.iter().map(|(name, _)| on(Some(name))).collect();
    let larum = Larum::start(data.path(), &connections, triggers).await;
    larum.await_accepted("known", 1).await;
    await_fault(&larum, "unknown", &["no encrypted connection to localhost", "UnknownIssuer"]).await;
    await_fault(&larum, "other-host", &["no encrypted connection to localhost", "not valid for name"]).await;
    await_fault(&larum, "no-file", &["missing.pem cannot be read"]).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_larum_yaml_does_not_have_is_said() {
    let data = data();
    let larum = Larum::start(data.path(), &[], vec![on(Some("nowhere"))]).await;
    await_fault(&larum, "nowhere", &["larum.yaml has no connection of this name"]).await;
    larum.stop().await;
}
