//! Cron expressions as Unix means them (crontab(5)), in a time zone, with a stated rule for the hours that summer time
//! skips and repeats.
//!
//! The `cron` crate finds the dates. It numbers weekdays from 1 for Sunday, wants day-of-month *and* weekday, and
//! requires seconds, so an expression is read here and written anew for it: one crate schedule for the days of the
//! month and one for the weekdays when both are set.

use std::{collections::BTreeSet, ops::Range};

use chrono::{DateTime, Days, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::wall_clock::instant_of;

/// What is wrong with a cron expression, where in it, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// One lower-case sentence without a full stop.
    pub message: String,
    /// The bytes of the expression that are at fault.
    pub range: Range<usize>,
    pub help: Option<String>,
}

/// A cron expression that was checked and fires at some time.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// It fires whenever one of these does, read as local time.
    parts: Vec<cron::Schedule>,
}

impl Schedule {
    /// Reads an expression of five fields (minute, hour, day of month, month, weekday) or six (seconds first).
    ///
    /// # Errors
    /// [`CronError`] when a field cannot be read or the expression never fires.
    pub fn parse(expression: &str) -> Result<Self, CronError> {
        let words = words(expression);
        let whole = words.first().map_or(0, |word| word.start)..words.last().map_or(expression.len(), |word| word.end);
        let fields: &[&Field] = match words.len() {
            5 => &[&MINUTE, &HOUR, &DAY, &MONTH, &WEEKDAY],
            6 => &[&SECOND, &MINUTE, &HOUR, &DAY, &MONTH, &WEEKDAY],
            count => return Err(wrong_count(expression, count, whole)),
        };
        let mut sets = Vec::with_capacity(6);
        if words.len() == 5 {
            sets.push(Set { values: BTreeSet::from([0]), starred: false });
        }
        for (field, range) in fields.iter().zip(&words) {
            sets.push(field.read(expression, range.clone())?);
        }
        let never = || CronError {
            message: format!("`{}` never fires", &expression[whole.clone()]),
            range: whole.clone(),
            help: Some("no month it names has such a day".into()),
        };
        let [second, minute, hour, day, month, weekday] = &sets[..] else { return Err(never()) };
        let line = |day: &str, weekday: &str| {
            let text =
                format!("{} {} {} {day} {} {weekday}", second.list(0), minute.list(0), hour.list(0), month.list(0));
            text.parse::<cron::Schedule>().map_err(|error| CronError {
                message: format!("`{}` cannot be followed: {error}", &expression[whole.clone()]),
                range: whole.clone(),
                help: None,
            })
        };
        // crontab(5): a day fits when either field matches, unless one of them starts with a star; then both must.
        let parts = if day.starred || weekday.starred {
            vec![line(&day.list(0), &weekday.list(1))?]
        } else {
            vec![line(&day.list(0), "*")?, line("*", &weekday.list(1))?]
        };
        let schedule = Self { parts };
        match schedule.next_local(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(schedule),
            None => Err(never()),
        }
    }

    /// The ticks after `instant` (never `instant` itself), oldest first, until the year 2100.
    ///
    /// The expression is read as local time of `zone`. A local time that is skipped when clocks go forward fires at
    /// the first instant after the gap; a local time that comes twice fires the first time only; ticks that fall on
    /// the same instant are one.
    pub fn after(&self, instant: DateTime<Utc>, zone: Tz) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let start = whole_second(instant.with_timezone(&zone).naive_local());
        let mut last = instant;
        std::iter::successors(self.next_local(start), |local| self.next_local(*local))
            .filter_map(move |local| instant_of(local, zone))
            // Instants never decrease as local times increase, so whatever is not later was there before.
            .filter(move |tick| {
                let later = *tick > last;
                last = last.max(*tick);
                later
            })
    }

    /// The ticks up to and including `instant`, newest first, back to 1970; the same ticks [`Schedule::after`] gives.
    pub fn up_to(&self, instant: DateTime<Utc>, zone: Tz) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let local = instant.with_timezone(&zone).naive_local();
        let start = whole_second(local) + TimeDelta::seconds(1);
        // In an hour that comes for the second time, later local times have had their first time already.
        let start = match zone.from_local_datetime(&local) {
            MappedLocalTime::Ambiguous(..) => start + Days::new(1),
            MappedLocalTime::Single(_) | MappedLocalTime::None => start,
        };
        let mut last = None;
        std::iter::successors(self.previous_local(start), |local| self.previous_local(*local))
            .filter_map(move |local| instant_of(local, zone))
            .filter(move |tick| *tick <= instant && last.replace(*tick) != Some(*tick))
    }

    fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let next = |part: &cron::Schedule| part.after(&after.and_utc()).next();
        self.parts.iter().filter_map(next).min().map(|tick| tick.naive_utc())
    }

    fn previous_local(&self, before: NaiveDateTime) -> Option<NaiveDateTime> {
        let previous = |part: &cron::Schedule| part.after(&before.and_utc()).next_back();
        self.parts.iter().filter_map(previous).max().map(|tick| tick.naive_utc())
    }
}

fn whole_second(local: NaiveDateTime) -> NaiveDateTime {
    local.with_nanosecond(0).unwrap_or(local)
}

/// The byte ranges of the words of an expression.
fn words(expression: &str) -> Vec<Range<usize>> {
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, character) in expression.char_indices().filter(|(_, character)| !character.is_whitespace()) {
        let end = at + character.len_utf8();
        match words.last_mut() {
            Some(word) if word.end == at => word.end = end,
            _ => words.push(at..end),
        }
    }
    words
}

