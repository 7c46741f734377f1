//! What a run learns from outside, and what it asks of the outside.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};

use super::Step;
use crate::{
    action::{Child, Outcome},
    limits,
    store::run::RunStatus,
};

/// One entry of a run's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An attempt of an effect begins.
    Started { step: Step, attempt: u32, at: DateTime<Utc>, input: Input },
    /// An attempt of an effect came to something.
    Finished { step: Step, attempt: u32, at: DateTime<Utc>, outcome: Outcome },
    /// A timer's time has come.
    Woke { timer: u64, at: DateTime<Utc> },
    /// An answer that a step waits for came.
    Signalled { step: Step, payload: Value, at: DateTime<Utc> },
    /// The run that a step started came to something, or is only begun where the step does not wait.
    Returned { step: Step, outcome: Outcome, at: DateTime<Utc> },
    /// The answer to the run's caller is on record.
    Replied { at: DateTime<Utc> },
    /// A person ended the run.
    Cancelled {
        at: DateTime<Utc>,
        /// How often the machine had paused since its last event, so that replay stops it at the same place.
        #[serde(default, skip_serializing_if = "is_zero")]
        pauses: u32,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Event {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Started { at, .. }
            | Self::Finished { at, .. }
            | Self::Woke { at, .. }
            | Self::Signalled { at, .. }
            | Self::Returned { at, .. }
            | Self::Replied { at }
            | Self::Cancelled { at, .. } => *at,
        }
    }
}

/// An effect's input as the journal keeps it: whole, or above [`limits::JOURNALLED_INPUT_BYTES`] by its SHA-256.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The JSON text.
    #[serde(with = "raw")]
    Whole(Arc<RawValue>),
    /// Hex SHA-256 of the JSON text.
    Sha256(String),
}

impl Input {
    /// What the journal keeps of `input`.
    #[must_use]
    pub fn of(input: &Value) -> Self {
        match serde_json::value::to_raw_value(input) {
            Ok(text) if text.get().len() <= limits::JOURNALLED_INPUT_BYTES => Self::Whole(text.into()),
            _ => Self::Sha256(hex::encode(Sha256::digest(input.to_string()))),
        }
    }

    /// The JSON text, or the hash with a word that says so.
    #[must_use]
    pub fn show(&self) -> Value {
        match self {
            Self::Whole(text) => serde_json::from_str(text.get()).unwrap_or_default(),
            Self::Sha256(hash) => Value::String(format!("sha256:{hash}")),
        }
    }
}

impl PartialEq for Input {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.get() == b.get(),
            (Self::Sha256(a), Self::Sha256(b)) => a == b,
            (Self::Whole(_), Self::Sha256(_)) | (Self::Sha256(_), Self::Whole(_)) => false,
        }
    }
}

/// Raw JSON text behind an `Arc`; serde's own `rc` feature is off.
mod raw {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::value::RawValue;

    pub(super) fn serialize<S: Serializer>(raw: &Arc<RawValue>, serializer: S) -> Result<S::Ok, S::Error> {
        (**raw).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<RawValue>, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Arc::from)
    }
}

/// What the machine asks of its driver.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Performs an effect; its outcome comes back as [`Event::Finished`], after [`Event::Started`] with this `journalled`.
    Perform { step: Step, attempt: u32, action: &'static str, input: Arc<Value>, journalled: Input },
    /// What the step asked for is no longer wanted; whatever it comes to is ignored.
    Drop { step: Step, attempt: u32 },
    /// [`Event::Signalled`] is wanted for this step.
    Await { step: Step },
    /// Starts a run of another playbook, the same one however often it is asked for; [`Event::Returned`] is wanted, after
    /// [`Event::Started`] with this `journalled`.
    Call { step: Step, child: Child, journalled: Input },
    /// Answers the run's caller with `{statusCode, headers, body}`; [`Event::Replied`] is wanted.
    Reply { response: Value },
    /// [`Event::Woke`] is wanted at this instant.
    Sleep { timer: u64, until: DateTime<Utc> },
    /// The timer is no longer wanted.
    Unsleep { timer: u64 },
    /// The run has ended, or is suspended; nothing follows.
    Finish { status: RunStatus, error: Option<Value> },
}
