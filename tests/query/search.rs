//! Full-text search, and what incidents have in common.

use chrono::{DateTime, Utc};
use larum::{
    incident::{Change, Draft, EntityKind, IncidentRef, Owner, Patch, Precondition, Provenance, ResourceName},
    store::{
        Store, Version,
        incidents::{IncidentStore, Reason},
        intake::{Decision, Intake, Listening, Report, Uniqueness},
        mailbox::FeedName,
        run::{LocalEffect, Record},
    },
};
use serde_json::json;
use uuid::Uuid;

use crate::kit::{Kit, at};

fn noon() -> DateTime<Utc> {
    at("2024-01-01T12:00:00Z")
}

impl Kit {
    async fn titled(&self, title: &str, description: &str) -> u64 {
        self.create(noon(), Draft { description: description.to_owned(), ..Draft::new(title) }).await.number
    }

    /// Numbers and excerpts.
    async fn found(&self, query: &str) -> Vec<(u64, String)> {
        let hits = self.store.search(query, 10).await.unwrap();
        hits.into_iter().map(|hit| (hit.incident.number, hit.excerpt)).collect()
    }

    async fn numbers(&self, query: &str) -> Vec<u64> {
        self.found(query).await.into_iter().map(|(number, _)| number).collect()
    }

    /// Everything that is related to an incident, and why.
    async fn related(&self, number: u64) -> Vec<(u64, Vec<Reason>)> {
        let related = self.store.related_incidents(&IncidentRef::Number(number), 10).await.unwrap();
        related.into_iter().map(|related| (related.incident.number, related.because)).collect()
    }

    async fn comment(&self, number: u64, name: &str, message: &str) {
        let change = Change::PutComment {
            incident: IncidentRef::Number(number),
            name: ResourceName::parse(name).unwrap(),
            message: message.to_owned(),
            precondition: Precondition::default(),
            any_author: false,
        };
        self.write(noon(), change).await;
    }

    /// An incident that a playbook made of a mail.
    async fn mailed(&self, sender: &str, title: &str) -> u64 {
        let version = Version {
            id: "hash".to_owned(),
            playbook: "file".to_owned(),
            path: "file.yaml".to_owned(),
            bundle: "{}".to_owned(),
        };
        self.store.keep_version(version, noon()).await.unwrap();
        let (event, run) = (Uuid::now_v7(), Uuid::now_v7());
        let report = Report {
            event,
            kind: "mailbox",
            uniqueness: Uniqueness::Always,
            summary: title.to_owned(),
            outputs: json!({"body": {"subject": title, "sender": {"name": "", "address": sender}}}).to_string().into(),
            raw: None,
            playbooks: vec![Listening {
                playbook: "file".to_owned(),
                decision: Decision::start(run, "hash".to_owned(), [7; 32]),
            }],
            mail_tasks: vec![],
            skipped: None,
        };
        let feed = FeedName { connection: "soc".to_owned(), folder: "INBOX".to_owned() };
        self.store.accept(Intake { feed, reports: vec![report], cursor: None, at: noon() }).await.unwrap();
        let create = LocalEffect::CreateIncident {
            draft: Box::new(Draft::new(title)),
            provenance: Provenance {
                run: Some(run),
                playbook: Some("file".to_owned()),
                event: Some(event),
                ..Provenance::default()
            },
            at: noon(),
            id: Uuid::now_v7(),
            repeated: false,
            causes: vec![],
            event: Box::new(|_| b"created".to_vec()),
        };
        let record = Record { local: Some(create), ..Record::events(run, 0, vec![]) };
        self.store.record(record).await.unwrap().incident.unwrap().number
    }
}

fn entity(name: u128, kind: EntityKind, friendly: &str) -> serde_json::Value {
    json!({"name": Uuid::from_u128(name), "kind": kind, "properties": {"friendlyName": friendly, "address": friendly}})
}

