//! The local driver: takes runs in turn and drives each in a task of its own.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch},
};

use super::{
    Library, Watch, concurrency,
    roster::{Inbox, Roster},
    run, timers,
    versions::Versions,
    watch::Watchers,
};
use crate::{
    action::{ActionType, Services},
    limits,
    store::{
        RunId, StoreError,
        run::{RunStatus, StoredRun},
    },
};

/// The handle by which runs are handed to the engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
}

/// A run to be driven.
pub enum Begin {
    /// Just opened by the intake door: everything is in memory already.
    Fresh(Box<StoredRun>),
    /// To be read from the store: recovery, a timer, a signal.
    Stored(RunId),
}

impl Begin {
    pub(super) fn run(&self) -> RunId {
        match self {
            Self::Fresh(stored) => stored.run,
            Self::Stored(run) => *run,
        }
    }

    /// Bytes it holds in memory while it waits.
    fn weight(&self) -> usize {
        match self {
            Self::Fresh(stored) => stored.outputs.len(),
            Self::Stored(_) => 0,
        }
    }
}

/// What the driver's tasks share.
pub(super) struct Shared {
    pub(super) services: Arc<Services>,
    pub(super) actions: &'static [ActionType],
    pub(super) versions: Versions,
    pub(super) library: Library,
    pub(super) roster: Roster,
    pub(super) watchers: Arc<Watchers>,
    pub(super) draining: watch::Sender<bool>,
    /// A run went to sleep: the next timer may be an earlier one.
    pub(super) nudge: Notify,
    /// Where runs are driven, whoever begins them.
    runtime: Handle,
    slots: Arc<Semaphore>,
    queue: mpsc::UnboundedSender<Job>,
    queued: AtomicUsize,
    store_is_down: AtomicBool,
}

struct Job {
    begin: Begin,
    inbox: Arc<Inbox>,
}

impl Engine {
    /// Starts the driver and the timers on the current tokio runtime. Nothing runs until it is given something:
    /// [`Engine::recover`] finds what an earlier process left.
    #[must_use]
    pub fn start(services: Arc<Services>, library: Library, actions: &'static [ActionType]) -> Self {
        let (queue, jobs) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            versions: Versions::new(services.clone(), library.clone(), actions),
            library,
            services,
            actions,
            roster: Roster::default(),
            watchers: Arc::default(),
            draining: watch::Sender::new(false),
            nudge: Notify::new(),
            runtime: Handle::current(),
            slots: Arc::new(Semaphore::new(limits::ACTIVE_RUNS)),
            queue,
            queued: AtomicUsize::new(0),
            store_is_down: AtomicBool::new(false),
        });
        tokio::spawn(dispatch(shared.clone(), jobs));
        tokio::spawn(timers::serve(shared.clone()));
        tokio::spawn(concurrency::serve(shared.clone()));
        Self { shared }
    }

    /// Drives a run. Returns at once; when many runs are active it waits its turn. A run that is driven already stays as
    /// it is, and one that comes while Larum is stopping is found again by recovery at the next start.
    pub fn begin(&self, run: Begin) {
        if let Some(inbox) = self.shared.roster.enter(run.run()) {
            self.shared.enqueue(run, inbox);
        }
    }

    /// Ends a run as cancelled, also a waiting or a suspended one. Returns at once; [`Engine::watch`] tells when it is done.
    pub fn cancel(&self, run: RunId) {
        if let Some(inbox) = self.shared.roster.cancel(run) {
            self.shared.enqueue(Begin::Stored(run), inbox);
        }
    }

    /// A wait for what a run answers its caller ([`News::Replied`](super::News)) or its end.
    #[must_use]
    pub fn watch_reply(&self, run: RunId) -> Watch {
        self.shared.watchers.watch_reply(run)
    }

    /// A wait for a run's first incident or its end. Only what happens from now on is heard, so a form calls this with the
    /// run's id before its report goes through the intake door.
    #[must_use]
    pub fn watch(&self, run: RunId) -> Watch {
        self.shared.watchers.watch(run)
    }

    /// Stops: effects under way are finished and journalled, no new one begins, everything else stays on disk for the next
    /// start. Returns when the last run has left memory.
    pub async fn drain(&self) {
        self.shared.draining.send_replace(true);
        let all = u32::try_from(limits::ACTIVE_RUNS).unwrap_or(u32::MAX);
        // The semaphore is never closed, so this only returns with every slot free.
        let _ = self.shared.slots.acquire_many(all).await;
    }

    /// How many runs are in memory, waiting their turn included.
    #[must_use]
    pub fn runs_in_memory(&self) -> usize {
        self.shared.roster.len()
    }
}

