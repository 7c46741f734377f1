//! The keys of what stands in `actions:`.

use serde_json::{Map, Value, json};

use super::{action, retry};
use crate::{
    limits,
    playbook::ActionStatus,
    yaml::{Definitions, Rule, Shape, Takes, shape},
};

/// An id, as [`super::name::id`] takes it.
pub(super) const ID: Takes = Takes::Like("^[A-Za-z_][A-Za-z0-9_-]{0,79}$");
/// A list of actions, by the name the whole schema defines it under.
pub(super) const STEPS: Takes = Takes::List(&Takes::Named("step"));

/// A shape of an action: the keys that every action has, and its own.
macro_rules! step {
    ($(#[doc = $doc:literal])* $name:ident $(, $rule:expr)*; $($(#[doc = $key_doc:literal])* $need:ident $key:literal: $takes:expr;)*) => {
        crate::shape! {
            $(#[doc = $doc])*
            pub(super) $name = "an action" $(, $rule)*;
            /// Its name, unique in the playbook: letters, digits, `-` and `_`, beginning with a letter or `_`.
            required "id": ID;
            $($(#[doc = $key_doc])* $need $key: $takes;)*
            /// When it starts: siblings of the same list, each with the statuses it waits for, such as `{create: [succeeded]}`.
            /// `{}` starts at once, beside the others. Without it, it starts after the action above it succeeded.
            optional "run_after": Takes::Names(&Takes::OneOrMore(&Takes::Choice(|| ActionStatus::ALL.iter().map(|status| status.yaml_name()).collect())));
            /// What it is for; a note for people.
            optional "description": Takes::Text;
        }
    };
}

step! {
    /// Does something: makes an incident, sends a mail, makes a call, changes a variable.
    CALL;
    /// What it does.
    required "action": Takes::Named("action_name");
    /// What it does it with; which inputs there are depends on the action.
    optional "with": Takes::Anything;
    /// How long it may take, its retries among it, before it ends as `timed_out`: `90s`, `5m`, `2h` or ISO 8601.
    optional "timeout": Takes::Duration;
    /// What becomes of a failure that may pass: how often and when it is tried again.
    optional "retry": Takes::Map(&retry::RETRY);
    /// What is left out of records, of the history and of logs: `inputs`, `outputs` or both.
    optional "secure": Takes::OneOrMore(&Takes::Choice(|| vec!["inputs", "outputs"]));
}

step! {
    /// Goes one of two ways.
    IF, Rule::Some(&["then", "else"]);
    /// The condition, an expression that gives true or false.
    required "if": Takes::Anything;
    /// The actions when it is true.
    optional "then": STEPS;
    /// The actions when it is false.
    optional "else": STEPS;
    /// How long it may take before it ends as `timed_out`.
    optional "timeout": Takes::Duration;
}

step! {
    /// Goes the way whose case equals a value.
    SWITCH;
    /// The value, an expression that gives a text or a whole number.
    required "switch": Takes::Anything;
    /// The ways; all cases are texts, or all are whole numbers.
    required "cases": Takes::List(&Takes::Map(&SWITCH_CASE));
    /// The actions when no case equals the value.
    optional "default": STEPS;
    /// How long it may take before it ends as `timed_out`.
    optional "timeout": Takes::Duration;
}

crate::shape! {
    /// One way of a `switch`.
    pub(super) SWITCH_CASE = "a case";
    /// What the value must equal.
    required "case": Takes::Any(&[Takes::Text, Takes::Count(i64::MIN, i64::MAX)]);
    /// The actions then.
    required "do": STEPS;
}

step! {
    /// Does its actions for each element of a list. Inside, `item` is the element.
    FOR_EACH;
    /// The list, an expression.
    required "for_each": Takes::Anything;
    /// How many elements at once. Default 20.
    optional "concurrency": Takes::Count(1, limits::FOR_EACH_CONCURRENCY as i64);
    /// The actions for each element.
    required "do": STEPS;
    /// How long all of it may take before it ends as `timed_out`.
    optional "timeout": Takes::Duration;
}

step! {
    /// Does its actions again and again until a condition is true.
    UNTIL;
    /// The condition, an expression that is evaluated after each round.
    required "until": Takes::Anything;
    /// When it stops at the latest.
    optional "limit": Takes::Map(&LIMIT);
    /// Whether it fails when a limit ended it. Default false.
    optional "fail_when_limits_reached": Takes::Flag;
    /// The actions of a round.
    required "do": STEPS;
    /// How long all of it may take before it ends as `timed_out`.
    optional "timeout": Takes::Duration;
}

crate::shape! {
    /// When an `until` stops at the latest.
    pub(super) LIMIT = "a limit";
    /// After so many rounds, or an expression that gives their number. Default 60.
    optional "count": Takes::Any(&[Takes::Count(1, limits::UNTIL_COUNT as i64), Takes::Like("^@")]);
    /// After so long. Default one hour.
    optional "timeout": Takes::Duration;
}

step! {
    /// Holds actions together: its status is theirs, and others can run after it.
    SCOPE;
    /// The actions.
    required "scope": STEPS;
    /// How long all of it may take before it ends as `timed_out`.
    optional "timeout": Takes::Duration;
}

step! {
    /// Ends the run.
    TERMINATE;
    /// How.
    required "terminate": Takes::Map(&ENDING);
}

crate::shape! {
    /// How a run ends.
    pub(super) ENDING = "`terminate`";
    /// The status of the run.
    required "status": Takes::Choice(|| shape::names(action::ENDINGS));
    /// The code of the error, of a run that fails.
    optional "code": Takes::Text;
    /// The message of the error, of a run that fails.
    optional "message": Takes::Text;
}

/// What says which kind an action is, with the keys that kind takes; one that says nothing is a [`CALL`].
pub(super) static KINDS: &[(&str, &Shape)] = &[
    ("action", &CALL),
    ("if", &IF),
    ("switch", &SWITCH),
    ("for_each", &FOR_EACH),
    ("until", &UNTIL),
    ("scope", &SCOPE),
    ("terminate", &TERMINATE),
];

/// Defines `step`, an action of any kind, over `action_name` and `action_inputs`.
pub(super) fn define(definitions: &mut Definitions) {
    let mut properties = Map::new();
    let mut kinds = Vec::new();
    for (word, shape) in KINDS {
        for key in shape.keys {
            if !properties.contains_key(key.name) {
                properties.insert(key.name.to_owned(), definitions.key(key));
            }
        }
        kinds.push(json!({"if": {"required": [word]}, "then": definitions.shape(shape)}));
    }
    let none: Vec<Value> = KINDS.iter().map(|(word, _)| json!({"required": [word]})).collect();
    kinds.push(json!({"if": {"not": {"anyOf": none}}, "then": definitions.shape(&CALL)}));
    kinds.push(json!({"if": {"required": ["action"]}, "then": shape::reference("action_inputs")}));
    let step = json!({"type": "object", "required": ["id"], "properties": properties, "allOf": kinds});
    definitions.define("step", step);
}
