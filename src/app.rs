//! Wiring: config in, running services out, one shutdown signal.

mod shelf;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use shelf::{Reading, RulesReading, Shelf};

use crate::{
    action::{self, Services, http::HttpClients},
    clock::{Clock, SystemClock},
    config::Config,
    engine::{Engine, Library},
    incident::Workspace,
    limits,
    mail::send::Mailer,
    metrics::Metrics,
    secret::Vault,
    server::{self, Certificates, Entrance, FirstAdmin, FirstAdminError, PagesError, Site, routes::Listener},
    store::{OpenError, SqliteStore, Store, StoreError},
    trigger::{
        dispatch::Dispatcher,
        intake::Door,
        mailbox::{Mailboxes, Timing},
        schedule,
    },
};

/// Why Larum cannot start. Nothing was taken in.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the data folder {path} cannot be made: {source}")]
    DataFolder { path: PathBuf, source: io::Error },
    #[error("the key {path} of the data folder cannot be read or made: {source}")]
    Key { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the playbooks in force cannot be read or kept: {0}")]
    Playbooks(StoreError),
    #[error(transparent)]
    Pages(#[from] PagesError),
    #[error(transparent)]
    FirstAdmin(#[from] FirstAdminError),
    #[error("runs of before cannot be taken up again: {0}")]
    Recovery(StoreError),
}

/// The core without its triggers: what `serve` and `run` have in common.
pub struct Core {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub engine: Engine,
    pub door: Arc<Door>,
    pub vault: Vault,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
}

impl Core {
    /// Opens the data folder (making it when it is missing) and starts the engine. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When the folder cannot be made, locked or opened.
    pub fn open(config: Config) -> Result<Self, StartError> {
        let data = &config.data;
        make_private(data).map_err(|source| StartError::DataFolder { path: data.clone(), source })?;
        let store = SqliteStore::open(data)?;
        Self::over(config, store)
    }

    /// The same over a store that is open already; the data folder exists.
    ///
    /// # Errors
    /// When the folder's key can be neither read nor made.
    pub fn over(config: Config, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let key = config.data.join("key");
        let vault = Vault::open(&key).map_err(|source| StartError::Key { path: key, source })?;
        let config = Arc::new(config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let metrics = Metrics::default();
        let library = Library::default();
        let services = Arc::new(Services {
            config: config.clone(),
            store: store.clone(),
            vault: vault.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            http: HttpClients::default(),
            mailer: Mailer::default(),
        });
        let engine = Engine::start(services, library.clone(), action::ACTIONS);
        let door = Arc::new(Door { store: store.clone(), engine: engine.clone(), library, clock: clock.clone() });
        Ok(Self { config, store, engine, door, vault, metrics, clock })
    }

    /// The playbooks of this configuration.
    #[must_use]
    pub fn shelf(&self) -> Shelf {
        Shelf {
            config: self.config.clone(),
            store: self.store.clone(),
            library: self.door.library.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Lets effects under way end and closes the database. What did not end goes on at the next start.
    pub async fn close(self) {
        self.engine.drain().await;
        self.store.close().await;
    }
}

/// A running Larum.
pub struct App {
    core: Core,
    stop: CancellationToken,
    triggers: Vec<JoinHandle<()>>,
    /// Where the link for the first administrator stands, while there is none.
    first_admin: Option<PathBuf>,
}

/// The ways in.
pub struct Entrances {
    /// To everything.
    pub main: TcpListener,
    /// To forms, hooks and approvals only.
    pub public: Option<TcpListener>,
    /// What both are encrypted with.
    pub certificates: Option<Arc<Certificates>>,
}

impl From<TcpListener> for Entrances {
    /// One way in, to everything, not encrypted.
    fn from(main: TcpListener) -> Self {
        Self { main, public: None, certificates: None }
    }
}

impl App {
    /// Reads the playbooks, takes up the runs that an earlier process left, and starts every trigger and the server at
    /// `entrances`. `report` is called with every reading of the playbook files, the first included.
    ///
    /// # Errors
    /// When anything it needs cannot be had; nothing is left running then.
    pub async fn start(
        core: Core,
        entrances: impl Into<Entrances>,
        report: impl Fn(Result<Reading, StoreError>) + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let shelf = core.shelf();
        report(Ok(shelf.read().await.map_err(StartError::Playbooks)?));
        let recovered = watch::Sender::new(false);
        let site = Site::new(
            &core.config,
            core.door.clone(),
            core.vault.clone(),
            core.metrics.clone(),
            recovered.subscribe(),
        )?;
        let Entrances { main, public, certificates } = entrances.into();
        let server = &core.config.server;
        let url = server.url_at(main.local_addr().unwrap_or(server.listen));
        let link = FirstAdmin::prepare(&*core.store, &core.config.data, &url, core.clock.now()).await?;
        let first_admin = link.as_ref().map(|link| link.file().to_owned());
        if let Some(link) = link {
            site.offer(link);
        }
        let runs = core.engine.recover().await.map_err(StartError::Recovery)?;
        if runs > 0 {
            tracing::info!(runs, "runs of before go on");
        }
        recovered.send_replace(true);

        let stop = CancellationToken::new();
        let mailboxes = Mailboxes {
            door: core.door.clone(),
            connections: core.config.connections.clone(),
            data: core.config.data.clone(),
            vault: core.vault.clone(),
            metrics: core.metrics.clone(),
            timing: Timing::default(),
            retries_left: AtomicBool::new(true),
        };
        let dispatcher = Dispatcher {
            door: core.door.clone(),
            workspace: Workspace::of(&core.config),
            metrics: core.metrics.clone(),
        };
        let watching = stop.clone();
        let entrance = |listener, leads_to| Entrance { listener, leads_to, certificates: certificates.clone() };
        let entrances = std::iter::once(entrance(main, Listener::Main))
            .chain(public.map(|listener| entrance(listener, Listener::Public)));
        let mut triggers: Vec<JoinHandle<()>> = entrances
            .map(|entrance| tokio::spawn(server::serve(entrance, site.clone(), stop.clone().cancelled_owned())))
            .collect();
        if let Some(certificates) = certificates.clone() {
            let stop = stop.clone();
            triggers.push(tokio::spawn(async move { certificates.watch(stop).await }));
        }
        triggers.extend([
            tokio::spawn(mailboxes.run(stop.clone())),
            tokio::spawn(dispatcher.serve(stop.clone())),
            tokio::spawn(schedule::serve(core.door.clone(), core.metrics.clone(), stop.clone())),
            tokio::spawn(async move { shelf.watch(watching, report).await }),
            tokio::spawn(prune(core.store.clone(), core.clock.clone(), core.config.runs.keep, stop.clone())),
            tokio::spawn(index(core.store.clone(), core.clock.clone(), stop.clone())),
        ]);
        Ok(Self { core, stop, triggers, first_admin })
    }

    /// Where the link for the first administrator stands, while there is none.
    #[must_use]
    pub fn first_admin(&self) -> Option<&Path> {
        self.first_admin.as_deref()
    }

    /// Takes nothing more in, lets what is under way come to a point where it can be left, and closes the database.
    pub async fn stop(self) {
        self.stop.cancel();
        for trigger in self.triggers {
            if let Err(error) = trigger.await {
                tracing::error!(%error, "a service ended badly");
            }
        }
        self.core.close().await;
    }
}

/// Deletes runs that ended long ago, once at the start and then from time to time.
async fn prune(store: Arc<dyn Store>, clock: Arc<dyn Clock>, keep: Duration, stop: CancellationToken) {
    loop {
        let now = clock.now();
        // A time to keep runs for that reaches before all time keeps them for ever.
        if let Some(before) = chrono::Duration::from_std(keep).ok().and_then(|keep| now.checked_sub_signed(keep)) {
            match store.prune(before).await {
                Ok(0) => {}
                Ok(runs) => tracing::info!(runs, "runs that ended long ago were deleted"),
                Err(error) => tracing::warn!(%error, "old runs cannot be deleted; they are tried again in an hour"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(now + limits::PRUNE_EVERY) => {}
        }
    }
}

/// Brings what was written into the search index, a portion at a time, and gives way to whoever writes.
async fn index(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut failed = false;
    let (mut rested, mut wrote) = (clock.now(), store.time_writing());
    loop {
        let begun = clock.now();
        let elapsed = |from: chrono::DateTime<chrono::Utc>| (clock.now() - from).to_std().unwrap_or_default();
        // What others wrote while this rested; its own portions do not count.
        let busy = (store.time_writing() - wrote) * limits::INDEX_BUSY > elapsed(rested);
        let indexed = store.index_portion().await;
        if let Err(error) = &indexed
            && !failed
        {
            // Told once, not every few seconds while a disk is full.
            tracing::warn!(%error, "the search index cannot be brought up to date; it is tried again");
        }
        failed = indexed.is_err();
        let rest = match indexed {
            Ok(true) => index_rest(elapsed(begun), busy),
            Ok(false) => limits::INDEX_EVERY,
            Err(_) => limits::STORE_RETRY,
        };
        (rested, wrote) = (clock.now(), store.time_writing());
        tokio::select! {
            () = stop.cancelled() => return,
            () = clock.sleep_until(rested + rest) => {}
        }
    }
}

/// How long indexing rests after a portion that took so long.
fn index_rest(took: Duration, busy: bool) -> Duration {
    if busy {
        (took * limits::INDEX_REST_BUSY).clamp(limits::INDEX_EVERY, limits::INDEX_REST_MOST)
    } else {
        (took * limits::INDEX_REST).min(limits::INDEX_REST_MOST)
    }
}

/// Makes a folder that only its owner may enter: it holds mail and the key.
///
/// # Errors
/// When it cannot be made.
pub fn make_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of rest after a portion that took so many milliseconds.
    #[test]
    fn indexing_gives_way_to_whoever_writes_but_never_stops() {
        let rest = |milliseconds, busy| index_rest(Duration::from_millis(milliseconds), busy).as_secs_f64();
        assert_eq!(
            [(10, false), (2_000, false), (1, true), (30, true), (2_000, true)].map(|(took, busy)| rest(took, busy)),
            [0.09, 5.0, 1.0, 1.47, 5.0]
        );
    }
}
