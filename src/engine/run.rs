//! One run under the local driver: performs what the machine asks for, journals what comes of it, and applies an event
//! only once it is committed, as read back from its stored bytes.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Begin, Command, Delivered, Engine, Event, Input, Machine, News, Plan, Secrets, Step, children, driver::Shared,
    fallback, journal, outside::Calling, recovery::Orphan, roster::Inbox,
};
use crate::{
    action::{Call, Effect, EffectKind, Identity, LocalChange, Nature, Outcome, Performed, RunInfo},
    metrics::{EffectLabels, RunLabels},
    store::{
        RunId, StoreError,
        run::{Finish, LocalEffect, Record, RunStatus, StoredRun, Timer},
    },
};

/// Fraction digits of an instant: the store keeps microseconds.
const INSTANT_DIGITS: u16 = 6;

/// Drives a run until it ends, only waits, or Larum stops.
pub(super) async fn drive(shared: &Arc<Shared>, inbox: &Arc<Inbox>, begin: Begin) {
    shared.services.metrics.active_runs.inc();
    let id = begin.run();
    if let Err(error) = go(shared, inbox, begin).await {
        // It stays open on disk and goes on at the next start.
        if shared.is_draining() {
            tracing::debug!(run = %id, %error, "a run stops where it is");
        } else {
            tracing::error!(run = %id, %error, "a run stops where it is until the next start");
        }
    }
    shared.services.metrics.active_runs.dec();
}

async fn go(shared: &Arc<Shared>, inbox: &Arc<Inbox>, begin: Begin) -> Result<(), StoreError> {
    let store = &shared.services.store;
    let (stored, fresh) = match begin {
        Begin::Fresh(stored) => (*stored, true),
        Begin::Stored(run) => match shared.patiently(|| store.load_run(run)).await? {
            Some(stored) => (stored, false),
            None => return Ok(()),
        },
    };
    match stored.status {
        RunStatus::Running => {}
        RunStatus::Suspended | RunStatus::Waiting if inbox.is_cancelled() => {
            return end_unfolded(shared, &stored).await;
        }
        _ => return Ok(()),
    }
    let plan = match shared.versions.plan(&stored.version).await {
        Ok(plan) => plan,
        Err(super::versions::VersionError::Store(error)) => return Err(error),
        Err(error) => return suspend(shared, &stored, "VersionUnavailable", &error.to_string()).await,
    };
    if let Some(error) = &stored.error {
        return fail(shared, &plan, &stored, error).await;
    }
    let (mut run, journal) = Run::open(shared, inbox, &plan, stored, fresh);
    for bytes in journal {
        if let Err(error) = run.absorb(&bytes) {
            return suspend(shared, &run.stored, "JournalUnreadable", &error.to_string()).await;
        }
    }
    run.recovered();
    run.drive().await
}

/// The machine of a run at its start. A fresh run starts at the very instant that a recovered one reads from the store.
pub(super) fn start(
    plan: &Arc<Plan>,
    stored: &StoredRun,
    info: Arc<RunInfo>,
    secrets: Arc<Secrets>,
) -> (Machine, Vec<Command>) {
    let at = stored.started.trunc_subsecs(INSTANT_DIGITS);
    Machine::start(plan.clone(), Delivered { info, at, seed: stored.seed, secrets })
}

/// Stops a run that cannot be driven, so that a person sees it.
async fn suspend(shared: &Arc<Shared>, stored: &StoredRun, code: &str, message: &str) -> Result<(), StoreError> {
    let error = json!({"code": code, "message": message});
    tracing::error!(run = %stored.run, playbook = %stored.playbook, code, message, "run suspended");
    close(shared, stored, RunStatus::Suspended, Some(&error), "[]", None).await
}

/// Cancels a run that waits or was suspended; its journal is not folded, because there is none or it cannot be.
async fn end_unfolded(shared: &Arc<Shared>, stored: &StoredRun) -> Result<(), StoreError> {
    let actions = stored.actions.as_ref().map_or_else(|| "[]".to_owned(), Value::to_string);
    close(shared, stored, RunStatus::Cancelled, stored.error.as_ref(), &actions, None).await
}

