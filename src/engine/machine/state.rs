//! What the machine remembers of each action.

use std::{borrow::Cow, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use super::reason::Why;
use crate::{
    action::{ErrorInfo, LazyValue},
    engine::{
        event::Input,
        plan::{Index, Plan},
    },
    playbook::ActionStatus,
};

/// An action in one frame. What is ready runs in file order, earlier iterations first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) index: Index,
    pub(super) frame: u32,
}

/// One iteration of a loop's body, or the playbook outside of its loops.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) region: u32,
    /// The loop; `None` for the run itself.
    pub(super) owner: Option<Place>,
    pub(super) iteration: u32,
    /// By [`crate::engine::plan::Node::place`].
    pub(super) slots: Box<[Slot]>,
    /// For each list, by [`crate::engine::plan::List::place`], how many members have not ended.
    pub(super) open: Box<[u32]>,
}

impl Frame {
    pub(super) fn new(plan: &Plan, region: u32, owner: Option<Place>, iteration: u32) -> Self {
        let laid_out = &plan.regions[region as usize];
        let slots = laid_out.nodes.iter().map(|&node| Slot::new(super::count(&plan.node_at(node).after)));
        let open = laid_out.lists.iter().map(|&list| super::count(&plan.lists[list as usize].members));
        Self { region, owner, iteration, slots: slots.collect(), open: open.collect() }
    }
}

/// How far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for its container or its predecessors.
    Idle,
    /// May be looked at as soon as its turn comes.
    Ready,
    /// A container whose actions run, or something asked of the driver.
    Running,
    /// An effect between two attempts.
    Pausing,
    /// Waits for a time or an answer.
    Waiting,
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

/// What an action took or gave.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Whole(Arc<Value>),
    /// Read from the journal.
    Lazy(Arc<LazyValue>),
    /// Of an iteration of a long loop that has ended: its text takes a fraction of the memory.
    Text(Box<RawValue>),
}

impl Kept {
    pub(super) fn value(&self) -> Cow<'_, Value> {
        match self {
            Self::Whole(value) => Cow::Borrowed(value),
            Self::Lazy(value) => Cow::Borrowed(value),
            // It is the text of a value, so it reads as one.
            Self::Text(text) => Cow::Owned(serde_json::from_str(text.get()).unwrap_or_default()),
        }
    }

    pub(super) fn shared(&self) -> Arc<Value> {
        match self {
            Self::Whole(value) => value.clone(),
            Self::Lazy(_) | Self::Text(_) => Arc::new(self.value().into_owned()),
        }
    }

    fn put_away(&mut self) {
        if !matches!(self, Self::Text(_))
            && let Ok(text) = serde_json::value::to_raw_value(self)
        {
            *self = Self::Text(text);
        }
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(value) => value.serialize(serializer),
            Self::Lazy(value) => value.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

/// One action of the run. It is kept small, because a loop over many items has one for each action and item.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) phase: Phase,
    pub(super) status: Option<ActionStatus>,
    /// A branch was chosen, or an `until` was over, before anything had failed.
    pub(super) early: bool,
    /// Predecessors that have not ended.
    pub(super) waiting: u32,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) ended: Option<DateTime<Utc>>,
    /// Empty where the reason says it.
    pub(super) code: Cow<'static, str>,
    pub(super) input: Option<Kept>,
    pub(super) outputs: Option<Kept>,
    pub(super) why: Option<Why>,
    /// What only actions have that take time.
    pub(super) work: Option<Box<Work>>,
}

impl Slot {
    fn new(waiting: u32) -> Self {
        Self {
            phase: Phase::Idle,
            status: None,
            early: false,
            waiting,
            started: None,
            ended: None,
            code: Cow::Borrowed(""),
            input: None,
            outputs: None,
            why: None,
            work: None,
        }
    }

    /// Keeps what it took and gave as text.
    pub(super) fn put_away(&mut self) {
        self.input.iter_mut().chain(&mut self.outputs).for_each(Kept::put_away);
    }

    /// Logic Apps' code of how it ended.
    pub(super) fn code(&self) -> &str {
        match &self.why {
            Some(why) if self.code.is_empty() => why.code(),
            _ => &self.code,
        }
    }

    pub(super) fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }

    /// The iterations of a loop.
    pub(super) fn turns(&self) -> Option<&Turns> {
        self.work.as_ref()?.turns.as_ref()
    }

    /// The attempt under way or to come, from 1; 0 before the first.
    pub(super) fn attempt(&self) -> u32 {
        self.work.as_ref().map_or(0, |work| work.attempt)
    }
}

/// An action that takes time: an effect, a wait, a loop, anything with a timeout.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    pub(super) attempt: u32,
    /// Attempts that failed since something was last heard from the other side.
    pub(super) failures: u32,
    /// The attempt under way was journalled.
    pub(super) begun: Option<DateTime<Utc>>,
    /// The timer of its `timeout:`.
    pub(super) timeout: Option<u64>,
    /// The timer of its next attempt, or of a delay.
    pub(super) timer: Option<u64>,
    pub(super) journalled: Option<Input>,
    /// The input of the next attempt where it is not the first one's.
    pub(super) polling: Option<Arc<Value>>,
    /// What an approval sent.
    pub(super) sent: Option<Arc<LazyValue>>,
    pub(super) history: Vec<Attempt>,
    /// Set when it was done by the run that this one repeats: when it ended there.
    pub(super) kept: Option<DateTime<Utc>>,
    pub(super) turns: Option<Turns>,
}

/// The iterations of a loop.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    /// Of a `for_each` that has not ended.
    pub(super) items: Vec<Value>,
    /// One frame for each iteration begun, in order.
    pub(super) frames: Vec<u32>,
    /// Iterations under way.
    pub(super) open: u32,
    /// What the worst iteration so far was, of an `until` the last.
    pub(super) status: Option<ActionStatus>,
    /// Of an `until`: how many iterations there may be.
    pub(super) most: u64,
}

/// How an action ended.
pub(super) struct Ending {
    pub(super) status: ActionStatus,
    pub(super) code: Cow<'static, str>,
    pub(super) outputs: Option<Kept>,
    pub(super) why: Option<Why>,
}

impl Ending {
    pub(super) fn succeeded(code: &'static str) -> Self {
        Self { status: ActionStatus::Succeeded, code: Cow::Borrowed(code), outputs: None, why: None }
    }

    /// With the code that goes with the reason.
    pub(super) fn why(status: ActionStatus, why: Why) -> Self {
        Self { status, code: Cow::Borrowed(""), outputs: None, why: Some(why) }
    }

    /// Failed with a code of its own.
    pub(super) fn failed(code: &'static str, error: ErrorInfo) -> Self {
        Self {
            status: ActionStatus::Failed,
            code: Cow::Borrowed(code),
            outputs: None,
            why: Some(Why::Said(Box::new(error))),
        }
    }
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Timeout,
    /// The next attempt of an effect.
    Retry,
    /// The end of a `delay`.
    Delay,
}
