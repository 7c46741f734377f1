//! A run as its journal has it, up to any point: nothing is performed.

use std::sync::Arc;

use super::{
    Earlier, Engine, Event, Machine, Plan, Secrets,
    journal::{self, JournalError},
    run,
};
use crate::{
    secret::Vault,
    store::{RunId, StoreError, run::StoredRun},
};

/// A run after one of its events.
pub struct Past {
    pub machine: Machine,
    /// The last event it has seen; `None` when it has only begun.
    pub last: Option<Event>,
}

/// Folds the first `events` events of a run's journal; all of them when there are fewer. Beyond the journal, what follows
/// without another event is taken along.
///
/// # Errors
/// When the journal, or what is kept of a run that this one repeats, cannot be read.
pub fn fold(
    stored: &StoredRun,
    plan: &Arc<Plan>,
    secrets: Arc<Secrets>,
    vault: &Vault,
    events: usize,
) -> Result<Past, JournalError> {
    let earlier = earlier(stored, vault)?;
    let (mut machine, _) = run::start(plan, stored, run::info(stored), secrets, earlier);
    let mut last = None;
    for bytes in stored.journal.iter().take(events) {
        let event = journal::decode(bytes, vault, stored.run)?;
        machine.apply(event.clone());
        last = Some(event);
    }
    while machine.is_paused() {
        machine.go_on();
    }
    Ok(Past { machine, last })
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
    pub async fn past(&self, id: RunId, events: usize) -> Result<Option<(StoredRun, Past)>, StoreError> {
        let services = &self.shared.services;
        let Some(stored) = services.store.load_run(id).await? else { return Ok(None) };
        let past = self.fold(&stored, events).await?;
        Ok(Some((stored, past)))
    }

    /// The same of a run that is at hand.
    ///
    /// # Errors
    /// As [`Engine::past`]'s.
    pub async fn fold(&self, stored: &StoredRun, events: usize) -> Result<Past, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Failed(format!("run {}: {error}", stored.run).into());
        let plan = self.shared.versions.plan(&stored.version).await.map_err(|error| failed(&error))?;
        let secrets = self.shared.versions.secrets(&plan);
        fold(stored, &plan, secrets, &self.shared.services.vault, events).map_err(|error| failed(&error))
    }
}
