//! Mails made to break their reader: one report or one dead letter each, and the next mail is read as ever.

use std::fs;

use larum::store::{Store, query::HistoryOutcome};

use crate::kit::{DEADLINE, Larum, data, mail, mail_with_body, on, within};

/// Name, mail, and what it becomes: a report with this subject, or a dead letter with this reason.
fn hostile() -> Vec<(&'static str, Vec<u8>, Result<String, &'static str>)> {
    let from = "From: Ann <ann@example.com>\r\n";
    let headers: String = (0..100_000).map(|number| format!("X-{number}: x\r\n")).collect();
    let mut nested = "text".to_owned();
    for level in 0..500 {
        nested = format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n{nested}\r\n--b{level}--\r\n"
        );
    }
    let long = "s".repeat(5 * 1024 * 1024);
    let shown = larum::mail::shown::line(&long, larum::limits::MAIL_SUBJECT_CHARS);
    let language = "{{trigger.subject}} @{utcNow()} @concat('a', 'b')";
    vec![
        ("empty", Vec::new(), Err("the message is empty")),
        (
            "two From lines",
            format!("{from}From: Eve <eve@example.net>\r\nSubject: two\r\n\r\nx").into_bytes(),
            Ok("two".into()),
        ),
        (
            "100,000 headers",
            format!("{from}{headers}Subject: many\r\n\r\nx").into_bytes(),
            Err("the message has more than 10000 header fields"),
        ),
        ("500 levels", format!("{from}{nested}").into_bytes(), Err("the parts of the message nest deeper than 100")),
        ("5 MB subject", format!("{from}Subject: {long}\r\n\r\nx").into_bytes(), Ok(shown)),
        ("expressions", mail_with_body("e", language, language), Ok(language.into())),
        ("no text at all", vec![0xff; 1000], Err("the message has no header fields")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_mail_becomes_one_report_or_one_dead_letter() {
    let data = data();
    let larum = Larum::start(data.path(), &[], vec![on(None)]).await;
    larum.await_met("embedded").await;
    let new = data.path().join("maildir/new");
    let (mut reports, mut letters) = (0, 0);
    for (number, (name, raw, becomes)) in hostile().into_iter().enumerate() {
        fs::write(new.join(format!("{number}")), &raw).unwrap();
        match becomes {
            Ok(subject) => {
                reports += 1;
                larum.await_accepted("embedded", reports).await;
                let entry = larum.history().await.pop().unwrap();
                let HistoryOutcome::Accepted { event, .. } = entry.outcome else {
                    panic!("{name}: {:?}", entry.outcome)
                };
                let outputs = larum.store.event(event).await.unwrap().unwrap().outputs;
                assert!(
                    outputs["body"]["subject"] == subject.as_str(),
                    "{name}: {} characters",
                    outputs["body"]["subject"].as_str().unwrap().len()
                );
                assert_eq!(larum.store.message(event).await.unwrap().unwrap().raw, raw, "{name} is kept as it came");
                let remarks = outputs["remarks"].as_array().map_or(0, Vec::len);
                assert_eq!(remarks, usize::from(name == "two From lines"), "{name}: {:?}", outputs["remarks"]);
            }
            Err(reason) => {
                letters += 1;
                within(DEADLINE, name, async || larum.store.dead_letters().await.unwrap().len() == letters).await;
                let letter = larum.store.dead_letters().await.unwrap().remove(0);
                assert_eq!(letter.reason, reason, "{name}");
                assert!(letter.whole);
                assert_eq!(larum.store.dead_letter_raw(letter.id).await.unwrap().unwrap(), raw, "{name}");
            }
        }
    }
    fs::write(new.join("last"), mail("last", "as ever")).unwrap();
    larum.await_accepted("embedded", reports + 1).await;
    larum.await_incidents(reports as usize + 1).await;
    larum.stop().await;
}
