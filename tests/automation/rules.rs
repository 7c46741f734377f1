//! Automation rules run in order, and later ones see earlier changes.

use larum::incident::{ActivityKind, Actor, Change, Draft, Patch, Precondition, Severity, Status};
use serde_json::json;

use crate::{
    house::{House, alert, client, draft, is, rule, severity},
    mortal::{Death, Moment, Mortal},
};

/// Notes what it was delivered.
const TOLD: &str = "
name: told
trigger: {incident: {on: []}}
actions:
  - {id: say, action: compose, with: {inputs: \"{{trigger.object.properties.severity}}\"}}
";

#[tokio::test]
async fn rules_go_by_their_order_and_later_ones_see_what_earlier_ones_changed() {
    let house = House::new(&[TOLD]).await;
    let high = is("IncidentSeverity", "Equals", &["High"]);
    // Kept in another order than they go in.
    house
        .rule(
            "third",
            rule(
                30,
                "Created",
                json!([is("IncidentLabel", "Equals", &["door"])]),
                json!([{"RunPlaybook": {"logicAppResourceId": "/x/workflows/told"}}]),
            ),
        )
        .await;
    house
        .rule(
            "second",
            rule(20, "Created", json!([high]), json!([{"ModifyProperties": {"labels": [{"labelName": "door"}]}}])),
        )
        .await;
    let first = json!([{"ModifyProperties": {"severity": "High", "owner": {"email": "ada@example.com"}}}]);
    house.rule("first", rule(10, "Created", json!([]), first)).await;
    house.rule("early", rule(5, "Created", json!([high]), json!([{"AddIncidentTask": {"title": "never"}}]))).await;
    house.create(Draft { tags: vec!["mail".into()], ..draft("Door", Severity::Low) }).await;
    house.quiet().await;

    let incident = house.incident(1).await;
    assert_eq!((incident.severity, &*incident.tags), (Severity::High, &["mail".to_owned(), "door".to_owned()][..]));
    assert_eq!(incident.owner.email.as_deref(), Some("ada@example.com"));
    assert_eq!(house.ran().await, ["told Succeeded"]);
    let delivered = house.delivered(0).await;
    assert_eq!(delivered["object"]["properties"]["severity"], "High");
    assert_eq!(delivered["object"]["etag"], format!("\"{}\"", incident.etag));
    let log: Vec<String> = house
        .activity(1)
        .await
        .into_iter()
        .map(|entry| {
            let what = match entry.what {
                ActivityKind::Updated { changes } => {
                    changes.into_iter().map(|change| change.field).collect::<Vec<_>>().join(", ")
                }
                ActivityKind::PlaybookStarted { playbook, .. } => format!("started {playbook}"),
                other => format!("{other:?}"),
            };
            format!("{}: {what}", entry.by.name())
        })
        .collect();
    assert_eq!(log, ["siem: Created", "rule 10: severity, owner", "rule 20: labels", "rule 30: started told"]);
}

#[tokio::test]
async fn rules_on_updates_hear_who_changed_what_by_hand_by_playbook_and_by_rule() {
    let house = House::new(&["
name: lower
trigger: {incident: {on: [created]}}
actions:
  - {id: lower, action: update_incident, with: {severity: Low}}
"])
    .await;
    let changed = |to: &str| {
        json!({"conditionType": "PropertyChanged", "conditionProperties": {
            "propertyName": "IncidentSeverity", "changeType": "ChangedTo", "operator": "Equals", "propertyValues": [to]}})
    };
    let tag = |name: &str| json!([{"ModifyProperties": {"labels": [{"labelName": name}]}}]);
    let by = |who: &str| is("IncidentUpdatedBySource", "Equals", &[who]);
    house.rule("by-hand", rule(1, "Updated", json!([changed("High"), by("User")]), tag("hand"))).await;
    house.rule("by-playbook", rule(2, "Updated", json!([changed("Low"), by("Playbook")]), tag("playbook"))).await;
    let labelled = json!({"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": "Labels", "changeType": "Added"}});
    house
        .rule(
            "by-rule",
            rule(
                3,
                "Updated",
                json!([labelled, by("Automation rule")]),
                json!([{"AddIncidentTask": {"title": "Look"}}]),
            ),
        )
        .await;
    house.create(draft("Door", Severity::Medium)).await;
    house.quiet().await;
    assert_eq!(house.incident(1).await.tags, ["playbook"]);
    house.patch(1, severity(Severity::High)).await;
    house.quiet().await;
    assert_eq!(house.incident(1).await.tags, ["playbook", "hand"]);
    let tasks = house
        .activity(1)
        .await
        .into_iter()
        .filter(|entry| matches!(&entry.what, ActivityKind::TaskAdded { title, .. } if title == "Look"));
    assert_eq!(tasks.count(), 2, "one for each label that a rule added");
}

#[tokio::test]
async fn a_rule_that_is_switched_off_or_expired_does_nothing() {
    let house = House::new(&[]).await;
    let raise = || rule(1, "Created", json!([]), json!([{"ModifyProperties": {"severity": "High"}}]));
    let mut off = raise();
    off["triggeringLogic"]["isEnabled"] = false.into();
    let mut expired = raise();
    expired["triggeringLogic"]["expirationTimeUtc"] = "2020-01-01T00:00:00Z".into();
    house.rule("off", off).await;
    house.rule("expired", expired).await;
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    assert_eq!(house.incident(1).await.severity, Severity::Low);
}

#[tokio::test]
async fn what_a_rule_cannot_do_is_said_in_the_log_and_hinders_nothing_else() {
    let house = House::new(&["
name: by-mail
trigger: {mailbox: {}}
actions:
  - {id: say, action: compose, with: {inputs: 1}}
"])
    .await;
    let actions = json!([
        {"RunPlaybook": {"logicAppResourceId": "/x/workflows/missing"}},
        {"RunPlaybook": {"logicAppResourceId": "by-mail"}},
        {"ModifyProperties": {"severity": "High"}},
    ]);
    house.rule("r", rule(1, "Created", json!([]), actions)).await;
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    assert_eq!(
        house.not_started(1).await,
        [
            "playbook missing: rule 1 wants to run it, and there is no such playbook",
            "playbook by-mail: rule 1 wants to run it, but its trigger is `mailbox`, not `incident`",
        ]
    );
    assert_eq!(house.incident(1).await.severity, Severity::High);
}

#[tokio::test]
async fn a_rule_in_a_file_does_what_a_kept_one_does() {
    let house = House::new(&["
automation_rule: close-tests
display_name: Test mails are closed
order: 10
conditions:
  - any:
      - {property: incident_title, starts_with: [\"test:\", \"probe:\"]}
      - {property: incident_label, equals: test}
actions:
  - modify: {status: Closed, classification: Undetermined, add_tags: [closed-by-rule], owner: ada@example.com}
---
automation_rule: ask-on-alerts
order: 10
on: alerts
conditions:
  - {property: account_name, equals: root}
actions:
  - run_playbook: asked
---
name: asked
trigger: {alert: {on: []}}
actions:
  - {id: say, action: compose, with: {inputs: \"@trigger.SystemAlertId\"}}
"])
    .await;
    house.create(draft("Test: is this on?", Severity::Low)).await;
    house.create(draft("A real one", Severity::Low)).await;
    let account = |name: &str| {
        let properties = json!({"accountName": name}).as_object().unwrap().clone();
        larum::incident::Entity { name: uuid::Uuid::new_v4(), kind: larum::incident::EntityKind::Account, properties }
    };
    for (name, who) in [("a1", "bob"), ("a2", "Root")] {
        house
            .write(
                client(),
                Change::PutAlert {
                    alert: Box::new(alert(name, vec![account(who)])),
                    precondition: Precondition::default(),
                },
            )
            .await;
    }
    house.quiet().await;
    let (closed, open) = (house.incident(1).await, house.incident(2).await);
    assert_eq!((closed.status, &*closed.tags), (Status::Closed, &["closed-by-rule".to_owned()][..]));
    assert_eq!((open.status, open.tags.len()), (Status::New, 0));
    let by = &house.activity(1).await[1].by;
    assert_eq!(*by, Actor::Rule { rule: "close-tests".into(), name: "Test mails are closed".into() });
    assert_eq!(house.runs().await.len(), 1);
    assert_eq!(house.delivered(0).await["SystemAlertId"], "a2");
}

#[tokio::test]
async fn killed_while_it_is_dealt_with_a_rule_acts_exactly_once() {
    for moment in [Moment::Before, Moment::After] {
        for nth in 0..2 {
            let mut mortal = None;
            let house = House::wrapped(&[TOLD], |disk| {
                let wrapped = Mortal::new(disk, Death { operation: "settle", nth, moment });
                mortal = Some(wrapped.clone());
                wrapped
            })
            .await;
            let mortal = mortal.unwrap();
            let actions = json!([
                {"AddIncidentTask": {"title": "Look"}},
                {"ModifyProperties": {"severity": "High"}},
                {"RunPlaybook": {"logicAppResourceId": "told"}},
            ]);
            house.rule("r", rule(1, "Created", json!([]), actions)).await;
            house.create(draft("Door", Severity::Low)).await;
            // The rule's own changes are events too, so that there is a second one to die at.
            tokio::time::timeout(std::time::Duration::from_secs(20), mortal.died()).await.expect("it dies");
            let house = house.killed().await;
            house.quiet().await;
            let log = house.activity(1).await;
            let count = |wanted: fn(&ActivityKind) -> bool| log.iter().filter(|entry| wanted(&entry.what)).count();
            let counts = [
                count(|what| matches!(what, ActivityKind::TaskAdded { .. })),
                count(|what| matches!(what, ActivityKind::Updated { .. })),
                count(|what| matches!(what, ActivityKind::PlaybookStarted { .. })),
                house.runs().await.len(),
            ];
            assert_eq!(counts, [1; 4], "at {nth} {moment:?}: {log:?}");
            assert_eq!(house.ran().await, ["told Succeeded"]);
        }
    }
}

#[tokio::test]
async fn two_rules_and_the_trigger_itself_start_a_playbook_once() {
    let house = House::new(&["
name: once
trigger: {incident: {}}
actions:
  - {id: say, action: compose, with: {inputs: 1}}
"])
    .await;
    for name in ["a", "b"] {
        house.rule(name, rule(1, "Created", json!([]), json!([{"RunPlaybook": {"logicAppResourceId": "once"}}]))).await;
    }
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    assert_eq!(house.ran().await, ["once Succeeded"]);
    house.patch(1, Patch { title: Some("Gate".into()), ..Patch::default() }).await;
    house.quiet().await;
    assert_eq!(house.runs().await.len(), 1);
}

/// Two rules run or raise; the playbook's condition is met only after the second.
#[tokio::test]
async fn a_playbook_that_a_rule_could_not_start_yet_starts_by_its_own_trigger() {
    let house = House::new(&["
name: urgent
trigger: {incident: {on: created, when: \"@equals(trigger.object.properties.severity, 'High')\"}}
actions:
  - {id: say, action: add_comment, with: {message: urgent}}
"])
    .await;
    house
        .rule("early", rule(1, "Created", json!([]), json!([{"RunPlaybook": {"logicAppResourceId": "urgent"}}])))
        .await;
    house.rule("raise", rule(2, "Created", json!([]), json!([{"ModifyProperties": {"severity": "High"}}]))).await;
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    assert_eq!(house.ran().await, ["urgent Succeeded"]);
}

#[tokio::test]
async fn a_playbook_after_a_task_is_delivered_the_etag_that_the_task_gave() {
    let house = House::new(&[
        "name: told\ntrigger: {incident: {on: []}}\nactions:\n  - {id: say, action: compose, with: {inputs: x}}\n",
    ])
    .await;
    let actions = json!([{"AddIncidentTask": {"title": "Look"}}, {"RunPlaybook": {"logicAppResourceId": "told"}}]);
    house.rule("task", rule(1, "Created", json!([]), actions)).await;
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    let etag = house.delivered(0).await["object"]["etag"].as_str().unwrap().trim_matches('"').to_owned();
    assert_eq!(etag, house.incident(1).await.etag.to_string());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_none_behind_it() {
    let house = House::new(&[
        "name: told\ntrigger: {incident: {on: created}}\nactions:\n  - {id: say, action: compose, with: {inputs: x}}\n",
    ])
    .await;
    let database = rusqlite::Connection::open(house.database()).unwrap();
    let sql =
        "INSERT INTO workspace_event (at, by, causes, alert, incident, what) VALUES (0, '?', '?', NULL, x'00', x'00')";
    database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    database.execute(sql, []).unwrap();
    house.create(draft("Door", Severity::Low)).await;
    house.quiet().await;
    assert_eq!(house.ran().await, ["told Succeeded"]);
}
