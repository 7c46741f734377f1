use proptest::prelude::*;

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn every(interval: u32, frequency: Frequency, start: &str) -> Recurrence {
    let start_time = start.parse().map(Moment::Local).ok();
    Recurrence { frequency, interval, start_time, end_time: None, schedule: Slots::default() }
}

fn ticks(recurrence: &Recurrence, zone: Tz, after: &str, count: usize) -> Vec<String> {
    let series = recurrence.series(zone, utc("2026-11-24T08:30:17.5Z"));
    series.after(utc(after)).take(count).map(|tick| tick.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)).collect()
}

#[test]
fn without_a_start_the_first_tick_is_now_and_the_schedule_follows() {
    let hours = Slots { hours: vec![8, 17], minutes: vec![0], ..Slots::default() };
    let recurrence = Recurrence { schedule: hours, ..every(1, Frequency::Day, "") };
    assert_eq!(
        ticks(&recurrence, Tz::UTC, "2026-11-24T08:30:16Z", 3),
        ["2026-11-24T08:30:17Z", "2026-11-24T17:00:00Z", "2026-11-25T08:00:00Z"]
    );
    assert_eq!(
        ticks(&every(36, Frequency::Hour, ""), Tz::Europe__Berlin, "2026-11-24T08:30:17Z", 2),
        ["2026-11-25T20:30:17Z", "2026-11-27T08:30:17Z"]
    );
}

#[test]
fn hours_without_minutes_take_the_minute_of_the_start_and_minutes_without_hours_its_hour() {
    let recurrence = |schedule| Recurrence { schedule, ..every(1, Frequency::Day, "2026-11-02T08:20:00") };
    let hours = recurrence(Slots { hours: vec![9], ..Slots::default() });
    assert_eq!(ticks(&hours, Tz::UTC, "2026-11-02T00:00:00Z", 1), ["2026-11-02T09:20:00Z"]);
    let minutes = recurrence(Slots { minutes: vec![5, 40], ..Slots::default() });
    assert_eq!(ticks(&minutes, Tz::UTC, "2026-11-02T00:00:00Z", 2), ["2026-11-02T08:40:00Z", "2026-11-03T08:05:00Z"]);
}

#[test]
fn weeks_are_counted_from_the_monday_of_the_start() {
    let schedule = Slots { week_days: vec![Weekday::Mon, Weekday::Fri], ..Slots::default() };
    // A Wednesday.
    let recurrence = Recurrence { schedule, ..every(2, Frequency::Week, "2026-11-04T09:00:00") };
    assert_eq!(
        ticks(&recurrence, Tz::UTC, "2026-11-01T00:00:00Z", 3),
        ["2026-11-06T09:00:00Z", "2026-11-16T09:00:00Z", "2026-11-20T09:00:00Z"]
    );
}

#[test]
fn a_month_without_the_day_of_the_start_fires_on_its_last_and_one_without_a_wanted_day_not_at_all() {
    assert_eq!(
        ticks(&every(1, Frequency::Month, "2026-01-31T09:00:00"), Tz::UTC, "2026-01-31T09:00:00Z", 3),
        ["2026-02-28T09:00:00Z", "2026-03-31T09:00:00Z", "2026-04-30T09:00:00Z"]
    );
    let schedule = Slots { month_days: vec![31], ..Slots::default() };
    let recurrence = Recurrence { schedule, ..every(1, Frequency::Month, "2026-01-01T09:00:00") };
    assert_eq!(ticks(&recurrence, Tz::UTC, "2026-01-31T09:00:00Z", 1), ["2026-03-31T09:00:00Z"]);
}

#[test]
fn nothing_fires_after_the_end_and_what_never_fires_comes_to_an_end() {
    let ending = Recurrence {
        end_time: Some(Moment::Instant(utc("2026-11-03T09:00:00Z"))),
        ..every(1, Frequency::Day, "2026-11-02T09:00:00")
    };
    assert_eq!(ticks(&ending, Tz::UTC, "2026-01-01T00:00:00Z", 9), ["2026-11-02T09:00:00Z", "2026-11-03T09:00:00Z"]);
    let schedule = Slots { month_days: vec![30], ..Slots::default() };
    let never = Recurrence { schedule, ..every(12, Frequency::Month, "2026-02-01T09:00:00") };
    assert!(ticks(&never, Tz::UTC, "2026-01-01T00:00:00Z", 1).is_empty());
}

fn recurrences() -> impl Strategy<Value = Recurrence> {
    let frequency = prop::sample::select(vec![
        Frequency::Minute,
        Frequency::Hour,
        Frequency::Day,
        Frequency::Week,
        Frequency::Month,
    ]);
    let slots = (prop::collection::btree_set(0u32..24, 0..3), prop::collection::btree_set(0u32..60, 0..3));
    (frequency, 1u32..16, 0i64..40_000_000, slots, any::<bool>()).prop_map(
        |(frequency, interval, start, (hours, minutes), has_start)| {
            let start = DateTime::UNIX_EPOCH.naive_utc() + TimeDelta::seconds(1_767_000_000 + start);
            let calendar = matches!(frequency, Frequency::Day | Frequency::Week | Frequency::Month);
            let slots = Slots {
                hours: hours.into_iter().collect(),
                minutes: minutes.into_iter().collect(),
                ..Slots::default()
            };
            Recurrence {
                frequency,
                interval,
                start_time: has_start.then_some(Moment::Local(start)),
                end_time: None,
                schedule: if calendar { slots } else { Slots::default() },
            }
        },
    )
}

proptest! {
    /// Forwards and backwards give the same ticks, from wherever one looks.
    #[test]
    fn what_fires_after_is_what_fired_up_to(recurrence in recurrences(), from in 0i64..60_000_000, zone in 0usize..3) {
        let zone = [Tz::Europe__Berlin, Tz::America__New_York, Tz::Australia__Lord_Howe][zone];
        let instant = |seconds| DateTime::from_timestamp(1_767_000_000 + seconds, 0).expect("an instant");
        let series = recurrence.series(zone, instant(1_000_000));
        let forwards: Vec<_> = series.after(instant(from)).take(20).collect();
        prop_assert!(forwards.is_sorted_by(|a, b| a < b));
        let last = *forwards.last().expect("it goes on");
        let mut backwards: Vec<_> = series.up_to(last).take_while(|tick| *tick > instant(from)).collect();
        backwards.reverse();
        prop_assert_eq!(&backwards, &forwards);
    }
}
