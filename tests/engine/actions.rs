//! What whole actions give: the conformance rows of `tests/data/actions.json`, each in a playbook of its own. The rows of
//! `split_on` are held where triggers are tested.

use larum::playbook::ActionStatus;
use serde_json::{Map, Value, json};

use crate::{
    house::load,
    simulation::{Simulation, plan},
};

fn rows(pointer: &str) -> Vec<Value> {
    let data: Value = serde_json::from_str(include_str!("../data/actions.json")).unwrap();
    data.pointer(pointer).unwrap().as_array().unwrap().clone()
}

/// The record of one action in a playbook with these variables.
fn run(action: &str, with: &Value, variables: &Map<String, Value>) -> Value {
    let kind = |value: &Value| match value {
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::String(_) => "string",
        _ => "integer",
    };
    let declared: Map<String, Value> =
        variables.iter().map(|(name, value)| (name.clone(), json!({"type": kind(value), "default": value}))).collect();
    let playbook = json!({
        "name": "row",
        "trigger": {"manual": {}},
        "variables": declared,
        "actions": [{"id": "it", "action": action, "with": with}],
    });
    let mut simulation = Simulation::start(&plan(load(&playbook.to_string())), 7);
    simulation.run();
    let mut records: Vec<Value> = serde_json::from_str(&simulation.machine.records()).unwrap();
    records.remove(0)
}

/// Logic Apps' type and inputs, as Larum writes them.
fn translated(action: &Value) -> (&'static str, Value) {
    let mut inputs = action["inputs"].clone();
    let name = match action["type"].as_str().unwrap() {
        "Compose" => return ("compose", json!({"inputs": inputs})),
        "Join" => "join",
        "Query" => "filter_array",
        "Select" => "select",
        "Table" => "create_table",
        other => panic!("no action for {other}"),
    };
    let members = inputs.as_object_mut().unwrap();
    if let Some(between) = members.remove("joinWith") {
        members.insert("join_with".to_owned(), between);
    }
    (name, inputs)
}

#[test]
fn every_action_row_holds() {
    for row in rows("/actions") {
        let (action, with) = translated(&row["action"]);
        let variables = row["context"]["variables"].as_object().cloned().unwrap_or_default();
        let record = run(action, &with, &variables);
        assert_eq!(record["status"], "Succeeded", "{row}: {record}");
        let (got, expected) = match row.get("expected_outputs") {
            Some(expected) => (&record["outputs"], expected),
            None => (&record["outputs"]["body"], &row["expected_body"]),
        };
        assert_eq!(got, expected, "{row}");
    }
}

/// The schema is computed: one that is written out and cannot be used is refused when the playbook is loaded.
fn parse(content: &Value, schema: Value) -> Value {
    let variables = Map::from_iter([("schema".to_owned(), schema)]);
    run("parse_json", &json!({"content": content, "schema": "@variables.schema"}), &variables)
}

#[test]
fn every_parse_json_row_holds() {
    for row in rows("/parse_json/lenient_text_ok") {
        let record = parse(&row["text"], json!({}));
        assert_eq!((&record["status"], &record["outputs"]["body"]), (&json!("Succeeded"), &row["expected"]), "{row}");
    }
    for row in rows("/parse_json/text_errors") {
        let record = parse(&row["text"], json!({}));
        let message = format!(
            "The 'content' property of actions of type 'ParseJson' must be valid JSON. The provided value cannot be \
             parsed: '{}'.",
            row["error"].as_str().unwrap()
        );
        assert_eq!(record["error"], json!({"code": "InvalidJSON", "message": message}), "{row}");
    }
    for row in rows("/parse_json/schema_cases") {
        let record = parse(&row["value"], row["schema"].clone());
        let expected = row["errors_subset"].as_array().unwrap();
        let found = record["outputs"]["errors"].as_array().cloned().unwrap_or_default();
        assert_eq!(found.len(), expected.len(), "{row}");
        assert_eq!(record["status"], if expected.is_empty() { "Succeeded" } else { "Failed" }, "{row}");
        for (found, expected) in found.iter().zip(expected) {
            for (member, value) in expected.as_object().unwrap() {
                assert_eq!(found.get(member), Some(value), "{row}: {member}");
            }
        }
    }
}