#[tokio::test]
async fn words_are_found_wherever_they_stand_best_first() {
    let kit = Kit::new();
    let door = kit.titled("Stranger at the north door", "Seen by the guard, near the **loading bay**.").await;
    let bay =
        kit.titled("Parcel", &format!("{} a stranger left it {}", "before ".repeat(40), "behind ".repeat(40))).await;
    let owned = kit.titled("Beacon", "").await;
    let owner = Owner { email: Some("vera.ärger@example.com".to_owned()), ..Owner::default() };
    kit.patch(noon(), owned, Patch { owner: Some(owner), ..Patch::default() }).await;
    kit.alert(noon(), owned, json!({}), &[entity(1, EntityKind::Ip, "203.0.113.9")]).await;
    kit.comment(bay, "one", "The courier came back\n\nat <b>noon</b>.").await;
    assert_eq!(kit.found("stranger").await, [], "nothing is indexed yet");
    kit.index().await;

    assert_eq!(
        kit.found("stranger").await,
        [
            (door, "Stranger at the north door".to_owned()),
            (bay, format!("…{}a stranger left it{}…", "before ".repeat(6), " behind".repeat(6))),
        ]
    );
    for (query, expected) in [
        ("STRANGER north", vec![door]),
        ("\"north door\"", vec![door]),
        ("\"door north\"", vec![]),
        ("load*", vec![door]),
        ("load", vec![]),
        ("courier", vec![bay]),
        ("noon parcel", vec![bay]),
        ("203.0.113.9", vec![owned]),
        ("vera.arger@example.com", vec![owned]),
        ("vera*", vec![owned]),
        ("stranger -door", vec![door]),
        ("title:door", vec![]),
    ] {
        assert_eq!(kit.numbers(query).await, expected, "{query}");
    }
    let courier = kit.found("courier").await;
    assert_eq!(courier[0].1, "The courier came back at <b>noon</b>.");
}

#[tokio::test]
async fn what_changes_or_goes_is_found_as_it_is_now() {
    let kit = Kit::new();
    let number = kit.titled("Old words", "").await;
    kit.comment(number, "c", "remark").await;
    kit.index().await;
    assert_eq!(kit.numbers("old remark").await, [number]);
    kit.patch(noon(), number, Patch { title: Some("New words".to_owned()), ..Patch::default() }).await;
    let gone = Change::DeleteComment {
        incident: IncidentRef::Number(number),
        name: ResourceName::parse("c").unwrap(),
        precondition: Precondition::default(),
    };
    kit.write(noon(), gone).await;
    kit.index().await;
    for (query, expected) in [("old", vec![]), ("remark", vec![]), ("new words", vec![number])] {
        assert_eq!(kit.numbers(query).await, expected, "{query}");
    }
    let delete =
        Change::DeleteIncident { incident: IncidentRef::Number(number), precondition: Precondition::default() };
    kit.write(noon(), delete).await;
    assert_eq!(kit.numbers("new").await, [0; 0], "it is not shown even before the index knows");
    kit.index().await;
    assert_eq!(kit.numbers("new").await, [0; 0]);
    assert!(!kit.store.index_portion().await.unwrap(), "and then there is nothing left to do");
}

#[tokio::test]
async fn long_comments_come_into_the_index_a_few_incidents_at_a_time_the_newest_comments_first() {
    let kit = Kit::new();
    let filler = "padding ".repeat(3_500);
    let mut numbers = Vec::new();
    for place in 0..3 {
        let number = kit.titled(&format!("Incident {place}"), "").await;
        for comment in 0..12 {
            kit.comment(number, &format!("c{comment}"), &format!("remark{comment} {filler}")).await;
        }
        numbers.push(number);
    }
    assert!(kit.store.index_portion().await.unwrap());
    assert_eq!(kit.numbers("incident").await, numbers[..1], "one fills a portion");
    kit.index().await;
    numbers.reverse();
    assert_eq!(kit.numbers("incident remark11").await, numbers);
    assert_eq!(kit.numbers("remark0").await, [0; 0], "more of one incident is not searched");
}

#[tokio::test]
async fn changed_and_new_incidents_take_turns_in_the_index_each_in_order() {
    let kit = Kit::new();
    for place in 0..120 {
        kit.titled(&format!("First {place}"), "").await;
    }
    kit.index().await;
    for number in (1..=120).rev() {
        kit.patch(noon(), number, Patch { title: Some(format!("Changed title{number}")), ..Patch::default() }).await;
    }
    let new = kit.titled("New one", "").await;
    for _ in 0..120 {
        kit.titled("Another", "").await;
    }
    assert!(kit.store.index_portion().await.unwrap());
    assert_eq!(kit.numbers("new one").await, [new], "however much has changed");
    assert_eq!(kit.numbers("title120").await, [120], "it changed first");
    assert_eq!(kit.numbers("title1").await, [0; 0], "its turn comes last");
    kit.index().await;
    assert_eq!(kit.numbers("title1").await, [1]);
    assert_eq!(kit.numbers("first").await, [0; 0]);
}

