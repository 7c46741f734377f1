//! What the machine remembers of each action.

use std::{borrow::Cow, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{action::ErrorInfo, engine::event::Input, playbook::ActionStatus};

/// How far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for its container or its predecessors.
    Idle,
    /// May be looked at as soon as its turn comes.
    Ready,
    /// A container whose actions run, or an effect with an attempt under way.
    Running,
    /// An effect between two attempts.
    Pausing,
    Done,
}

/// An earlier attempt of an effect.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Attempt {
    pub(super) started: DateTime<Utc>,
    pub(super) ended: DateTime<Utc>,
    pub(super) code: String,
    pub(super) error: Option<ErrorInfo>,
}

/// One action of the run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    pub(super) phase: Phase,
    /// Predecessors that have not ended.
    pub(super) waiting: u32,
    /// The attempt under way or to come, from 1; 0 before the first.
    pub(super) attempt: u32,
    /// The attempt under way was journalled.
    pub(super) begun: Option<DateTime<Utc>>,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    /// The timer of its `timeout:`.
    pub(super) timeout: Option<u64>,
    /// The timer of its next attempt.
    pub(super) retry: Option<u64>,
    pub(super) input: Option<Arc<Value>>,
    pub(super) journalled: Option<Input>,
    pub(super) status: Option<ActionStatus>,
    pub(super) code: Cow<'static, str>,
    pub(super) outputs: Option<Arc<Value>>,
    pub(super) error: Option<ErrorInfo>,
    pub(super) history: Vec<Attempt>,
}

impl Slot {
    pub(super) fn new(waiting: u32) -> Self {
        Self {
            phase: Phase::Idle,
            waiting,
            attempt: 0,
            begun: None,
            started: None,
            ended: None,
            timeout: None,
            retry: None,
            input: None,
            journalled: None,
            status: None,
            code: Cow::Borrowed(""),
            outputs: None,
            error: None,
            history: Vec::new(),
        }
    }
}

/// How an action ended.
pub(super) struct Ending {
    pub(super) status: ActionStatus,
    pub(super) code: Cow<'static, str>,
    pub(super) outputs: Option<Arc<Value>>,
    pub(super) error: Option<ErrorInfo>,
}

impl Ending {
    pub(super) fn new(status: ActionStatus, code: &'static str, error: Option<ErrorInfo>) -> Self {
        Self { status, code: Cow::Borrowed(code), outputs: None, error }
    }
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Timeout,
    Retry,
}
