//! Approvals over HTTP: the mail in the outbox, the page behind its links, and what becomes of the run.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[allow(dead_code, reason = "the kit is made for forms, which need more of it")]
#[path = "forms/kit.rs"]
mod kit;

use std::time::Duration;

use chrono::Duration as Span;
use insta::assert_snapshot;
use kit::{Answer, Served, request, served};
use larum::{
    mail,
    store::{
        Store,
        query::RunFilter,
        run::{RunStatus, SignalVerdict},
    },
};
use serde_json::json;

const ASKS: &str = r#"
name: block-account
trigger: {form: {path: report, title: Report, fields: [{id: what, label: What?, type: text}]}}
actions:
  - id: ask
    action: approve
    timeout: 2h
    with:
      to: "Lead <lead@example.com>; deputy@example.com"
      subject: "Block {{trigger.what}}?"
      body: "Shall <b>{{trigger.what}}</b> be blocked?\nIt was reported."
      options: " Block , Leave alone"
  - id: create
    action: create_incident
    with: {title: "@{body('ask')?['SelectedOption']} by @{body('ask')?['UserEmailAddress']}"}
  - id: late
    run_after: {ask: [timed_out]}
    action: create_incident
    with: {title: nobody answered}
"#;

/// A mail of the outbox: to whom, subject, text.
struct Mail {
    to: String,
    subject: String,
    text: String,
}

impl Mail {
    /// The path of each link, in order.
    fn links(&self) -> Vec<String> {
        let paths = self.text.split_whitespace().filter_map(|word| word.split_once("/approvals/"));
        paths.map(|(_, token)| format!("/approvals/{token}")).collect()
    }
}

/// The mails in the outbox, by recipient, as soon as there are so many.
async fn mails(site: &Served, number: usize) -> Vec<Mail> {
    let outbox = site.data.path().join("outbox");
    for _ in 0..2000 {
        let files = std::fs::read_dir(&outbox).into_iter().flatten().map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "eml")).collect();
        if files.len() == number {
            let mut mails: Vec<Mail> = files
                .iter()
                .map(|path| {
                    let read = mail::read(&std::fs::read(path).unwrap(), kit::start()).unwrap().trigger;
                    let text = |key: &str| read[key].as_str().unwrap().to_owned();
                    Mail { to: text("toRecipients"), subject: text("subject"), text: text("text") }
                })
                .collect();
            mails.sort_by(|a, b| a.to.cmp(&b.to));
            return mails;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there should be {number} mails");
}

/// A page as a snapshot shows it: without what is signed.
fn shown(answer: &Answer) -> String {
    let mut pieces = answer.body.split("/approvals/");
    let mut body = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        body += "/approvals/[signed]";
        body += piece.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    }
    format!("{}\n\n{body}", answer.status)
}

async fn confirm(site: &Served, link: &str) -> Answer {
    site.post(link, kit::PAGE, "").await
}

