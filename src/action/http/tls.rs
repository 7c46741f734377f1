//! TLS: whose certificates are believed, and which one is shown.

use std::{path::Path, sync::Arc};

use rustls_platform_verifier::{BuilderVerifierExt, Verifier};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    client::WantsClientCert,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

/// A certificate with its chain, and its private key.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Tells identities apart without keeping the key.
    pub(super) hash: [u8; 32],
}

impl Identity {
    /// Reads both from PEM.
    ///
    /// # Errors
    /// What cannot be read, in words that name neither.
    pub(super) fn read(certificate: &SecretString, key: &SecretString) -> Result<Self, String> {
        let (certificate, key) = (certificate.expose_secret(), key.expose_secret());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
        let chain = chain.map_err(|error| format!("the certificate is not PEM: {error}"))?;
        if chain.is_empty() {
            return Err("there is no PEM certificate in it".into());
        }
        if key.contains("ENCRYPTED PRIVATE KEY") || key.contains("Proc-Type: 4,ENCRYPTED") {
            return Err("its private key is encrypted; keep it decrypted in a file that only Larum may read".into());
        }
        let hash = Sha256::new().chain_update(certificate).chain_update([0]).chain_update(key).finalize().into();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "there is no PEM private key for it")?;
        Ok(Self { chain, key, hash })
    }
}

/// TLS by rustls with ring; certificates are verified as the operating system does, and against those in `ca_file`.
///
/// # Errors
/// What cannot be used.
pub(super) fn config(ca_file: Option<&Path>, identity: Option<&Identity>) -> Result<ClientConfig, String> {
    let verified = verified(ca_file)?;
    let mut config = match identity {
        None => verified.with_no_client_auth(),
        Some(identity) => verified
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .map_err(|error| format!("the client certificate: {error}"))?,
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The same for clients that show no certificate of their own.
///
/// # Errors
/// When `ca_file` cannot be used.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    config(ca_file, None)
}

fn verified(ca_file: Option<&Path>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    if let Some(path) = ca_file {
        let unusable = |why: String| format!("the `ca_file` {}: {why}", path.display());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
        let certificates: Result<Vec<_>, _> = certificates.collect();
        let certificates = certificates.map_err(|error| unusable(error.to_string()))?;
        if certificates.is_empty() {
            return Err(unusable("it holds no PEM certificate".into()));
        }
        let verifier = Verifier::new_with_extra_roots(certificates, Arc::new(ring::default_provider()))
            .map_err(|error| unusable(error.to_string()))?;
        return Ok(versions().dangerous().with_custom_certificate_verifier(Arc::new(verifier)));
    }
    Ok(versions().with_platform_verifier().unwrap_or_else(|error| {
        // Plain HTTP must still work; every https call will say that the certificate's issuer is unknown.
        tracing::warn!(%error, "no certificate authorities found, https calls will fail; install ca-certificates");
        versions().with_root_certificates(RootCertStore::empty())
    }))
}

fn versions() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|_| unreachable!("ring supports the default versions"))
}

/// Why a server's certificate was refused, if that was the cause.
pub(super) fn refusal(error: &rustls::Error) -> Option<&'static str> {
    let rustls::Error::InvalidCertificate(error) = error else { return None };
    Some(match error {
        CertificateError::UnknownIssuer => {
            "its certificate comes from an unknown authority; the `ca_file` of a connection could name that"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name"
        }
        CertificateError::Revoked => "its certificate was revoked",
        _ => return None,
    })
}