/// Ends a run whose playbook can make nothing of the report; none of its actions began.
async fn fail(shared: &Arc<Shared>, plan: &Plan, stored: &StoredRun, error: &Value) -> Result<(), StoreError> {
    let info = info(stored);
    tracing::warn!(run = %stored.run, playbook = %stored.playbook, %error, "run failed at its trigger");
    close(shared, stored, RunStatus::Failed, Some(error), "[]", plan.playbook.fallback.then_some(&*info)).await
}

/// Ends a run that was not folded, with the fallback incident for what `report` says.
async fn close(
    shared: &Arc<Shared>,
    stored: &StoredRun,
    status: RunStatus,
    error: Option<&Value>,
    actions: &str,
    report: Option<&RunInfo>,
) -> Result<(), StoreError> {
    let (run, at) = (stored.run, shared.services.clock.now());
    let parent = children::parent(&info(stored));
    let finish = || {
        let (error, actions) = (error.cloned(), Bytes::copy_from_slice(actions.as_bytes()));
        let fallback = report.and_then(|report| fallback::for_run(report, true, status, error.as_ref()));
        shared.services.store.finish(Finish { run, status, at, error, actions, fallback, parent })
    };
    if let Some(incident) = shared.patiently(finish).await? {
        shared.services.metrics.incidents.inc();
        shared.watchers.tell(run, &News::Incident(incident.number));
        tracing::info!(incident = incident.number, %run, playbook = %stored.playbook, "incident created");
    }
    let labels = RunLabels { playbook: stored.playbook.clone(), status: status.as_str() };
    shared.services.metrics.runs.get_or_create(&labels).inc();
    shared.watchers.tell(run, &News::Ended(status));
    if let Some(parent) = parent {
        Engine { shared: shared.clone() }.tell(parent);
    }
    shared.vacated(&stored.playbook).await;
    Ok(())
}

/// What actions learn of their run.
pub(super) fn info(stored: &StoredRun) -> Arc<RunInfo> {
    Arc::new(RunInfo {
        run: stored.run,
        playbook: stored.playbook.clone(),
        version: stored.version.clone(),
        event: stored.event,
        kind: stored.kind.clone(),
        summary: stored.summary.clone(),
        resembles: stored.resembles,
        outputs: Arc::new(serde_json::from_str(&stored.outputs).unwrap_or_default()),
    })
}

/// How far a wanted effect is.
enum Progress {
    /// Not journalled yet.
    New,
    /// Its attempt is journalled, to be performed now.
    Journalled,
    /// Its attempt was journalled by an earlier process, which died before the outcome.
    Orphaned,
    /// Under way.
    Performing(futures::future::AbortHandle),
}

/// An effect the machine asked for.
struct Wanted {
    step: Step,
    attempt: u32,
    action: &'static str,
    effect: &'static dyn Effect,
    input: Arc<Value>,
    journalled: Input,
    progress: Progress,
}

/// What an effect came to.
type Landed = Result<(Step, u32, Performed), futures::future::Aborted>;

pub(super) struct Run<'s> {
    pub(super) shared: &'s Arc<Shared>,
    pub(super) inbox: &'s Arc<Inbox>,
    /// Where it came from; its journal and outputs are taken out.
    stored: StoredRun,
    pub(super) info: Arc<RunInfo>,
    plan: Arc<Plan>,
    pub(super) secrets: Arc<Secrets>,
    machine: Machine,
    wanted: Vec<Wanted>,
    flights: FuturesUnordered<BoxFuture<'static, Landed>>,
    timers: BTreeMap<u64, DateTime<Utc>>,
    /// Steps that wait for an answer from outside.
    pub(super) awaits: Vec<Step>,
    /// Runs of other playbooks that steps wait for.
    pub(super) calls: Vec<Calling>,
    /// The answer to the caller, until it is on record.
    pub(super) reply: Option<Value>,
    /// Timers that may have rows in the store.
    rows: Vec<u64>,
    end: Option<(RunStatus, Option<Value>)>,
    incident: Option<u64>,
    /// An incident may exist that this process did not see.
    recovered: bool,
    /// Something it waits for from outside was not looked for yet.
    pub(super) unseen: bool,
}

