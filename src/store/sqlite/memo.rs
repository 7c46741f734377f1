//! What the writer knows without asking the database. It is the only one that writes, so this holds until something is
//! rolled back; then all of it is forgotten.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, params};

use super::codec::{self, At, Id};
use crate::store::{EventId, RunId, StoreError, mailbox::FeedName};

/// Open runs that are remembered; past that all are looked up anew.
const RUNS: usize = 4_096;

/// Row numbers, counters, and the open runs being driven.
#[derive(Debug, Default)]
pub(super) struct Memo {
    pub(super) feeds: HashMap<FeedName, i64>,
    /// The version's row and its playbook's, by the version's hash.
    pub(super) versions: HashMap<String, (i64, i64)>,
    /// The number the next history row takes.
    pub(super) history: Option<i64>,
    /// Playbooks of which every running run is marked as limited.
    pub(super) limited: HashSet<i64>,
    /// Runs that were told something since they last said that they only wait. It holds whatever is rolled back.
    woken: HashSet<RunId>,
    newest: Option<Newest>,
    runs: HashMap<RunId, Going>,
    /// The number of the last incident.
    incident: Option<u64>,
    tallies: HashMap<i64, Tally>,
}

/// A run that is `Running`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Going {
    /// The sequence number its next event takes.
    pub(super) next: u64,
    pub(super) waiting_until: Option<At>,
    /// Whether it may have rows in `timer`.
    pub(super) timers: bool,
}

/// No event and no run has an id above these.
#[derive(Debug, Clone, Copy)]
struct Newest {
    event: EventId,
    run: RunId,
}

/// What became of the reports of a feed in this transaction.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) skipped: u64,
}

impl Memo {
    /// A run has the status `Running`, and is at this point. Whatever changes a run's status, journal or timers without
    /// saying so here must [forget](Self::forget) it.
    pub(super) fn goes(&mut self, run: RunId, going: Going) {
        if self.runs.len() >= RUNS && !self.runs.contains_key(&run) {
            self.runs.clear();
        }
        self.runs.insert(run, going);
    }

    /// Forgets what a rollback made untrue.
    pub(super) fn reset(&mut self) {
        *self = Self { woken: std::mem::take(&mut self.woken), ..Self::default() };
    }

    /// A run was told something.
    pub(super) fn wakes(&mut self, run: RunId) {
        self.woken.insert(run);
    }

    /// Whether a run was told something that it may not have looked at yet.
    pub(super) fn was_woken(&mut self, run: RunId) -> bool {
        self.woken.remove(&run)
    }

    pub(super) fn going(&self, run: RunId) -> Option<Going> {
        self.runs.get(&run).copied()
    }

    pub(super) fn forget(&mut self, run: RunId) -> Option<Going> {
        self.runs.remove(&run)
    }

    /// Whether an event has this id. Most ids are newer than all before, and then nothing needs to be looked up.
    pub(super) fn has_event(&mut self, connection: &Connection, event: EventId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM event WHERE id = ?1";
        Ok(event <= self.newest(connection)?.event && connection.prepare_cached(sql)?.exists([Id(event)])?)
    }

    /// Whether a run has this id.
    pub(super) fn has_run(&mut self, connection: &Connection, run: RunId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM run WHERE id = ?1";
        Ok(run <= self.newest(connection)?.run && connection.prepare_cached(sql)?.exists([Id(run)])?)
    }

    fn newest(&mut self, connection: &Connection) -> Result<Newest, StoreError> {
        if let Some(newest) = self.newest {
            return Ok(newest);
        }
        let last = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<Id>>(0));
        let id = |last: Option<Id>| last.map(|Id(id)| id).unwrap_or_default();
        let newest =
            Newest { event: id(last("SELECT max(id) FROM event")?), run: id(last("SELECT max(id) FROM run")?) };
        self.newest = Some(newest);
        Ok(newest)
    }

    /// An event with this id is inserted.
    pub(super) fn event_inserted(&mut self, event: EventId) {
        if let Some(newest) = &mut self.newest {
            newest.event = newest.event.max(event);
        }
    }

    /// A run with this id is inserted.
    pub(super) fn run_inserted(&mut self, run: RunId) {
        if let Some(newest) = &mut self.newest {
            newest.run = newest.run.max(run);
        }
    }

    /// The number the next incident takes. The counter is for an incident that is deleted: its number goes there first, so
    /// that it is not given again.
    pub(super) fn next_incident(&mut self, connection: &Connection) -> Result<u64, StoreError> {
        if let Some(last) = self.incident {
            return Ok(last + 1);
        }
        let mut last = connection.prepare_cached(
            "SELECT max(value, coalesce((SELECT max(number) FROM incident), 0)) FROM counter WHERE name = 'incident'",
        )?;
        let last = last.query_row([], |row| row.get(0)).map(codec::count)?;
        self.incident = Some(last);
        Ok(last + 1)
    }

    /// The number was given to an incident.
    pub(super) fn incident_made(&mut self, number: u64) {
        self.incident = Some(number);
    }

    /// Counts reports of a feed, which was met at `at` if not before.
    pub(super) fn count(
        &mut self,
        connection: &Connection,
        feed: i64,
        more: Tally,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if !self.tallies.contains_key(&feed) {
            let sql = "UPDATE feed SET met = ?2 WHERE id = ?1 AND met IS NULL";
            connection.prepare_cached(sql)?.execute(params![feed, At(at)])?;
        }
        let tally = self.tallies.entry(feed).or_default();
        tally.accepted += more.accepted;
        tally.duplicates += more.duplicates;
        tally.skipped += more.skipped;
        Ok(())
    }

    /// Writes what was only counted: before the commit, and before anything that may be taken back by itself.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<(), StoreError> {
        for (feed, tally) in self.tallies.drain() {
            connection
                .prepare_cached(
                    "UPDATE feed SET accepted = accepted + ?2, duplicates = duplicates + ?3, skipped = skipped + ?4 \
                     WHERE id = ?1",
                )?
                .execute(params![
                    feed,
                    codec::int(tally.accepted),
                    codec::int(tally.duplicates),
                    codec::int(tally.skipped)
                ])?;
        }
        Ok(())
    }
}
