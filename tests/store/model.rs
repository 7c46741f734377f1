//! The intake door against a naive model of it: random batches over few names, so that everything collides.

use std::collections::BTreeSet;

use larum::store::{
    EventId, Store,
    intake::{Decision, Listening, Report, Uniqueness, Verdict},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::kit::*;

const PLAYBOOKS: [&str; 2] = ["file", "acknowledge"];

#[derive(Debug, Clone)]
struct Seen {
    uniqueness: Uniqueness,
    skipped: bool,
    /// What each playbook makes of it: not listening, starting or skipping.
    playbooks: [Option<bool>; 2],
}

/// What the model remembers of an event.
struct Kept {
    connection: usize,
    uniqueness: Uniqueness,
    event: EventId,
    ran: BTreeSet<&'static str>,
}

/// What a verdict comes down to: the event, the playbooks that start, and what it resembles.
#[derive(Debug, PartialEq)]
enum Expected {
    Accepted(EventId, Vec<&'static str>, Option<EventId>),
    Duplicate(EventId),
    Skipped,
}

#[derive(Default)]
struct Model {
    kept: Vec<Kept>,
}

impl Model {
    fn take(&mut self, connection: usize, report: &Report) -> Expected {
        if report.skipped.is_some() {
            return Expected::Skipped;
        }
        let starting: Vec<&'static str> = PLAYBOOKS
            .into_iter()
            .filter(|name| {
                let starts = |listening: &Listening| {
                    listening.playbook == *name && matches!(listening.decision, Decision::Start { .. })
                };
                report.playbooks.iter().any(starts)
            })
            .collect();
        let known = self.kept.iter_mut().find(|kept| {
            kept.connection == connection
                && match (&report.uniqueness, &kept.uniqueness) {
                    (Uniqueness::Key(new), Uniqueness::Key(old)) => new == old,
                    (
                        Uniqueness::Mail { message_id: None, content_hash: new },
                        Uniqueness::Mail { content_hash: old, .. },
                    ) => new == old,
                    (new @ Uniqueness::Mail { .. }, old) => new == old,
                    _ => false,
                }
        });
        if let Some(kept) = known {
            let runs: Vec<_> = starting.into_iter().filter(|name| kept.ran.insert(name)).collect();
            if runs.is_empty() {
                return Expected::Duplicate(kept.event);
            }
            let event = kept.event;
            return Expected::Accepted(event, runs, self.resembled(event));
        }
        if starting.is_empty() {
            return Expected::Skipped;
        }
        self.kept.push(Kept {
            connection,
            uniqueness: report.uniqueness.clone(),
            event: report.event,
            ran: starting.iter().copied().collect(),
        });
        Expected::Accepted(report.event, starting, self.resembled(report.event))
    }

    /// The first event with the same Message-ID on the same connection, if that is another one.
    fn resembled(&self, event: EventId) -> Option<EventId> {
        let own = self.kept.iter().find(|kept| kept.event == event)?;
        let id = |kept: &Kept| match &kept.uniqueness {
            Uniqueness::Mail { message_id, .. } => message_id.clone(),
            Uniqueness::Key(_) | Uniqueness::Always => None,
        };
        id(own)?;
        let first = self.kept.iter().find(|kept| kept.connection == own.connection && id(kept) == id(own))?;
        (first.event != event).then_some(first.event)
    }
}

fn uniqueness() -> impl Strategy<Value = Uniqueness> {
    let word = || select(vec!["a", "b", "c"]).prop_map(str::to_owned);
    prop_oneof![
        4 => (proptest::option::of(word()), word())
            .prop_map(|(message_id, content_hash)| Uniqueness::Mail { message_id, content_hash }),
        2 => word().prop_map(Uniqueness::Key),
        1 => Just(Uniqueness::Always),
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    let listens = || proptest::option::weighted(0.8, proptest::bool::weighted(0.7));
    (uniqueness(), proptest::bool::weighted(0.1), [listens(), listens()])
        .prop_map(|(uniqueness, skipped, playbooks)| Seen { uniqueness, skipped, playbooks })
}

fn told(seen: &Seen) -> Report {
    let listening = PLAYBOOKS
        .into_iter()
        .zip(seen.playbooks)
        .filter_map(|(name, start)| Some(if start? { starts(name) } else { skips(name, "the filter") }));
    let mut report = report(seen.uniqueness.clone(), listening.collect());
    report.skipped = seen.skipped.then(|| "our own mail".to_owned());
    report
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_door_decides_as_the_model_does(batches in vec((0..2usize, vec(seen(), 0..6)), 1..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let kit = Kit::new().await;
            let mut model = Model::default();
            for (connection, batch) in batches {
                let reports: Vec<Report> = batch.iter().map(told).collect();
                let expected: Vec<Expected> = reports.iter().map(|report| model.take(connection, report)).collect();
                let verdicts = kit.store.accept(intake(["soc", "abuse"][connection], reports)).await?;
                let found: Vec<Expected> = verdicts
                    .iter()
                    .map(|verdict| match verdict {
                        Verdict::Accepted { event, runs, resembles } => {
                            let names = runs.iter().filter_map(|started| {
                                PLAYBOOKS.into_iter().find(|name| *name == started.playbook)
                            });
                            Expected::Accepted(*event, names.collect(), *resembles)
                        }
                        Verdict::Duplicate { event, run } => {
                            assert!(run.is_some(), "a duplicate names the first run");
                            Expected::Duplicate(*event)
                        }
                        Verdict::Skipped { .. } | Verdict::Busy { .. } => Expected::Skipped,
                    })
                    .collect();
                prop_assert_eq!(found, expected);
            }
            let runs: usize = model.kept.iter().map(|kept| kept.ran.len()).sum();
            prop_assert_eq!(kit.store.runs(Default::default()).await?.len(), runs);
            Ok(())
        })?;
    }
}
