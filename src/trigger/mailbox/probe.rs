//! Looks at a mailbox as a reader would, and leaves every mail, flag and cursor as it is.

use std::path::Path;

use super::maildir::{self, MaildirError};

pub use super::imap::look as imap;

/// A folder that playbooks read, and what they do to its mails afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderUse {
    pub folder: String,
    /// Mails are marked as seen, or moved.
    pub changes: bool,
    /// The folders they are moved to.
    pub moves_to: Vec<String>,
}

/// A folder that could be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    pub mails: usize,
    /// Whether the server tells of new mail by itself (IDLE, RFC 2177).
    pub tells: bool,
    /// Whether nobody under this name may change flags or move mails.
    pub read_only: bool,
    /// Folders that mails are to be moved to and that do not exist yet.
    pub missing: Vec<String>,
}

/// Looks into a folder of a maildir; `None` when it is not there yet.
///
/// # Errors
/// When it is there and cannot be read.
pub fn maildir(root: &Path, folder: &str) -> Result<Option<usize>, MaildirError> {
    maildir::count(root, folder)
}
