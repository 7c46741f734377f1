//! A run is repeated: a new run of the same report, from its beginning or from where it failed.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{Begin, Engine, Entry, driver::Shared, fallback, journal, run::Run, versions::VersionError};
use crate::{
    action::Identity,
    incident::{Actor, Change, IncidentRef, Precondition, Write},
    limits,
    playbook::ActionStatus,
    store::{
        RunId, StoreError,
        resubmission::{Beginning, FamilyIncident, Origin, Resubmission, Resubmitted, Resumed},
        run::{RunStatus, StoredRun},
    },
};

/// That a run be repeated.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The run that is to be repeated. It has ended.
    pub of: RunId,
    pub from: Beginning,
    /// Whether the new run follows the version of the playbook that is in force instead of the old run's own.
    pub current_version: bool,
    pub by: Actor,
    /// Asked for again with the same key, it is the same run.
    pub key: Option<String>,
}

/// The run that repeats another one, on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    pub run: RunId,
    pub playbook: String,
    pub version: String,
    /// It was asked for before, with the same key.
    pub already: bool,
    /// What whoever asked should know.
    pub warnings: Vec<String>,
}

/// Why a run is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no run {0}")]
    NoRun(RunId),
    #[error("run {run} has not ended; it is {}", status.as_str())]
    NotEnded { run: RunId, status: RunStatus },
    #[error("no action of run {0} failed; it can be repeated from its beginning")]
    NothingFailed(RunId),
    #[error(
        "the trigger of playbook '{playbook}' could make nothing of the report of run {run}, so there is nothing to repeat; mend the playbook and send the report again"
    )]
    NothingBegan { run: RunId, playbook: String },
    #[error("playbook '{0}' is not in force, so there is no current version of it")]
    NotInForce(String),
    #[error("{0}; the version in force may do")]
    Version(String),
    #[error(
        "what run {run} did cannot be told from its journal ({because}), so it cannot go on from where it failed; it can be repeated from its beginning"
    )]
    Unfoldable { run: RunId, because: String },
    #[error(
        "what run {run} did takes more than {} MiB, the most that a run keeps of another, so it cannot go on from where it failed; it can be repeated from its beginning",
        limits::KEPT_BYTES / (1024 * 1024)
    )]
    TooMuch { run: RunId },
    #[error("playbook '{playbook}' takes no further run: {because}")]
    Busy { playbook: String, because: String },
    #[error("the key was used before to repeat run {0} in another way")]
    OtherWish(RunId),
}

