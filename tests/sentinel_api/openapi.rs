//! The OpenAPI document says what there is, and nothing in it leads nowhere.

use std::collections::BTreeSet;

use larum::server::routes::{Access, TABLE};
use serde_json::Value;

use crate::{forms::request, kit::api};

async fn document() -> Value {
    let answer = api().await.served.raw(&request("GET", "/openapi.json", &[], None)).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// Every value below this one that is an object's member of this name.
fn members<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get(name));
            object.values().for_each(|member| members(member, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, name, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_route_is_in_it_with_its_parameters_its_role_and_an_answer() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut operations = BTreeSet::new();
    let mut count = 0;
    for route in TABLE {
        let path = route.path.replace("{*", "{");
        for method in route.methods {
            let operation = &document["paths"][&path][method.to_lowercase()];
            assert!(operation.is_object(), "{method} {path}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            assert!(operations.insert(id.to_owned()), "{id} is there twice");
            let declared: BTreeSet<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let wanted: BTreeSet<&str> =
                path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(declared, wanted, "{method} {path}");
            assert_eq!(operation["security"].is_array(), route.access != Access::Public, "{method} {path}");
            assert_eq!(operation["requestBody"].is_object(), route.request.is_some(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            count += 1;
        }
    }
    let described: usize =
        document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(described, count, "nothing is described that is not served");
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_schema_can_be_used() {
    let document = document().await;
    let mut references = Vec::new();
    members(&document, "$ref", &mut references);
    assert!(references.len() > 50);
    for reference in references {
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (name, _) in document["components"]["schemas"].as_object().unwrap() {
        let mut whole = document.clone();
        whole["$ref"] = format!("#/components/schemas/{name}").into();
        assert!(jsonschema::options().build(&whole).is_ok(), "{name}");
    }
}
