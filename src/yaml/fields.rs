//! Strict reading of a map: every key is asked for by name, and what nobody asked for is a fault.

use std::{ops::Range, ops::RangeInclusive, time::Duration};

use super::{
    shape::{Need, Shape},
    tree::{Entry, Node, Value},
};
use crate::{
    diagnostic::{Faults, codes, nearest},
    duration,
};

/// The keys of a map while they are read.
#[derive(Debug)]
pub struct Fields<'n> {
    /// What the map is, with its article, for messages.
    what: &'static str,
    /// The table of the keys that are asked for.
    shape: Option<&'static Shape>,
    span: Range<usize>,
    entries: &'n [Entry],
    known: Vec<&'static str>,
    missing: Vec<&'static str>,
    /// Asked for and refused in words of their own.
    refused: Vec<&'static str>,
}

/// What a map is: in words, where its keys are names, or by the table of its keys.
#[derive(Debug, Clone, Copy)]
pub struct What {
    words: &'static str,
    shape: Option<&'static Shape>,
}

impl From<&'static str> for What {
    fn from(words: &'static str) -> Self {
        Self { words, shape: None }
    }
}

impl From<&'static Shape> for What {
    fn from(shape: &'static Shape) -> Self {
        Self { words: shape.what, shape: Some(shape) }
    }
}

/// A value that was found, with the key it was found under.
#[derive(Debug, Clone, Copy)]
pub struct Given<'n> {
    pub key: &'n str,
    pub node: &'n Node,
    key_span: (usize, usize),
}

impl<'n> Fields<'n> {
    /// Begins to read `node`, which is `what` ("a playbook"); a fault when it is no map.
    pub fn of(node: &'n Node, what: impl Into<What>, faults: &mut Faults) -> Option<Self> {
        let What { words, shape } = what.into();
        match &node.value {
            Value::Map(entries) => Some(Self {
                what: words,
                shape,
                span: node.span.clone(),
                entries,
                known: Vec::new(),
                missing: Vec::new(),
                refused: Vec::new(),
            }),
            Value::Broken => None,
            _ => {
                let message = format!("{words} is a map of keys and values, but this is {}", node.kind());
                faults.add(codes::WRONG_TYPE, node.span.clone(), message);
                None
            }
        }
    }

    /// Goes on by another table, now that it is known of which kind the map is.
    pub fn narrow(&mut self, shape: &'static Shape) {
        self.shape = Some(shape);
    }

    /// Where the map stands.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The keys as written, for maps whose keys are names.
    #[must_use]
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    /// The value of a key that may be left out.
    pub fn optional(&mut self, key: &'static str) -> Option<Given<'n>> {
        debug_assert!(self.has(key, Need::Optional), "`{key}` is not an optional key in the table of {}", self.what);
        self.ask(key)
    }

    /// Whether the table has the key.
    fn has(&self, key: &str, need: Need) -> bool {
        let fits = |known: Need| known == need || known == Need::Sometimes;
        self.shape.is_none_or(|shape| shape.key(key).is_some_and(|key| fits(key.need)))
    }

    fn ask(&mut self, key: &'static str) -> Option<Given<'n>> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key == key).map(Given::of)
    }

