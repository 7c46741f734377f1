//! Schedules against a real store and a clock that the test moves.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use larum::{
    action::{self, Services, http::HttpClients},
    clock::ManualClock,
    config::Config,
    engine::{Engine, Library, Live},
    mail::send::Mailer,
    metrics::Metrics,
    playbook::{Bundle, Playbook, Timetable, Trigger, load},
    secret::Vault,
    store::{
        SqliteStore, Store, Version,
        mailbox::{Cursor, Feed, FeedName},
        query::{HistoryOutcome, RunFilter},
    },
    trigger::{intake::Door, schedule},
};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-24T{time}Z").parse().unwrap()
}

/// A data folder and the hour; Larum can be started and stopped on it.
struct World {
    data: TempDir,
    clock: ManualClock,
}

struct Running {
    door: Arc<Door>,
    store: Arc<SqliteStore>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    fn at(time: &str) -> Self {
        Self { data: TempDir::new().unwrap(), clock: ManualClock::at(at(time)) }
    }

    async fn start(&self, cron: &str, missed: &str) -> Running {
        self.follow(&format!("cron: \"{cron}\", missed: {missed}")).await
    }

    /// Starts with a schedule of these keys in Berlin.
    async fn follow(&self, keys: &str) -> Running {
        let store = SqliteStore::open(self.data.path()).unwrap();
        let library = Library::default();
        let services = Arc::new(Services {
            config: Arc::new(Config { data: self.data.path().into(), ..Config::default() }),
            store: store.clone(),
            vault: Vault::ephemeral("schedule"),
            clock: Arc::new(self.clock.clone()),
            metrics: Metrics::default(),
            http: HttpClients::default(),
            mailer: Mailer::default(),
        });
        let engine = Engine::start(services, library.clone(), action::ACTIONS);
        let door = Arc::new(Door { store: store.clone(), engine, library, clock: Arc::new(self.clock.clone()) });
        let shutdown = CancellationToken::new();
        put_in_force(&door, keys).await;
        let task = tokio::spawn(schedule::serve(door.clone(), Metrics::default(), shutdown.clone()));
        Running { door, store, shutdown, task }
    }
}

/// The one playbook of these tests, with a schedule of these keys and this line beside it.
fn report(keys: &str, beside: &str) -> (Bundle, Playbook) {
    let source = format!(
        "name: report\ntrigger:\n  schedule: {{{keys}}}\n  {beside}\n\
         actions:\n  - id: note\n    action: compose\n    with: {{inputs: \"@trigger.scheduledTime\"}}\n"
    );
    let bundle =
        Bundle { path: "report.yaml".into(), source, templates: Default::default(), parameters: Default::default() };
    let playbook = load(&bundle, &action::vocabulary());
    let playbook = playbook.unwrap_or_else(|faults| panic!("{keys}: {}", faults[0]));
    (bundle, playbook)
}

/// Puts it in force, in Berlin; a second line of `keys` stands beside the schedule.
async fn put_in_force(door: &Door, keys: &str) {
    let (keys, beside) = keys.split_once('\n').unwrap_or((keys, ""));
    let (bundle, playbook) = report(&format!("{keys}, time_zone: Europe/Berlin"), beside);
    let version = Version {
        id: bundle.version(),
        playbook: playbook.name.clone(),
        path: bundle.path.clone(),
        bundle: serde_json::to_string(&bundle).unwrap(),
    };
    door.store.keep_version(version.clone(), door.clock.now()).await.unwrap();
    door.library.set(vec![Live { version: version.id, playbook: Arc::new(playbook) }]);
}

fn feed() -> FeedName {
    FeedName { connection: "schedule".into(), folder: "report".into() }
}

