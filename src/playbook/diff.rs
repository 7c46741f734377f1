//! What changes in meaning from one version of a playbook to another.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use super::outline::{self, Outline, Step};
use crate::duration;

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 100;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Of a key outside `actions:`, its path with dots.
    Head {
        path: String,
        from: Option<String>,
        to: Option<String>,
    },
    /// An action that is new, with what it does and where it stands.
    Added {
        id: String,
        kind: String,
        place: String,
    },
    Removed {
        id: String,
        kind: String,
        place: String,
    },
    /// The same action under another id.
    Renamed {
        from: String,
        to: String,
    },
    /// An action that stands in another list.
    Moved {
        id: String,
        from: String,
        to: String,
    },
    /// A key of an action, `run_after` among them, also where it follows from the order.
    Field {
        id: String,
        path: String,
        from: Option<String>,
        to: Option<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = |from: &Option<String>, to: &Option<String>| match (from, to) {
            (Some(from), Some(to)) => format!("{from} → {to}"),
            (None, Some(to)) => format!("now {to}"),
            (Some(from), None) => format!("no longer {from}"),
            (None, None) => String::new(),
        };
        match self {
            Self::Head { path, from, to } => write!(f, "~ {path}: {}", values(from, to)),
            Self::Added { id, kind, place } => write!(f, "+ {id} ({kind}) in {place}"),
            Self::Removed { id, kind, place } => write!(f, "- {id} ({kind}) in {place}"),
            Self::Renamed { from, to } => write!(f, "~ {from} is now called {to}"),
            Self::Moved { id, from, to } => write!(f, "> {id} moves from {from} to {to}"),
            Self::Field { id, path, from, to } => write!(f, "~ {id}: {path}: {}", values(from, to)),
        }
    }
}

/// An action with the list it stands in.
type Placed<'s> = (String, &'s Step);

/// The changes from `old` to `new`: of the head, then of actions that went, then of those that are there, in their order.
#[must_use]
pub fn changes(old: &Outline, new: &Outline) -> Vec<Change> {
    let mut out = Vec::new();
    fields(&old.head, &new.head, "", &mut |path, from, to| out.push(Change::Head { path, from, to }));
    let (mut before, mut after) = (Vec::new(), Vec::new());
    placed(&old.steps, "actions", &mut before);
    placed(&new.steps, "actions", &mut after);
    let by_id = |all: &[Placed<'_>]| -> BTreeMap<String, usize> {
        all.iter().enumerate().map(|(index, (_, step))| (step.id.to_lowercase(), index)).collect()
    };
    let (old_ids, new_ids) = (by_id(&before), by_id(&after));
    // Another id and nothing else: the same action.
    let mut renamed: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, (place, step)) in
        after.iter().enumerate().filter(|(_, (_, step))| !old_ids.contains_key(&step.id.to_lowercase()))
    {
        let same = before.iter().enumerate().find(|(candidate, (old_place, old_step))| {
            let gone =
                !new_ids.contains_key(&old_step.id.to_lowercase()) && !renamed.values().any(|taken| taken == candidate);
            gone && old_place == place && old_step.kind == step.kind && old_step.fields == step.fields
        });
        if let Some((candidate, _)) = same {
            renamed.insert(index, candidate);
        }
    }
    for (index, (place, step)) in before.iter().enumerate() {
        if !new_ids.contains_key(&step.id.to_lowercase()) && !renamed.values().any(|taken| *taken == index) {
            out.push(Change::Removed { id: step.id.clone(), kind: step.kind.clone(), place: place.clone() });
        }
    }
    for (index, (place, step)) in after.iter().enumerate() {
        let id = step.id.clone();
        let Some(old) = renamed.get(&index).or_else(|| old_ids.get(&id.to_lowercase())) else {
            out.push(Change::Added { id, kind: step.kind.clone(), place: place.clone() });
            continue;
        };
        let (old_place, old) = &before[*old];
        if renamed.contains_key(&index) {
            out.push(Change::Renamed { from: old.id.clone(), to: id.clone() });
        }
        if old_place != place {
            out.push(Change::Moved { id: id.clone(), from: old_place.clone(), to: place.clone() });
        }
        let whole = |step: &Step| {
            let mut all = step.fields.clone();
            all.insert("run_after".to_owned(), outline::written(&step.after));
            all
        };
        fields(&whole(old), &whole(step), "", &mut |path, from, to| {
            out.push(Change::Field { id: id.clone(), path, from, to });
        });
    }
    out
}

fn placed<'s>(steps: &'s [Step], place: &str, out: &mut Vec<Placed<'s>>) {
    for step in steps {
        out.push((place.to_owned(), step));
        for (name, inner) in &step.branches {
            placed(inner, &format!("`{name}` of {}", step.id), out);
        }
    }
}

/// Reports what differs, maps key by key and lists of one length item by item.
fn fields(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    path: &str,
    report: &mut impl FnMut(String, Option<String>, Option<String>),
) {
    let inside = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, value) in old {
        values(Some(value), new.get(key), &inside(key), report);
    }
    for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        values(None, Some(value), &inside(key), report);
    }
}

fn values(
    old: Option<&Value>,
    new: Option<&Value>,
    path: &str,
    report: &mut dyn FnMut(String, Option<String>, Option<String>),
) {
    match (old, new) {
        (old, new) if old == new || is_one_duration(path, old, new) => {}
        // What an action waits for is one thing.
        (Some(Value::Object(old)), Some(Value::Object(new))) if path != "run_after" => {
            fields(old, new, path, &mut |path, from, to| report(path, from, to));
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                values(Some(old), Some(new), &format!("{path}[{index}]"), report);
            }
        }
        (old, new) => report(path.to_owned(), old.map(shown), new.map(shown)),
    }
}

/// Whether both are the same time in other words, at a key that takes one.
fn is_one_duration(path: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
    let keys = ["timeout", "interval", "minimum_interval", "maximum_interval", "every"];
    let own = !path.split('.').any(|part| matches!(part, "with" | "inputs" | "variables" | "parameters"));
    let read = |value: Option<&Value>| value.and_then(Value::as_str).and_then(duration::parse);
    own && path.rsplit('.').next().is_some_and(|key| keys.contains(&key))
        && read(old).is_some_and(|old| read(new) == Some(old))
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
