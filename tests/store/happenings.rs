//! Events of the workspace, and how they are settled.

use std::time::Duration;

use larum::{
    incident::{
        ActivityKind, Cause, Change, Draft, Patch, Precondition, Rejected, RelatedKind, Severity, TaskStatus, Write,
    },
    store::{
        Store,
        incidents::{IncidentStore, Settlement, Subject, WorkspaceEvent},
        intake::Verdict,
        run::{Fallback, Finish, LocalEffect, Record, RunStatus},
    },
};
use uuid::Uuid;

use crate::kit::*;

impl Kit {
    async fn events(&self) -> Vec<WorkspaceEvent> {
        self.store.workspace_events(1_000).await.unwrap()
    }

    /// The incident, title and what happened of each event.
    async fn told(&self) -> Vec<(u64, String, ActivityKind)> {
        let incidents = self.events().await.into_iter().filter_map(|event| match event.subject {
            Subject::Incident { incident, what } => Some((incident.number, incident.title, what)),
            Subject::Alert { .. } | Subject::Unreadable { .. } => None,
        });
        incidents.collect()
    }
}

fn severity(severity: Severity) -> Patch {
    Patch { severity: Some(severity), ..Patch::default() }
}

fn settlement(seq: i64, writes: Vec<Write>) -> Settlement {
    Settlement { seq, writes, intake: None }
}

