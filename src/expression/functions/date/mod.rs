//! Date functions. The clock is the scope's: the instant of the event, never the wall clock's.

mod cultural;
mod format;
mod parse;
mod span;
mod unit;
mod zone;

use std::borrow::Cow;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;

use serde_json::Value;
use span::Span;

use super::{Args, culture, string::text};
use crate::expression::{EvalError, evaluate::Outcome};

pub use unit::TimeUnit;
pub use zone::{nearest_time_zone, time_zone};

/// A point in time as .NET's DateTime has it, in steps of 100 ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timestamp {
    time: NaiveDateTime,
    /// Whether it is known to be UTC; a time without a zone is no zone's.
    utc: bool,
}

/// Why something asked of a timestamp has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    #[error("'{0}' is no timestamp; one looks like '2026-01-31T12:00:00Z'")]
    NotATimestamp(String),
    #[error("there is no time zone '{name}'{}", did_you_mean(*near))]
    UnknownZone { name: String, near: Option<&'static str> },
    #[error("the clocks of {zone} skip the time {time}")]
    Skipped { time: NaiveDateTime, zone: Tz },
    #[error("the result lies outside of the years 1 to 9999")]
    OutOfRange,
    #[error("there is no unit of time '{0}'; there are Second, Minute, Hour, Day, Week, Month and Year")]
    UnknownUnit(String),
    #[error("there is no date format '{format}' for the locale '{locale}'")]
    UnknownFormat { format: String, locale: String },
    #[error("'{text}' is no date as the locale '{locale}' writes it")]
    NotADate { text: String, locale: String },
    #[error("'{text}' does not have the format '{format}'")]
    NotTheFormat { text: String, format: String },
    #[error("there is no locale '{0}'")]
    UnknownLocale(String),
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}

/// Where .NET's time begins.
const FIRST: NaiveDateTime = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(date) => date.and_time(NaiveTime::MIN),
    None => NaiveDateTime::MIN,
};

/// The format that everything has which is not told another.
const ROUND_TRIP: &str = "o";

/// `base_time` moved by `interval` units and written by a .NET format, `o` when none is given: `addToTime()`.
///
/// # Errors
/// [`DateError`] when `base_time` is no timestamp, the format is unknown or the result is outside of the years 1 to 9999.
pub fn add_to_time(base_time: &str, interval: i64, unit: TimeUnit, format: Option<&str>) -> Result<String, DateError> {
    written(unit::moved(read(base_time)?, interval, unit)?, format, None)
}

/// What the clocks of the zone `destination` show when those of `source` show `base_time`: `convertTimeZone()`. A
/// `base_time` with an offset or `Z` is that instant, whatever `source` says. Zones go by their IANA or Windows names.
///
/// # Errors
/// [`DateError`] when `base_time` is no timestamp, a zone or the format is unknown, or `source` skips that time.
pub fn convert_time_zone(
    base_time: &str,
    source: &str,
    destination: &str,
    format: Option<&str>,
) -> Result<String, DateError> {
    let instant = zone::to_utc(read(base_time)?, zone::named(source)?)?;
    written(zone::from_utc(instant, zone::named(destination)?)?, format, None)
}

/// The instant a timestamp stands for; one without a zone is UTC.
///
/// # Errors
/// [`DateError::NotATimestamp`].
pub fn instant(timestamp: &str) -> Result<DateTime<Utc>, DateError> {
    Ok(read(timestamp)?.time.and_utc())
}

/// The instant `count` units after `at`.
///
/// # Errors
/// [`DateError::OutOfRange`] when it is outside of the years 1 to 9999.
pub fn instant_after(at: DateTime<Utc>, count: i64, unit: TimeUnit) -> Result<DateTime<Utc>, DateError> {
    let at = Timestamp { time: at.naive_utc(), utc: true };
    Ok(unit::moved(at, count, unit)?.time.and_utc())
}

fn read(text: &str) -> Result<Timestamp, DateError> {
    parse::parse(text).ok_or_else(|| DateError::NotATimestamp(text.chars().take(40).collect()))
}

fn written(timestamp: Timestamp, format: Option<&str>, locale: Option<&str>) -> Result<String, DateError> {
    let (format, locale) = (format.unwrap_or(ROUND_TRIP), locale.unwrap_or("en-US"));
    format::format(timestamp, format, culture_named(locale)?)
        .ok_or_else(|| DateError::UnknownFormat { format: format.to_owned(), locale: locale.to_owned() })
}

