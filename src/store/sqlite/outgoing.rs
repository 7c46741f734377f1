//! The count that keeps automatic mails from becoming a flood.

use chrono::{DateTime, Duration, Utc};
use rusqlite::{OptionalExtension, params};

use super::{codec::At, writer::Writing};
use crate::store::StoreError;

pub(super) fn reserve(
    writing: &Writing<'_>,
    message_id: &str,
    recipients: &[String],
    at: DateTime<Utc>,
    limit: u32,
) -> Result<bool, StoreError> {
    let connection = writing.connection;
    let mut answered = connection.prepare_cached("SELECT granted FROM mail_reservation WHERE message_id = ?1")?;
    if let Some(granted) = answered.query_row([message_id], |row| row.get(0)).optional()? {
        return Ok(granted);
    }
    let mut sent = connection.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM mail_recipient WHERE recipient = ?1 AND at > ?2 LIMIT ?3)",
    )?;
    let mut granted = true;
    for recipient in recipients {
        let count: u32 = sent.query_row(params![recipient, At(at - Duration::hours(1)), limit], |row| row.get(0))?;
        granted &= count < limit;
    }
    connection
        .prepare_cached("INSERT INTO mail_reservation (message_id, at, granted) VALUES (?1, ?2, ?3)")?
        .execute(params![message_id, At(at), granted])?;
    if granted {
        // A recipient named twice gets one mail.
        let mut count = connection
            .prepare_cached("INSERT OR IGNORE INTO mail_recipient (recipient, at, message_id) VALUES (?1, ?2, ?3)")?;
        for recipient in recipients {
            count.execute(params![recipient, At(at), message_id])?;
        }
    }
    Ok(granted)
}
