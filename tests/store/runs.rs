use larum::{
    incident::Draft,
    store::{
        Store, StoreError,
        query::{IncidentFilter, RunFilter},
        run::{Fallback, Finish, Record, RunStatus, Timer},
    },
};
use uuid::Uuid;

use crate::kit::*;

#[tokio::test]
async fn a_run_is_loaded_with_all_that_decides_it() {
    let kit = Kit::new().await;
    let run = kit.run(fresh()).await;
    kit.store.record(Record::events(run, 0, vec![b"one".to_vec(), b"two".to_vec()])).await.unwrap();
    let large = vec![b'x'; 100_000];
    let recorded = kit.store.record(Record::events(run, 2, vec![large.clone()])).await.unwrap();
    assert_eq!(recorded.events, std::slice::from_ref(&large));
    let incident = kit.file(run, 3, "stranger").await;
    let kit = kit.reopened();
    let loaded = kit.store.load_run(run).await.unwrap().unwrap();
    assert_eq!((loaded.playbook.as_str(), loaded.version.as_str()), ("file", "hash-of-file"));
    assert_eq!((loaded.seed, loaded.status, loaded.started), ([7; 32], RunStatus::Running, at(1)));
    assert_eq!(loaded.journal, [b"one".to_vec(), b"two".to_vec(), large, b"created 1".to_vec()]);
    assert_eq!(kit.store.incident(1).await.unwrap(), Some(incident));
    assert_eq!(kit.store.incident_of_run(run).await.unwrap(), Some(1));
    assert!(kit.store.load_run(Uuid::now_v7()).await.unwrap().is_none());
}

#[tokio::test]
async fn two_drivers_cannot_both_write_one_journal() {
    let kit = Kit::new().await;
    let run = kit.run(fresh()).await;
    kit.store.record(Record::events(run, 0, vec![b"mine".to_vec()])).await.unwrap();
    let record = Record { local: Some(create(run, "theirs")), ..Record::events(run, 0, vec![]) };
    let refused = kit.store.record(record).await;
    assert!(matches!(refused, Err(StoreError::Conflict { seq: 0, .. })), "{refused:?}");
    assert_eq!(kit.store.incident(1).await.unwrap().map(|incident| incident.title), None);
    let gap = kit.store.record(Record::events(run, 5, vec![b"later".to_vec()])).await;
    assert!(matches!(gap, Err(StoreError::Failed(_))), "{gap:?}");
    let nobody = kit.store.record(Record::events(Uuid::now_v7(), 0, vec![])).await;
    assert!(matches!(nobody, Err(StoreError::NotFound(_))), "{nobody:?}");
}

#[tokio::test]
async fn neighbours_of_a_failing_operation_are_committed_with_numbers_without_gap() {
    let kit = Kit::new().await;
    let runs = futures::future::join_all((0..40).map(|_| kit.run(fresh()))).await;
    // All at once, so that they share commits; every other one is refused after it took a number or panics.
    let tries = runs.iter().enumerate().map(|(at, run)| {
        let (run, store) = (*run, kit.store.clone());
        async move {
            let mut record = Record { local: Some(create(run, "x")), ..Record::events(run, 0, vec![]) };
            match at % 4 {
                1 => record.first = 3,
                3 => {
                    let Some(larum::store::run::LocalEffect::CreateIncident { event, .. }) = &mut record.local else {
                        unreachable!()
                    };
                    *event = Box::new(|_| panic!("a bug in the engine"));
                }
                _ => {}
            }
            store.record(record).await.map(|recorded| recorded.incident.unwrap().number)
        }
    });
    let results = futures::future::join_all(tries).await;
    let mut numbers: Vec<u64> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    let failed = results.iter().filter(|result| matches!(result, Err(StoreError::Failed(_)))).count();
    assert_eq!(failed, 20);
    let stored = kit.store.incidents(IncidentFilter::default()).await.unwrap();
    assert_eq!(stored.iter().map(|incident| incident.number).collect::<Vec<_>>(), (1..=20).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_that_ended_stays_ended() {
    let kit = Kit::new().await;
    let run = kit.run(fresh()).await;
    kit.store.record(Record::events(run, 0, vec![b"event".to_vec()])).await.unwrap();
    let error = serde_json::json!({"code": "Boom", "message": "it went wrong"});
    let failed = Finish {
        error: Some(error.clone()),
        actions: r#"[{"id":"create"}]"#.into(),
        ..ends(run, RunStatus::Failed, 3)
    };
    kit.store.finish(failed).await.unwrap();
    let again = Finish { fallback: Some(fallback(run)), ..ends(run, RunStatus::Succeeded, 9) };
    assert_eq!(kit.store.finish(again).await.unwrap(), None);
    let stored = kit.store.load_run(run).await.unwrap().unwrap();
    assert_eq!((stored.status, stored.ended, stored.error), (RunStatus::Failed, Some(at(3)), Some(error)));
    assert_eq!(stored.actions, Some(serde_json::json!([{"id": "create"}])));
    assert_eq!(stored.journal, [b"event".to_vec()], "the journal stays until the run is pruned");
    let late = kit.store.record(Record::events(run, 1, vec![b"late".to_vec()])).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let unknown = kit.store.finish(ends(Uuid::now_v7(), RunStatus::Failed, 3)).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))), "{unknown:?}");
}

fn fallback(run: Uuid) -> Fallback {
    Fallback {
        draft: Draft::new("Unprocessed report: x"),
        provenance: provenance(run),
        id: Uuid::now_v7(),
        causes: vec![],
    }
}

