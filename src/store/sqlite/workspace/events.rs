//! Events of the workspace: kept while somebody listens, dealt with exactly once.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{
    super::{
        SqliteStore,
        codec::{self, At, Named},
        intake,
        writer::Writing,
    },
    writing::perform,
};
use crate::{
    incident::{ActivityKind, Actor, Cause, Causes, Change, Incident, Rejected, Write, Written},
    store::{
        StoreError,
        incidents::{Settled, Settlement, Subject, WorkspaceEvent},
    },
};

/// Keeps an event.
pub(super) fn add(
    writing: &Writing<'_>,
    at: DateTime<Utc>,
    by: &Actor,
    causes: &Causes,
    subject: &Subject,
) -> Result<(), StoreError> {
    let (alert, incident, what) = match subject {
        Subject::Alert { alert } => (Some(Named(alert.clone())), None, None),
        Subject::Incident { incident, what } => (None, Some(codec::to_dense(incident)?), Some(codec::to_dense(what)?)),
        // Only reading makes these.
        Subject::Unreadable { because, .. } => return Err(StoreError::Failed(because.as_str().into())),
    };
    writing
        .connection
        .prepare_cached(
            "INSERT INTO workspace_event (at, by, causes, alert, incident, what) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![At(at), codec::to_json(by)?, codec::to_json(causes)?, alert, incident, what])?;
    writing.bell.pull();
    Ok(())
}

/// Tells those who listen that an incident was created.
pub(in super::super) fn tell_created(
    writing: &Writing<'_>,
    incident: &Incident,
    causes: &Causes,
) -> Result<(), StoreError> {
    if !writing.bell.listens() {
        return Ok(());
    }
    let subject = Subject::Incident { incident: Box::new(incident.clone()), what: ActivityKind::Created };
    add(writing, incident.created, &incident.created_by, causes, &subject)
}

/// Those that were not dealt with yet, oldest first.
pub(super) fn list(connection: &Connection, limit: usize) -> Result<Vec<WorkspaceEvent>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT seq, at, by, causes, alert, incident, what FROM workspace_event ORDER BY seq LIMIT ?1",
    )?;
    let readable = |row: &Row<'_>| event(row).or_else(|error| unreadable(row, &error));
    Ok(rows.query_map([codec::limit(limit)], readable)?.collect::<Result<_, _>>()?)
}

/// An event that cannot be read keeps no other from being dealt with.
fn unreadable(row: &Row<'_>, error: &rusqlite::Error) -> rusqlite::Result<WorkspaceEvent> {
    let incident = codec::dense_json::<serde_json::Value>(row, 5).ok().flatten();
    let incident = incident.and_then(|incident| incident.get("number")?.as_u64());
    Ok(WorkspaceEvent {
        seq: row.get(0)?,
        at: row.get::<_, At>(1).map_or(DateTime::UNIX_EPOCH, |At(at)| at),
        by: Actor::Larum,
        causes: Causes::new(),
        subject: Subject::Unreadable { incident, because: error.to_string() },
    })
}

fn event(row: &Row<'_>) -> rusqlite::Result<WorkspaceEvent> {
    let subject = match (codec::dense_json(row, 5)?, codec::dense_json(row, 6)?) {
        (Some(incident), Some(what)) => Subject::Incident { incident, what },
        _ => Subject::Alert { alert: row.get::<_, Named>(4)?.0 },
    };
    Ok(WorkspaceEvent {
        seq: row.get(0)?,
        at: row.get::<_, At>(1)?.0,
        by: codec::from_json(row, 2)?,
        causes: codec::from_json(row, 3)?,
        subject,
    })
}

/// Deals with an event in one transaction, unless that was done before.
pub(super) async fn settle(store: &SqliteStore, settlement: Settlement) -> Result<Option<Settled>, StoreError> {
    let Settlement { seq, writes, intake } = settlement;
    let intake = match intake {
        Some(intake) => Some(store.pack_intake(intake).await?),
        None => None,
    };
    // What is packed comes back, so that its files stay pinned until the commit.
    let work = move |writing: &mut Writing<'_>| {
        let settled = if take(writing, seq)? {
            let written = writes.iter().map(|write| told(writing, write)).collect::<Result<_, _>>()?;
            let verdicts = match &intake {
                Some((intake, reports)) => intake::accept(writing, intake, reports)?,
                None => Vec::new(),
            };
            Some(Settled { written, verdicts })
        } else {
            None
        };
        Ok((settled, intake))
    };
    store.write(work).await.map(|(settled, _)| settled)
}

/// Does what a rule wants. When that is rejected, the incident's log says so in the same transaction.
fn told(writing: &mut Writing<'_>, write: &Write) -> Result<Result<Written, Rejected>, StoreError> {
    let written = perform(writing, write)?;
    if let (Err(rejected), Actor::Rule { rule, .. }) = (&written, &write.by)
        && let Change::PatchIncident { incident, .. } | Change::PutTask { incident, .. } = &write.change
    {
        let change = Change::NoteNotStarted {
            incident: incident.clone(),
            name: Cause::Rule(rule.clone()).to_string(),
            because: format!("what it wanted was not done: {rejected}"),
        };
        // An incident that is gone has a log of its own end.
        let _ = perform(writing, &Write { etag: Uuid::new_v4(), change, ..write.clone() })?;
    }
    Ok(written)
}

/// Forgets an event; `false` when it was forgotten before.
fn take(writing: &Writing<'_>, seq: i64) -> Result<bool, StoreError> {
    let sql = "DELETE FROM workspace_event WHERE seq = ?1";
    Ok(writing.connection.prepare_cached(sql)?.execute([seq])? > 0)
}
