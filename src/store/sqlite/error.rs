//! What SQLite and the file system say, as [`StoreError`]s.

use std::{io, path::Path};

use rusqlite::ErrorCode;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string().into();
        match error.sqlite_error_code() {
            // A held lock (a backup, a second program) passes like a full disk does.
            Some(
                ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked,
            ) => Self::Unavailable(text),
            _ => Self::Failed(text),
        }
    }
}

/// A fault of the file system while `doing` something with `path`.
pub(super) fn file(doing: &str, path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{doing} {}: {error}", path.display()).into();
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied => StoreError::Unavailable(text),
        _ => StoreError::Failed(text),
    }
}

/// Something in the database that this program did not put there.
pub(super) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("damaged: {what}").into())
}
