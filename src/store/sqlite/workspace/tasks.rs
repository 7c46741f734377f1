//! Tasks.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::{
    super::codec::{self, At, Id, Name, Named},
    plan::{self, Plan, Stop, invalid},
};
use crate::{
    incident::{
        ActivityKind, FieldChange, Incident, IncidentRef, Precondition, Rejected, ResourceName, Task, TaskStatus,
        Written, cut,
    },
    limits,
    store::StoreError,
};

const COLUMNS: &str = "incident, name, etag, status, created, created_by, modified, modified_by, title, description";

/// What a client may write of a task.
pub(super) struct Content<'a> {
    pub title: &'a str,
    pub description: Option<&'a str>,
    pub status: TaskStatus,
}

fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        incident: codec::count(row.get(0)?),
        name: row.get::<_, Named>(1)?.0,
        etag: row.get::<_, Id>(2)?.0,
        status: row.get::<_, Name<_>>(3)?.0,
        created: row.get::<_, At>(4)?.0,
        created_by: codec::from_json(row, 5)?,
        modified: row.get::<_, At>(6)?.0,
        modified_by: codec::from_json(row, 7)?,
        title: row.get(8)?,
        description: row.get(9)?,
    })
}

pub(super) fn get(connection: &Connection, incident: u64, name: &ResourceName) -> Result<Option<Task>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM task WHERE incident = ?1 AND name = ?2");
    let mut rows = connection.prepare_cached(&sql)?;
    Ok(rows.query_row(params![codec::int(incident), Named(name.clone())], task).optional()?)
}

/// How many an incident has.
pub(super) fn count(connection: &Connection, incident: u64) -> Result<u64, StoreError> {
    let mut rows = connection.prepare_cached("SELECT count(*) FROM task WHERE incident = ?1")?;
    Ok(rows.query_row([codec::int(incident)], |row| row.get(0)).map(codec::count)?)
}

/// All of an incident in the order they were made.
pub(super) fn all(connection: &Connection, incident: u64) -> Result<Vec<Task>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM task WHERE incident = ?1 ORDER BY created, id");
    Ok(connection.prepare_cached(&sql)?.query_map([codec::int(incident)], task)?.collect::<Result<_, _>>()?)
}

/// Those of this name, whatever their incident; two at most.
fn named(connection: &Connection, name: &ResourceName) -> Result<Vec<Task>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM task WHERE name = ?1 LIMIT 2");
    Ok(connection.prepare_cached(&sql)?.query_map([Named(name.clone())], task)?.collect::<Result<_, _>>()?)
}

pub(super) fn put(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    name: &ResourceName,
    content: &Content<'_>,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    let present = get(connection, before.number, name)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), name)?;
    let mut title = content.title.trim().to_owned();
    if title.is_empty() {
        return Err(invalid("A task needs a title."));
    }
    cut(&mut title, limits::TASK_TITLE_CHARS, "…");
    let mut description = content.description.filter(|text| !text.is_empty()).map(str::to_owned);
    description.iter_mut().for_each(|text| cut(text, limits::TASK_DESCRIPTION_CHARS, "…"));
    if present.is_none() && count(connection, before.number)? >= limits::TASKS as u64 {
        let most = limits::TASKS;
        return Err(invalid(format!("Incident {} has {most} tasks already; it can have no more.", before.name)));
    }
    let (etag, at, by) = (plan.write.etag, plan.at, plan.write.by.clone());
    let new = Task {
        incident: before.number,
        name: name.clone(),
        etag,
        title,
        description,
        status: content.status,
        created: at,
        created_by: by.clone(),
        modified: at,
        modified_by: by,
    };
    if let Some(present) = present {
        let after = Task {
            created: present.created,
            created_by: present.created_by.clone(),
            name: present.name.clone(),
            ..new
        };
        return Ok(changed(plan, before, &present, after));
    }
    let after = plan.touched(&before);
    plan.update(before, &after);
    let row = new.clone();
    plan.then(move |writing| insert(writing.connection, &row));
    plan.log(&after, ActivityKind::TaskAdded { task: new.name.clone(), title: new.title.clone() });
    Ok(Written::Task { incident: Box::new(after), task: new, created: true })
}

