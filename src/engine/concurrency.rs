//! Runs that wait because their playbook's `concurrency` limit is reached, and when they begin: as soon as another one
//! ends, when the limit changes, and after a start. The limit is the one in force, whatever version a run follows.

use std::sync::Arc;

use serde_json::json;

use super::{Begin, Engine, News, children, driver::Shared, run};
use crate::{
    limits,
    playbook::{Concurrency, Overflow},
    store::{StoreError, run::RunStatus},
};

impl Engine {
    /// Tells that a run was opened to wait under `limit`. Should that be the limit no more, the run begins as the one in
    /// force allows; otherwise it begins when another one ends. What has waited longest is dropped where the limit wants it.
    pub async fn waits(&self, playbook: &str, limit: Option<Concurrency>) {
        let in_force = self.shared.limit(playbook);
        if in_force != limit {
            self.shared.promote(playbook).await;
        } else if let Err(error) = self.shared.drop_oldest(playbook, in_force).await {
            tracing::error!(playbook, %error, "runs that waited longest cannot be dropped; the next report tries again");
        }
    }
}

impl Shared {
    /// How many runs of a playbook there may be at once, by the version in force.
    pub(super) fn limit(&self, playbook: &str) -> Option<Concurrency> {
        self.library.find(playbook)?.playbook.admission.concurrency
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
        self.drop_oldest(playbook, self.limit(playbook)).await
    }

    /// Cancels the runs that waited longest, where there are more than may and the limit wants that.
    async fn drop_oldest(self: &Arc<Self>, playbook: &str, limit: Option<Concurrency>) -> Result<(), StoreError> {
        let Some(Concurrency { overflow: Overflow::DropOldest { waiting }, .. }) = limit else { return Ok(()) };
        let store = &self.services.store;
        for run in self.patiently(|| store.waiting_beyond(playbook, waiting)).await? {
            let Some(stored) = self.patiently(|| store.load_run(run)).await? else { continue };
            let parent = children::parent(&run::info(&stored), stored.origin.as_deref());
            let message = format!("More than {waiting} runs waited, and this one had waited longest.");
            let error = json!({"code": "Dropped", "message": message});
            let at = self.services.clock.now();
            // It may have begun meanwhile; then it is not one that waits.
            if self.patiently(|| store.drop_waiting(run, error.clone(), parent, at)).await? {
                tracing::warn!(%run, playbook, "run dropped: too many wait");
                self.watchers.tell(run, &News::Ended(RunStatus::Cancelled));
                if let Some(parent) = parent {
                    self.tell(parent);
                }
            }
        }
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
