//! What runs wait for from others: answers, other runs, their callers.

use std::time::Duration;

use larum::{
    clock::Clock,
    engine::{News, Step},
    store::{
        Store,
        run::{RunStatus, SignalVerdict},
    },
};
use serde_json::{Value, json};

use crate::house::{House, form, until};

const SOON: Duration = Duration::from_secs(20);

fn step(id: &str) -> Step {
    Step { action: id.into(), iterations: Vec::new() }
}

/// The outputs of an action, as the run's records keep them.
async fn outputs(house: &House, run: larum::store::RunId, id: &str) -> Value {
    let records = house.stored(run).await.actions.unwrap_or_default();
    let record = records.as_array().unwrap().iter().find(|record| record["name"] == id).cloned();
    record.unwrap()["outputs"].clone()
}

/// A playbook that starts another and, behind it, that other one.
fn with_child(call: &str, child: &str) -> String {
    let parent =
        form(&format!("  - {{id: call, action: run_playbook, with: {{playbook: Child, body: {{n: 1}}{call}}}}}\n"));
    format!("{parent}\n---\nname: child\ntrigger: {{manual: {{}}}}\nactions:\n{child}")
}

#[tokio::test]
async fn a_playbook_waits_for_the_run_it_starts() {
    let house = House::new(&with_child("", "  - {id: say, action: answer, with: {value: \"@trigger.n\"}}\n")).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(outputs(&house, run, "call").await, json!({"statusCode": 200, "body": 1}));
    // Without an answer its end counts, and its failure is the action's.
    let fails = "  - {id: fail, terminate: {status: failed, code: Bad, message: no}}\n";
    let house = House::new(&with_child("", fails)).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    let record = house.stored(run).await.actions.unwrap()[0].clone();
    assert_eq!((&record["code"], &record["error"]["code"]), (&json!("ActionFailed"), &json!("Bad")));
}

#[tokio::test]
async fn a_playbook_that_does_not_wait_goes_on_at_once() {
    let house = House::new(&with_child(", wait: false", "  - {id: nap, action: delay, with: {for: 1h}}\n")).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    let child: larum::store::RunId =
        outputs(&house, run, "call").await["body"]["run"].as_str().unwrap().parse().unwrap();
    assert_eq!(house.run(child).await.status, RunStatus::Running);
}

