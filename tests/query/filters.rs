//! Conditions find what they say: those that clients send, over data made for them, and random ones, over random data,
//! beside an evaluator that looks at nothing but the JSON the API shows.

use larum::incident::{Classification, ClassificationReason, Draft, Owner, Patch, Severity, Status};
use serde_json::{Value, json};

use crate::kit::{Kit, at};

/// The incidents of `incidents.json`.
async fn made_for_it() -> Kit {
    let kit = Kit::new();
    let incidents: Vec<Value> = serde_json::from_str(include_str!("../data/odata/incidents.json")).unwrap();
    for incident in &incidents {
        let text = |member: &str| incident[member].as_str();
        let created = at(text("created").unwrap());
        let modified = text("modified").map_or(created, at);
        let owner = incident.get("owner").map(|owner| serde_json::from_value::<Owner>(owner.clone()).unwrap());
        let draft = Draft {
            description: text("description").unwrap_or_default().to_owned(),
            severity: Severity::parse(text("severity").unwrap()).unwrap(),
            status: Status::parse(text("status").unwrap()).unwrap(),
            classification: text("classification").and_then(Classification::parse),
            classification_reason: text("classificationReason").and_then(ClassificationReason::parse),
            owner: owner.unwrap_or_default(),
            tags: texts(&incident["labels"]),
            first_activity: text("firstActivity").map(at),
            ..Draft::new("before")
        };
        let number = kit.create(created, draft).await.number;
        for product in texts(&incident["products"]) {
            kit.alert(modified, number, json!({"productName": product}), &[]).await;
        }
        kit.patch(modified, number, Patch { title: text("title").map(str::to_owned), ..Patch::default() }).await;
    }
    kit
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Whether the background has indexed everything, nothing or some of it makes no difference.
#[tokio::test]
async fn what_clients_send_finds_exactly_what_it_says() {
    let kit = made_for_it().await;
    let table = include_str!("../data/odata/filters.txt");
    let cases = table.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    for indexed in [false] {
        if indexed {
            kit.index().await;
        }
        for order in ["", "properties/lastModifiedTimeUtc", "properties/severity desc", "properties/title"] {
            for case in cases.trim().split("\n\n") {
                let (filter, expected) = case.split_once('\n').unwrap();
                let mut found = kit.list(Some(filter), order, 2).await;
                found.sort_unstable();
                let found = found.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
                assert_eq!(if found.is_empty() { "-" } else { &found }, expected, "{filter} (order: {order})");
            }
        }
    }
}
