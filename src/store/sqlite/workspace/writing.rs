//! The one way in: every change of the workspace, whoever asks for it.

use super::{
    super::writer::Writing,
    alerts, comments, documents, incident, merge,
    plan::{Decided, Plan, Stop},
    relations, tasks, team,
};
use crate::{
    incident::{ActivityKind, Change, Rejected, Write, Written},
    store::StoreError,
};

/// Decides a write; nothing is changed yet. Inside, why it is rejected.
pub(in super::super) fn decide<'w>(
    writing: &mut Writing<'_>,
    write: &'w Write,
) -> Result<Result<Decided<'w>, Rejected>, StoreError> {
    let mut plan = Plan::new(write, writing.bell.listens());
    match written(writing, &mut plan, &write.change) {
        Ok(written) => Ok(Ok(Decided::new(written, plan))),
        Err(Stop::Rejected(rejected)) => Ok(Err(rejected)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Does a write.
pub(in super::super) fn perform(
    writing: &mut Writing<'_>,
    write: &Write,
) -> Result<Result<Written, Rejected>, StoreError> {
    match decide(writing, write)? {
        Ok(decided) => decided.carry_out(writing).map(Ok),
        Err(rejected) => Ok(Err(rejected)),
    }
}

fn written<'w>(writing: &mut Writing<'_>, plan: &mut Plan<'w>, change: &'w Change) -> Result<Written, Stop> {
    let connection = writing.connection;
    match change {
        Change::PutIncident { name, incident, precondition } => {
            incident::put(writing, plan, name, incident, precondition)
        }
        Change::PatchIncident { incident, patch, precondition } => {
            incident::patch(connection, plan, incident, patch, precondition)
        }
        Change::DeleteIncident { incident, precondition } => incident::delete(connection, plan, incident, precondition),
        Change::Merge { into, from, precondition } => merge::merge(connection, plan, into, from, precondition),
        Change::PutComment { incident, name, message, precondition, any_author } => {
            comments::put(connection, plan, incident, name, message, precondition, *any_author)
        }
        Change::DeleteComment { incident, name, precondition } => {
            comments::delete(connection, plan, incident, name, precondition)
        }
        Change::PutTask { incident, name, title, description, status, precondition } => {
            let content = tasks::Content { title, description: description.as_deref(), status: *status };
            tasks::put(connection, plan, incident, name, &content, precondition)
        }
        Change::SetTaskStatus { incident, name, status } => {
            tasks::set_status(connection, plan, incident.as_ref(), name, *status)
        }
        Change::DeleteTask { incident, name, precondition } => {
            tasks::delete(connection, plan, incident, name, precondition)
        }
        Change::PutRelation { incident, name, kind, related, precondition } => {
            relations::put(connection, plan, incident, name, (*kind, related), precondition)
        }
        Change::DeleteRelation { incident, name, precondition } => {
            relations::delete(connection, plan, incident, name, precondition)
        }
        Change::CreateTeam { incident, id, name, description, who } => {
            team::create(connection, plan, incident, *id, (name, description.as_deref()), who)
        }
        Change::PutAlert { alert, precondition } => alerts::put(connection, plan, alert, precondition),
        Change::PutDocument { key, properties, precondition } => {
            documents::put(connection, plan, key, properties, precondition)
        }
        Change::DeleteDocument { key, precondition } => documents::delete(connection, plan, key, precondition),
        Change::NotePlaybook { incident, playbook, run } => {
            let what = ActivityKind::PlaybookStarted { playbook: playbook.clone(), run: *run };
            incident::note(connection, plan, incident, what)
        }
        Change::NoteNotStarted { incident, name, because } => {
            let what = ActivityKind::NotStarted { name: name.clone(), because: because.clone() };
            incident::note(connection, plan, incident, what)
        }
    }
}
