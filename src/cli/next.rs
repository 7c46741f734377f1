//! `larum next`: when a playbook's schedule starts it.

use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::json;

use super::{
    ConfigArgs, Exit, Output, data,
    playbook::{FindError, find},
};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    playbook::{ScheduleTrigger, Timing, Trigger, cron},
    store::{SqliteStore, Store, mailbox::Cursor},
    trigger::schedule,
};

/// Prints when a playbook's schedule will start it, in the schedule's time zone and in UTC.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A playbook's file, or the name of one in the configured folders.
    playbook: String,
    /// How many ticks to print.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    number: u16,
    /// Only ticks after this instant, `2026-03-29T00:30:00Z`, or after this time in the schedule's zone,
    /// `2026-03-29T01:30` or `2026-03-29`. Default: now.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    /// How the ticks are printed.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Why there are no ticks to print.
#[derive(Debug, thiserror::Error)]
enum NextError {
    #[error(transparent)]
    Playbook(#[from] FindError),
    #[error("{playbook} is started by a {kind} trigger; only a schedule has ticks")]
    NoSchedule { playbook: String, kind: &'static str },
    #[error("the schedule cannot be followed: {0}")]
    Cron(cron::CronError),
    #[error(
        "`{0}` is no time; write an instant such as 2026-03-29T00:30:00Z, or a local time such as 2026-03-29T01:30"
    )]
    NoTime(String),
}

/// Prints the coming ticks.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let coming = match coming(args, &config, SystemClock.now()) {
        Ok(coming) => coming,
        Err(error) => {
            eprintln!("larum next: {error}");
            return Exit::InputAtFault;
        }
    };
    let out = &mut io::stdout().lock();
    let printed = match args.output {
        Output::Text => coming.text(out),
        Output::Json => coming.json(out),
    };
    if printed.is_ok() { Exit::Done } else { Exit::WorldFailed }
}

/// A schedule's next ticks.
struct Coming {
    playbook: String,
    schedule: ScheduleTrigger,
    ticks: Vec<DateTime<Utc>>,
}

fn coming(args: &Args, config: &Config, now: DateTime<Utc>) -> Result<Coming, NextError> {
    let playbook = find(&args.playbook, config)?;
    let Trigger::Schedule(trigger) = playbook.trigger else {
        return Err(NextError::NoSchedule { playbook: playbook.name, kind: playbook.trigger.kind() });
    };
    let from = match &args.from {
        Some(text) => instant(text, trigger.time_zone).ok_or_else(|| NextError::NoTime(text.clone()))?,
        None => now,
    };
    let enabled = if trigger.counts_from_enabling() { enabled(&playbook.name, &trigger, config) } else { None };
    let timetable = trigger.timetable(enabled.unwrap_or(from)).map_err(NextError::Cron)?;
    let ticks = timetable.after(from).take(args.number.into()).collect();
    Ok(Coming { playbook: playbook.name, schedule: trigger, ticks })
}

/// Since when the data folder has a schedule; `None` when it has none, or there is no data folder yet.
fn enabled(playbook: &str, trigger: &ScheduleTrigger, config: &Config) -> Option<DateTime<Utc>> {
    let store = SqliteStore::open_read_only(&config.data).ok()?;
    let feed = data::block_on(async { Ok(store.feed(&schedule::feed(playbook)).await?) }).ok()??;
    match feed.cursor? {
        Cursor::Tick { of, .. } => schedule::enabled(trigger, &of),
        Cursor::Imap { .. } => None,
    }
}

/// An instant, or a local time of `zone`; one that comes twice means the first.
fn instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.to_utc());
    }
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN)))?;
    zone.from_local_datetime(&local).earliest().map(|instant| instant.to_utc())
}

impl Coming {
    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        for tick in &self.ticks {
            let local = tick.with_timezone(&self.schedule.time_zone).format("%a %Y-%m-%d %H:%M:%S %Z");
            writeln!(out, "{local:<30} {}", utc(*tick))?;
        }
        Ok(())
    }

    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let local = |tick: &DateTime<Utc>| {
            tick.with_timezone(&self.schedule.time_zone).to_rfc3339_opts(SecondsFormat::Secs, true)
        };
        let ticks: Vec<_> = self.ticks.iter().map(|tick| json!({"local": local(tick), "utc": utc(*tick)})).collect();
        let (kind, timing) = match &self.schedule.timing {
            Timing::Cron(cron) => ("cron", json!(cron)),
            Timing::Recurrence(recurrence) => ("recurrence", json!(recurrence)),
        };
        let coming = json!({
            "playbook": self.playbook,
            kind: timing,
            "timeZone": self.schedule.time_zone.name(),
            "ticks": ticks,
        });
        serde_json::to_writer_pretty(&mut *out, &coming)?;
        writeln!(out)
    }
}

