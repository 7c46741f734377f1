//! Who or what changes an incident, and what led to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::limits;

/// Who or what made a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A person who signed in.
    Person {
        #[schemars(with = "String")]
        id: Uuid,
        name: String,
    },
    /// A client with a token.
    Token {
        #[schemars(with = "String")]
        id: Uuid,
        name: String,
    },
    /// A run of a playbook.
    Playbook {
        playbook: String,
        #[schemars(with = "String")]
        run: Uuid,
    },
    /// An automation rule, by its resource name and display name.
    Rule { rule: String, name: String },
    /// Larum itself: an incident for a report that came to nothing.
    Larum,
}

impl Actor {
    /// The name shown for it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Person { name, .. } | Self::Token { name, .. } | Self::Rule { name, .. } => name,
            Self::Playbook { playbook, .. } => playbook,
            Self::Larum => "Larum",
        }
    }

    /// What Sentinel calls its kind: `updatedBy.source` of an update.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self {
            Self::Person { .. } => "User",
            Self::Token { .. } | Self::Larum => "Application",
            Self::Playbook { .. } => "Playbook",
            Self::Rule { .. } => "AutomationRule",
        }
    }

    /// Whether two changes come from the same hand: the same person, token, playbook or rule.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Person { id, .. }, Self::Person { id: other, .. })
            | (Self::Token { id, .. }, Self::Token { id: other, .. }) => id == other,
            (Self::Playbook { playbook, .. }, Self::Playbook { playbook: other, .. }) => {
                playbook.eq_ignore_ascii_case(other)
            }
            (Self::Rule { rule, .. }, Self::Rule { rule: other, .. }) => rule.eq_ignore_ascii_case(other),
            (Self::Larum, Self::Larum) => true,
            _ => false,
        }
    }
}

/// A playbook or rule that was started by a change of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// By its name.
    Playbook(String),
    /// By its resource name.
    Rule(String),
    /// Of another Larum, which made this mark of it.
    Elsewhere(String),
}

impl Cause {
    /// Whether both mean the same playbook or rule.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Playbook(one), Self::Playbook(other)) | (Self::Rule(one), Self::Rule(other)) => {
                one.eq_ignore_ascii_case(other)
            }
            _ => false,
        }
    }

    /// Why `causes` keep this from being started by what they led to, if they do: it is among them, or they are many.
    #[must_use]
    pub fn barred_by(&self, causes: &[Self]) -> Option<String> {
        let chain = || causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ");
        if causes.iter().any(|known| known.is_same(self)) {
            return Some(format!("it led to this change itself: {}", chain()));
        }
        let most = limits::CAUSES;
        (causes.len() >= most).then(|| {
            format!(
                "{most} playbooks and rules led to this change one after another, and no more may follow: {}",
                chain()
            )
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Playbook(name) => write!(f, "playbook {name}"),
            Self::Rule(name) => write!(f, "automation rule {name}"),
            Self::Elsewhere(_) => f.write_str("a playbook or rule of another Larum"),
        }
    }
}

/// What led to a change, the first cause first: each was started by the change that the one before it made. A playbook or
/// rule that is among the causes of a change is not started by it, so that nothing goes on without end.
pub type Causes = Vec<Cause>;
