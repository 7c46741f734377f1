//! Runs: their journal, timers and end.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    blobs::{self, Blobs, Parcel},
    codec::{self, At, Dense, Id, Name, Opened},
    error, incidents,
    memo::Going,
    outside, resubmission, workspace,
    writer::Writing,
};
use crate::{
    incident::{Actor, Incident, IncidentRef, Written},
    store::{
        RunId, StoreError,
        query::{RunFilter, RunSummary},
        run::{Fallback, Finish, LocalEffect, OpenRun, Record, Recorded, Reply, RunStatus, StoredRun, Timer},
    },
};

/// Whether a run's journal may still grow.
fn is_open(status: RunStatus) -> bool {
    matches!(status, RunStatus::Running | RunStatus::Suspended)
}

/// A run's status and how far it is.
fn state(writing: &mut Writing<'_>, run: RunId) -> Result<(RunStatus, Going), StoreError> {
    if let Some(going) = writing.memo.going(run) {
        return Ok((RunStatus::Running, going));
    }
    let mut rows = writing.connection.prepare_cached(
        "SELECT status, waiting_until, (SELECT max(seq) FROM journal WHERE run = ?1) FROM run WHERE id = ?1",
    )?;
    let state = rows.query_row([Id(run)], |row| {
        let next = row.get::<_, Option<i64>>(2)?.map_or(0, |last| codec::count(last) + 1);
        Ok((row.get::<_, Name<_>>(0)?.0, Going { next, waiting_until: row.get(1)?, timers: true }))
    });
    state.optional()?.ok_or_else(|| StoreError::NotFound(format!("run {run}")))
}

/// The large events of a record, on disk. Blocks on it.
pub(super) fn pack(record: &Record, blobs: &Arc<Blobs>) -> Result<Vec<Parcel>, StoreError> {
    blobs.pack(record.events.iter().filter(|event| blobs::is_large(event.len())).map(Vec::as_slice))
}

/// The events of a record as they rest in one row, when all of them can and are known beforehand.
pub(super) fn dense(record: &Record) -> Option<Dense> {
    let plain = record.local.is_none() && !record.events.iter().any(|event| blobs::is_large(event.len()));
    (plain && !record.events.is_empty()).then(|| Dense::of(&codec::bundle(&record.events)))
}

/// Appends to a journal. `large` are the parcels of the events that are [large](blobs::is_large), in order; `dense` is
/// [what `dense` gave](dense).
pub(super) fn record(
    writing: &mut Writing<'_>,
    record: Record,
    dense: Option<&Dense>,
    large: &[Parcel],
) -> Result<Recorded, StoreError> {
    let Record { run, first, mut events, local, sleep, unsleep, waiting_until, reply } = record;
    let connection = writing.connection;
    let (status, mut going) = state(writing, run)?;
    // A run that ended takes no more, and whoever is behind the journal does not drive this run.
    if first < going.next || !is_open(status) {
        return Err(StoreError::Conflict { run, seq: first });
    }
    if first > going.next {
        return Err(StoreError::Failed(
            format!("run {run}: event {first} would leave a gap after {} events", going.next).into(),
        ));
    }
    // Events are another room's code, so they are written before anything is changed.
    let incident = match local {
        Some(LocalEffect::CreateIncident { id, repeated: true, event, .. })
            if let Some(incident) = incidents::find(connection, &IncidentRef::Name(id.into()))? =>
        {
            events.push(event(&incident));
            Some(incident)
        }
        Some(LocalEffect::CreateIncident { draft, provenance, at, id, repeated: _, causes, event }) => {
            let by = incidents::author(&provenance);
            let incident = incidents::next(writing, *draft, provenance, by, at, id)?;
            events.push(event(&incident));
            incidents::insert(writing, &incident)?;
            workspace::tell_created(writing, &incident, &causes)?;
            Some(incident)
        }
        Some(LocalEffect::Write { write, event }) => {
            let decided = workspace::decide(writing, &write)?;
            events.push(event(&decided.as_ref().map(|decided| decided.written.clone()).map_err(Clone::clone)));
            match decided.map(|decided| decided.carry_out(writing)) {
                Ok(written) => match written? {
                    Written::Incident { incident, created: true } => Some(*incident),
                    _ => None,
                },
                Err(_) => None,
            }
        }
        None => None,
    };
    append(connection, run, first, &events, dense, large)?;
    going.next += events.len() as u64;
    for number in unsleep {
        connection
            .prepare_cached("DELETE FROM timer WHERE run = ?1 AND timer = ?2")?
            .execute(params![Id(run), codec::int(number)])?;
    }
    for timer in sleep {
        connection
            .prepare_cached("INSERT OR REPLACE INTO timer (run, timer, until) VALUES (?1, ?2, ?3)")?
            .execute(params![Id(timer.run), codec::int(timer.timer), At::not_before(timer.until)])?;
        going.timers = true;
    }
    if let Some(Reply { response, parent }) = reply {
        outside::reply(connection, run, &Dense::of(response.as_bytes()))?;
        parent.map_or(Ok(()), |parent| outside::wake(writing, parent))?;
    }
    // One that was told something meanwhile does not only wait, so that recovery finds it.
    let waiting_until = waiting_until.map(At::not_before).filter(|_| !writing.memo.was_woken(run));
    if waiting_until != going.waiting_until {
        connection
            .prepare_cached("UPDATE run SET waiting_until = ?2 WHERE id = ?1")?
            .execute(params![Id(run), waiting_until])?;
        going.waiting_until = waiting_until;
    }
    if status == RunStatus::Running {
        writing.memo.goes(run, going);
    }
    Ok(Recorded { events, incident })
}

