//! The status of an action, as `run_after` names it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How an action ended. The YAML names are snake_case, the recorded ones Logic Apps' (`Succeeded`, `TimedOut`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActionStatus {
    Succeeded,
    Failed,
    Skipped,
    TimedOut,
    Cancelled,
}

impl ActionStatus {
    /// Whether an action so ended did not do what it should have: failed, timed out or cancelled.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Cancelled)
    }

    pub const ALL: &'static [Self] = &[Self::Succeeded, Self::Failed, Self::Skipped, Self::TimedOut, Self::Cancelled];

    /// The name in run records, as Logic Apps writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
            Self::TimedOut => "TimedOut",
            Self::Cancelled => "Cancelled",
        }
    }

    /// The name in YAML.
    #[must_use]
    pub fn yaml_name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of a YAML or Logic Apps name, ignoring case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|status| status.as_str().eq_ignore_ascii_case(name) || status.yaml_name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for ActionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
