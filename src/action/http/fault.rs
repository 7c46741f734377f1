//! Why an HTTP call gave no outputs.

use std::{error::Error, net::IpAddr};

use super::guard::RefusedAddress;
use crate::{action::Outcome, limits, secret::SecretError};

/// What went wrong. Messages name the host and never the rest of a URL, where keys and tokens often are.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The inputs make no request.
    #[error("{0}")]
    BadRequest(String),
    #[error("the secret of the connection cannot be read: {0}")]
    Secret(#[from] SecretError),
    #[error("the call was not sent: {0}")]
    Refused(#[from] RefusedAddress),
    #[error("the call was not sent: TLS cannot be set up: {0}")]
    Setup(String),
    #[error("{method} to {host} was not sent: {reason}")]
    Unreachable { method: String, host: String, reason: String },
    #[error("{method} to {host} got no answer: {reason}")]
    Broken { method: String, host: String, reason: String },
    #[error("{method} to {host} got the status {status}, and then the connection broke: {reason}")]
    BrokenBody { method: String, host: String, status: u16, reason: String },
    #[error("{host} redirects more than {} times", limits::HTTP_HOPS)]
    TooManyRedirects { host: String },
    #[error("{host} redirects to {target}, which is no http or https address")]
    BadRedirect { host: String, target: String },
    #[error("{host} answered {status} with more than {} MiB", limits::HTTP_RESPONSE_BYTES >> 20)]
    TooLarge { host: String, status: u16 },
    #[error("{host} answered {status} with a body that cannot be unpacked: {reason}")]
    Undecodable { host: String, status: u16, reason: String },
    #[error("{host} answered {status} with a body that says it is JSON and is not: {reason}")]
    NotJson { host: String, status: u16, reason: String },
}

impl Fault {
    /// The outcome. `repeatable` says that sending the request twice does no harm, or that the author takes the risk.
    pub(super) fn outcome(self, repeatable: bool) -> Outcome {
        let message = self.to_string();
        let code = match &self {
            Self::BadRequest(_) => "BadRequest",
            Self::Secret(_) => "SecretUnavailable",
            Self::Refused(_) => "AddressRefused",
            Self::Setup(_) | Self::Unreachable { .. } => "ConnectionFailed",
            Self::Broken { .. } | Self::BrokenBody { .. } if !repeatable => "OutcomeUnknown",
            Self::Broken { .. } | Self::BrokenBody { .. } => "ConnectionFailed",
            Self::TooManyRedirects { .. } | Self::BadRedirect { .. } => "RedirectFailed",
            Self::TooLarge { .. } => "ResponseTooLarge",
            Self::Undecodable { .. } | Self::NotJson { .. } => "BadResponse",
        };
        let again = match self {
            Self::Unreachable { .. } => true,
            Self::Broken { .. } | Self::BrokenBody { .. } => repeatable,
            _ => false,
        };
        let outcome = Outcome::failed(code, message);
        if again { outcome.retryable(None) } else { outcome }
    }

    /// What became of a request that got no response.
    pub(super) fn of_request(error: &reqwest::Error, method: &str, host: &str) -> Self {
        if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<RefusedAddress>()) {
            return Self::Refused(refused.clone());
        }
        let (method, host) = (method.to_owned(), host.to_owned());
        let reason = reason(error);
        if error.is_builder() {
            Self::BadRequest(format!("{method} to {host} makes no request: {reason}"))
        } else if error.is_connect() {
            // Before the connection stands, nothing was sent.
            Self::Unreachable { method, host, reason }
        } else {
            Self::Broken { method, host, reason }
        }
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The innermost cause, which says most; the outer ones of reqwest repeat the URL.
pub(super) fn reason(error: &reqwest::Error) -> String {
    causes(error).skip(1).last().map_or_else(|| "the connection failed".into(), ToString::to_string)
}

/// A literal address in a URL.
pub(super) fn literal(url: &url::Url) -> Option<IpAddr> {
    match url.host()? {
        url::Host::Ipv4(address) => Some(address.into()),
        url::Host::Ipv6(address) => Some(address.into()),
        url::Host::Domain(_) => None,
    }
}
