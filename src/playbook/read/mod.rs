//! The YAML of a playbook, key by key, to a [`Draft`]: everything is read and typed, nothing is looked up yet.

mod action;
mod admission;
mod data;
mod form;
mod name;
mod retry;
mod schedule;
mod step;
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
    yaml::{self, Definitions, Fields, Given, Shape, Takes, shape},
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

/// Whether a report whose run fails becomes an incident all the same.
const FALLBACKS: &[(&str, bool)] = &[("none", false), ("incident", true)];

crate::shape! {
    /// A playbook: a trigger and the actions that follow.
    PLAYBOOK = "a playbook";
    /// The name: letters, digits, `-` and `_`. Commands, pages and other playbooks call it by this.
    required "name": Takes::Like("^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$");
    /// What it is for, in a sentence.
    optional "description": Takes::Text;
    /// Values given from outside, by name; `larum.yaml` says which under `parameters`.
    optional "parameters": Takes::Names(&Takes::Map(&data::PARAMETER));
    /// Values that the actions of a run change, by name.
    optional "variables": Takes::Names(&Takes::Map(&data::VARIABLE));
    /// What becomes of a report whose run fails before it made an incident. Default `incident`: Larum makes one itself.
    optional "fallback": Takes::Choice(|| shape::names(FALLBACKS));
    /// What starts it; exactly one.
    required "trigger": Takes::Map(&trigger::TRIGGER);
    /// What it does, one after the other unless `run_after` says otherwise.
    required "actions": step::STEPS;
}

/// Defines what a playbook holds, but for `action_name` and `action_inputs`, which the actions know.
pub(super) fn define(definitions: &mut Definitions) -> &'static Shape {
    step::define(definitions);
    &PLAYBOOK
}

/// Reads the root of a file.
pub(super) fn playbook<'n>(root: &'n yaml::Node, vocabulary: &Vocabulary, faults: &mut Faults) -> Option<Draft<'n>> {
    let mut fields = Fields::of(root, &PLAYBOOK, faults)?;
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
    let fallback = fallback.and_then(|given| given.choice(FALLBACKS, faults)).unwrap_or(true);
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
