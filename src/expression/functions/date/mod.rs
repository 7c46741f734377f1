//! Date functions. The clock is the scope's: the instant of the event, never the wall clock's.

mod format;
mod parse;

use chrono::{NaiveDateTime, TimeDelta};
use serde_json::Value;

use super::{
    Args, culture,
    string::{text, unknown_locale},
};
use crate::expression::{EvalError, evaluate::Outcome};

/// A point in time as .NET's DateTime has it, in steps of 100 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timestamp {
    time: NaiveDateTime,
    /// Whether it is known to be UTC; a time without a zone is no zone's.
    utc: bool,
}

/// The format that everything has which is not told another.
const ROUND_TRIP: &str = "o";

fn timestamp(args: &Args<'_>) -> Result<Timestamp, EvalError> {
    let given = args.string(0)?;
    parse::parse(given).ok_or_else(|| {
        args.error(format_args!(
            "expects its first parameter to be a timestamp, such as '2026-01-31T12:00:00Z'. The value provided is '{}'",
            given.chars().take(40).collect::<String>()
        ))
    })
}

/// Writes `timestamp` by the format at `at` and the locale after it.
fn write<'a>(args: &Args<'a>, timestamp: Timestamp, at: usize) -> Outcome<'a> {
    let format = match args.at(at) {
        Value::Null => ROUND_TRIP,
        _ => args.string(at)?,
    };
    let locale = match args.at(at + 1) {
        Value::Null => "en-US",
        _ => args.string(at + 1)?,
    };
    let culture = culture::find(locale).ok_or_else(|| unknown_locale(args, locale))?;
    match format::format(timestamp, format, culture) {
        Some(written) => text(written),
        None => Err(args.error(format_args!("does not know the date format '{format}' for the locale '{locale}'"))),
    }
}

pub(super) fn utc_now(args: Args<'_>) -> Outcome<'_> {
    let now = Timestamp { time: args.scope.now().naive_utc(), utc: true };
    write(&args, now, 0)
}

pub(super) fn format_date_time(args: Args<'_>) -> Outcome<'_> {
    write(&args, timestamp(&args)?, 1)
}

/// The timestamp moved by the second parameter, a number of units.
fn moved(args: Args<'_>, unit: fn(i64) -> Option<TimeDelta>) -> Outcome<'_> {
    let Timestamp { time, utc } = timestamp(&args)?;
    let time = unit(args.integer(1)?).and_then(|by| time.checked_add_signed(by)).filter(|time| in_range(*time));
    match time {
        Some(time) => write(&args, Timestamp { time, utc }, 2),
        None => Err(args.error("gives a time outside of the years 1 to 9999")),
    }
}

fn in_range(time: NaiveDateTime) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&time.year())
}

pub(super) fn add_days(args: Args<'_>) -> Outcome<'_> {
    moved(args, TimeDelta::try_days)
}

pub(super) fn add_hours(args: Args<'_>) -> Outcome<'_> {
    moved(args, TimeDelta::try_hours)
}

pub(super) fn add_minutes(args: Args<'_>) -> Outcome<'_> {
    moved(args, TimeDelta::try_minutes)
}
