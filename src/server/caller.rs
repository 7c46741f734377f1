//! Who asks: the seam between the table of routes and the tokens.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Site, problem::Problem, request::STORE_RETRY};
use crate::{access::Role, incident::Actor, store::StoreError};

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub actor: Actor,
    pub role: Role,
}

/// Why somebody was not.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("Authentication failed. The 'Authorization' header is missing or is not a bearer token.")]
    NoToken,
    #[error("Authentication failed. The token is not valid, has expired or was revoked.")]
    BadToken,
    #[error("The token '{name}' has the role {has}; this needs the role {needed}.")]
    Forbidden { name: String, has: &'static str, needed: &'static str },
    #[error("the token could not be looked up: {0}")]
    Store(#[from] StoreError),
}

impl Site {
    /// Lets whoever sends these headers do what takes this role.
    ///
    /// # Errors
    /// When there is no usable token, or its role is a lesser one.
    pub(super) async fn admit(&self, headers: &HeaderMap, _client: IpAddr, needed: Role) -> Result<Caller, Refused> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = given.and_then(|value| value.split_once(' '));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, text) = bearer.ok_or(Refused::NoToken)?;
        let (id, secret) = text.trim().split_once('.').ok_or(Refused::BadToken)?;
        let id = Uuid::try_parse(id).map_err(|_| Refused::BadToken)?;
        let token = self.door.store.token(id).await?.ok_or(Refused::BadToken)?;
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        if hash != token.hash || !token.is_usable(self.door.clock.now()) {
            return Err(Refused::BadToken);
        }
        if token.role < needed {
            return Err(Refused::Forbidden { name: token.name, has: token.role.as_str(), needed: needed.as_str() });
        }
        Ok(Caller { actor: Actor::Token { id: token.id, name: token.name }, role: token.role })
    }
}

impl From<Refused> for Box<Problem> {
    fn from(refused: Refused) -> Self {
        let (status, code) = match &refused {
            Refused::NoToken | Refused::BadToken => (StatusCode::UNAUTHORIZED, "AuthenticationFailed"),
            Refused::Forbidden { .. } => (StatusCode::FORBIDDEN, "AuthorizationFailed"),
            Refused::Store(error) => {
                tracing::error!(%error, "a token could not be looked up; its sender is told to try again");
                let message = "The token could not be checked. Try again in a while.";
                return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", TITLE, message)
                    .retry_after(STORE_RETRY);
            }
        };
        Problem::new(status, code, TITLE, refused.to_string())
    }
}

const TITLE: &str = "This is not for everybody";
