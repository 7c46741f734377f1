//! Writes to the workspace: incidents.

use larum::{
    incident::{
        Actor, Change, Classification, ClassificationReason, Draft, IncidentRef, Owner, Patch, Precondition, Rejected,
        Severity, Status, Write, Written,
    },
    store::{Store, incidents::IncidentStore},
};
use uuid::Uuid;

use crate::kit::*;

#[tokio::test]
async fn an_incident_put_is_read_back_by_name_and_number_and_after_a_restart() {
    let kit = Kit::new().await;
    for (called, number) in [("73E01A99-5CD7-4139-A149-9F2736FF2AB5", 1), ("Case-7", 2)] {
        let written = kit.write(put(called, Draft::new(" door "))).await.unwrap();
        let Written::Incident { incident, created: true } = written else { panic!("{written:?}") };
        assert_eq!((incident.number, incident.title.as_str(), &incident.created_by), (number, "door", &alice()));
    }
    let kit = kit.reopened();
    for (called, number) in [("73e01a99-5cd7-4139-a149-9f2736ff2ab5", 1), ("cAsE-7", 2)] {
        let found = kit.store.find_incident(&IncidentRef::Name(name(called))).await.unwrap().unwrap();
        assert_eq!(found, kit.find(number).await);
        assert_eq!((found.number, found.created_by), (number, alice()));
    }
    assert_eq!(kit.store.find_incident(&IncidentRef::Name(name("other"))).await.unwrap(), None);
}

#[tokio::test]
async fn a_put_replaces_everything_a_client_may_write_and_a_patch_what_is_given() {
    let kit = Kit::new().await;
    let first = incident(kit.write(put("a", Draft { tags: vec!["x".into()], ..Draft::new("door") })).await);
    let change = Patch { severity: Some(Severity::High), add_tags: vec!["y".into()], ..Patch::default() };
    let patched = incident(kit.write(patch(1, change.clone())).await);
    assert_eq!((patched.severity, &patched.tags), (Severity::High, &vec!["x".into(), "y".into()]));
    assert_ne!(patched.etag, first.etag);
    let again = incident(kit.write(patch(1, change)).await);
    assert_eq!(again, patched, "what changes nothing is no update");
    let replaced = incident(kit.write(put("A", Draft::new("gate"))).await);
    assert_eq!((replaced.number, replaced.severity, replaced.tags.len()), (1, Severity::Medium, 0));
    assert_eq!(kit.find(1).await, replaced);
}

#[tokio::test]
async fn a_deleted_incidents_number_is_not_given_again() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    assert_eq!(kit.write(delete(1)).await, Ok(Written::Gone { existed: true }));
    assert_eq!(kit.write(delete(1)).await, Ok(Written::Gone { existed: false }));
    let kit = kit.reopened();
    assert_eq!(kit.put("a", "door").await.number, 2);
}

#[tokio::test]
async fn an_incident_that_a_run_makes_gives_way_when_its_name_is_taken() {
    let kit = Kit::new().await;
    let run = kit.run(fresh()).await;
    let taken = Uuid::from_u128(7);
    kit.put(&taken.to_string(), "by hand").await;
    let mut record = larum::store::run::Record::events(run, 0, vec![]);
    let mut local = create(run, "by the run");
    if let larum::store::run::LocalEffect::CreateIncident { id, .. } = &mut local {
        *id = taken;
    }
    record.local = Some(local);
    let made = kit.store.record(record).await.unwrap().incident.unwrap();
    assert_eq!((made.number, made.created_by), (2, Actor::Playbook { playbook: "file".into(), run }));
    assert_eq!(kit.find(1).await.title, "by hand");
}

#[tokio::test]
async fn what_sentinels_rules_refuse_changes_nothing() {
    let kit = Kit::new().await;
    let before = kit.put("a", "door").await;
    let closed = |classification, reason| Patch {
        status: Some(Status::Closed),
        classification,
        classification_reason: reason,
        ..Patch::default()
    };
    let rows = [
        (Patch { title: Some(" ".into()), ..Patch::default() }, "the title is required and must not be empty"),
        (closed(None, None), "status 'Closed' needs a classification"),
        (
            closed(Some(Classification::BenignPositive), None),
            "classification 'BenignPositive' must have classificationReason.",
        ),
    ];
    for (change, message) in rows {
        assert_eq!(kit.write(patch(1, change)).await, Err(Rejected::Invalid(message.into())));
    }
    assert_eq!(kit.find(1).await, before);
    let reason = Some(ClassificationReason::SuspiciousActivity);
    let done = incident(kit.write(patch(1, closed(Some(Classification::TruePositive), reason))).await);
    assert_eq!((done.status, done.classification_reason), (Status::Closed, reason));
    // A reason belongs to its classification: with another one the old reason does not stay.
    let other = Patch { classification: Some(Classification::FalsePositive), ..Patch::default() };
    let message = "classification 'FalsePositive' must have classificationReason.";
    assert_eq!(kit.write(patch(1, other)).await, Err(Rejected::Invalid(message.into())));
    let nobody = kit.write(patch(9, Patch::default())).await.unwrap_err();
    assert_eq!((nobody.status(), nobody.to_string().as_str()), (404, "Resource '9' does not exist."));
}

