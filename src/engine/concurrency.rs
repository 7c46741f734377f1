//! Runs that wait because their playbook's `concurrency` limit is reached, and when they begin: as soon as another one
//! ends, when the limit changes, and after a start. The limit is the one in force, whatever version a run follows.

use std::sync::Arc;

use super::{Begin, Engine, driver::Shared};
use crate::{limits, playbook::Concurrency, store::StoreError};

impl Engine {
    /// Tells that a run was opened to wait under `limit`. Should that be the limit no more, the run begins as the one in
    /// force allows; otherwise it begins when another one ends.
    pub async fn waits(&self, playbook: &str, limit: Option<Concurrency>) {
        if self.shared.limit(playbook) != limit {
            self.shared.promote(playbook).await;
        }
    }
}

impl Shared {
    /// How many runs of a playbook there may be at once, by the version in force.
    fn limit(&self, playbook: &str) -> Option<Concurrency> {
        let library = self.library.current();
        let live = library.iter().find(|live| live.playbook.name.eq_ignore_ascii_case(playbook))?;
        live.playbook.admission.concurrency
    }

    /// A run ended, or a person has to look at it: another one may begin.
    pub(super) async fn vacated(self: &Arc<Self>, playbook: &str) {
        if self.limit(playbook).is_some() {
            self.promote(playbook).await;
        }
    }

    /// Begins as many waiting runs of a playbook as there is room for.
    async fn promote(self: &Arc<Self>, playbook: &str) {
        if let Err(error) = self.try_promote(playbook).await {
            // They stay waiting on disk; the next end of a run, edit or start tries again.
            tracing::error!(playbook, %error, "waiting runs cannot begin");
        }
    }

    async fn try_promote(self: &Arc<Self>, playbook: &str) -> Result<(), StoreError> {
        let promote = || {
            let runs = self.limit(playbook).map(|limit| limit.runs);
            self.services.store.promote(playbook, runs, self.services.clock.now())
        };
        let promoted = self.patiently(promote).await?;
        let engine = Engine { shared: self.clone() };
        promoted.into_iter().for_each(|run| engine.begin(Begin::Stored(run)));
        Ok(())
    }

    /// The same for every playbook that has a limit or runs that wait.
    pub(super) async fn promote_all(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut playbooks = self.patiently(|| self.services.store.playbooks_waiting()).await?;
        for live in self.library.current().iter() {
            let name = &live.playbook.name;
            if live.playbook.admission.concurrency.is_some() && !playbooks.iter().any(|p| p.eq_ignore_ascii_case(name))
            {
                playbooks.push(name.clone());
            }
        }
        for playbook in playbooks {
            self.try_promote(&playbook).await?;
        }
        Ok(())
    }
}

/// Follows the limits in force until Larum stops.
pub(super) async fn serve(shared: Arc<Shared>) {
    let mut library = shared.library.watch();
    let mut draining = shared.draining.subscribe();
    loop {
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => return,
            changed = library.changed() => if changed.is_err() { return },
        }
        while let Err(error) = shared.promote_all().await {
            if shared.is_draining() {
                return;
            }
            tracing::error!(%error, "waiting runs cannot be looked at; trying again");
            tokio::time::sleep(limits::STORE_RETRY).await;
        }
    }
}
