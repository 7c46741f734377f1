//! Writes to what hangs on an incident: comments, tasks, relations, alerts, bookmarks.

use larum::{
    incident::{
        ActivityKind, Change, DocumentKey, DocumentKind, FieldChange, Precondition, Rejected, RelatedKind, TaskStatus,
        Write, Written,
    },
    store::incidents::IncidentStore,
};
use serde_json::json;
use uuid::Uuid;

use crate::kit::*;

fn invalid(message: &str) -> Result<Written, Rejected> {
    Err(Rejected::Invalid(message.to_owned()))
}

#[tokio::test]
async fn a_write_to_what_hangs_on_an_incident_changes_the_incidents_etag() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    kit.write(put_alert(alert("alert", "Defender", &[]))).await.unwrap();
    let (incident_of, called) = (number(1), name("x"));
    let changes = [
        comment(1, "x", "first"),
        comment(1, "x", "first"),
        comment(1, "x", "second"),
        task(1, "x", "call", TaskStatus::New),
        Change::SetTaskStatus { incident: None, name: called.clone(), status: TaskStatus::Completed },
        relate(1, "x", RelatedKind::Alert, "alert"),
        relate(1, "x", RelatedKind::Alert, "alert"),
        Change::DeleteComment {
            incident: incident_of.clone(),
            name: called.clone(),
            precondition: Precondition::default(),
        },
        Change::DeleteTask {
            incident: incident_of.clone(),
            name: called.clone(),
            precondition: Precondition::default(),
        },
        Change::DeleteRelation { incident: incident_of, name: called, precondition: Precondition::default() },
    ];
    for (minute, change) in (3..).zip(changes) {
        let written = Write { at: at(minute), ..write(change.clone()) };
        let etag = written.etag;
        kit.store.write(written).await.unwrap().unwrap();
        let now = kit.find(1).await;
        assert_eq!((now.etag, now.modified), (etag, at(minute)), "{change:?}");
    }
    let gone = Change::DeleteTask { incident: number(1), name: name("x"), precondition: Precondition::default() };
    let before = kit.find(1).await;
    assert_eq!(kit.write(gone).await, Ok(Written::Gone { existed: false }));
    let same = Change::SetTaskStatus { incident: None, name: name("x"), status: TaskStatus::New };
    assert_eq!(kit.write(same).await.unwrap_err().status(), 404);
    assert_eq!(kit.find(1).await, before, "what is not there cannot be deleted, and nothing changes");
}

#[tokio::test]
async fn a_comment_is_edited_by_its_author_or_by_whom_may_edit_others() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    kit.write(comment(1, "x", "first")).await.unwrap();
    let by_bob = |any_author| {
        let mut change = comment(1, "X", "second");
        if let Change::PutComment { any_author: any, .. } = &mut change {
            *any = any_author;
        }
        Write { by: bob(), ..write(change) }
    };
    let refused = kit.store.write(by_bob(false)).await.unwrap().unwrap_err();
    assert_eq!((refused.status(), refused.to_string().as_str()), (403, "Only its author may edit a comment."));
    let Written::Comment { comment: edited, created: false, .. } =
        kit.store.write(by_bob(true)).await.unwrap().unwrap()
    else {
        panic!("created")
    };
    assert_eq!((edited.message.as_str(), &edited.author), ("second", &alice()));
    assert_eq!(kit.store.comment(&number(1), &name("x")).await.unwrap(), Some(edited));
    kit.write(Change::DeleteComment { incident: number(1), name: name("x"), precondition: Precondition::default() })
        .await
        .unwrap();
    let x = name("x");
    let expected = [
        ActivityKind::CommentAdded { comment: x.clone() },
        ActivityKind::CommentEdited { comment: x.clone(), from: "first".into() },
        ActivityKind::CommentDeleted { comment: x, from: "second".into() },
    ];
    assert_eq!(kit.happened(1).await, expected);
}