impl Running {
    /// What started runs, oldest first, once there are `count`.
    async fn ticks(&self, count: usize) -> Vec<String> {
        let filter = || RunFilter { limit: 100, ..RunFilter::default() };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        let mut runs = self.store.runs(filter()).await.unwrap();
        while runs.len() < count && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
            runs = self.store.runs(filter()).await.unwrap();
        }
        let mut ticks = Vec::new();
        for run in runs.iter().rev() {
            let body = self.store.event(run.event).await.unwrap().unwrap().outputs["body"].clone();
            let time = |name: &str| body[name].as_str().map_or("never", |time| &time[11..16]).to_owned();
            ticks.push(format!(
                "{}, before {}, missed {}",
                time("scheduledTime"),
                time("previousTime"),
                body["missed"]
            ));
        }
        ticks
    }

    /// What the store knows of the schedule, once `fits` says it is what the test waits for.
    async fn feed(&self, fits: impl Fn(&Feed) -> bool) -> Feed {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            match self.store.feed(&feed()).await.unwrap() {
                Some(feed) if fits(&feed) => return feed,
                other => assert!(tokio::time::Instant::now() < deadline, "after 10 s still {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the schedule `cron` counts from `time` on.
    async fn counts_from(&self, cron: &str, time: &str) {
        self.stands_at(at(time), &format!("{cron} Europe/Berlin")).await;
    }

    /// Waits until the schedule of this name has taken its ticks up to `time`.
    async fn stands_at(&self, time: DateTime<Utc>, of: &str) {
        let expected = Some((time, of.to_owned()));
        let cursor = |feed: &Feed| match &feed.cursor {
            Some(Cursor::Tick { at, of, .. }) => Some((*at, of.clone())),
            _ => None,
        };
        self.feed(|feed| cursor(feed) == expected).await;
    }

    /// Why ticks were left out, oldest first.
    async fn skipped(&self) -> Vec<String> {
        let history = self.store.history(Some(&feed()), 100).await.unwrap();
        let because = history.into_iter().rev().filter_map(|entry| match entry.outcome {
            HistoryOutcome::Skipped { because } => Some(because),
            _ => None,
        });
        because.collect()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
        self.door.engine.drain().await;
        self.store.close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_starts_when_it_is_first_seen_and_every_tick_starts_one_run() {
    let world = World::at("08:30:00");
    let larum = world.start("0 * * * *", "run_all").await;
    larum.counts_from("0 * * * *", "08:30:00").await;
    for (hour, count) in [("09:00:00", 1), ("10:00:00", 2), ("11:00:00.7", 3)] {
        world.clock.set(at(hour));
        larum.ticks(count).await;
    }
    assert_eq!(
        larum.ticks(3).await,
        ["09:00, before never, missed 0", "10:00, before 09:00, missed 0", "11:00, before 10:00, missed 0"]
    );
    let run = larum.store.runs(RunFilter { limit: 1, ..RunFilter::default() }).await.unwrap().remove(0);
    let body: Value = larum.store.event(run.event).await.unwrap().unwrap().outputs["body"].clone();
    assert_eq!(body["scheduledTime"], "2026-11-24T11:00:00Z");
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_missed_while_down_are_left_out_run_once_or_run_all() {
    let table: [(&str, &[&str], &[&str]); 3] = [
        (
            "skip",
            &["13:00, before 09:00, missed 0"],
            &["3 ticks passed while Larum was not running, and `missed: skip` leaves them out"],
        ),
        ("run_once", &["12:00, before 09:00, missed 3", "13:00, before 12:00, missed 0"], &[]),
        (
            "run_all",
            &[
                "10:00, before 09:00, missed 1",
                "11:00, before 10:00, missed 1",
                "12:00, before 11:00, missed 1",
                "13:00, before 12:00, missed 0",
            ],
            &[],
        ),
    ];
    for (missed, expected, skipped) in table {
        let world = World::at("08:30:00");
        let larum = world.start("0 * * * *", missed).await;
        larum.counts_from("0 * * * *", "08:30:00").await;
        world.clock.set(at("09:00:00"));
        larum.ticks(1).await;
        larum.stop().await;

        world.clock.set(at("12:30:00"));
        let larum = world.start("0 * * * *", missed).await;
        larum.counts_from("0 * * * *", "12:00:00").await;
        world.clock.set(at("13:00:00"));
        let ticks = larum.ticks(expected.len() + 1).await;
        assert_eq!(&ticks[1..], expected, "missed: {missed}");
        assert_eq!(larum.skipped().await, skipped, "missed: {missed}");
        larum.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_schedule_counts_from_the_edit_on() {
    let world = World::at("08:30:00");
    let larum = world.start("0 * * * *", "run_all").await;
    larum.counts_from("0 * * * *", "08:30:00").await;
    world.clock.set(at("09:00:00"));
    larum.ticks(1).await;
    world.clock.set(at("09:15:00"));
    put_in_force(&larum.door, "cron: \"*/10 * * * *\", missed: run_all").await;
    larum.counts_from("*/10 * * * *", "09:15:00").await;
    world.clock.set(at("09:20:00"));
    assert_eq!(larum.ticks(2).await, ["09:00, before never, missed 0", "09:20, before 09:00, missed 0"]);
    larum.stop().await;

    world.clock.set(at("12:15:00"));
    let larum = world.start("*/20 * * * *", "run_all").await;
    larum.counts_from("*/20 * * * *", "12:15:00").await;
    world.clock.set(at("12:20:00"));
    assert_eq!(
        larum.ticks(3).await,
        ["09:00, before never, missed 0", "09:20, before 09:00, missed 0", "12:20, before 09:20, missed 0"]
    );
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_repeats_no_tick_and_silences_nothing() {
    let world = World::at("08:30:00");
    let larum = world.start("0 * * * *", "run_once").await;
    larum.counts_from("0 * * * *", "08:30:00").await;
    for (hour, count) in [("09:00:00", 1), ("10:00:00", 2)] {
        world.clock.set(at(hour));
        larum.ticks(count).await;
    }
    larum.stop().await;

    world.clock.set(at("08:50:00"));
    let larum = world.start("0 * * * *", "run_once").await;
    larum.counts_from("0 * * * *", "08:50:00").await;
    for (hour, duplicates) in [("09:00:00", 1), ("10:00:00", 2)] {
        world.clock.set(at(hour));
        larum.feed(|feed| feed.duplicates == duplicates).await;
    }
    world.clock.set(at("11:00:00"));
    assert_eq!(
        larum.ticks(3).await,
        ["09:00, before never, missed 0", "10:00, before 09:00, missed 0", "11:00, before 10:00, missed 0"]
    );
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_that_the_conditions_skip_is_covered_by_the_next_run() {
    let world = World::at("08:30:00");
    let condition = "@not(startsWith(trigger.scheduledTime, '2026-11-24T10'))";
    let larum = world.follow(&format!("cron: \"0 * * * *\"\nconditions: [\"{condition}\"]")).await;
    larum.feed(|feed| feed.cursor.is_some()).await;
    world.clock.set(at("09:00:00"));
    larum.ticks(1).await;
    world.clock.set(at("10:00:00"));
    larum.feed(|feed| feed.skipped == 1).await;
    world.clock.set(at("11:00:00"));
    assert_eq!(larum.ticks(2).await, ["09:00, before never, missed 0", "11:00, before 09:00, missed 0"]);
    larum.stop().await;
}

#[derive(Deserialize)]
struct Row {
    zone: String,
    schedule: Value,
    count: usize,
    sha256: String,
    around_changes: Vec<DateTime<Utc>>,
}

fn timetable(schedule: &Value, zone: &str) -> Timetable {
    let keys = schedule.as_object().unwrap().iter().map(|(key, value)| format!("{key}: {value}"));
    let keys = keys.chain([format!("time_zone: {zone}")]).collect::<Vec<_>>().join(", ");
    let (_, playbook) = report(&keys, "");
    let Trigger::Schedule(trigger) = playbook.trigger else { panic!("{keys}") };
    trigger.timetable(DateTime::UNIX_EPOCH).unwrap()
}

/// The table was computed by `tests/data/schedule-ticks.py`, which knows nothing of Larum.
#[test]
fn schedules_fire_as_dateutil_and_zoneinfo_say_through_three_years_of_clock_changes() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("data/schedule-ticks.json")).unwrap();
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let (from, to) = (instant("2026-01-01T00:00:00Z"), instant("2029-01-01T00:00:00Z"));
    for Row { zone, schedule, count, sha256, around_changes } in rows {
        let timetable = timetable(&schedule, &zone);
        let told = format!("{schedule} in {zone}");
        let ticks: Vec<_> =
            timetable.after(from - chrono::Duration::seconds(1)).take_while(|tick| *tick < to).collect();
        let wrong: Vec<_> = around_changes.iter().filter(|tick| !ticks.contains(tick)).collect();
        assert!(wrong.is_empty(), "{told} misses {wrong:?}");
        let text = |tick: &DateTime<Utc>| tick.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let texts: Vec<String> = ticks.iter().map(text).collect();
        assert_eq!((texts.len(), hex::encode(Sha256::digest(texts.join("\n")))), (count, sha256), "{told}");
        let mut back: Vec<_> = timetable.up_to(to - chrono::Duration::seconds(1)).take(count + 1).collect();
        back.retain(|tick| *tick >= from);
        back.reverse();
        assert!(back == ticks, "{told}: backwards");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hundred_days_are_four_hundred_runs() {
    let recurrence = serde_json::json!({"frequency": "day", "start_time": "2026-11-01T02:30:00"});
    let expected: Vec<_> = timetable(&recurrence, "Europe/Berlin").after(at("08:30:00")).take(400).collect();
    let world = World::at("08:30:00");
    let larum = world.follow("frequency: day, start_time: 2026-11-01T02:30:00").await;
    larum.feed(|feed| feed.cursor.is_some()).await;
    for (count, tick) in (1..).zip(&expected) {
        world.clock.set(*tick - chrono::Duration::seconds(1));
        world.clock.set(*tick);
        larum.feed(|feed| feed.accepted == count).await;
    }
    let runs = larum.store.runs(RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap();
    let mut ticks = Vec::new();
    for run in runs.iter().rev() {
        let event = larum.store.event(run.event).await.unwrap().unwrap();
        ticks.push(event.outputs["body"]["scheduledTime"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap());
    }
    assert_eq!(ticks, expected);
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recurrence_without_a_start_fires_at_once_and_keeps_its_beat_over_a_restart() {
    let name = |minutes: u32, since: &str| {
        format!(r#"{{"frequency":"minute","interval":{minutes}}} Europe/Berlin since 2026-11-24T{since}Z"#)
    };
    let world = World::at("08:30:10.4");
    let larum = world.follow("frequency: minute, interval: 20").await;
    assert_eq!(larum.ticks(1).await, ["08:30, before never, missed 0"]);
    larum.stands_at(at("08:30:10"), &name(20, "08:30:10")).await;
    world.clock.set(at("08:50:10"));
    larum.ticks(2).await;
    larum.stop().await;

    world.clock.set(at("09:05:00"));
    let larum = world.follow("frequency: minute, interval: 20").await;
    larum.feed(|feed| feed.accepted == 2).await;
    world.clock.set(at("09:10:10"));
    assert_eq!(
        larum.ticks(3).await,
        ["08:30, before never, missed 0", "08:50, before 08:30, missed 0", "09:10, before 08:50, missed 0"]
    );
    // Another recurrence is a new one: it fires at once, and counts from there.
    world.clock.set(at("09:20:00"));
    put_in_force(&larum.door, "frequency: minute, interval: 30").await;
    assert_eq!(larum.ticks(4).await[3], "09:20, before 09:10, missed 0");
    larum.stands_at(at("09:20:00"), &name(30, "09:20:00")).await;
    world.clock.set(at("09:50:00"));
    assert_eq!(larum.ticks(5).await[4], "09:50, before 09:20, missed 0");
    larum.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_before_the_schedule_was_first_seen_start_nothing_and_missed_ones_follow_the_policy() {
    let world = World::at("08:30:00");
    let keys = "frequency: hour, start_time: 2026-11-24T00:15:00, missed: run_all";
    let larum = world.follow(keys).await;
    larum.feed(|feed| feed.cursor.is_some()).await;
    world.clock.set(at("09:15:00"));
    assert_eq!(larum.ticks(1).await, ["09:15, before never, missed 0"]);
    larum.stop().await;
    world.clock.set(at("11:30:00"));
    let larum = world.follow(keys).await;
    assert_eq!(
        larum.ticks(3).await[1..],
        ["10:15, before 09:15, missed 1".to_owned(), "11:15, before 10:15, missed 1".to_owned()]
    );
    larum.stop().await;
}