impl<'s> Run<'s> {
    /// Starts the machine; the journal that is still to be absorbed comes back.
    fn open(
        shared: &'s Arc<Shared>,
        inbox: &'s Arc<Inbox>,
        plan: &Arc<Plan>,
        mut stored: StoredRun,
        fresh: bool,
    ) -> (Self, Vec<Vec<u8>>) {
        let info = info(&stored);
        stored.outputs = "".into();
        let journal = std::mem::take(&mut stored.journal);
        let secrets = shared.versions.secrets(plan);
        let (machine, commands) = start(plan, &stored, info.clone(), secrets.clone());
        let mut run = Self {
            shared,
            inbox,
            stored,
            info,
            plan: plan.clone(),
            secrets,
            machine,
            wanted: Vec::new(),
            flights: FuturesUnordered::new(),
            timers: BTreeMap::new(),
            awaits: Vec::new(),
            calls: Vec::new(),
            reply: None,
            unseen: false,
            rows: Vec::new(),
            end: None,
            incident: None,
            recovered: !fresh,
        };
        run.take(commands);
        (run, journal)
    }

    /// The journal is folded: what was begun and has no outcome was interrupted.
    fn recovered(&mut self) {
        for wanted in &mut self.wanted {
            if matches!(wanted.progress, Progress::Journalled) {
                wanted.progress = Progress::Orphaned;
            }
        }
        self.rows = self.timers.keys().copied().collect();
    }

    pub(super) fn id(&self) -> RunId {
        self.stored.run
    }

    /// The instant of a new event: the clock's, and never before the last event's.
    pub(super) fn at(&self) -> DateTime<Utc> {
        self.shared.services.clock.now().trunc_subsecs(INSTANT_DIGITS).max(self.machine.now())
    }

    async fn drive(&mut self) -> Result<(), StoreError> {
        let mut draining = self.shared.draining.subscribe();
        loop {
            while self.machine.is_paused() && !self.inbox.is_cancelled() {
                let commands = self.machine.go_on();
                self.take(commands);
                tokio::task::yield_now().await;
            }
            if self.inbox.is_cancelled() && self.end.is_none() {
                let event = Event::Cancelled { at: self.at(), pauses: self.machine.pauses() };
                self.commit(vec![event]).await?;
            }
            if let Some((status, error)) = self.end.take() {
                return self.finish(status, error).await;
            }
            let stops = *draining.borrow();
            if (!stops && (self.launch().await? || self.hear_others().await?)) || self.wake().await? {
                continue;
            }
            if self.flights.is_empty() {
                if stops || (self.timers.is_empty() && self.is_stuck()) || self.rest().await? {
                    return Ok(());
                }
                continue;
            }
            self.wait(stops, &mut draining).await?;
        }
    }

    /// A run with nothing to do, nothing to wait for and no end: a fault of the engine, said instead of spun on.
    fn is_stuck(&self) -> bool {
        tracing::error!(run = %self.id(), playbook = %self.info.playbook, "a run has nothing left to do and no end");
        true
    }

    // --- commands ---