#[tokio::test]
async fn an_incident_has_a_hundred_comments_of_thirty_thousand_characters() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    let long = "é".repeat(30_000);
    for n in 0..100 {
        kit.write(comment(1, &format!("c{n}"), if n == 0 { &long } else { "x" })).await.unwrap();
    }
    let before = kit.find(1).await;
    assert_eq!(before.summary.comments, 100);
    let rows = [
        (comment(1, "more", "x"), "Incident a has 100 comments already; it can have no more."),
        (comment(1, "c0", &format!("{long}é")), "Comment length should not exceed 30000 characters"),
        (comment(1, "c0", " "), "A comment needs a message."),
    ];
    for (change, message) in rows {
        assert_eq!(kit.write(change).await, invalid(message));
    }
    assert_eq!(kit.find(1).await, before);
}

#[tokio::test]
async fn tasks_come_in_the_order_they_were_made_and_are_found_by_name_alone() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    kit.put("b", "gate").await;
    for (called, title) in [("z", "call"), ("y", " look "), ("x", "close")] {
        kit.write(task(1, called, title, TaskStatus::New)).await.unwrap();
    }
    kit.write(task(1, "Y", "look twice", TaskStatus::Completed)).await.unwrap();
    let tasks = kit.store.tasks(&number(1)).await.unwrap().unwrap();
    let titles: Vec<_> = tasks.iter().map(|task| (task.title.as_str(), task.status)).collect();
    assert_eq!(titles, [("call", TaskStatus::New), ("look twice", TaskStatus::Completed), ("close", TaskStatus::New)]);
    let done =
        |called: &str| Change::SetTaskStatus { incident: None, name: name(called), status: TaskStatus::Completed };
    let completed = Write { by: bob(), at: at(5), ..write(done("Z")) };
    let Written::Task { task: done_now, .. } = kit.store.write(completed).await.unwrap().unwrap() else { panic!() };
    assert_eq!((done_now.title.as_str(), &done_now.created_by, &done_now.modified_by), ("call", &alice(), &bob()));
    assert_eq!((done_now.created, done_now.modified), (at(2), at(5)));
    kit.write(task(2, "z", "another", TaskStatus::New)).await.unwrap();
    let unclear = kit.write(done("z")).await.unwrap_err();
    assert_eq!(unclear.to_string(), "More than one incident has a task 'z'; say which incident is meant.");
    assert_eq!(kit.write(task(1, "w", " ", TaskStatus::New)).await, invalid("A task needs a title."));
    let change = |field: &str, from, to| FieldChange { field: field.into(), from, to };
    let updated = kit.happened(1).await.into_iter().filter(|what| matches!(what, ActivityKind::TaskUpdated { .. }));
    let expected = [
        ActivityKind::TaskUpdated {
            task: name("y"),
            title: "look twice".into(),
            changes: vec![
                change("title", json!("look"), json!("look twice")),
                change("status", json!("New"), json!("Completed")),
            ],
        },
        ActivityKind::TaskUpdated {
            task: name("z"),
            title: "call".into(),
            changes: vec![change("status", json!("New"), json!("Completed"))],
        },
    ];
    assert_eq!(updated.collect::<Vec<_>>(), expected);
    let described = Change::PutTask {
        incident: number(2),
        name: name("z"),
        title: "another".into(),
        description: Some("Ring the caretaker first".into()),
        status: TaskStatus::New,
        precondition: Precondition::default(),
    };
    kit.write(described).await.unwrap();
    let gone = Change::DeleteTask { incident: number(2), name: name("z"), precondition: Precondition::default() };
    kit.write(gone).await.unwrap();
    let (task, title) = (name("z"), "another".to_owned());
    assert_eq!(
        kit.happened(2).await.pop(),
        Some(ActivityKind::TaskDeleted { task, title, description: Some("Ring the caretaker first".into()) }),
        "what is deleted is still in the log"
    );
}

