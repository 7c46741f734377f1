//! Feeds, their cursors, what is still to be done in a mailbox, and the dead-letter box.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    blobs::{self, Blobs, Parcel},
    codec::{self, At},
    error,
    history::{self, Line},
    writer::Writing,
};
use crate::store::{
    StoreError,
    mailbox::{Burial, Cursor, DeadLetter, Feed, FeedName, FeedNews, MailTask, NewMailTask},
};

/// The row of a feed, made when there is none.
pub(super) fn row(writing: &mut Writing<'_>, name: &FeedName) -> Result<i64, StoreError> {
    if let Some(id) = writing.memo.feeds.get(name) {
        return Ok(*id);
    }
    let id = writing.connection.query_row(
        "INSERT INTO feed (connection, folder) VALUES (?1, ?2) \
         ON CONFLICT (connection, folder) DO UPDATE SET folder = folder RETURNING id",
        [&name.connection, &name.folder],
        |row| row.get(0),
    )?;
    writing.memo.feeds.insert(name.clone(), id);
    Ok(id)
}

/// Moves a feed's cursor forward; see [`Cursor`].
pub(super) fn advance(writing: &Writing<'_>, feed: i64, cursor: &Cursor) -> Result<(), StoreError> {
    match cursor {
        Cursor::Imap { uid_validity, uid } => writing
            .connection
            .prepare_cached(
                "UPDATE feed SET uid_validity = ?2, uid = ?3 \
                 WHERE id = ?1 AND (uid_validity IS NULL OR (uid_validity = ?2 AND uid < ?3))",
            )?
            .execute(params![feed, uid_validity, uid])?,
        Cursor::Tick { at, last, of } => writing
            .connection
            .prepare_cached(
                "UPDATE feed SET tick = ?2, tick_last = ?3, tick_of = ?4 \
                 WHERE id = ?1 AND (tick IS NULL OR (tick_of = ?4 AND tick < ?2))",
            )?
            .execute(params![feed, At(*at), last.map(At), of])?,
    };
    Ok(())
}

fn reset(writing: &Writing<'_>, feed: i64, cursor: &Cursor) -> Result<(), StoreError> {
    writing.connection.execute("UPDATE feed SET uid_validity = NULL, uid = NULL, tick = NULL WHERE id = ?1", [feed])?;
    advance(writing, feed, cursor)
}

/// Keeps news of a feed.
pub(super) fn note(writing: &mut Writing<'_>, name: &FeedName, news: &FeedNews) -> Result<(), StoreError> {
    const HEARD: &str = "UPDATE feed SET heard = ?2, faulted = NULL, fault = NULL WHERE id = ?1";
    let feed = row(writing, name)?;
    let connection = writing.connection;
    match news {
        FeedNews::Met { start, cursor, at } => {
            let met = connection.execute(
                "UPDATE feed SET met = ?2, start = ?3 WHERE id = ?1 AND met IS NULL",
                params![feed, At(*at), start.map(At)],
            )?;
            if let (1, Some(cursor)) = (met, cursor) {
                reset(writing, feed, cursor)?;
            }
            connection.execute(HEARD, params![feed, At(*at)])?;
        }
        FeedNews::Heard { at } => {
            connection.prepare_cached(HEARD)?.execute(params![feed, At(*at)])?;
        }
        FeedNews::Faulted { at, fault } => {
            connection
                .execute("UPDATE feed SET faulted = ?2, fault = ?3 WHERE id = ?1", params![feed, At(*at), fault])?;
        }
        FeedNews::Renumbered { cursor, at } => {
            reset(writing, feed, cursor)?;
            connection.execute(HEARD, params![feed, At(*at)])?;
        }
    }
    Ok(())
}

const FEED: &str = "SELECT connection, folder, uid_validity, uid, tick, tick_last, tick_of, met, start, heard, faulted, fault, \
     accepted, duplicates, skipped, dead FROM feed";

fn feed(row: &Row<'_>) -> rusqlite::Result<Feed> {
    let at = |column| row.get::<_, Option<At>>(column).map(|at| at.map(|At(at)| at));
    let imap = row.get::<_, Option<u32>>(2)?.zip(row.get(3)?);
    let tick = at(4)?.zip(row.get(6)?);
    let last = at(5)?;
    Ok(Feed {
        name: FeedName { connection: row.get(0)?, folder: row.get(1)? },
        cursor: imap
            .map(|(uid_validity, uid)| Cursor::Imap { uid_validity, uid })
            .or(tick.map(|(at, of)| Cursor::Tick { at, last, of })),
        met: at(7)?,
        start: at(8)?,
        heard: at(9)?,
        fault: at(10)?.zip(row.get(11)?),
        accepted: codec::count(row.get(12)?),
        duplicates: codec::count(row.get(13)?),
        skipped: codec::count(row.get(14)?),
        dead: codec::count(row.get(15)?),
    })
}

/// A feed that was met.
pub(super) fn get(connection: &Connection, name: &FeedName) -> Result<Option<Feed>, StoreError> {
    let sql = format!("{FEED} WHERE connection = ?1 AND folder = ?2 AND met IS NOT NULL");
    Ok(connection.prepare_cached(&sql)?.query_row([&name.connection, &name.folder], feed).optional()?)
}

/// Every feed.
pub(super) fn list(connection: &Connection) -> Result<Vec<Feed>, StoreError> {
    let sql = format!("{FEED} ORDER BY connection, folder");
    Ok(connection.prepare_cached(&sql)?.query_map([], feed)?.collect::<Result<_, _>>()?)
}