#[tokio::test]
async fn events_are_kept_while_somebody_listens_with_the_incident_as_it_stood() {
    let kit = Kit::new().await;
    kit.put("unheard", "before").await;
    kit.store.listen(true);
    kit.put("a", "door").await;
    let causes = vec![Cause::Rule("r".into())];
    let renamed = Patch { title: Some("gate".into()), ..Patch::default() };
    let change = Write { by: bob(), causes: causes.clone(), ..write(patch(2, renamed.clone())) };
    kit.store.write(change).await.unwrap().unwrap();
    kit.write(patch(2, renamed)).await.unwrap();
    kit.write(comment(2, "c", "x")).await.unwrap();
    kit.write(comment(2, "c", "edited")).await.unwrap();
    kit.write(task(2, "t", "call", TaskStatus::New)).await.unwrap();
    kit.relate(2, "alert").await.unwrap();
    kit.relate(2, "alert").await.unwrap();
    kit.write(put_bookmark("mark")).await.unwrap();
    kit.write(relate(2, "mark", RelatedKind::Bookmark, "mark")).await.unwrap();
    kit.write(Change::NotePlaybook { incident: number(2), playbook: "p".into(), run: Uuid::nil() }).await.unwrap();
    kit.write(Change::Merge { into: number(2), from: vec![number(1)], precondition: Precondition::default() })
        .await
        .unwrap();
    kit.store.listen(false);
    kit.write(patch(2, severity(Severity::Low))).await.unwrap();
    let kit = kit.reopened();
    let events = kit.events().await;
    assert!(events.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert_eq!((&events[1].by, &events[1].causes), (&bob(), &causes));
    let told = kit.told().await;
    let words: Vec<_> = told
        .iter()
        .map(|(number, title, what)| {
            let what = serde_json::to_value(what).unwrap()["what"].as_str().unwrap().to_owned();
            format!("{number} {title} {what}")
        })
        .collect();
    assert_eq!(
        words,
        [
            "2 door created",
            "2 gate updated",
            "2 gate comment_added",
            "2 gate related",
            "2 gate related",
            "1 before updated",
            "2 gate merged",
        ]
    );
    let alerts: Vec<_> = events.iter().filter(|event| matches!(event.subject, Subject::Alert { .. })).collect();
    assert_eq!(alerts.len(), 1, "an alert comes in once");
}

#[tokio::test]
async fn incidents_that_runs_make_are_told_of_too_and_those_for_reports_that_came_to_nothing() {
    let kit = Kit::new().await;
    kit.store.listen(true);
    let (spoke, silent) = (kit.run(fresh()).await, kit.run(fresh()).await);
    let causes = vec![Cause::Playbook("file".into())];
    let mut local = create(spoke, "made");
    if let LocalEffect::CreateIncident { causes: of, .. } = &mut local {
        of.clone_from(&causes);
    }
    kit.store.record(Record { local: Some(local), ..Record::events(spoke, 0, vec![]) }).await.unwrap();
    let fallback = Fallback {
        draft: Draft::new("Unprocessed"),
        provenance: provenance(silent),
        id: Uuid::now_v7(),
        causes: causes.clone(),
    };
    kit.store.finish(Finish { fallback: Some(fallback), ..ends(silent, RunStatus::Failed, 3) }).await.unwrap();
    let changed = LocalEffect::Write {
        write: Box::new(Write { causes: causes.clone(), ..write(patch(1, severity(Severity::High))) }),
        event: Box::new(|told| format!("{}", told.is_ok()).into_bytes()),
    };
    let recorded = kit.store.record(Record { local: Some(changed), ..Record::events(spoke, 1, vec![]) }).await.unwrap();
    assert_eq!((recorded.events, recorded.incident), (vec![b"true".to_vec()], None));
    let refused = LocalEffect::Write {
        write: Box::new(write(patch(9, Patch::default()))),
        event: Box::new(|told| told.as_ref().unwrap_err().to_string().into_bytes()),
    };
    let recorded = kit.store.record(Record { local: Some(refused), ..Record::events(spoke, 2, vec![]) }).await.unwrap();
    assert_eq!(recorded.events, [b"Resource '9' does not exist.".to_vec()]);
    let titles: Vec<_> = kit.told().await.into_iter().map(|(_, title, _)| title).collect();
    assert_eq!(titles, ["made", "Unprocessed", "made"]);
    assert!(kit.events().await.iter().all(|event| event.causes == causes));
}

#[tokio::test]
async fn an_effect_whose_telling_panics_changes_nothing() {
    let kit = Kit::new().await;
    let run = kit.run(fresh()).await;
    let before = kit.put("a", "door").await;
    let bug = LocalEffect::Write {
        write: Box::new(write(patch(1, severity(Severity::High)))),
        event: Box::new(|_| panic!("a bug in an action")),
    };
    let record = Record { local: Some(bug), ..Record::events(run, 0, vec![]) };
    let (failed, neighbour) = tokio::join!(kit.store.record(record), kit.write(put("b", Draft::new("gate"))));
    assert!(failed.is_err() && neighbour.is_ok());
    assert_eq!(kit.find(1).await, before);
}

#[tokio::test]
async fn whoever_waits_for_an_event_wakes_and_sleeps_through_none() {
    let kit = Kit::new().await;
    kit.store.listen(true);
    let deadline = Duration::from_secs(10);
    for (round, called) in ["a", "b", "c"].into_iter().enumerate() {
        // Written before anybody waits, and while somebody does.
        if round % 2 == 0 {
            kit.put(called, "door").await;
            tokio::time::timeout(deadline, kit.store.next_workspace_event()).await.unwrap();
        } else {
            let (_, woken) =
                tokio::join!(kit.put(called, "door"), tokio::time::timeout(deadline, kit.store.next_workspace_event()));
            woken.unwrap();
        }
        assert_eq!(kit.events().await.len(), round + 1);
    }
}

#[tokio::test]
async fn an_event_is_settled_once_with_its_writes_and_runs() {
    let kit = Kit::new().await;
    kit.store.listen(true);
    kit.put("a", "door").await;
    let seq = kit.events().await[0].seq;
    let settle = |run: larum::store::intake::Report| Settlement {
        intake: Some(intake("workspace", vec![run])),
        ..settlement(
            seq,
            vec![
                write(patch(1, severity(Severity::High))),
                write(patch(7, severity(Severity::High))),
                write(comment(1, "c", "seen")),
            ],
        )
    };
    let settled = kit.store.settle(settle(fresh())).await.unwrap().unwrap();
    let done: Vec<_> =
        settled.written.iter().map(|written| written.as_ref().map(drop).map_err(Rejected::status)).collect();
    assert_eq!(done, [Ok(()), Err(404), Ok(())], "one that is rejected hinders nothing else");
    assert!(matches!(settled.verdicts[..], [Verdict::Accepted { .. }]));
    let kit = kit.reopened();
    assert!(kit.store.settle(settle(fresh())).await.unwrap().is_none(), "it was settled before");
    let now = kit.find(1).await;
    assert_eq!((now.severity, now.summary.comments), (Severity::High, 1));
    assert_eq!(kit.store.open_runs(None, 10).await.unwrap().len(), 1);
    // What the settlement changed is told in turn.
    let words: Vec<_> = kit.told().await.into_iter().map(|(number, ..)| number).collect();
    assert_eq!(words, [1, 1]);
}

#[tokio::test]
async fn a_settlement_that_fails_halfway_has_not_happened() {
    let kit = Kit::new().await;
    kit.store.listen(true);
    let before = kit.put("a", "door").await;
    let seq = kit.events().await[0].seq;
    let mut broken = report(larum::store::intake::Uniqueness::Always, vec![starts("file")]);
    broken.playbooks = vec![starts("a playbook of which no version is kept")];
    let failing = Settlement {
        intake: Some(intake("workspace", vec![broken])),
        ..settlement(seq, vec![write(patch(1, severity(Severity::High)))])
    };
    let (failed, neighbour) =
        tokio::join!(kit.store.settle(failing), kit.write(put("b", Draft::new("a neighbour in the same commit"))));
    assert!(failed.is_err() && neighbour.is_ok());
    assert_eq!(kit.find(1).await, before);
    assert_eq!(kit.events().await[0].seq, seq, "it is still to be settled");
    assert!(kit.store.settle(settlement(seq, vec![])).await.unwrap().is_some());
}

#[tokio::test]
async fn many_who_settle_the_same_event_do_it_once() {
    let kit = Kit::new().await;
    kit.store.listen(true);
    kit.put("a", "door").await;
    let seq = kit.events().await[0].seq;
    kit.store.listen(false);
    let tries = (0..20).map(|n| {
        let writes = vec![write(comment(1, &format!("c{n}"), "x"))];
        kit.store.settle(settlement(seq, writes))
    });
    let settled =
        futures::future::join_all(tries).await.into_iter().filter(|settled| settled.as_ref().unwrap().is_some());
    assert_eq!(settled.count(), 1);
    assert_eq!(kit.find(1).await.summary.comments, 1);
}
