//! Merging: several incidents turn out to be one.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{
    super::codec::{self, Name, Named},
    plan::{self, Plan, Stop, invalid},
    relations, tasks,
};
use crate::{
    incident::{
        ActivityKind, Classification, Draft, Incident, IncidentRef, Precondition, Rejected, RelatedKind, Relation,
        ResourceName, Status, Summary, Written,
    },
    limits,
    store::StoreError,
};

/// Moves everything of `from` into `into`, and closes `from`.
pub(super) fn merge(
    connection: &Connection,
    plan: &mut Plan<'_>,
    into: &IncidentRef,
    from: &[IncidentRef],
    precondition: &Precondition,
) -> Result<Written, Stop> {
    if from.len() > limits::MERGED {
        return Err(invalid(format!("At most {} incidents can be merged at once.", limits::MERGED)));
    }
    let target = plan::incident(connection, into)?;
    plan::check(precondition, Some(target.etag), &target.name)?;
    let mut sources: Vec<Incident> = Vec::with_capacity(from.len());
    for source in from {
        let source = plan::incident(connection, source)?;
        if source.number == target.number {
            return Err(invalid("An incident cannot be merged into itself."));
        }
        if !sources.iter().any(|known| known.number == source.number) {
            sources.push(source);
        }
    }
    if sources.is_empty() {
        return Err(invalid("No incident is given to be merged."));
    }
    for incident in sources.iter().chain([&target]) {
        if let Some(other) = incident.merged_into {
            let message = format!("Incident {} was merged into incident {other} before.", incident.number);
            return Err(Rejected::Conflict(message).into());
        }
    }
    let mut after = plan.touched(&target);
    let mut tags: HashSet<&String> = target.tags.iter().collect();
    for source in &sources {
        after.tags.extend(source.tags.iter().filter(|tag| tags.insert(tag)).cloned());
        after.summary.join(&source.summary);
    }
    // Before anything that hangs on them is read: together they may have a hundred times what one may have.
    let together = || sources.iter().chain([&target]);
    after.summary.comments = together().map(|incident| incident.summary.comments).sum();
    after.summary.alerts = related(connection, together(), RelatedKind::Alert)?;
    after.summary.bookmarks = related(connection, together(), RelatedKind::Bookmark)?;
    let tasks = together().map(|incident| tasks::count(connection, incident.number)).sum::<Result<u64, _>>()?;
    for (have, what, most) in [
        (after.summary.comments, "comments", limits::COMMENTS),
        (after.summary.alerts, "alerts", limits::RELATED_ALERTS),
        (after.tags.len() as u64, "tags", limits::TAGS as u64),
        (tasks, "tasks", limits::TASKS as u64),
    ] {
        if have > most {
            return Err(invalid(format!(
                "Merged, the incidents would have {have} {what}; an incident can have {most}."
            )));
        }
    }
    let mut moving = Moving::of(connection, &target)?;
    for source in &sources {
        moving.take(connection, plan, source)?;
    }
    let numbers = sources.iter().map(|source| source.number).collect();
    for source in sources {
        close(plan, source, target.number);
    }
    let changes = target.changes(&after);
    plan.update(target, &after);
    if !changes.is_empty() {
        plan.log(&after, ActivityKind::Updated { changes });
    }
    plan.tell(&after, ActivityKind::Merged { from: numbers });
    Ok(Written::Incident { incident: Box::new(after), created: false })
}

/// Closes an incident that went into another one.
fn close(plan: &mut Plan<'_>, source: Incident, into: u64) {
    let draft = Draft {
        status: Status::Closed,
        classification: Some(Classification::Undetermined),
        classification_reason: None,
        classification_comment: Some(format!("Merged into incident {into}.")),
        tags: Vec::new(),
        ..Draft::of(&source)
    };
    let summary = Summary::default();
    let after = Incident { merged_into: Some(into), summary, ..plan.touched(&source).with(draft) };
    let changes = source.changes(&after);
    plan.update(source, &after);
    plan.log(&after, ActivityKind::MergedInto { incident: into });
    plan.tell(&after, ActivityKind::Updated { changes });
}

