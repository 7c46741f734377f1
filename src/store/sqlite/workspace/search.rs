//! Full-text search, and its index, which follows what is written.

use rusqlite::Connection;

use super::{super::writer::Writing, missing};
use crate::store::{StoreError, incidents::SearchHit};

pub(super) fn search(_connection: &Connection, _query: &str, _limit: usize) -> Result<Vec<SearchHit>, StoreError> {
    missing()
}

pub(super) fn index_portion(_writing: &mut Writing<'_>) -> Result<bool, StoreError> {
    missing()
}
