//! `larum.yaml`: what it may say, with a default for every key. `read` reads it.

mod connection;
mod http;
mod read;
mod sentinel;
mod server;
mod webhook;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use self::{
    http::{Http, HttpAuthentication, OAuth, entra, is_readable_on_the_way},
    sentinel::{Sentinel, is_api_version},
    server::{Server, ServerTls},
};
use crate::secret::SecretRef;

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: Server,
    /// The data folder: database, blobs, key, lock, outbox.
    pub data: PathBuf,
    /// Folders (or files) playbooks are read from.
    pub playbooks: Vec<PathBuf>,
    /// A folder whose handlebars files override the built-in templates of the same name.
    pub templates: Option<PathBuf>,
    /// Named outside systems, in the order of their names.
    pub connections: BTreeMap<String, Connection>,
    pub workspace: Workspace,
    pub runs: Runs,
    /// Parameter values by playbook and parameter.
    pub parameters: BTreeMap<String, BTreeMap<String, ParameterValue>>,
}

/// The built-in workspace's name, as Sentinel addresses one.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub subscription: String,
    pub resource_group: String,
    pub name: String,
}

/// How runs are kept.
#[derive(Debug, Clone)]
pub struct Runs {
    /// Ended runs older than this are deleted with their journals.
    pub keep: Duration,
}

/// A parameter's value: written down, or a secret kept elsewhere.
#[derive(Debug, Clone)]
pub enum ParameterValue {
    Plain(Value),
    Secret(SecretRef),
}

/// A named outside system.
#[derive(Debug, Clone)]
pub enum Connection {
    Maildir(Maildir),
    Imap(Imap),
    Smtp(Smtp),
    Http(Http),
    Webhook(Webhook),
    Sentinel(Sentinel),
}

impl Connection {
    /// The key it is written under.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Maildir(_) => "maildir",
            Self::Imap(_) => "imap",
            Self::Smtp(_) => "smtp",
            Self::Http(_) => "http",
            Self::Webhook(_) => "webhook",
            Self::Sentinel(_) => "sentinel",
        }
    }
}

/// Which mails count at the first contact with a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Only mails that arrive from now on.
    Now,
    /// Every mail in the folder.
    All,
    /// Mails received at or after this instant.
    At(DateTime<Utc>),
}

/// A maildir on this machine.
#[derive(Debug, Clone)]
pub struct Maildir {
    /// The folder that holds `new/`, `cur/` and `tmp/`; made when it does not exist.
    pub path: PathBuf,
    /// Which mails count at first contact. Default `all`.
    pub start: Start,
}

/// A mailbox on an IMAP server.
#[derive(Debug, Clone)]
pub struct Imap {
    pub host: String,
    /// Default 993.
    pub port: u16,
    pub tls: Tls,
    pub username: String,
    pub password: SecretRef,
    /// Which mails count at first contact. Default `now`.
    pub start: Start,
    /// The addresses this mailbox receives under, for the loop guard; the user name is one when it is an address.
    pub addresses: Vec<String>,
}

/// How a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte, the certificate verified against the system's roots and, when given, this PEM file.
    Implicit { ca_file: Option<PathBuf> },
    /// Plain first, then STARTTLS, required and verified (smtp only).
    StartTls { ca_file: Option<PathBuf> },
    /// No encryption; refused unless the host is a loopback address.
    None,
}

/// An SMTP server that takes outgoing mail.
#[derive(Debug, Clone)]
pub struct Smtp {
    pub host: String,
    /// Default 465 with implicit TLS, 587 with STARTTLS, 25 without.
    pub port: u16,
    pub tls: Tls,
    /// The sender, `Name <address>` or an address.
    pub from: String,
    pub username: Option<String>,
    pub password: Option<SecretRef>,
}

/// How the sender of webhooks signs them: an HMAC (RFC 2104) with a secret that both sides know.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The header with the signature, in lower case.
    pub header: String,
    /// Default `sha256`.
    pub algorithm: HmacAlgorithm,
    /// What stands before the signature in its header, such as `sha256=`.
    pub prefix: String,
    /// Default `hex`.
    pub encoding: SignatureEncoding,
    /// One secret, or two while it is being changed: either will do.
    pub secrets: Vec<SecretRef>,
    /// How the secrets' bytes are written down. Default `text`: as they are.
    pub secret_encoding: SecretEncoding,
    /// What is signed, piece by piece. Default: the body alone.
    pub signs: Vec<SignedPiece>,
    pub timestamp: Option<SignedTimestamp>,
}

/// The hash inside the HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacAlgorithm {
    /// Only for senders that know no other.
    Sha1,
    Sha256,
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEncoding {
    Hex,
    Base64,
}

/// How the bytes of a webhook's secret are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretEncoding {
    /// They are the text's own.
    Text,
    /// In base64, perhaps behind `whsec_`, as the Standard Webhooks specification has it.
    Base64,
}

/// A piece of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPiece {
    Text(String),
    /// The value of a header, by its name in lower case.
    Header(String),
    /// The body's bytes as received.
    Body,
}

/// When the sender signed; an older call is refused, so that a call somebody recorded cannot be sent again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedTimestamp {
    /// The header with the seconds since 1970, in lower case.
    pub header: String,
    /// How far it may be from the present, either way. Default five minutes.
    pub tolerance: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            data: PathBuf::from("larum-data"),
            playbooks: vec![PathBuf::from("playbooks")],
            templates: None,
            connections: BTreeMap::new(),
            workspace: Workspace {
                subscription: "00000000-0000-0000-0000-000000000000".into(),
                resource_group: "larum".into(),
                name: "default".into(),
            },
            runs: Runs { keep: Duration::from_secs(90 * 24 * 3600) },
            parameters: BTreeMap::new(),
        }
    }
}
