//! A token as it is shown.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Role, StoredToken};

/// A token, without what would let anybody in.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Token")]
pub struct TokenResource<'a> {
    #[schemars(with = "String")]
    id: Uuid,
    name: &'a str,
    role: Role,
    status: TokenStatus,
    #[schemars(with = "String")]
    created: DateTime<Utc>,
    /// Who made it.
    created_by: &'a str,
    /// Null when it counts until it is revoked.
    #[schemars(with = "Option<String>")]
    expires: Option<DateTime<Utc>>,
    #[schemars(with = "Option<String>")]
    revoked: Option<DateTime<Utc>>,
}

/// Whether a token counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenStatus {
    Active,
    Expired,
    Revoked,
}

impl<'a> TokenResource<'a> {
    /// The token as it stands at this instant.
    #[must_use]
    pub fn of(token: &'a StoredToken, now: DateTime<Utc>) -> Self {
        let status = match token.revoked {
            Some(_) => TokenStatus::Revoked,
            None if token.is_usable(now) => TokenStatus::Active,
            None => TokenStatus::Expired,
        };
        Self {
            id: token.id,
            name: &token.name,
            role: token.role,
            status,
            created: token.created,
            created_by: &token.created_by,
            expires: token.expires,
            revoked: token.revoked,
        }
    }
}
