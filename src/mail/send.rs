//! Sends a mail over an SMTP connection, or, without one, leaves it as a file in the outbox.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Certificate, Tls as LettreTls, TlsParameters},
        extension::ClientId,
    },
};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncWriteExt;

use super::write::{self, Outgoing, WriteError};
use crate::{
    config::{Smtp, Tls},
    limits,
    secret::{SecretError, SecretRef},
};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// Where a mail went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The server took it; what it said.
    Accepted(String),
    /// No connection is configured; the file it became.
    Outbox(PathBuf),
}

/// Why a mail was not sent, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the password for {server} cannot be read: {source}")]
    Secret { server: String, source: SecretError },
    #[error("{server} is not a loopback address, and mail is not sent there without encryption")]
    Plain { server: String },
    #[error("the certificates in {path} cannot be read: {reason}")]
    Certificates { path: PathBuf, reason: String },
    /// The server answered no. A 4xx answer may be another one later.
    #[error("{server} refused the mail with {code}: {reason}")]
    Refused { server: String, code: u16, reason: String },
    /// No connection came about, so nothing was sent.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable { server: String, reason: String },
    /// The connection broke before the server's last word: the mail may have been taken.
    #[error("the connection to {server} broke, and the mail may have been sent: {reason}")]
    Broken { server: String, reason: String },
    /// What the server offers and what the connection asks for do not meet.
    #[error("{server} cannot be used: {reason}")]
    Unusable { server: String, reason: String },
    #[error("the outbox file {path} cannot be written: {source}")]
    Outbox { path: PathBuf, source: io::Error },
}

impl SendError {
    /// Whether the same mail may go through later with nothing changed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { code, .. } => (400..500).contains(code),
            Self::Unreachable { .. } | Self::Broken { .. } | Self::Outbox { .. } => true,
            Self::Write(_)
            | Self::Secret { .. }
            | Self::Plain { .. }
            | Self::Certificates { .. }
            | Self::Unusable { .. } => false,
        }
    }

    /// Whether it is certain that the mail was not sent.
    #[must_use]
    pub fn outcome_is_known(&self) -> bool {
        !matches!(self, Self::Broken { .. })
    }
}

/// Sends mails, keeping the connections of each server open for the next one.
#[derive(Debug, Default)]
pub struct Mailer {
    transports: Mutex<HashMap<String, Kept>>,
}

/// A transport and the password it was made with, so that a changed one makes a new transport.
struct Kept {
    password: Option<SecretString>,
    transport: Transport,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Mailer {
    /// Sends a mail over `connection`, or writes it to the folder `outbox`. Repeating it is safe: it carries the same
    /// Message-ID, and in the outbox it is the same file.
    ///
    /// # Errors
    /// [`SendError`], which says whether a later attempt may succeed and whether the mail may have been sent.
    pub async fn send(&self, connection: Option<&Smtp>, outbox: &Path, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let Some(smtp) = connection else {
            let bytes = write::write_file(outgoing)?.formatted();
            return write_outbox(outbox, &outgoing.message_id, &bytes).await.map(Sent::Outbox);
        };
        let message = write::write(outgoing)?;
        let answer = self.transport(smtp)?.send(message).await.map_err(|error| send_error(smtp, &error))?;
        Ok(Sent::Accepted(answer.message().collect::<Vec<_>>().join(" ")))
    }

    /// Connects, encrypts and logs in as for a mail, and sends none.
    ///
    /// # Errors
    /// As [`Mailer::send`].
    pub async fn probe(&self, smtp: &Smtp) -> Result<(), SendError> {
        match self.transport(smtp)?.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let reason = "it took the login and then did not answer NOOP with yes".to_owned();
                Err(SendError::Unusable { server: server(smtp), reason })
            }
            Err(error) => Err(send_error(smtp, &error)),
        }
    }

    fn transport(&self, smtp: &Smtp) -> Result<Transport, SendError> {
        let password = smtp
            .password
            .as_ref()
            .map(SecretRef::read)
            .transpose()
            .map_err(|source| SendError::Secret { server: server(smtp), source })?;
        let key = format!("{}:{} {:?} {:?}", smtp.host, smtp.port, smtp.tls, smtp.username);
        let mut transports = self.transports.lock().unwrap_or_else(PoisonError::into_inner);
        let exposed = |password: &Option<SecretString>| password.as_ref().map(|it| it.expose_secret().to_owned());
        if let Some(kept) = transports.get(&key)
            && exposed(&kept.password) == exposed(&password)
        {
            return Ok(kept.transport.clone());
        }
        let transport = build_transport(smtp, password.as_ref())?;
        transports.insert(key, Kept { password, transport: transport.clone() });
        Ok(transport)
    }
}

