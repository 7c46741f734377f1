//! Stored events: what a trigger saw, and the raw message it came as.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    blobs::{self, Blobs},
    codec::{self, At, Id, Opened},
    error,
};
use crate::store::{
    EventId, StoreError,
    mailbox::FeedName,
    query::{StoredEvent, StoredMessage},
};

pub(super) fn get(connection: &Connection, blobs: &Blobs, event: EventId) -> Result<Option<StoredEvent>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT f.connection, f.folder, e.kind, e.at, e.summary, e.resembles, e.outputs, e.body \
         FROM event e JOIN feed f ON f.id = e.feed WHERE e.id = ?1",
    )?;
    let stored = rows.query_row([Id(event)], |row| {
        let stored = StoredEvent {
            event,
            feed: FeedName { connection: row.get(0)?, folder: row.get(1)? },
            kind: row.get(2)?,
            at: row.get::<_, At>(3)?.0,
            summary: row.get(4)?,
            outputs: serde_json::Value::Null,
            resembles: row.get::<_, Option<Id>>(5)?.map(|Id(event)| event),
        };
        Ok((stored, row.get::<_, Option<Opened>>(6)?, row.get::<_, Option<i64>>(7)?))
    });
    let Some((mut stored, outputs, body)) = stored.optional()? else { return Ok(None) };
    let outputs = match body {
        Some(body) => blobs::load(connection, blobs, body)?.1,
        None => outputs.map(|Opened(outputs)| outputs).unwrap_or_default(),
    };
    stored.outputs = serde_json::from_slice(&outputs).map_err(error::damaged)?;
    Ok(Some(stored))
}

/// Events from `since` on, oldest first. Ids begin with the time, so that they come in this order.
pub(super) fn since(
    connection: &Connection,
    blobs: &Blobs,
    since: DateTime<Utc>,
    after: Option<EventId>,
    limit: usize,
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT id FROM event WHERE at >= ?1 AND (?2 IS NULL OR id > ?2) ORDER BY id LIMIT ?3")?;
    let ids = rows.query_map(params![At(since), after.map(Id), codec::limit(limit)], |row| row.get::<_, Id>(0))?;
    let mut events = Vec::new();
    for id in ids {
        events.extend(get(connection, blobs, id?.0)?);
    }
    Ok(events)
}

pub(super) fn message(
    connection: &Connection,
    blobs: &Blobs,
    event: EventId,
) -> Result<Option<StoredMessage>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT raw FROM event WHERE id = ?1 AND raw IS NOT NULL")?;
    let body: Option<i64> = rows.query_row([Id(event)], |row| row.get(0)).optional()?;
    let Some(body) = body else { return Ok(None) };
    let (digest, raw) = blobs::load(connection, blobs, body)?;
    Ok(Some(StoredMessage { sha256: hex::encode(digest), raw }))
}
