//! When a schedule fires, whichever way it is written.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    ScheduleTrigger, cron,
    recurrence::{Recurrence, Series},
};

/// What an author writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timing {
    /// Five fields as Unix has them, six with seconds first; checked.
    Cron(String),
    Recurrence(Recurrence),
}

impl fmt::Display for Timing {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(expression) => f.write_str(expression),
            Self::Recurrence(recurrence) => recurrence.fmt(f),
        }
    }
}

impl Timing {
    /// A text that two timings have in common only when they are the same.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Cron(expression) => expression.clone(),
            Self::Recurrence(recurrence) => serde_json::to_string(recurrence).unwrap_or_default(),
        }
    }
}

impl ScheduleTrigger {
    /// Whether the ticks depend on when the schedule was first followed: a recurrence without `start_time`.
    #[must_use]
    pub fn counts_from_enabling(&self) -> bool {
        matches!(&self.timing, Timing::Recurrence(recurrence) if recurrence.start_time.is_none())
    }

    /// The ticks of a schedule that was first followed at `enabled`.
    ///
    /// # Errors
    /// When the cron expression cannot be followed, which the checker lets none.
    pub fn timetable(&self, enabled: DateTime<Utc>) -> Result<Timetable, cron::CronError> {
        Ok(match &self.timing {
            Timing::Cron(expression) => Timetable(Ticks::Cron(cron::Schedule::parse(expression)?, self.time_zone)),
            Timing::Recurrence(recurrence) => Timetable(Ticks::Series(recurrence.series(self.time_zone, enabled))),
        })
    }
}

/// The ticks of a schedule.
#[derive(Debug, Clone)]
pub struct Timetable(Ticks);

#[derive(Debug, Clone)]
enum Ticks {
    Cron(cron::Schedule, Tz),
    Series(Series),
}

impl Timetable {
    /// The ticks after `instant` (never `instant` itself), oldest first, at most until the year 2100.
    #[must_use]
    pub fn after(&self, instant: DateTime<Utc>) -> Box<dyn Iterator<Item = DateTime<Utc>> + '_> {
        match &self.0 {
            Ticks::Cron(schedule, zone) => Box::new(schedule.after(instant, *zone)),
            Ticks::Series(series) => Box::new(series.after(instant)),
        }
    }

    /// The ticks up to and including `instant`, newest first; the same ticks [`Timetable::after`] gives.
    #[must_use]
    pub fn up_to(&self, instant: DateTime<Utc>) -> Box<dyn Iterator<Item = DateTime<Utc>> + '_> {
        match &self.0 {
            Ticks::Cron(schedule, zone) => Box::new(schedule.up_to(instant, *zone)),
            Ticks::Series(series) => Box::new(series.up_to(instant)),
        }
    }
}
