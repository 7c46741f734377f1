//! Opening the database: pragmas, migrations, and the lock that lets one process write.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::functions;

mod embedded {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

/// Pages of the write-ahead log after which a commit also moves them into the database file. Large enough that pages
/// written by every commit are moved once for many commits (it may then be 128 MiB), small enough that recovery at start
/// stays quick.
const CHECKPOINT_PAGES: u32 = 16_000;
/// Bytes of a page. Twice SQLite's usual size, so that an event's row, an incident's and a journal entry fit whole.
const PAGE_BYTES: u32 = 8_192;
/// KiB of pages the writer keeps in memory.
const WRITER_CACHE_KIB: i32 = 16 * 1024;
/// KiB of pages a reader keeps in memory.
const READER_CACHE_KIB: i32 = 2 * 1024;
/// Prepared statements a connection keeps; more than there are statements.
const STATEMENTS: usize = 128;
/// How long to wait for another process that holds the database, such as a backup.
const BUSY: Duration = Duration::from_secs(5);

/// Why the data folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data folder {} does not exist or is no folder", .0.display())]
    NoFolder(PathBuf),
    #[error("the data folder {} is in use by another larum process; stop that one, or choose another folder", .0.display())]
    InUse(PathBuf),
    #[error("the data folder {} holds no database yet; `larum serve` makes one", .0.display())]
    NoDatabase(PathBuf),
    #[error("{} cannot be opened: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("the database {} cannot be opened: {source}", path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("the database {} cannot be brought up to date: {source}", path.display())]
    Migration { path: PathBuf, source: Box<refinery::Error> },
    #[error("the database {} is of version {found}, this larum needs {known}; {}", path.display(),
        if found < known { "start `larum serve` once to bring it up to date" } else { "it was written by a newer larum" })]
    OtherVersion { path: PathBuf, found: i32, known: i32 },
    #[error("the database {} was made by a larum from before its first release and cannot be read; start with another data folder", .0.display())]
    Unreleased(PathBuf),
}

/// The database file inside a data folder.
pub(super) fn database(data: &Path) -> PathBuf {
    data.join("larum.db")
}

/// Takes the lock of a data folder; it is held until the file is dropped.
pub(super) fn lock(data: &Path) -> Result<File, OpenError> {
    if !data.is_dir() {
        return Err(OpenError::NoFolder(data.to_owned()));
    }
    let path = data.join("lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|source| OpenError::File { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path, source }),
    }
}

/// The connection that writes.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Rows that are referred to are never deleted, or counted by hand; the checks would only cost.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    functions::register(&connection)?;
    Ok(connection)
}

/// Brings the schema up to date.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    embedded::migrations::runner()
        .set_grouped(true)
        .run(connection)
        .map(drop)
        .map_err(|source| OpenError::Migration { path: path.to_owned(), source: Box::new(source) })
}

/// Whether a database has the schema this program knows, for those who may not change it.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let runner = embedded::migrations::runner();
    let newest = runner.get_migrations().iter().max_by_key(|migration| migration.version());
    let known = newest.map(refinery::Migration::version).unwrap_or_default();
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let sql = "SELECT version, checksum FROM refinery_schema_history ORDER BY version DESC LIMIT 1";
    let found = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional();
    match found.map_err(failed)? {
        Some((found, checksum)) if found == known => {
            let same = newest.is_some_and(|migration| migration.checksum().to_string() == checksum);
            if same { Ok(()) } else { Err(OpenError::Unreleased(path.to_owned())) }
        }
        found => {
            let found = found.map_or(0, |(found, _)| found);
            Err(OpenError::OtherVersion { path: path.to_owned(), found, known })
        }
    }
}
