//! Arithmetic. Whole numbers stay whole and have 64 bits; what is no finite number is an error.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::{Number, Value};

use super::Args;
use crate::expression::{EvalError, evaluate::Outcome, value};

/// Two numbers, whole where both are.
enum Pair {
    Whole(i64, i64),
    Float(f64, f64),
}

fn pair(args: &Args<'_>) -> Result<Pair, EvalError> {
    let number = |at: usize| match args.at(at) {
        Value::Number(number) => Ok(number),
        _ => Err(args.expected("all of its parameters to be either integer or decimal numbers", at)),
    };
    let (left, right) = (number(0)?, number(1)?);
    match (left.as_i64(), right.as_i64(), left.as_f64(), right.as_f64()) {
        (Some(left), Some(right), ..) => Ok(Pair::Whole(left, right)),
        (.., Some(left), Some(right)) => Ok(Pair::Float(left, right)),
        _ => Err(overflow(args)),
    }
}

fn overflow(args: &Args<'_>) -> EvalError {
    args.error("gives a number that is too large")
}

fn whole<'a>(args: &Args<'_>, result: Option<i64>) -> Outcome<'a> {
    result.map(|result| Cow::Owned(Value::from(result))).ok_or_else(|| overflow(args))
}

fn float<'a>(args: &Args<'_>, result: f64) -> Outcome<'a> {
    Number::from_f64(result).map(|result| Cow::Owned(Value::Number(result))).ok_or_else(|| overflow(args))
}

pub(super) fn add(args: Args<'_>) -> Outcome<'_> {
    match pair(&args)? {
        Pair::Whole(left, right) => whole(&args, left.checked_add(right)),
        Pair::Float(left, right) => float(&args, left + right),
    }
}

pub(super) fn sub(args: Args<'_>) -> Outcome<'_> {
    match pair(&args)? {
        Pair::Whole(left, right) => whole(&args, left.checked_sub(right)),
        Pair::Float(left, right) => float(&args, left - right),
    }
}

pub(super) fn mul(args: Args<'_>) -> Outcome<'_> {
    match pair(&args)? {
        Pair::Whole(left, right) => whole(&args, left.checked_mul(right)),
        Pair::Float(left, right) => float(&args, left * right),
    }
}

fn by_zero(args: &Args<'_>) -> EvalError {
    EvalError::new(format!("Attempt to divide an integral or decimal value by zero in function '{}'.", args.function))
}

pub(super) fn div(args: Args<'_>) -> Outcome<'_> {
    match pair(&args)? {
        Pair::Whole(_, 0) => Err(by_zero(&args)),
        Pair::Float(_, 0.0) => Err(by_zero(&args)),
        Pair::Whole(left, right) => whole(&args, left.checked_div(right)),
        Pair::Float(left, right) => float(&args, left / right),
    }
}

pub(super) fn modulo(args: Args<'_>) -> Outcome<'_> {
    match pair(&args)? {
        Pair::Whole(_, 0) => Err(by_zero(&args)),
        Pair::Float(_, 0.0) => Err(by_zero(&args)),
        Pair::Whole(left, right) => whole(&args, left.checked_rem(right)),
        Pair::Float(left, right) => float(&args, left % right),
    }
}

/// The parameter, or the element of the only one, that comes furthest in `order`.
fn extreme(args: Args<'_>, order: Ordering) -> Outcome<'_> {
    let given: Vec<&Value> = match (args.values.len(), args.at(0)) {
        (1, Value::Array(items)) => items.iter().collect(),
        _ => args.values.iter().map(Cow::as_ref).collect(),
    };
    let mut best: Option<&Number> = None;
    for item in given {
        let Value::Number(number) = item else {
            return Err(super::args::expected(
                args.function,
                "all of its parameters to be either integer or decimal numbers",
                item,
            ));
        };
        if best.is_none_or(|best| value::compare_numbers(number, best) == Some(order)) {
            best = Some(number);
        }
    }
    match best {
        Some(best) => Ok(Cow::Owned(Value::Number(best.clone()))),
        None => Err(args.error("expects at least one number")),
    }
}

pub(super) fn min(args: Args<'_>) -> Outcome<'_> {
    extreme(args, Ordering::Less)
}

pub(super) fn max(args: Args<'_>) -> Outcome<'_> {
    extreme(args, Ordering::Greater)
}

pub(super) fn range(args: Args<'_>) -> Outcome<'_> {
    const MOST: i64 = 100_000;
    let (start, count) = (args.integer(0)?, args.integer(1)?);
    let end = start.checked_add(count).filter(|end| (1..=MOST).contains(&count) && *end <= i64::from(i32::MAX));
    match end {
        Some(end) => Ok(Cow::Owned(Value::Array((start..end).map(Value::from).collect()))),
        None => Err(args.error(format_args!(
            "expects a count between 1 and {MOST}, and a start and count whose sum is at most {}",
            i32::MAX
        ))),
    }
}

pub(super) fn rand(args: Args<'_>) -> Outcome<'_> {
    let (low, high) = (args.integer(0)?, args.integer(1)?);
    let width = high.checked_sub(low).and_then(|width| u64::try_from(width).ok()).filter(|width| *width > 0);
    let Some(width) = width else {
        return Err(args.error("expects its first parameter to be smaller than its second"));
    };
    // The high half of the product: even over the range, without the bias of a remainder.
    let offset = (u128::from(args.scope.random()) * u128::from(width)) >> 64;
    Ok(Cow::Owned(Value::from(low.wrapping_add(i64::try_from(offset).unwrap_or_default()))))
}
