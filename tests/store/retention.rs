//! What goes when it is old, and what stays whatever its age.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use larum::store::{
    Store,
    intake::{Decision, Delivery, NewRun, Verdict},
    query::RunFilter,
    run::{Record, RunStatus},
};

use crate::kit::*;

fn large(byte: u8) -> Vec<u8> {
    vec![byte; 100_000]
}

/// The files under `blobs/`.
fn files(data: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![data.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { assert!(found.insert(path)) }
        }
    }
    found
}

#[tokio::test]
async fn a_raw_message_is_kept_once_and_comes_back_as_it_was() {
    let kit = Kit::new().await;
    for raw in [b"From: a@x\r\n\r\nsmall".to_vec(), large(1)] {
        let mut events = Vec::new();
        for _ in 0..2 {
            let mut report = fresh();
            report.raw = Some(raw.clone());
            events.push(report.event);
            kit.accept(vec![report]).await;
        }
        for event in events {
            let message = kit.store.message(event).await.unwrap().unwrap();
            assert_eq!((message.raw.len(), &message.raw), (raw.len(), &raw));
            assert_eq!(message.sha256.len(), 64);
        }
    }
    let names: Vec<String> =
        files(kit.data.path()).iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 1, "only the large one is a file: {names:?}");
    let blob = kit.data.path().join("blobs").join(&names[0][..2]).join(&names[0]);
    assert_eq!(std::fs::read(blob).unwrap(), large(1));
    let plain = fresh();
    let event = plain.event;
    kit.accept(vec![plain]).await;
    assert_eq!(kit.store.message(event).await.unwrap(), None);
}

#[tokio::test]
async fn large_outputs_come_back_whole() {
    let kit = Kit::new().await;
    let mut report = fresh();
    let text = "x".repeat(200_000);
    report.outputs = serde_json::json!({"body": {"text": text}}).to_string().into();
    let (event, outputs) = (report.event, report.outputs.clone());
    let run = kit.run(report).await;
    let kit = kit.reopened();
    assert_eq!(kit.store.load_run(run).await.unwrap().unwrap().outputs, outputs);
    assert_eq!(kit.store.event(event).await.unwrap().unwrap().outputs["body"]["text"], text);
    assert_eq!(files(kit.data.path()).len(), 1);
}

