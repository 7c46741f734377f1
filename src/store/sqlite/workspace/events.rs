//! Events of the workspace: kept while somebody listens, dealt with exactly once.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row, params};

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
    incident::{ActivityKind, Actor, Causes, Incident},
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
    Ok(rows.query_map([codec::limit(limit)], event)?.collect::<Result<_, _>>()?)
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
            let written = writes.iter().map(|write| perform(writing, write)).collect::<Result<_, _>>()?;
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

/// Forgets an event; `false` when it was forgotten before.
fn take(writing: &Writing<'_>, seq: i64) -> Result<bool, StoreError> {
    let sql = "DELETE FROM workspace_event WHERE seq = ?1";
    Ok(writing.connection.prepare_cached(sql)?.execute([seq])? > 0)
}
