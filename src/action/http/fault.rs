//! Why an HTTP call gave no outputs.

use std::{error::Error, io};

use tokio_rustls::rustls;

use super::{guard::RefusedAddress, tls, token::NoToken};
use crate::{action::Outcome, content::ContentFault, limits, secret::SecretError};

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
    #[error("{host} answered {status} with more than {}", size(*most))]
    TooLarge { host: String, status: u16, most: usize },
    #[error("{host} answered {status} with a body that cannot be unpacked: {reason}")]
    Undecodable { host: String, status: u16, reason: String },
    #[error("{host} answered {status}, and {why}")]
    Unreadable { host: String, status: u16, why: ContentFault },
    #[error("the call was not sent: {0}")]
    Certificate(String),
    #[error(transparent)]
    Token(#[from] NoToken),
    /// It was begun, and what became of it cannot be asked.
    #[error("{0}")]
    Location(String),
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
            Self::Unreadable { why, .. } if why.is_of_size() => "ResponseTooLarge",
            Self::Undecodable { .. } | Self::Unreadable { .. } => "BadResponse",
            Self::Certificate(_) => "CertificateUnusable",
            Self::Token(_) => "AuthenticationFailed",
            Self::Location(_) => "PollFailed",
        };
        let (again, after) = match &self {
            Self::Unreachable { .. } => (true, None),
            Self::Broken { .. } | Self::BrokenBody { .. } => (repeatable, None),
            Self::Token(token) => (token.again, token.after),
            _ => (false, None),
        };
        let outcome = Outcome::failed(code, message);
        if again { outcome.retryable(after) } else { outcome }
    }

    /// Whether the network is at fault, so that it may go better later.
    pub(super) fn is_of_the_network(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. } | Self::BrokenBody { .. })
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

fn size(bytes: usize) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
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
    if let Some(why) = causes(error).find_map(refused_certificate) {
        return why.into();
    }
    causes(error).skip(1).last().map_or_else(|| "the connection failed".into(), ToString::to_string)
}

/// Why a certificate was refused, if that is what `cause` says. An I/O error's own cause is not among its sources.
fn refused_certificate(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return tls::refusal(error);
    }
    cause.downcast_ref::<io::Error>()?.get_ref().and_then(|inner| refused_certificate(inner))
}