/// Writes events into as few rows as may be: one for all that come together, and one for each large event, which is a
/// parcel. An event that is only known here stays in its row however large it is: the writer waits for no file.
fn append(
    connection: &Connection,
    run: RunId,
    first: u64,
    events: &[Vec<u8>],
    dense: Option<&Dense>,
    large: &[Parcel],
) -> Result<(), StoreError> {
    let mut insert =
        connection.prepare_cached("INSERT INTO journal (run, seq, body, event) VALUES (?1, ?2, ?3, ?4)")?;
    if let Some(dense) = dense {
        insert.execute(params![Id(run), codec::int(first + events.len() as u64) - 1, None::<i64>, dense])?;
        return Ok(());
    }
    let (mut next, mut large) = (codec::int(first), large.iter());
    let mut rest = events;
    while !rest.is_empty() {
        let small = rest.iter().take_while(|event| !blobs::is_large(event.len())).count();
        let parcel = if small == 0 { large.next() } else { None };
        let (row, others) = rest.split_at(small.max(1));
        next += codec::int(row.len() as u64);
        match parcel {
            Some(parcel) => {
                let body = blobs::keep(connection, parcel)?;
                insert.execute(params![Id(run), next - 1, body, None::<Dense>])?;
            }
            None => {
                insert.execute(params![Id(run), next - 1, None::<i64>, Dense::of(&codec::bundle(row))])?;
            }
        }
        rest = others;
    }
    Ok(())
}

