//! Calendar arithmetic in Logic Apps' units.

use chrono::{Months, NaiveDateTime, TimeDelta};

use super::{DateError, Timestamp};

/// A unit of time by which a timestamp is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl TimeUnit {
    const ALL: [(&str, Self); 7] = [
        ("Second", Self::Second),
        ("Minute", Self::Minute),
        ("Hour", Self::Hour),
        ("Day", Self::Day),
        ("Week", Self::Week),
        ("Month", Self::Month),
        ("Year", Self::Year),
    ];

    /// The unit called `name`, in the singular or plural, ignoring case: `Day`, `hours`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let singular = name.strip_suffix(['s', 'S']).unwrap_or(name);
        Self::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(singular)).map(|(_, unit)| unit)
    }

    pub(super) fn read(name: &str) -> Result<Self, DateError> {
        Self::named(name).ok_or_else(|| DateError::UnknownUnit(name.to_owned()))
    }
}

/// `timestamp` moved by `interval` units, backwards when negative. A day that the month reached does not have is its
/// last day.
pub(super) fn moved(timestamp: Timestamp, interval: i64, unit: TimeUnit) -> Result<Timestamp, DateError> {
    let Timestamp { time, utc } = timestamp;
    let time = match unit {
        TimeUnit::Second => shifted(time, TimeDelta::try_seconds(interval)),
        TimeUnit::Minute => shifted(time, TimeDelta::try_minutes(interval)),
        TimeUnit::Hour => shifted(time, TimeDelta::try_hours(interval)),
        TimeUnit::Day => shifted(time, TimeDelta::try_days(interval)),
        TimeUnit::Week => shifted(time, TimeDelta::try_weeks(interval)),
        TimeUnit::Month => months_later(time, interval),
        TimeUnit::Year => interval.checked_mul(12).and_then(|months| months_later(time, months)),
    };
    let time = time.filter(|time| super::in_range(*time)).ok_or(DateError::OutOfRange)?;
    Ok(Timestamp { time, utc })
}

fn shifted(time: NaiveDateTime, by: Option<TimeDelta>) -> Option<NaiveDateTime> {
    time.checked_add_signed(by?)
}

fn months_later(time: NaiveDateTime, months: i64) -> Option<NaiveDateTime> {
    let distance = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    if months < 0 { time.checked_sub_months(distance) } else { time.checked_add_months(distance) }
}
