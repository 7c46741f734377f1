//! The certificate that Larum shows, read again when its files change.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{config::ServerTls, limits::CERTIFICATE_LOOK};

/// Why a certificate cannot be shown. Tells the file and never what is in the key's.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the {what} {} of server.tls cannot be read: {source}", path.display())]
    Unreadable { what: &'static str, path: PathBuf, source: io::Error },
    #[error("the certificate {} of server.tls is not PEM: {why}", path.display())]
    NotPem { path: PathBuf, why: String },
    #[error("{} holds no PEM certificate; server.tls.certificate names a file that begins with -----BEGIN CERTIFICATE-----", .0.display())]
    NoCertificate(PathBuf),
    #[error("the private key {} of server.tls is encrypted; keep it decrypted in a file that only Larum may read", .0.display())]
    EncryptedKey(PathBuf),
    #[error("{} holds no PEM private key; server.tls.key names a file with -----BEGIN PRIVATE KEY-----", .0.display())]
    NoKey(PathBuf),
    #[error("the private key {} of server.tls cannot be used: {source}", path.display())]
    UnusableKey { path: PathBuf, source: rustls::Error },
    #[error("the private key {} does not belong to the certificate {}; the two files of server.tls must be made together",
        key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("the certificate {} of server.tls cannot be used: {source}", path.display())]
    UnusableCertificate { path: PathBuf, source: rustls::Error },
}

/// A certificate with its key, for TLS 1.2 and 1.3.
pub struct Certificates {
    files: ServerTls,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

/// What new connections are shown.
#[derive(Debug)]
struct Shown(RwLock<Read>);

#[derive(Debug, Clone)]
struct Read {
    key: Arc<CertifiedKey>,
    /// Tells two readings apart without keeping the key.
    hash: [u8; 32],
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read or do not hold a certificate and its key.
    pub fn load(files: &ServerTls) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let shown = Arc::new(Shown(RwLock::new(read(files)?)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|_| unreachable!("ring supports the default versions"))
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(Self { files: files.clone(), shown, config: Arc::new(config) }))
    }

    /// What takes TLS connections.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// Reads the files again; `true` when they have changed. After a fault the certificate of before stays.
    ///
    /// # Errors
    /// As [`Certificates::load`]'s.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let new = read(&self.files)?;
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = shown.hash != new.hash;
        *shown = new;
        Ok(changed)
    }

    /// Looks every [`CERTIFICATE_LOOK`] until `stop`, so that a renewed certificate needs no restart. Certificates are
    /// exchanged by links and folders in many ways, which only looking sees reliably.
    pub async fn watch(&self, stop: CancellationToken) {
        let mut last = None;
        while stop.run_until_cancelled(tokio::time::sleep(CERTIFICATE_LOOK)).await.is_some() {
            // Two small files, some of them on slow disks: no reason for a thread, none to do it often.
            let fault = match self.refresh() {
                Ok(true) => {
                    tracing::info!(file = %self.files.certificate.display(), "the certificate was exchanged");
                    None
                }
                Ok(false) => None,
                Err(error) => Some(error.to_string()),
            };
            if let Some(error) = fault.as_ref().filter(|_| fault != last) {
                tracing::error!(%error, "the certificate of before stays in use");
            }
            last = fault;
        }
    }
}

fn read(files: &ServerTls) -> Result<Read, TlsError> {
    let certificate = text("certificate", &files.certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let chain = chain.map_err(|error| {
        let why = match error {
            pem::Error::MissingSectionEnd { .. } => "the line -----END CERTIFICATE----- is missing".to_owned(),
            error => error.to_string(),
        };
        TlsError::NotPem { path: files.certificate.clone(), why }
    })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(files.certificate.clone()));
    }
    let key = text("private key", &files.key)?;
    let holds = |mark: &str| memchr::memmem::find(&key, mark.as_bytes()).is_some();
    if holds("ENCRYPTED PRIVATE KEY") || holds("Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::EncryptedKey(files.key.clone()));
    }
    let hash = Sha256::new().chain_update(&certificate).chain_update([0]).chain_update(&key).finalize().into();
    // The reader's own words might repeat a line of the file.
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| TlsError::NoKey(files.key.clone()))?;
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|source| match source {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone() }
        }
        rustls::Error::InvalidCertificate(_) => {
            TlsError::UnusableCertificate { path: files.certificate.clone(), source }
        }
        source => TlsError::UnusableKey { path: files.key.clone(), source },
    })?;
    Ok(Read { key: Arc::new(key), hash })
}

fn text(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { what, path: path.to_owned(), source })
}
