//! Merging incidents.

use larum::{
    incident::{
        ActivityKind, Change, Classification, Draft, FieldChange, IncidentRef, Precondition, Rejected, RelatedKind,
        Status, TaskStatus, Written,
    },
    store::incidents::IncidentStore,
};
use serde_json::json;

use crate::kit::*;

fn merge(into: u64, from: &[u64]) -> Change {
    Change::Merge {
        into: number(into),
        from: from.iter().copied().map(IncidentRef::Number).collect(),
        precondition: Precondition::default(),
    }
}

#[tokio::test]
async fn everything_goes_into_one_incident_and_the_others_are_closed() {
    let kit = Kit::new().await;
    for (called, tag) in [("a", "x"), ("b", "y"), ("c", "x")] {
        kit.write(put(called, Draft { tags: vec![tag.into()], ..Draft::new("door") })).await.unwrap();
    }
    kit.write(put_bookmark("mark")).await.unwrap();
    // The same names and the same alert on both sides.
    for number in [1, 2] {
        kit.write(comment(number, "c", &format!("of {number}"))).await.unwrap();
        kit.write(task(number, "t", &format!("of {number}"), TaskStatus::New)).await.unwrap();
        kit.relate(number, "alert").await.unwrap();
    }
    kit.write(relate(2, "mark", RelatedKind::Bookmark, "mark")).await.unwrap();
    let merged = incident(kit.write(merge(1, &[2, 3, 2])).await);
    assert_eq!(merged.tags, ["x", "y"]);
    assert_eq!((merged.summary.comments, merged.summary.alerts, merged.summary.bookmarks), (2, 1, 1));
    assert_eq!(kit.find(1).await, merged);
    let tasks = kit.store.tasks(&number(1)).await.unwrap().unwrap();
    assert_eq!(tasks.iter().map(|task| task.title.as_str()).collect::<Vec<_>>(), ["of 1", "of 2"]);
    assert_eq!(kit.store.bookmarks_of(&number(1)).await.unwrap().map(|marks| marks.len()), Some(1));
    for source in [2, 3] {
        let source = kit.find(source).await;
        assert_eq!((source.status, source.merged_into, source.summary.comments), (Status::Closed, Some(1), 0));
        assert_eq!(source.classification, Some(Classification::Undetermined));
        assert_eq!(source.classification_comment.as_deref(), Some("Merged into incident 1."));
        assert_eq!(kit.store.alerts_of(&number(source.number)).await.unwrap().map(|alerts| alerts.len()), Some(0));
    }
    let labels = FieldChange { field: "labels".into(), from: json!(["x"]), to: json!(["x", "y"]) };
    let target = kit.happened(1).await;
    assert_eq!(
        target[target.len() - 2..],
        [ActivityKind::Updated { changes: vec![labels] }, ActivityKind::Merged { from: vec![2, 3] }]
    );
    assert!(kit.happened(3).await.contains(&ActivityKind::MergedInto { incident: 1 }));
}

#[tokio::test]
async fn what_cannot_be_merged_changes_nothing() {
    let kit = Kit::new().await;
    for called in ["a", "b", "c", "d"] {
        kit.put(called, "door").await;
    }
    kit.write(merge(1, &[2])).await.unwrap();
    for n in 0..60 {
        for number in [3, 4] {
            kit.write(comment(number, &format!("c{n}"), "x")).await.unwrap();
        }
    }
    let rows = [
        (merge(1, &[3, 1]), 400, "An incident cannot be merged into itself."),
        (merge(1, &[]), 400, "No incident is given to be merged."),
        (merge(3, &[2]), 409, "Incident 2 was merged into incident 1 before."),
        (merge(2, &[3]), 409, "Incident 2 was merged into incident 1 before."),
        (merge(1, &[9]), 404, "Resource '9' does not exist."),
        (merge(3, &[4]), 400, "Merged, the incidents would have 120 comments; an incident can have 100."),
    ];
    let before = [kit.find(1).await, kit.find(2).await, kit.find(3).await, kit.find(4).await];
    for (change, status, message) in rows {
        let refused: Result<Written, Rejected> = kit.write(change).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.status(), refused.to_string().as_str()), (status, message));
    }
    assert_eq!([kit.find(1).await, kit.find(2).await, kit.find(3).await, kit.find(4).await], before);
}
