//! Resources that are kept as they were written: bookmarks, automation rules, alert-rule actions, onboarding states.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Actor, ResourceName};

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    Bookmark,
    AutomationRule,
    /// Its parent is the alert rule.
    AlertRuleAction,
    OnboardingState,
}

impl DocumentKind {
    pub const ALL: &'static [Self] =
        &[Self::Bookmark, Self::AutomationRule, Self::AlertRuleAction, Self::OnboardingState];

    /// The name it is kept under.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bookmark => "bookmark",
            Self::AutomationRule => "automation_rule",
            Self::AlertRuleAction => "alert_rule_action",
            Self::OnboardingState => "onboarding_state",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// Where a document is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentKey {
    pub kind: DocumentKind,
    /// The resource it belongs to, where there is one.
    pub parent: Option<ResourceName>,
    pub name: ResourceName,
}

/// A resource that Larum keeps as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub key: DocumentKey,
    pub etag: Uuid,
    /// Its writable `properties`, checked.
    pub properties: Value,
    pub created: DateTime<Utc>,
    pub created_by: Actor,
    pub modified: DateTime<Utc>,
    pub modified_by: Actor,
}