    /// Notes what the machine asks for.
    fn take(&mut self, commands: Vec<Command>) {
        for command in commands {
            match command {
                Command::Perform { step, attempt, action, input, journalled } => {
                    let known = self.shared.actions.iter().find(|known| known.spec.name == action);
                    if let Some(Nature::Effect(effect) | Nature::Approval { ask: effect, .. }) =
                        known.map(|known| &known.nature)
                    {
                        let (effect, progress) = (*effect, Progress::New);
                        self.wanted.push(Wanted { step, attempt, action, effect, input, journalled, progress });
                    }
                }
                Command::Drop { step, attempt } => {
                    self.forget(&step, attempt);
                    self.awaits.retain(|awaited| *awaited != step);
                    self.calls.retain(|call| call.step != step);
                }
                Command::Await { step } => {
                    self.awaits.push(step);
                    self.unseen = true;
                }
                Command::Call { step, child, journalled } => {
                    self.calls.push(Calling { step, child, journalled, is_journalled: false, run: None });
                    self.unseen = true;
                }
                Command::Reply { response } => self.reply = Some(response),
                Command::Sleep { timer, until } => {
                    self.timers.insert(timer, until);
                }
                Command::Unsleep { timer } => {
                    self.timers.remove(&timer);
                }
                Command::Finish { status, error } => self.end = Some((status, error)),
            }
        }
    }

    fn forget(&mut self, step: &Step, attempt: u32) {
        self.wanted.retain(|wanted| {
            let this = wanted.step == *step && wanted.attempt == attempt;
            if let (true, Progress::Performing(flight)) = (this, &wanted.progress) {
                flight.abort();
            }
            !this
        });
    }

    /// Applies one committed event, as its stored bytes have it.
    fn absorb(&mut self, bytes: &[u8]) -> Result<(), journal::JournalError> {
        let event = journal::decode(bytes, &self.shared.services.vault, self.id())?;
        match &event {
            Event::Started { step, attempt, .. } => {
                let started = |wanted: &&mut Wanted| wanted.step == *step && wanted.attempt == *attempt;
                if let Some(wanted) = self.wanted.iter_mut().find(started) {
                    wanted.progress = Progress::Journalled;
                }
                for call in self.calls.iter_mut().filter(|call| call.step == *step) {
                    call.is_journalled = true;
                }
            }
            Event::Finished { step, attempt, .. } => {
                let (step, attempt) = (step.clone(), *attempt);
                self.forget(&step, attempt);
            }
            Event::Woke { timer, .. } => {
                self.timers.remove(timer);
            }
            Event::Signalled { step, .. } => self.awaits.retain(|awaited| awaited != step),
            Event::Returned { step, .. } => self.calls.retain(|call| call.step != *step),
            Event::Replied { .. } => self.reply = None,
            Event::Cancelled { .. } => {}
        }
        let commands = self.machine.apply(event);
        self.take(commands);
        Ok(())
    }

    /// Begins what is wanted; `false` when there is nothing to begin.
    async fn launch(&mut self) -> Result<bool, StoreError> {
        let local = |wanted: &Wanted| wanted.effect.kind(&wanted.input) == EffectKind::Local;
        if let Some(first) = self.wanted.iter().position(|wanted| matches!(wanted.progress, Progress::Orphaned)) {
            let wanted = &self.wanted[first];
            match Orphan::of(wanted.effect.kind(&wanted.input)) {
                Orphan::Repeat => self.wanted[first].progress = Progress::Journalled,
                Orphan::Unknown(outcome) => {
                    let event = self.finished(&wanted.step, wanted.attempt, *outcome);
                    self.commit(vec![event]).await?;
                }
            }
            return Ok(true);
        }
        if let Some(first) = self
            .wanted
            .iter()
            .position(|wanted| local(wanted) && matches!(wanted.progress, Progress::New | Progress::Journalled))
        {
            self.perform_local(first).await?;
            return Ok(true);
        }
        let at = self.at();
        let new = self.wanted.iter().filter(|wanted| matches!(wanted.progress, Progress::New));
        let begins: Vec<Event> = new.map(|wanted| started(wanted, at)).collect();
        if !begins.is_empty() {
            // The attempts are on disk before any of them touches the world.
            self.commit(begins).await?;
            return Ok(true);
        }
        let mut flew = false;
        for place in 0..self.wanted.len() {
            if matches!(self.wanted[place].progress, Progress::Journalled) {
                self.fly(place, at);
                flew = true;
            }
        }
        Ok(flew)
    }

