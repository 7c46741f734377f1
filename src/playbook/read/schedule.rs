//! `schedule:`, by cron or by recurrence.

use chrono::{DateTime, Datelike, NaiveDateTime, SubsecRound, Utc, Weekday};

use crate::{
    diagnostic::{Faults, codes},
    expression,
    playbook::{
        Missed, ScheduleTrigger, Timing, cron,
        recurrence::{Frequency, Moment, Occurrence, Recurrence, Slots, WEEKDAYS},
    },
    yaml::{Fields, Given, Rule, Takes, Value, shape},
};

/// Each frequency with its largest interval (Logic Apps' limits).
const FREQUENCIES: &[(&str, (Frequency, u64))] = &[
    ("second", (Frequency::Second, 9_999_999)),
    ("minute", (Frequency::Minute, 72_000)),
    ("hour", (Frequency::Hour, 12_000)),
    ("day", (Frequency::Day, 500)),
    ("week", (Frequency::Week, 71)),
    ("month", (Frequency::Month, 16)),
];

const MISSED: &[(&str, Missed)] = &[("skip", Missed::Skip), ("run_once", Missed::RunOnce), ("run_all", Missed::RunAll)];

crate::shape! {
    /// Starts at times, by `cron` or by a recurrence with `frequency`.
    pub(super) SCHEDULE = "a schedule", Rule::Some(&["cron", "frequency"]);
    /// Minute, hour, day of the month, month and day of the week, such as `0 9 * * MON`.
    optional "cron": Takes::Words;
    /// The unit of a recurrence.
    optional "frequency": Takes::Choice(|| shape::names(FREQUENCIES));
    /// How many units lie between two starts. Default 1.
    optional "interval": Takes::Count(1, 9_999_999);
    /// When a recurrence begins: a time of its zone, `2026-11-02T08:00:00`, or an instant, `2026-11-02T07:00:00Z`.
    optional "start_time": Takes::Words;
    /// When a recurrence ends.
    optional "end_time": Takes::Words;
    /// At which hours and days.
    optional "schedule": Takes::Map(&SLOTS);
    /// The zone that times are in, by its IANA or Windows name. Default UTC.
    optional "time_zone": Takes::Words;
    /// What is done about starts that were missed while Larum was down. Default `skip`.
    optional "missed": Takes::Choice(|| shape::names(MISSED));
}

crate::shape! {
    /// At which hours and days a recurrence starts.
    SLOTS = "the `schedule` of a recurrence";
    /// Of days, weeks and months: the hours, 0 to 23.
    optional "hours": Takes::OneOrMore(&Takes::Count(0, 23));
    /// Of days, weeks and months: the minutes, 0 to 59.
    optional "minutes": Takes::OneOrMore(&Takes::Count(0, 59));
    /// Of weeks: the days.
    optional "week_days": Takes::OneOrMore(&Takes::Choice(|| shape::names(WEEKDAYS)));
    /// Of months: the days, 1 to 31, or from the end -1 to -31.
    optional "month_days": Takes::OneOrMore(&Takes::Count(-31, 31));
    /// Of months: days of the week, such as the second Tuesday.
    optional "monthly_occurrences": Takes::OneOrMore(&Takes::Map(&OCCURRENCE));
}

crate::shape! {
    /// A day of the week in a month.
    OCCURRENCE = "an item of `monthly_occurrences`";
    /// The day.
    required "day": Takes::Choice(|| shape::names(WEEKDAYS));
    /// Which one: 1 to 5, or -1 for the last.
    required "occurrence": Takes::Count(-1, 5);
}

/// Years a start or an end may lie in.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2099;

pub(super) fn schedule(given: Given<'_>, faults: &mut Faults) -> Option<ScheduleTrigger> {
    let mut fields = given.fields(&SCHEDULE, faults)?;
    let cron = fields.optional("cron");
    let parts = Parts::of(&mut fields);
    let time_zone = fields.optional("time_zone");
    let missed = fields.optional("missed");
    fields.finish(faults);
    let time_zone = match time_zone {
        Some(given) => given.words(faults).and_then(|name| zone(given, name, faults)),
        None => Some(chrono_tz::UTC),
    };
    let missed = missed.and_then(|given| given.choice(MISSED, faults)).unwrap_or_default();
    let timing = match (cron, parts.any()) {
        (Some(cron), None) => cron_expression(cron, faults).map(Timing::Cron),
        (Some(_), Some(part)) => {
            let message = format!("a schedule has `cron` or a recurrence with `{}`, not both", part.key);
            faults.add(codes::EXCLUSIVE_KEYS, part.key_span(), message);
            None
        }
        (None, _) if parts.frequency.is_some() => {
            recurrence(&parts, time_zone.unwrap_or_default(), faults).map(Timing::Recurrence)
        }
        (None, Some(part)) => {
            let help = "it is `second`, `minute`, `hour`, `day`, `week` or `month`";
            let message = "a recurrence needs `frequency`";
            faults.add_with(codes::MISSING_KEY, part.key_span(), message, Some(help.to_owned()));
            None
        }
        (None, None) => {
            let help = "`cron: \"0 9 * * MON\"`, or `frequency: week` with `interval` and `schedule`";
            let message = "a schedule needs `cron` or `frequency`";
            faults.add_with(codes::MISSING_KEY, given.span(), message, Some(help.to_owned()));
            None
        }
    };
    Some(ScheduleTrigger { timing: timing?, time_zone: time_zone?, missed })
}

