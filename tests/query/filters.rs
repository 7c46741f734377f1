//! Conditions find what they say: those that clients send, over data made for them, and random ones, over random data,
//! beside an evaluator that looks at nothing but the JSON the API shows.

use larum::{
    incident::{Classification, ClassificationReason, Draft, Owner, Patch, Severity, Status},
    store::incidents::IncidentStore,
};
use serde_json::{Value, json};

use chrono::TimeDelta;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::{
    kit::{Kit, at},
    naive,
};

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
    for indexed in [false, true] {
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

/// Some hundred incidents with values of which many are equal, null, or the same but for their case.
pub async fn at_random(count: usize, seed: u64) -> Kit {
    let mut random = Random(seed);
    let kit = Kit::new();
    let start = at("2024-01-01T00:00:00Z");
    for _ in 0..count {
        let created = start + TimeDelta::hours(random.below(24)) + TimeDelta::microseconds(random.below(3));
        let status = *random.one(Status::ALL);
        let classification = *random.one(Classification::ALL);
        let maybe = |random: &mut Random| (random.below(2) == 0).then(|| (*random.one(naive::TEXTS)).to_owned());
        let mut draft = Draft {
            description: maybe(&mut random).unwrap_or_default(),
            severity: *random.one(Severity::ALL),
            status,
            classification: (status == Status::Closed).then_some(classification),
            classification_reason: (status == Status::Closed).then(|| *random.one(ClassificationReason::ALL)),
            classification_comment: maybe(&mut random),
            first_activity: (random.below(2) == 0).then(|| start + TimeDelta::hours(random.below(24))),
            ..Draft::new(*random.one(naive::TEXTS))
        };
        if draft.title.is_empty() {
            "untitled".clone_into(&mut draft.title);
        }
        if random.below(2) == 0 {
            draft.owner = Owner {
                object_id: maybe(&mut random),
                email: maybe(&mut random),
                assigned_to: maybe(&mut random),
                user_principal_name: maybe(&mut random),
                owner_type: None,
            };
        }
        draft.tags = (0..random.below(3)).map(|_| (*random.one(naive::TEXTS)).to_owned()).collect();
        let number = kit.create(created, draft).await.number;
        for _ in 0..(random.below(3) - 1) {
            let properties = json!({"productName": *random.one(naive::TEXTS), "tactics": [*random.one(naive::TEXTS)]});
            kit.alert(created, number, properties, &[]).await;
        }
        if random.below(3) == 0 {
            let severity = Some(*random.one(Severity::ALL));
            kit.patch(created + TimeDelta::hours(random.below(5)), number, Patch { severity, ..Patch::default() })
                .await;
        }
    }
    kit
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound.unsigned_abs()).cast_signed()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(i64::try_from(of.len()).unwrap())).unwrap()]
    }
}

#[tokio::test]
async fn random_filters_agree_with_a_naive_evaluator() {
    let kit = at_random(300, 7).await;
    let resources = kit.resources().await;
    assert_eq!(resources.len(), 300);
    let mut runner = TestRunner::deterministic();
    let mut found_some = 0;
    for round in 0..500 {
        // In the middle of it the background brings a part into its index.
        if round == 150 {
            assert!(kit.store.index_portion().await.unwrap());
        } else if round == 300 {
            kit.index().await;
        }
        let condition = naive::condition().new_tree(&mut runner).unwrap().current();
        let expected: Vec<_> = resources
            .iter()
            .filter(|resource| condition.holds(resource, &Value::Null))
            .map(|resource| resource["properties"]["incidentNumber"].as_u64().unwrap())
            .collect();
        let filter = condition.text();
        let order = ["", "properties/incidentNumber", "properties/severity", "properties/lastModifiedTimeUtc desc"];
        let mut found = kit.list(Some(&filter), order[round % 4], 100).await;
        found.sort_unstable();
        assert_eq!(found, expected, "{filter}");
        found_some += usize::from(!expected.is_empty() && expected.len() < 300);
    }
    assert!(found_some > 250, "most of them are worth something: {found_some}");
}
