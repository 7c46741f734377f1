//! What can go wrong with an IMAP server. No text here holds a mail's content: async-imap's own parse errors do, so they
//! are never passed on.

use std::{io, path::PathBuf};

use crate::{mail::shown, secret::SecretError};

/// A fault of an IMAP connection.
#[derive(Debug, thiserror::Error)]
pub enum ImapError {
    #[error("{server} cannot be reached: {source}")]
    Unreachable { server: String, source: io::Error },
    #[error("{server} is not a loopback address, and no password is sent there without encryption; set tls")]
    Plain { server: String },
    #[error("STARTTLS is not spoken to IMAP servers; use implicit TLS")]
    StartTls,
    #[error("the certificates in {path} cannot be read: {reason}")]
    Certificates { path: PathBuf, reason: String },
    #[error("no encrypted connection to {server}: {reason}")]
    Tls { server: String, reason: String },
    #[error("the password cannot be read, so no login was tried: {0}")]
    Secret(#[from] SecretError),
    #[error("{server} refused the login: {said}")]
    Login { server: String, said: String },
    #[error("{server} has no folder {folder:?} that can be opened: {said}")]
    Folder { server: String, folder: String, said: String },
    #[error("{server} gives the folder no UIDVALIDITY, so no mail can be told from another")]
    NoUids { server: String },
    #[error("{server} gave the folder's mails new numbers while it was read; it is opened again")]
    Renumbered { server: String },
    #[error("{server} refused {command}: {said}")]
    Refused { server: String, command: &'static str, said: String, try_create: bool },
    #[error("{server} did not answer {command} within {seconds} s")]
    Silent { server: String, command: &'static str, seconds: u64 },
    #[error("{server} closed the connection during {command}: {said}")]
    Closed { server: String, command: &'static str, said: String },
    #[error("{server} answered {command} with something that cannot be read as IMAP")]
    Garbled { server: String, command: &'static str },
}

/// What a server said, as one short clean line.
pub(super) fn said(text: Option<&str>) -> String {
    match text.map(|text| shown::line(text, 200)).filter(|text| !text.is_empty()) {
        Some(text) => text,
        None => "no reason given".to_owned(),
    }
}
