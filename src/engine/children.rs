//! Runs that steps of other runs start.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Begin, Engine, Step, Wish,
    admission::{self, Arrival},
    driver::Shared,
};
use crate::{
    action::{CAUSES, Child, ErrorInfo, Identity, Outcome, RunInfo},
    incident::Actor,
    limits,
    playbook::{ActionStatus, Trigger},
    store::{
        RunId, StoreError,
        intake::{Intake, Report, Uniqueness, Verdict},
        mailbox::FeedName,
        resubmission::{Beginning, Origin},
        run::{RunState, RunStatus},
    },
};

/// The connection under which such events stand in the history.
const CONNECTION: &str = "run_playbook";
/// The trigger kind it comes as.
const KIND: &str = "manual";
/// The member of a child's trigger outputs that tells where it comes from.
const STARTED_BY: &str = "startedBy";

/// The run whose step started this one, or had it repeat another.
pub(super) fn parent(info: &RunInfo, origin: Option<&Origin>) -> Option<RunId> {
    if let Some(Actor::Playbook { run, .. }) = origin.map(|origin| &origin.by) {
        return Some(*run);
    }
    info.outputs.get(STARTED_BY)?.get("run")?.as_str()?.parse().ok()
}

/// Begins the run that a step of `info` asks for, or finds it when it was begun before: it is the same one however often
/// this is called, by this process or the next.
///
/// # Errors
/// When the store cannot take it; inside, what to end the step with when there is no such playbook.
pub(super) async fn begin(
    shared: &Arc<Shared>,
    info: &RunInfo,
    step: &Step,
    child: &Child,
) -> Result<Result<RunId, Box<Outcome>>, StoreError> {
    let refused = |code: &str, message: String| Ok(Err(Box::new(Outcome::failed(code, message))));
    let Some(live) = shared.library.find(&child.playbook) else {
        return refused("PlaybookNotFound", format!("There is no playbook '{}'.", child.playbook));
    };
    if !matches!(live.playbook.trigger, Trigger::Manual) {
        let (name, kind) = (&live.playbook.name, live.playbook.trigger.kind());
        let message =
            format!("The playbook '{name}' has a {kind} trigger; only one with a manual trigger can be started.");
        return refused("PlaybookNotStartable", message);
    }
    let depth = info.outputs.get(STARTED_BY).and_then(|by| by.get("depth")?.as_u64()).unwrap_or(0) + 1;
    if depth > limits::CHILD_DEPTH {
        let most = limits::CHILD_DEPTH;
        return refused("PlaybooksTooDeep", format!("Playbooks start one another {most} deep at most."));
    }
    let outputs = json!({
        "body": child.body,
        STARTED_BY: {"run": info.run, "playbook": info.playbook, "step": step, "depth": depth},
        CAUSES: info.causes(),
    });
    let outputs: Arc<str> = outputs.to_string().into();
    let identity = Identity::of(info.effects, &step.to_string());
    let feed = FeedName { connection: CONNECTION.into(), folder: live.playbook.name.clone() };
    let accept = || async {
        let at = shared.services.clock.now();
        let event = Uuid::now_v7();
        let arrival = Arrival { kind: KIND, event, outputs: &outputs, at };
        let report = Report {
            event,
            kind: KIND,
            uniqueness: Uniqueness::Key(hex::encode(identity.bytes())),
            summary: format!("started by {} in run {}", info.playbook, info.run),
            outputs: outputs.clone(),
            raw: None,
            playbooks: vec![admission::decide(&live, &arrival)?],
            mail_tasks: Vec::new(),
            skipped: None,
        };
        let intake = Intake { feed: feed.clone(), reports: vec![report], cursor: None, at };
        shared.services.store.accept(intake).await
    };
    match shared.patiently(accept).await?.into_iter().next() {
        Some(Verdict::Accepted { runs, .. }) if !runs.is_empty() => {
            let engine = Engine { shared: shared.clone() };
            for started in runs.iter().filter(|started| !started.waiting) {
                engine.begin(Begin::Stored(started.run));
            }
            if runs.iter().any(|started| started.waiting) {
                engine.waits(&live.playbook.name, live.playbook.admission.concurrency).await;
            }
            let run = runs[0].run;
            tracing::info!(%run, playbook = live.playbook.name, parent = %info.run, "run started by another");
            Ok(Ok(run))
        }
        // Its own, begun before; one that the repeated run had started is older than this run.
        Some(Verdict::Duplicate { run: Some(run), .. }) if info.effects == info.run || run > info.run => Ok(Ok(run)),
        Some(Verdict::Duplicate { run: Some(run), .. }) => Ok(Ok(again(shared, info, step, run).await?)),
        Some(Verdict::Skipped { because }) => refused("PlaybookNotStarted", because),
        _ => refused("PlaybookNotStarted", format!("The playbook '{}' was not started.", child.playbook)),
    }
}

