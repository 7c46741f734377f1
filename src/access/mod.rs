//! Who may do what: roles and tokens.

mod resource;
mod token;

pub use resource::{TokenResource, TokenStatus};
pub use token::{IssueError, Issued, Lifetime, Presented, TokenRequest};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What somebody may do; each role may do what those before it may. The rights are Sentinel's.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything.
    Reader,
    /// Creates incidents and works on them.
    Responder,
    /// Also deletes, edits rules and others' comments.
    Contributor,
    /// Also manages tokens and users.
    Administrator,
}

impl Role {
    pub const ALL: &'static [Self] = &[Self::Reader, Self::Responder, Self::Contributor, Self::Administrator];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Responder => "responder",
            Self::Contributor => "contributor",
            Self::Administrator => "administrator",
        }
    }

    /// The role of this name, ignoring case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str().eq_ignore_ascii_case(name))
    }
}

/// Names a token; the part of it that is no secret.
pub type TokenId = Uuid;

/// A token as it rests: without what would let anybody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredToken {
    pub id: TokenId,
    /// Unique among those that can be used.
    pub name: String,
    pub role: Role,
    /// SHA-256 of its secret, which is random and long.
    #[serde(skip)]
    pub hash: [u8; 32],
    pub created: DateTime<Utc>,
    /// Who made it.
    pub created_by: String,
    pub expires: Option<DateTime<Utc>>,
    pub revoked: Option<DateTime<Utc>>,
}

impl StoredToken {
    /// Whether it lets anybody in at this instant.
    #[must_use]
    pub fn is_usable(&self, now: DateTime<Utc>) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}
