//! What answers at which address, looked up on every request and worked out once per change of the playbooks.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, PoisonError, RwLock},
};

use crate::engine::{Library, Live};

/// A trigger that is called under an address of its own.
pub trait Addressed: Sized {
    /// What it is called in messages.
    const KIND: &'static str;

    /// What `live` is called by, if its trigger is of this kind.
    fn of(live: &Live) -> Option<Self>;
    /// The last part of its address.
    fn path(&self) -> &str;
    /// The playbook behind it.
    fn live(&self) -> &Live;
}

/// The triggers of one kind of the playbooks in force.
#[derive(Debug)]
pub struct Table<T> {
    library: Library,
    known: RwLock<Known<T>>,
}

#[derive(Debug)]
struct Known<T> {
    source: Arc<Vec<Live>>,
    found: Arc<Found<T>>,
}

type Found<T> = HashMap<String, Arc<T>>;

impl<T: Addressed> Table<T> {
    /// The triggers of `library`, following its changes.
    #[must_use]
    pub fn new(library: Library) -> Self {
        let source = library.current();
        let found = Arc::new(resolve(&source));
        Self { library, known: RwLock::new(Known { source, found }) }
    }

    /// What answers at `path`; case does not count.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Arc<T>> {
        let found = self.found();
        match found.get(path) {
            Some(found) => Some(found.clone()),
            None => found.get(&path.to_lowercase()).cloned(),
        }
    }

    /// Every one, in the order of their paths.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<T>> {
        let mut all: Vec<_> = self.found().values().cloned().collect();
        all.sort_by(|a, b| a.path().cmp(b.path()));
        all
    }

    fn found(&self) -> Arc<Found<T>> {
        let current = self.library.current();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&known.source, &current) {
                return known.found.clone();
            }
        }
        let found = Arc::new(resolve(&current));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { source: current, found: found.clone() };
        found
    }
}

fn resolve<T: Addressed>(playbooks: &[Live]) -> Found<T> {
    let mut found = Found::new();
    for trigger in playbooks.iter().filter_map(T::of) {
        match found.entry(trigger.path().to_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(Arc::new(trigger));
            }
            // The loader refuses this, but a last good version from before a restart may stand beside a newer file.
            Entry::Occupied(first) => tracing::warn!(
                kind = T::KIND,
                path = %trigger.path(),
                playbook = %trigger.live().playbook.name,
                served = %first.get().live().playbook.name,
                "two playbooks ask for one address; the second is not served"
            ),
        }
    }
    found
}
