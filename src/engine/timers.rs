//! Wakes runs that left memory until a time came.

use std::{sync::Arc, time::Duration};

use super::{Begin, Engine, driver::Shared};
use crate::limits;

/// Timers looked at together.
const PAGE: usize = 2 * limits::ACTIVE_RUNS;
/// How long due timers whose runs are driven already are left alone; a run deletes its timers with its next event.
const SETTLE: Duration = Duration::from_millis(50);

/// Runs until Larum stops.
pub(super) async fn serve(shared: Arc<Shared>) {
    let (store, clock) = (shared.services.store.clone(), shared.services.clock.clone());
    let mut draining = shared.draining.subscribe();
    let engine = Engine { shared: shared.clone() };
    loop {
        let next = match shared.patiently(|| store.next_timer()).await {
            Ok(next) => next,
            Err(error) if shared.is_draining() => {
                tracing::debug!(%error, "timers stop");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "timers cannot be read; trying again");
                tokio::time::sleep(limits::STORE_RETRY).await;
                continue;
            }
        };
        let due = async {
            match next {
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => return,
            () = shared.nudge.notified() => continue,
            () = due => {}
        }
        let Ok(due) = shared.patiently(|| store.due_timers(clock.now(), PAGE)).await else {
            tokio::time::sleep(limits::STORE_RETRY).await;
            continue;
        };
        due.iter().for_each(|timer| engine.begin(Begin::Stored(timer.run)));
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => return,
            () = tokio::time::sleep(SETTLE) => {}
        }
    }
}
