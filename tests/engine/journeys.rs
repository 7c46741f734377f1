//! From a report to an incident, through the door, the engine and the disk.

use std::time::Duration;

use larum::{
    clock::Clock,
    engine::News,
    store::{Store, run::RunStatus},
};
use serde_json::json;

use crate::{
    house::{House, form, until},
    probe::asked,
};

/// Within which a run of a few actions must have ended.
const SOON: Duration = Duration::from_secs(20);

const CREATE: &str = r#"
  - id: create
    action: create_incident
    with: {title: "{{trigger.what}}", tags: [form, null]}
"#;

#[tokio::test]
async fn a_report_becomes_an_incident() {
    let house = House::new(&form(CREATE)).await;
    let run = house.report("1", json!({"what": " stranger at the door "})).await.unwrap();
    let ended = house.ended(run).await;
    assert_eq!((ended.status, ended.incident, ended.error), (RunStatus::Succeeded, Some(1), None));
    let incident = house.living.disk.incident(1).await.unwrap().unwrap();
    assert_eq!((incident.title.as_str(), incident.tags), ("stranger at the door", vec!["form".to_owned()]));
    assert_eq!(incident.provenance.run, Some(run));
    assert_eq!(house.statuses(run).await, [("create".to_owned(), "Succeeded".to_owned())]);
    let journal = house.stored(run).await.journal;
    assert_eq!(journal.len(), 2, "{journal:?}");
}

#[tokio::test]
async fn whoever_watches_a_run_hears_its_incident_or_its_end() {
    let house = House::new(&form(CREATE)).await;
    let watch = house.watched("1", json!({"what": "x"})).await;
    assert_eq!(tokio::time::timeout(SOON, watch.news()).await, Ok(Some(News::Incident(1))));
    let watch = house.watched("2", json!({"what": " "})).await;
    assert_eq!(tokio::time::timeout(SOON, watch.news()).await, Ok(Some(News::Incident(2))), "the fallback counts too");

    let house = House::new(&form("\n  - {id: say, action: compose, with: {}}\n")).await;
    let watch = house.watched("1", json!({"what": "x"})).await;
    assert_eq!(tokio::time::timeout(SOON, watch.news()).await, Ok(Some(News::Ended(RunStatus::Succeeded))));
}

