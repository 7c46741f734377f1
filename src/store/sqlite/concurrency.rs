//! How many runs of a playbook there are at once: which wait, and which of those begin.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{
    codec::{At, Id},
    outside,
    writer::Writing,
};
use crate::{
    playbook::{Concurrency, Overflow},
    store::{RunId, StoreError},
};

/// The index of limited runs covers what this says; SQLite does not see that a condition on the status alone implies it.
const LIMITED: &str = "limited = ?1 AND limited IS NOT NULL AND status IN ('Running', 'Waiting')";

/// What a limit leaves room for while one report is taken in.
pub(super) struct Room {
    limit: Concurrency,
    running: u32,
    waiting: u32,
}

impl Room {
    /// The room there is now.
    pub(super) fn of(writing: &mut Writing<'_>, playbook: i64, limit: Concurrency) -> Result<Self, StoreError> {
        mark(writing, playbook)?;
        let running = count(writing.connection, playbook, "Running")?;
        let waiting = match limit.overflow {
            Overflow::Reject { .. } => count(writing.connection, playbook, "Waiting")?,
            // However many: it makes no difference.
            Overflow::Queue | Overflow::DropOldest { .. } => 0,
        };
        Ok(Self { limit, running, waiting })
    }

    /// Why `runs` further ones cannot be taken.
    pub(super) fn refuses(&self, runs: usize) -> Option<String> {
        let Overflow::Reject { waiting } = self.limit.overflow else { return None };
        let free = self.limit.runs.saturating_sub(self.running) + waiting.saturating_sub(self.waiting);
        // A report that asks for more than there ever is may come in when nothing waits.
        let fits = runs <= free as usize || (runs > 1 && self.waiting == 0 && self.running < self.limit.runs);
        (!fits).then(|| {
            format!("{} of {} runs are under way and {} wait already", self.running, self.limit.runs, self.waiting)
        })
    }

    /// Why none can begin just now, if so.
    pub(super) fn is_full(&self) -> Option<String> {
        let full = self.running >= self.limit.runs;
        full.then(|| format!("{} of {} runs are under way", self.running, self.limit.runs))
    }

    /// Whether the next run has to wait; it counts from now on.
    pub(super) fn take(&mut self) -> bool {
        let waits = self.running >= self.limit.runs;
        *if waits { &mut self.waiting } else { &mut self.running } += 1;
        waits
    }
}

fn count(connection: &Connection, playbook: i64, status: &str) -> Result<u32, StoreError> {
    let sql = format!("SELECT count(*) FROM run WHERE {LIMITED} AND status = ?2");
    Ok(connection.prepare_cached(&sql)?.query_row(params![playbook, status], |row| row.get(0))?)
}

/// Makes runs count that began before their playbook had a limit. Only looked for once: while there is a limit, every new
/// run carries its mark.
fn mark(writing: &mut Writing<'_>, playbook: i64) -> Result<(), StoreError> {
    if writing.memo.limited.contains(&playbook) {
        return Ok(());
    }
    writing
        .connection
        .prepare_cached(
            "UPDATE run SET limited = ?1 WHERE status = 'Running' AND status <> 'Succeeded' AND limited IS NULL \
             AND version IN (SELECT id FROM version WHERE playbook = ?1)",
        )?
        .execute([playbook])?;
    writing.memo.limited.insert(playbook);
    Ok(())
}

/// Lets waiting runs begin, oldest first.
pub(super) fn promote(
    writing: &mut Writing<'_>,
    playbook: &str,
    runs: Option<u32>,
    at: DateTime<Utc>,
) -> Result<Vec<RunId>, StoreError> {
    let mut known = writing.connection.prepare_cached("SELECT id FROM playbook WHERE name = ?1")?;
    let Some(playbook) = known.query_row([playbook], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(Vec::new());
    };
    let room = match runs {
        Some(runs) => {
            mark(writing, playbook)?;
            i64::from(runs.saturating_sub(count(writing.connection, playbook, "Running")?))
        }
        None => {
            // From now on runs begin without the mark.
            writing.memo.limited.remove(&playbook);
            i64::MAX
        }
    };
    let sql = format!(
        "UPDATE run SET status = 'Running', started = ?2 WHERE id IN \
         (SELECT id FROM run WHERE {LIMITED} AND status = 'Waiting' ORDER BY id LIMIT ?3) RETURNING id"
    );
    let mut promoted = writing.connection.prepare_cached(&sql)?;
    let promoted = promoted.query_map(params![playbook, At(at), room], |row| row.get::<_, Id>(0))?;
    let mut promoted: Vec<RunId> = promoted.map(|id| id.map(|Id(run)| run)).collect::<Result<_, _>>()?;
    promoted.sort_unstable();
    Ok(promoted)
}

pub(super) fn waiting_beyond(connection: &Connection, playbook: &str, keep: u32) -> Result<Vec<RunId>, StoreError> {
    let sql = format!(
        "SELECT id FROM run, (SELECT id AS playbook FROM playbook WHERE name = ?1) \
         WHERE {} AND status = 'Waiting' ORDER BY id DESC LIMIT -1 OFFSET ?2",
        LIMITED.replace("?1", "playbook")
    );
    let mut rows = connection.prepare_cached(&sql)?;
    let rows = rows.query_map(params![playbook, keep], |row| row.get::<_, Id>(0))?;
    let mut runs: Vec<RunId> = rows.map(|id| id.map(|Id(run)| run)).collect::<Result<_, _>>()?;
    runs.reverse();
    Ok(runs)
}

/// Ends a run that waits, unless it began meanwhile.
pub(super) fn drop_waiting(
    writing: &mut Writing<'_>,
    run: RunId,
    error: &Value,
    parent: Option<RunId>,
    at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let dropped = writing
        .connection
        .prepare_cached(
            "UPDATE run SET status = 'Cancelled', ended = ?2, error = ?3 WHERE id = ?1 AND status = 'Waiting'",
        )?
        .execute(params![Id(run), At(at), error.to_string()])?;
    if let (1, Some(parent)) = (dropped, parent) {
        outside::wake(writing, parent)?;
    }
    Ok(dropped == 1)
}

pub(super) fn playbooks_waiting(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT name FROM playbook WHERE id IN (SELECT DISTINCT limited FROM run \
         WHERE limited IS NOT NULL AND status IN ('Running', 'Waiting') AND status = 'Waiting') ORDER BY name",
    )?;
    Ok(rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
