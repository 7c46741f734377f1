//! What becomes of the ticks that are due: which start a run, and which passed unheard.

use chrono::{DateTime, Utc};

use crate::{
    limits,
    playbook::{Missed, Timetable},
};

/// A tick whose time has come, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) tick: DateTime<Utc>,
    pub(super) fate: Fate,
}

/// What becomes of a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It starts a run, which stands for this many ticks that were missed: 0 when it is on time.
    Start { missed: usize },
    /// It, and those before it, start none.
    Skip { because: String },
}

/// The ticks after `taken` up to `now`, oldest first.
///
/// A tick was missed when it came before `since`, the instant this process took the schedule up, or when it is noticed
/// later than [`limits::TICK_DELAY`]: the machine slept, or its clock was set forward.
pub(super) fn due(
    timetable: &Timetable,
    policy: Missed,
    taken: DateTime<Utc>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<Due> {
    let mut ticks: Vec<_> =
        timetable.up_to(now).take_while(|tick| *tick > taken).take(limits::MISSED_TICKS + 1).collect();
    ticks.reverse();
    let late = ticks.partition_point(|tick| *tick <= since || *tick < now - limits::TICK_DELAY);
    let on_time = ticks.split_off(late);
    let mut due = missed(&ticks, policy);
    due.extend(on_time.into_iter().map(|tick| Due { tick, fate: Fate::Start { missed: 0 } }));
    due
}

fn missed(ticks: &[DateTime<Utc>], policy: Missed) -> Vec<Due> {
    let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return Vec::new() };
    let count = ticks.len().min(limits::MISSED_TICKS);
    let many = if ticks.len() > limits::MISSED_TICKS { format!("more than {count}") } else { count.to_string() };
    match policy {
        Missed::Skip => {
            let because =
                format!("{many} ticks passed while Larum was not running, and `missed: skip` leaves them out");
            vec![Due { tick: *last, fate: Fate::Skip { because } }]
        }
        Missed::RunOnce => vec![Due { tick: *last, fate: Fate::Start { missed: count } }],
        Missed::RunAll if ticks.len() > limits::MISSED_TICKS => {
            let because = format!("{many} ticks passed while Larum was not running; the oldest start no run");
            let skip = Due { tick: *first, fate: Fate::Skip { because } };
            std::iter::once(skip).chain(each(&ticks[1..])).collect()
        }
        Missed::RunAll => each(ticks).collect(),
    }
}

fn each(ticks: &[DateTime<Utc>]) -> impl Iterator<Item = Due> {
    ticks.iter().map(|tick| Due { tick: *tick, fate: Fate::Start { missed: 1 } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::{ScheduleTrigger, Timing};

    fn timetable(cron: &str) -> Timetable {
        let timing = Timing::Cron(cron.to_owned());
        let trigger = ScheduleTrigger { timing, time_zone: chrono_tz::UTC, missed: Missed::RunOnce };
        trigger.timetable(DateTime::UNIX_EPOCH).expect("a schedule")
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// What becomes of the ticks of `0 * * * *` that were last taken at 09:00, for a process that started at `since`.
    fn hourly(policy: Missed, since: &str, now: &str) -> Vec<String> {
        let day = |time: &str| utc(&format!("2026-11-24T{time}Z"));
        let schedule = timetable("0 * * * *");
        due(&schedule, policy, day("09:00:00"), day(since), day(now))
            .into_iter()
            .map(|due| match due.fate {
                Fate::Start { missed } => format!("{} starts, missed {missed}", due.tick.format("%H:%M")),
                Fate::Skip { because } => format!("{} skipped: {because}", due.tick.format("%H:%M")),
            })
            .collect()
    }

    #[test]
    fn a_tick_on_time_starts_a_run_under_every_policy() {
        for policy in [Missed::Skip, Missed::RunOnce, Missed::RunAll] {
            assert_eq!(hourly(policy, "09:30:00", "10:00:01"), ["10:00 starts, missed 0"]);
            assert!(hourly(policy, "09:30:00", "09:59:59").is_empty());
        }
    }

    #[test]
    fn ticks_from_before_the_start_are_missed_and_the_policy_decides() {
        assert_eq!(
            hourly(Missed::Skip, "12:30:00", "12:30:00"),
            ["12:00 skipped: 3 ticks passed while Larum was not running, and `missed: skip` leaves them out"]
        );
        assert_eq!(hourly(Missed::RunOnce, "12:30:00", "12:30:00"), ["12:00 starts, missed 3"]);
        assert_eq!(
            hourly(Missed::RunAll, "12:30:00", "12:30:00"),
            ["10:00 starts, missed 1", "11:00 starts, missed 1", "12:00 starts, missed 1"]
        );
    }

    #[test]
    fn a_machine_that_slept_wakes_to_missed_ticks_and_one_on_time() {
        assert_eq!(
            hourly(Missed::RunOnce, "09:30:00", "12:00:02"),
            ["11:00 starts, missed 2", "12:00 starts, missed 0"]
        );
    }

    #[test]
    fn run_all_has_a_bound_and_leaves_the_oldest_out() {
        let schedule = timetable("* * * * * *");
        let (taken, now) = (utc("2026-01-01T00:00:00Z"), utc("2026-11-24T09:00:00Z"));
        let all = due(&schedule, Missed::RunAll, taken, now, now);
        assert_eq!(all.len(), limits::MISSED_TICKS + 1);
        assert!(matches!(all[0].fate, Fate::Skip { .. }));
        assert_eq!(all.last().map(|due| due.tick), Some(now));
        let once = due(&schedule, Missed::RunOnce, taken, now, now);
        assert_eq!(once, [Due { tick: now, fate: Fate::Start { missed: limits::MISSED_TICKS } }]);
    }
}
