//! Logical functions.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::{Args, LazyArgs, args::expected};
use crate::expression::{EvalError, evaluate::Outcome, value};

fn yes_or_no<'a>(flag: bool) -> Outcome<'a> {
    Ok(Cow::Owned(Value::Bool(flag)))
}

/// Evaluates until a parameter is `decisive`.
fn until<'a>(args: &mut LazyArgs<'a>, decisive: bool) -> Outcome<'a> {
    for at in 0..args.count {
        let value = args.get(at)?;
        match value.as_bool() {
            Some(flag) if flag == decisive => return yes_or_no(decisive),
            Some(_) => {}
            None => return Err(expected(args.function, "all of its parameters to be booleans", &value)),
        }
    }
    yes_or_no(!decisive)
}

pub(super) fn and<'a>(args: &mut LazyArgs<'a>) -> Outcome<'a> {
    until(args, false)
}

pub(super) fn or<'a>(args: &mut LazyArgs<'a>) -> Outcome<'a> {
    until(args, true)
}

pub(super) fn not(args: Args<'_>) -> Outcome<'_> {
    match args.at(0) {
        Value::Bool(flag) => yes_or_no(!flag),
        _ => Err(args.expected("its parameter to be a boolean", 0)),
    }
}

pub(super) fn if_<'a>(args: &mut LazyArgs<'a>) -> Outcome<'a> {
    let condition = args.get(0)?;
    match condition.as_bool() {
        Some(flag) => args.get(if flag { 1 } else { 2 }),
        None => Err(expected(args.function, "its first parameter to be of type boolean", &condition)),
    }
}

pub(super) fn coalesce<'a>(args: &mut LazyArgs<'a>) -> Outcome<'a> {
    for at in 0..args.count {
        let value = args.get(at)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Cow::Borrowed(&value::NULL))
}

pub(super) fn equals(args: Args<'_>) -> Outcome<'_> {
    let first = args.at(0);
    yes_or_no(args.values.iter().skip(1).all(|other| value::equal(first, other)))
}

/// The order of two numbers, or of two strings ignoring case.
fn order(args: &Args<'_>) -> Result<Ordering, EvalError> {
    match (args.at(0), args.at(1)) {
        (Value::Number(left), Value::Number(right)) => {
            value::compare_numbers(left, right).ok_or_else(|| args.error("cannot compare its parameters"))
        }
        (Value::String(left), Value::String(right)) => {
            Ok(left.chars().map(value::fold).cmp(right.chars().map(value::fold)))
        }
        (Value::Number(_), Value::String(_)) | (Value::String(_), Value::Number(_)) => {
            Err(args.error(format_args!(
                "expects two parameter of matching types. The function was invoked with values of type '{}' and '{}' that do not match",
                value::type_name(args.at(0)),
                value::type_name(args.at(1))
            )))
        }
        (Value::Number(_) | Value::String(_), _) => Err(not_comparable(args, 1)),
        _ => Err(not_comparable(args, 0)),
    }
}

fn not_comparable(args: &Args<'_>, at: usize) -> EvalError {
    args.expected("all of its parameters to be either integer or decimal numbers, or all of them to be strings", at)
}

pub(super) fn less(args: Args<'_>) -> Outcome<'_> {
    yes_or_no(order(&args)?.is_lt())
}

pub(super) fn less_or_equals(args: Args<'_>) -> Outcome<'_> {
    yes_or_no(order(&args)?.is_le())
}

pub(super) fn greater(args: Args<'_>) -> Outcome<'_> {
    yes_or_no(order(&args)?.is_gt())
}

pub(super) fn greater_or_equals(args: Args<'_>) -> Outcome<'_> {
    yes_or_no(order(&args)?.is_ge())
}
