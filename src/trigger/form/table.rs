//! Which form answers at which address, looked up on every request and worked out once per change of the playbooks.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    engine::{Library, Live},
    playbook::{FormTrigger, Trigger},
};

/// A form in force, with the playbook it starts.
#[derive(Debug)]
pub struct Form {
    pub trigger: FormTrigger,
    pub live: Live,
}

/// The forms of the playbooks in force.
#[derive(Debug)]
pub struct FormTable {
    library: Library,
    known: RwLock<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    source: Arc<Vec<Live>>,
    forms: Arc<Forms>,
}

type Forms = HashMap<String, Arc<Form>>;

impl FormTable {
    /// The forms of `library`, following its changes.
    #[must_use]
    pub fn new(library: Library) -> Self {
        let source = library.current();
        let forms = Arc::new(resolve(&source));
        Self { library, known: RwLock::new(Known { source, forms }) }
    }

    /// The form at `/forms/{path}`; case does not count.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Arc<Form>> {
        let forms = self.forms();
        match forms.get(path) {
            Some(form) => Some(form.clone()),
            None => forms.get(&path.to_lowercase()).cloned(),
        }
    }

    /// Every form, in the order of their paths.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Form>> {
        let mut forms: Vec<_> = self.forms().values().cloned().collect();
        forms.sort_by(|a, b| a.trigger.path.cmp(&b.trigger.path));
        forms
    }

    fn forms(&self) -> Arc<Forms> {
        let current = self.library.current();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&known.source, &current) {
                return known.forms.clone();
            }
        }
        let forms = Arc::new(resolve(&current));
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { source: current, forms: forms.clone() };
        forms
    }
}

fn resolve(playbooks: &[Live]) -> Forms {
    let mut forms = Forms::new();
    for live in playbooks {
        let Trigger::Form(trigger) = &live.playbook.trigger else { continue };
        match forms.entry(trigger.path.to_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(Arc::new(Form { trigger: trigger.clone(), live: live.clone() }));
            }
            // The loader refuses this, but a last good version from before a restart may stand beside a newer file.
            Entry::Occupied(first) => tracing::warn!(
                form = %trigger.path,
                playbook = %live.playbook.name,
                served = %first.get().live.playbook.name,
                "two playbooks ask for one form path; the second is not served"
            ),
        }
    }
    forms
}