#[tokio::test]
async fn tags_are_added_as_written_and_removed_ignoring_case() {
    let kit = Kit::new().await;
    kit.write(put("a", Draft { tags: vec!["Snow".into(), "x".into()], ..Draft::new("door") })).await.unwrap();
    let change = Patch {
        add_tags: vec!["snow".into(), " y ".into(), String::new(), "x".into()],
        remove_tags: vec!["X".into(), "never".into()],
        ..Patch::default()
    };
    assert_eq!(incident(kit.write(patch(1, change)).await).tags, ["Snow", "snow", "y", "x"]);
}

#[tokio::test]
async fn a_long_description_is_cut_and_never_refused() {
    let kit = Kit::new().await;
    let change = Patch { description: Some("é".repeat(6_000)), ..Patch::default() };
    kit.put("a", "door").await;
    let written = incident(kit.write(patch(1, change)).await);
    assert_eq!(written.description.chars().count(), 5_000);
    assert!(written.description.ends_with("is attached]"), "{}", &written.description[4_900..]);
}

#[tokio::test]
async fn a_writer_that_saw_another_state_is_told_so() {
    let kit = Kit::new().await;
    let first = kit.put("a", "door").await;
    let second = kit.put("a", "gate").await;
    let given = |etag: Option<String>, if_match: Option<&str>| Precondition {
        etag,
        if_match: if_match.map(Into::into),
        ..Precondition::default()
    };
    let (old, new) = (first.etag.to_string(), second.etag.to_string());
    let stale = "Newer version of resource 'a' exists. Data was not saved";
    let failed = "The condition set in the request's If-Match header is not met by resource 'a'.";
    let missing = "The condition set in the request's If-Match header is not met by resource 'b'.";
    let rows = [
        ("a", given(Some(old.clone()), None), Err((409, stale))),
        ("a", given(Some(old.clone()), Some("*")), Err((409, stale))),
        ("a", given(Some(new.clone()), Some(&old)), Err((412, failed))),
        ("a", given(Some(format!("\"{new}\"")), Some(&new)), Ok(false)),
        ("b", given(None, Some("*")), Err((412, missing))),
        ("b", given(Some(old), None), Ok(true)),
    ];
    for (called, precondition, expected) in rows {
        let change = Change::PutIncident { name: name(called), incident: Box::new(Draft::new("wall")), precondition };
        let written = kit.write(change.clone()).await;
        let told = match &written {
            Ok(Written::Incident { created, .. }) => Ok(*created),
            Ok(other) => panic!("{other:?}"),
            Err(rejected) => Err((rejected.status(), rejected.to_string())),
        };
        assert_eq!(told, expected.map_err(|(status, message)| (status, message.to_owned())), "{change:?}");
    }
    let delete = |precondition| Change::DeleteIncident { incident: IncidentRef::Number(1), precondition };
    assert_eq!(kit.write(delete(given(Some(new), None))).await.unwrap_err().status(), 409);
    assert_eq!(kit.write(delete(given(None, Some("*")))).await, Ok(Written::Gone { existed: true }));
    assert_eq!(kit.write(delete(given(None, Some("*")))).await.unwrap_err().status(), 412);
}

#[tokio::test]
async fn parallel_writers_with_the_etag_they_saw_lose_no_write() {
    let kit = Kit::new().await;
    kit.put("a", "0").await;
    let writers = (0..8).map(|_| async {
        let mut refused = 0;
        for _ in 0..5 {
            loop {
                let seen = kit.find(1).await;
                let title = (seen.title.parse::<u32>().unwrap() + 1).to_string();
                let precondition = Precondition { etag: Some(seen.etag.to_string()), ..Precondition::default() };
                let incident = Box::new(Draft::new(title));
                match kit.write(Change::PutIncident { name: name("a"), incident, precondition }).await {
                    Ok(_) => break,
                    Err(rejected) => assert_eq!(rejected.status(), 409),
                }
                refused += 1;
            }
        }
        refused
    });
    let refused: u32 = futures::future::join_all(writers).await.into_iter().sum();
    assert_eq!(kit.find(1).await.title, "40", "each write that landed built on the one before; {refused} did not land");
}

#[tokio::test]
async fn the_log_says_who_changed_which_field_from_what_to_what_and_outlives_the_incident() {
    let kit = Kit::new().await;
    kit.put("a", "door").await;
    let owner = Owner::parse("bob@contoso.com");
    let change = Patch { severity: Some(Severity::High), owner: Some(owner), ..Patch::default() };
    kit.write(patch(1, change.clone())).await.unwrap();
    kit.write(patch(1, change)).await.unwrap();
    let closes =
        Patch { status: Some(Status::Closed), classification: Some(Classification::Undetermined), ..Patch::default() };
    kit.store.write(Write { by: bob(), at: at(3), ..write(patch(1, closes)) }).await.unwrap().unwrap();
    let note = Change::NoteNotStarted {
        incident: IncidentRef::Number(1),
        name: "notify".into(),
        because: "it led to this change itself".into(),
    };
    kit.write(note).await.unwrap();
    kit.store.write(Write { at: at(4), ..write(delete(1)) }).await.unwrap().unwrap();
    let kit = kit.reopened();
    insta::assert_json_snapshot!(kit.log(1).await, {"[].what.resource.etag" => "[etag]", "[].resource.etag" => "[etag]"});
    assert_eq!(kit.log(2).await, [], "there never was a second one");
    let first = kit.store.activity(1, None, 2).await.unwrap();
    let rest = kit.store.activity(1, first.last().map(|entry| entry.id), 100).await.unwrap();
    assert_eq!([first, rest].concat(), kit.log(1).await, "it is read in pages");
}
