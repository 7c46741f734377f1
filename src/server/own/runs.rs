//! Runs.

use axum::{http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::number;
use crate::{
    limits::{API_PAGE, API_PAGE_MOST},
    server::{
        ask::{Ask, bad_request, not_found},
        problem::{Problem, json},
        sentinel::{ListOf, link},
    },
    store::{
        RunId,
        query::RunFilter,
        run::{RunStatus, StoredRun},
    },
};

const BEFORE: &str = "before";

/// A run, with what became of each action once it has ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunShown {
    #[schemars(with = "String")]
    run: RunId,
    playbook: String,
    version: String,
    status: RunStatus,
    #[schemars(with = "String")]
    started: DateTime<Utc>,
    #[schemars(with = "Option<String>")]
    ended: Option<DateTime<Utc>>,
    #[schemars(with = "String")]
    event: Uuid,
    /// Which trigger started it.
    kind: String,
    /// The report in a few words.
    report: String,
    /// The number of the incident it made.
    incident: Option<u64>,
    /// `{code, message}`.
    error: Option<Value>,
    /// What became of each action; null until the run has ended.
    actions: Option<Value>,
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

/// GET `/api/runs/{run}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let run = found(&ask).await?;
    let shown = shown(&ask, run).await?;
    Ok(json(StatusCode::OK, &shown))
}

/// POST `/api/runs/{run}/cancel`: asks that it end. What an effect under way does still comes about.
pub async fn cancel(ask: Ask) -> Result<Response, Box<Problem>> {
    let run = found(&ask).await?;
    if run.ended.is_some() {
        let message = format!("Run {} has ended as {} already.", run.run, run.status.as_str());
        return Err(Problem::new(StatusCode::CONFLICT, "Conflict", "This was not done", message));
    }
    tracing::info!(run = %run.run, playbook = %run.playbook, by = ask.caller.actor.name(), "a run is cancelled");
    ask.site.door.engine.cancel(run.run);
    let shown = shown(&ask, run).await?;
    Ok(json(StatusCode::ACCEPTED, &shown))
}

async fn found(ask: &Ask) -> Result<StoredRun, Box<Problem>> {
    let text = ask.parameter("run");
    let missing = || not_found(text);
    let run = Uuid::try_parse(text).map_err(|_| missing())?;
    ask.store().load_run(run).await?.ok_or_else(missing)
}

async fn shown(ask: &Ask, run: StoredRun) -> Result<RunShown, Box<Problem>> {
    Ok(RunShown {
        incident: ask.store().incident_of_run(run.run).await?,
        run: run.run,
        playbook: run.playbook,
        version: run.version,
        status: run.status,
        started: run.started,
        ended: run.ended,
        event: run.event,
        kind: run.kind,
        report: run.summary,
        error: run.error,
        actions: run.actions,
    })
}
