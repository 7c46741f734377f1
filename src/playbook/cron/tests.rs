use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

#[derive(Deserialize)]
struct Row {
    zone: String,
    cron: String,
    after: DateTime<Utc>,
    why: String,
    ticks: Vec<DateTime<Utc>>,
}

/// `tests/data/cron-ticks.json` was computed without Larum: every UTC minute looked at with Python's zoneinfo.
#[test]
fn ticks_are_those_that_zoneinfo_finds() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../../tests/data/cron-ticks.json")).expect("rows");
    for row in rows {
        let schedule = Schedule::parse(&row.cron).expect("a schedule");
        let zone: Tz = row.zone.parse().expect("a zone");
        let ticks: Vec<_> = schedule.after(row.after, zone).take(row.ticks.len()).collect();
        assert_eq!(ticks, row.ticks, "{} in {}: {}", row.cron, row.zone, row.why);

        let last = *ticks.last().expect("a tick");
        let mut back: Vec<_> =
            schedule.up_to(last, zone).take_while(|tick| *tick > row.after).take(ticks.len() + 1).collect();
        back.reverse();
        assert_eq!(back, row.ticks, "backwards, {} in {}: {}", row.cron, row.zone, row.why);
    }
}

#[test]
fn six_fields_put_seconds_first() {
    let schedule = Schedule::parse("*/20 30 9 * * MON-FRI").expect("a schedule");
    let ticks: Vec<_> = schedule.after(utc("2026-11-20T09:30:20Z"), Tz::UTC).take(3).collect();
    assert_eq!(ticks, ["2026-11-20T09:30:40Z", "2026-11-23T09:30:00Z", "2026-11-23T09:30:20Z"].map(utc));
}

#[test]
fn the_tick_asked_from_is_not_repeated_and_fractions_of_a_second_count() {
    let schedule = Schedule::parse("0 9 * * *").expect("a schedule");
    let next = |from: &str| schedule.after(utc(from), Tz::UTC).next().expect("a tick");
    assert_eq!(next("2026-11-20T09:00:00Z"), utc("2026-11-21T09:00:00Z"));
    assert_eq!(next("2026-11-20T08:59:59.9Z"), utc("2026-11-20T09:00:00Z"));
    let latest = |to: &str| schedule.up_to(utc(to), Tz::UTC).next().expect("a tick");
    assert_eq!(latest("2026-11-20T09:00:00Z"), utc("2026-11-20T09:00:00Z"));
    assert_eq!(latest("2026-11-20T08:59:59.9Z"), utc("2026-11-19T09:00:00Z"));
}

#[test]
fn what_is_no_schedule_is_refused_with_its_place_and_a_help() {
    let faults: Vec<String> = [
        "",
        "* * * *",
        "0 0 0 1 1 * 2027",
        "@daily",
        "60 * * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 * * FUN",
        "0 0 * JANUARY *",
        "0 0 ? * MON",
        "0 0 L * *",
        "0 0 * * MON#2",
        "0,,5 * * * *",
        "5- * * * *",
        "-5 * * * *",
        "*/0 * * * *",
        "*/60 * * * *",
        "*/x * * * *",
        "0 17-9 * * *",
        "0 0 * * FRI-MON",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "99999999999 * * * *",
        "0 ü * * *",
    ]
    .iter()
    .map(|expression| {
        let error = Schedule::parse(expression).expect_err(expression);
        format!(
            "{expression}\n{}{} {}; {}",
            " ".repeat(expression[..error.range.start].chars().count()),
            "^".repeat(expression.get(error.range.clone()).map_or(0, |text| text.chars().count()).max(1)),
            error.message,
            error.help.unwrap_or_default()
        )
    })
    .collect();
    insta::assert_snapshot!(faults.join("\n\n"));
}

/// A field of the oracle: what is written, and what it stands for.
fn field(first: u32, last: u32) -> impl Strategy<Value = (String, BTreeSet<u32>)> {
    let all = move || (first..=last).collect::<BTreeSet<_>>();
    let range = (first..=last).prop_flat_map(move |from| (Just(from), from..=last));
    prop_oneof![
        3 => Just(("*".to_owned(), all())),
        1 => (1..=last - first).prop_map(move |step| {
            (format!("*/{step}"), (first..=last).step_by(step as usize).collect())
        }),
        3 => prop::collection::btree_set(first..=last, 1..4).prop_map(|values| {
            (values.iter().map(u32::to_string).collect::<Vec<_>>().join(","), values)
        }),
        2 => range.prop_map(|(from, to)| (format!("{from}-{to}"), (from..=to).collect())),
    ]
}

fn zone() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Tz::UTC,
        Tz::Europe__Berlin,
        Tz::America__New_York,
        Tz::Australia__Lord_Howe,
        Tz::Asia__Kathmandu,
        Tz::America__Sao_Paulo,
        Tz::Pacific__Apia,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The oracle looks at every minute of four days around a change of the clocks, one after the other.
    #[test]
    fn ticks_are_those_a_patient_reader_of_every_minute_finds(
        (minute, minutes) in field(0, 59),
        (hour, hours) in field(0, 23),
        (day, days) in field(1, 31),
        (month, months) in field(1, 12),
        (weekday, weekdays) in field(0, 6),
        zone in zone(),
        start in prop::sample::select(vec![
            "2026-03-27T12:00:00Z", "2026-10-23T12:00:00Z", "2026-03-06T12:00:00Z", "2026-10-30T12:00:00Z",
            "2026-10-02T12:00:00Z", "2026-04-03T12:00:00Z", "2018-11-02T12:00:00Z", "2011-12-28T12:00:00Z",
            "2026-12-30T00:00:00Z", "2028-02-27T00:00:00Z",
        ]),
        offset in 0i64..1440,
    ) {
        let Ok(schedule) = Schedule::parse(&format!("{minute} {hour} {day} {month} {weekday}")) else {
            return Ok(());
        };
        let start = utc(start) + TimeDelta::minutes(offset);
        let end = start + TimeDelta::days(4);
        let either = !day.starts_with('*') && !weekday.starts_with('*');
        let fits = |local: NaiveDateTime| {
            use chrono::Datelike;
            let on_day = days.contains(&local.day());
            let on_weekday = weekdays.contains(&local.weekday().num_days_from_sunday());
            minutes.contains(&local.minute()) && hours.contains(&local.hour()) && months.contains(&local.month())
                && if either { on_day || on_weekday } else { on_day && on_weekday }
        };

        let mut expected = Vec::new();
        // Minutes that were shown from a day before on, so that a second showing is known as one.
        let mut shown = BTreeSet::new();
        let mut now = start - TimeDelta::days(1);
        let mut last = now.with_timezone(&zone).naive_local();
        while now < end {
            now += TimeDelta::minutes(1);
            let local = now.with_timezone(&zone).naive_local();
            let mut fires = shown.insert(local) && fits(local);
            let mut skipped = last + TimeDelta::minutes(1);
            while skipped < local {
                fires |= fits(skipped);
                skipped += TimeDelta::minutes(1);
            }
            last = local;
            if fires && now > start && now <= end {
                expected.push(now);
            }
        }

        let found: Vec<_> = schedule.after(start, zone).take_while(|tick| *tick <= end).collect();
        prop_assert_eq!(&found, &expected);
        let mut back: Vec<_> = schedule.up_to(end, zone).take_while(|tick| *tick > start).collect();
        back.reverse();
        prop_assert_eq!(&back, &expected);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[*0-9A-Z,/?ü -]{0,24}") {
        if let Err(error) = Schedule::parse(&text) {
            prop_assert!(error.range.start <= text.len());
        }
    }
}
