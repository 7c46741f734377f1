//! Every line of `tests/data/automation/conditions.json`: a condition, and whether it holds for what the file describes. What
//! happened there: a person raised the severity from Low, assigned the incident to Ada and labelled it VIP.

use chrono::DateTime;
use larum::incident::{
    ActivityKind, Alert, Draft, Entity, EntityKind, FieldChange, Incident, Owner, Provenance, ResourceName, Severity,
    Summary,
    automation::{AutomationRule, PROPERTIES, Scene},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::house::{is, person, rule};

fn texts(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn incident(given: &Value) -> Incident {
    let draft = Draft::new(text(&given["title"]));
    Incident {
        name: Uuid::nil().into(),
        number: 1,
        etag: Uuid::nil(),
        title: draft.title,
        description: text(&given["description"]),
        severity: Severity::parse(&text(&given["severity"])).unwrap(),
        status: larum::incident::Status::parse(&text(&given["status"])).unwrap(),
        classification: None,
        classification_reason: None,
        classification_comment: None,
        owner: Owner::default(),
        tags: texts(&given["tags"]),
        first_activity: None,
        last_activity: None,
        created: DateTime::UNIX_EPOCH,
        created_by: person(),
        modified: DateTime::UNIX_EPOCH,
        provenance: Provenance::default(),
        summary: Summary {
            tactics: texts(&given["tactics"]),
            analytic_rules: texts(&given["rules"]),
            ..Summary::default()
        },
        merged_into: None,
        team: None,
    }
}

fn alert(given: &Value) -> Alert {
    let properties = json!({
        "productName": given["productName"], "tactics": given["tactics"],
        // As Sentinel keeps it: JSON in a text.
        "additionalData": {"Custom Details": given["details"].to_string()},
    });
    Alert {
        name: ResourceName::parse("a").unwrap(),
        etag: Uuid::nil(),
        title: text(&given["title"]),
        severity: Severity::High,
        received: DateTime::UNIX_EPOCH,
        properties: properties.as_object().unwrap().clone(),
        entities: Vec::new(),
    }
}

fn entity(given: &Value) -> Entity {
    Entity {
        name: Uuid::nil(),
        kind: EntityKind::parse(&text(&given["kind"])).unwrap(),
        properties: given["properties"].as_object().unwrap().clone(),
    }
}

#[test]
fn every_condition_holds_where_it_should() {
    let data: Value = serde_json::from_str(include_str!("../data/automation/conditions.json")).unwrap();
    let incident = incident(&data["incident"]);
    let list = |name: &str| data[name].as_array().unwrap().iter();
    let alerts: Vec<Alert> = list("alerts").map(alert).collect();
    let entities: Vec<Entity> = list("entities").map(entity).collect();
    let change = |field: &str, from: Value, to: Value| FieldChange { field: field.into(), from, to };
    let owner = |owner: Owner| serde_json::to_value(owner).unwrap();
    let changes = vec![
        change("severity", "Low".into(), "High".into()),
        change("owner", owner(Owner::default()), owner(Owner::parse("ada@example.com"))),
        change("labels", json!(["mail"]), json!(["mail", "VIP"])),
    ];
    let (what, by) = (ActivityKind::Updated { changes }, person());
    let scene = Scene { incident: Some(&incident), what: &what, by: &by, alerts: &alerts, entities: &entities };
    let simple = list("is").map(|line| {
        let values = texts(&line[2]);
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let condition = is(line[0].as_str().unwrap(), line[1].as_str().unwrap(), &values);
        (line.to_string(), condition, line[3].as_bool().unwrap())
    });
    let whole = list("whole").map(|line| (text(&line[0]), line[1].clone(), line[2].as_bool().unwrap()));
    let wrong: Vec<String> = simple
        .chain(whole)
        .filter(|(_, condition, holds)| {
            let properties = rule(1, "Updated", json!([condition]), json!([{"AddIncidentTask": {"title": "x"}}]));
            AutomationRule::parse(&properties).unwrap().matches(&scene) != *holds
        })
        .map(|(line, ..)| line)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_rule_looks_only_at_its_own_kind_of_change() {
    let data: Value = serde_json::from_str(include_str!("../data/automation/conditions.json")).unwrap();
    let (incident, by) = (incident(&data["incident"]), person());
    let created = ActivityKind::Created;
    let scene = Scene { incident: Some(&incident), what: &created, by: &by, alerts: &[], entities: &[] };
    let looks = |when: &str| {
        let properties = rule(1, when, json!([]), json!([{"AddIncidentTask": {"title": "x"}}]));
        AutomationRule::parse(&properties).unwrap().matches(&scene)
    };
    assert!(looks("Created") && !looks("Updated"));
}

#[test]
fn every_property_of_the_specification_is_known() {
    // The list of Microsoft's specification, AutomationRules.json of 2024-03-01.
    let specified = include_str!("../data/automation/properties.txt").lines();
    for name in specified {
        assert!(PROPERTIES.iter().any(|property| property.name == name), "{name}");
    }
}