#[tokio::test]
async fn what_is_learned_of_an_entity_is_found_at_all_incidents_it_is_in() {
    let kit = Kit::new();
    let (first, second) = (kit.titled("One", "").await, kit.titled("Two", "").await);
    let host = entity(1, EntityKind::Host, "web-1");
    kit.alert(noon(), first, json!({}), std::slice::from_ref(&host)).await;
    kit.index().await;
    let mut learned = host;
    learned["properties"]["dnsDomain"] = json!("contoso.example");
    kit.alert(noon(), second, json!({}), &[learned]).await;
    kit.index().await;
    assert_eq!(kit.numbers("contoso").await, [second, first]);
}

/// Nothing that is asked is a mistake.
#[tokio::test]
async fn any_query_is_answered() {
    let kit = Kit::new();
    let number = kit.titled("x AND y", "").await;
    kit.index().await;
    for query in [
        "",
        " ",
        "\"",
        "\"\"\"",
        "*",
        "x*y",
        "x\"y",
        "(",
        ")",
        "x)",
        "NEAR(",
        "AND",
        "NOT x",
        "x OR",
        "^x",
        "title:",
        "{title}: x",
        "-x",
        "'; DROP TABLE incident; --",
        "\u{0}",
        "x\u{0}y",
        "é\u{301}",
        "\u{902}",
        "🔥",
        "x + y",
        "[x]",
        "x,y",
        "\\",
        &"x ".repeat(2_000),
        &"\"".repeat(999),
        &"x".repeat(5_000),
    ] {
        kit.store.search(query, 10).await.unwrap();
    }
    assert_eq!(kit.numbers("x and y").await, [number]);
    for query in ["x*", "door ab*", r#""north d"*"#] {
        let refused = kit.store.search(query, 10).await.unwrap_err();
        assert!(refused.to_string().ends_with("has at least 3 characters before its *"), "{query}: {refused}");
    }
}

#[tokio::test]
async fn incidents_are_related_by_what_they_have_in_common() {
    let kit = Kit::new();
    let mailed = kit.mailed("Eve@Example.com", "Invoice overdue").await;
    let again = kit.mailed("eve@example.com", "Another invoice").await;
    let alike = kit.titled("Invoice overdue", "").await;
    let host = || entity(1, EntityKind::Host, "web-1");
    let shared = kit.titled("Beacon", "").await;
    let nothing = kit.titled("Lost badge", "").await;
    kit.alert(noon(), mailed, json!({}), &[host(), entity(2, EntityKind::Ip, "203.0.113.9")]).await;
    kit.alert(noon(), shared, json!({}), &[entity(2, EntityKind::Ip, "203.0.113.9"), host()]).await;
    kit.alert(noon(), shared, json!({}), &[host()]).await;
    kit.alert(noon(), alike, json!({}), &[entity(3, EntityKind::Ip, "198.51.100.1")]).await;
    kit.index().await;

    let entities = vec!["web-1".to_owned(), "203.0.113.9".to_owned()];
    let sender = Reason::SameSender { sender: "eve@example.com".to_owned() };
    assert_eq!(
        kit.related(mailed).await,
        [
            (shared, vec![Reason::SharedEntities { entities: entities.clone() }]),
            (alike, vec![Reason::SameTitle]),
            (again, vec![sender.clone()]),
        ]
    );
    assert_eq!(kit.related(again).await, [(mailed, vec![sender])]);
    assert_eq!(kit.related(shared).await, [(mailed, vec![Reason::SharedEntities { entities }])]);
    assert_eq!(kit.related(nothing).await, []);
    assert_eq!(kit.related(99).await, []);

    kit.patch(noon(), alike, Patch { title: Some("Something else".to_owned()), ..Patch::default() }).await;
    assert_eq!(kit.related(mailed).await.len(), 2, "a title that changed is no longer the same, indexed or not");

    let old = kit.titled("Many alike", "").await;
    let mut newer = Vec::new();
    for _ in 0..101 {
        newer.push(kit.titled("Many alike", "").await);
    }
    kit.index().await;
    let last = newer.pop().unwrap();
    for number in newer {
        let title = Some("No longer".to_owned());
        kit.patch(noon(), number, Patch { title, ..Patch::default() }).await;
    }
    assert_eq!(
        kit.related(last).await,
        [(old, vec![Reason::SameTitle])],
        "those that were alike a moment ago do not hide it"
    );
}
