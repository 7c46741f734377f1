//! What happens in the workspace starts automation rules and playbooks: events are taken in order, and each is dealt with
//! in one transaction, so that a kill in between loses none and doubles none.

mod deciding;

use std::{future::Future, sync::Arc};

use tokio_util::sync::CancellationToken;

use self::deciding::Deciding;
use super::{alert, incident, intake::Door, rules};
use crate::{
    incident::Workspace,
    limits,
    metrics::{IntakeLabels, Metrics},
    store::{
        StoreError,
        incidents::{Settlement, Subject, WorkspaceEvent},
        intake::{Intake, Verdict},
    },
};

/// Deals with the events of the workspace, one after the other.
pub struct Dispatcher {
    pub door: Arc<Door>,
    pub workspace: Workspace,
    pub metrics: Metrics,
}

impl Dispatcher {
    /// Serves until `shutdown`. A store that cannot be read or written is tried again; no event is passed over.
    pub async fn serve(self, shutdown: CancellationToken) {
        loop {
            let read = || self.door.store.workspace_events(limits::WORKSPACE_EVENTS);
            let Some(events) = self.patiently(&shutdown, read).await else { return };
            let none = events.is_empty();
            for event in events {
                if self.patiently(&shutdown, || self.deal(&event)).await.is_none() {
                    return;
                }
            }
            if none {
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = self.door.store.next_workspace_event() => {}
                }
            }
        }
    }

    /// Asks until the store answers; `None` on shutdown.
    async fn patiently<T, F>(&self, shutdown: &CancellationToken, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut trouble = false;
        loop {
            if shutdown.is_cancelled() {
                return None;
            }
            match ask().await {
                Ok(answer) => {
                    if trouble {
                        tracing::info!("triggers of incidents: the store answers again");
                    }
                    return Some(answer);
                }
                Err(error) => {
                    if !std::mem::replace(&mut trouble, true) {
                        tracing::error!(%error, "triggers of incidents: events cannot be dealt with; they wait and are tried again");
                    }
                    tokio::select! {
                        () = shutdown.cancelled() => return None,
                        () = tokio::time::sleep(limits::STORE_RETRY) => {}
                    }
                }
            }
        }
    }

    /// Deals with one event: rules first, then the playbooks that listen.
    async fn deal(&self, event: &WorkspaceEvent) -> Result<(), StoreError> {
        let settlement = self.decide(event).await?;
        let summaries: Vec<String> =
            settlement.intake.iter().flat_map(|intake| &intake.reports).map(|report| report.summary.clone()).collect();
        let Some(settled) = self.door.settle(settlement).await? else { return Ok(()) };
        for rejected in settled.written.iter().filter_map(|written| written.as_ref().err()) {
            tracing::warn!(event = event.seq, %rejected, "what an automation rule wanted was not done");
        }
        let trigger = match event.subject {
            Subject::Incident { .. } => incident::KIND,
            Subject::Alert { .. } => alert::KIND,
        };
        for (verdict, report) in settled.verdicts.iter().zip(summaries) {
            let name = match verdict {
                Verdict::Accepted { runs, .. } => {
                    for started in runs {
                        tracing::info!(run = %started.run, playbook = %started.playbook, report, "run started");
                    }
                    "accepted"
                }
                Verdict::Duplicate { .. } => "duplicate",
                Verdict::Skipped { because } | Verdict::Busy { because } => {
                    tracing::debug!(report, because, "nothing started");
                    "skipped"
                }
            };
            self.metrics.intake.get_or_create(&IntakeLabels { trigger, verdict: name }).inc();
        }
        Ok(())
    }

    /// What is to be done about an event; nothing when it is none that could start anything, or its alert is gone.
    async fn decide(&self, event: &WorkspaceEvent) -> Result<Settlement, StoreError> {
        let nothing = Settlement { seq: event.seq, writes: Vec::new(), intake: None };
        let store = &*self.door.store;
        let scene = match &event.subject {
            Subject::Incident { what, .. } if !what.is_creation() && !what.is_update() => return Ok(nothing),
            Subject::Incident { incident, what } => {
                let around = incident::Surroundings::of(store, incident).await?;
                deciding::Matter::Incident { incident: incident.clone(), what: what.clone(), around }
            }
            Subject::Alert { alert } => match store.alert(alert).await? {
                Some(alert) => deciding::Matter::Alert(alert),
                None => return Ok(nothing),
            },
        };
        let rules = rules::all(&self.door.library.rules(), store).await?;
        let mut deciding = Deciding::new(&self.door, &self.workspace, event, scene);
        for rule in &rules {
            deciding.rule(rule)?;
        }
        deciding.triggers()?;
        let (writes, reports) = deciding.decided();
        let feed = match event.subject {
            Subject::Incident { .. } => incident::feed(),
            Subject::Alert { .. } => alert::feed(),
        };
        let at = self.door.clock.now();
        let intake = (!reports.is_empty()).then_some(Intake { feed, reports, cursor: None, at });
        Ok(Settlement { seq: event.seq, writes, intake })
    }
}
