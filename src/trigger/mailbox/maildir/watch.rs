//! Which files of `new/` are finished: closed or renamed, as the file system tells, or quiet for long enough.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};
use tokio::sync::Notify;

use super::folder::{MaildirError, Waiting};
use crate::limits;

/// Watches `new/`.
pub(super) struct Watch {
    told: Arc<Told>,
    /// Files nobody told about: size, time of change, and since when they have been so.
    observed: HashMap<String, (u64, SystemTime, Instant)>,
    _watcher: RecommendedWatcher,
}

/// What the file system told.
#[derive(Default)]
struct Told {
    files: Mutex<Files>,
    changed: Notify,
}

#[derive(Default)]
struct Files {
    /// Closed after writing, or renamed into place.
    finished: HashSet<String>,
    /// Made, and neither closed nor written to since.
    made: HashSet<String>,
    /// Written to, and not closed since.
    open: HashSet<String>,
    /// The watch itself failed, or the folder went away.
    broken: Option<String>,
}

/// Whether a file can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    Now,
    /// Look again after this long.
    After(Duration),
}

impl Watch {
    pub(super) fn start(new_dir: &Path) -> Result<Self, MaildirError> {
        let told = Arc::new(Told::default());
        let listener = Arc::clone(&told);
        let unwatchable =
            |error: notify::Error| MaildirError::Unwatchable { path: new_dir.to_owned(), reason: error.to_string() };
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let mut files = listener.files.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Ok(event) if !files.note(&event) => return,
                Ok(_) => {}
                Err(error) => files.broken = Some(error.to_string()),
            }
            drop(files);
            listener.changed.notify_one();
        })
        .map_err(unwatchable)?;
        watcher.watch(new_dir, RecursiveMode::NonRecursive).map_err(unwatchable)?;
        Ok(Self { told, observed: HashMap::new(), _watcher: watcher })
    }

    /// Returns when the file system told of something.
    pub(super) async fn changed(&self) {
        self.told.changed.notified().await;
    }

    /// Why the watch no longer works, if it does not.
    pub(super) fn broken(&self) -> Option<String> {
        self.files().broken.clone()
    }

    /// Whether a file is finished.
    pub(super) fn ready(&mut self, file: &Waiting) -> Ready {
        let quiet = {
            let files = self.files();
            if files.finished.contains(&file.name) {
                return Ready::Now;
            } else if files.open.contains(&file.name) {
                limits::MAILDIR_QUIET_AFTER_WRITING
            } else if files.made.contains(&file.name) {
                limits::MAILDIR_QUIET_AFTER_CREATION
            } else if file.modified.elapsed().is_ok_and(|age| age >= limits::MAILDIR_QUIET_AFTER_CREATION) {
                return Ready::Now;
            } else {
                limits::MAILDIR_QUIET
            }
        };
        let state = (file.bytes, file.modified);
        let since = match self.observed.get(&file.name) {
            Some((bytes, modified, since)) if (*bytes, *modified) == state => *since,
            _ => {
                let now = Instant::now();
                self.observed.insert(file.name.clone(), (file.bytes, file.modified, now));
                now
            }
        };
        match quiet.checked_sub(since.elapsed()) {
            Some(left) if !left.is_zero() => Ready::After(left),
            _ => Ready::Now,
        }
    }

    /// Forgets files that are no longer in `new/`.
    pub(super) fn forget(&mut self, names: &[String]) {
        let mut files = self.told.files.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            files.finished.remove(name);
            files.made.remove(name);
            files.open.remove(name);
            self.observed.remove(name);
        }
    }

    fn files(&self) -> std::sync::MutexGuard<'_, Files> {
        self.told.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    /// Notes an event; `false` when it says nothing of interest.
    fn note(&mut self, event: &Event) -> bool {
        // Events were lost, perhaps that a file was closed: time must tell.
        if event.need_rescan() {
            self.made.extend(self.open.drain());
            return true;
        }
        let names = event.paths.iter().filter_map(|path| path.file_name()?.to_str()).map(str::to_owned);
        match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                for name in names {
                    self.made.remove(&name);
                    self.open.remove(&name);
                    self.finished.insert(name);
                }
                true
            }
            EventKind::Create(_) => {
                self.made.extend(names);
                true
            }
            EventKind::Modify(ModifyKind::Data(_)) => {
                for name in names {
                    self.finished.remove(&name);
                    self.open.insert(name);
                }
                false
            }
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                for name in names {
                    // The folder itself: it has to be made and watched anew.
                    if name == "new" {
                        self.broken = Some("the folder was moved or removed".to_owned());
                        return true;
                    }
                    self.made.remove(&name);
                    self.open.remove(&name);
                    self.finished.remove(&name);
                }
                false
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, name: &str) -> Event {
        Event::new(kind).add_path(Path::new("/mail/new").join(name))
    }

    fn waiting(name: &str) -> Waiting {
        Waiting { name: name.into(), bytes: 1, modified: SystemTime::now() }
    }

    #[test]
    fn a_file_is_ready_when_it_was_closed_or_renamed_and_not_while_it_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::start(folder.path()).unwrap();
        let created = EventKind::Create(notify::event::CreateKind::File);
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let written = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        watch.files().note(&event(created, "a"));
        assert!(matches!(watch.ready(&waiting("a")), Ready::After(left) if left > limits::MAILDIR_QUIET));
        watch.files().note(&event(written, "a"));
        assert!(
            matches!(watch.ready(&waiting("a")), Ready::After(left) if left > limits::MAILDIR_QUIET_AFTER_CREATION)
        );
        watch.files().note(&event(closed, "a"));
        assert_eq!(watch.ready(&waiting("a")), Ready::Now);
        watch.files().note(&event(renamed, "b"));
        assert_eq!(watch.ready(&waiting("b")), Ready::Now);
        // Nobody told of it: it was there before, or this file system tells nothing.
        assert!(matches!(watch.ready(&waiting("c")), Ready::After(left) if left <= limits::MAILDIR_QUIET));
        let old = SystemTime::now() - limits::MAILDIR_QUIET_AFTER_CREATION;
        assert_eq!(watch.ready(&Waiting { name: "d".into(), bytes: 1, modified: old }), Ready::Now);
    }
}