async fn ended(site: &Served) -> RunStatus {
    for _ in 0..2000 {
        let runs = site.store.runs(RunFilter { limit: 1, ..Default::default() }).await.unwrap();
        if runs[0].status != RunStatus::Running {
            return runs[0].status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the run should end");
}

/// A site whose playbook has asked about `<i>Ann</i>`, and the mails it sent.
async fn asked() -> (Served, Vec<Mail>) {
    let site = served(&[ASKS], |_| {}).await;
    assert_eq!(site.post_json("/forms/report", r#"{"what": "<i>Ann</i>"}"#).await.status, 202);
    let mails = mails(&site, 2).await;
    (site, mails)
}

#[tokio::test]
async fn each_person_is_asked_in_a_mail_of_their_own_with_a_link_for_each_answer() {
    let (_site, mails) = asked().await;
    assert_eq!((&*mails[0].to, &*mails[1].to), ("deputy@example.com", "lead@example.com"));
    let [one, other] = [mails[0].links(), mails[1].links()];
    assert_eq!((one.len(), other.len()), (2, 2));
    assert!(one.iter().all(|link| !other.contains(link)));
    let mut text = mails[0].text.clone();
    for link in one {
        text = text.replace(&link, "/approvals/[signed]");
    }
    assert_snapshot!("mail", format!("{}\n\n{text}", mails[0].subject));
}

#[tokio::test]
async fn opening_a_link_changes_nothing_and_its_button_decides_once() {
    let (site, mails) = asked().await;
    let (deputy, lead) = (mails[0].links(), mails[1].links());
    for link in deputy.iter().chain(&lead) {
        for _ in 0..3 {
            assert_eq!(site.get(link).await.status, 200);
        }
        assert_eq!(site.raw(&request("HEAD", link, &[], None)).await.status, 200);
    }
    let page = site.get(&lead[1]).await;
    assert!(!page.body.contains("<i>") && !page.body.contains("<b>"), "{}", page.body);
    assert!(page.header("content-security-policy").unwrap().contains("form-action 'self'"));
    assert_snapshot!("page", shown(&page));

    assert_snapshot!("decided", shown(&confirm(&site, &lead[1]).await));
    assert_eq!(ended(&site).await, RunStatus::Succeeded);
    assert_eq!(site.store.incident(1).await.unwrap().unwrap().title, "Leave alone by lead@example.com");
    site.clock.advance(Span::minutes(3));
    assert_snapshot!("second_answer", shown(&confirm(&site, &deputy[0]).await));
    assert_eq!(confirm(&site, &lead[1]).await.status, 409, "a link counts once");
    let opened = site.get(&deputy[0]).await;
    assert_eq!(opened.status, 200);
    assert!(opened.body.contains("was decided on 24 November 2026, 09:05 UTC by lead@example.com"), "{}", opened.body);
    assert!(site.store.incident(2).await.unwrap().is_none());
}

#[tokio::test]
async fn of_many_answers_at_once_one_counts() {
    let (site, mails) = asked().await;
    let links: Vec<String> = mails.iter().flat_map(Mail::links).collect();
    let answers = futures::future::join_all(links.iter().cycle().take(20).map(|link| confirm(&site, link))).await;
    let statuses = |wanted| answers.iter().filter(|answer| answer.status == wanted).count();
    assert_eq!((statuses(200), statuses(409)), (1, 19));
    assert_eq!(ended(&site).await, RunStatus::Succeeded);
}

#[tokio::test]
async fn after_the_timeout_the_page_says_that_it_is_too_late() {
    let (site, mails) = asked().await;
    let link = &mails[0].links()[0];
    site.clock.advance(Span::hours(2));
    assert_eq!(ended(&site).await, RunStatus::TimedOut);
    assert_eq!(site.store.incident(1).await.unwrap().unwrap().title, "nobody answered");
    assert_snapshot!("too_late", shown(&site.get(link).await));
    assert_eq!(confirm(&site, link).await.status, 410);
    site.clock.advance(Span::days(100));
    assert_snapshot!("expired", shown(&site.get(link).await));
}

#[tokio::test]
async fn an_answer_that_came_after_the_timeout_is_not_shown_as_the_decision() {
    let goes_on =
        format!("{ASKS}  - {{id: nap, run_after: {{late: [succeeded]}}, action: delay, with: {{for: 10h}}}}\n");
    let site = served(&[&goes_on], |_| {}).await;
    assert_eq!(site.post_json("/forms/report", r#"{"what": "Ann"}"#).await.status, 202);
    let link = &mails(&site, 2).await[0].links()[0];
    site.clock.advance(Span::hours(2));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while site.store.incident(1).await.unwrap().is_none() {
        assert!(tokio::time::Instant::now() < deadline, "the playbook goes on without an answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // As an answer does whose page was looked up just before the timeout.
    let run = site.store.runs(RunFilter { limit: 1, ..Default::default() }).await.unwrap()[0].run;
    let step = serde_json::from_value(json!("ask")).unwrap();
    let answer = json!({"SelectedOption": "Block", "UserEmailAddress": "lead@example.com"});
    assert_eq!(site.engine.signal(run, &step, answer).await.unwrap(), SignalVerdict::Taken);
    for answer in [site.get(link).await, confirm(&site, link).await] {
        assert_eq!(answer.status, 410);
        assert!(answer.body.contains("It is too late to answer"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_forged_link_or_another_site_decides_nothing() {
    let (site, mails) = asked().await;
    let link = &mails[0].links()[0];
    let foreign = site.post(link, &[("origin", "https://evil.example")], "").await;
    assert_eq!(foreign.status, 403);
    let mut shown_all = String::new();
    let changed = format!("{}A", &link[..link.len() - 1]);
    for path in ["/approvals/x", "/approvals/%ff", "/approvals/", &changed, &link[..link.len() - 4]] {
        for answer in [site.get(path).await, confirm(&site, path).await] {
            assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        }
        shown_all = shown(&site.get(path).await);
    }
    assert_snapshot!("forged", shown_all);
    assert_eq!(site.store.runs(RunFilter::default()).await.unwrap()[0].status, RunStatus::Running);
}

#[tokio::test]
async fn the_gallerys_question_becomes_an_incident_that_says_what_was_decided() {
    let site = served(&[include_str!("../playbooks/ask-before-blocking-an-account.yaml")], |_| {}).await;
    let report = json!({"account": "ann", "why": "two countries"}).to_string();
    assert_eq!(site.post_json("/forms/account", &report).await.status, 202);
    let asked = mails(&site, 1).await;
    assert_eq!((&*asked[0].to, &*asked[0].subject), ("soc-lead@example.com", "Block ann?"));
    assert_eq!(confirm(&site, &asked[0].links()[0]).await.status, 200);
    assert_eq!(ended(&site).await, RunStatus::Succeeded);
    let incident = site.store.incident(1).await.unwrap().unwrap();
    assert_eq!((&*incident.title, &*format!("{:?}", incident.severity)), ("ann: Block", "High"));
    assert_eq!(incident.description, "Decided by soc-lead@example.com.\n\ntwo countries");

    assert_eq!(site.post_json("/forms/account", &report).await.status, 202);
    mails(&site, 2).await;
    site.clock.advance(Span::hours(4));
    ended(&site).await;
    assert_eq!(site.store.incident(2).await.unwrap().unwrap().title, "ann: nobody decided");
}

#[tokio::test]
async fn an_html_question_is_sent_as_html_and_shown_as_text() {
    let playbook = ASKS
        .replace("to: \"Lead <lead@example.com>; deputy@example.com\"", "to: lead@example.com\n      is_html: true")
        .replace("{{trigger.what}}</b>", "{{escape_html trigger.what}}</b>");
    let site = served(&[&playbook], |_| {}).await;
    site.post_json("/forms/report", json!({"what": "<i>Ann</i>"}).to_string()).await;
    let mails = mails(&site, 1).await;
    let links = mails[0].links();
    assert_eq!(links.len(), 2, "{}", mails[0].text);
    let page = site.get(&links[0]).await;
    assert_eq!(page.status, 200, "{}", mails[0].text);
    assert!(page.body.contains("Shall &lt;i&gt;Ann&lt;/i&gt; be blocked?"), "{}", page.body);
    assert_eq!(confirm(&site, &links[0]).await.status, 200);
}

#[tokio::test]
async fn when_nobody_can_be_asked_the_action_fails() {
    let playbook = ASKS.replace("Lead <lead@example.com>; deputy@example.com", "soc@example.com");
    let site = served(&[&playbook], |config| {
        let source =
            "connections: {box: {imap: {host: '127.0.0.1', tls: none, username: soc@example.com, password: {env: X}}}}";
        let read = larum::config::Config::read(&larum::diagnostic::Source::new("larum.yaml", source), &config.data);
        config.connections = read.unwrap().connections;
    })
    .await;
    site.post_json("/forms/report", r#"{"what": "x"}"#).await;
    assert_eq!(ended(&site).await, RunStatus::Failed);
    let run = site.store.runs(RunFilter::default()).await.unwrap()[0].run;
    let records = site.store.load_run(run).await.unwrap().unwrap().actions.unwrap();
    assert_eq!(
        records[0]["error"],
        json!({"code": "NobodyAsked", "message": "nobody could be asked: soc@example.com: soc@example.com is one of our own addresses"})
    );
}
