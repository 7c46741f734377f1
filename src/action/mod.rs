//! What a playbook can do: one file per action, and the one table that lists them.

pub mod approve;
pub mod causes;
mod compose;
mod convert_html_to_text;
mod create_table;
mod delay;
mod effect;
mod filter_array;
pub mod http;
mod incident;
mod input;
mod join;
mod lazy;
mod outcome;
mod parse_json;
pub mod probe;
pub mod respond;
mod run_playbook;
mod select;
mod send_email;
mod shape;
mod time;
mod variables;

pub use effect::{
    CAUSES, Call, Effect, EffectKind, Identity, LocalChange, Performed, Rehearsal, RunInfo, Services, WriteOutcome,
    WriteOutputs,
};
pub use lazy::LazyValue;
pub use outcome::{ErrorInfo, Outcome, Poll};
pub use send_email::Addresses;
pub use shape::InputShape;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::playbook::{ActionSpec, VariableType};

/// An action a playbook can name.
#[derive(Clone, Copy)]
pub struct ActionType {
    pub spec: ActionSpec,
    pub nature: Nature,
    /// What `actions.x` and `body('x')` give.
    pub returns: Returns,
}

/// How an action works. All but [`Nature::Effect`], [`Nature::Approval`] and [`Nature::Child`] are evaluated inside the
/// machine, unjournalled: the same input gives the same outcome.
#[derive(Clone, Copy)]
pub enum Nature {
    /// From its input alone.
    Pure(fn(&Value) -> Outcome),
    /// From its input and the run's present instant.
    Clocked(fn(&Value, DateTime<Utc>) -> Outcome),
    /// From its input and, for each element of its `from` in order, the value of the input that [`ActionSpec::per_item`]
    /// names, which the input itself lacks.
    PerItem(fn(&Value, Vec<Value>) -> Outcome),
    /// Changes the variable that its `name` names: the value there is now, the variable's type, the input.
    Variable(Change),
    /// Waits, without memory, until the instant it gives.
    Delay(Until),
    /// Answers whoever called the webhook, with `{statusCode, headers, body}`.
    Reply(fn(&Value) -> Result<Value, Box<Outcome>>),
    /// Starts a run of another playbook.
    Child(fn(&Value) -> Result<Child, Box<Outcome>>),
    /// Touches the world: a command for the driver.
    Effect(&'static dyn Effect),
    /// Touches the world, and when that succeeded waits for an answer from outside; `answer` makes the outcome of what
    /// was sent and what came back.
    Approval { ask: &'static dyn Effect, answer: fn(&Value, &Value) -> Outcome },
}

/// The instant until which an action waits, from its input and the present one.
pub type Until = fn(&Value, DateTime<Utc>) -> Result<DateTime<Utc>, Box<Outcome>>;

/// How an action changes a variable, and what it returns.
pub type Change = fn(&mut Value, VariableType, &Value) -> Result<Option<Value>, ErrorInfo>;

/// A run of another playbook that an action asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// The playbook's name.
    pub playbook: String,
    /// What the run's trigger delivers.
    pub body: Value,
    /// Whether the action lasts until that run has ended.
    pub wait: bool,
}

/// Where in an action's outputs the thing it returned stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// The outputs are `{statusCode, headers, body}` or `{body}`; it returned the body.
    Body,
    /// The outputs themselves (compose).
    Outputs,
}

/// Every action, by name.
pub static ACTIONS: &[ActionType] = &[
    approve::ACTION,
    compose::ACTION,
    delay::DELAY,
    delay::DELAY_UNTIL,
    run_playbook::ACTION,
    convert_html_to_text::ACTION,
    create_table::ACTION,
    filter_array::ACTION,
    http::ACTION,
    incident::ADD_COMMENT,
    incident::ADD_TAGS,
    incident::ADD_TASK,
    incident::CLOSE,
    incident::COMPLETE_TASK,
    incident::CREATE,
    incident::GET,
    incident::GET_ENTITIES,
    incident::LIST,
    incident::RELATE_ALERT,
    incident::REMOVE_TAGS,
    incident::UPDATE,
    join::ACTION,
    parse_json::ACTION,
    respond::ACTION,
    select::ACTION,
    send_email::ACTION,
    time::add_to_time::ACTION,
    time::convert_time_zone::ACTION,
    time::current_time::ACTION,
    time::get_future_time::ACTION,
    time::get_past_time::ACTION,
    time::subtract_from_time::ACTION,
    variables::SET,
    variables::INCREMENT,
    variables::DECREMENT,
    variables::APPEND_TO_ARRAY,
    variables::APPEND_TO_STRING,
];

/// The action of this name; the names are exact, the checker already put them right.
#[must_use]
pub fn find(name: &str) -> Option<&'static ActionType> {
    ACTIONS.iter().find(|action| action.spec.name == name)
}

/// The vocabulary the playbook checker works with.
#[must_use]
pub fn vocabulary() -> Vec<ActionSpec> {
    ACTIONS.iter().map(|action| action.spec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_listed_once_and_no_name_is_sought_twice() {
        let bare = |name: &str| name.replace('_', "");
        let names = ACTIONS.iter().map(|action| bare(action.spec.name));
        let sought = ACTIONS.iter().flat_map(|action| action.spec.sought_as.iter().map(|name| (*name).to_owned()));
        let mut all: Vec<String> = names.chain(sought).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "{all:?}");
        assert!(all.iter().all(|name| name.chars().all(|letter| letter.is_ascii_lowercase())), "{all:?}");
    }
}
