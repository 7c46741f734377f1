//! Alerts, and the entities they concern.

use chrono::SubsecRound;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Map;
use uuid::Uuid;

use super::{
    super::{
        codec::{self, At, Id, Name, Named},
        incidents,
    },
    plan::{self, Plan, Stop},
};
use crate::{
    incident::{ActivityKind, Alert, Entity, Precondition, ResourceName, Summary, Written},
    store::{StoreError, incidents::Subject},
};

/// What [`alert`] reads, of a table or alias `a`.
pub(super) const COLUMNS: &str = "a.id, a.name, a.etag, a.severity, a.received, a.title, a.properties";

/// An alert of [these columns](COLUMNS) without its entities, and its row.
pub(super) fn alert(row: &Row<'_>) -> rusqlite::Result<(i64, Alert)> {
    let alert = Alert {
        name: row.get::<_, Named>(1)?.0,
        etag: row.get::<_, Id>(2)?.0,
        severity: row.get::<_, Name<_>>(3)?.0,
        received: row.get::<_, At>(4)?.0,
        title: row.get(5)?,
        properties: codec::from_json(row, 6)?,
        entities: Vec::new(),
    };
    Ok((row.get(0)?, alert))
}

/// Alerts with their entities.
pub(super) fn whole(connection: &Connection, alerts: Vec<(i64, Alert)>) -> Result<Vec<Alert>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT e.name, e.kind, e.properties FROM alert_entity ae JOIN entity e ON e.id = ae.entity \
         WHERE ae.alert = ?1 ORDER BY ae.place",
    )?;
    let with = |(row, mut alert): (i64, Alert)| {
        alert.entities = rows.query_map([row], as_entity)?.collect::<Result<_, _>>()?;
        Ok(alert)
    };
    alerts.into_iter().map(with).collect()
}

fn as_entity(row: &Row<'_>) -> rusqlite::Result<Entity> {
    Ok(Entity {
        name: row.get::<_, Id>(0)?.0,
        kind: row.get::<_, Name<_>>(1)?.0,
        properties: codec::from_json(row, 2)?,
    })
}

pub(super) fn get(connection: &Connection, name: &ResourceName) -> Result<Option<Alert>, StoreError> {
    Ok(whole(connection, bare(connection, name)?.into_iter().collect())?.pop())
}

/// Those related to an incident, oldest relation first.
pub(super) fn of_incident(connection: &Connection, incident: u64) -> Result<Vec<Alert>, StoreError> {
    whole(connection, bare_of_incident(connection, incident)?)
}

/// One without its entities, and its row.
pub(super) fn bare(connection: &Connection, name: &ResourceName) -> Result<Option<(i64, Alert)>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM alert a WHERE a.name = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([Named(name.clone())], alert).optional()?)
}

/// Those related to an incident without their entities, oldest relation first: what a summary is made of.
pub(super) fn bare_of_incident(connection: &Connection, incident: u64) -> Result<Vec<(i64, Alert)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM relation r JOIN alert a ON a.name = r.related \
         WHERE r.incident = ?1 AND r.kind = 'Alert' ORDER BY r.id"
    );
    let mut rows = connection.prepare_cached(&sql)?;
    Ok(rows.query_map([codec::int(incident)], alert)?.collect::<Result<_, _>>()?)
}

pub(super) fn entity(connection: &Connection, name: Uuid) -> Result<Option<Entity>, StoreError> {
    let mut rows = connection.prepare_cached("SELECT name, kind, properties FROM entity WHERE name = ?1")?;
    Ok(rows.query_row([Id(name)], as_entity).optional()?)
}

/// What the alerts of an incident concern, each once.
pub(super) fn entities_of_incident(connection: &Connection, incident: u64) -> Result<Vec<Entity>, StoreError> {
    let mut entities = Vec::new();
    each_entity(connection, incident, |entity| {
        entities.push(entity);
        true
    })?;
    Ok(entities)
}

