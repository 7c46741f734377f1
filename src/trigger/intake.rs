//! The one door: every report is committed here before anyone is told yes.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    clock::Clock,
    engine::{Begin, Engine, Library, Live},
    store::{
        EventId, Store, StoreError,
        intake::{Decision, Intake, Listening, Report, Verdict},
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
        let at = intake.at;
        // What a fresh run is driven with, so that it need not be read back.
        let seen: Vec<Seen> = intake.reports.iter().map(Seen::of).collect();
        let verdicts = self.store.accept(intake).await?;
        for (verdict, seen) in verdicts.iter().zip(seen) {
            let Verdict::Accepted { event, runs, resembles } = verdict else { continue };
            for started in runs {
                // A playbook that is new to an event seen before runs on what was stored then, as it will after a crash.
                let Some(seed) = seen.seed(started.run).filter(|_| *event == seen.event) else {
                    self.engine.begin(Begin::Stored(started.run));
                    continue;
                };
                self.engine.begin(Begin::Fresh(Box::new(StoredRun {
                    run: started.run,
                    status: RunStatus::Running,
                    playbook: started.playbook.clone(),
                    version: started.version.clone(),
                    event: *event,
                    kind: seen.kind.to_owned(),
                    summary: seen.summary.clone(),
                    resembles: *resembles,
                    started: at,
                    ended: None,
                    seed,
                    outputs: seen.outputs.clone(),
                    journal: Vec::new(),
                    error: None,
                    actions: None,
                })));
            }
        }
        Ok(verdicts)
    }

    /// The decision to start `live` for a report: a new run id and seed.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn start(&self, live: &Live) -> Result<Listening, StoreError> {
        let mut seed = [0u8; 32];
        getrandom::fill(&mut seed).map_err(|error| StoreError::Failed(error.to_string().into()))?;
        Ok(Listening {
            playbook: live.playbook.name.clone(),
            decision: Decision::Start { run: Uuid::now_v7(), version: live.version.clone(), seed },
        })
    }
}

/// What the door remembers of a report while the store commits it.
struct Seen {
    event: EventId,
    kind: &'static str,
    summary: String,
    outputs: Arc<str>,
    seeds: Vec<(Uuid, [u8; 32])>,
}

impl Seen {
    fn of(report: &Report) -> Self {
        let seeds = report.playbooks.iter().filter_map(|listening| match &listening.decision {
            Decision::Start { run, seed, .. } => Some((*run, *seed)),
            Decision::Skip { .. } => None,
        });
        Self {
            event: report.event,
            kind: report.kind,
            summary: report.summary.clone(),
            outputs: report.outputs.clone(),
            seeds: seeds.collect(),
        }
    }

    fn seed(&self, run: Uuid) -> Option<[u8; 32]> {
        self.seeds.iter().find(|(known, _)| *known == run).map(|(_, seed)| *seed)
    }
}