    /// Performs an effect beside whatever else the run does.
    fn fly(&mut self, place: usize, at: DateTime<Utc>) {
        let wanted = &mut self.wanted[place];
        let (step, attempt, effect, input) = (wanted.step.clone(), wanted.attempt, wanted.effect, wanted.input.clone());
        let (info, services) = (self.info.clone(), self.shared.services.clone());
        let (flight, abort) = futures::future::abortable(async move {
            let written = step.to_string();
            let identity = Identity::of(info.run, &written);
            let call = Call { run: &info, identity, step: &written, attempt, input: &input, services: &services, at };
            let performed = effect.perform(call).await;
            (step, attempt, performed)
        });
        wanted.progress = Progress::Performing(abort);
        self.flights.push(flight.boxed());
    }

    /// A local effect commits together with its journal events: of a fresh attempt, `Started` goes into the same
    /// transaction, because nothing can have happened before it is committed. So a simple run costs one record and one
    /// finish.
    async fn perform_local(&mut self, place: usize) -> Result<(), StoreError> {
        let at = self.at();
        let wanted = &self.wanted[place];
        let before: Vec<Event> = match wanted.progress {
            Progress::New => vec![started(wanted, at)],
            _ => Vec::new(),
        };
        let (step, attempt, effect, input) = (wanted.step.clone(), wanted.attempt, wanted.effect, wanted.input.clone());
        let written = step.to_string();
        let identity = Identity::of(self.id(), &written);
        loop {
            let services = self.shared.services.clone();
            let call =
                Call { run: &self.info, identity, step: &written, attempt, input: &input, services: &services, at };
            let done = match effect.perform(call).await {
                Performed::Outcome(outcome) => {
                    let finished = self.finished(&step, attempt, outcome);
                    return self.commit(before.into_iter().chain([finished]).collect()).await;
                }
                Performed::Local(change) => self.commit_local(&before, &step, attempt, at, change).await,
            };
            match done {
                Err(error) if error.is_passing() => self.shared.wait_for_store(error).await?,
                done => return done,
            }
        }
    }

    // --- events ---

    /// An outcome as an event, without secrets.
    fn finished(&self, step: &Step, attempt: u32, mut outcome: Outcome) -> Event {
        redact(&self.secrets, &mut outcome);
        Event::Finished { step: step.clone(), attempt, at: self.at(), outcome }
    }

    pub(super) fn encode(&self, event: &Event) -> Result<Vec<u8>, StoreError> {
        let seal = self.is_secure(event).then_some((&self.shared.services.vault, self.id()));
        journal::encode(event, seal).map_err(|error| StoreError::Failed(error.to_string().into()))
    }

    /// Whether the author asked for the event's content to be hidden.
    fn is_secure(&self, event: &Event) -> bool {
        let node = |step: &Step| self.plan.find(&step.action).map(|index| self.plan.node_at(index));
        match event {
            Event::Started { step, .. } => node(step).is_some_and(|node| node.secure_inputs),
            Event::Finished { step, .. } => node(step).is_some_and(|node| node.secure_outputs),
            Event::Signalled { step, .. } | Event::Returned { step, .. } => {
                node(step).is_some_and(|node| node.secure_outputs)
            }
            Event::Woke { .. } | Event::Replied { .. } | Event::Cancelled { .. } => false,
        }
    }

    /// A record without content at the journal's end. Timers on disk go with it; a run that rests writes them anew.
    pub(super) fn blank(&self) -> Blank {
        Blank { run: self.id(), first: self.machine.events(), unsleep: self.rows.clone() }
    }

    /// Journals events and applies them.
    pub(super) async fn commit(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        let bytes = events.iter().map(|event| self.encode(event)).collect::<Result<Vec<_>, _>>()?;
        let (store, blank) = (&self.shared.services.store, self.blank());
        let recorded = self.shared.patiently(|| store.record(blank.with(bytes.clone()))).await?;
        self.count(&events);
        self.apply(&recorded.events)
    }