/// Shows what the alerts of an incident concern to `show`, each once and the oldest first, until that is `false`.
pub(super) fn each_entity(
    connection: &Connection,
    incident: u64,
    mut show: impl FnMut(Entity) -> bool,
) -> Result<(), StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT e.name, e.kind, e.properties FROM entity e WHERE e.id IN (SELECT ae.entity FROM relation r \
         JOIN alert a ON a.name = r.related JOIN alert_entity ae ON ae.alert = a.id \
         WHERE r.incident = ?1 AND r.kind = 'Alert') ORDER BY e.id",
    )?;
    let mut rows = rows.query([codec::int(incident)])?;
    while let Some(row) = rows.next()? {
        if !show(as_entity(row)?) {
            break;
        }
    }
    Ok(())
}

/// Takes an alert in, or replaces it; incidents it is related to learn what it says now.
pub(super) fn put<'w>(
    connection: &Connection,
    plan: &mut Plan<'w>,
    alert: &'w Alert,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let present = bare(connection, &alert.name)?.map(|(_, present)| present);
    plan::check(precondition, present.as_ref().map(|present| present.etag), &alert.name)?;
    let created = present.is_none();
    let kept = Alert {
        name: present.map_or_else(|| alert.name.clone(), |present| present.name),
        etag: plan.write.etag,
        received: alert.received.trunc_subsecs(6),
        ..alert.clone()
    };
    let row = kept.clone();
    plan.then(move |writing| store(writing.connection, &row, created));
    if created {
        plan.event(Subject::Alert { alert: kept.name.clone() });
    } else {
        for before in incidents::related_to(connection, &kept.name)? {
            let alerts = bare_of_incident(connection, before.number)?;
            let now = alerts.iter().map(|(_, other)| if other.name == kept.name { &kept } else { other });
            let mut after = plan.touched(&before);
            after.summary = Summary::of(&before.summary, now);
            let changes = before.summary.changes(&after.summary);
            if !changes.is_empty() {
                plan.update(before, &after);
                plan.log(&after, ActivityKind::Updated { changes });
            }
        }
    }
    Ok(Written::Alert { alert: Box::new(kept), created })
}

fn store(connection: &Connection, alert: &Alert, new: bool) -> Result<(), StoreError> {
    // Two statements: an upsert's way to deal with conflicts would also hold in the triggers of an update.
    let sql = if new {
        "INSERT INTO alert (name, etag, severity, received, title, properties) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         RETURNING id"
    } else {
        "UPDATE alert SET etag = ?2, severity = ?3, received = ?4, title = ?5, properties = ?6 WHERE name = ?1 \
         RETURNING id"
    };
    let row: i64 = connection.prepare_cached(sql)?.query_row(
        params![
            Named(alert.name.clone()),
            Id(alert.etag),
            Name(alert.severity),
            At(alert.received),
            alert.title,
            codec::to_json(&alert.properties)?,
        ],
        |row| row.get(0),
    )?;
    connection.prepare_cached("DELETE FROM alert_entity WHERE alert = ?1")?.execute([row])?;
    for (place, entity) in alert.entities.iter().enumerate() {
        let entity = keep(connection, entity)?;
        connection
            .prepare_cached("INSERT INTO alert_entity (alert, place, entity) VALUES (?1, ?2, ?3)")?
            .execute(params![row, codec::limit(place), entity])?;
    }
    Ok(())
}

/// The row of an entity, with what is newly known of it.
fn keep(connection: &Connection, entity: &Entity) -> Result<i64, StoreError> {
    let known = connection
        .prepare_cached("SELECT id, properties FROM entity WHERE name = ?1")?
        .query_row([Id(entity.name)], |row| Ok((row.get(0)?, codec::from_json::<Map<_, _>>(row, 1)?)))
        .optional()?;
    let Some((row, known)) = known else {
        connection
            .prepare_cached("INSERT INTO entity (name, kind, properties) VALUES (?1, ?2, ?3)")?
            .execute(params![Id(entity.name), Name(entity.kind), codec::to_json(&entity.properties)?])?;
        return Ok(connection.last_insert_rowid());
    };
    let mut properties = known.clone();
    properties.extend(entity.properties.clone());
    if properties != known {
        connection
            .prepare_cached("UPDATE entity SET properties = ?2 WHERE id = ?1")?
            .execute(params![row, codec::to_json(&properties)?])?;
    }
    Ok(row)
}
