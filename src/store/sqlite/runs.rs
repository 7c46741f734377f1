//! Runs: their journal, timers and end.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    blobs::{self, Blobs, Parcel},
    codec::{self, At, Dense, Id, Name, Opened},
    error, incidents, outside,
    writer::Writing,
};
use crate::{
    incident::Incident,
    store::{
        RunId, StoreError,
        query::{RunFilter, RunSummary},
        run::{Finish, LocalEffect, OpenRun, Record, Recorded, Reply, RunStatus, StoredRun, Timer},
    },
};

/// Whether a run may still go on.
fn is_open(status: RunStatus) -> bool {
    matches!(status, RunStatus::Running | RunStatus::Suspended)
}

/// A run's status, until when it waits, and the sequence number its next event takes.
fn state(writing: &Writing<'_>, run: RunId) -> Result<(RunStatus, Option<At>, u64), StoreError> {
    let mut rows = writing.connection.prepare_cached(
        "SELECT status, waiting_until, (SELECT max(seq) FROM journal WHERE run = ?1) FROM run WHERE id = ?1",
    )?;
    let state = rows.query_row([Id(run)], |row| {
        let last: Option<i64> = row.get(2)?;
        Ok((row.get::<_, Name<_>>(0)?.0, row.get(1)?, last.map_or(0, |seq| codec::count(seq) + 1)))
    });
    let state = state.optional()?;
    state.ok_or_else(|| StoreError::NotFound(format!("run {run}")))
}

/// The large events of a record, on disk. Blocks on it.
pub(super) fn pack(record: &Record, blobs: &Arc<Blobs>) -> Result<Vec<Parcel>, StoreError> {
    blobs.pack(record.events.iter().filter(|event| blobs::is_large(event.len())).map(Vec::as_slice))
}

/// The events of a record that stay in their rows, as they rest there.
pub(super) fn dense(record: &Record) -> Vec<Dense> {
    record.events.iter().filter(|event| !blobs::is_large(event.len())).map(|event| Dense::of(event)).collect()
}

/// Appends to a journal. `large` are the parcels of the events that are [large](blobs::is_large), `dense` the others, both
/// in order.
pub(super) fn record(
    writing: &Writing<'_>,
    record: Record,
    dense: Vec<Dense>,
    large: &[Parcel],
) -> Result<Recorded, StoreError> {
    let Record { run, first, mut events, local, sleep, unsleep, waiting_until, reply } = record;
    let connection = writing.connection;
    let (status, waited_until, next) = state(writing, run)?;
    // A run that ended takes no more, and whoever is behind the journal does not drive this run.
    if first < next || !is_open(status) {
        return Err(StoreError::Conflict { run, seq: first });
    }
    if first > next {
        return Err(StoreError::Failed(
            format!("run {run}: event {first} would leave a gap after {next} events").into(),
        ));
    }
    let mut made = None;
    if let Some(LocalEffect::CreateIncident { draft, provenance, at, id, event }) = local {
        let incident = incidents::next(writing, *draft, provenance, at, id)?;
        // Another room's code, so before anything is changed.
        made = Some((event(&incident), incident));
    }
    let mut append =
        connection.prepare_cached("INSERT INTO journal (run, seq, body, event) VALUES (?1, ?2, ?3, ?4)")?;
    let (mut seq, mut dense, mut large) = (codec::int(first), dense.into_iter(), large.iter());
    for event in &events {
        if blobs::is_large(event.len()) {
            let body = large.next().map(|parcel| blobs::keep(connection, parcel)).transpose()?;
            append.execute(params![Id(run), seq, body, None::<Dense>])?;
        } else {
            append.execute(params![Id(run), seq, None::<i64>, dense.next()])?;
        }
        seq += 1;
    }
    let incident = made.map(|(event, incident)| {
        incidents::insert(connection, &incident)?;
        // However large: it is only known here, and the writer waits for no file.
        append.execute(params![Id(run), seq, None::<i64>, Dense::of(&event)])?;
        events.push(event);
        Ok::<_, StoreError>(incident)
    });
    let incident = incident.transpose()?;
    for number in unsleep {
        connection
            .prepare_cached("DELETE FROM timer WHERE run = ?1 AND timer = ?2")?
            .execute(params![Id(run), codec::int(number)])?;
    }
    for timer in sleep {
        connection
            .prepare_cached("INSERT OR REPLACE INTO timer (run, timer, until) VALUES (?1, ?2, ?3)")?
            .execute(params![Id(timer.run), codec::int(timer.timer), At::not_before(timer.until)])?;
    }
    if let Some(Reply { response, parent }) = reply {
        outside::reply(connection, run, &Dense::of(response.as_bytes()))?;
        parent.map_or(Ok(()), |parent| outside::wake(connection, parent))?;
    }
    let waiting_until = waiting_until.map(At::not_before);
    if waiting_until != waited_until {
        connection
            .prepare_cached("UPDATE run SET waiting_until = ?2 WHERE id = ?1")?
            .execute(params![Id(run), waiting_until])?;
    }
    Ok(Recorded { events, incident })
}