fn culture_named(locale: &str) -> Result<culture::Culture, DateError> {
    culture::find(locale).ok_or_else(|| DateError::UnknownLocale(locale.to_owned()))
}

fn in_range(time: NaiveDateTime) -> bool {
    (1..=9999).contains(&time.year())
}

/// The error of the function itself.
fn fault(args: &Args<'_>, error: &DateError) -> EvalError {
    args.error(format_args!("cannot be evaluated: {error}"))
}

/// The first parameter as a timestamp.
fn timestamp(args: &Args<'_>) -> Result<Timestamp, EvalError> {
    read(args.string(0)?).map_err(|error| fault(args, &error))
}

/// The text at `at`, where it was given.
fn optional<'a>(args: &'a Args<'_>, at: usize) -> Result<Option<&'a str>, EvalError> {
    if args.at(at).is_null() { Ok(None) } else { args.string(at).map(Some) }
}

/// Writes a timestamp by the format at `at`.
fn write<'a>(args: &Args<'a>, timestamp: Result<Timestamp, DateError>, at: usize) -> Outcome<'a> {
    let format = optional(args, at)?;
    timestamp.and_then(|timestamp| written(timestamp, format, None)).map_or_else(|error| Err(fault(args, &error)), text)
}

fn now(args: &Args<'_>) -> Timestamp {
    Timestamp { time: args.scope.now().naive_utc(), utc: true }
}

