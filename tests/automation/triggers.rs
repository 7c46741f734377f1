//! Playbooks with an incident or alert trigger run once for each creation and update.

use larum::{
    incident::{
        ActivityKind, Change, Draft, IncidentRef, Precondition, RelatedKind, ResourceName, Severity, Workspace,
    },
    store::{query::HistoryOutcome, run::RunStatus},
};
use serde_json::{Value, json};

use crate::{
    house::{House, alert, client, draft, person, severity},
    mortal::{Death, Moment, Mortal},
};

const BOTH: &str = "
name: told
trigger: {incident: {on: [created, updated]}}
actions:
  - {id: say, action: compose, with: {inputs: \"{{trigger.objectEventType}} {{trigger.object.properties.severity}}\"}}
";

/// Makes an incident whatever starts it, and then raises its severity.
const MAKER: &str = "
name: maker
trigger: {alert: {}}
actions:
  - {id: make, action: create_incident, with: {title: \"About {{trigger.AlertDisplayName}}\", severity: Low}}
  - {id: raise, action: update_incident, with: {incident: \"@actions.make\", severity: High}}
";

async fn told(house: &House) -> Vec<String> {
    let mut told = Vec::new();
    for (at, run) in house.runs().await.iter().enumerate() {
        if run.playbook == "told" {
            assert_eq!(run.status, RunStatus::Succeeded);
            let body = house.delivered(at).await;
            let (event, properties) = (&body["objectEventType"], &body["object"]["properties"]);
            told.push(format!("{} {}", event.as_str().unwrap(), properties["severity"].as_str().unwrap()));
        }
    }
    told
}

#[tokio::test]
async fn a_playbook_runs_once_for_each_creation_and_update_by_api_and_by_playbook() {
    let house = House::new(&[BOTH, MAKER]).await;
    house.create(draft("By API", Severity::Medium)).await;
    house.patch(1, severity(Severity::Low)).await;
    house.quiet().await;
    assert_eq!(told(&house).await, ["Create Medium", "Update Low"]);

    house
        .write(
            client(),
            Change::PutAlert { alert: Box::new(alert("a1", Vec::new())), precondition: Precondition::default() },
        )
        .await;
    house.quiet().await;
    assert_eq!(told(&house).await, ["Create Medium", "Update Low", "Create Low", "Update High"]);
}

#[tokio::test]
async fn what_changes_nothing_starts_nothing() {
    let house = House::new(&[BOTH]).await;
    let incident = house.create(draft("Door", Severity::Medium)).await;
    house.patch(1, severity(Severity::Medium)).await;
    let same = Change::PutIncident {
        name: incident.name.clone(),
        incident: Box::new(Draft::of(&incident)),
        precondition: Precondition::default(),
    };
    house.write(client(), same).await;
    house.quiet().await;
    assert_eq!(told(&house).await, ["Create Medium"]);
}

#[tokio::test]
async fn a_comment_an_alert_and_a_label_are_updates_and_the_payload_tells_them() {
    let house = House::new(&["
name: told
trigger: {incident: {on: updated}}
actions:
  - {id: say, action: compose, with: {inputs: \"@trigger.incidentUpdates\"}}
"])
    .await;
    house.create(draft("Door", Severity::Medium)).await;
    let incident = IncidentRef::Number(1);
    let precondition = Precondition::default();
    let comment = Change::PutComment {
        incident: incident.clone(),
        name: ResourceName::parse("c1").unwrap(),
        message: "It was open.".into(),
        precondition: precondition.clone(),
        any_author: false,
    };
    house.write(person(), comment).await;
    house
        .write(
            client(),
            Change::PutAlert { alert: Box::new(alert("a1", Vec::new())), precondition: Precondition::default() },
        )
        .await;
    let relation = Change::PutRelation {
        incident: incident.clone(),
        name: ResourceName::parse("r1").unwrap(),
        kind: RelatedKind::Alert,
        related: ResourceName::parse("a1").unwrap(),
        precondition,
    };
    house.write(client(), relation).await;
    let patch = larum::incident::Patch { add_tags: vec!["north".into()], ..severity(Severity::High) };
    house.patch(1, patch).await;
    house.quiet().await;
    let mut updates = Vec::new();
    for at in 0..3 {
        updates.push(house.delivered(at).await["incidentUpdates"].take());
    }
    assert_eq!(house.runs().await.len(), 3);
    insta::assert_json_snapshot!(masked(&updates.into()));
}

#[tokio::test]
async fn the_payload_is_the_connectors() {
    let house = House::new(&[
        BOTH,
        "
name: alerted
trigger: {alert: {}}
actions:
  - {id: say, action: compose, with: {inputs: 1}}
",
    ])
    .await;
    house
        .write(
            client(),
            Change::PutAlert { alert: Box::new(alert("a1", Vec::new())), precondition: Precondition::default() },
        )
        .await;
    house.quiet().await;
    house.create(draft("Door", Severity::Medium)).await;
    house.quiet().await;
    let (alert, incident) = (house.delivered(0).await, house.delivered(1).await);
    insta::assert_json_snapshot!("alert", masked(&alert));
    insta::assert_json_snapshot!("incident", masked(&incident));
}

/// The same without what differs from test to test.
fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => "[time]".into(),
        Value::String(text) => {
            let mask = |part: &str| match part.trim_matches('"') {
                "00000000-0000-0000-0000-000000000000" => part.to_owned(),
                inner if uuid::Uuid::try_parse(inner).is_ok() => part.replace(inner, "[uuid]"),
                _ => part.to_owned(),
            };
            text.split('/').map(mask).collect::<Vec<_>>().join("/").into()
        }
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), masked(value))).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn when_decides_and_the_history_says_why_nothing_started() {
    let house = House::new(&["
name: high
trigger:
  incident: {when: \"@equals(trigger.object.properties.severity, 'High')\"}
actions:
  - {id: say, action: compose, with: {inputs: 1}}
---
name: broken
trigger:
  incident: {when: \"@equals(int(trigger.object.properties.title), 1)\"}
actions:
  - {id: say, action: compose, with: {inputs: 1}}
"])
    .await;
    house.create(draft("Door", Severity::Medium)).await;
    house.create(draft("Gate", Severity::High)).await;
    house.quiet().await;
    let mut ran = house.ran().await;
    ran.sort();
    assert_eq!(ran, ["broken Failed", "broken Failed", "high Succeeded"]);
    let skipped = house.history().await.into_iter().filter_map(|line| match line.outcome {
        HistoryOutcome::Skipped { because } => Some((line.playbook, line.summary, because)),
        _ => None,
    });
    let because = "the condition @equals(trigger.object.properties.severity, 'High') is not met".to_owned();
    assert_eq!(skipped.collect::<Vec<_>>(), [(Some("high".to_owned()), "incident 1 created".to_owned(), because)]);
}

#[tokio::test]
async fn killed_between_the_incident_and_its_playbook_it_still_runs_exactly_once() {
    for moment in [Moment::Before, Moment::After] {
        for (operation, nth) in [("workspace_events", 1), ("settle", 0), ("settle", 1), ("settle", 2), ("record", 0)] {
            let mut mortal = None;
            let house = House::wrapped(&[BOTH, MAKER], |disk| {
                let wrapped = Mortal::new(disk, Death { operation, nth, moment });
                mortal = Some(wrapped.clone());
                wrapped
            })
            .await;
            let mortal = mortal.unwrap();
            house
                .write(
                    client(),
                    Change::PutAlert {
                        alert: Box::new(alert("a1", Vec::new())),
                        precondition: Precondition::default(),
                    },
                )
                .await;
            tokio::time::timeout(std::time::Duration::from_secs(20), mortal.died()).await.expect("it dies");
            let house = house.killed().await;
            house.quiet().await;
            let mut ran = house.ran().await;
            ran.sort();
            let wanted = ["maker Succeeded", "told Succeeded", "told Succeeded"];
            assert_eq!(ran, wanted, "{operation} {nth} {moment:?}");
            assert_eq!(told(&house).await, ["Create Low", "Update High"], "{operation} {nth} {moment:?}");
        }
    }
}

#[tokio::test]
async fn somebody_can_ask_for_a_run_whatever_the_playbook_listens_to() {
    let house = House::new(&["
name: asked
trigger: {incident: {on: []}}
actions:
  - {id: say, action: add_comment, with: {message: \"Hello, {{trigger.object.properties.title}}\"}}
"])
    .await;
    let incident = house.create(draft("Door", Severity::Medium)).await;
    house.quiet().await;
    assert!(house.ran().await.is_empty());
    let live = house.core().door.library.current()[0].clone();
    let workspace = Workspace::of(&house.core().config);
    larum::trigger::incident::run(&house.core().door, &workspace, &live, &incident, person(), Vec::new())
        .await
        .unwrap();
    house.quiet().await;
    assert_eq!(house.ran().await, ["asked Succeeded"]);
    let log = house.activity(1).await;
    assert!(matches!(&log[1].what, ActivityKind::PlaybookStarted { playbook, .. } if playbook == "asked"), "{log:?}");
    assert_eq!(log[1].by, person());
    assert_eq!(json!(house.incident(1).await.summary.comments), json!(1));
}