/// Ends a run or suspends it.
pub(super) fn finish(
    writing: &mut Writing<'_>,
    finish: Finish,
    actions: &Dense,
) -> Result<Option<Incident>, StoreError> {
    let Finish { run, status, at, error, actions: _, fallback, note, parent } = finish;
    let connection = writing.connection;
    if matches!(status, RunStatus::Running | RunStatus::Waiting) {
        return Err(StoreError::Failed(format!("run {run} cannot end as {}", status.as_str()).into()));
    }
    // Ended before: it stays as it is.
    writing.memo.was_woken(run);
    let known = writing.memo.forget(run);
    if known.is_none() && state(writing, run)?.0.has_ended() {
        return Ok(None);
    }
    if known.is_none() {
        // Those of the suspension.
        connection
            .prepare_cached("DELETE FROM run_actions WHERE id = (SELECT actions FROM run WHERE id = ?1)")?
            .execute([Id(run)])?;
    }
    connection.prepare_cached("INSERT INTO run_actions (actions) VALUES (?1)")?.execute([actions])?;
    let (actions, ended) = (connection.last_insert_rowid(), (!is_open(status)).then_some(At(at)));
    let sql = if status == RunStatus::Suspended {
        // It may be resumed, and what its trigger could not make of the report stays true.
        "UPDATE run SET status = ?2, ended = ?3, waiting_until = NULL, actions = ?5, error = \
         CASE WHEN error IS NOT NULL THEN json_patch(?4, json_object('trigger', json( \
         CASE status WHEN 'Suspended' THEN json_extract(error, '$.trigger') ELSE error END))) ELSE ?4 END \
         WHERE id = ?1"
    } else {
        "UPDATE run SET status = ?2, ended = ?3, waiting_until = NULL, actions = ?5, error = ?4 WHERE id = ?1"
    };
    connection.prepare_cached(sql)?.execute(params![
        Id(run),
        Name(status),
        ended,
        error.map(|error| error.to_string()),
        actions
    ])?;
    if known.is_none_or(|going| going.timers) {
        // A suspended run that is resumed asks for its timers anew.
        connection.prepare_cached("DELETE FROM timer WHERE run = ?1")?.execute([Id(run)])?;
    }
    if let Some(parent) = parent {
        outside::wake(writing, parent)?;
    }
    if let Some(note) = note {
        match workspace::decide(writing, &note)? {
            Ok(decided) => decided.carry_out(writing).map(drop)?,
            Err(rejected) => tracing::warn!(%run, %rejected, "what became of a report cannot be said on its incident"),
        }
    }
    match fallback {
        Some(fallback) if incidents::of_run(connection, run)?.is_none() => {
            let Fallback { draft, provenance, id, causes } = fallback;
            let incident = incidents::next(writing, draft, provenance, Actor::Larum, at, id)?;
            incidents::insert(writing, &incident)?;
            workspace::tell_created(writing, &incident, &causes)?;
            Ok(Some(incident))
        }
        _ => Ok(None),
    }
}

/// A run with its whole journal.
pub(super) fn load(connection: &Connection, blobs: &Blobs, run: RunId) -> Result<Option<StoredRun>, StoreError> {
    let sql = format!(
        "SELECT r.status, p.name, v.hash, r.event, e.kind, e.summary, e.resembles, r.started, r.ended, r.seed, \
         iif(t.run IS NULL, e.outputs, t.outputs), iif(t.run IS NULL, e.body, t.body), r.error, a.actions, {} \
         FROM run r JOIN version v ON v.id = r.version JOIN playbook p ON p.id = v.playbook \
         JOIN event e ON e.id = r.event LEFT JOIN run_actions a ON a.id = r.actions \
         LEFT JOIN run_part t ON t.event = r.event AND t.run = r.id \
         LEFT JOIN resubmission s ON s.run = r.id WHERE r.id = ?1",
        resubmission::COLUMNS
    );
    let mut rows = connection.prepare_cached(&sql)?;
    let stored = rows.query_row([Id(run)], |row| {
        let stored = StoredRun {
            run,
            status: row.get::<_, Name<_>>(0)?.0,
            playbook: row.get(1)?,
            version: row.get(2)?,
            event: row.get::<_, Id>(3)?.0,
            origin: resubmission::origin(row, 14)?.map(Box::new),
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
        let read = match row.get::<_, Option<i64>>(1)? {
            Some(body) => {
                journal.push(blobs::load(connection, blobs, body)?.1);
                Some(())
            }
            None => codec::unbundle(&row.get::<_, Opened>(2)?.0, &mut journal),
        };
        if read.is_none() || codec::count(row.get(0)?) + 1 != journal.len() as u64 {
            return Err(error::damaged(format_args!("the journal of run {run} near event {}", journal.len())));
        }
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
         (SELECT number FROM incident i WHERE i.run = r.id ORDER BY number LIMIT 1), r.error, s.of \
         FROM run r JOIN version v ON v.id = r.version JOIN playbook p ON p.id = v.playbook \
         JOIN event e ON e.id = r.event LEFT JOIN resubmission s ON s.run = r.id \
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
        resubmit_of: row.get::<_, Option<Id>>(10)?.map(|Id(run)| run),
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
