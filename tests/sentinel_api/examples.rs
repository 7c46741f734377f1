//! Every example of Microsoft's specification: the request is accepted with the documented status, and the answer has the
//! documented shape.

use std::fs;

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use crate::kit::{Api, BASE, ONE, TWO, api};

/// `runPlaybook` of the examples is asked of an incident with this name.
const RUN: &str = "73e01a99-5cd7-4139-a149-9f2736ff2ar4";

fn data(name: &str) -> Value {
    let path = format!("{}/tests/data/sentinel/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(schema: &Value, schemas: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["$defs"] = schemas["$defs"].clone();
    jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true).build(&whole).unwrap()
}

/// What the examples speak of and do not make themselves.
async fn furnish(api: &Api) {
    for name in [TWO, RUN, "69a30280-6a4c-4aa7-9af0-5d63f335d600"] {
        let body = json!({"properties": {
            "title": "Furniture", "severity": "Low", "status": "New", "owner": {"userPrincipalName": "john@contoso.com"},
        }});
        api.ok(201, "PUT", &format!("/incidents/{name}"), Some(&body)).await;
    }
    let bookmark =
        json!({"properties": {"displayName": "SecurityEvent", "query": "SecurityEvent | take 1", "labels": ["Tag1"]}});
    api.ok(201, "PUT", "/bookmarks/2216d0e1-91e3-4902-89fd-d2df8c535096", Some(&bookmark)).await;
    let alert = json!({
        "alertDisplayName": "myAlert", "severity": "Low", "productName": "Azure Security Center", "tactics": ["Execution"],
        "entities": [
            {"kind": "Account", "properties": {"accountName": "administrator", "ntDomain": "domain"}},
            {"kind": "Ip", "properties": {"address": "10.3.2.8"}},
        ],
    });
    api.own(201, "PUT", "/api/alerts/baa8a239-6fde-4ab7-a093-d09f7b75c58c", Some(&alert)).await;
    let relation =
        json!({"properties": {"relatedResourceId": format!("{BASE}/entities/baa8a239-6fde-4ab7-a093-d09f7b75c58c")}});
    api.ok(201, "PUT", &format!("/incidents/{TWO}/relations/alert"), Some(&relation)).await;
}

#[tokio::test]
async fn every_example_is_accepted_and_answered_in_the_documented_shape() {
    let (examples, schemas) = (data("examples.json"), data("schemas.json"));
    let mut examples = examples.as_array().unwrap().clone();
    let api = api().await;
    // What others need comes first, what takes away comes last, an incident and a bookmark after what hangs on them. A
    // bookmark's relation is the very one that the incident's examples make and take away, so that it comes after those.
    examples.sort_by_key(|example| {
        match (example["method"].as_str().unwrap(), example["operation"].as_str().unwrap()) {
            ("PUT", "Incidents_CreateOrUpdate") => 0,
            ("PUT", "BookmarkRelations_CreateOrUpdate") => 4,
            ("PUT", _) => 1,
            ("DELETE", "BookmarkRelations_Delete") => 6,
            ("DELETE", "Incidents_Delete" | "Bookmarks_Delete") => 7,
            (_, "BookmarkRelations_List" | "BookmarkRelations_Get") => 5,
            ("DELETE", _) => 3,
            _ => 2,
        }
    });
    furnish(&api).await;
    let mut done = 0;
    for example in &examples {
        let (method, file) = (example["method"].as_str().unwrap(), example["file"].as_str().unwrap());
        let query: Vec<String> = example["query"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap()))
            .collect();
        // One example is of another workspace.
        let (_, rest) = example["path"].as_str().unwrap().rsplit_once("/Microsoft.SecurityInsights").unwrap();
        let path = format!("{BASE}{rest}?{}", query.join("&"));
        let mut body = example["body"].clone();
        let answers = example["answers"].as_object().unwrap();
        // Written twice, it is created and then updated; deleted twice, it is gone and then was not there.
        let expected: &[u16] = match method {
            "PUT" => &[201, 200],
            "DELETE" if example["operation"] == "AutomationRules_Delete" => &[200, 200],
            "DELETE" => &[200, 204],
            _ if answers.contains_key("204") => &[204],
            _ => &[200],
        };
        for (time, expected) in expected.iter().enumerate() {
            if time > 0 && body["etag"].is_string() {
                // The example's etag was taken for what was not there yet; now it is an old one.
                body.as_object_mut().unwrap().remove("etag");
            }
            let answer = api.call(method, &path, Some(&body).filter(|body| !body.is_null())).await;
            assert_eq!(answer.status, *expected, "{file}: {}", answer.body);
            let schema =
                answers.get(&expected.to_string()).unwrap_or_else(|| panic!("{file}: {expected} is documented"));
            if !answer.body.is_empty() {
                let (value, validator) = (answer.json(), validator(schema, &schemas));
                let faults: Vec<String> =
                    validator.iter_errors(&value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
                assert!(faults.is_empty(), "{file}: {faults:#?}\n{value:#}");
            } else {
                assert!(schema.is_null() || *expected == 204, "{file}: a body is documented");
            }
        }
        done += 1;
    }
    assert_eq!(done, 42);
}

#[tokio::test]
async fn the_documented_create_is_answered_with_every_field() {
    let api = api().await;
    let examples = data("examples.json");
    let create = examples.as_array().unwrap().iter().find(|example| example["operation"] == "Incidents_CreateOrUpdate");
    let body = &create.unwrap()["body"];
    let value = api.ok(201, "PUT", &format!("/incidents/{ONE}"), Some(body)).await;
    insta::assert_json_snapshot!("created", crate::kit::masked(&value, &[ONE, "2046feea-040d-4a46-9e2b-91c2941bfa70"]));
}
