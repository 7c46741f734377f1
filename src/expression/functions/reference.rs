//! Functions that refer to the run: its trigger, actions, variables and parameters.

use std::borrow::Cow;

use serde_json::Value;

use super::Args;
use crate::expression::{EvalError, Lookup, Scope, evaluate::Outcome, value};

/// What the surroundings have, or null: there is always a trigger, if only an empty one.
fn given(found: Lookup<'_>) -> Outcome<'_> {
    Ok(found.unwrap_or(Cow::Borrowed(&value::NULL)))
}

pub(super) fn trigger(args: Args<'_>) -> Outcome<'_> {
    given(args.scope.trigger())
}

pub(super) fn trigger_body(args: Args<'_>) -> Outcome<'_> {
    given(args.scope.trigger_body())
}

pub(super) fn trigger_outputs(args: Args<'_>) -> Outcome<'_> {
    given(args.scope.trigger_outputs())
}

pub(super) fn request(args: Args<'_>) -> Outcome<'_> {
    given(args.scope.request())
}

pub(super) fn workflow(args: Args<'_>) -> Outcome<'_> {
    given(args.scope.workflow())
}

pub(super) fn list_callback_url(args: Args<'_>) -> Outcome<'_> {
    args.scope.callback_url().ok_or_else(|| {
        EvalError::new(
            "The template function 'listCallbackUrl' is not expected at this location: nobody waits here to be called back.",
        )
    })
}

pub(super) fn item(args: Args<'_>) -> Outcome<'_> {
    args.scope.item().ok_or_else(|| {
        EvalError::new(
            "The template function 'item' is not expected at this location: it is the element of a loop, \
             and there is no loop here.",
        )
    })
}

/// Looks up what a function names; `kind` is what the thing is called.
fn named<'a>(args: &Args<'a>, kind: &str, look: impl FnOnce(&'a dyn Scope, &str) -> Lookup<'a>) -> Outcome<'a> {
    let name = args.string(0)?;
    look(args.scope, name).ok_or_else(|| missing(args.function, kind, name))
}

fn missing(function: &str, kind: &str, name: &str) -> EvalError {
    EvalError::new(format!(
        "The template language expression '{function}('{name}')' cannot be evaluated: the {kind} '{name}' doesn't exist."
    ))
}

pub(super) fn body(args: Args<'_>) -> Outcome<'_> {
    named(&args, "action", Scope::body)
}

pub(super) fn outputs(args: Args<'_>) -> Outcome<'_> {
    named(&args, "action", Scope::outputs)
}

pub(super) fn actions(args: Args<'_>) -> Outcome<'_> {
    named(&args, "action", Scope::action)
}

pub(super) fn result(args: Args<'_>) -> Outcome<'_> {
    named(&args, "action", Scope::result)
}

pub(super) fn variables(args: Args<'_>) -> Outcome<'_> {
    named(&args, "variable", Scope::variable)
}

pub(super) fn parameters(args: Args<'_>) -> Outcome<'_> {
    named(&args, "parameter", Scope::parameter)
}

pub(super) fn items(args: Args<'_>) -> Outcome<'_> {
    named(&args, "loop", Scope::items)
}

pub(super) fn iteration_indexes(args: Args<'_>) -> Outcome<'_> {
    named(&args, "loop", |scope, name| scope.iteration_index(name).map(|index| Cow::Owned(Value::from(index))))
}

/// The first value of `key` in a urlencoded body, or all of them.
fn form_values<'a>(args: &Args<'a>, body: Lookup<'a>, key: &str) -> Result<Vec<Value>, EvalError> {
    let body = body.unwrap_or(Cow::Borrowed(&value::NULL));
    let Some(fields) = body.get("$formdata").and_then(Value::as_array) else {
        return Err(args.error("expects a body of type 'application/x-www-form-urlencoded'"));
    };
    let has_key =
        |field: &&Value| field.get("key").and_then(Value::as_str).is_some_and(|found| value::same_name(found, key));
    Ok(fields.iter().filter(has_key).map(|field| field.get("value").cloned().unwrap_or_default()).collect())
}

fn first_value<'a>(args: &Args<'a>, body: Lookup<'a>, key: &str) -> Outcome<'a> {
    let values = form_values(args, body, key)?;
    if values.len() > 1 {
        return Err(args.error(format_args!("found several values of '{key}'")));
    }
    Ok(Cow::Owned(values.into_iter().next().unwrap_or_default()))
}

pub(super) fn trigger_form_data_value(args: Args<'_>) -> Outcome<'_> {
    first_value(&args, args.scope.trigger_body(), args.string(0)?)
}

pub(super) fn trigger_form_data_multi_values(args: Args<'_>) -> Outcome<'_> {
    form_values(&args, args.scope.trigger_body(), args.string(0)?).map(|values| Cow::Owned(Value::Array(values)))
}

pub(super) fn form_data_value(args: Args<'_>) -> Outcome<'_> {
    first_value(&args, args.scope.body(args.string(0)?), args.string(1)?)
}

pub(super) fn form_data_multi_values(args: Args<'_>) -> Outcome<'_> {
    let values = form_values(&args, args.scope.body(args.string(0)?), args.string(1)?)?;
    Ok(Cow::Owned(Value::Array(values)))
}

/// A part of a multipart body, by its number from 0.
fn part<'a>(args: &Args<'a>, body: Lookup<'a>, index: i64) -> Outcome<'a> {
    let body = body.unwrap_or(Cow::Borrowed(&value::NULL));
    let Some(parts) = body.get("$multipart").and_then(Value::as_array) else {
        return Err(args.error("expects a body of type 'multipart/*'"));
    };
    match usize::try_from(index).ok().and_then(|index| parts.get(index)) {
        Some(part) => Ok(Cow::Owned(part.get("body").cloned().unwrap_or_default())),
        None => Err(args.error(format_args!("found no part '{index}': the body has {} parts", parts.len()))),
    }
}

pub(super) fn trigger_multipart_body(args: Args<'_>) -> Outcome<'_> {
    part(&args, args.scope.trigger_body(), args.integer(0)?)
}

pub(super) fn multipart_body(args: Args<'_>) -> Outcome<'_> {
    part(&args, args.scope.body(args.string(0)?), args.integer(1)?)
}