    /// The value of a key without asking for it: [`Fields::finish`] still reports it when nobody does.
    #[must_use]
    pub fn given(&self, key: &str) -> Option<Given<'n>> {
        self.entries.iter().find(|entry| entry.key == key).map(Given::of)
    }

    /// Takes `keys` as asked for, whatever they hold: what is wrong with them was reported.
    pub fn ignore(&mut self, keys: &[&'static str]) {
        self.refused.extend(keys);
    }

    /// The value of a key that must be there; its absence is reported by [`Fields::finish`].
    pub fn required(&mut self, key: &'static str) -> Option<Given<'n>> {
        debug_assert!(self.has(key, Need::Required), "`{key}` is not a required key in the table of {}", self.what);
        let given = self.ask(key);
        if given.is_none() {
            self.missing.push(key);
        }
        given
    }

    /// Reports those of `keys` that are there: known words for what Larum cannot do yet. True when there was one.
    pub fn not_yet(&mut self, keys: &[&'static str], faults: &mut Faults) -> bool {
        let before = self.refused.len();
        for entry in self.entries {
            if let Some(key) = keys.iter().find(|key| **key == entry.key) {
                self.refused.push(key);
                faults.add(codes::NOT_SUPPORTED, entry.key_span.clone(), format!("`{key}` is not supported yet"));
            }
        }
        self.refused.len() > before
    }

    /// Reports the keys nobody asked for and the required ones that are not there.
    pub fn finish(self, faults: &mut Faults) {
        debug_assert!(
            self.shape.is_none_or(|shape| {
                let asked = |name| self.known.contains(&name) || self.refused.contains(&name);
                shape.keys.iter().all(|key| asked(key.name))
            }),
            "the table of {} has keys that nobody asks for",
            self.what
        );
        let mut missing = self.missing;
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.known.contains(&key) || self.refused.contains(&key) {
                continue;
            }
            let absent =
                self.known.iter().copied().filter(|known| !self.entries.iter().any(|entry| entry.key == *known));
            let snake = snake_case(key);
            let help = if let Some(known) = self.known.iter().find(|known| **known == snake) {
                missing.retain(|missing| missing != known);
                Some(format!("keys are written in snake_case: `{known}`"))
            } else if let Some(near) = nearest(key, absent).or_else(|| nearest(key, self.known.iter().copied())) {
                // A misspelt key is one mistake, not two.
                missing.retain(|missing| *missing != near);
                Some(format!("did you mean `{near}`?"))
            } else if self.known.is_empty() {
                None
            } else {
                Some(format!("it takes {}", listed(self.known.iter().copied())))
            };
            let message = format!("`{key}` is not a key of {}", self.what);
            faults.add_with(codes::UNKNOWN_KEY, entry.key_span.clone(), message, help);
        }
        for key in missing {
            faults.add(codes::MISSING_KEY, self.span.clone(), format!("{} needs `{key}`", self.what));
        }
    }
}

impl<'n> Given<'n> {
    /// The value of an entry.
    #[must_use]
    pub fn of(entry: &'n Entry) -> Self {
        Self { key: &entry.key, node: &entry.value, key_span: (entry.key_span.start, entry.key_span.end) }
    }

    /// Where the key stands.
    #[must_use]
    pub fn key_span(&self) -> Range<usize> {
        self.key_span.0..self.key_span.1
    }

    /// Where the value stands; the key where there is nothing.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        if self.node.span.is_empty() { self.key_span() } else { self.node.span.clone() }
    }

    /// Reports that the value is not `wanted`.
    pub fn wrong_type(&self, wanted: &str, faults: &mut Faults) {
        if self.node.is_broken() {
            return;
        }
        let help = match (&self.node.value, wanted) {
            (Value::Bool(_) | Value::Number(_), "text") => Some("quote it to make it text".to_owned()),
            _ => None,
        };
        let message = format!("`{}` must be {wanted}, but is {}", self.key, self.node.kind());
        faults.add_with(codes::WRONG_TYPE, self.span(), message, help);
    }

    /// Text, possibly empty.
    pub fn text(&self, faults: &mut Faults) -> Option<&'n str> {
        let text = self.node.as_text();
        if text.is_none() {
            self.wrong_type("text", faults);
        }
        text
    }

    /// Text that says something.
    pub fn words(&self, faults: &mut Faults) -> Option<&'n str> {
        let text = self.text(faults)?;
        if text.trim().is_empty() {
            faults.add(codes::BAD_VALUE, self.span(), format!("`{}` must not be empty", self.key));
            return None;
        }
        Some(text)
    }

    /// True or false.
    pub fn flag(&self, faults: &mut Faults) -> Option<bool> {
        if let Value::Bool(value) = self.node.value {
            return Some(value);
        }
        let help =
            self.node.as_text().filter(|text| ["yes", "no", "on", "off"].contains(&text.to_lowercase().as_str()));
        match help {
            Some(word) => {
                let wanted = if ["yes", "on"].contains(&word.to_lowercase().as_str()) { "true" } else { "false" };
                let message = format!("`{}` must be true or false, but is text", self.key);
                faults.add_with(codes::WRONG_TYPE, self.span(), message, Some(format!("write `{wanted}`")));
            }
            None => self.wrong_type("true or false", faults),
        }
        None
    }

    /// A whole number within `bounds`.
    pub fn count(&self, bounds: RangeInclusive<u64>, faults: &mut Faults) -> Option<u64> {
        let Value::Number(number) = &self.node.value else {
            self.wrong_type("a whole number", faults);
            return None;
        };
        let value = number.as_u64().filter(|value| bounds.contains(value));
        if value.is_none() {
            let (low, high) = bounds.into_inner();
            let message = format!("`{}` must be a whole number from {low} to {high}", self.key);
            faults.add(codes::OUT_OF_BOUNDS, self.span(), message);
        }
        value
    }

    /// A duration within `bounds`, which `limits` puts into words.
    pub fn duration(&self, bounds: RangeInclusive<Duration>, limits: &str, faults: &mut Faults) -> Option<Duration> {
        let text = self.text(faults)?;
        let Some(value) = duration::parse(text) else {
            let message = format!("`{text}` is not a duration");
            faults.add_with(codes::NOT_A_DURATION, self.span(), message, Some(duration::FORMS.to_owned()));
            return None;
        };
        if !bounds.contains(&value) {
            faults.add(codes::OUT_OF_BOUNDS, self.span(), format!("`{}` must be {limits}", self.key));
            return None;
        }
        Some(value)
    }

    /// One of `choices`, ignoring case.
    pub fn choice<T: Copy>(&self, choices: &[(&'static str, T)], faults: &mut Faults) -> Option<T> {
        let text = self.text(faults)?;
        let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        if found.is_none() {
            self.not_a_choice(text, choices.iter().map(|(name, _)| *name), faults);
        }
        found
    }

    /// Reports that `text` is none of `choices`.
    pub fn not_a_choice<'c>(&self, text: &str, choices: impl Iterator<Item = &'c str> + Clone, faults: &mut Faults) {
        let help = match nearest(text, choices.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it may be {}", listed(choices)),
        };
        let message = format!("`{text}` is not a value of `{}`", self.key);
        faults.add_with(codes::NOT_A_CHOICE, self.span(), message, Some(help));
    }

    /// The items of a list, each to be read like the list itself.
    pub fn list(&self, faults: &mut Faults) -> Option<Vec<Given<'n>>> {
        let Value::List(items) = &self.node.value else {
            self.wrong_type("a list", faults);
            return None;
        };
        Some(items.iter().map(|node| Self { node, ..*self }).collect())
    }

    /// The items of a list of texts; a text alone counts as a list of one.
    pub fn texts(&self, faults: &mut Faults) -> Option<Vec<(Given<'n>, &'n str)>> {
        if let Some(text) = self.node.as_text() {
            return Some(vec![(*self, text)]);
        }
        let items = self.list(faults)?;
        Some(items.into_iter().filter_map(|item| item.words(faults).map(|text| (item, text))).collect())
    }

    /// Begins to read the value as a map that is `what`.
    pub fn fields(&self, what: impl Into<What>, faults: &mut Faults) -> Option<Fields<'n>> {
        if self.node.value == Value::Null {
            self.wrong_type("a map of keys and values", faults);
            return None;
        }
        Fields::of(self.node, what, faults)
    }
}

/// "`a`, `b` or `c`"
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// `runAfter` and `RunAfter` as `run_after`.
fn snake_case(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 2);
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(if c == '-' { '_' } else { c });
        }
    }
    out
}
