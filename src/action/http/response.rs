//! What came back: `{statusCode, headers, body}`, and what it means for the action.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::{
    Response,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER},
};
use serde_json::{Map, Value};

use super::fault::{self, Fault};
use crate::{action::Outcome, content, limits, playbook::ActionStatus};

/// Reads the body, unpacked, up to `most` bytes.
pub(super) async fn read(response: &mut Response, method: &str, host: &str, most: usize) -> Result<Vec<u8>, Fault> {
    let (host, status) = (host.to_owned(), response.status().as_u16());
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > most => {
                return Err(Fault::TooLarge { host, status, most });
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(error) if error.is_decode() => {
                return Err(Fault::Undecodable { host, status, reason: fault::reason(&error) });
            }
            Err(error) => {
                let (method, reason) = (method.to_owned(), fault::reason(&error));
                return Err(Fault::BrokenBody { method, host, status, reason });
            }
        }
    }
}

/// The outcome of an answer: 400 and above failed, with its outputs and without an error, as in Logic Apps.
pub(super) async fn outcome(
    response: &Response,
    bytes: Vec<u8>,
    host: &str,
    now: DateTime<Utc>,
) -> Result<Outcome, Fault> {
    let status = response.status().as_u16();
    let failed = status >= 400;
    let mut body = None;
    if !bytes.is_empty() {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let bytes = Bytes::from(bytes);
        body = Some(match content::value(kind, bytes.clone()).await {
            // A gateway's error page often carries the service's type; its status says enough.
            Err(_) if failed => String::from_utf8_lossy(&bytes).into(),
            body => body.map_err(|why| Fault::Unreadable { host: host.into(), status, why })?,
        });
    }
    Ok(answered(status, headers(response.headers()), body, retry_after(response.headers(), now)))
}

/// The outcome of an answer by its parts.
pub(crate) fn answered(
    status: u16,
    headers: Map<String, Value>,
    body: Option<Value>,
    retry_after: Option<Duration>,
) -> Outcome {
    let mut outputs = Map::new();
    outputs.insert("statusCode".into(), status.into());
    outputs.insert("headers".into(), headers.into());
    outputs.extend(body.map(|body| ("body".to_owned(), body)));
    let outcome = Outcome {
        status: if status >= 400 { ActionStatus::Failed } else { ActionStatus::Succeeded },
        code: status_name(status),
        ..Outcome::succeeded(outputs.into())
    };
    match status {
        408 | 429 | 500..=599 => outcome.retryable(retry_after),
        _ => outcome,
    }
}

/// The headers by name in lower case; of one that came more than once, the values with commas between them.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let text = |name: &HeaderName| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    headers.keys().map(|name| (name.to_string(), text(name).into())).collect()
}

/// How long the server asks to wait: seconds or an HTTP date (RFC 9110 §10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(limits::RUN_DURATION));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
    Some((until - now).to_std().unwrap_or_default().min(limits::RUN_DURATION))
}

/// The name .NET's `HttpStatusCode` gives a status, which Logic Apps records as the action's code; the number where it
/// has none.
pub(in crate::action) fn status_name(status: u16) -> String {
    let name = match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "NonAuthoritativeInformation",
        204 => "NoContent",
        205 => "ResetContent",
        206 => "PartialContent",
        300 => "MultipleChoices",
        301 => "MovedPermanently",
        302 => "Found",
        303 => "SeeOther",
        304 => "NotModified",
        305 => "UseProxy",
        307 => "TemporaryRedirect",
        400 => "BadRequest",
        401 => "Unauthorized",
        402 => "PaymentRequired",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        406 => "NotAcceptable",
        407 => "ProxyAuthenticationRequired",
        408 => "RequestTimeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "LengthRequired",
        412 => "PreconditionFailed",
        413 => "RequestEntityTooLarge",
        414 => "RequestUriTooLong",
        415 => "UnsupportedMediaType",
        416 => "RequestedRangeNotSatisfiable",
        417 => "ExpectationFailed",
        426 => "UpgradeRequired",
        500 => "InternalServerError",
        501 => "NotImplemented",
        502 => "BadGateway",
        503 => "ServiceUnavailable",
        504 => "GatewayTimeout",
        505 => "HttpVersionNotSupported",
        other => return other.to_string(),
    };
    name.into()
}
