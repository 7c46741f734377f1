//! What forms and webhooks read from a request alike.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::problem::Problem;
use crate::{
    limits::IDEMPOTENCY_KEY_CHARS,
    trigger::form::{Refusal, decode_pairs},
};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is the first run's, as Stripe's and others' APIs do.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Seconds until a report that could not be stored may be sent again.
pub(super) const STORE_RETRY: u64 = 30;
/// Seconds until a report for which there was no room may be sent again.
pub(super) const BUSY_RETRY: u64 = 60;
/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as one segment of an address.
#[must_use]
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, RESERVED).to_string()
}

/// The `Idempotency-Key`, if there is one.
///
/// # Errors
/// 400 when it is given twice, is empty, too long or not ASCII.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&str>, Box<Problem>> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (key, more) = (keys.next(), keys.next());
    let Some(key) = key else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= IDEMPOTENCY_KEY_CHARS && more.is_none());
    key.map(Some).ok_or_else(|| {
        let message = format!(
            "Idempotency-Key must be given once and have 1 to {IDEMPOTENCY_KEY_CHARS} printable ASCII characters."
        );
        Problem::new(StatusCode::BAD_REQUEST, "BadRequest", "This cannot be taken", message)
    })
}

/// The values of a repeated name joined by commas, as ASP.NET and so Logic Apps join them.
#[must_use]
pub(super) fn joined(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    // Looking through the names for each pair would take seconds for a query that is made of names.
    let mut places: HashMap<String, usize> = HashMap::new();
    for (name, value) in pairs {
        match places.get(&name).and_then(|place| joined.get_mut(*place)) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => {
                places.insert(name.clone(), joined.len());
                joined.push((name, value));
            }
        }
    }
    joined
}

/// The query's pairs.
///
/// # Errors
/// When they are not UTF-8 or too many.
pub(super) fn queries(query: Option<&str>) -> Result<Vec<(String, String)>, Refusal> {
    decode_pairs(query.unwrap_or_default().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_repeated_name_are_joined_where_the_name_first_stood() {
        let pairs = |text: &str| queries(Some(text)).unwrap();
        assert_eq!(
            joined(pairs("b=1&a=2&b=3&A=4&a=&b=5")),
            [("b".to_owned(), "1,3,5".to_owned()), ("a".to_owned(), "2,".to_owned()), ("A".to_owned(), "4".to_owned()),]
        );
    }
}