impl Engine {
    /// Opens a run that repeats another one, and begins it as far as the playbook's `concurrency` leaves room. It is on
    /// disk when this returns.
    ///
    /// # Errors
    /// When the store cannot take it; inside, why it is refused.
    pub async fn resubmit(&self, wish: Wish) -> Result<Result<Repeated, Refused>, StoreError> {
        let store = &self.shared.services.store;
        let Some(stored) = store.load_run(wish.of).await?.map(Arc::new) else {
            return Ok(Err(Refused::NoRun(wish.of)));
        };
        if !stored.status.has_ended() {
            return Ok(Err(Refused::NotEnded { run: wish.of, status: stored.status }));
        }
        let live = self.shared.library.find(&stored.playbook);
        let version = match (&live, wish.current_version) {
            (Some(live), true) => live.version.clone(),
            (None, true) => return Ok(Err(Refused::NotInForce(stored.playbook.clone()))),
            (_, false) => stored.version.clone(),
        };
        match self.shared.versions.plan(&version).await {
            Ok(_) => {}
            Err(VersionError::Store(error)) => return Err(error),
            Err(error) => return Ok(Err(Refused::Version(error.to_string()))),
        }
        let nothing_began = stored.journal.is_empty() && stored.actions.as_ref().is_none_or(is_empty);
        if stored.status == RunStatus::Failed && nothing_began {
            return Ok(Err(Refused::NothingBegan { run: wish.of, playbook: stored.playbook.clone() }));
        }
        let (run, mut seed) = (Uuid::now_v7(), stored.seed);
        let (mut effects, mut kept, mut warnings) = (run, Vec::new(), Vec::new());
        match wish.from {
            Beginning::Event => {
                getrandom::fill(&mut seed).map_err(|error| StoreError::Failed(error.to_string().into()))?;
            }
            Beginning::Failure => {
                let same_version = version == stored.version;
                let left = match self.left(&stored, run, same_version).await? {
                    Ok(left) => left,
                    Err(refused) => return Ok(Err(refused)),
                };
                (kept, warnings) = left;
                effects = stored.origin.as_ref().map_or(stored.run, |origin| origin.effects);
            }
        }
        let origin = Origin { of: wish.of, from: wish.from, by: wish.by, effects, kept };
        let limit = live.and_then(|live| live.playbook.admission.concurrency);
        let at = self.shared.services.clock.now();
        let asked = Resubmission { run, origin, version: version.clone(), seed, key: wish.key, limit, at };
        for before in store.resubmissions(wish.of).await? {
            if let Some(state) = store.run_state(before).await? {
                warnings.push(format!("It was repeated before, as run {before}, which is {}.", state.status.as_str()));
            }
        }
        let playbook = stored.playbook.clone();
        let repeated = Repeated { run, playbook: playbook.clone(), version: version.clone(), already: false, warnings };
        match store.resubmit(asked).await? {
            Resubmitted::Opened { waiting: false } => self.begin(Begin::Stored(run)),
            Resubmitted::Opened { waiting: true } => self.waits(&playbook, limit).await,
            Resubmitted::Already { run, from, version: before } => {
                // The current version may have become another one since.
                let same = from == wish.from && (wish.current_version || before == version);
                let repeated = Repeated { run, version: before, already: true, warnings: Vec::new(), ..repeated };
                return Ok(if same { Ok(repeated) } else { Err(Refused::OtherWish(wish.of)) });
            }
            Resubmitted::NotEnded(status) => return Ok(Err(Refused::NotEnded { run: wish.of, status })),
            Resubmitted::Busy { because } => return Ok(Err(Refused::Busy { playbook, because })),
            Resubmitted::NoRun => return Ok(Err(Refused::NoRun(wish.of))),
        }
        Ok(Ok(repeated))
    }

