//! What an expression or template can see, as its surroundings provide it.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::redaction::Tracked;

/// The value behind a name; `None` when there is no such name.
pub type Lookup<'a> = Option<Cow<'a, Value>>;

/// The data an expression is evaluated over. Names arrive as the author spelt them; implementations compare them
/// ignoring case. The machine implements this over a run's state, `larum eval` over a JSON file.
pub trait Scope {
    /// What the trigger delivered, `triggerBody()` and `trigger`.
    fn trigger_body(&self) -> Lookup<'_>;
    /// The trigger's whole record, `trigger()`: `{name, inputs, outputs, startTime, …}`.
    fn trigger(&self) -> Lookup<'_>;
    /// The trigger's outputs, `triggerOutputs()`: `{headers, queries, relativePathParameters, body}` where it has them.
    fn trigger_outputs(&self) -> Lookup<'_>;
    /// `request`: `{method, headers, queries, relativePathParameters}` of a form or webhook.
    fn request(&self) -> Lookup<'_>;
    /// What an action returned, `body('x')` and `actions.x`; null when it has not run or was skipped.
    fn body(&self, action: &str) -> Lookup<'_>;
    /// An action's outputs, `outputs('x')`; null when it has not run or was skipped.
    fn outputs(&self, action: &str) -> Lookup<'_>;
    /// An action's whole record, `actions('x')`.
    fn action(&self, action: &str) -> Lookup<'_>;
    /// The records of a container's direct children, `result('x')`.
    fn result(&self, container: &str) -> Lookup<'_>;
    fn variable(&self, name: &str) -> Lookup<'_>;
    fn parameter(&self, name: &str) -> Lookup<'_>;
    /// The innermost loop's element, `item()`.
    fn item(&self) -> Lookup<'_>;
    /// The element of the loop called `name`, `items('name')`.
    fn items(&self, name: &str) -> Lookup<'_>;
    /// The iteration of the loop called `name`, from 0, `iterationIndexes('name')`.
    fn iteration_index(&self, name: &str) -> Option<u64>;
    /// `workflow()`: `{id, name, type, location, tags, run: {id, name, type}}`.
    fn workflow(&self) -> Lookup<'_>;
    /// The address at which this run's caller can be answered, `listCallbackUrl()`; `None` where there is none.
    fn callback_url(&self) -> Lookup<'_> {
        None
    }
    /// The instant `utcNow()` gives: the event's, never the wall clock's.
    fn now(&self) -> DateTime<Utc>;
    /// The next number of the run's own random sequence, behind `guid()` and `rand()`.
    fn random(&self) -> u64;
    /// Whether [`Scope::note_read`] is wanted.
    fn is_watched(&self) -> bool {
        false
    }
    /// An expression read `value`, which its author wrote as `what`.
    fn note_read(&self, _what: &dyn fmt::Display, _value: &Value) {}
    /// Where secrets are kept track of that are computed with; `None` where there are none.
    fn tracked(&self) -> Option<&Tracked> {
        None
    }
}
