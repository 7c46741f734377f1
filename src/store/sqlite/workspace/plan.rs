//! A write as it is decided: what it comes to, and the steps that make it so. Deciding only reads, so that a write that is
//! rejected, or the code of another room that tells of it, leaves nothing half done.

use chrono::{DateTime, SubsecRound, Utc};
use rusqlite::Connection;

use super::{
    super::{incidents, writer::Writing},
    activity, events,
};
use crate::{
    incident::{ActivityKind, Incident, IncidentRef, Precondition, Rejected, ResourceName, Write, Written},
    store::{StoreError, incidents::Subject},
};

/// Why a write is not done.
pub(super) enum Stop {
    Rejected(Rejected),
    Failed(StoreError),
}

impl From<Rejected> for Stop {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

type Step<'w> = Box<dyn FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + 'w>;

/// What a write is going to change.
pub(super) struct Plan<'w> {
    pub write: &'w Write,
    /// The write's instant as it is kept.
    pub at: DateTime<Utc>,
    listens: bool,
    steps: Vec<Step<'w>>,
}

impl<'w> Plan<'w> {
    pub(super) fn new(write: &'w Write, listens: bool) -> Self {
        Self { write, at: write.at.trunc_subsecs(6), listens, steps: Vec::new() }
    }

    pub(super) fn then(&mut self, step: impl FnOnce(&mut Writing<'_>) -> Result<(), StoreError> + 'w) {
        self.steps.push(Box::new(step));
    }

    /// The incident as this write leaves it, but for what the write is about.
    pub(super) fn touched(&self, incident: &Incident) -> Incident {
        Incident { etag: self.write.etag, modified: self.at, ..incident.clone() }
    }

    /// Changes an incident that is there.
    pub(super) fn update(&mut self, before: Incident, after: &Incident) {
        let after = after.clone();
        self.then(move |writing| incidents::update(writing.connection, &before, &after));
    }

    /// Adds an entry to the incident's log. `after` is the incident as it then stands.
    pub(super) fn log(&mut self, after: &Incident, what: ActivityKind) {
        let (write, at, incident) = (self.write, self.at, after.number);
        self.then(move |writing| activity::add(writing.connection, incident, at, &write.by, &what));
    }

    /// Adds an entry to the incident's log, and tells those who listen.
    pub(super) fn tell(&mut self, after: &Incident, what: ActivityKind) {
        if self.listens {
            self.event(Subject::Incident { incident: Box::new(after.clone()), what: what.clone() });
        }
        self.log(after, what);
    }

    /// Tells those who listen.
    pub(super) fn event(&mut self, subject: Subject) {
        if self.listens {
            let (write, at) = (self.write, self.at);
            self.then(move |writing| events::add(writing, at, &write.by, &write.causes, &subject));
        }
    }

    /// Makes it so.
    pub(super) fn carry_out(self, writing: &mut Writing<'_>) -> Result<(), StoreError> {
        self.steps.into_iter().try_for_each(|step| step(writing))
    }
}

/// A decided write.
pub(in super::super) struct Decided<'w> {
    pub written: Written,
    plan: Plan<'w>,
}

impl<'w> Decided<'w> {
    pub(super) fn new(written: Written, plan: Plan<'w>) -> Self {
        Self { written, plan }
    }

    /// Makes it so.
    pub(in super::super) fn carry_out(self, writing: &mut Writing<'_>) -> Result<Written, StoreError> {
        self.plan.carry_out(writing)?;
        Ok(self.written)
    }
}

/// The incident that is meant; a write to one that does not exist is rejected.
pub(super) fn incident(connection: &Connection, incident: &IncidentRef) -> Result<Incident, Stop> {
    incidents::find(connection, incident)?.ok_or_else(|| {
        Stop::Rejected(Rejected::NotFound(match incident {
            IncidentRef::Number(number) => number.to_string(),
            IncidentRef::Name(name) => name.to_string(),
        }))
    })
}

/// Holds what the writer says it saw against what is there.
pub(super) fn check(
    precondition: &Precondition,
    present: Option<uuid::Uuid>,
    name: &ResourceName,
) -> Result<(), Rejected> {
    if !precondition.holds(present) {
        return Err(Rejected::PreconditionFailed(name.to_string()));
    }
    if present.is_some_and(|present| precondition.excludes(present)) {
        return Err(Rejected::Exists(name.to_string()));
    }
    match present {
        Some(present) if !precondition.allows(present) => Err(Rejected::Stale(name.to_string())),
        _ => Ok(()),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Stop {
    Stop::Rejected(Rejected::Invalid(message.into()))
}
