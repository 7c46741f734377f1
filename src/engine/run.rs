//! One run under the local driver: performs what the machine asks for, journals what comes of it, and applies an event
//! only once it is committed, as read back from its stored bytes.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    Begin, Command, Delivered, Earlier, Event, Machine, News, Plan, Secrets, Step, children,
    driver::Shared,
    fallback, journal,
    outside::Calling,
    past,
    performing::{Landed, Progress, Wanted},
    resubmit,
    roster::Inbox,
    unfolded,
};
use crate::{
    action::{Nature, Performed, RunInfo},
    limits,
    metrics::RunLabels,
    store::{
        RunId, StoreError,
        run::{Finish, Record, RunStatus, StoredRun, Timer},
    },
};

/// Fraction digits of an instant: the store keeps microseconds.
const INSTANT_DIGITS: u16 = 6;

/// Drives a run until it ends, only waits, or Larum stops.
///
/// Returns `false` when something went wrong.
pub(super) async fn drive(shared: &Arc<Shared>, inbox: &Arc<Inbox>, begin: Begin) -> bool {
    shared.services.metrics.active_runs.inc();
    let id = begin.run();
    let went = go(shared, inbox, begin).await;
    if let Err(error) = &went {
        // It stays open on disk and goes on at the next start.
        if shared.is_draining() {
            tracing::debug!(run = %id, %error, "a run stops where it is");
        } else {
            tracing::error!(run = %id, %error, "a run stops where it is until its next wake-up or the next start");
            // Its timers may be due, and would call it again at once.
            let mut draining = shared.draining.subscribe();
            tokio::select! {
                _ = draining.wait_for(|draining| *draining) => {}
                () = tokio::time::sleep(limits::STORE_RETRY) => {}
            }
        }
    }
    shared.services.metrics.active_runs.dec();
    went.is_ok()
}

async fn go(shared: &Arc<Shared>, inbox: &Arc<Inbox>, begin: Begin) -> Result<(), StoreError> {
    let store = &shared.services.store;
    let (stored, fresh) = match begin {
        Begin::Fresh(stored) => (*stored, true),
        Begin::Stored(run) => match shared.patiently(|| store.load_run(run)).await {
            Ok(Some(stored)) => (stored, false),
            Ok(None) => return Ok(()),
            // Left as it is, its timers would call it again and again.
            Err(error) if !error.is_passing() => return unfolded::unreadable(shared, inbox, run, error).await,
            Err(error) => return Err(error),
        },
    };
    match stored.status {
        RunStatus::Running => {}
        RunStatus::Suspended | RunStatus::Waiting if inbox.is_cancelled() => {
            return unfolded::cancel(shared, &stored).await;
        }
        _ => return Ok(()),
    }
    let plan = match shared.versions.plan(&stored.version).await {
        Ok(plan) => plan,
        Err(super::versions::VersionError::Store(error)) => return Err(error),
        Err(error) => return unfolded::suspend(shared, &stored, "VersionUnavailable", &error.to_string()).await,
    };
    // A run that used it already would be another one without it.
    if !stored.journal.is_empty()
        && let Some(fault) = shared.versions.unreadable_secret(&plan)
    {
        return Err(StoreError::Failed(fault.into()));
    }
    if let Some(error) = &stored.error {
        return unfolded::fail(shared, &plan, &stored, error).await;
    }
    let earlier = match past::earlier(&stored, &shared.services.vault) {
        Ok(earlier) => earlier,
        Err(error) => return unfolded::suspend(shared, &stored, "JournalUnreadable", &error.to_string()).await,
    };
    let (mut run, journal) = Run::open(shared, inbox, &plan, stored, earlier, fresh);
    for bytes in journal {
        if let Err(error) = run.absorb(&bytes) {
            return unfolded::suspend(shared, &run.stored, "JournalUnreadable", &error.to_string()).await;
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
    earlier: Arc<Earlier>,
) -> (Machine, Vec<Command>) {
    let at = stored.started.trunc_subsecs(INSTANT_DIGITS);
    Machine::start(plan.clone(), Delivered { info, at, seed: stored.seed, secrets, earlier })
}

/// What actions learn of their run.
pub(super) fn info(stored: &StoredRun) -> Arc<RunInfo> {
    Arc::new(RunInfo {
        run: stored.run,
        effects: stored.origin.as_ref().map_or(stored.run, |origin| origin.effects),
        playbook: stored.playbook.clone(),
        version: stored.version.clone(),
        event: stored.event,
        kind: stored.kind.clone(),
        summary: stored.summary.clone(),
        resembles: stored.resembles,
        outputs: Arc::new(serde_json::from_str(&stored.outputs).unwrap_or_default()),
    })
}

pub(super) struct Run<'s> {
    pub(super) shared: &'s Arc<Shared>,
    pub(super) inbox: &'s Arc<Inbox>,
    /// Where it came from; its journal and outputs are taken out.
    pub(super) stored: StoredRun,
    pub(super) info: Arc<RunInfo>,
    pub(super) plan: Arc<Plan>,
    pub(super) machine: Machine,
    pub(super) wanted: Vec<Wanted>,
    pub(super) flights: FuturesUnordered<BoxFuture<'static, Landed>>,
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
    pub(super) incident: Option<u64>,
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
        earlier: Arc<Earlier>,
        fresh: bool,
    ) -> (Self, Vec<Vec<u8>>) {
        let info = info(&stored);
        stored.outputs = "".into();
        let journal = std::mem::take(&mut stored.journal);
        stored.origin.iter_mut().for_each(|origin| origin.kept = Vec::new());
        let (machine, commands) = start(plan, &stored, info.clone(), shared.versions.secrets(plan), earlier);
        let mut run = Self {
            shared,
            inbox,
            stored,
            info,
            plan: plan.clone(),
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

    // --- events ---

    pub(super) fn encode(&self, event: &Event) -> Result<Vec<u8>, StoreError> {
        let seal = (self.is_secure(event) || self.machine.secrets().are_in(event))
            .then_some((&self.shared.services.vault, self.id()));
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

    pub(super) fn apply(&mut self, events: &[Vec<u8>]) -> Result<(), StoreError> {
        self.rows.clear();
        events
            .iter()
            .try_for_each(|bytes| self.absorb(bytes))
            .map_err(|error| StoreError::Failed(error.to_string().into()))
    }

    pub(super) fn made(&mut self, incident: u64) {
        self.incident = self.incident.or(Some(incident));
        self.shared.services.metrics.incidents.inc();
        self.shared.watchers.tell(self.id(), &News::Incident(incident));
        tracing::info!(incident, run = %self.id(), playbook = %self.info.playbook, "incident created");
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
        if self.stored.origin.is_some() && self.recovered && self.incident.is_none() {
            self.incident = self.shared.patiently(|| store.incident_of_run(run)).await?;
        }
        let family = resubmit::family(self.shared, &self.stored).await?;
        let wanted = self.plan.playbook.fallback && self.incident.is_none() && family.is_none();
        let actions = Bytes::from(self.machine.take_records());
        let parent = children::parent(&self.info, self.stored.origin.as_deref());
        let note = self.note(family, status, error.as_ref(), at);
        let finish = || {
            let note = note.clone();
            let fallback = fallback::for_run(&self.info, wanted, status, error.as_ref());
            store.finish(Finish {
                run,
                status,
                at,
                error: error.clone(),
                actions: actions.clone(),
                fallback,
                note,
                parent,
            })
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
            self.shared.tell(parent);
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