/// Sets the status. A task that has it already is not changed.
pub(super) fn set_status(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: Option<&IncidentRef>,
    name: &ResourceName,
    status: TaskStatus,
) -> Result<Written, Stop> {
    let found = match incident {
        Some(incident) => get(connection, plan::incident(connection, incident)?.number, name)?,
        None => {
            let mut found = named(connection, name)?;
            if found.len() > 1 {
                let message = format!("More than one incident has a task '{name}'; say which incident is meant.");
                return Err(Rejected::Conflict(message).into());
            }
            found.pop()
        }
    };
    let present = found.ok_or_else(|| Rejected::NotFound(name.to_string()))?;
    let before = plan::incident(connection, &IncidentRef::Number(present.incident))?;
    if present.status == status {
        return Ok(Written::Task { incident: Box::new(before), task: present, created: false });
    }
    let (etag, modified, modified_by) = (plan.write.etag, plan.at, plan.write.by.clone());
    let after = Task { status, etag, modified, modified_by, ..present.clone() };
    Ok(changed(plan, before, &present, after))
}

fn changed(plan: &mut Plan<'_>, incident: Incident, before: &Task, task: Task) -> Written {
    let after = plan.touched(&incident);
    plan.update(incident, &after);
    let row = task.clone();
    plan.then(move |writing| update(writing.connection, &row));
    let fields = [
        ("title", json!(before.title), json!(task.title)),
        ("description", json!(before.description), json!(task.description)),
        ("status", json!(before.status), json!(task.status)),
    ];
    let changes = fields.into_iter().filter(|(_, from, to)| from != to);
    let changes: Vec<_> = changes.map(|(field, from, to)| FieldChange { field: field.to_owned(), from, to }).collect();
    if !changes.is_empty() {
        let (name, title) = (task.name.clone(), task.title.clone());
        plan.log(&after, ActivityKind::TaskUpdated { task: name, title, changes });
    }
    Written::Task { incident: Box::new(after), task, created: false }
}

fn insert(connection: &Connection, task: &Task) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO task (incident, name, etag, status, created, created_by, modified, modified_by, title, \
             description) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            codec::int(task.incident),
            Named(task.name.clone()),
            Id(task.etag),
            Name(task.status),
            At(task.created),
            codec::to_json(&task.created_by)?,
            At(task.modified),
            codec::to_json(&task.modified_by)?,
            task.title,
            task.description,
        ])?;
    Ok(())
}

fn update(connection: &Connection, task: &Task) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE task SET etag = ?3, status = ?4, modified = ?5, modified_by = ?6, title = ?7, description = ?8 \
             WHERE incident = ?1 AND name = ?2",
        )?
        .execute(params![
            codec::int(task.incident),
            Named(task.name.clone()),
            Id(task.etag),
            Name(task.status),
            At(task.modified),
            codec::to_json(&task.modified_by)?,
            task.title,
            task.description,
        ])?;
    Ok(())
}

pub(super) fn delete(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    name: &ResourceName,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    let present = get(connection, before.number, name)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), name)?;
    let Some(task) = present else { return Ok(Written::Gone { existed: false }) };
    let after = plan.touched(&before);
    plan.update(before, &after);
    let (number, gone) = (codec::int(after.number), Named(task.name.clone()));
    plan.then(move |writing| {
        let sql = "DELETE FROM task WHERE incident = ?1 AND name = ?2";
        writing.connection.prepare_cached(sql)?.execute(params![number, gone])?;
        Ok(())
    });
    let Task { name, title, description, .. } = task;
    plan.log(&after, ActivityKind::TaskDeleted { task: name, title, description });
    Ok(Written::Gone { existed: true })
}
