//! Runs that repeat others.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    codec::{self, At, Dense, Id, Name, Opened},
    concurrency::Room,
    history::{self, Line},
    memo::Going,
    versions,
    writer::Writing,
};
use crate::{
    playbook::Concurrency,
    store::{
        RunId, StoreError,
        resubmission::{Beginning, FamilyIncident, Origin, Resubmission, Resubmitted, Resumed},
        run::RunStatus,
    },
};

/// What [`origin`] reads.
pub(super) const COLUMNS: &str = "s.of, s.start, s.by, s.effects, s.kept";

/// What a run repeats, read from [these columns](COLUMNS) behind `first`; `None` when it repeats nothing.
pub(super) fn origin(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Origin>> {
    let Some(Id(of)) = row.get(first)? else { return Ok(None) };
    let mut kept = Vec::new();
    if let Some(Opened(bundle)) = row.get(first + 4)? {
        codec::unbundle(&bundle, &mut kept).ok_or_else(|| {
            let fault = "what is kept of another run is damaged".into();
            rusqlite::Error::FromSqlConversionFailure(first + 4, rusqlite::types::Type::Blob, fault)
        })?;
    }
    Ok(Some(Origin {
        of,
        from: row.get::<_, Name<_>>(first + 1)?.0,
        by: codec::from_json(row, first + 2)?,
        effects: row.get::<_, Id>(first + 3)?.0,
        kept,
    }))
}

/// What is kept, compressed; away from the writer, for whom everybody waits.
pub(super) fn dense(kept: &[Vec<u8>]) -> Option<Dense> {
    (!kept.is_empty()).then(|| Dense::of(&codec::bundle(kept)))
}

/// Opens a run that repeats another one, unless its key did before.
pub(super) fn open(
    writing: &mut Writing<'_>,
    wish: &Resubmission,
    kept: Option<&Dense>,
) -> Result<Resubmitted, StoreError> {
    let Resubmission { run, origin, version, seed, key, limit, at } = wish;
    let connection = writing.connection;
    let mut known = connection.prepare_cached(
        "SELECT r.status, r.event, e.feed, e.summary, coalesce(s.root, r.id) FROM run r \
         JOIN event e ON e.id = r.event LEFT JOIN resubmission s ON s.run = r.id WHERE r.id = ?1",
    )?;
    let known = known.query_row([Id(origin.of)], |row| {
        let status: RunStatus = row.get::<_, Name<_>>(0)?.0;
        Ok((status, row.get::<_, Id>(1)?, row.get::<_, i64>(2)?, row.get::<_, String>(3)?, row.get::<_, Id>(4)?))
    });
    let Some((status, event, feed, summary, root)) = known.optional()? else { return Ok(Resubmitted::NoRun) };
    if let Some(key) = key
        && let Some(already) = asked_before(connection, origin.of, key)?
    {
        return Ok(already);
    }
    if !status.has_ended() {
        return Ok(Resubmitted::NotEnded(status));
    }
    let (version, playbook) = versions::row(connection, writing.memo, version)?;
    let mut room = (*limit).map(|limit| Room::of(writing, playbook, limit)).transpose()?;
    if let Some(because) = room.as_ref().and_then(|room| room.refuses(1)) {
        return Ok(Resubmitted::Busy { because });
    }
    let waiting = room.as_mut().is_some_and(Room::take);
    let status = if waiting { RunStatus::Waiting } else { RunStatus::Running };
    let limited = room.as_ref().map(|_| playbook);
    connection
        .prepare_cached(
            "INSERT INTO run (id, version, event, seed, started, status, limited) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![Id(*run), version, event, seed, At(*at), Name(status), limited])?;
    connection
        .prepare_cached(
            "INSERT INTO resubmission (run, of, root, event, start, by, key, effects, kept) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            Id(*run),
            Id(origin.of),
            root,
            event,
            Name(origin.from),
            codec::to_json(&origin.by)?,
            key,
            Id(origin.effects),
            kept,
        ])?;
    // The element of a split report that the other one was given.
    let part: Option<Option<i64>> = connection
        .prepare_cached(
            "INSERT INTO run_part (event, run, body, outputs) \
             SELECT event, ?3, body, outputs FROM run_part WHERE event = ?1 AND run = ?2 RETURNING body",
        )?
        .query_row(params![event, Id(origin.of), Id(*run)], |row| row.get(0))
        .optional()?;
    if let Some(body) = part.flatten() {
        connection.prepare_cached("UPDATE body SET uses = uses + 1 WHERE id = ?1")?.execute([body])?;
    }
    history::note(writing, feed, *at, &summary, None, &Line::Resubmitted { run: *run })?;
    writing.memo.run_inserted(*run);
    if limited.is_none() {
        writing.memo.limited.remove(&playbook);
    }
    if !waiting {
        writing.memo.goes(*run, Going { next: 0, waiting_until: None, timers: false });
    }
    Ok(Resubmitted::Opened { waiting })
}

/// The run that this key asked for.
fn asked_before(connection: &Connection, of: RunId, key: &str) -> Result<Option<Resubmitted>, StoreError> {
    let mut before = connection.prepare_cached(
        "SELECT s.run, s.start, v.hash FROM resubmission s JOIN run r ON r.id = s.run \
         JOIN version v ON v.id = r.version WHERE s.of = ?1 AND s.key = ?2",
    )?;
    let before = before.query_row(params![Id(of), key], |row| {
        let from: Beginning = row.get::<_, Name<_>>(1)?.0;
        Ok(Resubmitted::Already { run: row.get::<_, Id>(0)?.0, from, version: row.get(2)? })
    });
    Ok(before.optional()?)
}

/// The runs that repeat a run, oldest first.
pub(super) fn of(connection: &Connection, run: RunId) -> Result<Vec<RunId>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT run FROM resubmission WHERE of = ?1 ORDER BY run")?;
    let runs = rows.query_map([Id(run)], |row| row.get::<_, Id>(0))?;
    Ok(runs.map(|id| id.map(|Id(run)| run)).collect::<Result<_, _>>()?)
}

