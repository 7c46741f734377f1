//! What playbooks do with incidents in the built-in workspace.

use std::sync::{Arc, Mutex};

use larum::{
    incident::{Actor, Alert, Change, Entity, EntityKind, IncidentRef, Precondition, ResourceName, Severity, Write},
    store::{Store, incidents::IncidentStore, run::RunStatus},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    house::{House, form, start},
    mortal::{Death, Moment, Mortal},
};

/// An alert in the workspace, with an address.
async fn alert(house: &House) {
    let entity = Entity {
        name: Uuid::from_u128(1),
        kind: EntityKind::Ip,
        properties: json!({"address": "203.0.113.7"}).as_object().cloned().unwrap(),
    };
    let alert = Alert {
        name: ResourceName::parse("alert-1").unwrap(),
        etag: Uuid::from_u128(2),
        title: "Many sign-ins failed".into(),
        severity: Severity::High,
        received: start(),
        properties: Default::default(),
        entities: vec![entity],
    };
    let by = Actor::Token { id: Uuid::from_u128(3), name: "sensor".into() };
    let change = Change::PutAlert { alert: Box::new(alert), precondition: Precondition::default() };
    let write = Write { by, causes: Vec::new(), at: start(), etag: Uuid::from_u128(2), change };
    house.living.disk.write(write).await.unwrap().unwrap();
}

/// Each action of the run with what it came to: its status and code, and of its outputs what `members` point to.
async fn records(house: &House, run: Uuid, members: &[&str]) -> String {
    let mut table = String::new();
    for record in house.stored(run).await.actions.unwrap_or_default().as_array().unwrap() {
        let outputs = &record["outputs"];
        let of = |pointer: &&str| Some(format!("{}: {}", pointer.rsplit('/').next()?, outputs.pointer(pointer)?));
        let shown: Vec<String> = members.iter().filter_map(of).collect();
        let text = |name: &str| record[name].as_str().unwrap_or_default();
        table += &format!("{} {} {} {}\n", text("name"), text("status"), text("code"), shown.join(", "));
    }
    table
}

const WORK: &str = r#"
  - {id: create, action: create_incident, with: {title: "{{trigger.what}}", tags: [form]}}
  - {id: find, action: get_incident, with: {incident: "@actions.create.properties.incidentNumber"}}
  - id: update
    action: update_incident
    with:
      incident: "{{actions.create.id}}"
      severity: High
      owner: alice@contoso.com
      description: stranger
      tags_to_add: [seen]
      tags_to_remove: [FORM]
  - {id: unassign, action: update_incident, with: {incident: "@actions.create", owner_action: Unassign}}
  - {id: label, action: add_tags, with: {incident: "@actions.create.name", tags: [door, null, door]}}
  - {id: unlabel, action: remove_tags, with: {incident: 1, tags: [seen, nothing]}}
  - {id: say, action: add_comment, with: {incident: 1, message: "<p>looked at</p>"}}
  - {id: task, action: add_task, with: {incident: 1, title: Ask the guard, description: at the north door}}
  - {id: complete, action: complete_task, with: {task: "@actions.task"}}
  - {id: relate, action: relate_alert, with: {incident: 1, alert: alert-1}}
  - {id: entities, action: get_entities, with: {incident: 1}}
  - {id: list, action: list_incidents, with: {filter: "contains(properties/title, 'door')", top: 1}}
  - id: close
    action: close_incident
    with: {incident: 1, classification: TruePositive - SuspiciousActivity, classification_comment: on camera}
  - {id: end, action: get_incident, with: {incident: 1}}
"#;

#[tokio::test]
async fn every_action_on_an_incident_does_what_it_says() {
    let house = House::new(&form(WORK)).await;
    alert(&house).await;
    let run = house.report("1", json!({"what": "stranger at the door"})).await.unwrap();
    let ended = house.ended(run).await;
    assert_eq!((ended.status, ended.error), (RunStatus::Succeeded, None));
    let members = [
        "/statusCode",
        "/body/type",
        "/body/properties/title",
        "/body/properties/severity",
        "/body/properties/status",
        "/body/properties/classification",
        "/body/properties/classificationReason",
        "/body/properties/classificationComment",
        "/body/properties/owner/userPrincipalName",
        "/body/properties/labels",
        "/body/properties/message",
        "/body/properties/author/name",
        "/body/properties/description",
        "/body/properties/relatedResourceName",
        "/body/properties/relatedResourceKind",
        "/body/IPs",
        "/body/metaData",
        "/body/value/0/properties/incidentNumber",
        "/body/more",
        "/body/properties/additionalData/commentsCount",
        "/body/properties/additionalData/alertsCount",
    ];
    insta::assert_snapshot!(records(&house, run, &members).await);
    let incident = IncidentRef::Number(1);
    let activity = house.living.disk.activity(1, None, 100).await.unwrap();
    let by: Vec<&str> = activity.iter().map(|entry| entry.by.name()).collect();
    assert!(by.iter().all(|name| *name == "report"), "{by:?}");
    let relations = house.living.disk.relations(&incident, Default::default()).await.unwrap().unwrap().items;
    let name = house.living.disk.find_incident(&incident).await.unwrap().unwrap().name;
    assert_eq!(relations[0].name.to_string(), format!("{name}_alert-1"));
}

