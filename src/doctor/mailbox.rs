//! Mailboxes: whether one can log in, open what playbooks read, and do to mails what playbooks do to them.

use std::{path::Path, sync::Arc};

use super::{Finding, secret_advice, written};
use crate::{
    config::Imap,
    playbook::{Playbook, Trigger},
    trigger::mailbox::{
        ImapError, Timing, feed_name,
        probe::{self, FolderUse, Opened},
    },
};

/// What the playbooks do with the folders of a connection.
pub(super) fn folders(playbooks: &[Arc<Playbook>], connection: &str) -> Vec<FolderUse> {
    let mut folders: Vec<FolderUse> = Vec::new();
    for playbook in playbooks {
        let Trigger::Mailbox(trigger) = &playbook.trigger else { continue };
        let feed = feed_name(trigger);
        if feed.connection != connection {
            continue;
        }
        let place = match folders.iter().position(|used| used.folder == feed.folder) {
            Some(place) => place,
            None => {
                folders.push(FolderUse { folder: feed.folder, changes: false, moves_to: Vec::new() });
                folders.len() - 1
            }
        };
        let used = &mut folders[place];
        used.changes |= trigger.after.mark_seen || trigger.after.move_to.is_some();
        used.moves_to.extend(trigger.after.move_to.clone().filter(|target| !used.moves_to.contains(target)));
    }
    folders
}

/// The folder every mailbox has.
pub(super) fn inbox() -> FolderUse {
    FolderUse { folder: "INBOX".to_owned(), changes: false, moves_to: Vec::new() }
}

pub(super) async fn imap(about: &str, imap: &Imap, folders: &[FolderUse]) -> Vec<Finding> {
    let unread = folders.is_empty();
    let folders = if unread { &[inbox()] } else { folders };
    let looked = match probe::imap(imap, folders, &Timing::default()).await {
        Ok(looked) => looked,
        Err(error) => {
            let advice = advice(&error);
            return vec![Finding::broken(about, error.to_string(), advice)];
        }
    };
    let found = folders.iter().zip(looked).map(|(used, opened)| match opened {
        Ok(opened) => folder(about, used, &opened),
        Err(error) => {
            let advice = advice(&error);
            Finding::broken(about, error.to_string(), advice)
        }
    });
    let mut findings: Vec<Finding> = found.collect();
    if unread && findings.iter().all(|finding| finding.advice.is_none()) {
        for finding in &mut findings {
            finding.found.push_str("; no playbook reads it");
        }
    }
    findings
}

fn folder(about: &str, used: &FolderUse, opened: &Opened) -> Finding {
    let Opened { mails, tells, read_only, missing } = opened;
    let count = if *mails == 1 { "1 mail".to_owned() } else { format!("{mails} mails") };
    let mut found = format!("logged in, {} has {count}", used.folder);
    if *read_only {
        found.push_str(", and it is open for reading only, though a playbook marks or moves its mails");
        let advice =
            "give this user the rights to set \\Seen and to delete (IMAP ACL `lrswite`), or leave `after:` out";
        return Finding::broken(about, found, advice);
    }
    if !missing.is_empty() {
        found.push_str(&format!("; {} is not there yet, the first move makes it", missing.join(", ")));
    }
    if !tells {
        let advice = "mails are found when the folder is looked at; `every:` of the trigger says how often";
        return Finding::doubtful(about, format!("{found}; the server does not tell of new mail (no IDLE)"), advice);
    }
    Finding::well(about, found)
}

/// What to do about a fault of a mail server.
fn advice(error: &ImapError) -> String {
    match error {
        ImapError::Unreachable { .. } => {
            "check `host` and `port` (993 with TLS), and that the firewall lets this machine out".to_owned()
        }
        ImapError::Secret(error) => secret_advice(error),
        ImapError::Login { .. } => "check `username` and the password; many providers want an app password here, or \
             that an administrator switches IMAP on for the mailbox"
            .to_owned(),
        ImapError::Tls { .. } => {
            "when the server's certificate is of your own authority, name it in `ca_file`; `host` \
             must be the name in the certificate"
                .to_owned()
        }
        ImapError::Certificates { .. } => "name a PEM file with the authority's certificate in `ca_file`".to_owned(),
        ImapError::Plain { .. } | ImapError::StartTls => {
            "leave `tls` out: implicit TLS on port 993 is the default".to_owned()
        }
        ImapError::Folder { .. } => {
            "check `folder` in the playbook; a shared mailbox's folders may have a prefix, and this user must be let \
             in (IMAP ACL `lr`)"
                .to_owned()
        }
        ImapError::NoUids { .. } | ImapError::Garbled { .. } => {
            "is it an IMAP server that listens on this port?".to_owned()
        }
        ImapError::Silent { .. } | ImapError::Closed { .. } | ImapError::Renumbered { .. } => {
            "try again; when it stays so, look into the server's log".to_owned()
        }
        ImapError::Refused { .. } => "the server's log says why".to_owned(),
    }
}

/// Mails are moved from `new/` to `cur/`, so the folder must be writable too.
pub(super) fn maildir(about: &str, root: &Path, used: &FolderUse) -> Finding {
    let let_in = "let the user that runs Larum read and write it: mails are moved from new/ to cur/";
    match probe::maildir(root, &used.folder) {
        Ok(waiting) => {
            let found = match waiting {
                Some(waiting) => format!("{}: {waiting} waiting in {}", root.display(), used.folder),
                None => format!("{} is not there yet; `serve` makes it", root.display()),
            };
            match written(&root.join("tmp")) {
                Ok(()) => Finding::well(about, found),
                Err(error) => Finding::broken(about, format!("{found}, but it cannot be written: {error}"), let_in),
            }
        }
        Err(error) => Finding::broken(about, error.to_string(), let_in),
    }
}
