//! The one door: every report is committed here before anyone is told yes.

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use crate::engine::admission::Arrival;
use crate::{
    clock::Clock,
    engine::{Begin, Engine, Library, Live, admission},
    playbook::Concurrency,
    store::{
        EventId, Store, StoreError,
        incidents::{Settled, Settlement},
        intake::{Decision, Delivery, Intake, Listening, NewRun, Report, StartedRun, Verdict},
        run::{RunStatus, StoredRun},
    },
};

/// Takes reports in. Triggers decide what a report is; the door commits it and hands its runs to the engine.
pub struct Door {
    pub store: Arc<dyn Store>,
    pub engine: Engine,
    pub library: Library,
    pub clock: Arc<dyn Clock>,
}

impl Door {
    /// Commits a batch and starts its runs. When this returns, what was accepted is on disk, and only then may flags be
    /// set or a sender be answered yes.
    ///
    /// # Errors
    /// When nothing was committed: the reports stay where they are and come again.
    pub async fn take(&self, intake: Intake) -> Result<Vec<Verdict>, StoreError> {
        let taking = Taking::of(&intake);
        let verdicts = self.store.accept(intake).await?;
        self.start_all(&taking, &verdicts).await;
        Ok(verdicts)
    }

    /// Deals with an event of the workspace, and starts the runs it opens. `None`: it was dealt with before.
    ///
    /// # Errors
    /// When nothing was committed: the event stays and comes again.
    pub async fn settle(&self, settlement: Settlement) -> Result<Option<Settled>, StoreError> {
        let taking = settlement.intake.as_ref().map(Taking::of);
        let settled = self.store.settle(settlement).await?;
        if let (Some(taking), Some(settled)) = (taking, &settled) {
            self.start_all(&taking, &settled.verdicts).await;
        }
        Ok(settled)
    }

    /// Hands the runs of a committed batch to the engine.
    async fn start_all(&self, taking: &Taking, verdicts: &[Verdict]) {
        for (verdict, seen) in verdicts.iter().zip(&taking.reports) {
            let Verdict::Accepted { event, runs, resembles } = verdict else { continue };
            self.begin(seen, *event, *resembles, runs, taking.at);
            for (playbook, limit) in &seen.limits {
                if runs.iter().any(|started| started.waiting && started.playbook == *playbook) {
                    self.engine.waits(playbook, Some(*limit)).await;
                }
            }
        }
    }

    /// Hands the runs of a report to the engine, save those that have to wait.
    fn begin(&self, seen: &Seen, event: EventId, resembles: Option<EventId>, runs: &[StartedRun], at: DateTime<Utc>) {
        // They come in the order in which they were asked for.
        let mut news = seen.runs.iter();
        for started in runs {
            let new = news.by_ref().find(|new| new.run == started.run);
            if started.waiting {
                continue;
            }
            // A playbook that is new to an event seen before runs on what was stored then, as it will after a crash.
            let Some(new) = new.filter(|_| event == seen.event) else {
                self.engine.begin(Begin::Stored(started.run));
                continue;
            };
            let (outputs, error) = match &new.delivery {
                Delivery::Whole => (seen.outputs.clone(), None),
                Delivery::Part(outputs) => (outputs.clone(), None),
                Delivery::Fault(error) => (seen.outputs.clone(), Some(error.clone())),
            };
            self.engine.begin(Begin::Fresh(Box::new(StoredRun {
                run: started.run,
                status: RunStatus::Running,
                playbook: started.playbook.clone(),
                version: started.version.clone(),
                event,
                origin: None,
                kind: seen.kind.to_owned(),
                summary: seen.summary.clone(),
                resembles,
                started: at,
                ended: None,
                seed: new.seed,
                outputs,
                journal: Vec::new(),
                error,
                actions: None,
            })));
        }
    }

    /// What `live` makes of a report: the runs to open for it, with ids and seeds, or why it starts none.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn start(&self, live: &Live, arrival: &Arrival<'_>) -> Result<Listening, StoreError> {
        admission::decide(live, arrival)
    }
}

/// What the door remembers of a batch while the store commits it: what a fresh run is driven with, so that it need not be
/// read back.
struct Taking {
    at: DateTime<Utc>,
    reports: Vec<Seen>,
}

impl Taking {
    fn of(intake: &Intake) -> Self {
        Self { at: intake.at, reports: intake.reports.iter().map(Seen::of).collect() }
    }
}

/// What the door remembers of a report while the store commits it.
struct Seen {
    event: EventId,
    kind: &'static str,
    summary: String,
    outputs: Arc<str>,
    runs: Vec<NewRun>,
    /// The limits runs were opened under, by playbook.
    limits: Vec<(String, Concurrency)>,
}

impl Seen {
    fn of(report: &Report) -> Self {
        let limit = |listening: &Listening| match &listening.decision {
            Decision::Start(opening) => opening.limit.map(|limit| (listening.playbook.clone(), limit)),
            Decision::Skip { .. } => None,
        };
        Self {
            event: report.event,
            kind: report.kind,
            summary: report.summary.clone(),
            outputs: report.outputs.clone(),
            runs: report.playbooks.iter().flat_map(Listening::runs).cloned().collect(),
            limits: report.playbooks.iter().filter_map(limit).collect(),
        }
    }
}