fn build_transport(smtp: &Smtp, password: Option<&SecretString>) -> Result<Transport, SendError> {
    let tls = match &smtp.tls {
        Tls::None if is_loopback(&smtp.host) => LettreTls::None,
        Tls::None => return Err(SendError::Plain { server: server(smtp) }),
        Tls::Implicit { ca_file } => LettreTls::Wrapper(tls_parameters(smtp, ca_file.as_deref())?),
        Tls::StartTls { ca_file } => LettreTls::Required(tls_parameters(smtp, ca_file.as_deref())?),
    };
    let mut builder = Transport::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(tls)
        .timeout(Some(limits::SMTP_ANSWER))
        .pool_config(PoolConfig::new().max_size(limits::SMTP_CONNECTIONS));
    if let Some(name) = hostname::get().ok().and_then(|name| name.into_string().ok()) {
        builder = builder.hello_name(ClientId::Domain(name));
    }
    if let (Some(username), Some(password)) = (&smtp.username, password) {
        builder = builder.credentials(Credentials::new(username.clone(), password.expose_secret().to_owned()));
    }
    Ok(builder.build())
}

fn tls_parameters(smtp: &Smtp, ca_file: Option<&Path>) -> Result<TlsParameters, SendError> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(path) = ca_file {
        let unreadable = |reason: String| SendError::Certificates { path: path.to_owned(), reason };
        let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        builder =
            builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unreadable(error.to_string()))?);
    }
    builder.build_rustls().map_err(|error| SendError::Unusable { server: server(smtp), reason: error.to_string() })
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn server(smtp: &Smtp) -> String {
    format!("{}:{}", smtp.host, smtp.port)
}

fn send_error(smtp: &Smtp, error: &lettre::transport::smtp::Error) -> SendError {
    let (server, reason) = (server(smtp), error.to_string());
    if let Some(code) = error.status() {
        return SendError::Refused { server, code: code.into(), reason };
    }
    if error.is_client() {
        return SendError::Unusable { server, reason };
    }
    if error.is_tls() || never_connected(error) {
        return SendError::Unreachable { server, reason };
    }
    SendError::Broken { server, reason }
}

/// Whether the fault is one that only making a connection meets.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::AddrNotAvailable
            );
        }
        cause = error.source();
    }
    false
}

/// Writes the file beside its place, syncs it and renames it, so that nobody ever sees half a mail.
async fn write_outbox(folder: &Path, message_id: &str, bytes: &[u8]) -> Result<PathBuf, SendError> {
    let name: String =
        message_id.chars().map(|c| if c.is_ascii_alphanumeric() || "._@-".contains(c) { c } else { '_' }).collect();
    let path = folder.join(format!("{}.eml", name.trim_start_matches('.')));
    let beside = path.with_extension("tmp");
    let written = async {
        tokio::fs::create_dir_all(folder).await?;
        let mut file = tokio::fs::File::create(&beside).await?;
        file.write_all(bytes).await?;
        file.sync_all().await?;
        tokio::fs::rename(&beside, &path).await?;
        tokio::fs::File::open(folder).await?.sync_all().await
    };
    written.await.map_err(|source| SendError::Outbox { path: path.clone(), source })?;
    Ok(path)
}