#[tokio::test]
async fn the_other_run_is_started_once_and_waited_for_across_restarts() {
    let child =
        "  - {id: nap, action: delay, with: {for: 1h}}\n  - {id: create, action: create_incident, with: {title: x}}\n";
    let house = House::new(&with_child("", child)).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    house.quiet().await;
    let house = house.killed(|store| store).await;
    house.quiet().await;
    assert_eq!(house.living.disk.runs(Default::default()).await.unwrap().len(), 2);
    house.clock.advance(chrono::Duration::seconds(3_600));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(house.living.disk.incidents(Default::default()).await.unwrap().len(), 1);
    assert_eq!(house.living.disk.runs(Default::default()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn secrets_do_not_go_along_to_the_other_playbook() {
    let call =
        "  - {id: call, action: run_playbook, with: {playbook: child, body: {token: \"@parameters('token')\"}}}\n";
    let source = format!(
        "parameters: {{token: {{type: securestring}}}}\n{}\n---\nname: child\ntrigger: {{manual: {{}}}}\nactions:\n  - {{id: say, action: compose, with: {{inputs: 1}}}}\n",
        form(call)
    );
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("token");
    std::fs::write(&place, "hunter2-hunter2\n").unwrap();
    let secrets = vec![("token".to_owned(), larum::secret::SecretRef::File(place))];
    let house = House::with_secrets(&source, secrets).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    house.ended(run).await;
    let child = outputs(&house, run, "call").await["body"]["run"].as_str().unwrap().parse().unwrap();
    let seen: Value = serde_json::from_str(&house.stored(child).await.outputs).unwrap();
    assert_eq!(seen["body"], json!({"token": "[secret]"}));
}

#[tokio::test]
async fn news_of_what_is_no_longer_waited_for_lets_the_run_sleep_on() {
    let child = "  - {id: nap, action: delay, with: {for: 2h}}\n";
    let parent = "  - {id: call, action: run_playbook, timeout: 1h, with: {playbook: child}}
  - {id: nap, run_after: {call: [timed_out]}, action: delay, with: {for: 3h}}
";
    let house =
        House::new(&format!("{}\n---\nname: child\ntrigger: {{manual: {{}}}}\nactions:\n{child}", form(parent))).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    house.quiet().await;
    house.clock.advance(chrono::Duration::hours(1));
    let asleep = || async {
        let open = house.living.disk.open_runs(None, 10).await.unwrap();
        open.into_iter().find(|open| open.run == run).and_then(|open| open.waiting_until)
    };
    let until_when = house.clock.now() + chrono::Duration::minutes(179);
    until("the call to time out", async || asleep().await.filter(|when| *when >= until_when).map(drop)).await;
    house.quiet().await;
    // The child ends now, and tells a run that has gone on without it.
    house.clock.advance(chrono::Duration::hours(1));
    until("the child to end", async || {
        let runs = house.living.disk.runs(Default::default()).await.unwrap();
        runs.iter().any(|other| other.run != run && other.status == RunStatus::Succeeded).then_some(())
    })
    .await;
    house.quiet().await;
    house.clock.advance(chrono::Duration::hours(2));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn a_playbook_that_is_not_there_or_starts_itself_for_ever_is_told_so() {
    let nobody = form("  - {id: call, action: run_playbook, with: {playbook: nobody}}\n");
    let house = House::new(&nobody).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    house.ended(run).await;
    assert_eq!(house.stored(run).await.actions.unwrap()[0]["code"], json!("PlaybookNotFound"));
    let house = House::new(&with_child("", "  - {id: again, action: run_playbook, with: {playbook: child}}\n")).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    assert_eq!(house.living.disk.runs(Default::default()).await.unwrap().len(), 17);
}

const ASKS: &str = "  - {id: ask, action: ask, timeout: 2h, with: {value: May I?}}
  - {id: create, action: create_incident, with: {title: \"@{actions.ask.said.choice}\"}}
";

#[tokio::test]
async fn the_first_answer_counts_and_a_restart_changes_nothing() {
    let house = House::new(&form(ASKS)).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    house.quiet().await;
    let question = house.living.engine.question(run, &step("ask")).await.unwrap().unwrap();
    assert_eq!((&question.input["value"], &question.answer, question.ended), (&json!("May I?"), &None, None));
    let house = house.killed(|store| store).await;
    house.quiet().await;
    let yes = house.living.engine.signal(run, &step("ask"), json!({"choice": "yes"})).await.unwrap();
    assert_eq!(yes, SignalVerdict::Taken);
    let no = house.living.engine.signal(run, &step("ask"), json!({"choice": "no"})).await.unwrap();
    assert!(matches!(no, SignalVerdict::Already(first) if first.payload == json!({"choice": "yes"})));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(house.living.disk.incident(1).await.unwrap().unwrap().title, "yes");
    let late = house.living.engine.signal(run, &step("ask"), json!({"choice": "no"})).await.unwrap();
    assert_eq!(late, SignalVerdict::NoRun);
}

#[tokio::test]
async fn an_answer_that_was_taken_before_a_crash_is_heard_after_it() {
    let house = House::new(&form(ASKS)).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    house.quiet().await;
    // The answer reached the disk, and Larum died before it told the run.
    let signal =
        larum::store::run::Signal { run, step: "ask".into(), at: house.clock.now(), payload: json!({"choice": "yes"}) };
    assert_eq!(house.living.disk.signal(signal).await.unwrap(), SignalVerdict::Taken);
    let house = house.killed(|store| store).await;
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn nobody_waits_for_an_answer_longer_than_the_timeout() {
    let house = House::new(&form(ASKS)).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    house.quiet().await;
    house.clock.advance(chrono::Duration::seconds(2 * 3_600));
    assert_eq!(house.ended(run).await.status, RunStatus::TimedOut);
    assert_eq!(house.statuses(run).await[0], ("ask".into(), "TimedOut".into()));
    let question = house.living.engine.question(run, &step("ask")).await.unwrap().unwrap();
    assert_eq!(question.ended.map(larum::playbook::ActionStatus::as_str), Some("TimedOut"));
}

#[tokio::test]
async fn a_caller_hears_the_answer_before_the_run_ends() {
    let actions =
        "  - {id: say, action: answer, with: {value: hello}}\n  - {id: nap, action: delay, with: {for: 1h}}\n";
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    let state = until("the answer is on record", async || {
        house.living.disk.run_state(run).await.unwrap().filter(|state| state.reply.is_some())
    })
    .await;
    assert_eq!((state.status, state.reply), (RunStatus::Running, Some(json!({"statusCode": 200, "body": "hello"}))));
    house.quiet().await;
    let watch = house.living.engine.watch_reply(run);
    house.clock.advance(chrono::Duration::seconds(3_600));
    assert_eq!(tokio::time::timeout(SOON, watch.news()).await, Ok(Some(News::Ended(RunStatus::Succeeded))));
}
