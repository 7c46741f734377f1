//! Merging: several incidents turn out to be one.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{
    super::codec::{self, Named},
    comments,
    plan::{self, Plan, Stop, invalid},
    relations, tasks,
};
use crate::{
    incident::{
        ActivityKind, Classification, Draft, Incident, IncidentRef, Precondition, Rejected, RelatedKind, Relation,
        ResourceName, Status, Summary, Written,
    },
    limits,
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
    let mut moving = Moving::of(connection, &target)?;
    let mut tags: HashSet<&String> = target.tags.iter().collect();
    for source in &sources {
        moving.take(connection, plan, source)?;
        after.tags.extend(source.tags.iter().filter(|tag| tags.insert(tag)).cloned());
        after.summary.join(&source.summary);
    }
    after.summary.comments = moving.comments;
    after.summary.alerts = moving.count(RelatedKind::Alert);
    after.summary.bookmarks = moving.count(RelatedKind::Bookmark);
    if after.summary.comments > limits::COMMENTS {
        return Err(invalid(format!(
            "Merged, the incidents would have {} comments; an incident can have {}.",
            after.summary.comments,
            limits::COMMENTS
        )));
    }
    if after.summary.alerts > limits::RELATED_ALERTS {
        return Err(invalid(format!(
            "Merged, the incidents would have {} alerts; an incident can have {}.",
            after.summary.alerts,
            limits::RELATED_ALERTS
        )));
    }
    if after.tags.len() > limits::TAGS {
        return Err(invalid(format!(
            "Merged, the incidents would have {} tags; an incident can have {}.",
            after.tags.len(),
            limits::TAGS
        )));
    }
    if moving.tasks > limits::TASKS {
        return Err(invalid(format!(
            "Merged, the incidents would have {} tasks; an incident can have {}.",
            moving.tasks,
            limits::TASKS
        )));
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

/// What hangs on the target, while more is moved to it.
struct Moving {
    into: u64,
    comments: u64,
    tasks: usize,
    /// Names that are taken, by table.
    taken: HashSet<(&'static str, String)>,
    related: Vec<(RelatedKind, ResourceName)>,
}

impl Moving {
    fn of(connection: &Connection, target: &Incident) -> Result<Self, Stop> {
        let number = target.number;
        let (mut moving, mut taken) =
            (Self { into: number, comments: 0, tasks: 0, taken: HashSet::new(), related: Vec::new() }, HashSet::new());
        for comment in comments::all(connection, number)? {
            moving.comments += 1;
            taken.insert(("comment", key(&comment.name)));
        }
        for task in tasks::all(connection, number)? {
            moving.tasks += 1;
            taken.insert(("task", key(&task.name)));
        }
        for relation in relations::all(connection, number)? {
            taken.insert(("relation", key(&relation.name)));
            moving.related.push((relation.kind, relation.related));
        }
        moving.taken = taken;
        Ok(moving)
    }

    fn count(&self, kind: RelatedKind) -> u64 {
        self.related.iter().filter(|(of, _)| *of == kind).count() as u64
    }

    /// Moves what hangs on an incident.
    fn take(&mut self, connection: &Connection, plan: &mut Plan<'_>, source: &Incident) -> Result<(), Stop> {
        for comment in comments::all(connection, source.number)? {
            self.comments += 1;
            self.carry(plan, "comment", source.number, comment.name);
        }
        for task in tasks::all(connection, source.number)? {
            self.tasks += 1;
            self.carry(plan, "task", source.number, task.name);
        }
        for relation in relations::all(connection, source.number)? {
            let Relation { kind, related, name, .. } = relation;
            if self.related.iter().any(|(of, other)| *of == kind && *other == related) {
                let (from, name) = (codec::int(source.number), Named(name));
                plan.then(move |writing| {
                    let sql = "DELETE FROM relation WHERE incident = ?1 AND name = ?2";
                    writing.connection.prepare_cached(sql)?.execute(params![from, name])?;
                    Ok(())
                });
            } else {
                self.related.push((kind, related));
                self.carry(plan, "relation", source.number, name);
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

/// A name as it is compared.
fn key(name: &ResourceName) -> String {
    name.to_string().to_ascii_lowercase()
}
