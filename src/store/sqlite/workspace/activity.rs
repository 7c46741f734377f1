//! The activity log.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::codec::{self, At};
use crate::{
    incident::{Activity, ActivityKind, Actor},
    store::StoreError,
};

/// Adds an entry.
pub(super) fn add(
    connection: &Connection,
    incident: u64,
    at: DateTime<Utc>,
    by: &Actor,
    what: &ActivityKind,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO activity (incident, at, by, what) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![codec::int(incident), At(at), codec::to_json(by)?, codec::to_dense(what)?])?;
    Ok(())
}

/// An incident's log, oldest first. The creation has no row of its own.
pub(super) fn list(
    connection: &Connection,
    incident: u64,
    after: Option<i64>,
    limit: usize,
) -> Result<Vec<Activity>, StoreError> {
    let mut log = match after {
        None => creation(connection, incident)?.into_iter().take(limit).collect(),
        Some(_) => Vec::new(),
    };
    let mut rows = connection
        .prepare_cached("SELECT id, at, by, what FROM activity WHERE incident = ?1 AND id > ?2 ORDER BY id LIMIT ?3")?;
    let after = after.unwrap_or_default();
    let rows = rows.query_map(params![codec::int(incident), after, codec::limit(limit - log.len())], |row| {
        let what = codec::dense_json(row, 3)?.unwrap_or(ActivityKind::Created);
        Ok(Activity { id: row.get(0)?, incident, at: row.get::<_, At>(1)?.0, by: codec::from_json(row, 2)?, what })
    })?;
    for entry in rows {
        log.push(entry?);
    }
    Ok(log)
}

/// What the incident, or what is left of it, says of its creation.
fn creation(connection: &Connection, number: u64) -> Result<Option<Activity>, StoreError> {
    let of = |at, by| Activity { id: 0, incident: number, at, by, what: ActivityKind::Created };
    if let Some(incident) = super::incidents::get(connection, number)? {
        return Ok(Some(of(incident.created, incident.created_by)));
    }
    let mut gone = connection.prepare_cached("SELECT created, created_by FROM incident_gone WHERE number = ?1")?;
    let gone = gone
        .query_row([codec::int(number)], |row| Ok(of(row.get::<_, At>(0)?.0, codec::from_json(row, 1)?)))
        .optional()?;
    Ok(gone)
}
