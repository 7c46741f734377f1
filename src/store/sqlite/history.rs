//! What a trigger accepted, found a duplicate, skipped or buried.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row, params};

use super::{
    codec::{self, At, Id},
    error,
    writer::Writing,
};
use crate::{
    incident::Actor,
    store::{
        EventId, RunId, StoreError,
        mailbox::FeedName,
        query::{HistoryEntry, HistoryOutcome},
    },
};

/// A [`HistoryOutcome`] on its way in. Of an accepted report the run says the rest: it stays as long as the line.
pub(super) enum Line<'a> {
    Accepted {
        run: RunId,
    },
    Duplicate {
        event: EventId,
        run: Option<RunId>,
    },
    /// Of a repeated run, [`super::resubmission`] says the rest.
    Resubmitted {
        run: RunId,
    },
    Skipped {
        because: &'a str,
    },
    Dead {
        letter: i64,
        because: &'a str,
    },
}

/// Adds a line.
pub(super) fn note(
    writing: &mut Writing<'_>,
    feed: i64,
    at: DateTime<Utc>,
    summary: &str,
    playbook: Option<&str>,
    line: &Line<'_>,
) -> Result<(), StoreError> {
    let n = match writing.memo.history {
        Some(n) => n,
        None => next(writing.connection)?,
    };
    writing.memo.history = Some(n + 1);
    let (playbook, summary) = match line {
        Line::Accepted { .. } | Line::Resubmitted { .. } => (None, None),
        _ => (playbook, Some(summary)),
    };
    let (outcome, event, run, letter, because) = match line {
        Line::Accepted { run } => ("accepted", None, Some(*run), None, None),
        Line::Duplicate { event, run } => ("duplicate", Some(*event), *run, None, None),
        Line::Resubmitted { run } => ("resubmitted", None, Some(*run), None, None),
        Line::Skipped { because } => ("skipped", None, None, None, Some(*because)),
        Line::Dead { letter, because } => ("dead", None, None, Some(*letter), Some(*because)),
    };
    writing
        .connection
        .prepare_cached(
            "INSERT INTO history (feed, n, at, outcome, event, run, letter, playbook, summary, because) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![feed, n, At(at), outcome, event.map(Id), run.map(Id), letter, playbook, summary, because])?;
    Ok(())
}

/// The number after the last of every feed.
fn next(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT max((SELECT coalesce(max(n), 0) FROM history WHERE feed = feed.id)) FROM feed";
    Ok(connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0))?.unwrap_or_default() + 1)
}

/// The newest lines, of one feed or of all.
pub(super) fn list(
    connection: &Connection,
    feed: Option<&FeedName>,
    limit: usize,
) -> Result<Vec<HistoryEntry>, StoreError> {
    // Feeds are few: the newest lines of each are merged.
    let mut feeds = connection.prepare_cached(
        "SELECT id, connection, folder FROM feed \
         WHERE ?1 IS NULL OR (connection = ?1 AND folder = ?2)",
    )?;
    let names = params![feed.map(|feed| &feed.connection), feed.map(|feed| &feed.folder)];
    let feeds = feeds.query_map(names, |row| {
        Ok((row.get::<_, i64>(0)?, FeedName { connection: row.get(1)?, folder: row.get(2)? }))
    })?;
    let mut newest = connection.prepare_cached(
        "SELECT h.n, h.at, h.outcome, coalesce(h.event, r.event), h.run, h.letter, coalesce(h.playbook, p.name), \
         coalesce(h.summary, e.summary), h.because, s.of, s.by FROM history h \
         LEFT JOIN run r ON h.outcome IN ('accepted', 'resubmitted') AND r.id = h.run LEFT JOIN event e ON e.id = r.event \
         LEFT JOIN version v ON v.id = r.version LEFT JOIN playbook p ON p.id = v.playbook \
         LEFT JOIN resubmission s ON h.outcome = 'resubmitted' AND s.run = h.run \
         WHERE h.feed = ?1 AND (h.outcome NOT IN ('accepted', 'resubmitted') OR r.id IS NOT NULL) ORDER BY h.n DESC LIMIT ?2",
    )?;
    let mut lines = Vec::new();
    for feed in feeds {
        let (id, name) = feed?;
        let mut rows = newest.query(params![id, codec::limit(limit)])?;
        while let Some(row) = rows.next()? {
            lines.push((row.get::<_, i64>(0)?, entry(row, &name)?));
        }
    }
    lines.sort_by_key(|(n, _)| std::cmp::Reverse(*n));
    lines.truncate(limit);
    Ok(lines.into_iter().map(|(_, entry)| entry).collect())
}

fn entry(row: &Row<'_>, feed: &FeedName) -> Result<HistoryEntry, StoreError> {
    let event = || row.get::<_, Id>(3).map(|Id(event)| event);
    let because = || row.get::<_, String>(8);
    let outcome = match row.get::<_, String>(2)?.as_str() {
        "accepted" => HistoryOutcome::Accepted { event: event()?, run: row.get::<_, Id>(4)?.0 },
        "duplicate" => {
            HistoryOutcome::Duplicate { event: event()?, run: row.get::<_, Option<Id>>(4)?.map(|Id(run)| run) }
        }
        "resubmitted" => HistoryOutcome::Resubmitted {
            event: event()?,
            run: row.get::<_, Id>(4)?.0,
            of: row.get::<_, Id>(9)?.0,
            by: codec::from_json::<Actor>(row, 10)?.name().to_owned(),
        },
        "skipped" => HistoryOutcome::Skipped { because: because()? },
        "dead" => HistoryOutcome::Dead { letter: row.get(5)?, because: because()? },
        other => return Err(error::damaged(format_args!("history outcome {other}"))),
    };
    Ok(HistoryEntry {
        at: row.get::<_, At>(1)?.0,
        feed: feed.clone(),
        summary: row.get(7)?,
        playbook: row.get(6)?,
        outcome,
    })
}