    /// Journals a local effect with its events and applies them. Not repeated here: the change is used up.
    async fn commit_local(
        &mut self,
        before: &[Event],
        step: &Step,
        attempt: u32,
        at: DateTime<Utc>,
        change: LocalChange,
    ) -> Result<(), StoreError> {
        let before = before.iter().map(|event| self.encode(event)).collect::<Result<Vec<_>, _>>()?;
        let LocalChange::CreateIncident { draft, id, outputs } = change;
        let (secrets, vault, run, step) =
            (self.secrets.clone(), self.shared.services.vault.clone(), self.id(), step.clone());
        let secure = self.plan.find(&step.action).is_some_and(|index| self.plan.node_at(index).secure_outputs);
        let event = move |incident: &crate::incident::Incident| {
            let (outputs, seal) = (outputs(incident), secure.then_some((&vault, run)));
            let event = if secrets.is_empty() {
                journal::encode_success(&step, attempt, at, &outputs, seal)
            } else {
                let mut outcome = Outcome::succeeded(serde_json::from_str(outputs.get()).unwrap_or_default());
                redact(&secrets, &mut outcome);
                journal::encode(&Event::Finished { step, attempt, at, outcome }, seal)
            };
            // Sealing fails only when the system has no randomness; the run is then suspended as unreadable.
            event.unwrap_or_default()
        };
        let mut record = self.blank().with(before);
        let provenance = self.info.provenance();
        record.local = Some(LocalEffect::CreateIncident { draft, provenance, at, id, event: Box::new(event) });
        let recorded = self.shared.services.store.record(record).await?;
        self.shared.store_answered();
        if let Some(incident) = &recorded.incident {
            self.made(incident.number);
        }
        self.apply(&recorded.events)
    }

    pub(super) fn apply(&mut self, events: &[Vec<u8>]) -> Result<(), StoreError> {
        self.rows.clear();
        events
            .iter()
            .try_for_each(|bytes| self.absorb(bytes))
            .map_err(|error| StoreError::Failed(error.to_string().into()))
    }

    fn made(&mut self, incident: u64) {
        self.incident = self.incident.or(Some(incident));
        self.shared.services.metrics.incidents.inc();
        self.shared.watchers.tell(self.id(), &News::Incident(incident));
        tracing::info!(incident, run = %self.id(), playbook = %self.info.playbook, "incident created");
    }

    fn count(&self, events: &[Event]) {
        for event in events {
            let Event::Finished { step, attempt, outcome, .. } = event else { continue };
            let this = |wanted: &&Wanted| wanted.step == *step && wanted.attempt == *attempt;
            if let Some(wanted) = self.wanted.iter().find(this) {
                let labels = EffectLabels { action: wanted.action, status: outcome.status.as_str() };
                self.shared.services.metrics.effects.get_or_create(&labels).inc();
            }
        }
    }

    // --- waiting ---

    /// Journals the timers whose time has come; `false` when there are none.
    async fn wake(&mut self) -> Result<bool, StoreError> {
        let at = self.at();
        let due: Vec<Event> = self
            .timers
            .iter()
            .filter(|(_, until)| **until <= at)
            .map(|(&timer, _)| Event::Woke { timer, at })
            .collect();
        if due.is_empty() {
            return Ok(false);
        }
        self.commit(due).await?;
        Ok(true)
    }

    /// Leaves memory until the first timer; `false` when something came in between.
    async fn rest(&mut self) -> Result<bool, StoreError> {
        let run = self.id();
        let timers: Vec<_> = self.timers.iter().map(|(&timer, &until)| Timer { run, timer, until }).collect();
        let until = self.timers.values().min().copied();
        let (store, blank) = (&self.shared.services.store, self.blank());
        let record = || Record { sleep: timers.clone(), waiting_until: until, ..blank.with(Vec::new()) };
        self.shared.patiently(|| store.record(record())).await?;
        self.rows = self.timers.keys().copied().collect();
        let rests = self.shared.roster.rest(run, self.inbox);
        if rests {
            self.shared.nudge.notify_one();
        }
        Ok(rests)
    }

