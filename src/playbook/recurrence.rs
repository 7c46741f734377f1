//! Recurrences as Logic Apps has them: every so many seconds, minutes, hours, days, weeks or months, from a start on, and
//! at which hours, minutes and days of each.

use std::fmt;

use chrono::{
    DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc, Weekday,
};
use chrono_tz::Tz;
use serde::{Serialize, Serializer};

use super::wall_clock::instant_of;

/// The unit a recurrence counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// A point in time as an author writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Moment {
    /// With `Z` or an offset.
    Instant(DateTime<Utc>),
    /// On the clock of the schedule's time zone.
    Local(NaiveDateTime),
}

impl Moment {
    fn instant(self, zone: Tz) -> Option<DateTime<Utc>> {
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Local(local) => instant_of(local, zone),
        }
    }
}

/// A recurrence that was checked: only keys that fit its frequency are set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recurrence {
    pub frequency: Frequency,
    /// From 1.
    pub interval: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Moment>,
    #[serde(skip_serializing_if = "Slots::is_empty")]
    pub schedule: Slots,
}

/// Where in its days, weeks or months a recurrence fires. Every list is sorted and without repeats; an empty one is what
/// the start says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Slots {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub minutes: Vec<u32>,
    /// Of a week.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "names")]
    pub week_days: Vec<Weekday>,
    /// Of a month: 1 to 31, or -1 (the last day) to -31.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub month_days: Vec<i32>,
    /// Of a month: the first to fifth such weekday, or -1, the last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monthly_occurrences: Vec<Occurrence>,
}

impl Slots {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A weekday within a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Occurrence {
    #[serde(serialize_with = "name")]
    pub day: Weekday,
    pub occurrence: i32,
}

/// The weekdays as they are written.
pub(super) const WEEKDAYS: &[(&str, Weekday)] = &[
    ("Monday", Weekday::Mon),
    ("Tuesday", Weekday::Tue),
    ("Wednesday", Weekday::Wed),
    ("Thursday", Weekday::Thu),
    ("Friday", Weekday::Fri),
    ("Saturday", Weekday::Sat),
    ("Sunday", Weekday::Sun),
];

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn name<S: Serializer>(day: &Weekday, serializer: S) -> Result<S::Ok, S::Error> {
    let name = WEEKDAYS.iter().find(|(_, known)| known == day).map(|(name, _)| *name);
    name.serialize(serializer)
}

fn names<S: Serializer>(days: &[Weekday], serializer: S) -> Result<S::Ok, S::Error> {
    let wanted = WEEKDAYS.iter().filter(|(_, day)| days.contains(day));
    serializer.collect_seq(wanted.map(|(name, _)| name))
}

/// No tick lies in a later year; time zones are not known beyond that, and a schedule that never fires comes to an end.
const LAST_YEAR: i32 = 2_100;

/// The ticks of a recurrence whose beginning is known.
#[derive(Debug, Clone)]
pub struct Series {
    recurrence: Recurrence,
    /// Whose calendar days, weeks and months are counted on.
    calendar: Tz,
    /// No tick is before this.
    begin: DateTime<Utc>,
    /// The beginning on the calendar's clock, as written where it was written.
    local: NaiveDateTime,
    end: Option<DateTime<Utc>>,
}

impl fmt::Display for Recurrence {
    /// `every 2 weeks`, without the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.frequency {
            Frequency::Second => "second",
            Frequency::Minute => "minute",
            Frequency::Hour => "hour",
            Frequency::Day => "day",
            Frequency::Week => "week",
            Frequency::Month => "month",
        };
        match self.interval {
            1 => write!(f, "every {unit}"),
            interval => write!(f, "every {interval} {unit}s"),
        }
    }
}

impl Recurrence {
    /// The ticks in `zone`. A recurrence without `start_time` begins at the second of `enabled`, which is its first tick.
    #[must_use]
    pub fn series(&self, zone: Tz, enabled: DateTime<Utc>) -> Series {
        // As in Logic Apps: a start that is an instant is counted from without regard to summer time.
        let calendar = match self.start_time {
            Some(Moment::Instant(_)) if self.schedule.is_empty() => Tz::UTC,
            _ => zone,
        };
        let enabled = whole_second(enabled);
        let begin = self.start_time.map_or(Some(enabled), |start| start.instant(zone)).unwrap_or(enabled);
        let local = match self.start_time {
            Some(Moment::Local(local)) => local,
            Some(Moment::Instant(_)) | None => begin.with_timezone(&calendar).naive_local(),
        };
        let end = self.end_time.and_then(|end| end.instant(zone));
        Series { recurrence: self.clone(), calendar, begin, local, end }
    }
}

impl Series {
    /// The ticks after `instant` (never `instant` itself), oldest first.
    ///
    /// Days, weeks and months are counted on the wall clock: a local time that is skipped when clocks go forward fires at
    /// the first instant after the gap, one that comes twice the first time only. Seconds, minutes and hours ignore it.
    pub fn after(&self, instant: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let mut last = instant;
        // One period early, for a tick that a gap moved.
        let first = self.period_of(instant).saturating_sub(1).max(0);
        let ticks = (first..).map_while(|period| self.ticks(period)).flatten();
        let ticks = self.at_once().into_iter().chain(ticks.filter(|tick| *tick >= self.begin));
        ticks.take_while(|tick| self.end.is_none_or(|end| *tick <= end)).filter(move |tick| {
            let later = *tick > last;
            last = last.max(*tick);
            later
        })
    }

