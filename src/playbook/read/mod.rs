//! The YAML of a playbook, key by key, to a [`Draft`]: everything is read and typed, nothing is looked up yet.

mod action;
mod admission;
mod data;
mod form;
mod name;
mod retry;
mod schedule;
mod trigger;
mod webhook;

use std::ops::Range;

pub(super) use action::{Body, Order, Step};
pub(super) use admission::Admission;

use action::Reading;

use super::{Parameter, Trigger, Variable, Vocabulary};
use crate::{
    diagnostic::{Faults, codes},
    limits,
    yaml::{self, Fields, Given},
};

/// A playbook as written.
pub(super) struct Draft<'n> {
    pub name: Option<(&'n str, Range<usize>)>,
    pub description: Option<&'n str>,
    pub parameters: Vec<(Parameter, Range<usize>)>,
    pub variables: Vec<Variable>,
    pub fallback: bool,
    pub trigger: Option<Trigger>,
    pub admission: Admission<'n>,
    /// Where the trigger's connection is named.
    pub connection: Option<Range<usize>>,
    /// Where the form's or webhook's path is given.
    pub path: Option<Range<usize>>,
    /// The template of a webhook's key.
    pub key: Option<Given<'n>>,
    pub steps: Vec<Step<'n>>,
}

/// Reads the root of a file.
pub(super) fn playbook<'n>(root: &'n yaml::Node, vocabulary: &Vocabulary, faults: &mut Faults) -> Option<Draft<'n>> {
    let mut fields = Fields::of(root, "a playbook", faults)?;
    let name = fields.required("name");
    let description = fields.optional("description");
    let parameters = fields.optional("parameters");
    let variables = fields.optional("variables");
    let fallback = fields.optional("fallback");
    let trigger = fields.required("trigger");
    let actions = fields.required("actions");
    fields.finish(faults);

    let name = name.and_then(|given| name::playbook(given, faults).map(|name| (name, given.span())));
    let description = description.and_then(|given| given.text(faults));
    let parameters = parameters.map(|given| data::parameters(given, faults)).unwrap_or_default();
    let variables = variables.map(|given| data::variables(given, faults)).unwrap_or_default();
    let fallback =
        fallback.and_then(|given| given.choice(&[("none", false), ("incident", true)], faults)).unwrap_or(true);
    let read = trigger.and_then(|given| trigger::trigger(given, faults));
    let mut reading = Reading { vocabulary, count: 0 };
    let steps = actions.map(|given| reading.steps(given, 0, faults)).unwrap_or_default();
    let count = reading.count;
    if count > limits::PLAYBOOK_ACTIONS
        && let Some(actions) = actions
    {
        let message = format!("the playbook has {count} actions, at most {} are allowed", limits::PLAYBOOK_ACTIONS);
        faults.add(codes::TOO_MANY_ACTIONS, actions.key_span(), message);
    }
    let (trigger, admission, connection, path, key) = match read {
        Some(read) => (Some(read.trigger), read.admission, read.connection, read.path, read.key),
        None => (None, Admission::default(), None, None, None),
    };
    Some(Draft { name, description, parameters, variables, fallback, trigger, admission, connection, path, key, steps })
}
