//! What decides at the door whether a report starts a playbook, how often, and when.

use crate::expression::Tree;

/// `conditions`, `split_on` and `concurrency` of a trigger. By default every report starts one run at once.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// All must be true, or the report starts nothing.
    pub conditions: Vec<Condition>,
    /// Gives the list whose every element starts a run of its own.
    pub split_on: Option<Tree>,
    /// How many runs there may be at once.
    pub concurrency: Option<Concurrency>,
}

/// One of a trigger's conditions.
#[derive(Debug, Clone)]
pub struct Condition {
    /// As the author wrote it, for the trigger's history.
    pub text: String,
    pub expression: Tree,
}

/// How many runs of a playbook there may be at once, and what becomes of further reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// Runs at once.
    pub runs: u32,
    pub overflow: Overflow,
}

/// What becomes of a report for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// It waits, behind however many.
    Queue,
    /// It waits while no more than `waiting` do, and is refused beyond that.
    Reject { waiting: u32 },
    /// It waits; beyond `waiting` the one that waited longest is cancelled.
    DropOldest { waiting: u32 },
}
