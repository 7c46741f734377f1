//! Runs are repeated from where they failed: what is kept, what is done again, and under whose identity.

use larum::{
    clock::Clock,
    engine::{Refused, RunHistory, Wish},
    incident::Actor,
    playbook::{Concurrency, Overflow},
    secret::SecretRef,
    store::{
        RunId, Store,
        resubmission::{Beginning, Resumed},
        run::{Finish, RunStatus},
    },
};
use serde_json::json;

use crate::{
    house::{House, form, until},
    probe::{asked, mend},
};

fn wish(of: RunId, from: Beginning) -> Wish {
    Wish { of, from, current_version: false, by: Actor::Larum, key: None }
}

impl House {
    async fn again(&self, of: RunId) -> RunId {
        self.living.engine.resubmit(wish(of, Beginning::Failure)).await.unwrap().unwrap().run
    }
}

fn values(run: RunId) -> Vec<String> {
    asked(run).into_iter().map(|(value, _)| value).collect()
}

#[tokio::test]
async fn branches_taken_and_rounds_gone_before_the_failure_stay() {
    let actions = r#"
  - id: hour
    if: "@less(ticks(utcNow()), ticks('2026-11-24T10:00:00Z'))"
    then:
      - {id: day, action: probe, with: {value: day}}
    else:
      - {id: night, action: probe, with: {value: night}}
  - id: poll
    until: "@greater(ticks(utcNow()), ticks('2026-11-24T09:00:00Z'))"
    do:
      - {id: look, action: probe, with: {value: look}}
  - {id: boom, action: probe, with: {value: branches-boom, answers: [{fails: {}}]}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    assert_eq!(values(run), ["day", "look", "branches-boom"]);
    // An hour later the condition would be another one.
    house.clock.advance(chrono::Duration::hours(2));
    mend("branches-boom");
    let again = house.again(run).await;
    assert_eq!(house.ended(again).await.status, RunStatus::Succeeded);
    assert_eq!(values(again), ["branches-boom"]);
}

#[tokio::test]
async fn what_a_failure_decided_is_decided_again() {
    let actions = r#"
  - {id: boom, action: probe, with: {value: decided-boom, answers: [{fails: {}}]}}
  - id: how
    run_after: {boom: [succeeded, failed]}
    if: "@equals(actions('boom').status, 'Failed')"
    then:
      - {id: sorry, action: probe, with: {value: sorry}}
      - {id: stop, terminate: {status: failed}}
    else:
      - {id: fine, action: probe, with: {value: fine}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    mend("decided-boom");
    let again = house.again(run).await;
    assert_eq!(house.ended(again).await.status, RunStatus::Succeeded);
    assert_eq!(values(again), ["decided-boom", "fine"]);
}

#[tokio::test]
async fn an_until_that_reached_its_limit_goes_round_as_often_again() {
    let actions = r#"
  - id: poll
    until: "@false"
    limit: {count: 2}
    fail_when_limits_reached: true
    do:
      - {id: look, action: probe, with: {value: look}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    let again = house.again(run).await;
    assert_eq!(house.ended(again).await.status, RunStatus::Failed);
    assert_eq!((values(run).len(), values(again).len()), (2, 2));
    let names: Vec<String> = house.statuses(again).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["poll", "look", "look", "look", "look"]);
}

#[tokio::test]
async fn an_incident_that_another_repetition_made_is_not_made_again() {
    let actions = r#"
  - {id: boom, action: probe, with: {value: twice-boom, answers: [{fails: {}}]}}
  - {id: create, action: create_incident, with: {title: once}}
  - {id: end, action: probe, with: {value: twice-end, answers: [{fails: {}}]}}
"#;
    let house = House::new(&form(&format!("{actions}\nfallback: none\n"))).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    mend("twice-boom");
    let first = house.again(run).await;
    assert_eq!(house.ended(first).await.status, RunStatus::Failed);
    let second = house.again(run).await;
    assert_eq!(house.ended(second).await.status, RunStatus::Failed);
    assert_eq!(house.living.disk.incidents(Default::default()).await.unwrap().len(), 1);
    mend("twice-end");
    let third = house.again(second).await;
    assert_eq!(house.ended(third).await.status, RunStatus::Succeeded);
    assert_eq!(values(third), ["twice-end"], "a repetition of a repetition keeps what both did");
}

#[tokio::test]
async fn a_run_that_a_step_started_goes_on_from_its_own_failure() {
    let parent = "
name: report
trigger: {form: {path: report, title: Report, fields: [{id: what, label: What, type: text}]}}
actions:
  - {id: child, action: run_playbook, with: {playbook: child}}
  - {id: after, action: probe, with: {value: after}}
---
name: child
trigger: {manual: {}}
actions:
  - {id: create, action: create_incident, with: {title: once}}
  - {id: boom, action: probe, with: {value: child-boom, answers: [{fails: {}}]}}
";
    let house = House::new(parent).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    mend("child-boom");
    let again = house.again(run).await;
    assert_eq!(house.ended(again).await.status, RunStatus::Succeeded);
    assert_eq!(values(again), ["after"]);
    let runs = house.living.disk.runs(Default::default()).await.unwrap();
    let children: Vec<RunStatus> = runs.iter().filter(|run| run.playbook == "child").map(|run| run.status).collect();
    assert_eq!(children, [RunStatus::Succeeded, RunStatus::Failed]);
    let titles = house.living.disk.incidents(Default::default()).await.unwrap();
    assert_eq!(titles.iter().filter(|incident| incident.title == "once").count(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_counts_as_a_failure_and_is_warned_of() {
    let actions = "\n  - {id: post, action: probe, with: {kind: bare, value: unknown-post, answers: [hang]}}\n";
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the effect is asked", async || (asked(run).len() == 1).then_some(())).await;
    let house = house.killed(|store| store).await;
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    mend("unknown-post");
    let repeated = house.living.engine.resubmit(wish(run, Beginning::Failure)).await.unwrap().unwrap();
    assert_eq!(
        repeated.warnings,
        ["Action 'post' ended with OutcomeUnknown: it may have taken effect, and it is performed again all the same."]
    );
    assert_eq!(house.ended(repeated.run).await.status, RunStatus::Succeeded);
}

#[tokio::test]
async fn secure_outputs_that_are_kept_rest_sealed_and_can_be_used() {
    let actions = r#"
  - {id: secret, action: probe, secure: [outputs], with: {value: secret, answers: ["hunter2-hunter2"]}}
  - {id: boom, action: probe, with: {value: sealed-boom, answers: [{fails: {}}]}}
  - {id: use, action: create_incident, with: {title: "@if(equals(actions.secret, 'hunter2-hunter2'), 'known', 'unknown')"}}
"#;
    let house = House::new(&form(&format!("{actions}\nfallback: none\n"))).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    mend("sealed-boom");
    let again = house.again(run).await;
    assert_eq!(house.ended(again).await.status, RunStatus::Succeeded);
    assert_eq!(house.living.disk.incident(1).await.unwrap().unwrap().title, "known");
    let origin = house.stored(again).await.origin.unwrap();
    let texts: Vec<String> = origin.kept.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    assert!(!texts.is_empty() && texts.iter().all(|text| !text.contains("hunter2")), "{texts:?}");
}

#[tokio::test]
async fn a_repeated_run_goes_on_after_a_kill_with_what_it_keeps() {
    let actions = r#"
  - {id: done, action: probe, with: {value: done}}
  - {id: boom, action: probe, with: {value: killed-boom, answers: [{fails: {}}]}}
  - {id: hang, action: probe, with: {value: killed-hang, answers: [hang]}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    mend("killed-boom");
    let again = house.again(run).await;
    until("it hangs", async || (asked(again).len() == 2).then_some(())).await;
    mend("killed-hang");
    let house = house.killed(|store| store).await;
    assert_eq!(house.ended(again).await.status, RunStatus::Succeeded);
    assert_eq!(
        values(again),
        ["killed-boom", "killed-hang", "killed-hang"],
        "what was kept is not done, what hung is done again"
    );
}

#[tokio::test]
async fn what_is_kept_goes_with_the_runs_when_they_are_pruned() {
    let actions = "\n  - {id: done, action: probe, with: {value: done}}\n  - {id: boom, action: probe, with: {answers: [{fails: {}}]}}\n";
    let house = House::new(&form(&format!("{actions}\nfallback: none\n"))).await;
    let run = house.report("1", json!({})).await.unwrap();
    house.ended(run).await;
    house.clock.advance(chrono::Duration::minutes(1));
    let again = house.again(run).await;
    house.ended(again).await;
    let event = house.stored(again).await.event;
    let disk = &house.living.disk;
    let between = house.stored(again).await.started;
    assert_eq!(disk.prune(between).await.unwrap(), 1, "the first is gone");
    assert!(disk.event(event).await.unwrap().is_some(), "its report is still needed");
    let refused = house.living.engine.resubmit(wish(run, Beginning::Event)).await.unwrap();
    assert_eq!(refused, Err(Refused::NoRun(run)));
    assert_eq!(disk.prune(between + chrono::Duration::hours(1)).await.unwrap(), 1);
    assert!(disk.event(event).await.unwrap().is_none());
}

#[tokio::test]
async fn a_run_that_a_repetition_itself_started_is_not_repeated_when_it_fails() {
    let parent = "
name: report
trigger: {form: {path: report, title: Report, fields: [{id: what, label: What, type: text}]}}
actions:
  - {id: before, action: probe, with: {value: before-child, answers: [{fails: {}}]}}
  - {id: child, action: run_playbook, with: {playbook: child}}
---
name: child
trigger: {manual: {}}
actions:
  - {id: wait, action: delay, with: {for: PT1H}}
  - {id: boom, action: probe, with: {value: once-only, answers: [{fails: {}}]}}
";
    let house = House::new(parent).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    mend("before-child");
    let again = house.again(run).await;
    until("the child waits", async || {
        let runs = house.living.disk.runs(Default::default()).await.unwrap();
        runs.iter().any(|run| run.playbook == "child").then_some(())
    })
    .await;
    // The parent leaves memory and is folded anew when its child has ended.
    house.quiet().await;
    house.clock.advance(chrono::Duration::hours(2));
    assert_eq!(house.ended(again).await.status, RunStatus::Failed);
    let runs = house.living.disk.runs(Default::default()).await.unwrap();
    let children: Vec<RunStatus> = runs.iter().filter(|run| run.playbook == "child").map(|run| run.status).collect();
    assert_eq!(children, [RunStatus::Failed]);
}

#[tokio::test]
async fn a_run_cancelled_in_a_loop_is_told_no_further_than_it_went() {
    let actions = r#"
  - id: outer
    until: "@false"
    limit: {count: 5000}
    do:
      - id: inner
        until: "@false"
        limit: {count: 5000}
        do:
          - {id: spin, action: compose, with: {inputs: 1}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    house.living.engine.cancel(run);
    assert_eq!(house.ended(run).await.status, RunStatus::Cancelled);
    let (stored, past) = house.living.engine.past(run, 0).await.unwrap().unwrap();
    assert_eq!(stored.journal.len(), 1);
    let text: serde_json::Value = serde_json::from_slice(&stored.journal[0]).unwrap();
    let pauses = text["event"]["cancelled"]["pauses"].as_u64().unwrap_or_default();
    assert_eq!((past.machine.is_paused(), u64::from(past.machine.pauses())), (true, pauses));
}

#[tokio::test]
async fn without_its_secret_parameters_a_run_is_not_told() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cret-token").unwrap();
    let source = "parameters: {token: {type: securestring}}\n".to_owned()
        + &form("\n  - {id: post, action: probe, with: {value: \"@toUpper(parameters('token'))\"}}\n");
    let house = House::with_secrets(&source, vec![("token".to_owned(), SecretRef::File(file.clone()))]).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert!(house.living.engine.past(run, 1).await.is_ok());
    std::fs::remove_file(&file).unwrap();
    let refused = house.living.engine.past(run, 1).await.err().unwrap().to_string();
    assert!(refused.contains("the secret parameter 'token' of playbook 'report' cannot be read"), "{refused}");
}

#[tokio::test]
async fn what_is_found_to_be_secret_later_is_not_shown_of_before() {
    let actions = r#"
  - {id: open, action: probe, with: {value: open, answers: ["hunter2-hunter2"]}}
  - {id: keep, action: set_variable, with: {name: kept, value: "@actions.open"}}
  - {id: closed, action: probe, secure: [inputs, outputs], with: {value: closed, answers: ["hunter2-hunter2"]}}
"#;
    let house = House::new(&format!("variables: {{kept: {{type: string}}}}\n{}", form(actions))).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    let (stored, past) = house.living.engine.past(run, 2).await.unwrap().unwrap();
    let mut told = RunHistory::new(&stored, None, Vec::new());
    told.stood(&past, 2);
    let actions = told.actions.unwrap();
    assert_eq!((&actions[0]["status"], &actions[0]["outputs"]), (&json!("Succeeded"), &json!({"body": "[secret]"})));
    assert_eq!(told.variables, Some(json!({"kept": "[secret]"})));
}

#[tokio::test]
async fn a_suspended_run_goes_on_where_there_is_room_and_with_what_its_trigger_could_not_do() {
    let actions = "\n  - {id: hang, action: probe, with: {value: hang, answers: [hang]}}\n";
    let house = House::new(&form(actions)).await;
    let disk = &house.living.disk;
    let fault = json!({"code": "TriggerFailed", "message": "nothing to be made of it"});
    let (first, second) = (house.report("1", json!({})).await.unwrap(), house.report("2", json!({})).await.unwrap());
    until("both hang", async || [first, second].iter().all(|run| asked(*run).len() == 1).then_some(())).await;
    let database = rusqlite::Connection::open(house.data.path().join("larum.db")).unwrap();
    let id = |run: RunId| run.as_bytes().to_vec();
    database.execute("UPDATE run SET error = ?1 WHERE id = ?2", (fault.to_string(), id(first))).unwrap();
    let suspend = || Finish {
        run: first,
        status: RunStatus::Suspended,
        at: house.clock.now(),
        error: Some(json!({"code": "VersionUnavailable", "message": "gone"})),
        actions: "[]".into(),
        fallback: None,
        note: None,
        parent: None,
    };
    disk.finish(suspend()).await.unwrap();
    disk.finish(suspend()).await.unwrap();
    let suspended = json!({"code": "VersionUnavailable", "message": "gone", "trigger": fault});
    assert_eq!(house.stored(first).await.error, Some(suspended));
    let limit = Some(Concurrency { runs: 1, overflow: Overflow::Queue });
    let because = "1 of 1 runs are under way".to_owned();
    assert_eq!(disk.resume(first, limit).await.unwrap(), Resumed::Busy { because });
    assert_eq!(disk.resume(second, limit).await.unwrap(), Resumed::NotSuspended);
    house.living.engine.cancel(second);
    assert_eq!(house.ended(second).await.status, RunStatus::Cancelled);
    assert_eq!(disk.resume(first, limit).await.unwrap(), Resumed::GoesOn);
    let resumed = house.stored(first).await;
    assert_eq!((resumed.status, resumed.error), (RunStatus::Running, Some(fault)));
}
