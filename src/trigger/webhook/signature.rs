//! Whether a call is signed as its connection says.

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::{
    config::{HmacAlgorithm, SecretEncoding, SignatureEncoding, SignedPiece, Webhook},
    secret::SecretError,
};

/// Some senders leave the padding off.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What secrets begin with under the Standard Webhooks specification.
const STANDARD_WEBHOOKS: &str = "whsec_";
/// Signatures of one call that are looked at; a sender that changes its secret sends two.
const SIGNATURES: usize = 8;

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
    /// Ours, not the sender's.
    #[error("the secret is not in base64")]
    UnreadableSecret,
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
    let given = headers.only(&connection.header).unwrap_or_default();
    let signatures = signatures(connection, given);
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
        let secret = key(connection.secret_encoding, &secret.read()?)?;
        for signature in &signatures {
            good |= matches(connection.algorithm, secret.expose_secret(), &signed, signature).unwrap_or(false);
        }
    }
    if good { Ok(()) } else { Err(SignatureFault::Wrong(connection.header.clone())) }
}

/// The signatures a header holds. While a sender changes its secret it signs with both and sends several, with spaces or
/// commas between them.
fn signatures(connection: &Webhook, given: &[u8]) -> Vec<Vec<u8>> {
    let between = |byte: &u8| *byte == b' ' || (*byte == b',' && !connection.prefix.contains(','));
    let pieces = given.split(between).filter_map(|piece| piece.strip_prefix(connection.prefix.as_bytes()));
    let decoded = pieces.filter_map(|text| match connection.encoding {
        SignatureEncoding::Hex => hex::decode(text).ok(),
        SignatureEncoding::Base64 => BASE64.decode(text).ok(),
    });
    decoded.filter(|signature| !signature.is_empty()).take(SIGNATURES).collect()
}

/// The bytes of a secret.
fn key(encoding: SecretEncoding, secret: &SecretString) -> Result<SecretSlice<u8>, SignatureFault> {
    let text = secret.expose_secret();
    let bytes = match encoding {
        SecretEncoding::Text => text.as_bytes().to_vec(),
        SecretEncoding::Base64 => BASE64
            .decode(text.strip_prefix(STANDARD_WEBHOOKS).unwrap_or(text))
            .map_err(|_| SignatureFault::UnreadableSecret)?,
    };
    if bytes.is_empty() { Err(SignatureFault::EmptySecret) } else { Ok(bytes.into()) }
}

fn matches(algorithm: HmacAlgorithm, secret: &[u8], signed: &[&[u8]], signature: &[u8]) -> Result<bool, InvalidLength> {
    fn verified<M: Mac + KeyInit>(secret: &[u8], signed: &[&[u8]], signature: &[u8]) -> Result<bool, InvalidLength> {
        let mut mac = <M as KeyInit>::new_from_slice(secret)?;
        signed.iter().for_each(|piece| mac.update(piece));
        Ok(mac.verify_slice(signature).is_ok())
    }
    match algorithm {
        HmacAlgorithm::Sha1 => verified::<Hmac<Sha1>>(secret, signed, signature),
        HmacAlgorithm::Sha256 => verified::<Hmac<Sha256>>(secret, signed, signature),
        HmacAlgorithm::Sha512 => verified::<Hmac<Sha512>>(secret, signed, signature),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use axum::http::HeaderMap;
    use serde_json::Value;

    use super::*;
    use crate::{
        config::{Config, Connection},
        diagnostic::Source,
    };

    /// The outcome for one connection, whose secrets are the files `secret` and, where it is given, `other`.
    fn outcome(connection: &str, secrets: &[&str], headers: &[(&str, &str)], body: &str, now: i64) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, secret) in ["secret", "other"].iter().zip(secrets) {
            fs::write(folder.path().join(name), format!("{secret}\n")).unwrap();
        }
        let source = Source::new("larum.yaml", format!("connections: {{sender: {{webhook: {connection}}}}}"));
        let config = Config::read(&source, folder.path()).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let Connection::Webhook(connection) = &config.connections["sender"] else { panic!("a webhook") };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(axum::http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let now = DateTime::from_timestamp(now, 0).unwrap();
        verify(connection, &map, body.as_bytes(), now).map_or_else(|fault| fault.to_string(), |()| "good".into())
    }

    #[test]
    fn the_published_examples_of_senders_verify_and_a_changed_body_does_not() {
        let examples: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/data/webhook-signatures.json")).unwrap();
        for example in &examples {
            let text = |key: &str| example[key].as_str().unwrap();
            let headers: Vec<(&str, &str)> = example["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect();
            let now = example["now"].as_i64().unwrap_or_default();
            let check = |body: &str, now| outcome(text("connection"), &[text("secret")], &headers, body, now);
            assert_eq!(check(text("body"), now), "good", "{}", text("sender"));
            let changed = check(&format!("{} ", text("body")), now);
            assert!(changed.contains("is not that of this body"), "{}: {changed}", text("sender"));
            if now > 0 {
                assert!(check(text("body"), now + 301).contains("too far"), "{}", text("sender"));
                assert!(check(text("body"), now - 301).contains("too far"), "{}", text("sender"));
            }
        }
        assert!(examples.len() >= 3);
    }

    #[test]
    fn what_does_not_count_is_said() {
        let plain = "{header: X-Signature, prefix: 'sha256=', secret: {file: secret}}";
        let two = "{header: X-Signature, prefix: 'sha256=', secret: [{file: secret}, {file: other}]}";
        // HMAC-SHA256 of "Hello, World!" with "It's a Secret to Everybody".
        let good = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = "It's a Secret to Everybody";
        let body = "Hello, World!";
        let mut cases = Vec::new();
        for (what, connection, secrets, headers) in [
            ("the signature", plain, vec![secret], vec![("x-signature", good)]),
            ("the new secret's, while both are good", two, vec!["old", secret], vec![("x-signature", good)]),
            ("the old secret's, while both are good", two, vec![secret, "new"], vec![("x-signature", good)]),
            ("one of two signatures", plain, vec![secret], vec![("x-signature", &*format!("sha256=00,{good}"))]),
            ("no signature", plain, vec![secret], vec![]),
            ("an empty signature", plain, vec![secret], vec![("x-signature", "")]),
            ("the prefix alone", plain, vec![secret], vec![("x-signature", "sha256=")]),
            ("two headers", plain, vec![secret], vec![("x-signature", good), ("x-signature", good)]),
            ("without the prefix", plain, vec![secret], vec![("x-signature", &good[7..])]),
            ("half of it", plain, vec![secret], vec![("x-signature", &good[..39])]),
            ("another secret's", plain, vec!["guess"], vec![("x-signature", good)]),
            ("our secret is empty", plain, vec![""], vec![("x-signature", good)]),
        ] {
            cases.push(format!("{what}: {}", outcome(connection, &secrets, &headers, body, 0)));
        }
        insta::assert_debug_snapshot!(cases);
    }
}