#[tokio::test]
async fn an_incident_learns_from_its_alerts_and_forgets_with_them() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    for (called, product, tactics) in
        [("one", "Defender", &["Execution"][..]), ("two", "Entra", &["Execution", "Impact"])]
    {
        kit.write(put_alert(alert(called, product, tactics))).await.unwrap();
        kit.write(relate(1, called, RelatedKind::Alert, called)).await.unwrap();
    }
    kit.write(put_bookmark("mark")).await.unwrap();
    kit.write(relate(1, "mark", RelatedKind::Bookmark, "mark")).await.unwrap();
    let summary = kit.find(1).await.summary;
    assert_eq!((summary.alerts, summary.bookmarks), (2, 1));
    assert_eq!(
        [&summary.alert_products, &summary.tactics, &summary.techniques, &summary.analytic_rules],
        [
            &vec!["Defender".to_owned(), "Entra".into()],
            &vec!["Execution".to_owned(), "Impact".into()],
            &vec!["T1059".to_owned()],
            &vec!["rule of Defender".to_owned(), "rule of Entra".into()],
        ]
    );
    // An alert that is taken in again says something else now.
    kit.write(put_alert(alert("TWO", "Sentinel", &["Exfiltration"]))).await.unwrap();
    let summary = kit.find(1).await.summary;
    assert_eq!((summary.tactics.join(" "), summary.alerts), ("Execution Exfiltration".into(), 2));
    kit.write(Change::DeleteRelation { incident: number(1), name: name("one"), precondition: Precondition::default() })
        .await
        .unwrap();
    let summary = kit.find(1).await.summary;
    assert_eq!((summary.alert_products.join(" "), summary.alerts), ("Sentinel".into(), 1));
    kit.write(Change::DeleteDocument { key: bookmark("mark"), precondition: Precondition::default() }).await.unwrap();
    assert_eq!(kit.find(1).await.summary.bookmarks, 0, "a bookmark that is deleted leaves its incidents");
    assert_eq!(kit.store.relation(&number(1), &name("mark")).await.unwrap(), None);
    let unrelated = |kind, related: &str| ActivityKind::Unrelated { kind, related: name(related) };
    let change = |field: &str, from, to| FieldChange { field: field.into(), from, to };
    let said_otherwise = vec![
        change("alertProductNames", json!(["Defender", "Entra"]), json!(["Defender", "Sentinel"])),
        change("tactics", json!(["Execution", "Impact"]), json!(["Execution", "Exfiltration"])),
        change(
            "relatedAnalyticRuleIds",
            json!(["rule of Defender", "rule of Entra"]),
            json!(["rule of Defender", "rule of Sentinel"]),
        ),
    ];
    let happened = kit.happened(1).await;
    assert_eq!(
        happened[3..],
        [
            ActivityKind::Updated { changes: said_otherwise },
            unrelated(RelatedKind::Alert, "one"),
            unrelated(RelatedKind::Bookmark, "mark")
        ],
        "{happened:?}"
    );
}

#[tokio::test]
async fn a_relation_that_cannot_be_is_refused_in_sentinels_words() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    kit.write(put_bookmark("mark")).await.unwrap();
    kit.relate(1, "one").await.unwrap();
    kit.write(put_alert(alert("two", "Defender", &[]))).await.unwrap();
    let before = kit.find(1).await;
    let alerts = RelatedKind::Alert;
    let rows = [
        (
            relate(1, "one", RelatedKind::Bookmark, "mark"),
            400,
            "Failed to create relation. Different relation type with name one already exists in incident a.",
        ),
        (
            relate(1, "one", alerts, "two"),
            409,
            "Relation with name one already exists in incident a to different alert one.",
        ),
        (relate(1, "other", alerts, "ONE"), 400, "Alert one already exists in incident a."),
        (relate(1, "other", alerts, "three"), 404, "Resource 'three' does not exist."),
        (relate(1, "other", RelatedKind::Bookmark, "one"), 404, "Resource 'one' does not exist."),
        (relate(7, "other", alerts, "one"), 404, "Resource '7' does not exist."),
    ];
    for (change, status, message) in rows {
        let refused = kit.write(change).await.unwrap_err();
        assert_eq!((refused.status(), refused.to_string().as_str()), (status, message));
    }
    assert_eq!(kit.find(1).await, before);
    for n in 1..150 {
        kit.relate(1, &format!("alert{n}")).await.unwrap();
    }
    let refused = kit.relate(1, "one more").await;
    assert_eq!(refused, invalid("Incident a has 150 alerts already; it can have no more."));
    assert_eq!(kit.find(1).await.summary.alerts, 150);
}

