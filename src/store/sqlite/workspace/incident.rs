//! Writes to an incident itself.

use chrono::SubsecRound;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::{
    super::{
        codec::{self, At, Named},
        error, incidents, prune,
        writer::Writing,
    },
    comments,
    plan::{self, Plan, Stop},
    relations, tasks,
};
use crate::{
    incident::{
        ActivityKind, Actor, Draft, Incident, IncidentRef, Patch, Precondition, Provenance, Refusal, Rejected,
        ResourceName, Written,
    },
    limits,
    store::{StoreError, incidents::Subject},
};

/// Creates the incident, or replaces everything a client may write of it.
pub(super) fn put(
    writing: &mut Writing<'_>,
    plan: &mut Plan<'_>,
    name: &ResourceName,
    draft: &Draft,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let present = incidents::find(writing.connection, &IncidentRef::Name(name.clone()))?;
    plan::check(precondition, present.as_ref().map(|present| present.etag), name)?;
    let draft = checked(draft.clone())?;
    let Some(before) = present else {
        let by = plan.write.by.clone();
        let provenance = match &by {
            Actor::Playbook { playbook, run } => {
                Provenance { run: Some(*run), playbook: Some(playbook.clone()), ..Provenance::default() }
            }
            Actor::Person { .. } | Actor::Token { .. } | Actor::Rule { .. } | Actor::Larum => Provenance::default(),
        };
        let incident = incidents::made(writing, name.clone(), draft, provenance, by, plan.at, plan.write.etag)?;
        let row = incident.clone();
        plan.then(move |writing| incidents::insert(writing, &row));
        plan.event(Subject::Incident { incident: Box::new(incident.clone()), what: ActivityKind::Created });
        return Ok(Written::Incident { incident: Box::new(incident), created: true });
    };
    let after = plan.touched(&before).with(draft);
    Ok(changed(plan, before, after))
}

/// Changes what is given. What changes nothing is no update.
pub(super) fn patch(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    patch: &Patch,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let before = plan::incident(connection, incident)?;
    plan::check(precondition, Some(before.etag), &before.name)?;
    let draft = patch.apply(&before);
    // Of a report the tags beyond the limit are dropped; here somebody asks for these.
    if draft.tags.len() > limits::TAGS && draft.tags.len() > before.tags.len() {
        return Err(Rejected::from(Refusal::TooManyTags).into());
    }
    let after = plan.touched(&before).with(checked(draft)?);
    if before.changes(&after).is_empty() {
        return Ok(Written::Incident { incident: Box::new(before), created: false });
    }
    Ok(changed(plan, before, after))
}

fn checked(draft: Draft) -> Result<Draft, Stop> {
    let mut draft = draft.check().map_err(Rejected::from)?;
    // Cut to what is kept.
    for at in [&mut draft.first_activity, &mut draft.last_activity] {
        *at = at.map(|at| at.trunc_subsecs(6));
    }
    Ok(draft)
}

fn changed(plan: &mut Plan<'_>, before: Incident, after: Incident) -> Written {
    let changes = before.changes(&after);
    plan.update(before, &after);
    if !changes.is_empty() {
        plan.tell(&after, ActivityKind::Updated { changes });
    }
    Written::Incident { incident: Box::new(after), created: false }
}

/// Deletes an incident with all that hangs on it; its log stays, and the last entry holds everything.
pub(super) fn delete(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    precondition: &Precondition,
) -> Result<Written, Stop> {
    let Some(incident) = incidents::find(connection, incident)? else {
        let name = match incident {
            IncidentRef::Name(name) => name.clone(),
            IncidentRef::Number(number) => ResourceName::Text(number.to_string().into()),
        };
        plan::check(precondition, None, &name)?;
        return Ok(Written::Gone { existed: false });
    };
    plan::check(precondition, Some(incident.etag), &incident.name)?;
    let resource = whole(connection, &incident)?;
    plan.log(&incident, ActivityKind::Deleted { resource });
    let at = plan.at;
    plan.then(move |writing| {
        let connection = writing.connection;
        let number = codec::int(incident.number);
        connection
            .prepare_cached(
                "INSERT INTO incident_gone (number, name, created, created_by, deleted) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                number,
                Named(incident.name.clone()),
                At(incident.created),
                codec::to_json(&incident.created_by)?,
                At(at),
            ])?;
        for table in ["comment", "task", "relation"] {
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE incident = ?1"))?.execute([number])?;
        }
        incidents::delete(connection, &incident)?;
        match (incident.provenance.run, incident.provenance.event) {
            (Some(run), Some(event)) => prune::incident_deleted(connection, run, event),
            _ => Ok(()),
        }
    });
    Ok(Written::Gone { existed: true })
}

/// The incident and what hangs on it, as Larum keeps them.
fn whole(connection: &Connection, incident: &Incident) -> Result<Value, StoreError> {
    let mut whole = serde_json::to_value(incident).map_err(error::damaged)?;
    let comments = comments::all(connection, incident.number)?;
    whole["comments"] = comments
        .iter()
        .map(|comment| {
            json!({"name": comment.name, "message": comment.message, "author": comment.author, "created": comment.created})
        })
        .collect();
    whole["tasks"] = tasks::all(connection, incident.number)?
        .iter()
        .map(|task| {
            json!({"name": task.name, "title": task.title, "description": task.description, "status": task.status})
        })
        .collect();
    whole["relations"] = relations::all(connection, incident.number)?
        .iter()
        .map(|relation| json!({"name": relation.name, "kind": relation.kind, "related": relation.related}))
        .collect();
    Ok(whole)
}

/// Adds an entry that is no change.
pub(super) fn note(
    connection: &Connection,
    plan: &mut Plan<'_>,
    incident: &IncidentRef,
    what: ActivityKind,
) -> Result<Written, Stop> {
    let incident = plan::incident(connection, incident)?;
    plan.log(&incident, what);
    Ok(Written::Noted)
}
