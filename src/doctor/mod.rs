//! `larum doctor`: tries everything that the configuration names, changes nothing, and says of each what is wrong and what
//! to do about it.

mod ground;
mod mailbox;
mod outgoing;
mod service;

use std::{io, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use serde::Serialize;

use crate::{
    action::http::HttpClients,
    config::{Config, Connection, ParameterValue},
    playbook::Playbook,
    secret::{SecretError, Vault},
    trigger::mailbox::{EMBEDDED, embedded_maildir},
};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Well,
    /// It works, and may not do what is expected.
    Doubtful,
    /// It does not work.
    Broken,
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `connection soc-mailbox (imap)`
    pub about: String,
    pub health: Health,
    pub found: String,
    /// What to do, unless it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    fn well(about: &str, found: impl Into<String>) -> Self {
        Self { about: about.to_owned(), health: Health::Well, found: found.into(), advice: None }
    }

    fn doubtful(about: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let (found, advice) = (found.into(), Some(advice.into()));
        Self { about: about.to_owned(), health: Health::Doubtful, found, advice }
    }

    fn broken(about: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { health: Health::Broken, ..Self::doubtful(about, found, advice) }
    }
}

/// What looking at a configuration takes.
pub struct Doctor<'a> {
    pub config: &'a Config,
    /// The playbooks without faults.
    pub playbooks: &'a [Arc<Playbook>],
    pub clients: HttpClients,
    /// Proves nothing to anybody here; the exchange of a call needs one.
    pub vault: Vault,
    pub now: DateTime<Utc>,
}

impl Doctor<'_> {
    /// Tries everything at the same time and reports in the order of the configuration.
    pub async fn examine(&self) -> Vec<Finding> {
        let mut findings = ground::findings(self.config).await;
        let named = self.config.connections.iter().map(|(name, connection)| self.connection(name, connection));
        findings.extend(join_all(named).await.into_iter().flatten());
        for used in mailbox::folders(self.playbooks, EMBEDDED) {
            findings.push(mailbox::maildir("embedded maildir", &embedded_maildir(&self.config.data), &used));
        }
        findings.extend(self.parameters());
        findings
    }

    async fn connection(&self, name: &str, connection: &Connection) -> Vec<Finding> {
        let about = format!("connection {name} ({})", connection.kind());
        match connection {
            Connection::Imap(imap) => mailbox::imap(&about, imap, &mailbox::folders(self.playbooks, name)).await,
            Connection::Maildir(maildir) => {
                let mut folders = mailbox::folders(self.playbooks, name);
                if folders.is_empty() {
                    folders.push(mailbox::inbox());
                }
                let look = |used| mailbox::maildir(&about, &maildir.path, used);
                folders.iter().map(look).collect()
            }
            Connection::Smtp(smtp) => vec![outgoing::smtp(&about, smtp).await],
            Connection::Http(http) => vec![service::http(self, &about, http).await],
            Connection::Sentinel(sentinel) => vec![service::sentinel(self, &about, sentinel).await],
            Connection::Webhook(webhook) => {
                let read = webhook.secrets.iter().try_for_each(|secret| secret.read().map(drop));
                vec![secret(&about, read, "its secret can be read; whether the sender has the same only a call shows")]
            }
        }
    }

    /// Secrets that playbooks get as parameters.
    fn parameters(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (playbook, values) in &self.config.parameters {
            for (name, value) in values {
                let ParameterValue::Secret(kept) = value else { continue };
                let about = format!("parameter {name} of {playbook}");
                findings.push(secret(&about, kept.read().map(drop), "it can be read"));
            }
        }
        findings
    }
}

fn secret(about: &str, read: Result<(), SecretError>, well: &str) -> Finding {
    match read {
        Ok(()) => Finding::well(about, well),
        Err(error) => Finding::broken(about, error.to_string(), secret_advice(&error)),
    }
}

/// Whether this user can make files in a folder, or where there is none yet, in what it would be made in. The rights of a
/// folder do not say it: they may be another user's, or the file system's.
fn written(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|folder| folder.exists());
    let there = there.filter(|there| !there.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".doctor").tempfile_in(there)?.close()
}

/// What to do about a secret that cannot be read.
fn secret_advice(error: &SecretError) -> String {
    match error {
        SecretError::MissingVariable(name) => {
            format!("set {name} where Larum is started, in the unit's Environment for instance, or name another one")
        }
        SecretError::UnreadableFile { path, .. } => {
            format!("put the secret into `{}` and let the user that runs Larum read it", path.display())
        }
    }
}
