//! Runs that repeat others: a report is taken up again because a person, or another run, asked for it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{RunId, run::RunStatus};
use crate::{incident::Actor, playbook::Concurrency};

/// Where a run that repeats another one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Beginning {
    /// At the report: everything is done again.
    Event,
    /// Where the other one failed: what succeeded is kept.
    Failure,
}

impl Beginning {
    pub const ALL: &'static [Self] = &[Self::Event, Self::Failure];

    /// The name stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Failure => "failure",
        }
    }

    /// The beginning of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|beginning| beginning.as_str() == name)
    }
}

/// What a run is that repeats another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The run it repeats.
    pub of: RunId,
    pub from: Beginning,
    pub by: Actor,
    /// The run whose effects' identities its own effects have: itself, or when it begins at the failure the run it repeats.
    pub effects: RunId,
    /// What is kept of the run it repeats, as the engine writes it.
    pub kept: Vec<Vec<u8>>,
}

/// A run that is to repeat another one.
#[derive(Debug)]
pub struct Resubmission {
    pub run: RunId,
    pub origin: Origin,
    /// The version it follows.
    pub version: String,
    pub seed: [u8; 32],
    /// Asked for again with the same key, it is the same run.
    pub key: Option<String>,
    /// The playbook's limit, under which it may have to wait.
    pub limit: Option<Concurrency>,
    pub at: DateTime<Utc>,
}

/// An incident that came of the same report by another run of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FamilyIncident {
    pub number: u64,
    /// It has the tag that was asked for.
    pub is_tagged: bool,
}

/// What became of a suspended run that was to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumed {
    GoesOn,
    /// It is not suspended, or not any more.
    NotSuspended,
    /// As many runs of the playbook as may be are under way. It stays suspended: one that began cannot wait for its turn.
    Busy {
        because: String,
    },
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resubmitted {
    /// It is on disk, and begins now or when there is room for it.
    Opened { waiting: bool },
    /// It was asked for with this key before.
    Already { run: RunId, from: Beginning, version: String },
    /// The run it would repeat has not ended.
    NotEnded(RunStatus),
    /// As many runs of the playbook as may be wait already.
    Busy { because: String },
    /// There is no such run, or not any more.
    NoRun,
}
