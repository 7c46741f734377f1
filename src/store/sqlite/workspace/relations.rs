//! Relations of incidents to alerts and bookmarks.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    super::{
        codec::{self, At, Id, Name, Named},
        incidents,
    },
    alerts, documents,
    plan::{self, Plan, Stop, invalid},
};
use crate::{
    incident::{
        ActivityKind, DocumentKey, DocumentKind, Incident, IncidentRef, Precondition, Rejected, RelatedKind, Relation,
        ResourceName, Summary, Written,
    },
    limits,
    store::StoreError,
};

/// What [`relation`] reads.
pub(super) const COLUMNS: &str = "incident, name, etag, kind, related, created";

/// A relation of [these columns](COLUMNS).
pub(super) fn relation(row: &Row<'_>) -> rusqlite::Result<Relation> {
    Ok(Relation {
        incident: codec::count(row.get(0)?),
        name: row.get::<_, Named>(1)?.0,
        etag: row.get::<_, Id>(2)?.0,
        kind: row.get::<_, Name<_>>(3)?.0,
        related: row.get::<_, Named>(4)?.0,
        created: row.get::<_, At>(5)?.0,
    })
}

pub(super) fn get(connection: &Connection, incident: u64, name: &ResourceName) -> Result<Option<Relation>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM relation WHERE incident = ?1 AND name = ?2");
    let mut rows = connection.prepare_cached(&sql)?;
    Ok(rows.query_row(params![codec::int(incident), Named(name.clone())], relation).optional()?)
}

/// All of an incident, oldest first.
pub(super) fn all(connection: &Connection, incident: u64) -> Result<Vec<Relation>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM relation WHERE incident = ?1 ORDER BY id");
    Ok(connection.prepare_cached(&sql)?.query_map([codec::int(incident)], relation)?.collect::<Result<_, _>>()?)
}

/// Those of incidents to a bookmark, oldest first, each with its incident's name.
pub(super) fn of_bookmark(
    connection: &Connection,
    bookmark: &ResourceName,
) -> Result<Vec<(ResourceName, Relation)>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT r.incident, r.name, r.etag, r.kind, r.related, r.created, i.id FROM relation r \
         JOIN incident i ON i.number = r.incident WHERE r.related = ?1 AND r.kind = ?2 ORDER BY r.id",
    )?;
    let key = params![Named(bookmark.clone()), Name(RelatedKind::Bookmark)];
    Ok(rows.query_map(key, |row| Ok((row.get::<_, Named>(6)?.0, relation(row)?)))?.collect::<Result<_, _>>()?)
}

pub(super) fn put(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    name: &ResourceName,
    (kind, related): (RelatedKind, &ResourceName),
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    let present = get(connection, before.number, name)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), name)?;
    let mut after = plan.touched(&before);
    let (number, etag) = (before.number, plan.write.etag);
    if let Some(present) = present {
        if present.kind != kind {
            return Err(invalid(format!(
                "Failed to create relation. Different relation type with name {name} already exists in incident {}.",
                before.name
            )));
        }
        if present.related != *related {
            let what = word(kind);
            return Err(Rejected::Conflict(format!(
                "Relation with name {name} already exists in incident {} to different {what} {}.",
                before.name, present.related
            ))
            .into());
        }
        let relation = Relation { etag, ..present };
        plan.update(before, &after);
        let (at, own) = (codec::int(number), Named(relation.name.clone()));
        plan.then(move |writing| {
            let sql = "UPDATE relation SET etag = ?3 WHERE incident = ?1 AND name = ?2";
            writing.connection.prepare_cached(sql)?.execute(params![at, own, Id(etag)])?;
            Ok(())
        });
        return Ok(Written::Relation { incident: Box::new(after), relation, created: false });
    }
    // The name as it was first written, and what the incident learns from it.
    let related = match kind {
        RelatedKind::Alert => {
            let alert = alerts::bare(connection, related)?.ok_or_else(|| Rejected::NotFound(related.to_string()))?.1;
            after.summary.alerts += 1;
            after.summary.learn(&alert);
            alert.name
        }
        RelatedKind::Bookmark => {
            let key = DocumentKey { kind: DocumentKind::Bookmark, parent: None, name: related.clone() };
            let bookmark = documents::get(connection, &key)?.ok_or_else(|| Rejected::NotFound(related.to_string()))?;
            after.summary.bookmarks += 1;
            bookmark.key.name
        }
    };
    if is_related(connection, number, kind, &related)? {
        let what = if kind == RelatedKind::Alert { "Alert" } else { "Bookmark" };
        return Err(invalid(format!("{what} {related} already exists in incident {}.", before.name)));
    }
    if after.summary.alerts > limits::RELATED_ALERTS && kind == RelatedKind::Alert {
        let most = limits::RELATED_ALERTS;
        return Err(invalid(format!("Incident {} has {most} alerts already; it can have no more.", before.name)));
    }
    let relation = Relation { incident: number, name: name.clone(), etag, kind, related, created: plan.at };
    plan.update(before, &after);
    let row = relation.clone();
    plan.then(move |writing| insert(writing.connection, &row));
    plan.tell(&after, ActivityKind::Related { kind, related: relation.related.clone() });
    Ok(Written::Relation { incident: Box::new(after), relation, created: true })
}