    /// Waits for an effect to land, a time to come, or word from outside.
    async fn wait(&mut self, stops: bool, draining: &mut watch::Receiver<bool>) -> Result<(), StoreError> {
        let clock = self.shared.services.clock.clone();
        let first = self.timers.values().min().copied();
        let due = async {
            match first {
                Some(until) => clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let landed = tokio::select! {
            landed = self.flights.next() => landed,
            () = due => None,
            () = self.inbox.told() => None,
            _ = draining.changed(), if !stops => None,
        };
        // What landed together is journalled together.
        let mut events = Vec::new();
        let mut next = landed;
        while let Some(landed) = next {
            if let Ok((step, attempt, performed)) = landed
                && self.wanted.iter().any(|wanted| wanted.step == step && wanted.attempt == attempt)
            {
                match performed {
                    Performed::Outcome(outcome) => events.push(self.finished(&step, attempt, outcome)),
                    Performed::Local(change) => {
                        let at = self.at();
                        self.commit_local(&[], &step, attempt, at, change).await?;
                    }
                }
            }
            next = self.flights.next().now_or_never().flatten();
        }
        if events.is_empty() { Ok(()) } else { self.commit(events).await }
    }

    // --- the end ---

    async fn finish(&mut self, status: RunStatus, error: Option<Value>) -> Result<(), StoreError> {
        let (run, at) = (self.id(), self.at());
        let store = &self.shared.services.store;
        let wanted = self.plan.playbook.fallback && self.incident.is_none();
        let actions = Bytes::from(self.machine.take_records());
        let parent = children::parent(&self.info);
        let finish = || {
            let fallback = fallback::for_run(&self.info, wanted, status, error.as_ref());
            store.finish(Finish { run, status, at, error: error.clone(), actions: actions.clone(), fallback, parent })
        };
        if let Some(incident) = self.shared.patiently(finish).await? {
            self.made(incident.number);
        } else if self.recovered && self.incident.is_none() {
            self.incident = store.incident_of_run(run).await.ok().flatten();
        }
        let labels = RunLabels { playbook: self.info.playbook.clone(), status: status.as_str() };
        self.shared.services.metrics.runs.get_or_create(&labels).inc();
        self.shared.watchers.tell(run, &News::Ended(status));
        if let Some(parent) = parent {
            Engine { shared: self.shared.clone() }.tell(parent);
        }
        self.shared.vacated(&self.info.playbook).await;
        let (playbook, status) = (&self.info.playbook, status.as_str());
        match (status, error.as_ref().and_then(|error| error.get("code")).and_then(Value::as_str)) {
            ("Succeeded" | "Cancelled", _) => {
                tracing::info!(%run, %playbook, status, incident = self.incident, "run ended");
            }
            (_, code) => tracing::warn!(%run, %playbook, status, incident = self.incident, code, "run ended"),
        }
        Ok(())
    }
}

/// Where in a run's journal a record goes.
pub(super) struct Blank {
    run: RunId,
    first: u64,
    unsleep: Vec<u64>,
}

impl Blank {
    pub(super) fn with(&self, events: Vec<Vec<u8>>) -> Record {
        Record { unsleep: self.unsleep.clone(), ..Record::events(self.run, self.first, events) }
    }
}

fn started(wanted: &Wanted, at: DateTime<Utc>) -> Event {
    Event::Started { step: wanted.step.clone(), attempt: wanted.attempt, at, input: wanted.journalled.clone() }
}

/// Secrets never reach the journal: live and replay see the same.
pub(super) fn redact(secrets: &Secrets, outcome: &mut Outcome) {
    if secrets.is_empty() {
        return;
    }
    if let Some(outputs) = &mut outcome.outputs {
        outputs.change(|outputs| secrets.redact(outputs));
    }
    if let Some(error) = &mut outcome.error {
        error.message = secrets.redact_text(&error.message).into_owned();
    }
}
