//! Whether a call is signed as its connection says.

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::{
    config::{HmacAlgorithm, SignatureEncoding, SignedPiece, Webhook},
    secret::SecretError,
};

/// Some senders leave the padding off.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a call does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureFault {
    #[error("the signature is missing: the header {0} must be given once")]
    Missing(String),
    #[error("the header {0} is signed and must be given once")]
    MissingHeader(String),
    #[error("the signature in {0} is not that of this body")]
    Wrong(String),
    #[error("{header} is not the seconds since 1970, or too far from the present")]
    Stale { header: String },
    /// Ours, not the sender's.
    #[error("the secret cannot be read: {0}")]
    Secret(#[from] SecretError),
    /// Ours, not the sender's: anybody could sign with it.
    #[error("the secret is empty")]
    EmptySecret,
}

/// The value of a header that is given exactly once, by its name in lower case.
pub trait Headers {
    fn only(&self, name: &str) -> Option<&[u8]>;
}

impl Headers for axum::http::HeaderMap {
    fn only(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).map(axum::http::HeaderValue::as_bytes)
    }
}

/// Checks what can be checked before the body is there.
///
/// # Errors
/// When the signature is missing or too old.
pub fn precheck(connection: &Webhook, headers: &impl Headers, now: DateTime<Utc>) -> Result<(), SignatureFault> {
    if headers.only(&connection.header).is_none() {
        return Err(SignatureFault::Missing(connection.header.clone()));
    }
    let Some(timestamp) = &connection.timestamp else { return Ok(()) };
    let given = headers.only(&timestamp.header).and_then(|text| std::str::from_utf8(text).ok()?.parse::<i64>().ok());
    let off = given.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).map(|at| (now - at).abs());
    match off.and_then(|off| off.to_std().ok()) {
        Some(off) if off <= timestamp.tolerance => Ok(()),
        _ => Err(SignatureFault::Stale { header: timestamp.header.clone() }),
    }
}

/// Checks the signature, in time that does not depend on where it is wrong.
///
/// # Errors
/// When it is missing, too old or wrong, or our own secret cannot be read.
pub fn verify(
    connection: &Webhook,
    headers: &impl Headers,
    body: &[u8],
    now: DateTime<Utc>,
) -> Result<(), SignatureFault> {
    precheck(connection, headers, now)?;
    let wrong = || SignatureFault::Wrong(connection.header.clone());
    let given = headers.only(&connection.header).unwrap_or_default();
    let signature = given.strip_prefix(connection.prefix.as_bytes()).and_then(|text| match connection.encoding {
        SignatureEncoding::Hex => hex::decode(text).ok(),
        SignatureEncoding::Base64 => BASE64.decode(text).ok(),
    });
    let signature = signature.ok_or_else(wrong)?;
    let mut signed: Vec<&[u8]> = Vec::new();
    for piece in &connection.signs {
        signed.push(match piece {
            SignedPiece::Text(text) => text.as_bytes(),
            SignedPiece::Header(name) => {
                headers.only(name).ok_or_else(|| SignatureFault::MissingHeader(name.clone()))?
            }
            SignedPiece::Body => body,
        });
    }
    // Every secret is tried, so that the time does not tell which of them is in use.
    let mut good = false;
    for secret in &connection.secrets {
        let secret = secret.read()?;
        if secret.expose_secret().is_empty() {
            return Err(SignatureFault::EmptySecret);
        }
        good |= matches(connection.algorithm, &secret, &signed, &signature).unwrap_or(false);
    }
    if good { Ok(()) } else { Err(wrong()) }
}

fn matches(
    algorithm: HmacAlgorithm,
    secret: &SecretString,
    signed: &[&[u8]],
    signature: &[u8],
) -> Result<bool, InvalidLength> {
    fn verified<M: Mac + KeyInit>(
        secret: &SecretString,
        signed: &[&[u8]],
        signature: &[u8],
    ) -> Result<bool, InvalidLength> {
        let mut mac = <M as KeyInit>::new_from_slice(secret.expose_secret().as_bytes())?;
        signed.iter().for_each(|piece| mac.update(piece));
        Ok(mac.verify_slice(signature).is_ok())
    }
    match algorithm {
        HmacAlgorithm::Sha1 => verified::<Hmac<Sha1>>(secret, signed, signature),
        HmacAlgorithm::Sha256 => verified::<Hmac<Sha256>>(secret, signed, signature),
        HmacAlgorithm::Sha512 => verified::<Hmac<Sha512>>(secret, signed, signature),
    }
}
