//! Runs.

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::number;
use crate::{
    engine::{Refused, RunHistory, Wish},
    limits::{API_PAGE, API_PAGE_MOST},
    server::{
        ask::{Ask, bad_request, not_found},
        problem::{Problem, json},
        request::{BUSY_RETRY, idempotency_key},
        sentinel::{ListOf, link},
    },
    store::{
        RunId,
        query::RunFilter,
        resubmission::{Beginning, Resumed},
        run::{RunStatus, StoredRun},
    },
};

const BEFORE: &str = "before";
const TITLE: &str = "This was not done";

/// How a run is to be repeated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
pub struct Resubmit {
    /// From its report, which is the default, or from where it failed: then what succeeded is kept.
    #[serde(default = "event")]
    from: Beginning,
    /// Whether the new run follows the playbook's version in force instead of the old run's own.
    #[serde(default)]
    current_version: bool,
}

fn event() -> Beginning {
    Beginning::Event
}

/// A run that repeats another one.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resubmitted {
    #[schemars(with = "String")]
    run: RunId,
    #[schemars(with = "String")]
    resubmit_of: RunId,
    playbook: String,
    version: String,
    /// What whoever asked should know: an action that may have taken effect is performed again.
    warnings: Vec<String>,
}

/// GET `/api/runs`, newest first.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let limit = number(&ask, "limit", API_PAGE, API_PAGE_MOST)?;
    let status = ask.query("status").map(|text| {
        let names: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
        let wrong = || bad_request(format!("'{text}' is not a status; it must be one of {}.", names.join(", ")));
        RunStatus::parse(text).ok_or_else(wrong)
    });
    let before = ask.query(BEFORE).map(|text| {
        Uuid::try_parse(text)
            .map_err(|_| bad_request(format!("The query parameter before must be a run's id, not '{text}'.")))
    });
    let filter = RunFilter {
        status: status.transpose()?,
        playbook: ask.query("playbook").map(str::to_owned),
        before: before.transpose()?,
        limit,
    };
    let runs = ask.store().runs(filter).await?;
    let last = runs.last().filter(|_| runs.len() == limit).map(|run| run.run.to_string());
    let next_link = last.map(|run| link(&ask, BEFORE, &run));
    Ok(json(StatusCode::OK, &ListOf { value: runs, next_link }))
}

/// GET `/api/runs/{run}`: as it is, or as it stood after an event of its journal.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let run = Arc::new(found(&ask).await?);
    let at = ask.query("at").map(|text| {
        let events = run.journal.len();
        let number = text.parse::<usize>().ok().filter(|number| *number <= events);
        number.ok_or_else(|| {
            bad_request(format!(
                "The query parameter at must be a number from 0 to {events}, the events in the run's journal, not '{text}'."
            ))
        })
    });
    let at = at.transpose()?;
    let mut history = RunHistory::read(ask.store(), &run).await?;
    if let Some(events) = history.to_fold(at) {
        match ask.site.door.engine.fold(&run, events).await {
            Ok(past) => history.stood(&past, events),
            Err(error) if at.is_some() => return Err(conflict(format!("Its journal cannot be followed: {error}."))),
            Err(error) => history.fault = Some(error.to_string()),
        }
    }
    Ok(json(StatusCode::OK, &history))
}

/// POST `/api/runs/{run}/cancel`: asks that it end. What an effect under way does still comes about.
pub async fn cancel(ask: Ask) -> Result<Response, Box<Problem>> {
    let run = found(&ask).await?;
    if run.ended.is_some() {
        return Err(conflict(format!("Run {} has ended as {} already.", run.run, run.status.as_str())));
    }
    tracing::info!(run = %run.run, playbook = %run.playbook, by = ask.caller.actor.name(), "a run is cancelled");
    ask.site.door.engine.cancel(run.run);
    let history = RunHistory::read(ask.store(), &run).await?;
    Ok(json(StatusCode::ACCEPTED, &history))
}

/// POST `/api/runs/{run}/resume`: lets a suspended run go on.
pub async fn resume(ask: Ask) -> Result<Response, Box<Problem>> {
    let run = found(&ask).await?;
    tracing::info!(run = %run.run, playbook = %run.playbook, by = ask.caller.actor.name(), "a run is resumed");
    match ask.site.door.engine.resume(&run).await? {
        Resumed::GoesOn => {}
        Resumed::NotSuspended => {
            let message = format!("Run {} is not suspended; it is {}.", run.run, run.status.as_str());
            return Err(conflict(message));
        }
        Resumed::Busy { because } => {
            let message = format!("Playbook '{}' has no room for run {} just now: {because}.", run.playbook, run.run);
            return Err(busy(message));
        }
    }
    let history = RunHistory::read(ask.store(), &found(&ask).await?).await?;
    Ok(json(StatusCode::ACCEPTED, &history))
}

/// POST `/api/runs/{run}/resubmit`: repeats a run that has ended. With an `Idempotency-Key`, asking twice makes one run.
pub async fn resubmit(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let Resubmit { from, current_version } = ask.json().await?;
    let of = id(&ask)?;
    let key = idempotency_key(&ask.headers)?.map(str::to_owned);
    let wish = Wish { of, from, current_version, by: ask.caller.actor.clone(), key };
    let repeated = match ask.site.door.engine.resubmit(wish).await? {
        Ok(repeated) => repeated,
        Err(Refused::NoRun(_)) => return Err(not_found(of)),
        Err(refused @ Refused::Busy { .. }) => return Err(busy(sentence(&refused))),
        Err(refused) => return Err(conflict(sentence(&refused))),
    };
    if !repeated.already {
        let (run, playbook, by) = (repeated.run, &repeated.playbook, ask.caller.actor.name());
        tracing::info!(%run, %playbook, %of, from = from.as_str(), by, "a run is repeated");
    }
    let status = if repeated.already { StatusCode::OK } else { StatusCode::CREATED };
    let shown = Resubmitted {
        run: repeated.run,
        resubmit_of: of,
        playbook: repeated.playbook,
        version: repeated.version,
        warnings: repeated.warnings,
    };
    Ok(json(status, &shown))
}

/// 409.
fn conflict(message: String) -> Box<Problem> {
    Problem::new(StatusCode::CONFLICT, "Conflict", TITLE, message)
}

/// 429: asked for later, it may be done.
fn busy(message: String) -> Box<Problem> {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", TITLE, message).retry_after(BUSY_RETRY)
}

/// What it says, as a sentence.
fn sentence(refused: &Refused) -> String {
    let text = refused.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).chain(['.']).collect()).unwrap_or_default()
}

fn id(ask: &Ask) -> Result<RunId, Box<Problem>> {
    let text = ask.parameter("run");
    Uuid::try_parse(text).map_err(|_| not_found(text))
}

async fn found(ask: &Ask) -> Result<StoredRun, Box<Problem>> {
    let run = id(ask)?;
    ask.store().load_run(run).await?.ok_or_else(|| not_found(run))
}
