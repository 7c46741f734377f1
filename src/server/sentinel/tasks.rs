//! The tasks of an incident.

use axum::{http::StatusCode, response::Response};

use super::{
    body::{Envelope, TaskWrite},
    incidents::{found, missing, named},
    list::whole,
};
use crate::{
    incident::{Change, IncidentRef, Written, within},
    limits::{TASK_DESCRIPTION_CHARS, TASK_TITLE_CHARS},
    server::{
        ask::{Ask, gone, not_found, put, unexpected},
        own::incidents::refused,
        problem::{Problem, json},
    },
};

/// GET `/incidents/{incident}/tasks`, in the order they were made.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let incident = found(&ask).await?;
    let tasks = ask.store().tasks(&IncidentRef::Number(incident.number)).await?;
    let tasks = tasks.ok_or_else(|| missing(&ask))?;
    Ok(whole(&tasks, |task| task.to_resource(&incident.name, ask.workspace())))
}

/// GET `/incidents/{incident}/tasks/{task}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let (incident, name) = (found(&ask).await?, ask.name("task")?);
    let task = ask.store().task(&IncidentRef::Number(incident.number), &name).await?;
    let task = task.ok_or_else(|| not_found(name))?;
    Ok(json(StatusCode::OK, &task.resource(&incident.name, ask.workspace())))
}

/// PUT `/incidents/{incident}/tasks/{task}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let (incident, name) = (named(&ask)?, ask.name("task")?);
    let Envelope { etag, properties } = ask.json::<Envelope<TaskWrite>>().await?;
    let TaskWrite { title, description, status } = properties;
    within("title", Some(&title), TASK_TITLE_CHARS).map_err(refused)?;
    within("description", description.as_ref(), TASK_DESCRIPTION_CHARS).map_err(refused)?;
    let precondition = ask.precondition(etag);
    let change = Change::PutTask { incident, name, title, description, status, precondition };
    match ask.change(change).await? {
        Written::Task { incident, task, created } => Ok(put(created, &task.resource(&incident.name, ask.workspace()))),
        _ => Err(unexpected()),
    }
}

/// DELETE `/incidents/{incident}/tasks/{task}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let change =
        Change::DeleteTask { incident: named(&ask)?, name: ask.name("task")?, precondition: ask.precondition(None) };
    Ok(gone(&ask.change(change).await?))
}
