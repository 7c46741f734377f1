//! What happens in the workspace starts automation rules and playbooks: events are taken in order, and each is dealt with
//! in one transaction, so that a kill in between loses none and doubles none.

mod deciding;
mod memory;

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{deciding::Deciding, memory::Memory};
use super::{
    alert, incident,
    intake::Door,
    rules::{self, Rule},
};
use crate::{
    incident::{Actor, Change, IncidentRef, Workspace, Write},
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
    /// Serves until `shutdown`. A store that cannot be read or written is tried again; an event that cannot be dealt with
    /// for any other reason is given up, and the next one's turn comes.
    pub async fn serve(self, shutdown: CancellationToken) {
        let memory = Mutex::default();
        loop {
            let read = || self.door.store.workspace_events(limits::WORKSPACE_EVENTS);
            let Some(events) = self.patiently(&shutdown, read).await else { return };
            if events.is_empty() {
                self.metrics.oldest_event.set(0);
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = self.door.store.next_workspace_event() => {}
                }
            }
            for event in events {
                self.metrics.oldest_event.set(event.at.timestamp());
                if self.patiently(&shutdown, || self.deal_or_give_up(&event, &memory)).await.is_none() {
                    return;
                }
            }
        }
    }

    /// Asks until the store answers; `None` on shutdown.
    async fn patiently<T, F>(&self, shutdown: &CancellationToken, ask: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut told: Option<Instant> = None;
        loop {
            if shutdown.is_cancelled() {
                return None;
            }
            match ask().await {
                Ok(answer) => {
                    if told.is_some() {
                        tracing::info!("triggers of incidents: the store answers again");
                    }
                    return Some(answer);
                }
                Err(error) => {
                    if told.is_none_or(|told| told.elapsed() >= limits::EVENTS_WAIT_TOLD) {
                        told = Some(Instant::now());
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

    /// Deals with one event, or lets it go for good: one that can never be dealt with must not stop those behind it.
    ///
    /// # Errors
    /// When the store cannot be written for the time being.
    async fn deal_or_give_up(&self, event: &WorkspaceEvent, memory: &Mutex<Memory>) -> Result<(), StoreError> {
        let dealt = AssertUnwindSafe(self.deal(event, memory)).catch_unwind().await;
        let because = match dealt {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.is_passing() => return Err(error),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "dealing with it panicked; the log says where".to_owned(),
        };
        self.give_up(event, &because).await
    }

    /// Forgets an event that started nothing; its incident's log and Larum's say so.
    async fn give_up(&self, event: &WorkspaceEvent, because: &str) -> Result<(), StoreError> {
        let incident = match &event.subject {
            Subject::Incident { incident, .. } => Some(incident.number),
            Subject::Unreadable { incident, .. } => *incident,
            Subject::Alert { .. } => None,
        };
        tracing::error!(
            event = event.seq,
            incident,
            because,
            "an event of the workspace cannot be dealt with; what it would have started is not started"
        );
        let note = incident.map(|incident| Write {
            by: Actor::Larum,
            causes: event.causes.clone(),
            at: self.door.clock.now(),
            etag: Uuid::new_v4(),
            change: Change::NoteNotStarted {
                incident: IncidentRef::Number(incident),
                name: "what listens to this change".into(),
                because: because.to_owned(),
            },
        });
        let settlement = |writes: Vec<Write>| Settlement { seq: event.seq, writes, intake: None };
        match self.door.settle(settlement(note.into_iter().collect())).await {
            Err(error) if !error.is_passing() => {
                tracing::error!(event = event.seq, %error, "its incident's log cannot say so");
                self.door.settle(settlement(Vec::new())).await
            }
            settled => settled,
        }
        .map(|_| ())
    }

    /// Deals with one event: rules first, then the playbooks that listen.
    async fn deal(&self, event: &WorkspaceEvent, memory: &Mutex<Memory>) -> Result<(), StoreError> {
        let trigger = match &event.subject {
            Subject::Incident { .. } => incident::KIND,
            Subject::Alert { .. } => alert::KIND,
            Subject::Unreadable { because, .. } => return self.give_up(event, because).await,
        };
        let (settlement, spent) = self.decide(event, memory).await?;
        let summaries: Vec<String> =
            settlement.intake.iter().flat_map(|intake| &intake.reports).map(|report| report.summary.clone()).collect();
        let Some(settled) = self.door.settle(settlement).await? else { return Ok(()) };
        lock(memory).spend(event, spent);
        for rejected in settled.written.iter().filter_map(|written| written.as_ref().err()) {
            tracing::warn!(event = event.seq, %rejected, "what an automation rule wanted was not done");
        }
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
    async fn decide(&self, event: &WorkspaceEvent, memory: &Mutex<Memory>) -> Result<(Settlement, u32), StoreError> {
        let nothing = Settlement { seq: event.seq, writes: Vec::new(), intake: None };
        let store = &*self.door.store;
        let scene = match &event.subject {
            Subject::Incident { what, .. } if !what.is_creation() && !what.is_update() => return Ok((nothing, 0)),
            Subject::Incident { incident, what } => {
                let around = incident::Surroundings::of(store, incident).await?;
                deciding::Matter::Incident { incident: incident.clone(), what: what.clone(), around }
            }
            Subject::Alert { alert } => match store.alert(alert).await? {
                Some(alert) => deciding::Matter::Alert(alert),
                None => return Ok((nothing, 0)),
            },
            Subject::Unreadable { .. } => return Ok((nothing, 0)),
        };
        let rules = rules::all(&self.door.library.rules(), store).await?;
        let spent = lock(memory).spent(event);
        let mut deciding = Deciding::new(&self.door, &self.workspace, event, scene, spent);
        for Rule { name, rule } in &rules {
            match rule {
                Ok(rule) => deciding.rule(name, rule)?,
                Err(fault) if lock(memory).unreadable_rules.insert(name.to_string()) => {
                    tracing::error!(rule = %name, %fault, "a kept automation rule cannot be read and does nothing; write it anew or delete it");
                }
                Err(_) => {}
            }
        }
        deciding.triggers()?;
        let (writes, reports, spent) = deciding.decided();
        let feed = match event.subject {
            Subject::Alert { .. } => alert::feed(),
            _ => incident::feed(),
        };
        let at = self.door.clock.now();
        let intake = (!reports.is_empty()).then_some(Intake { feed, reports, cursor: None, at });
        Ok((Settlement { seq: event.seq, writes, intake }, spent))
    }
}

/// Nothing that holds the lock can leave the memory half changed.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