/// One row for each of `parse_json/rules`.
#[test]
fn every_parse_json_rule_holds() {
    let shown = |record: &Value| {
        let outputs = record.get("outputs").cloned().unwrap_or(json!("none"));
        (record["code"].clone(), record["error"]["code"].clone(), outputs)
    };
    let failed = |code: &str, error: &str| (json!(code), json!(error), json!("none"));
    let given = |body: Value| (json!("OK"), Value::Null, json!({"body": body}));
    let object = json!({"type": "object"});
    let envelope = json!({"$content-type": "application/json", "$content": "e30="});
    assert_eq!(shown(&parse(&json!(""), json!({}))), failed("BadRequest", "InvalidTemplate"));
    // A key whose value is null counts as absent, and the machine says so before the action is asked.
    assert_eq!(shown(&parse(&json!("@null"), json!({}))).0, "BadRequest");
    assert_eq!(shown(&parse(&json!("  "), json!({}))), given(Value::Null));
    assert_eq!(shown(&parse(&envelope, json!({}))), failed("BadRequest", "BadRequest"));
    for schema in [json!({"properties": {"a": {"pattern": "x"}}}), json!({"patternProperties": {"x": {}}})] {
        assert_eq!(shown(&parse(&json!("{}"), schema)), failed("ActionSchemaNotSupported", "ActionSchemaNotSupported"));
    }
    assert_eq!(shown(&parse(&json!("nonsense"), json!({}))), failed("InvalidJSON", "InvalidJSON"));
    let (code, error, outputs) = shown(&parse(&json!("[]"), object.clone()));
    assert_eq!((code, error), (json!("ValidationFailed"), json!("ValidationFailed")));
    assert_eq!(outputs.as_object().unwrap().keys().collect::<Vec<_>>(), ["errors"]);
    assert_eq!(shown(&parse(&json!("{'a': '1'}"), object)), given(json!({"a": "1"})));
    let at_least = json!({"minimum": 0, "exclusiveMinimum": true});
    assert_eq!(parse(&json!("0"), at_least)["outputs"]["errors"][0]["errorType"], "minimum");
    assert_eq!(rows("/parse_json/rules").len(), 8, "a new rule needs a row here");
}

#[test]
fn elements_are_seen_as_item() {
    let from = json!([{"name": "a", "n": 1}, {"name": "b", "n": 20}]);
    let body = |action: &str, with: Value| run(action, &with, &Map::new())["outputs"]["body"].clone();
    assert_eq!(body("select", json!({"from": from, "select": "@item()?['name']"})), json!(["a", "b"]));
    assert_eq!(
        body("select", json!({"from": from, "select": {"label": "{{item.name}}!", "none": null, "n": "@item.n"}})),
        json!([{"label": "a!", "none": null, "n": 1}, {"label": "b!", "none": null, "n": 20}])
    );
    assert_eq!(body("filter_array", json!({"from": from, "where": "@greater(item()?['n'], 10)"})), json!([from[1]]));
    assert_eq!(body("filter_array", json!({"from": from, "where": true})), from);
    let columns = json!([{"header": "Name", "value": "@toUpper(item()?['name'])"}]);
    assert_eq!(
        body("create_table", json!({"from": from, "format": "CSV", "columns": columns})),
        json!("Name\r\nA\r\nB\r\n")
    );
    assert_eq!(body("current_time", json!({"format": "yyyy-MM-dd"})), json!("2026-11-24"));
}

#[test]
fn an_element_that_cannot_be_evaluated_fails_the_action() {
    let failed = |action: &str, with: Value| {
        let record = run(action, &with, &Map::new());
        assert_eq!(record["status"], ActionStatus::Failed.as_str(), "{record}");
        format!("{}: {}", record["code"].as_str().unwrap(), record["error"]["message"].as_str().unwrap())
    };
    let rows = [
        failed("select", json!({"from": [1, {}], "select": "@add(item(), 1)"})),
        failed("filter_array", json!({"from": [1, "x"], "where": "@item()"})),
        failed("select", json!({"from": "@null", "select": 1})),
        failed("select", json!({"from": "@string(1)", "select": 1})),
        failed("create_table", json!({"from": [1], "format": "CSV"})),
    ];
    insta::assert_snapshot!(rows.join("\n"));
}