/// How many alerts or bookmarks incidents are related to, each counted once.
fn related<'i>(
    connection: &Connection,
    incidents: impl Iterator<Item = &'i Incident>,
    kind: RelatedKind,
) -> Result<u64, StoreError> {
    let numbers = codec::to_json(&incidents.map(|incident| incident.number).collect::<Vec<_>>())?;
    let mut count = connection.prepare_cached(
        "SELECT count(DISTINCT related) FROM relation WHERE kind = ?1 AND incident IN (SELECT value FROM json_each(?2))",
    )?;
    Ok(count.query_row(params![Name(kind), numbers], |row| row.get(0)).map(codec::count)?)
}

/// What the target has, while more is moved to it.
struct Moving {
    into: u64,
    /// Names that are taken, by table.
    taken: HashSet<(&'static str, String)>,
    related: HashSet<(RelatedKind, String)>,
}

impl Moving {
    fn of(connection: &Connection, target: &Incident) -> Result<Self, Stop> {
        let mut moving = Self { into: target.number, taken: HashSet::new(), related: HashSet::new() };
        for table in ["comment", "task"] {
            let names = names(connection, table, target.number)?;
            moving.taken.extend(names.iter().map(|name| (table, key(name))));
        }
        for relation in relations::all(connection, target.number)? {
            moving.taken.insert(("relation", key(&relation.name)));
            moving.related.insert((relation.kind, key(&relation.related)));
        }
        Ok(moving)
    }

    /// Moves what hangs on an incident.
    fn take(&mut self, connection: &Connection, plan: &mut Plan<'_>, source: &Incident) -> Result<(), Stop> {
        for table in ["comment", "task"] {
            for name in names(connection, table, source.number)? {
                self.carry(plan, table, source.number, name);
            }
        }
        for relation in relations::all(connection, source.number)? {
            let Relation { kind, related, name, .. } = relation;
            if self.related.insert((kind, key(&related))) {
                self.carry(plan, "relation", source.number, name);
            } else {
                let (from, name) = (codec::int(source.number), Named(name));
                plan.then(move |writing| {
                    let sql = "DELETE FROM relation WHERE incident = ?1 AND name = ?2";
                    writing.connection.prepare_cached(sql)?.execute(params![from, name])?;
                    Ok(())
                });
            }
        }
        Ok(())
    }

    /// Moves one; its name gives way when the target has it already.
    fn carry(&mut self, plan: &mut Plan<'_>, table: &'static str, from: u64, name: ResourceName) {
        let mut free = name.clone();
        while !self.taken.insert((table, key(&free))) {
            free = Uuid::new_v5(&plan.write.etag, format!("{from}/{table}/{free}").as_bytes()).into();
        }
        let (from, into) = (codec::int(from), codec::int(self.into));
        plan.then(move |writing| {
            let sql = format!("UPDATE {table} SET incident = ?3, name = ?4 WHERE incident = ?1 AND name = ?2");
            let values = params![from, Named(name), into, Named(free)];
            writing.connection.prepare_cached(&sql)?.execute(values)?;
            Ok(())
        });
    }
}

/// The names of what hangs on an incident, oldest first.
fn names(connection: &Connection, table: &str, incident: u64) -> Result<Vec<ResourceName>, StoreError> {
    let sql = format!("SELECT name FROM {table} WHERE incident = ?1 ORDER BY id");
    let mut rows = connection.prepare_cached(&sql)?;
    let names = rows.query_map([codec::int(incident)], |row| Ok(row.get::<_, Named>(0)?.0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// A name as it is compared.
fn key(name: &ResourceName) -> String {
    name.to_string().to_ascii_lowercase()
}
