//! Lists: pages of incidents, comments, relations and alerts, filtered and sorted.

use rusqlite::Connection;

use super::missing;
use crate::{
    incident::{Alert, Comment, Incident, IncidentRef, Relation},
    store::{
        StoreError,
        incidents::{Listing, Page},
    },
};

pub(super) fn incidents(_connection: &Connection, _listing: &Listing) -> Result<Page<Incident>, StoreError> {
    missing()
}

pub(super) fn comments(
    _connection: &Connection,
    _incident: &IncidentRef,
    _listing: &Listing,
) -> Result<Option<Page<Comment>>, StoreError> {
    missing()
}

pub(super) fn relations(
    _connection: &Connection,
    _incident: &IncidentRef,
    _listing: &Listing,
) -> Result<Option<Page<Relation>>, StoreError> {
    missing()
}

pub(super) fn alerts(_connection: &Connection, _listing: &Listing) -> Result<Page<Alert>, StoreError> {
    missing()
}