    /// Lets a suspended run go on: it is folded anew, and suspended again where this Larum still computes something else
    /// than was recorded. It takes a place under the playbook's `concurrency`, and stays suspended where there is none.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn resume(&self, run: &StoredRun) -> Result<Resumed, StoreError> {
        let limit = self.shared.limit(&run.playbook);
        let resumed = self.shared.services.store.resume(run.run, limit).await?;
        if resumed == Resumed::GoesOn {
            self.begin(Begin::Stored(run.run));
        }
        Ok(resumed)
    }

    /// What is kept of a run for `next`, and what to warn of; inside, why it cannot go on.
    async fn left(
        &self,
        stored: &Arc<StoredRun>,
        next: RunId,
        same_version: bool,
    ) -> Result<Result<(Vec<Vec<u8>>, Vec<String>), Refused>, StoreError> {
        let run = stored.run;
        let unfoldable = |because: String| Ok(Err(Refused::Unfoldable { run, because }));
        let plan = match self.shared.versions.plan(&stored.version).await {
            Ok(plan) => plan,
            Err(VersionError::Store(error)) => return Err(error),
            Err(error) => return unfoldable(error.to_string()),
        };
        if let Some(fault) = self.shared.versions.unreadable_secret(&plan) {
            return unfoldable(fault);
        }
        let machine = match self.fold(stored, usize::MAX).await {
            Ok(past) => past.machine,
            Err(error) => return unfoldable(error.to_string()),
        };
        if machine.is_suspended() {
            return unfoldable("this Larum computes other inputs than were recorded".to_owned());
        }
        if machine.is_paused() {
            return unfoldable("it computed longer than can be followed".to_owned());
        }
        let failed = machine.failed();
        if failed.is_empty() && stored.status == RunStatus::Succeeded {
            return Ok(Err(Refused::NothingFailed(run)));
        }
        let unknown = failed.iter().filter(|(_, status, code)| *status == ActionStatus::Failed && code == UNKNOWN);
        let warnings = unknown.map(|(step, ..)| {
            format!(
                "Action '{step}' ended with {UNKNOWN}: it may have taken effect, and it is performed again all the same."
            )
        });
        let warnings = warnings.collect();
        let vault = &self.shared.services.vault;
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for entry in machine.leaves() {
            // Branches are counted as they stand in the old version.
            if !same_version && !matches!(entry, Entry::Done { .. }) {
                continue;
            }
            let node = plan.find(&entry.step().action).map(|index| plan.node_at(index));
            let is_secret = matches!(&entry, Entry::Done { outcome, .. } if machine.secrets().are_in_outcome(outcome));
            let seal = is_secret || node.is_some_and(|node| node.secure_inputs || node.secure_outputs);
            let text = journal::encode_entry(&entry, seal.then_some((vault, next)));
            let text = text.map_err(|error| StoreError::Failed(error.to_string().into()))?;
            bytes += text.len();
            if bytes > limits::KEPT_BYTES {
                return Ok(Err(Refused::TooMuch { run }));
            }
            kept.push(text);
        }
        Ok(Ok((kept, warnings)))
    }
}

/// The code of an action whose answer was lost with the process.
pub(super) const UNKNOWN: &str = "OutcomeUnknown";

fn is_empty(actions: &Value) -> bool {
    actions.as_array().is_none_or(Vec::is_empty)
}

/// The incident that came of the same report by a run that this one repeats, or that repeats the same; the one that stands
/// for the report before others.
pub(super) async fn family(shared: &Arc<Shared>, stored: &StoredRun) -> Result<Option<FamilyIncident>, StoreError> {
    if stored.origin.is_none() {
        return Ok(None);
    }
    let store = &shared.services.store;
    shared.patiently(|| store.incident_of_family(stored.run, fallback::TAG)).await
}

impl Run<'_> {
    /// What is said on the incident that was made because an earlier run came to nothing, now that this one has ended.
    pub(super) fn note(
        &self,
        family: Option<FamilyIncident>,
        status: RunStatus,
        error: Option<&Value>,
        at: DateTime<Utc>,
    ) -> Option<Box<Write>> {
        let origin = self.stored.origin.as_ref()?;
        let stand_in = family.filter(|incident| incident.is_tagged)?;
        let repeats = format!("run {}, by which {} had run {} repeated,", self.id(), origin.by.name(), origin.of);
        let made = self.incident.map(|number| format!(" and made incident #{number}")).unwrap_or_default();
        let message = match status {
            RunStatus::Succeeded => {
                format!("This report was processed after all: {repeats} succeeded{made}. This incident may be closed.")
            }
            RunStatus::Failed | RunStatus::TimedOut => {
                let part = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
                let (code, message) = (part("code").unwrap_or_default(), part("message").unwrap_or_default());
                let status = status.as_str();
                format!("This report was taken up again: {repeats} ended {status}{made}. {code}: {message}")
            }
            _ => return None,
        };
        let identity = Identity::of(self.id(), "larum/note");
        Some(Box::new(Write {
            by: Actor::Larum,
            causes: self.info.causes(),
            at,
            etag: identity.uuid("etag"),
            change: Change::PutComment {
                incident: IncidentRef::Number(stand_in.number),
                name: identity.uuid("comment").into(),
                message,
                precondition: Precondition::default(),
                any_author: true,
            },
        }))
    }
}
