//! Writes to the workspace: incidents.

use larum::{
    incident::{Actor, Change, Draft, IncidentRef, Patch, Precondition, Severity, Written},
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
    let delete = |called: &str| Change::DeleteIncident {
        incident: IncidentRef::Name(name(called)),
        precondition: Precondition::default(),
    };
    assert_eq!(kit.write(delete("a")).await, Ok(Written::Gone { existed: true }));
    assert_eq!(kit.write(delete("a")).await, Ok(Written::Gone { existed: false }));
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
