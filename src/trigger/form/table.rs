//! Which form answers at which address, looked up on every request and worked out once per change of the playbooks.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    engine::{Library, Live},
    playbook::{FormTrigger, Trigger},
};

/// A form in force, with every playbook that listens to it.
#[derive(Debug)]
pub struct Form {
    pub trigger: FormTrigger,
    pub playbooks: Vec<Live>,
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
    let mut forms: HashMap<String, Form> = HashMap::new();
    for live in playbooks {
        let Trigger::Form(trigger) = &live.playbook.trigger else { continue };
        let form = forms
            .entry(trigger.path.to_lowercase())
            .or_insert_with(|| Form { trigger: trigger.clone(), playbooks: Vec::new() });
        // One page cannot ask two lists of questions: the playbook that comes first by name keeps the address.
        if form.trigger == *trigger {
            form.playbooks.push(live.clone());
        } else {
            tracing::warn!(
                form = %trigger.path,
                playbook = %live.playbook.name,
                served = form.playbooks.first().map(|first| first.playbook.name.as_str()),
                "two playbooks ask different questions at one form path; the second is not served"
            );
        }
    }
    forms.into_iter().map(|(path, form)| (path, Arc::new(form))).collect()
}
