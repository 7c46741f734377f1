//! Runs that end, or stop, without being folded: nothing of theirs is performed.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{News, Plan, children, driver::Shared, fallback, roster::Inbox, run};
use crate::{
    action::RunInfo,
    metrics::RunLabels,
    store::{
        RunId, StoreError,
        run::{Finish, RunStatus, StoredRun},
    },
};

/// Stops a run that cannot be driven, so that a person sees it.
pub(super) async fn suspend(
    shared: &Arc<Shared>,
    stored: &StoredRun,
    code: &str,
    message: &str,
) -> Result<(), StoreError> {
    let error = json!({"code": code, "message": message});
    tracing::error!(run = %stored.run, playbook = %stored.playbook, code, message, "run suspended");
    close(shared, stored, RunStatus::Suspended, Some(&error), "[]", None).await
}

/// Cancels a run that waits or was suspended; its journal is not folded, because there is none or it cannot be.
pub(super) async fn cancel(shared: &Arc<Shared>, stored: &StoredRun) -> Result<(), StoreError> {
    let actions = stored.actions.as_ref().map_or_else(|| "[]".to_owned(), Value::to_string);
    close(shared, stored, RunStatus::Cancelled, stored.error.as_ref(), &actions, None).await
}

/// Ends a run whose playbook can make nothing of the report; none of its actions began.
pub(super) async fn fail(
    shared: &Arc<Shared>,
    plan: &Plan,
    stored: &StoredRun,
    error: &Value,
) -> Result<(), StoreError> {
    let info = run::info(stored);
    tracing::warn!(run = %stored.run, playbook = %stored.playbook, %error, "run failed at its trigger");
    close(shared, stored, RunStatus::Failed, Some(error), "[]", plan.playbook.fallback.then_some(&*info)).await
}

/// Ends a run that was not folded, with the fallback incident for what `report` says.
async fn close(
    shared: &Arc<Shared>,
    stored: &StoredRun,
    status: RunStatus,
    error: Option<&Value>,
    actions: &str,
    report: Option<&RunInfo>,
) -> Result<(), StoreError> {
    let (run, at) = (stored.run, shared.services.clock.now());
    let parent = children::parent(&run::info(stored), stored.origin.as_deref());
    let finish = || {
        let (error, actions) = (error.cloned(), Bytes::copy_from_slice(actions.as_bytes()));
        let fallback = report.and_then(|report| fallback::for_run(report, true, status, error.as_ref()));
        shared.services.store.finish(Finish { run, status, at, error, actions, fallback, note: None, parent })
    };
    if let Some(incident) = shared.patiently(finish).await? {
        shared.services.metrics.incidents.inc();
        shared.watchers.tell(run, &News::Incident(incident.number));
        tracing::info!(incident = incident.number, %run, playbook = %stored.playbook, "incident created");
    }
    let labels = RunLabels { playbook: stored.playbook.clone(), status: status.as_str() };
    shared.services.metrics.runs.get_or_create(&labels).inc();
    shared.watchers.tell(run, &News::Ended(status));
    if let Some(parent) = parent {
        shared.tell(parent);
    }
    shared.vacated(&stored.playbook).await;
    Ok(())
}

/// Suspends a run that the store cannot give back, or cancels it when somebody asked for that.
pub(super) async fn unreadable(
    shared: &Arc<Shared>,
    inbox: &Inbox,
    run: RunId,
    fault: StoreError,
) -> Result<(), StoreError> {
    tracing::error!(%run, error = %fault, "a run cannot be read; it is suspended");
    let status = if inbox.is_cancelled() { RunStatus::Cancelled } else { RunStatus::Suspended };
    let at = shared.services.clock.now();
    let finish = || {
        let error = Some(json!({"code": "JournalUnreadable", "message": fault.to_string()}));
        let actions = Bytes::from_static(b"[]");
        shared.services.store.finish(Finish {
            run,
            status,
            at,
            error,
            actions,
            fallback: None,
            note: None,
            parent: None,
        })
    };
    shared.patiently(finish).await?;
    shared.watchers.tell(run, &News::Ended(status));
    Ok(())
}
