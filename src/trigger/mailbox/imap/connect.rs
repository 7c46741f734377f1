//! From a connection in `larum.yaml` to a session that is logged in.

use std::{fmt, io, sync::Arc, time::Duration};

use async_imap::{Client, error::Error as ClientError};
use rustls_platform_verifier::Verifier;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use super::{
    error::{ImapError, said},
    session::Session,
};
use crate::{
    config::{Imap, Tls},
    trigger::mailbox::Timing,
};

/// What carries a session: TCP, with TLS or, to this machine only, without.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Transport for T {}

/// Bytes read from the system at once; async-imap itself asks for 4 KiB at a time.
const READ_AHEAD: usize = 64 * 1024;

/// Connects and logs in.
///
/// # Errors
/// [`ImapError`]; without a password nothing is connected to at all.
pub(super) async fn connect(imap: &Imap, timing: &Timing) -> Result<Session, ImapError> {
    let server = format!("{}:{}", imap.host, imap.port);
    let password = imap.password.read()?;
    let transport = within(timing.connect, &server, "the connection", transport(imap, &server)).await?;
    let mut client = Client::new(transport);
    let greeting = within(timing.connect, &server, "the greeting", async {
        client.read_response().await.map_err(|error| broken(&server, "the greeting", &error))
    });
    if greeting.await?.is_none() {
        return Err(ImapError::Closed { server, command: "the greeting", said: said(None) });
    }
    let login = client.login_with_capabilities(&imap.username, password.expose_secret());
    let login = within(timing.answer, &server, "LOGIN", async { Ok(login.await) });
    match login.await? {
        Ok((session, _)) => Session::new(session, server, timing.answer).await,
        Err((ClientError::No(text) | ClientError::Bad(text), _)) => {
            Err(ImapError::Login { server, said: said(Some(server_text(&text))) })
        }
        Err((ClientError::Validate(_), _)) => {
            Err(ImapError::Login { server, said: "user name or password hold a line break".to_owned() })
        }
        Err((ClientError::Io(error), _)) => Err(broken(&server, "LOGIN", &error)),
        Err(_) => Err(ImapError::Closed { server, command: "LOGIN", said: said(None) }),
    }
}

/// What the server said, out of `code: …, info: Some("…")` as async-imap prints it.
fn server_text(text: &str) -> &str {
    text.split_once("info: Some(\"").and_then(|(_, rest)| rest.strip_suffix("\")")).unwrap_or(text)
}

/// An I/O error as a fault; a parse error, whose text quotes what was received, is told by its kind only.
pub(super) fn broken(server: &str, command: &'static str, error: &io::Error) -> ImapError {
    let server = server.to_owned();
    if error.kind() == io::ErrorKind::Other {
        return ImapError::Garbled { server, command };
    }
    ImapError::Closed { server, command, said: error.kind().to_string() }
}

/// Waits for an answer, but not for ever.
pub(super) async fn within<T>(
    limit: Duration,
    server: &str,
    command: &'static str,
    answer: impl Future<Output = Result<T, ImapError>>,
) -> Result<T, ImapError> {
    timeout(limit, answer)
        .await
        .unwrap_or_else(|_| Err(ImapError::Silent { server: server.to_owned(), command, seconds: limit.as_secs() }))
}

async fn transport(imap: &Imap, server: &str) -> Result<Box<dyn Transport>, ImapError> {
    let unreachable = |source| ImapError::Unreachable { server: server.to_owned(), source };
    let tls = match &imap.tls {
        Tls::None => None,
        Tls::Implicit { ca_file } => Some(tls_config(ca_file.as_deref())?),
        Tls::StartTls { .. } => return Err(ImapError::StartTls),
    };
    let tcp = TcpStream::connect((imap.host.as_str(), imap.port)).await.map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let Some(config) = tls else {
        // The address that was really reached counts, not what its name promised.
        let loopback = tcp.peer_addr().map_err(unreachable)?.ip().is_loopback();
        return if loopback {
            Ok(Box::new(BufReader::with_capacity(READ_AHEAD, tcp)))
        } else {
            Err(ImapError::Plain { server: server.to_owned() })
        };
    };
    let refused = |reason: String| ImapError::Tls { server: server.to_owned(), reason };
    let name = ServerName::try_from(imap.host.clone()).map_err(|error| refused(error.to_string()))?;
    let connection = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| refused(error.to_string()))?;
    Ok(Box::new(BufReader::with_capacity(READ_AHEAD, connection)))
}

/// Verifies against the system's roots and, when given, those in a PEM file.
fn tls_config(ca_file: Option<&std::path::Path>) -> Result<Arc<ClientConfig>, ImapError> {
    let mut extra = Vec::new();
    if let Some(path) = ca_file {
        let refused = |reason: String| ImapError::Certificates { path: path.to_owned(), reason };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?;
        for certificate in certificates {
            extra.push(certificate.map_err(|error| refused(error.to_string()))?);
        }
        if extra.is_empty() {
            return Err(refused("it holds no certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error: rustls::Error| ImapError::Tls { server: "any server".to_owned(), reason: error.to_string() };
    // Without a system store, a private CA file alone is enough to go on.
    let verifier = Verifier::new_with_extra_roots(extra, provider.clone()).map_err(unusable)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_server_said() {
        let text = r#"code: None, info: Some("[AUTHENTICATIONFAILED] Authentication failed.")"#;
        assert_eq!(server_text(text), "[AUTHENTICATIONFAILED] Authentication failed.");
        assert_eq!(server_text("other"), "other");
    }
}
