//! Who asks: from an `Authorization` header to somebody with a role.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, header};
use chrono::{DateTime, SecondsFormat, Utc};

use super::{Site, problem::Problem, request::STORE_RETRY};
use crate::{
    access::{Presented, Role, StoredToken},
    incident::Actor,
    store::StoreError,
};

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub actor: Actor,
    pub role: Role,
}

/// Why somebody was not. The words are Azure Resource Manager's where it has some.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("Authentication failed. The 'Authorization' header is missing.")]
    NoToken,
    #[error("Authentication failed. The 'Authorization' header must be given once, as 'Bearer TOKEN'.")]
    NotBearer,
    #[error("The access token is invalid.")]
    Unknown,
    #[error("The access token '{0}' was revoked. Ask an administrator for a new one (larum tokens create).")]
    Revoked(String),
    #[error(
        "The access token '{name}' expired at {}. Ask an administrator for a new one (larum tokens create).",
        at.to_rfc3339_opts(SecondsFormat::Secs, true)
    )]
    Expired { name: String, at: DateTime<Utc> },
    #[error("There is no link for a first administrator that ends so.")]
    NoLink,
    #[error(
        "Too many requests with a token or link that is not good came from your address. Try again in {0} seconds."
    )]
    TooMany(u64),
    #[error("The access token '{name}' has the role {has}; this needs the role {needed}.")]
    Forbidden { name: String, has: &'static str, needed: &'static str },
    #[error("the token could not be looked up: {0}")]
    Store(#[from] StoreError),
}

impl Site {
    /// Lets whoever sends these headers do what takes this role. The token is looked up each time, so that one that was
    /// revoked is refused at once.
    ///
    /// # Errors
    /// When there is no usable token, or its role is a lesser one.
    pub(super) async fn admit(&self, headers: &HeaderMap, client: IpAddr, needed: Role) -> Result<Caller, Refused> {
        let presented = bearer(headers)?.ok_or(Refused::Unknown);
        let token = match presented {
            Ok(presented) => self.known(&presented).await,
            Err(refused) => Err(refused),
        };
        let token = token.map_err(|refused| self.count_refused(client, refused))?;
        if token.role < needed {
            return Err(Refused::Forbidden { name: token.name, has: token.role.as_str(), needed: needed.as_str() });
        }
        Ok(Caller { actor: Actor::Token { id: token.id, name: token.name }, role: token.role })
    }

    async fn known(&self, presented: &Presented) -> Result<StoredToken, Refused> {
        let stored = self.door.store.token(presented.id).await?;
        let token = stored.filter(|stored| presented.is(stored)).ok_or(Refused::Unknown)?;
        match token.expires {
            _ if token.is_usable(self.door.clock.now()) => Ok(token),
            Some(at) if token.revoked.is_none() => Err(Refused::Expired { name: token.name, at }),
            _ => Err(Refused::Revoked(token.name)),
        }
    }

    /// Counts a token or link that is not good; one client's are logged up to a limit, and then it is told to wait. A good
    /// token of the same client still counts: behind one address there may be many.
    pub(super) fn count_refused(&self, client: IpAddr, refused: Refused) -> Refused {
        if matches!(refused, Refused::Store(_)) {
            return refused;
        }
        match self.refusals.count(client, self.door.clock.now()) {
            Ok(()) => {
                tracing::warn!(%client, %refused, "somebody was not let in");
                refused
            }
            Err(seconds) => Refused::TooMany(seconds),
        }
    }
}

/// The token of an `Authorization` header; `Ok(None)` when what stands there is no token of Larum.
fn bearer(headers: &HeaderMap) -> Result<Option<Presented>, Refused> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let value = given.next().ok_or(Refused::NoToken)?;
    if given.next().is_some() {
        return Err(Refused::NotBearer);
    }
    let (scheme, token) =
        value.to_str().ok().and_then(|value| value.trim().split_once(' ')).ok_or(Refused::NotBearer)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::NotBearer);
    }
    Ok(Presented::read(token.trim_start()))
}

impl From<Refused> for Box<Problem> {
    fn from(refused: Refused) -> Self {
        let told = refused.to_string();
        let unauthorised = |code| Problem::new(StatusCode::UNAUTHORIZED, code, TITLE, told.clone());
        match refused {
            Refused::NoToken | Refused::NotBearer => unauthorised("AuthenticationFailed").challenge("Bearer"),
            Refused::Unknown | Refused::Revoked(_) => unauthorised("InvalidAuthenticationToken").challenge(INVALID),
            Refused::Expired { .. } => unauthorised("ExpiredAuthenticationToken").challenge(INVALID),
            Refused::Forbidden { .. } => Problem::new(StatusCode::FORBIDDEN, "AuthorizationFailed", TITLE, told),
            Refused::NoLink => {
                let message = "This link does not count. A link is in the file first-admin of the data folder while there \
                               is no administrator; each start of Larum makes a new one.";
                Problem::new(StatusCode::NOT_FOUND, "NotFound", "There is nothing here", message)
            }
            Refused::TooMany(seconds) => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", TITLE, told).retry_after(seconds)
            }
            Refused::Store(error) => {
                tracing::error!(%error, "a token could not be looked up; its sender is told to try again");
                let message = "The token could not be checked. Try again in a while.";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", TITLE, message)
                    .retry_after(STORE_RETRY)
            }
        }
    }
}

const TITLE: &str = "This is not for everybody";
/// RFC 6750 §3.1.
const INVALID: &str = "Bearer error=\"invalid_token\"";