#[tokio::test]
async fn a_report_that_came_to_nothing_makes_an_incident_and_one_that_made_one_does_not() {
    let kit = Kit::new().await;
    let (silent, spoke) = (kit.run(fresh()).await, kit.run(fresh()).await);
    kit.file(spoke, 0, "made by the run").await;
    let ended = |run| Finish { fallback: Some(fallback(run)), ..ends(run, RunStatus::Failed, 3) };
    let made = kit.store.finish(ended(silent)).await.unwrap().unwrap();
    assert_eq!((made.number, made.provenance.run, made.created), (2, Some(silent), at(3)));
    assert_eq!(kit.store.finish(ended(spoke)).await.unwrap(), None);
    let titles: Vec<String> =
        kit.store.incidents(IncidentFilter::default()).await.unwrap().into_iter().map(|made| made.title).collect();
    assert_eq!(titles, ["Unprocessed report: x", "made by the run"]);
}

#[tokio::test]
async fn timers_are_due_soonest_first_and_end_with_their_run() {
    let kit = Kit::new().await;
    let (one, two) = (kit.run(fresh()).await, kit.run(fresh()).await);
    let timer = |run, timer, minutes| Timer { run, timer, until: at(minutes) };
    let sleep = vec![timer(one, 0, 30), timer(one, 1, 10)];
    kit.store
        .record(Record { sleep, waiting_until: Some(at(10)), ..Record::events(one, 0, vec![b"e".to_vec()]) })
        .await
        .unwrap();
    let sleep = vec![timer(two, 0, 20)];
    kit.store.record(Record { sleep, ..Record::events(two, 0, vec![]) }).await.unwrap();
    let kit = kit.reopened();
    assert_eq!(kit.store.next_timer().await.unwrap(), Some(at(10)));
    assert_eq!(kit.store.due_timers(at(9), 10).await.unwrap(), []);
    assert_eq!(kit.store.due_timers(at(25), 10).await.unwrap(), [timer(one, 1, 10), timer(two, 0, 20)]);
    let open = kit.store.open_runs(None, 10).await.unwrap();
    assert_eq!(
        open.iter().map(|open| (open.run, open.waiting_until)).collect::<Vec<_>>(),
        [(one, Some(at(10))), (two, None)]
    );
    kit.store.record(Record { unsleep: vec![1], ..Record::events(one, 1, vec![b"woke".to_vec()]) }).await.unwrap();
    kit.store.finish(ends(two, RunStatus::TimedOut, 26)).await.unwrap();
    assert_eq!(kit.store.due_timers(at(99), 10).await.unwrap(), [timer(one, 0, 30)]);
    assert_eq!(kit.store.open_runs(None, 10).await.unwrap()[0].waiting_until, None);
}

#[tokio::test]
async fn a_timer_is_never_due_early() {
    let kit = Kit::new().await;
    let run = kit.run(fresh()).await;
    let until = at(1) + chrono::Duration::nanoseconds(1_500);
    let sleep = vec![Timer { run, timer: 0, until }];
    kit.store.record(Record { sleep, ..Record::events(run, 0, vec![]) }).await.unwrap();
    let next = kit.store.next_timer().await.unwrap().unwrap();
    assert!(next >= until && next - until < chrono::Duration::microseconds(1), "{next} against {until}");
}

#[tokio::test]
async fn open_runs_are_listed_oldest_first_in_pages_without_ended_and_suspended_ones() {
    let kit = Kit::new().await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(kit.run(fresh()).await);
    }
    kit.store.finish(ends(runs[1], RunStatus::Succeeded, 3)).await.unwrap();
    kit.store.finish(ends(runs[3], RunStatus::Suspended, 3)).await.unwrap();
    let page =
        async |after| kit.store.open_runs(after, 2).await.unwrap().into_iter().map(|open| open.run).collect::<Vec<_>>();
    assert_eq!(page(None).await, [runs[0], runs[2]]);
    assert_eq!(page(Some(runs[2])).await, [runs[4]]);
    let list =
        async |filter| kit.store.runs(filter).await.unwrap().into_iter().map(|listed| listed.run).collect::<Vec<_>>();
    let status = |status| RunFilter { status: Some(status), ..RunFilter::default() };
    assert_eq!(list(status(RunStatus::Suspended)).await, [runs[3]]);
    assert_eq!(list(status(RunStatus::Succeeded)).await, [runs[1]]);
    let older = RunFilter { before: Some(runs[3]), limit: 2, ..RunFilter::default() };
    assert_eq!(list(older).await, [runs[2], runs[1]]);
    let of = |name: &str| RunFilter { playbook: Some(name.to_owned()), ..RunFilter::default() };
    assert_eq!(list(of("FILE")).await.len(), 5);
    assert!(list(of("acknowledge")).await.is_empty());
    // A person cancels the suspended one.
    kit.store.finish(ends(runs[3], RunStatus::Cancelled, 4)).await.unwrap();
    assert_eq!(list(status(RunStatus::Cancelled)).await, [runs[3]]);
}

#[tokio::test]
async fn the_last_good_version_of_every_playbook_survives() {
    let kit = Kit::new().await;
    let mut newer = version("file");
    newer.id = "newer".to_owned();
    kit.store.keep_version(newer.clone(), at(1)).await.unwrap();
    kit.store.withdraw_playbook("acknowledge", at(2)).await.unwrap();
    let kit = kit.reopened();
    assert_eq!(kit.store.current_versions().await.unwrap(), [newer]);
    assert_eq!(kit.store.version("hash-of-file").await.unwrap(), Some(version("file")), "running runs keep theirs");
    kit.store.keep_version(version("acknowledge"), at(3)).await.unwrap();
    assert_eq!(kit.store.current_versions().await.unwrap().len(), 2);
    assert!(matches!(kit.store.withdraw_playbook("never", at(3)).await, Err(StoreError::NotFound(_))));
}
