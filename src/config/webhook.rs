//! `webhook:` connections: how the sender of webhooks signs them.

use std::time::Duration;

use axum::http::HeaderName;

use super::{
    HmacAlgorithm, SecretEncoding, SignatureEncoding, SignedPiece, SignedTimestamp, Webhook, connection::KEPT,
    read::Reader,
};
use crate::{
    diagnostic::codes,
    limits,
    secret::SecretRef,
    yaml::{Given, Takes, shape},
};

const TOLERANCE_MIN: Duration = Duration::from_secs(1);
const TOLERANCE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Secrets that may be good at once: the old one and the new one.
const SECRETS: usize = 2;

const ALGORITHMS: &[(&str, HmacAlgorithm)] =
    &[("sha256", HmacAlgorithm::Sha256), ("sha512", HmacAlgorithm::Sha512), ("sha1", HmacAlgorithm::Sha1)];
const ENCODINGS: &[(&str, SignatureEncoding)] =
    &[("hex", SignatureEncoding::Hex), ("base64", SignatureEncoding::Base64)];
const SECRET_ENCODINGS: &[(&str, SecretEncoding)] =
    &[("text", SecretEncoding::Text), ("base64", SecretEncoding::Base64)];

crate::shape! {
    /// How the sender of webhooks signs them, for webhook triggers: an HMAC with a secret that both sides know.
    pub(super) WEBHOOK = "a webhook connection";
    /// The header with the signature, such as `X-Hub-Signature-256`.
    required "header": Takes::Words;
    /// Where the secret is kept; a list of two while it is being changed.
    required "secret": Takes::OneOrMore(&KEPT);
    /// How the secret's bytes are written down: as they are, or in base64. Default `text`.
    optional "secret_encoding": Takes::Choice(|| shape::names(SECRET_ENCODINGS));
    /// The hash. Default `sha256`; `sha1` only for senders that know no other.
    optional "algorithm": Takes::Choice(|| shape::names(ALGORITHMS));
    /// What stands before the signature in its header, such as `sha256=`.
    optional "prefix": Takes::Text;
    /// How the signature is written. Default `hex`.
    optional "encoding": Takes::Choice(|| shape::names(ENCODINGS));
    /// What is signed, headers and `{body}` in braces. Default `{body}`.
    optional "signs": Takes::Words;
    /// The header with the time of signing, which must be signed too.
    optional "timestamp": Takes::Map(&TIMESTAMP);
}

crate::shape! {
    /// When the sender signed; an older call is refused.
    TIMESTAMP = "`timestamp`";
    /// The header with the seconds since 1970.
    required "header": Takes::Words;
    /// How far it may be from the present, from one second to one day. Default five minutes.
    optional "tolerance": Takes::Duration;
}

pub(super) fn webhook(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Webhook> {
    let mut fields = given.fields(&WEBHOOK, &mut reader.faults)?;
    let header = fields.required("header");
    let secret = fields.required("secret");
    let secret_encoding = fields.optional("secret_encoding");
    let algorithm = fields.optional("algorithm");
    let prefix = fields.optional("prefix");
    let encoding = fields.optional("encoding");
    let signs = fields.optional("signs");
    let timestamp = fields.optional("timestamp");
    fields.finish(&mut reader.faults);

    let header = header.and_then(|given| header_name(given, reader));
    let secrets = secret.and_then(|given| read_secrets(given, reader));
    let algorithm = algorithm.and_then(|given| given.choice(ALGORITHMS, &mut reader.faults));
    let prefix = prefix.and_then(|given| given.text(&mut reader.faults)).unwrap_or_default();
    let encoding = encoding.and_then(|given| given.choice(ENCODINGS, &mut reader.faults));
    let secret_encoding = secret_encoding.and_then(|given| given.choice(SECRET_ENCODINGS, &mut reader.faults));
    let pieces = match signs {
        Some(given) => pieces(given, reader),
        None => Some(vec![SignedPiece::Body]),
    };
    let stamp = timestamp.and_then(|given| read_timestamp(given, reader));
    if let (Some(given), Some(stamp), Some(pieces)) = (timestamp, &stamp, &pieces)
        && !pieces.contains(&SignedPiece::Header(stamp.header.clone()))
    {
        let help = format!("write what is signed, such as `signs: \"{{{}}}.{{body}}\"`", stamp.header);
        reader.bad(&given, "a timestamp that is not signed proves nothing".to_owned(), &help);
    }
    Some(Webhook {
        header: header?,
        algorithm: algorithm.unwrap_or(HmacAlgorithm::Sha256),
        prefix: prefix.to_owned(),
        encoding: encoding.unwrap_or(SignatureEncoding::Hex),
        secrets: secrets?,
        secret_encoding: secret_encoding.unwrap_or(SecretEncoding::Text),
        signs: pieces?,
        timestamp: stamp,
    })
}

/// A secret, or a list of two.
fn read_secrets(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Vec<SecretRef>> {
    let crate::yaml::Value::List(items) = &given.node.value else {
        return reader.secret(given).map(|secret| vec![secret]);
    };
    if items.is_empty() || items.len() > SECRETS {
        let message = format!("`{}` is one secret, or a list of {SECRETS} while it is being changed", given.key);
        reader.faults.add(codes::OUT_OF_BOUNDS, given.span(), message);
        return None;
    }
    given.list(&mut reader.faults)?.into_iter().map(|item| reader.secret(item)).collect()
}

fn read_timestamp(given: Given<'_>, reader: &mut Reader<'_>) -> Option<SignedTimestamp> {
    let mut fields = given.fields(&TIMESTAMP, &mut reader.faults)?;
    let header = fields.required("header");
    let tolerance = fields.optional("tolerance");
    fields.finish(&mut reader.faults);
    let bounds = TOLERANCE_MIN..=TOLERANCE_MAX;
    let tolerance =
        tolerance.and_then(|given| given.duration(bounds, "between one second and one day", &mut reader.faults));
    Some(SignedTimestamp {
        header: header_name(header?, reader)?,
        tolerance: tolerance.unwrap_or(limits::HOOK_TIMESTAMP_TOLERANCE),
    })
}

fn header_name(given: Given<'_>, reader: &mut Reader<'_>) -> Option<String> {
    let text = given.words(&mut reader.faults)?;
    let name = HeaderName::try_from(text).ok();
    if name.is_none() {
        reader.bad(&given, format!("`{text}` is not the name of a header"), "write it like X-Hub-Signature-256");
    }
    name.map(|name| name.as_str().to_owned())
}

/// `v0:{x-slack-request-timestamp}:{body}` in pieces.
fn pieces(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Vec<SignedPiece>> {
    let text = given.words(&mut reader.faults)?;
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let named = after.split_once('}');
        let piece = named.and_then(|(name, _)| match name {
            "body" => Some(SignedPiece::Body),
            name => HeaderName::try_from(name).ok().map(|name| SignedPiece::Header(name.as_str().to_owned())),
        });
        let (Some(piece), Some((_, after))) = (piece, named) else {
            let help = "in braces stand `body` and names of headers, such as \"v0:{x-slack-request-timestamp}:{body}\"";
            reader.bad(&given, format!("`{text}` does not say what is signed"), help);
            return None;
        };
        if !before.is_empty() {
            pieces.push(SignedPiece::Text(before.to_owned()));
        }
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(SignedPiece::Text(rest.to_owned()));
    }
    if !pieces.contains(&SignedPiece::Body) {
        reader.bad(&given, format!("`{text}` leaves the body unsigned"), "it must hold {body}");
        return None;
    }
    Some(pieces)
}
