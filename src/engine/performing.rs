//! The effects of a run: begun once their attempts are on disk, performed side by side, journalled with what they came to.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde_json::Value;

use super::{Event, Input, Step, journal, recovery::Orphan, run::Run};
use crate::{
    action::{Call, Effect, EffectKind, Identity, LocalChange, Outcome, Performed},
    incident::{Rejected, Write, Written},
    metrics::EffectLabels,
    secret,
    store::{StoreError, run::LocalEffect},
};

/// How far a wanted effect is.
pub(super) enum Progress {
    /// Not journalled yet.
    New,
    /// Its attempt is journalled, to be performed now.
    Journalled,
    /// Its attempt was journalled by an earlier process, which died before the outcome.
    Orphaned,
    /// Under way.
    Performing(futures::future::AbortHandle),
}

/// An effect the machine asked for.
pub(super) struct Wanted {
    pub(super) step: Step,
    pub(super) attempt: u32,
    pub(super) action: &'static str,
    pub(super) effect: &'static dyn Effect,
    pub(super) input: Arc<Value>,
    pub(super) journalled: Input,
    pub(super) progress: Progress,
}

/// What an effect came to.
pub(super) type Landed = Result<(Step, u32, Performed), futures::future::Aborted>;

impl Run<'_> {
    /// Begins what is wanted; `false` when there is nothing to begin.
    pub(super) async fn launch(&mut self) -> Result<bool, StoreError> {
        let local = |wanted: &Wanted| wanted.effect.kind(&wanted.input) == EffectKind::Local;
        if let Some(first) = self.wanted.iter().position(|wanted| matches!(wanted.progress, Progress::Orphaned)) {
            let wanted = &self.wanted[first];
            match Orphan::of(wanted.effect.kind(&wanted.input)) {
                Orphan::Repeat => self.wanted[first].progress = Progress::Journalled,
                Orphan::Unknown(outcome) => {
                    let event = self.finished(&wanted.step, wanted.attempt, *outcome);
                    self.commit(vec![event]).await?;
                }
            }
            return Ok(true);
        }
        if let Some(first) = self
            .wanted
            .iter()
            .position(|wanted| local(wanted) && matches!(wanted.progress, Progress::New | Progress::Journalled))
        {
            self.perform_local(first).await?;
            return Ok(true);
        }
        let at = self.at();
        let new = self.wanted.iter().filter(|wanted| matches!(wanted.progress, Progress::New));
        let begins: Vec<Event> = new.map(|wanted| started(wanted, at)).collect();
        if !begins.is_empty() {
            // The attempts are on disk before any of them touches the world.
            self.commit(begins).await?;
            return Ok(true);
        }
        let mut flew = false;
        for place in 0..self.wanted.len() {
            if matches!(self.wanted[place].progress, Progress::Journalled) {
                self.fly(place, at);
                flew = true;
            }
        }
        Ok(flew)
    }

    /// Performs an effect beside whatever else the run does.
    fn fly(&mut self, place: usize, at: DateTime<Utc>) {
        let wanted = &mut self.wanted[place];
        let (step, attempt, effect, input) = (wanted.step.clone(), wanted.attempt, wanted.effect, wanted.input.clone());
        let (info, services) = (self.info.clone(), self.shared.services.clone());
        let (flight, abort) = futures::future::abortable(async move {
            let written = step.to_string();
            let identity = Identity::of(info.effects, &written);
            let call = Call { run: &info, identity, step: &written, attempt, input: &input, services: &services, at };
            let performed = effect.perform(call).await;
            (step, attempt, performed)
        });
        wanted.progress = Progress::Performing(abort);
        self.flights.push(flight.boxed());
    }

    /// A local effect commits together with its journal events: of a fresh attempt, `Started` goes into the same
    /// transaction, because nothing can have happened before it is committed. So a simple run costs one record and one
    /// finish.
    async fn perform_local(&mut self, place: usize) -> Result<(), StoreError> {
        let at = self.at();
        let wanted = &self.wanted[place];
        let before: Vec<Event> = match wanted.progress {
            Progress::New => vec![started(wanted, at)],
            _ => Vec::new(),
        };
        let (step, attempt, effect, input) = (wanted.step.clone(), wanted.attempt, wanted.effect, wanted.input.clone());
        let written = step.to_string();
        let identity = Identity::of(self.info.effects, &written);
        loop {
            let services = self.shared.services.clone();
            let call =
                Call { run: &self.info, identity, step: &written, attempt, input: &input, services: &services, at };
            let done = match effect.perform(call).await {
                Performed::Outcome(outcome) => {
                    let finished = self.finished(&step, attempt, outcome);
                    return self.commit(before.into_iter().chain([finished]).collect()).await;
                }
                Performed::Local(change) => self.commit_local(&before, &step, attempt, at, change).await,
            };
            match done {
                Err(error) if error.is_passing() => self.shared.wait_for_store(error).await?,
                done => return done,
            }
        }
    }

    /// An outcome as an event, without secrets. An error may quote what the other side said, so those of the connections
    /// are taken out as well.
    pub(super) fn finished(&self, step: &Step, attempt: u32, mut outcome: Outcome) -> Event {
        self.machine.secrets().withhold_outcome(&mut outcome);
        if let Some(error) = &mut outcome.error {
            error.message = secret::without_secrets(&error.message).into_owned();
        }
        Event::Finished { step: step.clone(), attempt, at: self.at(), outcome }
    }

    /// Journals a local effect with its events and applies them. Not repeated here: the change is used up.
    pub(super) async fn commit_local(
        &mut self,
        before: &[Event],
        step: &Step,
        attempt: u32,
        at: DateTime<Utc>,
        change: LocalChange,
    ) -> Result<(), StoreError> {
        let before = before.iter().map(|event| self.encode(event)).collect::<Result<Vec<_>, _>>()?;
        let (secrets, vault, run, step) =
            (self.machine.secrets().clone(), self.shared.services.vault.clone(), self.id(), step.clone());
        let secure = self.plan.find(&step.action).is_some_and(|index| self.plan.node_at(index).secure_outputs);
        let causes = self.info.causes();
        let mut record = self.blank().with(before);
        record.local = Some(match change {
            LocalChange::CreateIncident { draft, id, outputs } => {
                let event = move |incident: &crate::incident::Incident| {
                    let (outputs, seal) = (outputs(incident), secure.then_some((&vault, run)));
                    let event = if secrets.is_empty() {
                        journal::encode_success(&step, attempt, at, &outputs, seal)
                    } else {
                        let mut outcome = Outcome::succeeded(serde_json::from_str(outputs.get()).unwrap_or_default());
                        secrets.withhold_outcome(&mut outcome);
                        let event = Event::Finished { step, attempt, at, outcome };
                        journal::encode(&event, seal.or_else(|| secrets.are_in(&event).then_some((&vault, run))))
                    };
                    // Sealing fails only when the system has no randomness; the run is then suspended as unreadable.
                    event.unwrap_or_default()
                };
                let provenance = self.info.provenance();
                let repeated = self.info.effects != run;
                LocalEffect::CreateIncident { draft, provenance, at, id, repeated, causes, event: Box::new(event) }
            }
            LocalChange::Write { change, etag, outcome } => {
                let event = move |written: &Result<Written, Rejected>| {
                    let mut outcome = outcome(written);
                    secrets.withhold_outcome(&mut outcome);
                    let event = Event::Finished { step, attempt, at, outcome };
                    let seals = secure || secrets.are_in(&event);
                    journal::encode(&event, seals.then_some((&vault, run))).unwrap_or_default()
                };
                let write = Write { by: self.info.actor(), causes, at, etag, change: *change };
                LocalEffect::Write { write: Box::new(write), event: Box::new(event) }
            }
        });
        let recorded = self.shared.services.store.record(record).await?;
        self.shared.store_answered();
        if let Some(incident) = &recorded.incident {
            self.made(incident.number);
        }
        self.apply(&recorded.events)
    }

    pub(super) fn forget(&mut self, step: &Step, attempt: u32) {
        self.wanted.retain(|wanted| {
            let this = wanted.step == *step && wanted.attempt == attempt;
            if let (true, Progress::Performing(flight)) = (this, &wanted.progress) {
                flight.abort();
            }
            !this
        });
    }

    pub(super) fn count(&self, events: &[Event]) {
        for event in events {
            let Event::Finished { step, attempt, outcome, .. } = event else { continue };
            let this = |wanted: &&Wanted| wanted.step == *step && wanted.attempt == *attempt;
            if let Some(wanted) = self.wanted.iter().find(this) {
                let labels = EffectLabels { action: wanted.action, status: outcome.status.as_str() };
                self.shared.services.metrics.effects.get_or_create(&labels).inc();
            }
        }
    }
}

fn started(wanted: &Wanted, at: DateTime<Utc>) -> Event {
    Event::Started { step: wanted.step.clone(), attempt: wanted.attempt, at, input: wanted.journalled.clone() }
}
