//! The embedded maildir, as the README uses it and as programs that deliver mail do.

use std::{
    fs,
    io::Write,
    path::Path,
    time::{Duration, SystemTime},
};

use larum::{
    config::{self, Connection, Start},
    playbook::Filter,
    store::{Store, query::HistoryOutcome},
};

use crate::kit::{DEADLINE, Larum, data, filing, mail, on, within};

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<String> = entries.flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_copied_into_new_becomes_a_report_and_goes_to_cur() {
    let data = data();
    let larum = Larum::start(data.path(), &[], vec![on(None)]).await;
    larum.await_met("embedded").await;
    let maildir = data.path().join("maildir");
    fs::write(data.path().join("sample.eml"), mail("1", "incident: north door")).unwrap();
    fs::copy(data.path().join("sample.eml"), maildir.join("new/sample.eml")).unwrap();
    larum.await_accepted("embedded", 1).await;
    within(DEADLINE, "the file is in cur/", async || files(&maildir.join("cur")) == ["sample.eml:2,"]).await;
    assert!(files(&maildir.join("new")).is_empty());
    let history = larum.history().await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].summary, "incident: north door <1@example.com>");
    let HistoryOutcome::Accepted { event, .. } = history[0].outcome else { panic!("{:?}", history[0].outcome) };
    assert_eq!(larum.store.message(event).await.unwrap().unwrap().raw, mail("1", "incident: north door"));
    let outputs = larum.store.event(event).await.unwrap().unwrap().outputs;
    assert_eq!(outputs["body"]["subject"], "incident: north door");
    larum.await_incidents(1).await;
    assert_eq!(
        larum.metric("larum_mailbox_up{").unwrap(),
        r#"larum_mailbox_up{connection="embedded",folder="INBOX"} 1"#
    );
    // The same again: once more the same report.
    fs::copy(data.path().join("sample.eml"), maildir.join("new/sample.eml")).unwrap();
    within(DEADLINE, "it is found a duplicate", async || {
        larum.feed("embedded", "INBOX").await.is_some_and(|feed| feed.duplicates == 1)
    })
    .await;
    larum.await_incidents(1).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_still_being_written_waits_until_it_is_closed() {
    let data = data();
    let larum = Larum::start(data.path(), &[], vec![on(None)]).await;
    larum.await_met("embedded").await;
    let new = data.path().join("maildir/new");
    let whole = mail("1", "incident");
    let mut file = fs::File::create(new.join("slow")).unwrap();
    file.write_all(&whole[..100]).unwrap();
    // Other mail goes by in the meantime, so the reader did look.
    fs::write(new.join("quick"), mail("2", "incident")).unwrap();
    larum.await_accepted("embedded", 1).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(larum.accepted("embedded").await, 1);
    file.write_all(&whole[100..]).unwrap();
    drop(file);
    larum.await_accepted("embedded", 2).await;
    let history = larum.history().await;
    let HistoryOutcome::Accepted { event, .. } = history[1].outcome else { panic!("{:?}", history[1].outcome) };
    assert_eq!(larum.store.message(event).await.unwrap().unwrap().raw, whole);
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_that_waited_while_larum_was_down_are_taken_at_the_start() {
    let data = data();
    let new = data.path().join("maildir/new");
    fs::create_dir_all(&new).unwrap();
    for number in 0..250 {
        fs::write(new.join(format!("{number:03}")), mail(&number.to_string(), "incident")).unwrap();
    }
    let larum = Larum::start(data.path(), &[], vec![on(None)]).await;
    larum.await_accepted("embedded", 250).await;
    within(DEADLINE, "new/ is empty", async || files(&new).is_empty()).await;
    assert_eq!(files(&data.path().join("maildir/cur")).len(), 250);
    larum.await_incidents(250).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_neither_loses_nor_doubles_a_mail() {
    let data = data();
    let new = data.path().join("maildir/new");
    fs::create_dir_all(&new).unwrap();
    for number in 0..600 {
        fs::write(new.join(format!("{number:03}")), mail(&number.to_string(), "incident")).unwrap();
    }
    for floor in [50, 250] {
        let larum = Larum::start(data.path(), &[], vec![filing(None)]).await;
        within(DEADLINE, "some are taken", async || larum.accepted("embedded").await >= floor).await;
        larum.kill();
    }
    let larum = Larum::start(data.path(), &[], vec![filing(None)]).await;
    larum.await_accepted("embedded", 600).await;
    larum.await_incidents(600).await;
    let filed = data.path().join("maildir/.Filed/cur");
    within(DEADLINE, "all are filed", async || files(&filed).len() == 600).await;
    assert!(files(&filed).iter().all(|file| file.ends_with(":2,S")));
    assert!(files(&new).is_empty());
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_that_does_not_want_a_mail_says_why() {
    let data = data();
    let wants = on(None);
    let filter = Filter { subject_contains: Some("alarm".into()), ..Filter::default() };
    let refuses = larum::playbook::MailboxTrigger { filter, ..on(None) };
    let larum = Larum::start(data.path(), &[], vec![wants, refuses.clone()]).await;
    larum.await_met("embedded").await;
    let new = data.path().join("maildir/new");
    fs::write(new.join("1"), mail("1", "incident")).unwrap();
    larum.await_accepted("embedded", 1).await;
    // One playbook takes it, the other says why not.
    let said = |history: &[larum::store::query::HistoryEntry]| {
        history
            .iter()
            .filter_map(|entry| match &entry.outcome {
                HistoryOutcome::Skipped { because } => Some((entry.playbook.clone(), because.clone())),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let because = "the subject does not contain \"alarm\"".to_owned();
    assert_eq!(said(&larum.history().await), [(Some("p1".to_owned()), because)]);
    // Nobody takes it: it is skipped, said, and out of the way.
    larum.listen(vec![refuses]).await;
    fs::write(new.join("2"), mail("2", "incident")).unwrap();
    within(DEADLINE, "it is skipped", async || {
        larum.feed("embedded", "INBOX").await.is_some_and(|feed| feed.skipped == 1)
    })
    .await;
    within(DEADLINE, "new/ is empty", async || files(&new).is_empty()).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_start_now_older_files_are_left_alone() {
    let data = data();
    let root = data.path().join("mail");
    fs::create_dir_all(root.join("new")).unwrap();
    fs::write(root.join("new/old"), mail("1", "incident")).unwrap();
    let hour = SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(root.join("new/old")).unwrap().set_modified(hour).unwrap();
    let connection = Connection::Maildir(config::Maildir { path: root.clone(), start: Start::Now });
    let larum = Larum::start(data.path(), &[("box", connection)], vec![on(Some("box"))]).await;
    larum.await_met("box").await;
    // In place of a wait: later mail is taken, and the old one is still there.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    fs::write(root.join("new/fresh"), mail("2", "incident")).unwrap();
    larum.await_accepted("box", 1).await;
    // It is moved to cur/ once it is committed.
    within(DEADLINE, "the later mail is put away", async || !files(&root.join("new")).contains(&"fresh".to_owned()))
        .await;
    assert_eq!(files(&root.join("new")), ["old"]);
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_maildir_that_is_moved_away_is_made_and_watched_again() {
    let data = data();
    let larum = Larum::start(data.path(), &[], vec![on(None)]).await;
    larum.await_met("embedded").await;
    let maildir = data.path().join("maildir");
    fs::rename(&maildir, data.path().join("away")).unwrap();
    within(DEADLINE, "the maildir is there again", async || maildir.join("new").is_dir()).await;
    fs::write(maildir.join("new/1"), mail("1", "incident")).unwrap();
    larum.await_accepted("embedded", 1).await;
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_can_be_read_by_now_is_taken_when_somebody_asks() {
    let data = data();
    let larum = Larum::start(data.path(), &[], vec![on(None)]).await;
    larum.await_met("embedded").await;
    fs::write(data.path().join("maildir/new/empty"), "").unwrap();
    within(DEADLINE, "it is buried", async || larum.store.dead_letters().await.unwrap().len() == 1).await;
    let letter = larum.store.dead_letters().await.unwrap().remove(0);
    assert_eq!(letter.reason, "the message is empty");
    // An empty mail stays what it is: it is tried and buried under the same number.
    larum::trigger::mailbox::request_retry(data.path(), letter.id).unwrap();
    within(DEADLINE, "the request is met", async || files(&data.path().join("requests")).is_empty()).await;
    within(DEADLINE, "it is tried", async || !larum.store.dead_letters().await.unwrap()[0].retrying).await;
    assert_eq!(larum.store.dead_letters().await.unwrap()[0].id, letter.id);
    // One that only an earlier version could not read is taken and leaves the box.
    let raw = mail("1", "incident");
    let burial = larum::store::mailbox::Burial {
        feed: letter.feed,
        at: chrono::Utc::now(),
        reason: "an earlier version could not read it".into(),
        raw: raw.clone(),
        whole: true,
        cursor: None,
        message: None,
        mail_tasks: Vec::new(),
        key: "other".into(),
    };
    let readable = larum.store.bury(burial).await.unwrap();
    larum::trigger::mailbox::request_retry(data.path(), readable).unwrap();
    larum.await_accepted("embedded", 1).await;
    within(DEADLINE, "it left the box", async || larum.store.dead_letters().await.unwrap().len() == 1).await;
    larum.stop().await;
}
