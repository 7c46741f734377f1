//! Retention: what ended long ago goes, in portions, so that intake never waits for it.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    blobs,
    codec::{At, Id},
    writer::Writing,
};
use crate::store::{EventId, RunId, StoreError};

/// Runs that are looked at, and go, at once.
const PORTION: i64 = 200;
/// Lines of history that go in one transaction.
const LINES: i64 = 2_000;

/// A portion of the oldest runs.
#[derive(Default)]
pub(super) struct Portion {
    /// Those that ended before.
    pub old: Vec<RunId>,
    /// Where the next portion starts; `None` when there is nothing old behind this one.
    pub after: Option<RunId>,
}

/// Looks through the runs behind `after` for those that ended before `before`.
pub(super) fn portion(connection: &Connection, before: DateTime<Utc>, after: RunId) -> Result<Portion, StoreError> {
    let mut rows =
        connection.prepare_cached("SELECT id, started, ended FROM run WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = rows.query(params![Id(after), PORTION])?;
    let (mut portion, mut last) = (Portion::default(), None);
    while let Some(row) = rows.next()? {
        let (Id(run), started, ended): (_, At, Option<At>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        last = Some(run);
        if ended.is_some_and(|ended| ended < At(before)) {
            portion.old.push(run);
        }
        // Ids sort by age: once all of a portion started too late, so did everything behind it.
        if started < At(before) {
            portion.after = last;
        }
    }
    portion.after = portion.after.and(last);
    Ok(portion)
}

/// Deletes runs, and their events where no other run and no incident needs them. Returns how many there were.
pub(super) fn delete(writing: &Writing<'_>, runs: &[RunId]) -> Result<u64, StoreError> {
    let connection = writing.connection;
    let mut gone = 0;
    for run in runs {
        let deleted = connection
            .prepare_cached("DELETE FROM run WHERE id = ?1 AND ended IS NOT NULL RETURNING event, actions")?
            .query_row([Id(*run)], |row| Ok((row.get::<_, Id>(0)?, row.get::<_, Option<i64>>(1)?)))
            .optional()?;
        let Some((event, actions)) = deleted else { continue };
        gone += 1;
        let mut bodies = connection.prepare_cached("SELECT body FROM journal WHERE run = ?1 AND body IS NOT NULL")?;
        for body in bodies.query_map([Id(*run)], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()? {
            blobs::release(connection, body)?;
        }
        connection.prepare_cached("DELETE FROM run_actions WHERE id = ?1")?.execute([actions])?;
        for table in ["journal", "timer", "signal", "reply"] {
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?.execute([Id(*run)])?;
        }
        connection.prepare_cached("UPDATE resubmission SET kept = NULL WHERE run = ?1")?.execute([Id(*run)])?;
        free(connection, run, event)?;
    }
    Ok(gone)
}

/// Deletes what a run that is gone was given, where no other run and no incident needs it.
fn free(connection: &Connection, run: &RunId, event: Id) -> Result<(), StoreError> {
    // The element that an incident came of stays, as an event of an incident does.
    let part: Option<Option<i64>> = connection
        .prepare_cached(
            "DELETE FROM run_part WHERE event = ?1 AND run = ?2 \
             AND NOT EXISTS (SELECT 1 FROM incident WHERE run = ?2) RETURNING body",
        )?
        .query_row([event, Id(*run)], |row| row.get(0))
        .optional()?;
    if let Some(body) = part.flatten() {
        blobs::release(connection, body)?;
    }
    let mut needed = connection.prepare_cached(
        "SELECT 1 FROM event_run e WHERE e.event = ?1 AND (EXISTS (SELECT 1 FROM run r WHERE r.id = e.run) \
         OR EXISTS (SELECT 1 FROM incident i WHERE i.run = e.run)) \
         UNION ALL SELECT 1 FROM resubmission s WHERE s.event = ?1 AND (EXISTS (SELECT 1 FROM run r WHERE r.id IN (s.run, s.root)) \
         OR EXISTS (SELECT 1 FROM incident i WHERE i.run IN (s.run, s.root))) \
         UNION ALL SELECT 1 FROM run_part WHERE event = ?1 UNION ALL SELECT 1 FROM incident WHERE run = ?2",
    )?;
    if !needed.exists([event, Id(*run)])? {
        delete_event(connection, event)?;
        connection.prepare_cached("DELETE FROM resubmission WHERE event = ?1")?.execute([event])?;
    }
    Ok(())
}

/// An incident is gone that a run made: if that run is gone too, so is the need for what it was given.
pub(super) fn incident_deleted(connection: &Connection, run: RunId, event: EventId) -> Result<(), StoreError> {
    if connection.prepare_cached("SELECT 1 FROM run WHERE id = ?1")?.exists([Id(run)])? {
        return Ok(());
    }
    free(connection, &run, Id(event))
}

fn delete_event(connection: &Connection, event: Id) -> Result<(), StoreError> {
    let bodies = connection
        .prepare_cached("DELETE FROM event WHERE id = ?1 RETURNING raw, body")?
        .query_row([event], |row| Ok([row.get::<_, Option<i64>>(0)?, row.get(1)?]))
        .optional()?;
    for body in bodies.into_iter().flatten().flatten() {
        blobs::release(connection, body)?;
    }
    Ok(())
}

/// Deletes old lines of history and mail counts; `true` while there may be more.
pub(super) fn delete_lines(writing: &Writing<'_>, before: DateTime<Utc>) -> Result<bool, StoreError> {
    let connection = writing.connection;
    let mut feeds = connection.prepare("SELECT id FROM feed")?;
    let mut gone = 0;
    for feed in feeds.query_map([], |row| row.get::<_, i64>(0))? {
        gone += connection
            .prepare_cached(
                "DELETE FROM history WHERE feed = ?1 AND at < ?2 \
                 AND n IN (SELECT n FROM history WHERE feed = ?1 ORDER BY n LIMIT ?3)",
            )?
            .execute(params![feed?, At(before), LINES])?;
    }
    connection.execute("DELETE FROM mail_reservation WHERE at < ?1", [At(before)])?;
    connection.execute("DELETE FROM mail_recipient WHERE at < ?1", [At(before)])?;
    Ok(gone > 0)
}
