//! The name of a resource: the last part of its resource id.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How a resource is called in the API. Clients choose it when they create one, usually a GUID. Names compare ignoring
/// case, as Azure Resource Manager's do; a GUID is always shown in lower case.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum ResourceName {
    Guid(Uuid),
    Text(Box<str>),
}

/// Why a text is no resource name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a resource name: it has 1 to 260 characters, none of them / \\ ? # % < > & or a control character, and is not . or .."
)]
pub struct BadName(pub String);

impl ResourceName {
    /// Characters, Azure Resource Manager's limit.
    const MAX_CHARS: usize = 260;

    /// # Errors
    /// When it is empty, too long or holds what no address can carry.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        // Of the ways to write a GUID only the hyphenated one is a GUID here; the others are names like any other.
        if text.len() == 36
            && let Ok(guid) = Uuid::try_parse(text)
        {
            return Ok(Self::Guid(guid));
        }
        let forbidden = |letter: char| letter.is_control() || "/\\?#%<>&".contains(letter);
        if matches!(text, "" | "." | "..") || text.chars().count() > Self::MAX_CHARS || text.chars().any(forbidden) {
            return Err(BadName(text.to_owned()));
        }
        Ok(Self::Text(text.into()))
    }

    /// The GUID, if it is one.
    #[must_use]
    pub fn guid(&self) -> Option<Uuid> {
        match self {
            Self::Guid(guid) => Some(*guid),
            Self::Text(_) => None,
        }
    }
}

impl From<Uuid> for ResourceName {
    fn from(guid: Uuid) -> Self {
        Self::Guid(guid)
    }
}

impl TryFrom<String> for ResourceName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        Self::parse(&text)
    }
}

impl From<ResourceName> for String {
    fn from(name: ResourceName) -> Self {
        name.to_string()
    }
}

impl PartialEq for ResourceName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Guid(a), Self::Guid(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a.eq_ignore_ascii_case(b),
            _ => false,
        }
    }
}

impl Eq for ResourceName {}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guid(guid) => guid.fmt(f),
            Self::Text(text) => f.pad(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_ignoring_case_and_guids_are_shown_in_lower_case() {
        let upper = ResourceName::parse("73E01A99-5CD7-4139-A149-9F2736FF2AB5").unwrap();
        assert_eq!(upper.to_string(), "73e01a99-5cd7-4139-a149-9f2736ff2ab5");
        assert_eq!(ResourceName::parse("Case-7").unwrap(), ResourceName::parse("case-7").unwrap());
    }

    #[test]
    fn what_no_address_can_carry_is_no_name() {
        for text in ["", ".", "..", "a/b", "a?b", "a\nb", &"x".repeat(261)] {
            assert_eq!(ResourceName::parse(text), Err(BadName(text.to_owned())));
        }
    }
}