pub(super) fn utc_now(args: Args<'_>) -> Outcome<'_> {
    write(&args, Ok(now(&args)), 0)
}

pub(super) fn format_date_time(args: Args<'_>) -> Outcome<'_> {
    let (format, locale) = (optional(&args, 1)?, optional(&args, 2)?);
    written(timestamp(&args)?, format, locale).map_or_else(|error| Err(fault(&args, &error)), text)
}

fn add(args: Args<'_>, unit: TimeUnit) -> Outcome<'_> {
    let moved = unit::moved(timestamp(&args)?, args.integer(1)?, unit);
    write(&args, moved, 2)
}

pub(super) fn add_days(args: Args<'_>) -> Outcome<'_> {
    add(args, TimeUnit::Day)
}

pub(super) fn add_hours(args: Args<'_>) -> Outcome<'_> {
    add(args, TimeUnit::Hour)
}

pub(super) fn add_minutes(args: Args<'_>) -> Outcome<'_> {
    add(args, TimeUnit::Minute)
}

pub(super) fn add_seconds(args: Args<'_>) -> Outcome<'_> {
    add(args, TimeUnit::Second)
}

/// `from` moved by the interval and the unit after it, forwards or backwards, the interval being the parameter at `at`.
fn moved<'a>(args: &Args<'a>, from: Timestamp, at: usize, forwards: bool) -> Outcome<'a> {
    let (interval, unit) = (args.integer(at)?, args.string(at + 1)?);
    let interval = if forwards { Some(interval) } else { interval.checked_neg() };
    let moved =
        interval.ok_or(DateError::OutOfRange).and_then(|interval| unit::moved(from, interval, TimeUnit::read(unit)?));
    write(args, moved, at + 2)
}

pub(super) fn add_to_time_function(args: Args<'_>) -> Outcome<'_> {
    moved(&args, timestamp(&args)?, 1, true)
}

pub(super) fn subtract_from_time(args: Args<'_>) -> Outcome<'_> {
    moved(&args, timestamp(&args)?, 1, false)
}

pub(super) fn get_future_time(args: Args<'_>) -> Outcome<'_> {
    moved(&args, now(&args), 0, true)
}

pub(super) fn get_past_time(args: Args<'_>) -> Outcome<'_> {
    moved(&args, now(&args), 0, false)
}

pub(super) fn convert_time_zone_function(args: Args<'_>) -> Outcome<'_> {
    let (given, source, destination) = (timestamp(&args)?, args.string(1)?, args.string(2)?);
    let converted = zone::named(source)
        .and_then(|source| zone::to_utc(given, source))
        .and_then(|instant| zone::from_utc(instant, zone::named(destination)?));
    write(&args, converted, 3)
}

pub(super) fn convert_to_utc(args: Args<'_>) -> Outcome<'_> {
    let given = timestamp(&args)?;
    let converted = zone::named(args.string(1)?).and_then(|zone| zone::to_utc(given, zone));
    write(&args, converted, 2)
}

pub(super) fn convert_from_utc(args: Args<'_>) -> Outcome<'_> {
    let given = timestamp(&args)?;
    let converted = zone::named(args.string(1)?).and_then(|zone| zone::from_utc(given, zone));
    write(&args, converted, 2)
}

/// A timestamp as a culture writes it, or by a format.
fn parsed(args: &Args<'_>) -> Result<Timestamp, DateError> {
    let shortened = |text: &str| text.chars().take(40).collect::<String>();
    let given = args.at(0).as_str().unwrap_or_default();
    let locale = args.at(1).as_str().unwrap_or("en-US");
    let culture = culture_named(locale)?;
    let this_year = args.scope.now().year();
    match args.at(2).as_str() {
        Some(format) => cultural::parse_exact(given, format, culture, this_year)
            .ok_or_else(|| DateError::NotTheFormat { text: shortened(given), format: format.to_owned() }),
        None => cultural::parse(given, culture, this_year)
            .or_else(|| parse::parse(given))
            .ok_or_else(|| DateError::NotADate { text: shortened(given), locale: locale.to_owned() }),
    }
}

pub(super) fn parse_date_time(args: Args<'_>) -> Outcome<'_> {
    args.string(0)?;
    optional(&args, 1)?;
    optional(&args, 2)?;
    parsed(&args)
        .and_then(|timestamp| written(timestamp, None, None))
        .map_or_else(|error| Err(fault(&args, &error)), text)
}

/// The timestamp at `at` as ticks: steps of 100 ns since the year 1.
fn ticks_at(args: &Args<'_>, at: usize) -> Result<i64, EvalError> {
    let timestamp = read(args.string(at)?).map_err(|error| fault(args, &error))?;
    let since = timestamp.time.signed_duration_since(FIRST);
    Ok(since.num_seconds() * 10_000_000 + i64::from(since.subsec_nanos() / 100))
}

fn whole<'a>(number: impl Into<i64>) -> Outcome<'a> {
    Ok(Cow::Owned(Value::from(number.into())))
}

pub(super) fn ticks(args: Args<'_>) -> Outcome<'_> {
    whole(ticks_at(&args, 0)?)
}

pub(super) fn date_difference(args: Args<'_>) -> Outcome<'_> {
    text(Span { ticks: ticks_at(&args, 1)? - ticks_at(&args, 0)? }.constant())
}

pub(super) fn format_time_span(args: Args<'_>) -> Outcome<'_> {
    let (given, format) = (args.string(0)?, args.string(1)?);
    let culture = culture_named(optional(&args, 2)?.unwrap_or("en-US")).map_err(|error| fault(&args, &error))?;
    let span = Span::parse(given)
        .ok_or_else(|| args.error("expects its first parameter to be a time span, such as '1.02:03:04'"))?;
    match span.format(format, culture) {
        Some(written) => text(written),
        None => Err(args.error(format_args!("does not know the time span format '{format}'"))),
    }
}

pub(super) fn day_of_week(args: Args<'_>) -> Outcome<'_> {
    whole(timestamp(&args)?.time.weekday().num_days_from_sunday())
}

pub(super) fn day_of_month(args: Args<'_>) -> Outcome<'_> {
    whole(timestamp(&args)?.time.day())
}

pub(super) fn day_of_year(args: Args<'_>) -> Outcome<'_> {
    whole(timestamp(&args)?.time.ordinal())
}

/// The start of the period that a timestamp lies in.
fn start<'a>(args: &Args<'a>, of: fn(NaiveDateTime) -> Option<NaiveDateTime>) -> Outcome<'a> {
    let Timestamp { time, utc } = timestamp(args)?;
    write(args, of(time).map(|time| Timestamp { time, utc }).ok_or(DateError::OutOfRange), 1)
}

pub(super) fn start_of_hour(args: Args<'_>) -> Outcome<'_> {
    start(&args, |time| time.date().and_hms_opt(time.hour(), 0, 0))
}

pub(super) fn start_of_day(args: Args<'_>) -> Outcome<'_> {
    start(&args, |time| Some(time.date().and_time(NaiveTime::MIN)))
}

pub(super) fn start_of_month(args: Args<'_>) -> Outcome<'_> {
    start(&args, |time| Some(time.date().with_day(1)?.and_time(NaiveTime::MIN)))
}