fn wrong_count(expression: &str, count: usize, range: Range<usize>) -> CronError {
    let help = match expression.trim().to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => "write `0 0 1 1 *`",
        "@monthly" => "write `0 0 1 * *`",
        "@weekly" => "write `0 0 * * 0`",
        "@daily" | "@midnight" => "write `0 0 * * *`",
        "@hourly" => "write `0 * * * *`",
        _ => {
            "write minute, hour, day of month, month, weekday, as in `0 9 * * MON`; a sixth field in front means seconds"
        }
    };
    let fields = if count == 1 { "field" } else { "fields" };
    CronError {
        message: format!("a cron expression has five or six fields, this one has {count} {fields}"),
        range,
        help: Some(help.into()),
    }
}

/// The values a field names.
struct Set {
    values: BTreeSet<u32>,
    /// It begins with `*`: as a day field it restricts nothing by itself.
    starred: bool,
}

impl Set {
    /// The field as the `cron` crate reads it, each value moved by `offset`.
    fn list(&self, offset: u32) -> String {
        self.values.iter().map(|value| (value + offset).to_string()).collect::<Vec<_>>().join(",")
    }
}

/// One kind of field.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    /// Names of the values from `first` on.
    names: &'static [&'static str],
}

const SECOND: Field = Field { name: "second", first: 0, last: 59, names: &[] };
const MINUTE: Field = Field { name: "minute", first: 0, last: 59, names: &[] };
const HOUR: Field = Field { name: "hour", first: 0, last: 23, names: &[] };
const DAY: Field = Field { name: "day of month", first: 1, last: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    first: 1,
    last: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
/// 0 and 7 are Sunday.
const WEEKDAY: Field =
    Field { name: "weekday", first: 0, last: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };

impl Field {
    /// Reads a list of stars, numbers, names and ranges, each perhaps with a step.
    fn read(&self, expression: &str, range: Range<usize>) -> Result<Set, CronError> {
        let text = &expression[range.clone()];
        let mut values = BTreeSet::new();
        let mut at = range.start;
        for entry in text.split(',') {
            self.read_entry(entry, at, &mut values)?;
            at += entry.len() + 1;
        }
        if self.is_weekday() && values.remove(&7) {
            values.insert(0);
        }
        Ok(Set { values, starred: text.starts_with('*') })
    }

    fn read_entry(&self, entry: &str, at: usize, values: &mut BTreeSet<u32>) -> Result<(), CronError> {
        let (base, step) = entry.split_once('/').map_or((entry, None), |(base, step)| (base, Some(step)));
        let (first, last) = match base.split_once('-') {
            _ if base == "*" => (self.first, self.last_value()),
            Some((first, last)) => {
                let from = self.value(first, at)?;
                let mut to = self.value(last, at + first.len() + 1)?;
                // `FRI-SUN`: the Sunday at the end of the week.
                if self.is_weekday() && to == 0 && from > 0 {
                    to = 7;
                }
                if to < from {
                    return Err(CronError {
                        message: format!("the {} range `{base}` runs backwards", self.name),
                        range: at..at + base.len(),
                        help: Some(format!("write `{first}-{},{}-{last}`", self.last_value(), self.first)),
                    });
                }
                (from, to)
            }
            None => {
                let value = self.value(base, at)?;
                (value, if step.is_some() { self.last_value() } else { value })
            }
        };
        let step = match step {
            None => 1,
            Some(step) => self.step(step, at + base.len() + 1, last - first)?,
        };
        values.extend((first..=last).step_by(step));
        Ok(())
    }

    /// The distance between two values, which must leave room for a second one within `span`.
    fn step(&self, text: &str, at: usize, span: u32) -> Result<usize, CronError> {
        let fault = |message: String, help: &str| {
            Err(CronError { message, range: at..at + text.len().max(1), help: Some(help.into()) })
        };
        match number(text) {
            Some(step) if step > 0 && step <= span => Ok(step as usize),
            Some(0) => fault(format!("the step of the {} field is 0", self.name), "a step is a number from 1"),
            Some(step) => fault(
                format!("the step {step} of the {} field is larger than its range", self.name),
                "the field would match its first value only; write that value",
            ),
            None => fault(format!("`{text}` is no step of the {} field", self.name), "a step is a number from 1"),
        }
    }

    fn value(&self, text: &str, at: usize) -> Result<u32, CronError> {
        let fault =
            |message: String, help: String| CronError { message, range: at..at + text.len().max(1), help: Some(help) };
        let allowed = || match self.names {
            [first, .., last] => format!("it takes {} to {} or {first} to {last}", self.first, self.last),
            _ => format!("it takes {} to {}", self.first, self.last),
        };
        if let Some(value) = number(text) {
            return match value {
                value if (self.first..=self.last).contains(&value) => Ok(value),
                _ => Err(fault(format!("{text} is no value of the {} field", self.name), allowed())),
            };
        }
        if let Some(place) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(self.first + place as u32);
        }
        Err(match text {
            "" => fault(format!("the {} field has an empty place", self.name), allowed()),
            "?" => fault(format!("`?` in the {} field is not cron's", self.name), "write `*`".into()),
            _ => fault(format!("`{text}` is no value of the {} field", self.name), allowed()),
        })
    }

    fn is_weekday(&self) -> bool {
        self.last == 7
    }

    /// The last value of `*` and of a start with a step.
    fn last_value(&self) -> u32 {
        if self.is_weekday() { 6 } else { self.last }
    }
}

/// A number without sign that fits.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