fn utc(tick: DateTime<Utc>) -> String {
    tick.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// A folder with one scheduled playbook and one with another trigger, and the output of `next` there.
    fn next(arguments: &[&str]) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, trigger: &str| {
            let text = format!(
                "name: {name}\ntrigger:\n  {trigger}\nactions:\n  - {{id: note, action: compose, with: {{inputs: 1}}}}\n"
            );
            std::fs::write(folder.path().join(format!("{name}.yaml")), text).expect("a file");
        };
        write("nightly", "schedule: {cron: \"30 2 * * *\", time_zone: Europe/Berlin}");
        write("by-hand", "manual: {}");
        write(
            "review",
            "schedule: {frequency: month, start_time: 2026-01-01T09:00:00, time_zone: W. Europe Standard Time, schedule: {monthly_occurrences: [{day: Friday, occurrence: -1}]}}",
        );
        write("pulse", "schedule: {frequency: hour, interval: 6}");
        let data = folder.path().join("larum-data");
        let config = Config { playbooks: vec![folder.path().to_owned()], data, ..Config::default() };
        let args = Line::try_parse_from([&["next"], arguments].concat()).expect("arguments").args;
        let now = "2026-11-24T09:00:00Z".parse().expect("an instant");
        let mut out = Vec::new();
        match coming(&args, &config, now) {
            Ok(coming) if args.output == Output::Json => coming.json(&mut out).expect("written"),
            Ok(coming) => coming.text(&mut out).expect("written"),
            Err(error) => out = error.to_string().into_bytes(),
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn ticks_are_shown_in_the_schedules_zone_and_in_utc() {
        assert_eq!(
            next(&["Nightly", "-n", "2"]),
            "Wed 2026-11-25 02:30:00 CET    2026-11-25T01:30:00Z\nThu 2026-11-26 02:30:00 CET    2026-11-26T01:30:00Z\n"
        );
        let spring = "Sat 2026-03-28 02:30:00 CET    2026-03-28T01:30:00Z\n\
                      Sun 2026-03-29 03:00:00 CEST   2026-03-29T01:00:00Z\n\
                      Mon 2026-03-30 02:30:00 CEST   2026-03-30T00:30:00Z\n";
        for from in ["2026-03-28", "2026-03-28T02:29", "2026-03-28 02:29", "2026-03-28T01:29:59Z"] {
            assert_eq!(next(&["nightly", "-n", "3", "--from", from]), spring);
        }
        assert_eq!(next(&["nightly"]).lines().count(), 10);
    }

    #[test]
    fn ticks_are_data() {
        insta::assert_snapshot!(next(&["nightly", "-n", "2", "--from", "2026-10-25", "--output", "json"]));
    }

    #[test]
    fn a_recurrence_has_ticks_too_and_one_without_a_start_is_counted_from_now() {
        assert_eq!(
            next(&["review", "-n", "2"]),
            "Fri 2026-11-27 09:00:00 CET    2026-11-27T08:00:00Z\nFri 2026-12-25 09:00:00 CET    2026-12-25T08:00:00Z\n"
        );
        assert_eq!(
            next(&["pulse", "-n", "2"]),
            "Tue 2026-11-24 15:00:00 UTC    2026-11-24T15:00:00Z\nTue 2026-11-24 21:00:00 UTC    2026-11-24T21:00:00Z\n"
        );
        insta::assert_snapshot!(next(&["review", "-n", "1", "--output", "json"]));
    }

    #[test]
    fn what_has_no_ticks_is_said() {
        assert_eq!(next(&["by-hand"]), "by-hand is started by a manual trigger; only a schedule has ticks");
        assert_eq!(next(&["nightlie"]), "no playbook is called nightlie; did you mean nightly?");
        assert_eq!(
            next(&["nightly", "--from", "soon"]),
            "`soon` is no time; write an instant such as 2026-03-29T00:30:00Z, or a local time such as 2026-03-29T01:30"
        );
    }
}
