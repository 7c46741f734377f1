//! Larum is killed at each point of a run, and started again.

use std::sync::{Arc, Mutex};

use larum::store::{Store, run::RunStatus};
use serde_json::json;

use crate::{
    house::{House, form, until},
    mortal::{Death, Moment, Mortal},
    probe::asked,
};

/// A run with every kind of effect: an identified one, a bare one, a local one.
const ACTIONS: &str = r#"
  - {id: tell, action: probe, with: {value: tell}}
  - {id: post, action: probe, run_after: {tell: [succeeded, failed]}, with: {value: post, kind: bare}}
  - {id: create, action: create_incident, run_after: {post: [succeeded, failed]}, with: {title: once}}
"#;

#[tokio::test]
async fn every_acknowledged_report_is_exactly_one_incident_wherever_larum_dies() {
    let records = (0..5).flat_map(|nth| [(nth, Moment::Before), (nth, Moment::After)]);
    let mut deaths: Vec<Death> = records.map(|(nth, moment)| Death { operation: "record", nth, moment }).collect();
    for operation in ["accept", "finish"] {
        deaths.extend([Moment::Before, Moment::After].map(|moment| Death { operation, nth: 0, moment }));
    }
    for death in deaths {
        let mortal = Mutex::new(None);
        let house = House::wrapped(&form(ACTIONS), |store| {
            let dying = Mortal::new(store, death);
            *mortal.lock().unwrap() = Some(dying.clone());
            dying
        })
        .await;
        let mortal: Arc<Mortal> = mortal.into_inner().unwrap().unwrap();
        // The sender gets an answer, or the process dies before that.
        let acknowledged = tokio::select! {
            run = house.report("the report", json!({})) => Some(run.unwrap()),
            () = mortal.died() => None,
        };
        if acknowledged.is_some() {
            mortal.died().await;
        }
        let house = house.killed(|store| store).await;
        // Who was not told yes sends again; the key says that it is the same report.
        let run = match acknowledged {
            Some(run) => run,
            None => house.report("the report", json!({})).await.unwrap(),
        };
        let ended = house.ended(run).await;
        assert_eq!((ended.status, ended.incident), (RunStatus::Succeeded, Some(1)), "{death:?}");
        assert_eq!(house.living.disk.incidents(Default::default()).await.unwrap().len(), 1, "{death:?}");
        let asked = asked(run);
        let count = |name: &str| asked.iter().filter(|(value, _)| value == name).count();
        assert!(matches!(count("tell"), 1 | 2), "{death:?}: {asked:?}");
        // Journalled and then dead before it was performed: nobody can know, so it is not performed at all.
        assert!(matches!(count("post"), 0 | 1), "{death:?}: {asked:?}");
        assert!(asked.iter().all(|(_, attempt)| *attempt == 1), "{death:?}: {asked:?}");
        house.living.engine.drain().await;
    }
}

async fn killed_while_asked(kind: &str) -> (House, uuid::Uuid) {
    let actions = format!(
        "\n  - {{id: post, action: probe, with: {{kind: {kind}, value: post, answers: [hang]}}}}\n  - {{id: create, action: create_incident, run_after: {{post: [failed]}}, with: {{title: \"@actions('post').error.code\"}}}}\n"
    );
    let house = House::new(&form(&actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    until("the effect is asked", async || (asked(run).len() == 1).then_some(())).await;
    (house.killed(|store| store).await, run)
}

#[tokio::test]
async fn a_bare_effect_without_an_answer_is_unknown_and_not_repeated() {
    let (house, run) = killed_while_asked("bare").await;
    assert_eq!(house.ended(run).await.status, RunStatus::Succeeded);
    assert_eq!(asked(run).len(), 1);
    assert_eq!(house.living.disk.incident(1).await.unwrap().unwrap().title, "OutcomeUnknown");
}

#[tokio::test]
async fn an_identified_effect_and_one_whose_author_says_so_are_repeated() {
    for kind in ["identified", "bare-retry"] {
        let (_house, run) = killed_while_asked(kind).await;
        until("it is asked again", async || (asked(run).len() == 2).then_some(())).await;
        assert_eq!(asked(run), vec![("post".to_owned(), 1); 2], "{kind}");
    }
}

#[tokio::test]
async fn a_run_whose_replay_differs_is_suspended_and_shows_both() {
    let actions = "\n  - {id: post, action: probe, with: {value: \"@{trigger.what}\", answers: [hang]}}\n";
    let house = House::new(&form(actions)).await;
    let run = house.report("1", json!({"what": "one"})).await.unwrap();
    until("the effect is asked", async || (asked(run).len() == 1).then_some(())).await;
    house.living.disk.close();
    // What an upgrade that evaluates differently would find: a journal that says something else. A row is a zero, for not
    // compressed, and its events, each with its length before it.
    let event = r#"{"v":1,"event":{"started":{"step":"post","attempt":1,"at":"2026-11-24T09:00:00Z","input":{"whole":{"value":"two","answers":["hang"]}}}}}"#;
    let row = [&[0][..], &(event.len() as u32).to_le_bytes(), event.as_bytes()].concat();
    let database = rusqlite::Connection::open(house.data.path().join("larum.db")).unwrap();
    let changed = database.execute("UPDATE journal SET event = ?1", [row]).unwrap();
    assert_eq!(changed, 1);
    drop(database);
    let house = house.killed(|store| store).await;
    let ended = house.ended(run).await;
    assert_eq!(ended.status, RunStatus::Suspended);
    insta::assert_json_snapshot!(ended.error, @r#"
    {
      "code": "ReplayDiffers",
      "message": "Attempt 1 of action 'post' was recorded with another input than this Larum computes from the same events. The run is suspended until a person resumes or cancels it.",
      "action": "post",
      "recorded": {
        "value": "two",
        "answers": [
          "hang"
        ]
      },
      "computed": {
        "value": "one",
        "answers": [
          "hang"
        ]
      }
    }
    "#);
    house.living.engine.cancel(run);
    until("it is cancelled", async || (house.run(run).await.status == RunStatus::Cancelled).then_some(())).await;
}
