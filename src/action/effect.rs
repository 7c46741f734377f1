//! Effects: the part of an action that touches the world, and what it is given to do so.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Outcome, http::HttpClients};
use crate::{
    clock::Clock,
    config::Config,
    incident::{Actor, Cause, Causes, Change, Draft, Incident, Provenance, Rejected, Written},
    mail::send::Mailer,
    metrics::Metrics,
    secret::Vault,
    store::{EventId, RunId, Store},
};

/// What a crash in the middle of an effect means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectKind {
    /// Commits in the same transaction as its journal event: exactly once.
    Local,
    /// Carries an identity that derives from run, step and iteration: safe to repeat.
    Identified,
    /// Neither: the attempt is journalled first, and after a crash it ends `OutcomeUnknown` unless the author chose to repeat.
    Bare {
        /// `on_unknown: retry`
        repeat_when_unknown: bool,
    },
}

/// Who an effect is, whatever the attempt: derives from the run, the step and the iterations it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity([u8; 32]);

impl Identity {
    /// The identity of `step` (an action's id and its iterations, as the engine writes steps) in `run`.
    #[must_use]
    pub fn of(run: RunId, step: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(run.as_bytes());
        hash.update(step.as_bytes());
        Self(hash.finalize().into())
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A UUID made from it; `purpose` keeps two UUIDs of one effect apart.
    #[must_use]
    pub fn uuid(&self, purpose: &str) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, &[&self.0[..], purpose.as_bytes()].concat())
    }

    /// A UUID made from it that begins with the instant its run began, as the run's own id does: what is stored under it
    /// comes in order of age.
    #[must_use]
    pub fn uuid_by_age(&self, run: RunId, purpose: &str) -> Uuid {
        let mut bytes = self.uuid(purpose).into_bytes();
        bytes[..6].copy_from_slice(&run.as_bytes()[..6]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// The member of a trigger's outputs that says which playbooks and rules led to the event, as [`Causes`].
pub const CAUSES: &str = "causes";

/// What an action may know of the run it belongs to.
#[derive(Debug, Clone)]
pub struct RunInfo {
    pub run: RunId,
    /// The run whose identities its effects have: itself, or the one of which it does again what failed.
    pub effects: RunId,
    pub playbook: String,
    pub version: String,
    pub event: EventId,
    /// Which trigger kind saw the event.
    pub kind: String,
    /// The event in a few words.
    pub summary: String,
    /// An earlier event with the same Message-ID and other content.
    pub resembles: Option<EventId>,
    /// The trigger's outputs.
    pub outputs: Arc<Value>,
}

impl RunInfo {
    /// What the trigger delivered.
    #[must_use]
    pub fn trigger_body(&self) -> &Value {
        self.outputs.get("body").unwrap_or(&Value::Null)
    }

    /// The run as the author of its changes.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Playbook { playbook: self.playbook.clone(), run: self.run }
    }

    /// What leads to the changes of this run: what led to the event that started it, and the playbook itself.
    #[must_use]
    pub fn causes(&self) -> Causes {
        let before = self.outputs.get(CAUSES).and_then(|causes| serde_json::from_value(causes.clone()).ok());
        let mut causes: Causes = before.unwrap_or_default();
        causes.push(Cause::Playbook(self.playbook.clone()));
        causes
    }

    /// Where an incident of this run came from.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        Provenance {
            run: Some(self.run),
            playbook: Some(self.playbook.clone()),
            version: Some(self.version.clone()),
            event: Some(self.event),
            report: Some(self.summary.clone()),
        }
    }
}

/// What effects are performed with; built once by the wiring.
pub struct Services {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
    pub http: HttpClients,
    pub mailer: Mailer,
}

/// One attempt to perform an effect.
pub struct Call<'a> {
    pub run: &'a RunInfo,
    pub identity: Identity,
    /// The action's id and the iterations it stands in, as the engine writes steps.
    pub step: &'a str,
    /// From 1.
    pub attempt: u32,
    /// The evaluated `with:`, without null members.
    pub input: &'a Value,
    pub services: &'a Services,
    /// The instant the attempt was journalled or began.
    pub at: DateTime<Utc>,
}

/// An attempt that is only rehearsed: what it may know, without anything to touch the world with.
#[derive(Clone, Copy)]
pub struct Rehearsal<'a> {
    pub run: &'a RunInfo,
    pub identity: Identity,
    /// The evaluated `with:`, without null members.
    pub input: &'a Value,
    pub config: &'a Arc<Config>,
    pub vault: &'a Vault,
    pub at: DateTime<Utc>,
}

impl Rehearsal<'_> {
    /// The answer of somebody who has nothing to say but that it went well.
    #[must_use]
    pub fn well(&self) -> Outcome {
        Outcome::succeeded(json!({"statusCode": 200, "headers": {}, "body": {}}))
    }
}

impl<'a> Call<'a> {
    /// What a rehearsal of this attempt may know.
    #[must_use]
    pub fn rehearsal(&self) -> Rehearsal<'a> {
        let Self { run, identity, input, services, at, .. } = *self;
        Rehearsal { run, identity, input, config: &services.config, vault: &services.vault, at }
    }
}

/// What performing came to.
pub enum Performed {
    /// It is done, well or badly.
    Outcome(Outcome),
    /// It happens in the transaction that journals it.
    Local(LocalChange),
}

/// A change of the built-in workspace, and the outputs of the action once it happened and so succeeded.
pub enum LocalChange {
    CreateIncident {
        draft: Box<Draft>,
        id: Uuid,
        outputs: WriteOutputs,
    },
    /// Any other change. `etag` is a new one, `outcome` makes the action's outcome of what the change came to.
    Write {
        change: Box<Change>,
        etag: Uuid,
        outcome: WriteOutcome,
    },
}

/// Makes an action's outcome of what a write came to.
pub type WriteOutcome = Box<dyn FnOnce(&Result<Written, Rejected>) -> Outcome + Send>;

/// Writes the outputs as JSON text: it is called where everybody waits for it, and text is what the journal keeps.
pub type WriteOutputs = Box<dyn FnOnce(&Incident) -> Box<RawValue> + Send>;

/// The part of an action that touches the world.
#[async_trait::async_trait]
pub trait Effect: Send + Sync {
    /// What a crash in the middle means, given the input.
    fn kind(&self, input: &Value) -> EffectKind;

    /// Performs one attempt. Never panics on any input; a fault of the world is an [`Outcome`], not an error.
    async fn perform(&self, call: Call<'_>) -> Performed;

    /// What an attempt would come to in a world where everything goes well, with nothing performed: tests of playbooks are
    /// answered with it. What the inputs alone decide is decided as in earnest.
    fn rehearse(&self, call: Rehearsal<'_>) -> Performed {
        Performed::Outcome(call.well())
    }
}