#[tokio::test]
async fn a_failed_report_becomes_the_fallback_incident() {
    let actions = r#"
  - {id: lookup, action: probe, with: {answers: [{fails: {code: NotFound}}]}}
  - {id: create, action: create_incident, with: {title: x}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({"what": "stranger at the door"})).await.unwrap();
    let ended = house.ended(run).await;
    assert_eq!((ended.status, ended.incident), (RunStatus::Failed, Some(1)));
    let incident = house.living.disk.incident(1).await.unwrap().unwrap();
    assert_eq!(incident.title, "Unprocessed report: report 1");
    assert_eq!(incident.tags, ["larum-unprocessed"]);
    let description = incident.description.replace(&run.to_string(), "RUN");
    insta::assert_snapshot!(description, @r"
    Playbook 'report' ended Failed and made no incident of this report.
    Action 'lookup': NotFound: as asked
    Run RUN

    what: stranger at the door
    ");
}

#[tokio::test]
async fn fallback_none_and_a_made_incident_leave_no_fallback() {
    let fails = "\n  - {id: lookup, action: probe, with: {answers: [{fails: {}}]}}\n";
    let house = House::new(&format!("fallback: none\n{}", form(fails))).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    let ended = house.ended(run).await;
    assert_eq!((ended.status, ended.incident), (RunStatus::Failed, None));

    let house = House::new(&form(&format!("{CREATE}{}", &fails[1..]))).await;
    let run = house.report("1", json!({"what": "x"})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Failed);
    assert_eq!(house.living.disk.incidents(Default::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_that_only_waits_leaves_memory_and_wakes_on_time() {
    let actions = r#"
  - id: ask
    action: probe
    retry: {policy: fixed, count: 1, interval: PT1H}
    with: {answers: [{fails: {retryable: true}}, done]}
  - {id: create, action: create_incident, with: {title: "{{actions.ask}}"}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the run rests", async || house.living.disk.next_timer().await.unwrap()).await;
    house.quiet().await;
    let before = house.stored(run).await.journal.len();
    house.clock.advance(chrono::Duration::minutes(59));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(house.stored(run).await.journal.len(), before);
    house.clock.advance(chrono::Duration::minutes(2));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(asked(run), [(String::new(), 1), (String::new(), 2)]);
    assert_eq!(house.living.disk.incident(1).await.unwrap().unwrap().title, "done");
    assert_eq!(house.living.disk.next_timer().await.unwrap(), None);
}

#[tokio::test]
async fn a_wait_survives_a_restart_and_the_version_stays() {
    let actions = r#"
  - id: ask
    action: probe
    retry: {policy: fixed, count: 1, interval: PT1H}
    with: {answers: [{fails: {retryable: true}}, done]}
  - {id: create, action: create_incident, with: {title: the old text}}
"#;
    let mut house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the run rests", async || house.living.disk.next_timer().await.unwrap()).await;
    house.edit(&form(&actions.replace("the old text", "the new text"))).await;
    let house = house.restarted().await;
    assert_eq!(house.living.engine.runs_in_memory(), 0);
    house.clock.advance(chrono::Duration::hours(2));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(house.living.disk.incident(1).await.unwrap().unwrap().title, "the old text");
}

#[tokio::test]
async fn a_timeout_drops_what_hangs() {
    let actions = r#"
  - {id: ask, action: probe, timeout: 5m, with: {answers: [hang]}}
  - {id: create, action: create_incident, run_after: {ask: [timed_out]}, with: {title: no answer}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the effect is asked", async || (asked(run).len() == 1).then_some(())).await;
    house.clock.advance(chrono::Duration::minutes(5));
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    let statuses = house.statuses(run).await;
    assert_eq!(statuses.iter().map(|(_, status)| status.as_str()).collect::<Vec<_>>(), ["TimedOut", "Succeeded"]);
}

#[tokio::test]
async fn a_person_cancels_a_run() {
    let actions =
        "\n  - {id: ask, action: probe, with: {answers: [hang]}}\n  - {id: then, action: compose, with: {}}\n";
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the effect is asked", async || (asked(run).len() == 1).then_some(())).await;
    house.living.engine.cancel(run);
    assert_eq!(house.ended(run).await.status, RunStatus::Cancelled);
    let statuses = house.statuses(run).await;
    assert_eq!(statuses.iter().map(|(_, status)| status.as_str()).collect::<Vec<_>>(), ["Cancelled", "Skipped"]);
    assert_eq!(house.living.disk.incidents(Default::default()).await.unwrap().len(), 0);
}

#[tokio::test]
async fn parallel_branches_run_beside_each_other() {
    let actions = r#"
  - {id: a, action: probe, with: {value: a, answers: [hang]}}
  - {id: b, action: probe, run_after: {}, with: {value: b}}
  - {id: c, action: create_incident, run_after: {b: [succeeded]}, with: {title: beside}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the incident exists", async || house.living.disk.incident_of_run(run).await.unwrap()).await;
    assert_eq!(house.run(run).await.status, RunStatus::Running);
    house.living.engine.cancel(run);
    house.ended(run).await;
}

#[tokio::test]
async fn a_secret_never_reaches_the_disk() {
    let source = format!(
        "parameters: {{token: {{type: securestring}}}}\n{}",
        form(
            r#"
  - {id: ask, action: probe, with: {value: "Bearer @{parameters('token')}", answers: ["you said hunter2-hunter2"]}}
  - {id: hide, action: probe, secure: [inputs, outputs], with: {value: private-input, answers: [private-output]}}
  - {id: create, action: create_incident, with: {title: "{{actions.ask}} {{parameters.token}}"}}
"#
        )
    );
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("token");
    std::fs::write(&place, "hunter2-hunter2\n").unwrap();
    let secrets = vec![("token".to_owned(), larum::secret::SecretRef::File(place))];
    let house = House::with_secrets(&source, secrets).await;
    let run = house.report("1", json!({})).await.unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    // The effect itself got the secret.
    assert_eq!(asked(run)[0].0, "Bearer hunter2-hunter2");
    let stored = house.stored(run).await;
    let journal: Vec<String> = stored.journal.iter().map(|event| String::from_utf8_lossy(event).into_owned()).collect();
    let kept = format!("{}\n{}", journal.join("\n"), stored.actions.unwrap_or_default());
    for secret in ["hunter2", "private-input", "private-output"] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
    assert!(kept.contains("you said [secret]"), "{kept}");
}

#[tokio::test]
async fn a_run_that_used_a_secret_waits_while_it_cannot_be_read() {
    let actions = r#"
  - {id: ask, action: probe, with: {value: "Bearer @{parameters('token')}"}}
  - {id: nap, action: delay, with: {for: 1h}}
  - {id: create, action: create_incident, with: {title: done}}
"#;
    let source = format!("parameters: {{token: {{type: securestring}}}}\n{}", form(actions));
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("token");
    std::fs::write(&place, "hunter2-hunter2\n").unwrap();
    let secrets = vec![("token".to_owned(), larum::secret::SecretRef::File(place.clone()))];
    let house = House::with_secrets(&source, secrets).await;
    let run = house.report("1", json!({})).await.unwrap();
    house.quiet().await;
    std::fs::remove_file(&place).unwrap();
    let house = house.killed(|store| store).await;
    house.clock.advance(chrono::Duration::hours(1));
    until("the run is tried", async || (house.living.engine.runs_in_memory() == 1).then_some(())).await;
    assert_eq!(house.run(run).await.status, RunStatus::Running);
    std::fs::write(&place, "hunter2-hunter2\n").unwrap();
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(asked(run).len(), 1);
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_begins_nothing() {
    let actions = r#"
  - {id: a, action: probe, with: {value: a, answers: [hang]}, timeout: 1m}
  - {id: b, action: probe, run_after: {a: [timed_out]}, with: {value: b}}
  - {id: create, action: create_incident, with: {title: after the stop}}
"#;
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the effect is asked", async || (asked(run).len() == 1).then_some(())).await;
    let engine = house.living.engine.clone();
    let drained = tokio::spawn(async move { engine.drain().await });
    house.clock.advance(chrono::Duration::minutes(1));
    tokio::time::timeout(Duration::from_secs(10), drained).await.unwrap().unwrap();
    assert_eq!(asked(run).len(), 1, "no new effect began");
    assert_eq!(house.run(run).await.status, RunStatus::Running);
    let house = house.killed(|store| store).await;
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert!(house.clock.now() > house.run(run).await.started);
}