fn word(kind: RelatedKind) -> &'static str {
    match kind {
        RelatedKind::Alert => "alert",
        RelatedKind::Bookmark => "bookmark",
    }
}

fn is_related(
    connection: &Connection,
    incident: u64,
    kind: RelatedKind,
    related: &ResourceName,
) -> Result<bool, StoreError> {
    let mut rows =
        connection.prepare_cached("SELECT 1 FROM relation WHERE related = ?1 AND kind = ?2 AND incident = ?3")?;
    Ok(rows.exists(params![Named(related.clone()), Name(kind), codec::int(incident)])?)
}

fn insert(connection: &Connection, relation: &Relation) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO relation (incident, name, etag, kind, related, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            codec::int(relation.incident),
            Named(relation.name.clone()),
            Id(relation.etag),
            Name(relation.kind),
            Named(relation.related.clone()),
            At(relation.created),
        ])?;
    Ok(())
}

pub(super) fn delete(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    name: &ResourceName,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    let present = get(connection, before.number, name)?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), name)?;
    let Some(relation) = present else { return Ok(Written::Gone { existed: false }) };
    remove(connection, plan, before, &relation)?;
    Ok(Written::Gone { existed: true })
}

/// Takes a bookmark out of every incident it is related to.
pub(super) fn part(connection: &Connection, plan: &mut Plan<'_>, bookmark: &ResourceName) -> Result<(), Stop> {
    for incident in incidents::related_to(connection, bookmark)? {
        let relations = all(connection, incident.number)?;
        let own = |relation: &&Relation| relation.kind == RelatedKind::Bookmark && relation.related == *bookmark;
        if let Some(relation) = relations.iter().find(own) {
            remove(connection, plan, incident, relation)?;
        }
    }
    Ok(())
}

fn remove(connection: &Connection, plan: &mut Plan<'_>, before: Incident, relation: &Relation) -> Result<(), Stop> {
    let mut after = plan.touched(&before);
    match relation.kind {
        RelatedKind::Alert => {
            let left = alerts::bare_of_incident(connection, before.number)?;
            let left = left.iter().map(|(_, alert)| alert).filter(|alert| alert.name != relation.related);
            after.summary = Summary::of(&before.summary, left);
        }
        RelatedKind::Bookmark => after.summary.bookmarks = after.summary.bookmarks.saturating_sub(1),
    }
    plan.update(before, &after);
    let (number, gone) = (codec::int(relation.incident), Named(relation.name.clone()));
    plan.then(move |writing| {
        let sql = "DELETE FROM relation WHERE incident = ?1 AND name = ?2";
        writing.connection.prepare_cached(sql)?.execute(params![number, gone])?;
        Ok(())
    });
    plan.log(&after, ActivityKind::Unrelated { kind: relation.kind, related: relation.related.clone() });
    Ok(())
}