/// The keys of a recurrence as written.
struct Parts<'n> {
    frequency: Option<Given<'n>>,
    interval: Option<Given<'n>>,
    start_time: Option<Given<'n>>,
    end_time: Option<Given<'n>>,
    schedule: Option<Given<'n>>,
}

impl<'n> Parts<'n> {
    fn of(fields: &mut Fields<'n>) -> Self {
        Self {
            frequency: fields.optional("frequency"),
            interval: fields.optional("interval"),
            start_time: fields.optional("start_time"),
            end_time: fields.optional("end_time"),
            schedule: fields.optional("schedule"),
        }
    }

    fn any(&self) -> Option<Given<'n>> {
        self.frequency.or(self.interval).or(self.start_time).or(self.end_time).or(self.schedule)
    }
}

fn cron_expression(given: Given<'_>, faults: &mut Faults) -> Option<String> {
    let text = given.words(faults)?;
    match cron::Schedule::parse(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            let span = given.node.place(faults.source(), error.range);
            faults.add_with(codes::BAD_CRON, span, error.message, error.help);
            None
        }
    }
}

fn recurrence(parts: &Parts<'_>, zone: chrono_tz::Tz, faults: &mut Faults) -> Option<Recurrence> {
    let before = faults.count();
    let frequency = parts.frequency.and_then(|given| given.choice(FREQUENCIES, faults));
    // Against the widest limit when the frequency cannot be read, so that one mistake is one message.
    let most = frequency.map_or(9_999_999, |(_, most)| most);
    let interval = parts.interval.map_or(Some(1), |given| given.count(1..=most, faults));
    let start_time = parts.start_time.and_then(|given| moment(given, faults));
    let end_time = parts.end_time.and_then(|given| moment(given, faults));
    let schedule = match (parts.schedule, frequency) {
        (Some(given), Some((frequency, _))) => slots(given, frequency, faults),
        _ => Some(Slots::default()),
    };
    let recurrence = Recurrence {
        frequency: frequency?.0,
        interval: u32::try_from(interval?).ok()?,
        start_time,
        end_time,
        schedule: schedule?,
    };
    if faults.count() > before {
        return None;
    }
    // Without a start it fires as soon as it is followed.
    let fires = |recurrence: &Recurrence| recurrence.series(zone, LONG_AGO).after(LONG_AGO).next().is_some();
    let Some(given) = parts.start_time.filter(|_| !fires(&recurrence)) else { return Some(recurrence) };
    match parts.end_time.filter(|_| fires(&Recurrence { end_time: None, ..recurrence })) {
        Some(end) => {
            faults.add(codes::BAD_RECURRENCE, end.span(), "the recurrence never fires: it ends before its first time");
        }
        None => {
            let message = "the recurrence never fires: no month it comes to has such a day";
            faults.add(codes::BAD_RECURRENCE, given.span(), message);
        }
    }
    None
}

/// Before the starts that may be written.
const LONG_AGO: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// A time with `Z` or an offset, or without: then it is the time zone's.
fn moment(given: Given<'_>, faults: &mut Faults) -> Option<Moment> {
    let text = given.words(faults)?;
    let instant = DateTime::parse_from_rfc3339(text).map(|instant| Moment::Instant(instant.to_utc().trunc_subsecs(0)));
    let local = || {
        let local = |format| NaiveDateTime::parse_from_str(text, format).map(|local| local.trunc_subsecs(0));
        local("%Y-%m-%dT%H:%M:%S%.f").or_else(|_| local("%Y-%m-%dT%H:%M")).map(Moment::Local)
    };
    match instant.or_else(|_| local()) {
        Ok(moment) => {
            let year = match moment {
                Moment::Instant(instant) => instant.year(),
                Moment::Local(local) => local.year(),
            };
            if YEARS.contains(&year) {
                return Some(moment);
            }
            let message = format!("`{}` must lie between {} and {}", given.key, YEARS.start(), YEARS.end());
            faults.add(codes::OUT_OF_BOUNDS, given.span(), message);
        }
        Err(_) => {
            let help =
                "write a time of the schedule's zone, `2026-11-02T08:00:00`, or an instant, `2026-11-02T07:00:00Z`";
            faults.add_with(codes::BAD_VALUE, given.span(), format!("`{text}` is not a time"), Some(help.to_owned()));
        }
    }
    None
}

