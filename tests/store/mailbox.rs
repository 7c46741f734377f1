use larum::store::{
    Store, StoreError,
    mailbox::{Burial, Cursor, Feed, FeedNews, MailTaskKind, MessageRef, NewMailTask},
    query::HistoryOutcome,
};

use crate::kit::*;

fn imap(uid_validity: u32, uid: u32) -> Cursor {
    Cursor::Imap { uid_validity, uid }
}

async fn known(kit: &Kit) -> Feed {
    kit.store.feed(&feed("soc")).await.unwrap().unwrap()
}

async fn note(kit: &Kit, news: FeedNews) {
    kit.store.note_feed(&feed("soc"), news).await.unwrap();
}

async fn move_to(kit: &Kit, cursor: Cursor) -> Option<Cursor> {
    kit.store.accept(larum::store::intake::Intake { cursor: Some(cursor), ..intake("soc", vec![]) }).await.unwrap();
    known(kit).await.cursor
}

#[tokio::test]
async fn a_cursor_only_moves_forward_until_the_server_renumbers() {
    let kit = Kit::new().await;
    assert_eq!(move_to(&kit, imap(1, 10)).await, Some(imap(1, 10)));
    assert_eq!(move_to(&kit, imap(1, 9)).await, Some(imap(1, 10)));
    assert_eq!(move_to(&kit, imap(2, 50)).await, Some(imap(1, 10)), "a late batch of another numbering");
    note(&kit, FeedNews::Renumbered { cursor: imap(2, 0), at: at(3) }).await;
    assert_eq!(move_to(&kit, imap(2, 5)).await, Some(imap(2, 5)));
    let kit = kit.reopened();
    assert_eq!(known(&kit).await.cursor, Some(imap(2, 5)));
}

#[tokio::test]
async fn a_tick_is_not_taken_back_within_its_schedule() {
    let kit = Kit::new().await;
    let tick = |minutes, of: &str| Cursor::Tick { at: at(minutes), last: Some(at(1)), of: of.to_owned() };
    assert_eq!(move_to(&kit, tick(5, "daily")).await, Some(tick(5, "daily")));
    assert_eq!(move_to(&kit, tick(4, "daily")).await, Some(tick(5, "daily")));
    assert_eq!(move_to(&kit, tick(9, "weekly")).await, Some(tick(5, "daily")));
    note(&kit, FeedNews::Renumbered { cursor: tick(2, "weekly"), at: at(3) }).await;
    assert_eq!(known(&kit).await.cursor, Some(tick(2, "weekly")));
}

#[tokio::test]
async fn the_start_is_fixed_at_first_contact() {
    let kit = Kit::new().await;
    // A wrong password comes before any contact; it must not pass for one.
    note(&kit, FeedNews::Faulted { at: at(0), fault: "wrong password".to_owned() }).await;
    assert_eq!(kit.store.feed(&feed("soc")).await.unwrap(), None);
    let listed = kit.store.feeds().await.unwrap();
    assert_eq!(listed[0].fault, Some((at(0), "wrong password".to_owned())));

    note(&kit, FeedNews::Met { start: Some(at(1)), cursor: Some(imap(1, 7)), at: at(1) }).await;
    note(&kit, FeedNews::Met { start: Some(at(5)), cursor: Some(imap(1, 99)), at: at(5) }).await;
    note(&kit, FeedNews::Renumbered { cursor: imap(2, 0), at: at(6) }).await;
    let known = known(&kit).await;
    assert_eq!((known.met, known.start, known.cursor), (Some(at(1)), Some(at(1)), Some(imap(2, 0))));
    assert_eq!((known.heard, known.fault), (Some(at(6)), None));
}

#[tokio::test]
async fn a_fault_stays_until_the_mailbox_answers_again() {
    let kit = Kit::new().await;
    note(&kit, FeedNews::Met { start: None, cursor: None, at: at(0) }).await;
    note(&kit, FeedNews::Faulted { at: at(1), fault: "connection refused".to_owned() }).await;
    let faulted = known(&kit).await;
    assert_eq!((faulted.heard, faulted.fault), (Some(at(0)), Some((at(1), "connection refused".to_owned()))));
    note(&kit, FeedNews::Heard { at: at(2) }).await;
    let heard = known(&kit).await;
    assert_eq!((heard.heard, heard.fault), (Some(at(2)), None));
}