impl Shared {
    /// Tells a run that something it waits for came from outside: an answer, or the end of a run it started.
    pub(super) fn tell(self: &Arc<Self>, run: RunId) {
        if let Some(inbox) = self.roster.tell(run) {
            self.enqueue(Begin::Stored(run), inbox);
        }
    }

    fn enqueue(self: &Arc<Self>, begin: Begin, inbox: Arc<Inbox>) {
        // There is a free slot only when nothing waits for one. Looked at after it is taken: whoever drains takes them all.
        if let Ok(slot) = self.slots.clone().try_acquire_owned()
            && !self.is_draining()
        {
            return self.drive(begin, inbox, slot);
        }
        // What would fill the memory while it waits is read back from the store when its turn comes.
        let full = self.queued.load(Ordering::Relaxed).saturating_add(begin.weight()) > limits::QUEUED_RUN_BYTES;
        let begin = if full { Begin::Stored(begin.run()) } else { begin };
        self.queued.fetch_add(begin.weight(), Ordering::Relaxed);
        if let Err(mpsc::error::SendError(job)) = self.queue.send(Job { begin, inbox }) {
            self.roster.leave(job.begin.run(), &job.inbox);
        }
    }

    /// Drives a run in a task of its own.
    fn drive(self: &Arc<Self>, begin: Begin, inbox: Arc<Inbox>, slot: OwnedSemaphorePermit) {
        let place = Place { run: begin.run(), inbox, shared: self.clone() };
        self.runtime.spawn(async move {
            let _slot = slot;
            let went = run::drive(&place.shared, &place.inbox, begin).await;
            let (run, inbox, shared) = (place.run, place.inbox.clone(), place.shared.clone());
            drop(place);
            // A cancel that came while the run was being suspended still found it here.
            if went && inbox.is_cancelled() && shared.is_suspended(run).await {
                Engine { shared }.cancel(run);
            }
        });
    }

    async fn is_suspended(&self, run: RunId) -> bool {
        let state = self.services.store.run_state(run).await;
        state.is_ok_and(|state| state.is_some_and(|state| state.status == RunStatus::Suspended))
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits before a store operation that found no room is tried again. An error when Larum is stopping instead.
    pub(super) async fn wait_for_store(&self, error: StoreError) -> Result<(), StoreError> {
        if !self.store_is_down.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "runs wait until the store can be written again");
        }
        let mut draining = self.draining.subscribe();
        tokio::select! {
            _ = draining.wait_for(|draining| *draining) => Err(error),
            () = tokio::time::sleep(limits::STORE_RETRY) => Ok(()),
        }
    }

    /// Repeats a store operation for as long as the store only lacks room or rights; nothing was committed then.
    pub(super) async fn patiently<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match operation().await {
                Err(error) if error.is_passing() => self.wait_for_store(error).await?,
                done => {
                    self.store_answered();
                    return done;
                }
            }
        }
    }

    pub(super) fn store_answered(&self) {
        if self.store_is_down.load(Ordering::Relaxed) && self.store_is_down.swap(false, Ordering::Relaxed) {
            tracing::info!("the store can be written again");
        }
    }
}

/// Gives each run a task as soon as a slot is free.
async fn dispatch(shared: Arc<Shared>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut draining = shared.draining.subscribe();
    loop {
        let job = tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => return,
            job = jobs.recv() => job,
        };
        let Some(Job { begin, inbox }) = job else { return };
        shared.queued.fetch_sub(begin.weight(), Ordering::Relaxed);
        let slot = tokio::select! {
            biased;
            _ = draining.wait_for(|draining| *draining) => return,
            slot = shared.slots.clone().acquire_owned() => slot,
        };
        let Ok(slot) = slot else { return };
        shared.drive(begin, inbox, slot);
    }
}

/// A run's place in memory; given up however its task ends.
struct Place {
    run: RunId,
    inbox: Arc<Inbox>,
    shared: Arc<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.roster.leave(self.run, &self.inbox);
    }
}
