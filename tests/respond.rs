//! Playbooks that answer whoever called their webhook, over HTTP.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[allow(dead_code, reason = "the kit is made for forms, which need more of it")]
#[path = "forms/kit.rs"]
mod kit;

use std::time::Duration;

use chrono::Duration as Span;
use insta::assert_snapshot;
use kit::{Answer, Served, served};
use larum::store::{Store, query::RunFilter, run::RunStatus};

/// A webhook that anybody may call, and what it does.
fn playbook(actions: &str) -> String {
    format!("name: ask\ntrigger: {{webhook: {{path: ask, connection: none}}}}\nactions:\n{actions}")
}

const LOOK_UP: &str = "
  - {id: note, action: compose, with: {inputs: '{{trigger.number}}'}}
  - id: answer
    action: respond
    with:
      status_code: 201
      headers: {X-Number: '{{actions.note}}', Set-Cookie: a=b, Content-Security-Policy: none}
      body: {number: '@trigger.number', known: true}
  - {id: after, action: create_incident, with: {title: answered}}
";

const JSON: (&str, &str) = ("content-type", "application/json");

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

#[tokio::test]
async fn a_playbook_answers_in_the_same_request_and_goes_on() {
    let site = served(&[&playbook(LOOK_UP)], |_| {}).await;
    let answer = site.post_json("/hooks/ask", r#"{"number": 7}"#).await;
    assert_eq!((answer.status, &*answer.body), (201, r#"{"number":7,"known":true}"#));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!((answer.header("x-number"), answer.header("set-cookie")), (Some("7"), None));
    // The page policies of this server are not the playbook's to change.
    assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(ended(&site).await, RunStatus::Succeeded);
    assert!(site.store.incident(1).await.unwrap().is_some());
}

#[tokio::test]
async fn a_repeated_call_gets_the_first_answer_at_once_and_long_afterwards() {
    let site = served(&[&playbook(LOOK_UP)], |_| {}).await;
    let call = || site.post("/hooks/ask", &[JSON, ("idempotency-key", "7")], r#"{"number": 7}"#);
    let same = |answer: &Answer| (answer.status, answer.body.clone(), answer.header("x-number").map(str::to_owned));
    let answers = futures::future::join_all((0..50).map(|_| call())).await;
    assert_eq!(site.runs().await, 1);
    assert_eq!(answers[0].status, 201);
    assert!(answers.iter().all(|answer| same(answer) == same(&answers[0])));
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count(), 1);
    ended(&site).await;
    site.clock.advance(Span::days(7));
    assert_eq!(same(&call().await), same(&answers[0]));
}

#[tokio::test]
async fn a_repeated_call_gets_the_first_answer_from_a_playbook_that_answers_no_more() {
    let site = served(&[&playbook(LOOK_UP)], |_| {}).await;
    let call = async |key: &str| site.post("/hooks/ask", &[JSON, ("idempotency-key", key)], r#"{"number": 7}"#).await;
    let first = call("7").await;
    assert_eq!(first.status, 201);
    let silent = playbook("  - {id: after, action: create_incident, with: {title: x}}\n");
    kit::put_in_force(&site.store, &site.library, &[&silent]).await;
    let again = call("7").await;
    assert_eq!((again.status, &*again.body, again.header("idempotent-replayed")), (201, &*first.body, Some("true")));
    assert_eq!((call("8").await.status, call("8").await.status), (202, 202));
}

#[tokio::test]
async fn a_run_that_ends_without_an_answer_is_502() {
    let never = "
  - {id: way, if: false, then: [{id: answer, action: respond, with: {}}]}
  - {id: after, action: create_incident, with: {title: x}}
";
    let fails = "
  - {id: end, terminate: {status: failed, code: Bad, message: no}}
  - {id: answer, action: respond, with: {}}
";
    for actions in [never, fails] {
        let site = served(&[&playbook(actions)], |_| {}).await;
        let answer = site.post("/hooks/ask", &[JSON, ("idempotency-key", "1")], "{}").await;
        assert_snapshot!("no_response", answer.shown());
        let again = site.post("/hooks/ask", &[JSON, ("idempotency-key", "1")], "{}").await;
        assert_eq!((again.status, again.body), (answer.status, answer.body));
    }
}

#[tokio::test]
async fn a_caller_waits_two_minutes_and_the_run_goes_on() {
    let slow = "
  - {id: nap, action: delay, with: {for: 10m}}
  - {id: answer, run_after: {nap: [succeeded]}, action: respond, with: {body: late}}
  - {id: after, run_after: {answer: [succeeded, skipped]}, action: create_incident, with: {title: x}}
";
    let site = served(&[&playbook(slow)], |_| {}).await;
    let hurry = async {
        // The clock stands still until the run sleeps; then it is two minutes later.
        while site.store.runs(RunFilter::default()).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        site.clock.advance(Span::seconds(121));
    };
    let (answer, ()) = tokio::join!(site.post_json("/hooks/ask", "{}"), hurry);
    assert_snapshot!("gateway_timeout", answer.shown());
    site.clock.advance(Span::minutes(10));
    assert_eq!(ended(&site).await, RunStatus::Succeeded);
    assert!(site.store.incident(1).await.unwrap().is_some());
}

#[tokio::test]
async fn an_answer_may_be_text_bytes_or_nothing_and_an_error() {
    for (with, shown) in [
        ("{body: hello}", "200 text/plain; charset=utf-8 hello"),
        ("{status_code: 404, body: {error: none}}", "404 application/json; charset=utf-8 {\"error\":\"none\"}"),
        ("{body: {$content-type: text/csv, $content: YSxi}}", "200 text/csv a,b"),
        ("{status_code: 204}", "204 - "),
        ("{headers: {Content-Type: text/html}, body: '<p>hi</p>'}", "200 text/html <p>hi</p>"),
    ] {
        let site = served(&[&playbook(&format!("  - {{id: answer, action: respond, with: {with}}}\n"))], |_| {}).await;
        let answer = site.post_json("/hooks/ask", "{}").await;
        let kind = answer.header("content-type").unwrap_or("-");
        assert_eq!(format!("{} {kind} {}", answer.status, answer.body), shown, "{with}");
    }
}

#[tokio::test]
async fn one_call_that_starts_many_runs_is_not_waited_for() {
    let split = playbook("  - {id: answer, action: respond, with: {body: '@trigger'}}\n").replace(
        "webhook: {path: ask, connection: none}",
        "webhook: {path: ask, connection: none}, split_on: '@triggerBody()'",
    );
    let site = served(&[&split], |_| {}).await;
    let answer = site.post_json("/hooks/ask", "[1, 2, 3]").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(site.runs().await, 3);
}