#[tokio::test]
async fn flags_and_moves_wait_until_they_are_confirmed() {
    let kit = Kit::new().await;
    let task = |uid, what| NewMailTask { message: MessageRef::Imap { uid_validity: 1, uid }, what };
    let tasks = [task(4, MailTaskKind::MarkSeen), task(4, MailTaskKind::MoveTo("Filed".to_owned()))];
    let with_tasks = || {
        let mut report = keyed("k");
        report.mail_tasks = tasks.to_vec();
        report
    };
    kit.accept(vec![with_tasks()]).await;
    // Killed before the flags, the mail comes again; its tasks are still waiting and not doubled.
    let kit = kit.reopened();
    kit.accept(vec![with_tasks()]).await;
    let waiting = kit.store.mail_tasks(&feed("soc"), 10).await.unwrap();
    assert_eq!(waiting.iter().map(|waiting| waiting.task.clone()).collect::<Vec<_>>(), tasks);
    assert_eq!(kit.store.mail_tasks(&feed("abuse"), 10).await.unwrap(), []);
    kit.store.mail_tasks_done(&[waiting[0].id]).await.unwrap();
    assert_eq!(kit.store.mail_tasks(&feed("soc"), 10).await.unwrap(), waiting[1..]);
}

fn burial(key: &str, raw: Vec<u8>) -> Burial {
    Burial {
        feed: feed("soc"),
        at: at(1),
        reason: "500 nested parts".to_owned(),
        raw,
        whole: true,
        cursor: Some(imap(1, 3)),
        message: Some(MessageRef::Imap { uid_validity: 1, uid: 3 }),
        mail_tasks: vec![],
        key: key.to_owned(),
    }
}

#[tokio::test]
async fn an_unreadable_mail_is_buried_once_and_the_cursor_goes_on() {
    let kit = Kit::new().await;
    for raw in [b"small".to_vec(), vec![b'x'; 200_000]] {
        let key = raw.len().to_string();
        let letter = kit.store.bury(burial(&key, raw.clone())).await.unwrap();
        assert_eq!(kit.store.bury(burial(&key, raw.clone())).await.unwrap(), letter);
        assert_eq!(kit.store.dead_letter_raw(letter).await.unwrap(), Some(raw));
    }
    let feed = known(&kit).await;
    assert_eq!((feed.dead, feed.cursor), (2, Some(imap(1, 3))));
    let letters = kit.store.dead_letters().await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.bytes).collect::<Vec<_>>(), [200_000, 5]);
    let history = kit.store.history(None, 10).await.unwrap();
    assert!(matches!(&history[0].outcome, HistoryOutcome::Dead { letter, .. } if *letter == letters[0].id));
}

#[tokio::test]
async fn a_dead_letter_is_tried_again_when_somebody_asks() {
    let kit = Kit::new().await;
    let letter = kit.store.bury(burial("k", b"mail".to_vec())).await.unwrap();
    assert_eq!(kit.store.dead_letters_to_retry(&feed("soc")).await.unwrap(), []);
    kit.store.retry_dead_letter(letter).await.unwrap();
    let asked = kit.store.dead_letters_to_retry(&feed("soc")).await.unwrap();
    assert_eq!((asked.len(), asked[0].retrying), (1, true));
    // It fails again: the retry is over, the letter is still there.
    kit.store.bury(burial("k", b"mail".to_vec())).await.unwrap();
    assert_eq!(kit.store.dead_letters_to_retry(&feed("soc")).await.unwrap(), []);
    assert_eq!(kit.store.dead_letters().await.unwrap().len(), 1);
    // It is taken: the letter goes.
    kit.store.forget_dead_letter(letter).await.unwrap();
    assert_eq!(kit.store.dead_letters().await.unwrap(), []);
    assert!(matches!(kit.store.retry_dead_letter(letter).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn no_recipient_gets_more_automatic_mails_than_the_limit_within_an_hour() {
    let kit = Kit::new().await;
    let reserve = async |id: &str, to: &[&str], minutes| {
        let to: Vec<String> = to.iter().map(ToString::to_string).collect();
        kit.store.reserve_mail(id, &to, at(minutes), 2).await.unwrap()
    };
    assert!(reserve("<1>", &["ann@example.com"], 0).await);
    assert!(reserve("<1>", &["ann@example.com"], 1).await, "the same mail sent again after a crash");
    assert!(reserve("<2>", &["ANN@example.com", "bob@example.com"], 2).await);
    assert!(!reserve("<3>", &["bob@example.com", "ann@example.com"], 3).await);
    assert!(!reserve("<3>", &["bob@example.com", "ann@example.com"], 90).await, "an answer that was given holds");
    assert!(reserve("<4>", &["bob@example.com"], 4).await, "a refused mail counts for nobody");
    assert!(reserve("<5>", &["ann@example.com"], 61).await);
}