/// Ends a run or suspends it.
pub(super) fn finish(writing: &Writing<'_>, finish: Finish, actions: &Dense) -> Result<Option<Incident>, StoreError> {
    let Finish { run, status, at, error, actions: _, fallback, parent } = finish;
    let connection = writing.connection;
    if matches!(status, RunStatus::Running | RunStatus::Waiting) {
        return Err(StoreError::Failed(format!("run {run} cannot end as {}", status.as_str()).into()));
    }
    let ended = (!is_open(status)).then_some(At(at));
    let changed = connection
        .prepare_cached(
            "UPDATE run SET status = ?2, ended = ?3, waiting_until = NULL, error = ?4 \
             WHERE id = ?1 AND status IN ('Running', 'Suspended', 'Waiting')",
        )?
        .execute(params![Id(run), Name(status), ended, error.map(|error| error.to_string())])?;
    if changed == 0 {
        // Ended before, or there is no such run.
        return state(writing, run).map(|_| None);
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO run_actions (run, actions) VALUES (?1, ?2)")?
        .execute(params![Id(run), actions])?;
    // A suspended run that is resumed asks for its timers anew.
    connection.prepare_cached("DELETE FROM timer WHERE run = ?1")?.execute([Id(run)])?;
    if let Some(parent) = parent {
        outside::wake(connection, parent)?;
    }
    match fallback {
        Some(fallback) if incidents::of_run(connection, run)?.is_none() => {
            let incident = incidents::next(writing, fallback.draft, fallback.provenance, at, fallback.id)?;
            incidents::insert(connection, &incident)?;
            Ok(Some(incident))
        }
        _ => Ok(None),
    }
}

/// A run with its whole journal.
pub(super) fn load(connection: &Connection, blobs: &Blobs, run: RunId) -> Result<Option<StoredRun>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT r.status, p.name, v.hash, r.event, e.kind, e.summary, e.resembles, r.started, r.ended, r.seed, \
         iif(t.run IS NULL, e.outputs, t.outputs), iif(t.run IS NULL, e.body, t.body), r.error, a.actions \
         FROM run r JOIN version v ON v.id = r.version JOIN playbook p ON p.id = v.playbook \
         JOIN event e ON e.id = r.event LEFT JOIN run_actions a ON a.run = r.id \
         LEFT JOIN run_part t ON t.event = r.event AND t.run = r.id WHERE r.id = ?1",
    )?;
    let stored = rows.query_row([Id(run)], |row| {
        let stored = StoredRun {
            run,
            status: row.get::<_, Name<_>>(0)?.0,
            playbook: row.get(1)?,
            version: row.get(2)?,
            event: row.get::<_, Id>(3)?.0,
            kind: row.get(4)?,
            summary: row.get(5)?,
            resembles: row.get::<_, Option<Id>>(6)?.map(|Id(event)| event),
            started: row.get::<_, At>(7)?.0,
            ended: row.get::<_, Option<At>>(8)?.map(|At(at)| at),
            seed: row.get(9)?,
            outputs: Arc::default(),
            journal: Vec::new(),
            error: codec::json(row, 12)?,
            actions: codec::dense_json(row, 13)?,
        };
        Ok((stored, row.get::<_, Option<Opened>>(10)?, row.get::<_, Option<i64>>(11)?))
    });
    let Some((mut stored, outputs, body)) = stored.optional()? else { return Ok(None) };
    let outputs = match body {
        Some(body) => blobs::load(connection, blobs, body)?.1,
        None => outputs.map(|Opened(outputs)| outputs).unwrap_or_default(),
    };
    stored.outputs = String::from_utf8(outputs).map_err(error::damaged)?.into();
    stored.journal = journal(connection, blobs, run)?;
    Ok(Some(stored))
}

