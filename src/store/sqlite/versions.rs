//! Playbook versions and which of them is in force.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{codec::At, memo::Memo, writer::Writing};
use crate::store::{StoreError, Version};

const COLUMNS: &str = "SELECT v.hash, p.name, v.path, v.bundle FROM version v JOIN playbook p ON";

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version { id: row.get(0)?, playbook: row.get(1)?, path: row.get(2)?, bundle: row.get(3)? })
}

pub(super) fn keep(writing: &Writing<'_>, version: &Version, at: DateTime<Utc>) -> Result<(), StoreError> {
    let connection = writing.connection;
    // The author may change how the name is written; the playbook stays the same one.
    let playbook: i64 = connection.query_row(
        "INSERT INTO playbook (name) VALUES (?1) ON CONFLICT (name) DO UPDATE SET name = ?1 RETURNING id",
        [&version.playbook],
        |row| row.get(0),
    )?;
    connection.execute(
        "INSERT INTO version (hash, playbook, path, bundle, kept) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (hash) DO NOTHING",
        params![version.id, playbook, version.path, version.bundle, At(at)],
    )?;
    connection.execute(
        "UPDATE playbook SET version = (SELECT id FROM version WHERE hash = ?2), withdrawn = NULL WHERE id = ?1",
        params![playbook, version.id],
    )?;
    Ok(())
}

pub(super) fn withdraw(writing: &Writing<'_>, playbook: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
    let changed = writing.connection.execute(
        "UPDATE playbook SET withdrawn = coalesce(withdrawn, ?2) WHERE name = ?1",
        params![playbook, At(at)],
    )?;
    if changed == 0 { Err(StoreError::NotFound(format!("playbook {playbook}"))) } else { Ok(()) }
}

/// The row of a version and of its playbook.
pub(super) fn row(connection: &Connection, memo: &mut Memo, hash: &str) -> Result<(i64, i64), StoreError> {
    if let Some(rows) = memo.versions.get(hash) {
        return Ok(*rows);
    }
    let mut known = connection.prepare_cached("SELECT id, playbook FROM version WHERE hash = ?1")?;
    let rows = known.query_row([hash], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let rows = rows.ok_or_else(|| StoreError::NotFound(format!("playbook version {hash}")))?;
    memo.versions.insert(hash.to_owned(), rows);
    Ok(rows)
}

pub(super) fn get(connection: &Connection, hash: &str) -> Result<Option<Version>, StoreError> {
    let sql = format!("{COLUMNS} p.id = v.playbook WHERE v.hash = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([hash], version).optional()?)
}

pub(super) fn current(connection: &Connection) -> Result<Vec<Version>, StoreError> {
    let sql = format!("{COLUMNS} p.version = v.id WHERE p.withdrawn IS NULL ORDER BY p.name");
    Ok(connection.prepare_cached(&sql)?.query_map([], version)?.collect::<Result<_, _>>()?)
}
