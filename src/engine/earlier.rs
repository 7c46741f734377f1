//! What an earlier run of the same report came to, for a run that does again only what failed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Step;
use crate::action::Outcome;

/// One thing that is kept of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Something that was done, with what it took and gave; it is not done again.
    Done {
        step: Step,
        /// The type of the action. Another one under the same id is not the same thing.
        action: String,
        input: Value,
        outcome: Box<Outcome>,
        started: DateTime<Utc>,
        ended: DateTime<Utc>,
    },
    /// Which branch a condition or switch took before anything had failed, counted as they stand in the file.
    Branch { step: Step, branch: u32 },
    /// How often an `until` went round, and whether it was over then. One that had reached its limit may go round as often
    /// again.
    Rounds { step: Step, rounds: u32, over: bool },
}

impl Entry {
    /// The step it tells of.
    #[must_use]
    pub fn step(&self) -> &Step {
        match self {
            Self::Done { step, .. } | Self::Branch { step, .. } | Self::Rounds { step, .. } => step,
        }
    }
}

/// All that is kept of an earlier run, by step; nothing for a run that begins at its report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Earlier(BTreeMap<Step, Entry>);

impl FromIterator<Entry> for Earlier {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        Self(entries.into_iter().map(|entry| (entry.step().clone(), entry)).collect())
    }
}

impl Earlier {
    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn of(&self, step: &Step) -> Option<&Entry> {
        self.0.get(step)
    }
}