/// Adds tasks; one that waits already is not added twice.
pub(super) fn add_tasks(writing: &Writing<'_>, feed: i64, tasks: &[NewMailTask]) -> Result<(), StoreError> {
    for task in tasks {
        let task = serde_json::to_string(task).map_err(error::damaged)?;
        writing
            .connection
            .prepare_cached("INSERT OR IGNORE INTO mail_task (feed, task) VALUES (?1, ?2)")?
            .execute(params![feed, task])?;
    }
    Ok(())
}

pub(super) fn tasks(connection: &Connection, name: &FeedName, limit: usize) -> Result<Vec<MailTask>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT id, task FROM mail_task WHERE feed = (SELECT id FROM feed WHERE connection = ?1 AND folder = ?2) \
         ORDER BY id LIMIT ?3",
    )?;
    let mut tasks = Vec::new();
    let mut rows = rows.query(params![name.connection, name.folder, codec::limit(limit)])?;
    while let Some(row) = rows.next()? {
        if let Some(task) = codec::json(row, 1)? {
            tasks.push(MailTask { id: row.get(0)?, task });
        }
    }
    Ok(tasks)
}

pub(super) fn tasks_done(writing: &Writing<'_>, tasks: &[i64]) -> Result<(), StoreError> {
    let mut done = writing.connection.prepare_cached("DELETE FROM mail_task WHERE id = ?1")?;
    for task in tasks {
        done.execute([task])?;
    }
    Ok(())
}

/// Buries a mail, or finds it buried already: then the retry somebody asked for is over.
pub(super) fn bury(writing: &mut Writing<'_>, burial: &Burial, raw: &Parcel) -> Result<i64, StoreError> {
    let feed = row(writing, &burial.feed)?;
    let key = codec::key(&[&burial.feed.connection, &burial.key]);
    let connection = writing.connection;
    let known = connection
        .query_row(
            "UPDATE dead_letter SET retrying = 0, reason = ?2 WHERE key = ?1 RETURNING id",
            params![key, burial.reason],
            |row| row.get(0),
        )
        .optional()?;
    let letter = match known {
        Some(letter) => letter,
        None => {
            let message = burial.message.as_ref().map(serde_json::to_string).transpose().map_err(error::damaged)?;
            connection.execute(
                "INSERT INTO dead_letter (feed, key, at, reason, whole, message, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    feed,
                    key,
                    At(burial.at),
                    burial.reason,
                    burial.whole,
                    message,
                    blobs::keep(connection, raw)?
                ],
            )?;
            let letter = connection.last_insert_rowid();
            connection.execute("UPDATE feed SET dead = dead + 1 WHERE id = ?1", [feed])?;
            let line = Line::Dead { letter, because: &burial.reason };
            history::note(writing, feed, burial.at, &format!("dead letter {letter}"), None, &line)?;
            letter
        }
    };
    connection.execute("UPDATE feed SET met = coalesce(met, ?2) WHERE id = ?1", params![feed, At(burial.at)])?;
    if let Some(cursor) = &burial.cursor {
        advance(writing, feed, cursor)?;
    }
    add_tasks(writing, feed, &burial.mail_tasks)?;
    Ok(letter)
}

/// The dead letters, newest first: all, or those of a feed that are to be tried again.
pub(super) fn dead_letters(
    connection: &Connection,
    retrying: Option<&FeedName>,
) -> Result<Vec<DeadLetter>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT d.id, f.connection, f.folder, d.at, d.reason, b.bytes, d.whole, d.retrying \
         FROM dead_letter d JOIN feed f ON f.id = d.feed JOIN body b ON b.id = d.raw \
         WHERE ?1 IS NULL OR (d.retrying AND f.connection = ?1 AND f.folder = ?2) ORDER BY d.id DESC",
    )?;
    let names = params![retrying.map(|feed| &feed.connection), retrying.map(|feed| &feed.folder)];
    let letters = rows.query_map(names, |row| {
        Ok(DeadLetter {
            id: row.get(0)?,
            feed: FeedName { connection: row.get(1)?, folder: row.get(2)? },
            at: row.get::<_, At>(3)?.0,
            reason: row.get(4)?,
            bytes: codec::count(row.get(5)?),
            whole: row.get(6)?,
            retrying: row.get(7)?,
        })
    })?;
    Ok(letters.collect::<Result<_, _>>()?)
}

pub(super) fn dead_letter_raw(connection: &Connection, blobs: &Blobs, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT raw FROM dead_letter WHERE id = ?1")?;
    let body = rows.query_row([id], |row| row.get(0)).optional()?;
    body.map(|body| blobs::load(connection, blobs, body).map(|(_, raw)| raw)).transpose()
}

pub(super) fn retry(writing: &Writing<'_>, id: i64) -> Result<(), StoreError> {
    let changed = writing.connection.execute("UPDATE dead_letter SET retrying = 1 WHERE id = ?1", [id])?;
    if changed == 0 { Err(StoreError::NotFound(format!("dead letter {id}"))) } else { Ok(()) }
}

/// Takes a dead letter out of the box; one that is gone already is no fault.
pub(super) fn forget(writing: &Writing<'_>, id: i64) -> Result<(), StoreError> {
    let body = writing
        .connection
        .query_row("DELETE FROM dead_letter WHERE id = ?1 RETURNING raw", [id], |row| row.get(0))
        .optional()?;
    body.map_or(Ok(()), |body| blobs::release(writing.connection, body))
}
