//! A run that is played with nothing performed: what it follows, what starts it, what the outside answers.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    case::Answers,
    delivery::{Delivery, EVENT, Start},
    past::Past,
};
use crate::{
    action::RunInfo,
    config::Config,
    engine::{Plan, Secrets},
    store::{EventId, RunId},
};

/// The run's id in every test.
pub(super) const RUN: RunId = Uuid::from_u128(1);

/// Addresses, the workspace's name: what larum.yaml would say where it says nothing.
static CONFIG: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);

/// A run to be played.
#[derive(Debug)]
pub(super) struct Play {
    pub(super) plan: Arc<Plan>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) config: Arc<Config>,
    pub(super) name: Name,
    /// The instant the run starts at.
    pub(super) now: DateTime<Utc>,
    pub(super) delivery: Delivery,
    pub(super) answers: Answers,
    /// What the run already went through once.
    pub(super) past: Past,
    /// How long after its start a person ends the run.
    pub(super) cancel_after: Option<Duration>,
    /// Whether the process dies after every event.
    pub(super) crash: bool,
    /// Whether it is told how fields came about.
    pub(super) traced: bool,
}

/// What a run is known by, and all its randomness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) run: RunId,
    pub(super) event: EventId,
    pub(super) seed: [u8; 32],
    pub(super) resembles: Option<EventId>,
}

impl Default for Name {
    /// As in every test.
    fn default() -> Self {
        Self { run: RUN, event: EVENT, seed: [7; 32], resembles: None }
    }
}

impl Play {
    /// A run that starts at `now`, unnamed, unanswered and with what larum.yaml says where it says nothing.
    pub(super) fn new(plan: Arc<Plan>, secrets: Arc<Secrets>, now: DateTime<Utc>, delivery: Delivery) -> Self {
        Self {
            plan,
            secrets,
            config: CONFIG.clone(),
            name: Name::default(),
            now,
            delivery,
            answers: Answers::default(),
            past: Past::default(),
            cancel_after: None,
            crash: false,
            traced: false,
        }
    }

    /// What the run gives its actions to know.
    pub(super) fn info(&self, start: &Start) -> Arc<RunInfo> {
        let Name { run, event, resembles, .. } = self.name;
        Arc::new(RunInfo {
            run,
            effects: run,
            playbook: self.plan.playbook.name.clone(),
            version: self.plan.version.clone(),
            event,
            kind: start.kind.to_owned(),
            summary: start.summary.clone(),
            resembles,
            outputs: start.outputs.clone(),
        })
    }
}
