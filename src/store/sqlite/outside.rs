//! What runs and others have to do with each other: answers given to a run, and what it answered.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    codec::{self, At, Dense, Id, Name},
    writer::Writing,
};
use crate::store::{
    RunId, StoreError,
    run::{RunState, RunStatus, Signal, SignalVerdict},
};

/// Keeps an answer for a step, unless there is one or the run has ended.
pub(super) fn signal(writing: &mut Writing<'_>, signal: &Signal) -> Result<SignalVerdict, StoreError> {
    let connection = writing.connection;
    let mut open = connection.prepare_cached("SELECT 1 FROM run WHERE id = ?1 AND status = 'Running'")?;
    if !open.exists([Id(signal.run)])? {
        return Ok(SignalVerdict::NoRun);
    }
    let kept = connection
        .prepare_cached("INSERT OR IGNORE INTO signal (run, step, at, payload) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![Id(signal.run), signal.step, At(signal.at), signal.payload.to_string()])?;
    if kept == 0 {
        let first = signals(connection, signal.run)?.into_iter().find(|first| first.step == signal.step);
        return Ok(first.map_or(SignalVerdict::NoRun, |first| SignalVerdict::Already(Box::new(first))));
    }
    wake(writing, signal.run)?;
    Ok(SignalVerdict::Taken)
}

/// A run that only waited has something to do again, also after a crash.
pub(super) fn wake(writing: &mut Writing<'_>, run: RunId) -> Result<(), StoreError> {
    // It may be about to say that it only waits, having looked before this.
    writing.memo.wakes(run);
    if writing.memo.forget(run).is_some_and(|going| going.waiting_until.is_none()) {
        return Ok(());
    }
    writing
        .connection
        .prepare_cached("UPDATE run SET waiting_until = NULL WHERE id = ?1 AND waiting_until IS NOT NULL")?
        .execute([Id(run)])?;
    Ok(())
}

/// The answers a run was given, by step.
pub(super) fn signals(connection: &Connection, run: RunId) -> Result<Vec<Signal>, StoreError> {
    let mut rows =
        connection.prepare_cached("SELECT step, at, payload FROM signal WHERE run = ?1 ORDER BY at, step")?;
    let signals = rows.query_map([Id(run)], |row| {
        let payload = codec::json(row, 2)?.unwrap_or_default();
        Ok(Signal { run, step: row.get(0)?, at: row.get::<_, At>(1)?.0, payload })
    })?;
    Ok(signals.collect::<Result<_, _>>()?)
}

/// Keeps what a run answered; a second answer changes nothing.
pub(super) fn reply(connection: &Connection, run: RunId, reply: &Dense) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO reply (run, reply) VALUES (?1, ?2)")?
        .execute(params![Id(run), reply])?;
    Ok(())
}

/// How far a run is, for those who wait for it.
pub(super) fn state(connection: &Connection, run: RunId) -> Result<Option<RunState>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT r.status, r.error, a.reply FROM run r LEFT JOIN reply a ON a.run = r.id WHERE r.id = ?1",
    )?;
    let state = rows.query_row([Id(run)], |row| {
        let status: RunStatus = row.get::<_, Name<_>>(0)?.0;
        Ok(RunState { status, error: codec::json(row, 1)?, reply: codec::dense_json(row, 2)? })
    });
    Ok(state.optional()?)
}
