//! The clock starts runs: every tick of a schedule goes through the intake door, once.

mod due;

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::due::{Due, Fate};
use super::intake::{Arrival, Door};
use crate::{
    engine::Live,
    limits,
    metrics::{IntakeLabels, Metrics},
    playbook::{ScheduleTrigger, Timetable, Trigger},
    store::{
        StoreError,
        intake::{Decision, Intake, Listening, Report, Uniqueness, Verdict},
        mailbox::{Cursor, FeedName, FeedNews},
    },
};

/// Starts a run for every tick of every playbook in force that has a schedule, until `shutdown`.
///
/// An edited, new or removed schedule takes effect at once, from that instant on. While the store cannot be written,
/// ticks wait in memory and are tried again; when Larum stops meanwhile, the next start finds them missed.
pub async fn serve(door: Arc<Door>, metrics: Metrics, shutdown: CancellationToken) {
    let mut library = door.library.watch();
    let mut watched = BTreeMap::new();
    let mut trouble = false;
    loop {
        let live = library.borrow_and_update().clone();
        let until = match round(&door, &metrics, &live, &mut watched).await {
            Ok(next) => {
                if std::mem::take(&mut trouble) {
                    tracing::info!("schedules: the store can be written again");
                }
                next
            }
            Err(error) => {
                if !std::mem::replace(&mut trouble, true) {
                    tracing::error!(%error, "schedules: ticks cannot be taken; they wait and are tried again");
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(limits::STORE_RETRY) => continue,
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            changed = library.changed() => if changed.is_err() { return },
            () = async {
                match until {
                    Some(until) => door.clock.sleep_until(until).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}

/// A playbook whose schedule is followed.
struct Watched {
    live: Live,
    trigger: ScheduleTrigger,
    timetable: Timetable,
    /// How the cursor names the schedule.
    of: String,
    /// Ticks up to here are taken.
    at: DateTime<Utc>,
    /// The last tick that started a run.
    last: Option<DateTime<Utc>>,
    /// Since when this process follows it: earlier ticks passed while Larum was not running.
    since: DateTime<Utc>,
    /// What was decided and is not committed yet.
    pending: Vec<Due>,
}

/// Looks after every schedule once: takes what is due, and says when the next tick comes.
async fn round(
    door: &Door,
    metrics: &Metrics,
    live: &[Live],
    watched: &mut BTreeMap<String, Watched>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    watched.retain(|name, _| live.iter().any(|live| live.playbook.name == *name));
    let mut next: Option<DateTime<Utc>> = None;
    for live in live {
        let Trigger::Schedule(trigger) = &live.playbook.trigger else {
            watched.remove(&live.playbook.name);
            continue;
        };
        let name = &live.playbook.name;
        if let Some(known) = watched.get_mut(name).filter(|known| of(&known.trigger) == of(trigger)) {
            known.live = live.clone();
            known.trigger.missed = trigger.missed;
        } else {
            let Some(fresh) = Watched::meet(door, live, trigger).await? else { continue };
            watched.insert(name.clone(), fresh);
        }
        let Some(known) = watched.get_mut(name) else { continue };
        known.take_due(door, metrics).await?;
        next = next.into_iter().chain(known.timetable.after(known.at).next()).min();
    }
    Ok(next)
}

/// A schedule as text: another text is another schedule.
fn of(trigger: &ScheduleTrigger) -> String {
    format!("{} {}", trigger.timing.name(), trigger.time_zone)
}

/// Stands between a schedule and the instant it was first followed at, in a cursor.
const SINCE: &str = " since ";

/// How a cursor names a schedule that was first followed at `enabled`.
fn named(trigger: &ScheduleTrigger, enabled: DateTime<Utc>) -> String {
    let of = of(trigger);
    if trigger.counts_from_enabling() { format!("{of}{SINCE}{}", stamp(enabled)) } else { of }
}

/// When `trigger` was first followed, by the name a cursor has of it; `None` when the cursor is another schedule's.
#[must_use]
pub fn enabled(trigger: &ScheduleTrigger, named: &str) -> Option<DateTime<Utc>> {
    let since = named.strip_prefix(&of(trigger))?;
    if trigger.counts_from_enabling() {
        since.strip_prefix(SINCE)?.parse().ok()
    } else {
        since.is_empty().then_some(DateTime::UNIX_EPOCH)
    }
}

/// What the store knows a playbook's schedule by.
#[must_use]
pub fn feed(playbook: &str) -> FeedName {
    FeedName { connection: "schedule".into(), folder: playbook.into() }
}

impl Watched {
    /// Takes up a schedule where the store says it was left; a schedule never seen before, or edited since, starts now.
    async fn meet(door: &Door, live: &Live, trigger: &ScheduleTrigger) -> Result<Option<Self>, StoreError> {
        let name = &live.playbook.name;
        let now = door.clock.now();
        let feed = feed(name);
        let known = door.store.feed(&feed).await?;
        let is_new = known.is_none();
        let cursor = known.and_then(|known| known.cursor);
        let (taken, last) = match &cursor {
            Some(Cursor::Tick { at, last, of }) => (enabled(trigger, of).map(|enabled| (enabled, *at)), *last),
            Some(Cursor::Imap { .. }) | None => (None, None),
        };
        let last = last.filter(|last| *last <= now);
        // A cursor in the future was written under a wrong clock; waiting for it would silence the schedule.
        let (enabled, at, since) = match taken {
            Some((enabled, at)) => (enabled.min(now), at.min(now), now),
            // The first tick of a recurrence without a start is this very second, and on time.
            None if trigger.counts_from_enabling() => (now, now - TimeDelta::seconds(1), now - TimeDelta::seconds(1)),
            None => (now, now, now),
        };
        let timetable = match trigger.timetable(enabled) {
            Ok(timetable) => timetable,
            Err(error) => {
                // The checker lets none through; a stored version of an older Larum might hold one.
                tracing::error!(playbook = name, %error, "the schedule cannot be followed; edit the playbook");
                return Ok(None);
            }
        };
        let of = named(trigger, enabled);
        let fresh = Cursor::Tick { at, last, of: of.clone() };
        if is_new {
            door.store.note_feed(&feed, FeedNews::Met { start: Some(now), cursor: Some(fresh), at: now }).await?;
        } else if cursor.as_ref() != Some(&fresh) {
            door.store.note_feed(&feed, FeedNews::Renumbered { cursor: fresh, at: now }).await?;
        }
        let (live, trigger) = (live.clone(), trigger.clone());
        Ok(Some(Self { live, trigger, timetable, of, at, last, since, pending: Vec::new() }))
    }

    /// Takes every tick that is due through the door.
    async fn take_due(&mut self, door: &Door, metrics: &Metrics) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            let now = door.clock.now();
            // A clock set back must not silence the schedule until the old time is reached; keys keep ticks single.
            self.at = self.at.min(now);
            self.since = self.since.min(now);
            self.pending = due::due(&self.timetable, self.trigger.missed, self.at, self.since, now);
        }
        while !self.pending.is_empty() {
            let batch = &self.pending[..self.pending.len().min(limits::INTAKE_BATCH)];
            let count = batch.len();
            let (mut at, mut last) = (self.at, self.last);
            let mut reports = Vec::with_capacity(count);
            for due in batch {
                let report = self.report(door, due, last)?;
                at = due.tick;
                // A tick that the playbook's conditions skip is none that a run stands for.
                if report.playbooks.iter().any(|listening| listening.runs().next().is_some()) {
                    last = Some(due.tick);
                }
                reports.push(report);
            }
            let verdicts = door
                .take(Intake {
                    feed: feed(&self.live.playbook.name),
                    reports,
                    cursor: Some(Cursor::Tick { at, last, of: self.of.clone() }),
                    at: door.clock.now(),
                })
                .await?;
            for (due, verdict) in self.pending.drain(..count).zip(verdicts) {
                say(&self.live.playbook.name, &due, &verdict);
                let verdict = match verdict {
                    Verdict::Accepted { runs, .. } if !runs.is_empty() => "accepted",
                    Verdict::Accepted { .. } | Verdict::Skipped { .. } | Verdict::Busy { .. } => "skipped",
                    Verdict::Duplicate { .. } => "duplicate",
                };
                metrics.intake.get_or_create(&IntakeLabels { trigger: "schedule", verdict }).inc();
            }
            (self.at, self.last) = (at, last);
        }
        Ok(())
    }

    fn report(&self, door: &Door, due: &Due, previous: Option<DateTime<Utc>>) -> Result<Report, StoreError> {
        let playbook = &self.live.playbook.name;
        let missed = if let Fate::Start { missed } = &due.fate { *missed } else { 0 };
        let outputs = json!({"body": {
            "scheduledTime": stamp(due.tick),
            "previousTime": previous.map(stamp),
            "missed": missed,
        }});
        let outputs: Arc<str> = Arc::from(outputs.to_string());
        let event = Uuid::now_v7();
        let listening = match &due.fate {
            Fate::Start { .. } => {
                let at = door.clock.now();
                door.start(&self.live, &Arrival { kind: "schedule", event, outputs: &outputs, at })?
            }
            Fate::Skip { because } => {
                let decision = Decision::Skip { because: because.clone() };
                Listening { playbook: playbook.clone(), decision }
            }
        };
        Ok(Report {
            event,
            kind: "schedule",
            uniqueness: Uniqueness::Key(format!("{playbook}@{}", stamp(due.tick))),
            summary: format!("tick of {}", stamp(due.tick)),
            outputs,
            raw: None,
            playbooks: vec![listening],
            mail_tasks: Vec::new(),
            skipped: None,
        })
    }
}

/// An instant as playbooks see it, to the second.
fn stamp(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// One line for each tick taken.
fn say(playbook: &str, due: &Due, verdict: &Verdict) {
    let tick = stamp(due.tick);
    match (verdict, &due.fate) {
        (Verdict::Accepted { runs, .. }, Fate::Start { missed }) => {
            let run = runs.first().map(|started| started.run.to_string());
            tracing::info!(playbook, %tick, missed, run, "tick taken");
        }
        (Verdict::Accepted { .. } | Verdict::Skipped { .. } | Verdict::Busy { .. }, Fate::Skip { because }) => {
            tracing::info!(playbook, %tick, because, "tick skipped");
        }
        (Verdict::Skipped { because } | Verdict::Busy { because }, Fate::Start { .. }) => {
            tracing::info!(playbook, %tick, because, "tick skipped");
        }
        (Verdict::Duplicate { run, .. }, _) => {
            let run = run.map(|run| run.to_string());
            tracing::info!(playbook, %tick, run, "tick was taken before");
        }
    }
}
