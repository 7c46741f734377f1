//! What can be wrong with a mailbox, in words that say what was tried, what came back and what happens next.

use super::{imap::ImapError, maildir::MaildirError};
use crate::store::StoreError;

/// Why a mailbox cannot be read at the moment. Whatever it is, the reader tries again after a while.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Imap(#[from] ImapError),
    #[error(transparent)]
    Maildir(#[from] MaildirError),
    #[error("mails stay where they are: {0}")]
    Store(#[from] StoreError),
    #[error("larum.yaml has no connection of this name")]
    NoConnection,
    #[error("the connection is of kind {0}, from which no mail can be read")]
    WrongKind(&'static str),
    #[error("the reader stopped by a mistake of Larum's own and is started again: {0}")]
    Stopped(String),
}
