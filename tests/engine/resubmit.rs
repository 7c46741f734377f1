//! Runs are repeated from where they failed: what is kept, what is done again, and under whose identity.

use larum::{
    engine::{Refused, Wish},
    incident::Actor,
    store::{RunId, Store, resubmission::Beginning, run::RunStatus},
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
