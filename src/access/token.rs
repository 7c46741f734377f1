//! Bearer tokens (RFC 6750): `larum_`, the token's id, `_`, and 32 random bytes in base64url. Only the SHA-256 of the random
//! bytes is kept, which is enough because nobody can guess what it was made from.

use std::{fmt, io, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{Role, StoredToken, TokenId};
use crate::{duration, limits};

const PREFIX: &str = "larum_";
/// Random bytes of a token.
const SECRET_BYTES: usize = 32;

/// What a new token is to be.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    pub name: String,
    pub role: Role,
    pub lifetime: Lifetime,
    /// Who asks for it, as it is shown.
    pub by: String,
}

/// How long a token lets somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    For(Duration),
    /// Until it is revoked.
    Unlimited,
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::For(limits::TOKEN_LIFETIME)
    }
}

impl Lifetime {
    /// `90d`, any other duration, or `never`.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("never") {
            return Ok(Self::Unlimited);
        }
        let lifetime = duration::parse(text).filter(|time| !time.is_zero() && *time <= limits::TOKEN_LIFETIME_MOST);
        lifetime.map(Self::For).ok_or_else(|| {
            let most = limits::TOKEN_LIFETIME_MOST.as_secs() / 86_400;
            format!("it is `never` or at most {most}d; {}", duration::FORMS)
        })
    }

    fn end(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::For(time) => chrono::Duration::from_std(time).ok().and_then(|time| now.checked_add_signed(time)),
            Self::Unlimited => None,
        }
    }
}

/// A token that was just made: the only time that all of it is known.
#[derive(Debug)]
pub struct Issued {
    /// The whole token, for whoever asked; kept nowhere.
    pub token: SecretString,
    /// What rests of it.
    pub stored: StoredToken,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error(
        "`{0}` is not a name for a token: it has 1 to {most} characters, none of them a control character, and no space \
         at its ends; `.`, `..` and what looks like an id are none, since a name stands in addresses",
        most = limits::TOKEN_NAME_CHARS
    )]
    BadName(String),
    #[error("no token could be made: the system gives no randomness: {0}")]
    Random(io::Error),
}

impl TokenRequest {
    /// Makes the token.
    ///
    /// # Errors
    /// When the name is none, or the system gives no randomness.
    pub fn issue(self, now: DateTime<Utc>) -> Result<Issued, IssueError> {
        let fits = (1..=limits::TOKEN_NAME_CHARS).contains(&self.name.chars().count());
        // An address loses `.` and `..` on its way, and by an id another token may be meant.
        let is_other = [".", ".."].contains(&&*self.name) || Uuid::try_parse(&self.name).is_ok();
        if !fits || is_other || self.name.chars().any(char::is_control) || self.name.trim() != self.name {
            return Err(IssueError::BadName(self.name));
        }
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|error| IssueError::Random(io::Error::other(error.to_string())))?;
        let id = Uuid::new_v4();
        let token = format!("{PREFIX}{}_{}", id.simple(), BASE64_URL_SAFE_NO_PAD.encode(secret));
        let stored = StoredToken {
            id,
            name: self.name,
            role: self.role,
            hash: Sha256::digest(secret).into(),
            created: now,
            created_by: self.by,
            expires: self.lifetime.end(now),
            revoked: None,
        };
        Ok(Issued { token: token.into(), stored })
    }
}

/// A token that somebody showed, taken apart. Holds the hash of what is secret in it, never that itself.
pub struct Presented {
    pub id: TokenId,
    hash: [u8; 32],
}

impl Presented {
    /// Reads what stands behind `Bearer`; `None` when it is no token of Larum.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        if id.len() != 32 {
            return None;
        }
        let id = Uuid::try_parse(id).ok()?;
        let secret = BASE64_URL_SAFE_NO_PAD.decode(secret).ok().filter(|secret| secret.len() == SECRET_BYTES)?;
        Some(Self { id, hash: Sha256::digest(secret).into() })
    }

    /// Whether this is the token that rests as `stored`, found out in constant time. It may have expired.
    #[must_use]
    pub fn is(&self, stored: &StoredToken) -> bool {
        self.id == stored.id && self.hash.ct_eq(&stored.hash).into()
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn issue(name: &str) -> Result<Issued, IssueError> {
        let lifetime = Lifetime::parse("90d").unwrap();
        TokenRequest { name: name.into(), role: Role::Reader, lifetime, by: "a test".into() }.issue(at(0))
    }

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + days * 86_400, 0).unwrap()
    }

    #[test]
    fn a_token_is_recognised_and_any_change_of_it_is_not() {
        let Issued { token, stored } = issue("ci").unwrap();
        let token = token.expose_secret();
        assert!(Presented::read(token).is_some_and(|presented| presented.is(&stored)));
        for at in 0..token.len() {
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            let same = Presented::read(&changed).is_some_and(|presented| presented.is(&stored));
            // An id may be written in either case; its secret may not.
            assert!(!same || changed.eq_ignore_ascii_case(token) && at < 39, "{at}");
        }
        for text in ["", "larum_", "larum__", &token[..token.len() - 1], &format!("{token}A"), &token[6..]] {
            assert!(Presented::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn neither_the_stored_token_nor_the_debugging_output_tells_the_secret() {
        let issued = issue("ci").unwrap();
        let secret = issued.token.expose_secret().rsplit_once('_').unwrap().1.to_owned();
        let told = format!("{issued:?} {:?}", Presented::read(issued.token.expose_secret()));
        let written = serde_json::to_string(&issued.stored).unwrap();
        assert!(!told.contains(&secret) && !written.contains(&secret) && !written.contains("hash"));
    }

    #[test]
    fn a_token_is_good_until_it_expires_or_is_revoked() {
        let mut stored = issue("ci").unwrap().stored;
        assert!(stored.is_usable(at(0)) && stored.is_usable(at(89)) && !stored.is_usable(at(90)));
        stored.revoked = Some(at(1));
        assert!(!stored.is_usable(at(0)));
    }

    #[test]
    fn lifetimes_are_durations_or_never() {
        assert_eq!(Lifetime::parse("90d"), Ok(Lifetime::For(Duration::from_secs(90 * 86_400))));
        assert_eq!(Lifetime::parse("NEVER"), Ok(Lifetime::Unlimited));
        for text in ["", "0s", "tomorrow", "400000d"] {
            assert!(Lifetime::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_one_line_of_text() {
        let id = Uuid::nil().to_string();
        for name in ["", " ci", "ci\n", "a\u{1b}b", ".", "..", &id, &"x".repeat(limits::TOKEN_NAME_CHARS + 1)] {
            assert!(matches!(issue(name), Err(IssueError::BadName(_))), "{name:?}");
        }
        assert!(issue("Überwachung (Nacht)").is_ok());
    }
}
