//! A run as its journal has it, up to any point: nothing is performed.

use std::sync::Arc;

use super::{
    Earlier, Engine, Event, Machine, Plan, Secrets,
    journal::{self, JournalError},
    run,
};
use crate::{
    limits,
    secret::Vault,
    store::{RunId, StoreError, run::StoredRun},
};

/// A run after one of its events.
pub struct Past {
    pub machine: Machine,
    /// The last event it has seen; `None` when it has only begun.
    pub last: Option<Event>,
    /// What is known to be secret after the whole journal: an event that is still to come may tell.
    pub secrets: Arc<Secrets>,
}

/// Folds the first `events` events of a run's journal; all of them when there are fewer. What follows without another
/// event is taken along, as far as the run itself went, and [`limits::PAST_PAUSES`] pauses at most: then the machine
/// [is paused](Machine::is_paused).
///
/// # Errors
/// When the journal, or what is kept of a run that this one repeats, cannot be read.
pub fn fold(
    stored: &StoredRun,
    plan: &Arc<Plan>,
    secrets: &Arc<Secrets>,
    vault: &Vault,
    events: usize,
) -> Result<Past, JournalError> {
    let earlier = earlier(stored, vault)?;
    let after = |events| folded(stored, plan, secrets, &earlier, vault, events);
    let (machine, last) = after(events)?;
    let secrets =
        if events < stored.journal.len() { after(usize::MAX)?.0.secrets().clone() } else { machine.secrets().clone() };
    Ok(Past { machine, last, secrets })
}

fn folded(
    stored: &StoredRun,
    plan: &Arc<Plan>,
    secrets: &Arc<Secrets>,
    earlier: &Arc<Earlier>,
    vault: &Vault,
    events: usize,
) -> Result<(Machine, Option<Event>), JournalError> {
    let (mut machine, _) = run::start(plan, stored, run::info(stored), secrets.clone(), earlier.clone());
    let (mut last, mut most) = (None, limits::PAST_PAUSES);
    for (place, bytes) in stored.journal.iter().enumerate() {
        let event = journal::decode(bytes, vault, stored.run)?;
        // A cancelled run may never have come to an end by itself, and went no further than the cancellation says.
        if let Event::Cancelled { pauses, .. } = event {
            most = most.min(pauses);
            if pauses > most {
                break;
            }
        }
        if place >= events {
            break;
        }
        machine.apply(event.clone());
        last = Some(event);
    }
    while machine.is_paused() && machine.pauses() < most {
        machine.go_on();
    }
    Ok((machine, last))
}

/// What a run keeps of the one it repeats.
pub(super) fn earlier(stored: &StoredRun, vault: &Vault) -> Result<Arc<Earlier>, JournalError> {
    let kept = stored.origin.iter().flat_map(|origin| &origin.kept);
    let entries = kept.map(|bytes| journal::decode_entry(bytes, vault, stored.run));
    Ok(Arc::new(entries.collect::<Result<_, _>>()?))
}

impl Engine {
    /// A run as it stood after its first `events` events, with what the store holds of it.
    ///
    /// # Errors
    /// When the store cannot be read, or the run cannot be folded: its version or its journal cannot be read.
    pub async fn past(&self, id: RunId, events: usize) -> Result<Option<(Arc<StoredRun>, Past)>, StoreError> {
        let services = &self.shared.services;
        let Some(stored) = services.store.load_run(id).await?.map(Arc::new) else { return Ok(None) };
        let past = self.fold(&stored, events).await?;
        Ok(Some((stored, past)))
    }

    /// The same of a run that is at hand.
    ///
    /// # Errors
    /// As [`Engine::past`]'s.
    pub async fn fold(&self, stored: &Arc<StoredRun>, events: usize) -> Result<Past, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Failed(format!("run {}: {error}", stored.run).into());
        let plan = self.shared.versions.plan(&stored.version).await.map_err(|error| failed(&error))?;
        // Without it another run would be folded, whose secrets are not known as such.
        if let Some(fault) = self.shared.versions.unreadable_secret(&plan) {
            return Err(failed(&fault));
        }
        let secrets = self.shared.versions.secrets(&plan);
        let (folded, vault) = (stored.clone(), self.shared.services.vault.clone());
        // A long journal, or a long computation, must not hold up what else the server does.
        let folding = tokio::task::spawn_blocking(move || fold(&folded, &plan, &secrets, &vault, events));
        folding.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}