#[tokio::test]
async fn the_same_entity_is_kept_once_with_all_that_is_known_of_it() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    let mut located = address("192.0.2.1");
    located.properties.insert("location".into(), json!({"countryCode": "CH"}));
    let mut one = alert("one", "Defender", &[]);
    one.entities = vec![address("192.0.2.1"), address("192.0.2.2")];
    let mut two = alert("two", "Defender", &[]);
    two.entities = vec![located];
    for alert in [one, two] {
        let called = alert.name.to_string();
        kit.write(put_alert(alert)).await.unwrap();
        kit.write(relate(1, &called, RelatedKind::Alert, &called)).await.unwrap();
    }
    let entities = kit.store.entities_of(&number(1)).await.unwrap().unwrap();
    let known: Vec<_> = entities.iter().map(|entity| serde_json::to_value(&entity.properties).unwrap()).collect();
    assert_eq!(
        known,
        [json!({"address": "192.0.2.1", "location": {"countryCode": "CH"}}), json!({"address": "192.0.2.2"})]
    );
    assert_eq!(kit.store.entity(entities[1].name).await.unwrap().as_ref(), Some(&entities[1]));
    let alerts = kit.store.alerts_of(&number(1)).await.unwrap().unwrap();
    let concerned: Vec<_> = alerts.iter().map(|alert| alert.entities.len()).collect();
    assert_eq!(concerned, [2, 1]);
    assert_eq!(kit.store.alert(&name("ONE")).await.unwrap().as_ref(), Some(&alerts[0]));
    let related = kit.store.incidents_of(&name("one")).await.unwrap();
    assert_eq!(related, [kit.find(1).await]);
}

#[tokio::test]
async fn documents_are_kept_as_they_were_written_under_their_kind_and_parent() {
    let kit = Kit::new().await;
    let key = |kind, parent: Option<&str>| DocumentKey { kind, parent: parent.map(name), name: name("x") };
    let keys = [
        key(DocumentKind::Bookmark, None),
        key(DocumentKind::AutomationRule, None),
        key(DocumentKind::AlertRuleAction, Some("r1")),
        key(DocumentKind::AlertRuleAction, Some("r2")),
    ];
    let put = |key: &DocumentKey, properties, etag: Option<Uuid>| Change::PutDocument {
        key: key.clone(),
        properties,
        precondition: Precondition { etag: etag.map(|etag| etag.to_string()), ..Precondition::default() },
    };
    for (n, key) in keys.iter().enumerate() {
        let Written::Document { document, created: true } = kit.write(put(key, json!({"n": n}), None)).await.unwrap()
        else {
            panic!("not created")
        };
        assert_eq!(kit.store.document(key).await.unwrap(), Some(*document));
    }
    let first = kit.store.document(&keys[3]).await.unwrap().unwrap();
    let changed = Write { by: bob(), at: at(9), ..write(put(&keys[3], json!({"n": 9}), Some(first.etag))) };
    kit.store.write(changed).await.unwrap().unwrap();
    let stale = kit.write(put(&keys[3], json!({}), Some(first.etag))).await;
    assert_eq!(stale, Err(Rejected::Stale("x".into())));
    let now = kit.store.documents(DocumentKind::AlertRuleAction, Some(&name("R2"))).await.unwrap();
    let told: Vec<_> =
        now.iter().map(|now| (&now.properties, &now.created_by, &now.modified_by, now.modified)).collect();
    assert_eq!(told, [(&json!({"n": 9}), &alice(), &bob(), at(9))]);
    let gone = Change::DeleteDocument { key: keys[3].clone(), precondition: Precondition::default() };
    assert_eq!(kit.write(gone.clone()).await, Ok(Written::Gone { existed: true }));
    assert_eq!(kit.write(gone).await, Ok(Written::Gone { existed: false }));
    let others = kit.store.documents(DocumentKind::AlertRuleAction, Some(&name("r1"))).await.unwrap();
    assert_eq!(others.len(), 1);
}
