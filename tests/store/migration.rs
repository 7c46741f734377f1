//! A data folder that an older Larum wrote.

use larum::{
    incident::{Actor, IncidentRef},
    store::incidents::IncidentStore,
};
use rusqlite::Connection;
use uuid::Uuid;

use crate::kit::*;

/// The folder as it was before the workspace could be written to: one incident of a run.
fn older() -> tempfile::TempDir {
    let data = tempfile::TempDir::new().unwrap();
    let connection = Connection::open(data.path().join("larum.db")).unwrap();
    connection.execute_batch(include_str!("../data/store/schema-3.sql")).unwrap();
    data
}

#[tokio::test]
async fn incidents_of_an_older_folder_keep_their_names_and_gain_what_is_new() {
    let data = older();
    let store = open(data.path());
    let id = Uuid::parse_str("4f3c2b1a-0000-4000-8000-00000000000a").unwrap();
    let found = store.find_incident(&IncidentRef::Name(id.into())).await.unwrap().unwrap();
    assert_eq!((found.number, found.title.as_str(), found.tags.join(" ")), (7, "stranger", "email Tür".to_owned()));
    assert_eq!(found.summary, Default::default());
    insta::assert_json_snapshot!(store.activity(7, None, 10).await.unwrap());
    let change = larum::incident::Patch { remove_tags: vec!["EMAIL".into()], ..Default::default() };
    let changed = incident(store.write(write(patch(7, change))).await.unwrap());
    assert_eq!(changed.tags, ["Tür"]);
    let made = incident(store.write(write(put("next", larum::incident::Draft::new("x")))).await.unwrap());
    assert_eq!(made.number, 8);
}

/// Who made an incident was not written down then.
#[tokio::test]
async fn an_incident_of_an_older_folder_for_a_report_that_came_to_nothing_was_made_by_larum() {
    let data = older();
    let connection = Connection::open(data.path().join("larum.db")).unwrap();
    let fallback = "INSERT INTO incident (number, id, etag, created, modified, severity, status, run, event, playbook, \
                    version, title, tags, description) SELECT 8, x'4f3c2b1a00004000800000000000000b', etag, created, modified, severity, status, run, \
                    event, playbook, version, 'Unprocessed report: ' || title, '[\"larum-unprocessed\"]', '' FROM incident";
    connection.execute_batch(fallback).unwrap();
    drop(connection);
    let store = open(data.path());
    let by = async |number| store.find_incident(&IncidentRef::Number(number)).await.unwrap().unwrap().created_by;
    assert!(matches!(by(7).await, Actor::Playbook { .. }));
    assert_eq!(by(8).await, Actor::Larum);
}
