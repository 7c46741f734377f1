//! A look at the newest mails of a mailbox that leaves no trace: no flag, no cursor, no file is touched.

use std::path::Path;

use chrono::{DateTime, SubsecRound, Utc};

use super::{EMBEDDED, Fault, Timing, embedded_maildir, imap, maildir};
use crate::config::{Config, Connection};

/// A mail as it stands in its mailbox.
#[derive(Debug)]
pub struct Peeked {
    /// Its UID, or the name of its file.
    pub place: String,
    /// When the mailbox received it; now, where the server does not say.
    pub received: DateTime<Utc>,
    /// The raw mail, or why it is not taken.
    pub content: Result<Vec<u8>, String>,
}

/// Shows the newest `count` mails of a folder, oldest first, one after the other. An IMAP folder is opened with EXAMINE and
/// its mails are fetched with `BODY.PEEK`; of a maildir, files in `new/` and `cur/` are read where they lie.
///
/// # Errors
/// When the connection is none of a mailbox, or the mailbox cannot be read.
pub async fn peek(
    config: &Config,
    connection: &str,
    folder: &str,
    count: u32,
    each: &mut (dyn FnMut(Peeked) + Send),
) -> Result<(), Fault> {
    let maildir = |path: &Path, each| maildir::peek(path, folder, count, each).map_err(Fault::from);
    match config.connections.get(connection) {
        Some(Connection::Imap(imap)) => {
            let now = Utc::now().trunc_subsecs(0);
            Ok(imap::peek(imap, &Timing::default(), folder, count, now, each).await?)
        }
        Some(Connection::Maildir(named)) => maildir(&named.path, each),
        Some(other) => Err(Fault::WrongKind(other.kind())),
        None if connection == EMBEDDED => maildir(&embedded_maildir(&config.data), each),
        None => Err(Fault::NoConnection),
    }
}
