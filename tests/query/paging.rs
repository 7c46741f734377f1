//! Pages of a list, put together, are the list: in any order, in pages of any size, also while incidents are added.

use std::cmp::Ordering;

use chrono::TimeDelta;
use larum::{
    incident::{Draft, Severity, Status},
    odata::Order,
    store::{
        Store, StoreError,
        incidents::{IncidentStore, Listing},
        query::IncidentFilter,
    },
};
use serde_json::Value;

use crate::{
    filters::at_random,
    kit::{Kit, at, listing},
    naive::{self, PROPERTIES},
};

/// The order of two resources by these keys; then by creation and number in the direction of the last key.
fn order(left: &Value, right: &Value, keys: &[(&str, bool)]) -> Ordering {
    // A property that is named again says nothing.
    let first = |(place, (path, _)): &(usize, &(&str, bool))| keys[..*place].iter().all(|(known, _)| known != path);
    let descending = keys.iter().enumerate().rfind(first).is_none_or(|(_, (_, descending))| *descending);
    let ties = [("properties/createdTimeUtc", descending), ("properties/incidentNumber", descending)];
    for (path, descending) in keys.iter().copied().chain(ties) {
        let kind = PROPERTIES.iter().find(|(known, _)| *known == path).map(|(_, kind)| *kind);
        let (left, right) = (naive::at(left, path), naive::at(right, path));
        let order = match (left.is_null(), right.is_null()) {
            (false, false) => naive::compare(left, right, kind),
            (left, right) => right.cmp(&left),
        };
        if order.is_ne() {
            return if descending { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}

#[tokio::test]
async fn any_order_visits_every_incident_once_in_pages_of_any_size() {
    let kit = at_random(120, 11).await;
    let resources = kit.resources().await;
    let mut orders: Vec<Vec<(&str, bool)>> = vec![vec![]];
    for (place, (path, _)) in PROPERTIES.iter().enumerate() {
        orders.push(vec![(path, false)]);
        orders.push(vec![(path, true)]);
        let (other, _) = PROPERTIES[(place * 7 + 3) % PROPERTIES.len()];
        orders.push(vec![(path, place % 2 == 0), (other, place % 3 == 0)]);
    }
    for (severity, status, created) in [(true, false, true), (false, true, true), (true, true, false)] {
        orders.push(vec![("properties/severity", severity), ("properties/status", status)]);
        orders.push(vec![("properties/status", status), ("properties/createdTimeUtc", created)]);
        orders.push(vec![("properties/severity", severity), ("properties/createdTimeUtc", !severity)]);
        orders.push(vec![
            ("properties/severity", severity),
            ("properties/status", status),
            ("properties/createdTimeUtc", created),
            ("properties/incidentNumber", created),
        ]);
    }
    for (place, keys) in orders.iter().enumerate() {
        let written: Vec<_> =
            keys.iter().map(|(path, descending)| format!("{path}{}", if *descending { " desc" } else { "" })).collect();
        let written = written.join(", ");
        for filter in [None, Some("properties/status ne 'Closed'")] {
            let mut expected: Vec<_> = resources
                .iter()
                .filter(|resource| filter.is_none() || resource["properties"]["status"] != "Closed")
                .collect();
            expected.sort_by(|left, right| order(left, right, keys));
            let expected: Vec<_> =
                expected.iter().map(|resource| resource["properties"]["incidentNumber"].as_u64().unwrap()).collect();
            let found = kit.list(filter, &written, [7, 13, 50, 200][place % 4]).await;
            assert_eq!(found, expected, "{written} ({filter:?})");
        }
    }
}

#[tokio::test]
async fn incidents_that_are_added_while_pages_are_read_move_no_other_out_of_them() {
    let kit = at_random(60, 3).await;
    for order in
        ["", "properties/createdTimeUtc", "properties/severity", "properties/title desc", "properties/owner/email"]
    {
        let before = kit.list(None, "properties/incidentNumber", 1_000).await;
        let mut asked = listing(None, order, 9);
        let mut found = Vec::new();
        loop {
            let page = kit.store.list_incidents(asked.clone()).await.unwrap();
            found.extend(page.items.iter().map(|incident| incident.number));
            let severity = Severity::ALL[found.len() % 4];
            kit.create(at("2024-01-01T12:00:00Z"), Draft { severity, ..Draft::new("added") }).await;
            asked.after = page.next;
            if asked.after.is_none() {
                break;
            }
        }
        let mut known: Vec<_> = found.into_iter().filter(|number| before.contains(number)).collect();
        known.sort_unstable();
        assert_eq!(known, before, "{order}");
    }
}

#[tokio::test]
async fn a_continuation_that_is_damaged_or_of_another_order_is_told_from_a_good_one() {
    let kit = at_random(10, 5).await;
    let by_title = listing(None, "properties/title", 4);
    let next = kit.store.list_incidents(by_title.clone()).await.unwrap().next.unwrap();
    let ask = async |listing: Listing| kit.store.list_incidents(listing).await.map(|page| page.items.len());
    assert_eq!(ask(Listing { after: Some(next.clone()), ..by_title.clone() }).await.unwrap(), 4);
    let mut damaged = vec![Vec::new(), next[..next.len() - 1].to_vec(), b"12345678[1,2,3]".to_vec()];
    for place in 0..next.len() {
        let mut changed = next.clone();
        changed[place] ^= 1;
        damaged.push(changed);
    }
    for after in damaged {
        let answer = ask(Listing { after: Some(after), ..by_title.clone() }).await;
        assert!(matches!(answer, Err(StoreError::BadContinuation)));
    }
    for order in ["", "properties/title desc", "properties/description"] {
        let answer = ask(Listing { after: Some(next.clone()), ..listing(None, order, 4) }).await;
        assert!(matches!(answer, Err(StoreError::BadContinuation)), "{order}");
    }
}

/// `larum incidents list` goes on below a number, also when that incident is gone.
#[tokio::test]
async fn the_queue_goes_on_below_an_incident() {
    let kit = at_random(40, 9).await;
    for (status, severity) in [(None, None), (Some(Status::Closed), None), (Some(Status::New), Some(Severity::Low))] {
        let all = IncidentFilter { status, severity, limit: 1_000, ..IncidentFilter::default() };
        let all: Vec<_> = kit.store.incidents(all).await.unwrap().iter().map(|incident| incident.number).collect();
        let (mut found, mut below) = (Vec::new(), None);
        loop {
            let page = kit.store.incidents(IncidentFilter { status, severity, below, limit: 3 }).await.unwrap();
            let Some(last) = page.last() else { break };
            below = Some(last.number);
            found.extend(page.iter().map(|incident| incident.number));
        }
        assert_eq!(found, all);
    }
    let every = IncidentFilter { limit: usize::MAX, ..IncidentFilter::default() };
    assert_eq!(kit.store.incidents(every).await.unwrap().len(), 40, "however many are asked for");
}

/// The continuation is a part of the next page's address.
#[tokio::test]
async fn pages_in_the_order_of_long_texts_go_on_by_a_short_continuation() {
    let kit = Kit::new();
    for place in 0..9 {
        let description = format!("{} {}", "😀".repeat(90 + place % 3), "é".repeat(4_800));
        let title = format!("{place} {}", "😀".repeat(1_900));
        kit.create(at("2024-01-01T12:00:00Z"), Draft { description, ..Draft::new(title) }).await;
    }
    for (order, expected) in [
        ("properties/title desc", vec![9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("properties/description, properties/title", vec![1, 4, 7, 2, 5, 8, 3, 6, 9]),
    ] {
        assert_eq!(kit.list(None, order, 2).await, expected, "{order}");
        let next = kit.store.list_incidents(listing(None, order, 2)).await.unwrap().next.unwrap();
        assert!(next.len() < 2_000, "{}", next.len());
    }
}

#[tokio::test]
async fn comments_relations_and_alerts_are_listed_in_pages_too() {
    use larum::incident::{
        Change, IncidentRef, Precondition, RelatedKind,
        properties::{ALERT, COMMENT, RELATION},
    };
    use larum::odata::Filter;
    use serde_json::json;

    let kit = at_random(2, 1).await;
    let incident = IncidentRef::Number(1);
    let start = at("2024-02-01T00:00:00Z");
    let before = kit.store.relations(&incident, Listing::default()).await.unwrap().unwrap().items.len();
    for number in 0..7 {
        let change = Change::PutComment {
            incident: incident.clone(),
            name: uuid::Uuid::now_v7().into(),
            message: format!("comment {number}"),
            precondition: Precondition::default(),
            any_author: false,
        };
        kit.write(start + TimeDelta::minutes(number), change).await;
        kit.alert(start, 1, json!({"productName": format!("product {number}")}), &[]).await;
    }
    let asked = |filter: &str, order: &str, properties| Listing {
        filter: Some(Filter::parse(filter, properties).unwrap()),
        order: Order::parse(order, properties).unwrap(),
        top: 2,
        after: None,
    };

    let comments = kit.store.comments(&incident, Listing { top: 5, ..Listing::default() }).await.unwrap().unwrap();
    let messages: Vec<_> = comments.items.iter().map(|comment| comment.message.as_str()).collect();
    assert_eq!(messages, ["comment 6", "comment 5", "comment 4", "comment 3", "comment 2"]);
    let rest = Listing { top: 5, after: comments.next, ..Listing::default() };
    assert_eq!(kit.store.comments(&incident, rest).await.unwrap().unwrap().items.len(), 2);
    let some = asked(
        "properties/message ge 'comment 4' and properties/author/name eq 'Alice' and properties/createdTimeUtc gt 2024-02-01",
        "properties/message desc",
        COMMENT,
    );
    let some = kit.store.comments(&incident, some).await.unwrap().unwrap();
    assert_eq!(
        some.items.iter().map(|comment| comment.message.as_str()).collect::<Vec<_>>(),
        ["comment 6", "comment 5"]
    );
    assert!(some.next.is_some());

    let all = kit.store.relations(&incident, Listing::default()).await.unwrap().unwrap();
    assert_eq!(all.items.len(), before + 7);
    let filter = format!(
        "properties/relatedResourceName eq '{}' and properties/relatedResourceKind eq 'securityalert'",
        all.items[0].related
    );
    let one = kit.store.relations(&incident, asked(&filter, "name", RELATION)).await.unwrap().unwrap();
    assert_eq!(one.items, all.items[..1]);
    assert_eq!(one.items[0].kind, RelatedKind::Alert);

    let alerts =
        asked("endswith(properties/productName, '3') or properties/productName eq 'product 5'", "name desc", ALERT);
    let alerts = kit.store.alerts(alerts).await.unwrap();
    let products: Vec<_> = alerts.items.iter().map(|alert| alert.text("productName").unwrap()).collect();
    assert_eq!(products, ["product 5", "product 3"]);
    assert_eq!(kit.store.comments(&IncidentRef::Number(99), Listing::default()).await.unwrap(), None);
}
