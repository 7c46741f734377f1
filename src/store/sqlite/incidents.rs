//! Incidents: made inside other operations' transactions, and asked for by number or as a queue.

use chrono::{DateTime, SubsecRound, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{
    codec::{self, At, Id, Name},
    error,
    writer::Writing,
};
use crate::{
    incident::{Actor, Draft, Incident, Owner, Provenance, Severity, Status, Summary},
    store::{RunId, StoreError, query::IncidentFilter},
};

const COLUMNS: &str = "number, id, etag, created, modified, severity, status, classification, classification_reason, \
     classification_comment, owner_object_id, owner_email, owner_assigned_to, owner_user_principal_name, \
     first_activity, last_activity, run, event, playbook, version, report, title, tags, description";

/// The incident of a draft, under the next number; [`insert`] makes it one.
pub(super) fn next(
    writing: &mut Writing<'_>,
    draft: Draft,
    provenance: Provenance,
    at: DateTime<Utc>,
    id: Uuid,
) -> Result<Incident, StoreError> {
    let number = writing.memo.next_incident(writing.connection)?;
    // Cut to what is kept, so that the incident now is the incident that is read back.
    let at = at.trunc_subsecs(6);
    let created_by = author(&provenance);
    Ok(Incident {
        name: id.into(),
        number,
        etag: id,
        title: draft.title,
        description: draft.description,
        severity: draft.severity,
        status: draft.status,
        classification: draft.classification,
        classification_reason: draft.classification_reason,
        classification_comment: draft.classification_comment,
        owner: draft.owner,
        tags: draft.tags,
        first_activity: draft.first_activity.map(|at| at.trunc_subsecs(6)),
        last_activity: draft.last_activity.map(|at| at.trunc_subsecs(6)),
        created: at,
        created_by,
        modified: at,
        provenance,
        summary: Summary::default(),
        merged_into: None,
    })
}

/// Who made an incident that came from a run.
fn author(provenance: &Provenance) -> Actor {
    match (&provenance.playbook, provenance.run) {
        (Some(playbook), Some(run)) => Actor::Playbook { playbook: playbook.clone(), run },
        _ => Actor::Larum,
    }
}

/// Inserts the [next](next) incident.
pub(super) fn insert(writing: &mut Writing<'_>, incident: &Incident) -> Result<(), StoreError> {
    let tags = if incident.tags.is_empty() {
        "[]".to_owned()
    } else {
        serde_json::to_string(&incident.tags).map_err(error::damaged)?
    };
    let (owner, provenance) = (&incident.owner, &incident.provenance);
    writing
        .connection
        .prepare_cached(
            "INSERT INTO incident (number, id, etag, created, modified, severity, status, classification, \
             classification_reason, classification_comment, owner_object_id, owner_email, owner_assigned_to, \
             owner_user_principal_name, first_activity, last_activity, run, event, playbook, version, report, title, \
             tags, description) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
             ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        )?
        .execute(params![
            codec::int(incident.number),
            Id(incident.name.guid().unwrap_or_default()),
            Id(incident.etag),
            At(incident.created),
            At(incident.modified),
            Name(incident.severity),
            Name(incident.status),
            incident.classification.map(Name),
            incident.classification_reason.map(Name),
            incident.classification_comment,
            owner.object_id,
            owner.email,
            owner.assigned_to,
            owner.user_principal_name,
            incident.first_activity.map(At),
            incident.last_activity.map(At),
            provenance.run.map(Id),
            provenance.event.map(Id),
            provenance.playbook,
            provenance.version,
            provenance.report,
            incident.title,
            tags,
            incident.description,
        ])?;
    writing.memo.incident_made(incident.number);
    Ok(())
}

fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    let at = |column| row.get::<_, At>(column).map(|At(at)| at);
    let maybe_at = |column| row.get::<_, Option<At>>(column).map(|at| at.map(|At(at)| at));
    let maybe_id = |column| row.get::<_, Option<Id>>(column).map(|id| id.map(|Id(id)| id));
    let provenance = Provenance {
        run: maybe_id(16)?,
        event: maybe_id(17)?,
        playbook: row.get(18)?,
        version: row.get(19)?,
        report: row.get(20)?,
    };
    Ok(Incident {
        number: codec::count(row.get(0)?),
        name: row.get::<_, Id>(1)?.0.into(),
        etag: row.get::<_, Id>(2)?.0,
        created: at(3)?,
        modified: at(4)?,
        severity: row.get::<_, Name<_>>(5)?.0,
        status: row.get::<_, Name<_>>(6)?.0,
        classification: row.get::<_, Option<Name<_>>>(7)?.map(|Name(name)| name),
        classification_reason: row.get::<_, Option<Name<_>>>(8)?.map(|Name(name)| name),
        classification_comment: row.get(9)?,
        owner: Owner {
            object_id: row.get(10)?,
            email: row.get(11)?,
            assigned_to: row.get(12)?,
            user_principal_name: row.get(13)?,
            owner_type: None,
        },
        first_activity: maybe_at(14)?,
        last_activity: maybe_at(15)?,
        created_by: author(&provenance),
        provenance,
        title: row.get(21)?,
        tags: codec::json(row, 22)?.unwrap_or_default(),
        description: row.get(23)?,
        summary: Summary::default(),
        merged_into: None,
    })
}

/// A page of the queue, newest first. Without a filter the numbers themselves are the order; with one, the newest of
/// every status and severity that fits are found in the index and merged, so that a page costs the same however many
/// incidents there are.
pub(super) fn list(connection: &Connection, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
    let below = filter.below.map_or(i64::MAX, codec::int);
    let limit = codec::limit(filter.limit);
    let found = if filter.status.is_none() && filter.severity.is_none() {
        "number < ?1".to_owned()
    } else {
        let statuses = filter.status.as_ref().map_or(Status::ALL, std::slice::from_ref);
        let severities = filter.severity.as_ref().map_or(Severity::ALL, std::slice::from_ref);
        let newest = statuses.iter().flat_map(|status| {
            severities.iter().map(move |severity| {
                format!(
                    "SELECT number FROM (SELECT number FROM incident WHERE status = '{status}' AND \
                     severity = '{severity}' AND number < ?1 ORDER BY number DESC LIMIT ?2)"
                )
            })
        });
        format!("number IN ({})", newest.collect::<Vec<_>>().join(" UNION ALL "))
    };
    let sql = format!("SELECT {COLUMNS} FROM incident WHERE {found} ORDER BY number DESC LIMIT ?2");
    Ok(connection.prepare_cached(&sql)?.query_map([below, limit], incident)?.collect::<Result<_, _>>()?)
}

pub(super) fn get(connection: &Connection, number: u64) -> Result<Option<Incident>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM incident WHERE number = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([codec::int(number)], incident).optional()?)
}

/// The first incident a run made.
pub(super) fn of_run(connection: &Connection, run: RunId) -> Result<Option<u64>, StoreError> {
    let mut first = connection.prepare_cached("SELECT number FROM incident WHERE run = ?1 ORDER BY number LIMIT 1")?;
    Ok(first.query_row([Id(run)], |row| row.get(0)).optional()?.map(codec::count))
}