#[tokio::test]
async fn what_the_workspace_refuses_is_an_answer_of_the_action() {
    let steps = [
        ("missing", "get_incident", json!({"incident": 99})),
        (
            "elsewhere",
            "add_comment",
            json!({
                "incident": "/subscriptions/x/resourceGroups/larum/providers/Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights/Incidents/1",
                "message": "x",
            }),
        ),
        ("nameless", "add_tags", json!({"incident": "", "tags": ["x"]})),
        ("reasonless", "close_incident", json!({"incident": 1, "classification": "FalsePositive"})),
        ("unclassified", "update_incident", json!({"incident": 1, "status": "Closed"})),
        ("silent", "add_comment", json!({"incident": 1, "message": " "})),
        ("endless", "add_comment", json!({"incident": 1, "message": "x".repeat(30_001)})),
        ("unknown", "complete_task", json!({"task": "nothing"})),
        ("absent", "relate_alert", json!({"incident": 1, "alert": "nothing"})),
        ("unreadable", "list_incidents", json!({"filter": "properties/severity is 'High'"})),
        ("endlessly", "list_incidents", json!({"top": 1001})),
        ("kindless", "get_entities", json!({"incident": 1, "kind": "Person"})),
        ("gone", "get_entities", json!({"incident": 99})),
    ];
    let mut actions = String::from("\n  - {id: create, action: create_incident, with: {title: x}}\n");
    for (id, action, with) in steps {
        actions += &format!("  - {{id: {id}, action: {action}, run_after: {{create: [succeeded]}}, with: {with}}}\n");
    }
    let house = House::new(&form(&actions)).await;
    let run = house.report("1", json!({})).await.unwrap();
    house.ended(run).await;
    insta::assert_snapshot!(records(&house, run, &["/statusCode", "/body/error/code", "/body/error/message"]).await);
}

/// A playbook that an incident starts, and what it delivers of incident 1.
const STARTED: &str = r#"name: report
trigger: {incident: {}}
actions:
  - {id: say, action: add_comment, with: {message: "seen: {{trigger.object.properties.title}}"}}
  - {id: label, action: add_tags, with: {tags: [seen]}}
"#;

#[tokio::test]
async fn in_a_playbook_that_an_incident_starts_it_is_the_one_meant() {
    let mut house = House::new(&form("\n  - {id: create, action: create_incident, with: {title: door}}\n")).await;
    let run = house.report("1", json!({})).await.unwrap();
    house.ended(run).await;
    let created = house.stored(run).await.actions.unwrap()[0]["outputs"]["body"].clone();
    house.edit(STARTED).await;
    let run = house.report("2", json!({"object": created})).await.unwrap();
    let ended = house.ended(run).await;
    assert_eq!((ended.status, ended.error), (RunStatus::Succeeded, None));
    let comments = house.living.disk.comments(&IncidentRef::Number(1), Default::default()).await.unwrap().unwrap();
    assert_eq!(comments.items[0].message, "seen: door");
}

const WRITES: &str = r#"
  - {id: create, action: create_incident, with: {title: once}}
  - {id: say, action: add_comment, with: {incident: "@actions.create", message: seen}}
  - {id: task, action: add_task, with: {incident: "@actions.create", title: look}}
"#;

#[tokio::test]
async fn every_write_happens_once_wherever_larum_dies() {
    for nth in 0..4 {
        for moment in [Moment::Before, Moment::After] {
            let death = Death { operation: "record", nth, moment };
            let mortal = Mutex::new(None);
            let house = House::wrapped(&form(WRITES), |store| {
                let dying = Mortal::new(store, death);
                *mortal.lock().unwrap() = Some(dying.clone());
                dying
            })
            .await;
            let mortal: Arc<Mortal> = mortal.into_inner().unwrap().unwrap();
            let run = house.report("1", json!({})).await.unwrap();
            tokio::select! {
                () = mortal.died() => {}
                _ = house.ended(run) => {}
            }
            let house = house.killed(|store| store).await;
            assert_eq!(house.ended(run).await.status, RunStatus::Succeeded, "{death:?}");
            let (disk, incident) = (&house.living.disk, IncidentRef::Number(1));
            let comments = disk.comments(&incident, Default::default()).await.unwrap().unwrap();
            let tasks = disk.tasks(&incident).await.unwrap().unwrap();
            assert_eq!((comments.items.len(), tasks.len()), (1, 1), "{death:?}");
            let told: Vec<Value> =
                disk.activity(1, None, 100).await.unwrap().iter().map(|entry| json!(entry)).collect();
            assert_eq!(told.len(), 3, "{death:?}: {told:?}");
            assert_eq!(disk.incidents(Default::default()).await.unwrap().len(), 1, "{death:?}");
            house.living.engine.drain().await;
        }
    }
}
