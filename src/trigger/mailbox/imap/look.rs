//! A look at folders that leaves everything in them as it is, but for `\Recent`.

use super::{connect::connect, error::ImapError};
use crate::{
    config::Imap,
    trigger::mailbox::{
        Timing,
        probe::{FolderUse, Opened},
    },
};

/// Logs in once and opens each folder: for changes where playbooks make some, or else for reading only. Only a folder opened
/// for changes tells whether they are allowed; the server then takes `\Recent` from its mails (RFC 3501, 6.3.1).
///
/// # Errors
/// When nobody can log in; a folder that cannot be opened has its own.
pub async fn look(
    imap: &Imap,
    folders: &[FolderUse],
    timing: &Timing,
) -> Result<Vec<Result<Opened, ImapError>>, ImapError> {
    let mut session = connect(imap, timing).await?;
    let mut all = Vec::with_capacity(folders.len());
    for used in folders {
        let opened = async {
            let opened = session.open(&used.folder, used.changes).await?;
            let mut missing = Vec::new();
            for target in &used.moves_to {
                if !session.has_folder(target).await? {
                    missing.push(target.clone());
                }
            }
            let (mails, tells) = (session.mails() as usize, session.offers.idle);
            Ok(Opened { mails, tells, read_only: used.changes && opened.read_only, missing })
        };
        all.push(opened.await);
    }
    Ok(all)
}