fn slots(given: Given<'_>, frequency: Frequency, faults: &mut Faults) -> Option<Slots> {
    let mut fields = given.fields(&SLOTS, faults)?;
    let hours = fields.optional("hours");
    let minutes = fields.optional("minutes");
    let week_days = fields.optional("week_days");
    let month_days = fields.optional("month_days");
    let monthly_occurrences = fields.optional("monthly_occurrences");
    fields.finish(faults);
    let before = faults.count();
    for (key, fits, frequencies) in [
        (
            hours,
            matches!(frequency, Frequency::Day | Frequency::Week | Frequency::Month),
            "`frequency: day`, `week` or `month`",
        ),
        (
            minutes,
            matches!(frequency, Frequency::Day | Frequency::Week | Frequency::Month),
            "`frequency: day`, `week` or `month`",
        ),
        (week_days, frequency == Frequency::Week, "`frequency: week`"),
        (month_days, frequency == Frequency::Month, "`frequency: month`"),
        (monthly_occurrences, frequency == Frequency::Month, "`frequency: month`"),
    ] {
        if let Some(key) = key.filter(|_| !fits) {
            let message = format!("`{}` goes with {frequencies}", key.key);
            faults.add(codes::BAD_RECURRENCE, key.key_span(), message);
        }
    }
    if faults.count() > before {
        return None;
    }
    let number = |given: Given<'_>, faults: &mut Faults, most: u64| {
        given.count(0..=most, faults).and_then(|value| u32::try_from(value).ok())
    };
    let mut slots = Slots {
        hours: each(hours, faults, |given, faults| number(given, faults, 23)),
        minutes: each(minutes, faults, |given, faults| number(given, faults, 59)),
        week_days: each(week_days, faults, |given, faults| given.choice(WEEKDAYS, faults)),
        month_days: each(month_days, faults, |given, faults| {
            nth(given, 31, 31, "a day from 1 to 31 or -1 to -31", faults)
        }),
        monthly_occurrences: each(monthly_occurrences, faults, occurrence),
    };
    // The same ticks are the same schedule, however they are written.
    slots.hours.sort_unstable();
    slots.hours.dedup();
    slots.minutes.sort_unstable();
    slots.minutes.dedup();
    slots.week_days.sort_unstable_by_key(Weekday::num_days_from_monday);
    slots.week_days.dedup();
    slots.month_days.sort_unstable();
    slots.month_days.dedup();
    slots.monthly_occurrences.sort_unstable_by_key(|one| (one.occurrence, one.day.num_days_from_monday()));
    slots.monthly_occurrences.dedup();
    Some(slots)
}

/// The items of a list that can be read; a value alone counts as a list of one.
fn each<T>(
    given: Option<Given<'_>>,
    faults: &mut Faults,
    mut read: impl FnMut(Given<'_>, &mut Faults) -> Option<T>,
) -> Vec<T> {
    let Some(given) = given else { return Vec::new() };
    let items = if matches!(given.node.value, Value::List(_)) { given.list(faults) } else { Some(vec![given]) };
    let items = items.unwrap_or_default();
    if items.is_empty() {
        faults.add(codes::BAD_VALUE, given.span(), format!("`{}` must not be empty", given.key));
    }
    items.into_iter().filter_map(|item| read(item, faults)).collect()
}

/// A place counted from the front, or with a minus from the back.
fn nth(given: Given<'_>, most: i64, back: i64, wanted: &str, faults: &mut Faults) -> Option<i32> {
    let Value::Number(number) = &given.node.value else {
        given.wrong_type(wanted, faults);
        return None;
    };
    let value = number.as_i64().filter(|value| (1..=most).contains(value) || (-back..=-1).contains(value));
    if value.is_none() {
        faults.add(codes::OUT_OF_BOUNDS, given.span(), format!("`{}` takes {wanted}", given.key));
    }
    value.and_then(|value| i32::try_from(value).ok())
}

fn occurrence(given: Given<'_>, faults: &mut Faults) -> Option<Occurrence> {
    let mut fields = given.fields(&OCCURRENCE, faults)?;
    let day = fields.required("day");
    let occurrence = fields.required("occurrence");
    fields.finish(faults);
    let day = day.and_then(|given| given.choice(WEEKDAYS, faults));
    let occurrence = occurrence.and_then(|given| nth(given, 5, 1, "1 to 5, or -1 for the last", faults));
    Some(Occurrence { day: day?, occurrence: occurrence? })
}

fn zone(given: Given<'_>, name: &str, faults: &mut Faults) -> Option<chrono_tz::Tz> {
    let zone = expression::time_zone(name);
    if zone.is_none() {
        let help = expression::nearest_time_zone(name).map_or_else(
            || "zones are named as IANA or Windows does: `Europe/Berlin`, `W. Europe Standard Time`, `UTC`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        faults.add_with(codes::UNKNOWN_ZONE, given.span(), format!("there is no time zone `{name}`"), Some(help));
    }
    zone
}
