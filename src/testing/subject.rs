//! A playbook that is tried out as it stands in its file: the working copy.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{delivery::Delivery, play::Play};
use crate::{
    action::ACTIONS,
    config::Config,
    engine::{Kind, Live, Plan, Secrets, UnknownAction, versions},
    playbook::{Loaded, Playbook},
};

/// Why a working copy cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum Untried {
    #[error(transparent)]
    UnknownAction(#[from] UnknownAction),
    #[error("{0}")]
    UnreadableSecret(String),
}

/// A working copy with what larum.yaml says for it.
#[derive(Debug, Clone)]
pub struct Subject {
    pub(super) plan: Arc<Plan>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) config: Arc<Config>,
}

impl Subject {
    /// The working copy of a playbook. Its secret parameters are read, so that they can be kept out of what is shown.
    ///
    /// # Errors
    /// When it has an action that this Larum does not know, or a secret parameter that cannot be read.
    pub fn new(loaded: Loaded, config: Arc<Config>) -> Result<Self, Untried> {
        let plan = Arc::new(versions::of_bundle(Arc::new(loaded.playbook), &loaded.bundle, ACTIONS)?);
        let secrets = secrets(&plan, &config)?;
        Ok(Self { plan, secrets, config })
    }

    /// The playbook.
    #[must_use]
    pub fn playbook(&self) -> &Playbook {
        &self.plan.playbook
    }

    pub(super) fn live(&self) -> Live {
        Live { version: self.plan.version.clone(), playbook: self.plan.playbook.clone() }
    }

    /// A run of it that is not named yet.
    pub(super) fn play(&self, now: DateTime<Utc>, delivery: Delivery) -> Play {
        let play = Play::new(self.plan.clone(), self.secrets.clone(), now, delivery);
        Play { config: self.config.clone(), ..play }
    }
}

/// The secret parameters of a plan.
pub(super) fn secrets(plan: &Plan, config: &Config) -> Result<Arc<Secrets>, Untried> {
    match versions::unreadable_secret(config, plan) {
        Some(fault) => Err(Untried::UnreadableSecret(fault)),
        None => Ok(Arc::new(versions::secrets(&plan.playbook, config))),
    }
}

/// The id of the `nth` run of an event that never ran: the same whenever it is tried.
pub(super) fn run_of(event: Uuid, nth: usize) -> Uuid {
    Uuid::new_v5(&event, format!("run {nth}").as_bytes())
}

/// The type of an action, as the playbook has it.
pub(super) fn kind_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::If { .. } => "if",
        Kind::Switch { .. } => "switch",
        Kind::Scope { .. } => "scope",
        Kind::ForEach { .. } => "for_each",
        Kind::Until { .. } => "until",
        Kind::Terminate(_) => "terminate",
        Kind::Call { action, .. } => action.spec.name,
    }
}