fn journal(connection: &Connection, blobs: &Blobs, run: RunId) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT seq, body, event FROM journal WHERE run = ?1 ORDER BY seq")?;
    let mut rows = rows.query([Id(run)])?;
    let mut journal = Vec::new();
    while let Some(row) = rows.next()? {
        if codec::count(row.get(0)?) != journal.len() as u64 {
            return Err(error::damaged(format_args!("run {run} lacks event {} of its journal", journal.len())));
        }
        journal.push(match row.get::<_, Option<i64>>(1)? {
            Some(body) => blobs::load(connection, blobs, body)?.1,
            None => row.get::<_, Opened>(2)?.0,
        });
    }
    Ok(journal)
}

/// Runs to be driven, oldest first.
pub(super) fn open(connection: &Connection, after: Option<RunId>, limit: usize) -> Result<Vec<OpenRun>, StoreError> {
    // The second condition is what the index covers; SQLite does not see that the first implies it.
    let mut rows = connection.prepare_cached(
        "SELECT r.id, p.name, v.hash, r.waiting_until FROM run r \
         JOIN version v ON v.id = r.version JOIN playbook p ON p.id = v.playbook \
         WHERE r.status = 'Running' AND r.status <> 'Succeeded' AND r.id > ?1 ORDER BY r.id LIMIT ?2",
    )?;
    let runs = rows.query_map(params![Id(after.unwrap_or_default()), codec::limit(limit)], |row| {
        Ok(OpenRun {
            run: row.get::<_, Id>(0)?.0,
            playbook: row.get(1)?,
            version: row.get(2)?,
            waiting_until: row.get::<_, Option<At>>(3)?.map(|At(at)| at),
        })
    })?;
    Ok(runs.collect::<Result<_, _>>()?)
}

/// Runs for people, newest first.
pub(super) fn list(connection: &Connection, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
    let status = match filter.status {
        None => "?1 IS NULL",
        Some(RunStatus::Succeeded) => "r.status = ?1",
        Some(_) => "r.status = ?1 AND r.status <> 'Succeeded'",
    };
    let sql = format!(
        "SELECT r.id, p.name, v.hash, r.status, r.started, r.ended, r.event, e.summary, \
         (SELECT number FROM incident i WHERE i.run = r.id ORDER BY number LIMIT 1), r.error \
         FROM run r JOIN version v ON v.id = r.version JOIN playbook p ON p.id = v.playbook \
         JOIN event e ON e.id = r.event \
         WHERE {status} AND (?2 IS NULL OR p.name = ?2) AND r.id < ?3 ORDER BY r.id DESC LIMIT ?4"
    );
    let mut rows = connection.prepare_cached(&sql)?;
    let before = Id(filter.before.unwrap_or(uuid::Uuid::max()));
    let values = params![filter.status.map(Name), filter.playbook, before, codec::limit(filter.limit)];
    Ok(rows.query_map(values, summary)?.collect::<Result<_, _>>()?)
}

fn summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    Ok(RunSummary {
        run: row.get::<_, Id>(0)?.0,
        playbook: row.get(1)?,
        version: row.get(2)?,
        status: row.get::<_, Name<_>>(3)?.0,
        started: row.get::<_, At>(4)?.0,
        ended: row.get::<_, Option<At>>(5)?.map(|At(at)| at),
        event: row.get::<_, Id>(6)?.0,
        report: row.get(7)?,
        incident: row.get::<_, Option<i64>>(8)?.map(codec::count),
        error: codec::json(row, 9)?,
    })
}

pub(super) fn due(connection: &Connection, now: DateTime<Utc>, limit: usize) -> Result<Vec<Timer>, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT run, timer, until FROM timer WHERE until <= ?1 ORDER BY until, run, timer LIMIT ?2")?;
    let timers = rows.query_map(params![At(now), codec::limit(limit)], |row| {
        Ok(Timer { run: row.get::<_, Id>(0)?.0, timer: codec::count(row.get(1)?), until: row.get::<_, At>(2)?.0 })
    })?;
    Ok(timers.collect::<Result<_, _>>()?)
}

pub(super) fn next_timer(connection: &Connection) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut first = connection.prepare_cached("SELECT min(until) FROM timer")?;
    Ok(first.query_row([], |row| row.get::<_, Option<At>>(0))?.map(|At(at)| at))
}