    /// The ticks up to and including `instant`, newest first; the same ticks [`Series::after`] gives.
    pub fn up_to(&self, instant: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let instant = self.end.map_or(instant, |end| end.min(instant));
        let mut last = None;
        // One period late: in an hour that comes for the second time, later local times have had their first time already.
        let periods = (0..=self.period_of(instant).saturating_add(1)).rev();
        let ticks = periods.flat_map(|period| self.ticks(period).unwrap_or_default().into_iter().rev());
        let ticks = ticks.filter(|tick| *tick >= self.begin).chain(self.at_once());
        ticks.filter(move |tick| *tick <= instant && last.replace(*tick) != Some(*tick))
    }

    /// A recurrence without a start fires as soon as there is one.
    fn at_once(&self) -> Option<DateTime<Utc>> {
        self.recurrence.start_time.is_none().then_some(self.begin)
    }

    fn interval(&self) -> i64 {
        i64::from(self.recurrence.interval)
    }

    /// Seconds from tick to tick, where the wall clock does not matter.
    fn seconds(&self) -> Option<i64> {
        let unit = match self.recurrence.frequency {
            Frequency::Second => 1,
            Frequency::Minute => 60,
            Frequency::Hour => 3_600,
            Frequency::Day | Frequency::Week | Frequency::Month => return None,
        };
        Some(unit * self.interval())
    }

    /// The number of the period an instant lies in, from 0 at the beginning.
    fn period_of(&self, instant: DateTime<Utc>) -> i64 {
        let (first, date) = (self.local.date(), instant.with_timezone(&self.calendar).date_naive());
        let units = match self.recurrence.frequency {
            Frequency::Second | Frequency::Minute | Frequency::Hour => {
                let seconds = (instant - self.begin).num_seconds();
                return seconds.div_euclid(self.seconds().unwrap_or(1));
            }
            Frequency::Day => (date - first).num_days(),
            Frequency::Week => (monday(date) - monday(first)).num_days() / 7,
            Frequency::Month => month_number(date) - month_number(first),
        };
        units.div_euclid(self.interval())
    }

    /// The ticks of a period, oldest first; `None` beyond [`LAST_YEAR`].
    fn ticks(&self, period: i64) -> Option<Vec<DateTime<Utc>>> {
        if let Some(seconds) = self.seconds() {
            let tick = self.begin.checked_add_signed(TimeDelta::try_seconds(seconds.checked_mul(period)?)?)?;
            return (tick.year() <= LAST_YEAR).then(|| vec![tick]);
        }
        let units = u64::try_from(period.checked_mul(self.interval())?).ok()?;
        let (date, frequency) = (self.local.date(), self.recurrence.frequency);
        let first = match frequency {
            Frequency::Week => monday(date).checked_add_days(Days::new(7 * units))?,
            Frequency::Month => date.with_day(1)?.checked_add_months(Months::new(u32::try_from(units).ok()?))?,
            Frequency::Second | Frequency::Minute | Frequency::Hour | Frequency::Day => {
                date.checked_add_days(Days::new(units))?
            }
        };
        if first.year() > LAST_YEAR {
            return None;
        }
        let dates = match frequency {
            Frequency::Week => self.dates_of_week(first),
            Frequency::Month => self.dates_of_month(first),
            Frequency::Second | Frequency::Minute | Frequency::Hour | Frequency::Day => vec![first],
        };
        let times = self.times();
        let locals = dates.iter().flat_map(|date| times.iter().map(|time| date.and_time(*time)));
        Some(locals.filter_map(|local| instant_of(local, self.calendar)).collect())
    }

    /// The times of day, earliest first.
    fn times(&self) -> Vec<NaiveTime> {
        let Slots { hours, minutes, .. } = &self.recurrence.schedule;
        let (hour, minute) = ([self.local.hour()], [self.local.minute()]);
        let second = if minutes.is_empty() { self.local.second() } else { 0 };
        let hours = if hours.is_empty() { &hour[..] } else { hours };
        let minutes = if minutes.is_empty() { &minute[..] } else { minutes };
        let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (*hour, *minute)));
        times.filter_map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, second)).collect()
    }

    /// Weeks begin on Monday, as in ISO 8601 and RFC 5545.
    fn dates_of_week(&self, monday: NaiveDate) -> Vec<NaiveDate> {
        let own = [self.local.weekday()];
        let wanted = &self.recurrence.schedule.week_days;
        let wanted = if wanted.is_empty() { &own[..] } else { wanted };
        monday.iter_days().take(7).filter(|date| wanted.contains(&date.weekday())).collect()
    }

    fn dates_of_month(&self, first: NaiveDate) -> Vec<NaiveDate> {
        let Slots { month_days, monthly_occurrences, .. } = &self.recurrence.schedule;
        let days = i32::from(first.num_days_in_month());
        if month_days.is_empty() && monthly_occurrences.is_empty() {
            // The start's day, or the last one of a month that is too short.
            return first.with_day(self.local.day().min(days.unsigned_abs())).into_iter().collect();
        }
        let is_wanted = |date: &NaiveDate| {
            let day = i32::try_from(date.day()).unwrap_or(days);
            let occurs = |wanted: &Occurrence| {
                let nth = if wanted.occurrence < 0 { -((days - day) / 7 + 1) } else { (day - 1) / 7 + 1 };
                wanted.day == date.weekday() && wanted.occurrence == nth
            };
            month_days.iter().any(|wanted| *wanted == day || *wanted == day - days - 1)
                || monthly_occurrences.iter().any(occurs)
        };
        first.iter_days().take_while(|date| date.month() == first.month()).filter(is_wanted).collect()
    }
}

fn monday(date: NaiveDate) -> NaiveDate {
    date.week(Weekday::Mon).first_day()
}

fn month_number(date: NaiveDate) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

fn whole_second(instant: DateTime<Utc>) -> DateTime<Utc> {
    instant.with_nanosecond(0).unwrap_or(instant)
}

#[cfg(test)]
mod tests;
