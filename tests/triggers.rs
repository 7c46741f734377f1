//! `conditions`, `split_on` and `concurrency` as callers of forms and webhooks meet them.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[allow(dead_code, reason = "the kit is made for forms, which need more of it")]
#[path = "forms/kit.rs"]
mod kit;

use kit::served;
use larum::store::{
    Store,
    query::{HistoryOutcome, RunFilter},
};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A form at `/forms/ask` and a webhook at `/hooks/ask` with these keys beside them; their runs last an hour.
fn playbooks(keys: &str) -> [String; 2] {
    let nap = "actions:\n  - {id: nap, action: delay, with: {for: 1h}}\n";
    [
        format!(
            "name: form\ntrigger:\n  form: {{path: ask, title: Ask, fields: [{{id: what, label: What, type: text}}]}}\n  {keys}\n{nap}"
        ),
        format!("name: hook\ntrigger:\n  webhook: {{path: ask, connection: none}}\n  {keys}\n{nap}"),
    ]
}

/// Why reports were skipped, oldest first.
async fn skipped(site: &kit::Served) -> Vec<String> {
    let history = site.store.history(None, 100).await.unwrap();
    let because = history.into_iter().rev().filter_map(|line| match line.outcome {
        HistoryOutcome::Skipped { because } => Some(because),
        _ => None,
    });
    because.collect()
}

#[tokio::test]
async fn a_caller_for_whom_there_is_no_room_is_told_when_to_come_back() {
    let playbooks = playbooks("concurrency: {runs: 1, waiting: 1, overflow: reject}");
    let site = served(&[&playbooks[0], &playbooks[1]], |_| {}).await;
    for address in ["/forms/ask", "/hooks/ask"] {
        let mut statuses = Vec::new();
        for _ in 0..2 {
            statuses.push(site.post(address, &[JSON], "{}".to_owned()).await.status);
        }
        assert_eq!(statuses, [202, 202], "{address}");
        let refused = site.post(address, &[JSON, ("idempotency-key", "mine")], "{}".to_owned()).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")), "{address}: {}", refused.body);
        assert_eq!(refused.json()["error"]["code"], "TooManyRequests", "{address}");
    }
    assert_eq!(skipped(&site).await, ["1 of 1 runs are under way and 1 wait already"; 2]);
    // What was refused is not known, so it is not a repeat: its sender is refused again, not told that all is well.
    let again = site.post("/hooks/ask", &[JSON, ("idempotency-key", "mine")], "{}".to_owned()).await;
    assert_eq!(again.status, 429);
    let runs = site.store.runs(RunFilter::default()).await.unwrap();
    let mut statuses: Vec<_> = runs.iter().map(|run| format!("{} {}", run.playbook, run.status.as_str())).collect();
    statuses.sort();
    assert_eq!(statuses, ["form Running", "form Waiting", "hook Running", "hook Waiting"]);
}

#[tokio::test]
async fn a_caller_whose_report_meets_no_condition_is_thanked_all_the_same() {
    let playbooks = playbooks(r#"conditions: ["@equals(trigger.what, 'door')"]"#);
    let site = served(&[&playbooks[0], &playbooks[1]], |_| {}).await;
    let form = site.post("/forms/ask", &[JSON], json!({"what": "window"}).to_string()).await;
    assert_eq!(form.status, 202, "{}", form.body);
    assert!(form.json()["reference"].is_string(), "{}", form.body);
    let hook = site.post("/hooks/ask", &[JSON], json!({"what": "window"}).to_string()).await;
    assert_eq!((hook.status, hook.json()), (202, json!({"run": Value::Null})));
    assert_eq!(skipped(&site).await, ["the condition @equals(trigger.what, 'door') is not met"; 2]);
    assert_eq!(site.runs().await, 0);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_split_is_told_so_and_a_form_becomes_an_incident() {
    let playbooks = playbooks(r#"split_on: "@trigger.what""#);
    let site = served(&[&playbooks[0], &playbooks[1]], |_| {}).await;
    let hook = site.post("/hooks/ask", &[JSON], json!({"what": "door"}).to_string()).await;
    assert_eq!(hook.status, 400, "{}", hook.body);
    let message =
        "The result of the evaluation of 'split_on' is of type 'String' but is expected to be a value of type 'Array'.";
    assert_eq!(hook.json()["error"]["message"], message);
    assert_eq!(site.runs().await, 0);
    let form = site.post("/forms/ask", &[JSON, ("prefer", "wait=10")], json!({"what": "door"}).to_string()).await;
    assert_eq!((form.status, &form.json()["incident"]), (200, &json!(1)), "{}", form.body);
    let empty = site.post("/hooks/ask", &[JSON], json!({"what": []}).to_string()).await;
    assert_eq!((empty.status, empty.json()), (202, json!({"run": Value::Null})));
    let hook = site.post("/hooks/ask", &[JSON], json!({"what": [1, 2]}).to_string()).await;
    assert_eq!(hook.status, 202);
    assert_eq!(site.runs().await, 3);
}
