//! Incidents as rows: made and changed inside other operations' transactions, asked for by number, name or as a queue.

use std::collections::BTreeSet;

use chrono::{DateTime, SubsecRound, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use uuid::Uuid;

use super::{
    codec::{self, At, Id, Name, Named},
    writer::Writing,
};
use crate::{
    incident::{
        Actor, Classification, ClassificationReason, Draft, Incident, IncidentRef, Owner, Provenance, ResourceName,
        Severity, Status, Summary,
    },
    store::{RunId, StoreError},
};

/// What [`incident`] reads, of a table or alias `incident`.
pub(super) const COLUMNS: &str = "number, id, etag, created, modified, severity, status, classification, \
     classification_reason, classification_comment, owner_object_id, owner_email, owner_assigned_to, \
     owner_user_principal_name, first_activity, last_activity, run, event, playbook, version, report, title, tags, \
     description, owner_type, created_by, comments, alerts, bookmarks, alert_products, tactics, techniques, \
     analytic_rules, merged_into, team";

/// The incident of a draft, under the next number; [`insert`] makes it one. A name that is taken gives way to another one:
/// it derives from its run, and somebody may have used it by hand.
pub(super) fn next(
    writing: &mut Writing<'_>,
    draft: Draft,
    provenance: Provenance,
    by: Actor,
    at: DateTime<Utc>,
    id: Uuid,
) -> Result<Incident, StoreError> {
    let mut name = ResourceName::from(id);
    while number(writing.connection, &IncidentRef::Name(name.clone()))?.is_some() {
        name = Uuid::new_v5(&id, name.to_string().as_bytes()).into();
    }
    made(writing, name, draft, provenance, by, at, id)
}

/// The incident of a draft under a name that is free.
pub(super) fn made(
    writing: &mut Writing<'_>,
    name: ResourceName,
    draft: Draft,
    provenance: Provenance,
    by: Actor,
    at: DateTime<Utc>,
    etag: Uuid,
) -> Result<Incident, StoreError> {
    let number = writing.memo.next_incident(writing.connection)?;
    // Cut to what is kept, so that the incident now is the incident that is read back.
    let at = at.trunc_subsecs(6);
    Ok(Incident {
        name,
        number,
        etag,
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
        created_by: by,
        modified: at,
        provenance,
        summary: Summary::default(),
        merged_into: None,
        team: None,
    })
}

/// Who made an incident that came from a run.
pub(super) fn author(provenance: &Provenance) -> Actor {
    match (&provenance.playbook, provenance.run) {
        (Some(playbook), Some(run)) => Actor::Playbook { playbook: playbook.clone(), run },
        _ => Actor::Larum,
    }
}

/// Inserts the [next](next) incident.
pub(super) fn insert(writing: &mut Writing<'_>, incident: &Incident) -> Result<(), StoreError> {
    let (owner, provenance) = (&incident.owner, &incident.provenance);
    let created_by =
        if incident.created_by == author(provenance) { None } else { Some(codec::to_json(&incident.created_by)?) };
    writing
        .connection
        .prepare_cached(
            "INSERT INTO incident (number, id, etag, created, modified, severity, status, classification, \
             classification_reason, classification_comment, owner_object_id, owner_email, owner_assigned_to, \
             owner_user_principal_name, first_activity, last_activity, run, event, playbook, version, report, title, \
             tags, description, owner_type, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
             ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
        )?
        .execute(params![
            codec::int(incident.number),
            Named(incident.name.clone()),
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
            list_text(&incident.tags)?.as_deref().unwrap_or("[]"),
            incident.description,
            owner.owner_type,
            created_by,
        ])?;
    label(writing.connection, incident.number, &incident.tags)?;
    writing.memo.incident_made(incident.number);
    Ok(())
}

fn label(connection: &Connection, number: u64, tags: &[String]) -> Result<(), StoreError> {
    for tag in tags {
        connection
            .prepare_cached("INSERT OR IGNORE INTO incident_label (label, incident) VALUES (?1, ?2)")?
            .execute(params![tag, codec::int(number)])?;
    }
    Ok(())
}

/// A list as JSON; nothing when it is empty.
fn list_text(list: &[String]) -> Result<Option<String>, StoreError> {
    if list.is_empty() { Ok(None) } else { codec::to_json(&list).map(Some) }
}

/// The columns that may change.
fn changing(incident: &Incident) -> Result<[(&'static str, Value); 26], StoreError> {
    fn name<T>(name: Option<T>, text: fn(T) -> &'static str) -> Value {
        name.map(text).map(str::to_owned).into()
    }
    let micros = |at: Option<DateTime<Utc>>| Value::from(at.map(|at| at.timestamp_micros()));
    let list = |list: &[String]| list_text(list).map(Value::from);
    let (owner, summary) = (&incident.owner, &incident.summary);
    let team = incident.team.as_ref().map(codec::to_json).transpose()?;
    Ok([
        ("etag", incident.etag.as_bytes().to_vec().into()),
        ("modified", micros(Some(incident.modified))),
        ("severity", name(Some(incident.severity), Severity::as_str)),
        ("status", name(Some(incident.status), Status::as_str)),
        ("classification", name(incident.classification, Classification::as_str)),
        ("classification_reason", name(incident.classification_reason, ClassificationReason::as_str)),
        ("classification_comment", incident.classification_comment.clone().into()),
        ("owner_object_id", owner.object_id.clone().into()),
        ("owner_email", owner.email.clone().into()),
        ("owner_assigned_to", owner.assigned_to.clone().into()),
        ("owner_user_principal_name", owner.user_principal_name.clone().into()),
        ("owner_type", owner.owner_type.clone().into()),
        ("first_activity", micros(incident.first_activity)),
        ("last_activity", micros(incident.last_activity)),
        ("title", incident.title.clone().into()),
        ("tags", list_text(&incident.tags)?.unwrap_or_else(|| "[]".to_owned()).into()),
        ("description", incident.description.clone().into()),
        ("comments", codec::int(summary.comments).into()),
        ("alerts", codec::int(summary.alerts).into()),
        ("bookmarks", codec::int(summary.bookmarks).into()),
        ("alert_products", list(&summary.alert_products)?),
        ("tactics", list(&summary.tactics)?),
        ("techniques", list(&summary.techniques)?),
        ("analytic_rules", list(&summary.analytic_rules)?),
        ("merged_into", incident.merged_into.map(codec::int).into()),
        ("team", team.into()),
    ])
}

/// Writes what differs between the incident as it was and as it is to be, and touches no index of anything else.
pub(super) fn update(connection: &Connection, before: &Incident, after: &Incident) -> Result<(), StoreError> {
    let columns = changing(before)?.into_iter().zip(changing(after)?);
    let (names, mut values): (Vec<_>, Vec<_>) =
        columns.filter(|((_, from), (_, to))| from != to).map(|(_, (name, to))| (format!("{name} = ?"), to)).unzip();
    if names.is_empty() {
        return Ok(());
    }
    values.push(codec::int(after.number).into());
    let sql = format!("UPDATE incident SET {} WHERE number = ?", names.join(", "));
    // Not kept: there are as many texts as there are sets of columns.
    connection.prepare(&sql)?.execute(params_from_iter(values))?;
    let (old, new) = (before.tags.iter().collect::<BTreeSet<_>>(), after.tags.iter().collect::<BTreeSet<_>>());
    for tag in old.difference(&new) {
        connection
            .prepare_cached("DELETE FROM incident_label WHERE label = ?1 AND incident = ?2")?
            .execute(params![tag, codec::int(after.number)])?;
    }
    label(connection, after.number, &new.difference(&old).copied().cloned().collect::<Vec<_>>())
}

/// Deletes an incident's row and its labels. Its number is not given again.
pub(super) fn delete(connection: &Connection, incident: &Incident) -> Result<(), StoreError> {
    let number = codec::int(incident.number);
    connection
        .prepare_cached("UPDATE counter SET value = max(value, ?1) WHERE name = 'incident'")?
        .execute([number])?;
    for tag in &incident.tags {
        connection
            .prepare_cached("DELETE FROM incident_label WHERE label = ?1 AND incident = ?2")?
            .execute(params![tag, number])?;
    }
    connection.prepare_cached("DELETE FROM incident WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// An incident of [these columns](COLUMNS).
pub(super) fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    let at = |column| row.get::<_, At>(column).map(|At(at)| at);
    let maybe_at = |column| row.get::<_, Option<At>>(column).map(|at| at.map(|At(at)| at));
    let maybe_id = |column| row.get::<_, Option<Id>>(column).map(|id| id.map(|Id(id)| id));
    let count = |column| row.get(column).map(codec::count);
    let list = |column| codec::json(row, column).map(Option::unwrap_or_default);
    let provenance = Provenance {
        run: maybe_id(16)?,
        event: maybe_id(17)?,
        playbook: row.get(18)?,
        version: row.get(19)?,
        report: row.get(20)?,
    };
    Ok(Incident {
        number: count(0)?,
        name: row.get::<_, Named>(1)?.0,
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
            owner_type: row.get(24)?,
        },
        first_activity: maybe_at(14)?,
        last_activity: maybe_at(15)?,
        created_by: codec::json(row, 25)?.unwrap_or_else(|| author(&provenance)),
        provenance,
        title: row.get(21)?,
        tags: list(22)?,
        description: row.get(23)?,
        summary: Summary {
            comments: count(26)?,
            alerts: count(27)?,
            bookmarks: count(28)?,
            alert_products: list(29)?,
            tactics: list(30)?,
            techniques: list(31)?,
            analytic_rules: list(32)?,
        },
        merged_into: row.get::<_, Option<i64>>(33)?.map(codec::count),
        team: codec::json(row, 34)?,
    })
}

/// The number of an incident, if there is one.
pub(super) fn number(connection: &Connection, incident: &IncidentRef) -> Result<Option<u64>, StoreError> {
    let number = match incident {
        IncidentRef::Number(number) => connection
            .prepare_cached("SELECT number FROM incident WHERE number = ?1")?
            .query_row([codec::int(*number)], |row| row.get(0)),
        IncidentRef::Name(name) => connection
            .prepare_cached("SELECT number FROM incident WHERE id = ?1 COLLATE NOCASE")?
            .query_row([Named(name.clone())], |row| row.get(0)),
    };
    Ok(number.optional()?.map(codec::count))
}

/// One incident.
pub(super) fn find(connection: &Connection, incident: &IncidentRef) -> Result<Option<Incident>, StoreError> {
    match incident {
        IncidentRef::Number(number) => get(connection, *number),
        IncidentRef::Name(name) => {
            let sql = format!("SELECT {COLUMNS} FROM incident WHERE id = ?1 COLLATE NOCASE");
            Ok(connection.prepare_cached(&sql)?.query_row([Named(name.clone())], self::incident).optional()?)
        }
    }
}

/// The incidents an alert or bookmark is related to, oldest first.
pub(super) fn related_to(connection: &Connection, related: &ResourceName) -> Result<Vec<Incident>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM incident WHERE number IN (SELECT incident FROM relation WHERE related = ?1) \
         ORDER BY number"
    );
    Ok(connection.prepare_cached(&sql)?.query_map([Named(related.clone())], incident)?.collect::<Result<_, _>>()?)
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