/// The run that the report itself started, of the family of `run`.
fn root(connection: &Connection, run: RunId) -> Result<RunId, StoreError> {
    let mut rows = connection.prepare_cached("SELECT root FROM resubmission WHERE run = ?1")?;
    Ok(rows.query_row([Id(run)], |row| row.get::<_, Id>(0)).optional()?.map_or(run, |Id(root)| root))
}

/// The youngest run of a family, of those older than `before`.
pub(super) fn newest(connection: &Connection, run: RunId, before: RunId) -> Result<RunId, StoreError> {
    let root = root(connection, run)?;
    let mut rows = connection.prepare_cached("SELECT max(run) FROM resubmission WHERE root = ?1 AND run < ?2")?;
    let newest: Option<Id> = rows.query_row([Id(root), Id(before)], |row| row.get(0))?;
    Ok(newest.map_or(root, |Id(run)| run))
}

/// An incident that came of the same report by another run than this one: the oldest with this tag, else the oldest.
pub(super) fn incident(connection: &Connection, run: RunId, tag: &str) -> Result<Option<FamilyIncident>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT number, EXISTS (SELECT 1 FROM json_each(incident.tags) WHERE value = ?3) AS tagged FROM incident \
         WHERE run <> ?2 AND (run = ?1 OR run IN (SELECT run FROM resubmission WHERE root = ?1)) \
         ORDER BY tagged DESC, number LIMIT 1",
    )?;
    let incident = rows.query_row(params![Id(root(connection, run)?), Id(run), tag], |row| {
        Ok(FamilyIncident { number: codec::count(row.get(0)?), is_tagged: row.get(1)? })
    });
    Ok(incident.optional()?)
}

/// Lets a suspended run go on where there is room. It cannot wait for its turn: that would begin it anew, at another time.
pub(super) fn resume(writing: &mut Writing<'_>, run: RunId, limit: Option<Concurrency>) -> Result<Resumed, StoreError> {
    let connection = writing.connection;
    let suspended: Option<(Option<i64>, i64)> = connection
        .prepare_cached(
            "SELECT r.actions, v.playbook FROM run r JOIN version v ON v.id = r.version \
             WHERE r.id = ?1 AND r.status = 'Suspended'",
        )?
        .query_row([Id(run)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((actions, playbook)) = suspended else { return Ok(Resumed::NotSuspended) };
    if let Some(limit) = limit
        && let Some(because) = Room::of(writing, playbook, limit)?.is_full()
    {
        return Ok(Resumed::Busy { because });
    }
    connection.prepare_cached("DELETE FROM run_actions WHERE id = ?1")?.execute([actions])?;
    // What its trigger could not make of the report was put there when it was suspended.
    connection
        .prepare_cached(
            "UPDATE run SET status = 'Running', error = json_extract(error, '$.trigger'), actions = NULL, limited = ?2 \
             WHERE id = ?1",
        )?
        .execute(params![Id(run), limit.map(|_| playbook)])?;
    if limit.is_none() {
        writing.memo.limited.remove(&playbook);
    }
    Ok(Resumed::GoesOn)
}
