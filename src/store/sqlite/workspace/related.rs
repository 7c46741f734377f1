//! Incidents that have something in common.

use rusqlite::Connection;

use super::missing;
use crate::{
    incident::IncidentRef,
    store::{StoreError, incidents::RelatedIncident},
};

pub(super) fn related(
    _connection: &Connection,
    _incident: &IncidentRef,
    _limit: usize,
) -> Result<Vec<RelatedIncident>, StoreError> {
    missing()
}