/// The run that is waited for in place of `run`, which the run that `info` repeats had started: the last that repeats it,
/// and where that did not end well, one that does again what failed in it.
async fn again(shared: &Arc<Shared>, info: &RunInfo, step: &Step, run: RunId) -> Result<RunId, StoreError> {
    let store = &shared.services.store;
    // Those opened since are this step's own, or somebody else's wish.
    let last = shared.patiently(|| store.newest_resubmission(run, info.run)).await?;
    let state = shared.patiently(|| store.run_state(last)).await?;
    let failed = [RunStatus::Failed, RunStatus::TimedOut, RunStatus::Cancelled];
    if state.is_none_or(|state| !failed.contains(&state.status)) {
        return Ok(last);
    }
    let engine = Engine { shared: shared.clone() };
    let wish = || Wish {
        of: last,
        from: Beginning::Failure,
        current_version: false,
        by: info.actor(),
        key: Some(format!("{}/{step}", info.run)),
    };
    Ok(match shared.patiently(|| engine.resubmit(wish())).await? {
        Ok(repeated) => repeated.run,
        Err(refused) => {
            tracing::warn!(run = %info.run, %step, child = %last, %refused, "a run that a step started is not repeated");
            last
        }
    })
}

/// What a step that waits ends with when the other run was deleted meanwhile.
pub(super) fn gone(run: RunId) -> Outcome {
    Outcome::failed("PlaybookNotStarted", format!("The run {run} it had started is kept no longer."))
}

/// What a step that waits ends with; `None` while the other run goes on.
pub(super) fn outcome(run: RunId, state: RunState) -> Option<Outcome> {
    let RunState { status, error, reply } = state;
    let failed = |status: ActionStatus, code: &str, outputs: Value| {
        let part = |name: &str| error.as_ref()?.get(name)?.as_str();
        let message = part("message").map_or_else(String::new, |message| format!(": {message}"));
        let error = ErrorInfo {
            code: part("code").unwrap_or(code).to_owned(),
            message: format!("The run {run} it started ended {}{message}", self::shown(status)),
        };
        Outcome { status, error: Some(error), ..Outcome::failed(code, "").with_outputs(outputs) }
    };
    if let Some(reply) = reply {
        let is_fault = reply.get("statusCode").and_then(Value::as_u64).is_some_and(|code| code >= 400);
        return Some(if is_fault {
            let code = "ActionFailed";
            Outcome::failed(code, format!("The run {run} it started answered with a fault.")).with_outputs(reply)
        } else {
            Outcome::succeeded(reply)
        });
    }
    let outputs = json!({"body": {"run": run, "status": status.as_str()}});
    match status {
        RunStatus::Succeeded => Some(Outcome::succeeded(outputs)),
        RunStatus::Failed => Some(failed(ActionStatus::Failed, "ActionFailed", outputs)),
        RunStatus::TimedOut => Some(failed(ActionStatus::TimedOut, "ActionTimedOut", outputs)),
        RunStatus::Cancelled => Some(failed(ActionStatus::Failed, "Cancelled", outputs)),
        _ => None,
    }
}

fn shown(status: ActionStatus) -> &'static str {
    if status == ActionStatus::TimedOut { "timed out" } else { "without success" }
}
