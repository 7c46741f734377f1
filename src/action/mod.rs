//! What a playbook can do: one file per action, and the one table that lists them.

mod compose;
mod convert_html_to_text;
mod create_incident;
mod effect;
pub mod http;
mod input;
mod outcome;
mod parse_json;
mod send_email;
mod shape;

pub use effect::{Call, Effect, EffectKind, Identity, LocalChange, Performed, RunInfo, Services};
pub use outcome::{ErrorInfo, Outcome};
pub use shape::InputShape;

use serde_json::Value;

use crate::playbook::ActionSpec;

/// An action a playbook can name.
pub struct ActionType {
    pub spec: ActionSpec,
    pub nature: Nature,
    /// What `actions.x` and `body('x')` give.
    pub returns: Returns,
}

/// How an action works.
pub enum Nature {
    /// Evaluated inside the machine, unjournalled: same input, same outcome.
    Pure(fn(&Value) -> Outcome),
    /// Touches the world: a command for the driver.
    Effect(&'static dyn Effect),
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
    compose::ACTION,
    convert_html_to_text::ACTION,
    create_incident::ACTION,
    http::ACTION,
    parse_json::ACTION,
    send_email::ACTION,
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