#[tokio::test]
async fn old_runs_go_with_their_journals_events_and_files_but_not_what_an_incident_names() {
    let kit = Kit::new().await;
    let with = |byte| {
        let mut report = fresh();
        report.raw = Some(large(byte));
        report
    };
    let (plain, named, shared, young, open) = (with(1), with(2), with(3), with(3), with(4));
    let events = [plain.event, named.event, shared.event, young.event, open.event];
    let mut runs = Vec::new();
    for report in [plain, named, shared, young, open] {
        runs.push(kit.run(report).await);
    }
    kit.store.record(Record::events(runs[0], 0, vec![large(5), b"small".to_vec()])).await.unwrap();
    kit.file(runs[1], 0, "names its report").await;
    for (run, minutes) in [(0, 10), (1, 10), (2, 10), (3, 90)] {
        kit.store.finish(ends(runs[run], RunStatus::Succeeded, minutes)).await.unwrap();
    }
    assert_eq!(files(kit.data.path()).len(), 5);

    assert_eq!(kit.store.prune(at(60)).await.unwrap(), 3);

    let left: BTreeSet<_> =
        kit.store.runs(RunFilter::default()).await.unwrap().into_iter().map(|left| left.run).collect();
    assert_eq!(left, BTreeSet::from([runs[3], runs[4]]));
    let mut kept = Vec::new();
    for event in events {
        kept.push(kit.store.event(event).await.unwrap().is_some());
    }
    assert_eq!(kept, [false, true, false, true, true]);
    assert_eq!(kit.store.incident(1).await.unwrap().unwrap().title, "names its report");
    assert_eq!(kit.store.message(events[1]).await.unwrap().unwrap().raw, large(2));
    assert_eq!(kit.store.message(events[3]).await.unwrap().unwrap().raw, large(3), "two events had this one");
    assert_eq!(files(kit.data.path()).len(), 3);
    assert_eq!(kit.store.prune(at(60)).await.unwrap(), 0);
    // What is left of the history is as young as what it tells of; the oldest lines went.
    assert_eq!(kit.store.history(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn more_runs_than_one_portion_go_in_one_call() {
    let kit = Kit::new().await;
    let runs = kit.accept((0..450).map(|_| fresh()).collect()).await;
    for run in runs.iter().flat_map(started).skip(1) {
        kit.store.finish(ends(run, RunStatus::Failed, 10)).await.unwrap();
    }
    assert_eq!(kit.store.prune(at(60)).await.unwrap(), 449);
    assert_eq!(kit.store.open_runs(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn files_of_an_intake_that_was_never_committed_go_with_the_next_prune() {
    let kit = Kit::new().await;
    let mut unknown = report(larum::store::intake::Uniqueness::Always, vec![starts("never-loaded")]);
    unknown.raw = Some(large(1));
    kit.store.accept(intake("soc", vec![unknown])).await.unwrap_err();
    std::fs::create_dir_all(kit.data.path().join("blobs/tmp")).unwrap();
    std::fs::write(kit.data.path().join("blobs/tmp/half-written"), "x").unwrap();
    assert_eq!(files(kit.data.path()).len(), 2);
    let kit = kit.reopened();
    kit.store.prune(at(60)).await.unwrap();
    assert_eq!(files(kit.data.path()), BTreeSet::new());
}

#[tokio::test]
async fn the_elements_of_a_split_report_go_with_their_runs_and_the_report_with_the_last() {
    let kit = Kit::new().await;
    let element = |byte: char| format!(r#"{{"body":"{}"}}"#, byte.to_string().repeat(100_000));
    let mut report = keyed("k");
    let event = report.event;
    let Decision::Start(opening) = &mut report.playbooks[0].decision else { unreachable!() };
    opening.runs = ('a'..='c')
        .map(|byte| NewRun { run: uuid::Uuid::now_v7(), seed: [7; 32], delivery: Delivery::Part(element(byte).into()) })
        .collect();
    let runs = started(&kit.accept(vec![report]).await[0]);
    assert_eq!(files(kit.data.path()).len(), 3);
    let delivered = kit.store.load_run(runs[1]).await.unwrap().unwrap();
    assert_eq!((delivered.event, &*delivered.outputs), (event, element('b').as_str()));
    // The second comes to an incident; its element stays with it.
    kit.file(runs[1], 0, "stranger").await;
    for (run, minutes) in [(runs[0], 10), (runs[1], 20), (runs[2], 30)] {
        kit.store.finish(ends(run, RunStatus::Succeeded, minutes)).await.unwrap();
    }
    assert_eq!(kit.store.prune(at(15)).await.unwrap(), 1);
    assert!(kit.store.event(event).await.unwrap().is_some());
    assert!(kit.store.load_run(runs[2]).await.unwrap().is_some());
    assert_eq!(kit.store.prune(at(60)).await.unwrap(), 2);
    assert!(kit.store.event(event).await.unwrap().is_some(), "an incident names it");
    let left = files(kit.data.path());
    assert_eq!(left.len(), 1, "the element of the incident: {left:?}");
    assert!(matches!(kit.accept(vec![keyed("k")]).await[..], [Verdict::Duplicate { .. }]));
}

#[tokio::test]
async fn a_deleted_incident_takes_its_report_along_once_its_run_is_gone() {
    let kit = Kit::new().await;
    let mut events = Vec::new();
    for raw in [large(1), large(2)] {
        let report = larum::store::intake::Report { raw: Some(raw), ..fresh() };
        let (event, run) = (report.event, kit.run(report).await);
        let mut local = create(run, "stranger");
        if let larum::store::run::LocalEffect::CreateIncident { provenance, .. } = &mut local {
            provenance.event = Some(event);
        }
        kit.store.record(Record { local: Some(local), ..Record::events(run, 0, vec![]) }).await.unwrap();
        kit.store.finish(ends(run, RunStatus::Succeeded, 3)).await.unwrap();
        events.push(event);
    }
    // One is deleted while its run is there, the other one afterwards.
    kit.write(delete(1)).await.unwrap();
    assert!(kit.store.event(events[0]).await.unwrap().is_some(), "its run still tells of it");
    assert_eq!(kit.store.prune(at(100)).await.unwrap(), 2);
    assert!(kit.store.event(events[0]).await.unwrap().is_none());
    assert!(kit.store.event(events[1]).await.unwrap().is_some());
    kit.write(delete(2)).await.unwrap();
    assert!(kit.store.event(events[1]).await.unwrap().is_none());
    kit.store.prune(at(100)).await.unwrap();
    assert_eq!(files(kit.data.path()), BTreeSet::new());
    assert_eq!(kit.log(2).await.len(), 2, "the log stays");
}
