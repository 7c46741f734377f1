//! The playbooks in force: read from the files and from the last good versions in the store, and read again when a
//! file changes. A good edit takes effect for new runs at once; a bad one is reported and the last good version stays.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    action,
    clock::Clock,
    config::Config,
    diagnostic::Diagnostic,
    engine::{Library, Live},
    playbook::{self, Bundle, FileRule, Loading},
    store::{Store, StoreError, Version},
    trigger::rules,
};

/// How long the files must be quiet before they are read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(150);

/// Keeps the library true to the files.
pub struct Shelf {
    pub config: Arc<Config>,
    pub store: Arc<dyn Store>,
    pub library: Library,
    pub clock: Arc<dyn Clock>,
}

/// What a reading of the files came to.
#[derive(Debug, Default)]
pub struct Reading {
    /// Every fault of every file.
    pub faults: Vec<Diagnostic>,
    /// How much the lints say of what is in force.
    pub warnings: usize,
    /// Playbooks that are new or changed, with their versions.
    pub changed: Vec<(String, String)>,
    /// Playbooks whose file is gone.
    pub withdrawn: Vec<String>,
    /// Playbooks whose file is at fault and that stay in force in their last good version.
    pub kept: Vec<String>,
    pub rules: RulesReading,
}

/// What became of the automation rules, by name.
#[derive(Debug, Default)]
pub struct RulesReading {
    /// New or changed.
    pub changed: Vec<String>,
    /// Their file, or the rule in it, is gone.
    pub withdrawn: Vec<String>,
    /// Their file is at fault and they stay in force as they were.
    pub kept: Vec<String>,
}

impl Shelf {
    /// Reads every file and puts what is good in force.
    ///
    /// # Errors
    /// When a version cannot be stored; the library is then as before.
    pub async fn read(&self) -> Result<Reading, StoreError> {
        let vocabulary = action::vocabulary();
        let Loading { playbooks, rules, faults, warnings } =
            playbook::load_folder(&self.config.playbooks, self.config.templates.as_deref(), &self.config, &vocabulary);
        let mut reading = Reading { faults, warnings: warnings.len(), ..Reading::default() };
        let stored = self.store.current_versions().await?;
        let before: BTreeMap<String, String> =
            stored.iter().map(|version| (version.playbook.clone(), version.id.clone())).collect();

        let mut force: BTreeMap<String, Live> = BTreeMap::new();
        for loaded in playbooks {
            let version = loaded.bundle.version();
            let name = loaded.playbook.name.clone();
            if before.get(&name) != Some(&version) {
                let bundle = serde_json::to_string(&loaded.bundle).map_err(|error| failed(&error))?;
                let stored =
                    Version { id: version.clone(), playbook: name.clone(), path: loaded.bundle.path.clone(), bundle };
                self.store.keep_version(stored, self.clock.now()).await?;
                reading.changed.push((name.clone(), version.clone()));
            }
            force.insert(name, Live { version, playbook: Arc::new(loaded.playbook) });
        }

        for version in stored {
            if force.contains_key(&version.playbook) {
                continue;
            }
            // A playbook that was good before and is not now: its file is at fault, or it is gone.
            if !Path::new(&version.path).exists() {
                self.store.withdraw_playbook(&version.playbook, self.clock.now()).await?;
                reading.withdrawn.push(version.playbook);
                continue;
            }
            let bundle: Bundle = serde_json::from_str(&version.bundle).map_err(|error| failed(&error))?;
            match playbook::load(&bundle, &vocabulary) {
                Ok(playbook) => {
                    reading.kept.push(version.playbook.clone());
                    force.insert(version.playbook, Live { version: version.id, playbook: Arc::new(playbook) });
                }
                // A newer Larum may be stricter than the one that took this version in.
                Err(faults) => reading.faults.extend(faults),
            }
        }
        let force: Vec<Live> = force.into_values().collect();
        let rules = self.rules(rules, &mut reading);
        // Nothing may happen unheard once they are in force.
        rules::listen(&force, &rules, &*self.store, self.clock.now()).await?;
        self.library.set(force);
        self.library.set_rules(rules);
        Ok(reading)
    }

    /// The automation rules in force: those that were read, and of a file that is at fault the one it held before. That one
    /// is not kept across restarts, as playbooks are: no report is lost with a rule.
    fn rules(&self, mut read: Vec<FileRule>, reading: &mut Reading) -> Vec<FileRule> {
        let before = self.library.rules();
        let changed = read.iter().filter(|rule| !before.contains(rule));
        reading.rules.changed.extend(changed.map(|rule| rule.name.to_string()));
        for old in before.iter() {
            let (name, path) = (&old.name, &old.path);
            if read.iter().any(|rule| rule.name == *name || rule.path == *path) {
                continue;
            }
            if reading.faults.iter().any(|fault| *fault.source.name == **path) {
                reading.rules.kept.push(name.to_string());
                read.push(old.clone());
            } else {
                reading.rules.withdrawn.push(name.to_string());
            }
        }
        read
    }

    /// Watches the files until `shutdown`, and calls `report` with every reading that changed or found something.
    pub async fn watch(&self, shutdown: CancellationToken, report: impl Fn(Result<Reading, StoreError>)) {
        let (tell, mut told) = mpsc::unbounded_channel();
        // Dropped at the end of this function, which ends the watching.
        let _watcher = match self.watcher(tell) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "playbook files cannot be watched; edits take effect at the next start");
                return shutdown.cancelled().await;
            }
        };
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                event = told.recv() => if event.is_none() { return },
            }
            while tokio::time::timeout(QUIET, told.recv()).await.is_ok_and(|event| event.is_some()) {}
            report(self.read().await);
        }
    }

    fn watcher(&self, tell: mpsc::UnboundedSender<()>) -> notify::Result<RecommendedWatcher> {
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; only changes count.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = tell.send(());
            }
        })?;
        for folder in self.watched() {
            watcher.watch(&folder, RecursiveMode::Recursive)?;
        }
        Ok(watcher)
    }

    /// The folders to watch: of a single file its folder, because editors replace files.
    fn watched(&self) -> Vec<PathBuf> {
        let paths = self.config.playbooks.iter().chain(self.config.templates.as_ref());
        let folders = paths.map(|path| match path.parent() {
            Some(parent) if path.is_file() && !parent.as_os_str().is_empty() => parent.to_owned(),
            Some(_) if path.is_file() => PathBuf::from("."),
            _ => path.clone(),
        });
        folders.filter(|folder| folder.is_dir()).collect()
    }
}

fn failed(error: &serde_json::Error) -> StoreError {
    StoreError::Failed(error.to_string().into())
}
