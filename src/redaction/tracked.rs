//! Secrets of a run, and what becomes of them when they are computed with.
//!
//! What is computed from values that hold a secret is computed once more from the same values with each secret replaced
//! by letters that mean nothing. Where both come to the same, but for those letters, nothing new is known of the secret.
//! Where they differ, that piece of the result comes from the secret, and is one itself from then on.

use std::{
    borrow::Cow,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;

use super::{Redaction, is_long_enough, texts::Texts};
use crate::limits;

/// The secrets of one run, with those that were derived so far. The same computations in the same order give the same set.
#[derive(Debug, Default)]
pub struct Tracked {
    known: Mutex<Known>,
    /// There is something to look for. It is asked for each expression, so it takes no lock.
    any: AtomicBool,
}

#[derive(Debug, Default, Clone)]
struct Known {
    redaction: Redaction,
    /// Of what came to be known since the run began.
    learned_bytes: usize,
}

impl Known {
    fn count(&mut self, bytes: usize) -> Result<(), TooMuchDerived> {
        self.learned_bytes += bytes;
        if self.learned_bytes > limits::DERIVED_SECRET_BYTES { Err(TooMuchDerived) } else { Ok(()) }
    }
}

/// Too much was derived from secrets, or stood in `secure:` fields, to remember all of it.
#[derive(Debug, thiserror::Error)]
#[error("More than {} MiB were derived from secrets or stood in secure fields in this run, which is more than can be kept track of.", limits::DERIVED_SECRET_BYTES >> 20)]
pub struct TooMuchDerived;

impl Tracked {
    /// These secrets and nothing derived.
    #[must_use]
    pub fn new(redaction: Redaction) -> Self {
        let any = AtomicBool::new(!redaction.is_empty());
        Self { known: Mutex::new(Known { redaction, learned_bytes: 0 }), any }
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same text without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() { Cow::Borrowed(text) } else { self.known().redaction.text(text) }
    }

    /// Takes secrets out of every text in `value`, keys included.
    pub fn value(&self, value: &mut Value) {
        if !self.is_empty() {
            self.known().redaction.value(value);
        }
    }

    /// Whether a secret stands in `value`.
    #[must_use]
    pub fn is_in(&self, value: &Value) -> bool {
        !self.is_empty() && self.known().redaction.is_in(value)
    }

    /// Every text and number in `value`, of at least six characters, is a secret from now on, unless it stands in a text of
    /// `open` or is a number of it. Keys are names and no secrets. `open` is gone through once, whatever `value` holds.
    ///
    /// # Errors
    /// When there is more to remember than a run may have.
    pub fn add(&self, value: &Value, open: &Value) -> Result<(), TooMuchDerived> {
        let mut new = Texts::default();
        each_leaf(value, &mut |text, _| {
            new.insert(text);
        });
        if new.is_empty() {
            return Ok(());
        }
        each_leaf(open, &mut |text, is_number| if is_number { new.remove(text) } else { new.remove_those_in(text) });
        let mut known = self.known();
        let mut bytes = 0;
        each_leaf(value, &mut |text, _| {
            if new.contains(text) && known.redaction.insert(text) {
                bytes += text.len();
            }
        });
        self.any.store(!known.redaction.is_empty(), Ordering::Release);
        known.count(bytes)
    }

    /// Keeps track of a computation: `given` came to `result`, and `again` computes the same from other values.
    ///
    /// # Errors
    /// When there is more to remember than a run may have.
    pub fn follow(
        &self,
        given: &[&Value],
        result: &Value,
        again: impl FnOnce(Vec<Value>) -> Option<Value>,
    ) -> Result<(), TooMuchDerived> {
        if self.is_empty() || !is_worth_a_look(result) {
            return Ok(());
        }
        let mut known = self.known();
        if !given.iter().any(|value| known.redaction.is_in(value)) {
            return Ok(());
        }
        let masked: Vec<Value> = given.iter().map(|value| known.redaction.masked(value)).collect();
        // What it comes to without the secrets is of no interest to anyone else, and it derives nothing.
        let twin = again(masked);
        let mut compared = Compared { redaction: &known.redaction, derived: Vec::new(), alone: Vec::new() };
        compared.value(result, twin.as_ref());
        let Compared { mut derived, alone, .. } = compared;
        derived.extend(known.redaction.not_beside(given, alone));
        let mut bytes = 0;
        for piece in derived {
            if known.redaction.texts.insert(&piece) {
                bytes += piece.len();
            }
        }
        known.count(bytes)
    }
}

/// Whether there is anything in a result that is long enough to be tracked.
fn is_worth_a_look(result: &Value) -> bool {
    match result {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => is_long_enough(&number.to_string()),
        Value::String(text) => is_long_enough(text),
        Value::Array(items) => items.iter().any(is_worth_a_look),
        Value::Object(members) => members.iter().any(|(key, member)| is_long_enough(key) || is_worth_a_look(member)),
    }
}

/// Each text, and each number as text.
fn each_leaf(value: &Value, look: &mut dyn FnMut(&str, bool)) {
    match value {
        Value::String(text) => look(text, false),
        Value::Number(number) => look(&number.to_string(), true),
        Value::Array(items) => items.iter().for_each(|item| each_leaf(item, look)),
        Value::Object(members) => members.values().for_each(|member| each_leaf(member, look)),
        Value::Null | Value::Bool(_) => {}
    }
}

/// What stands for a letter of a secret: another one in every bit that base64 groups by, and in no case the same.
fn filler(letter: char) -> char {
    let code = u32::from(letter);
    let base = if code < 0x40 { b'p' } else { b'0' };
    char::from(base + u8::try_from(!code & 3).unwrap_or_default())
}

impl Redaction {
    fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replace(text, |secret, masked| masked.extend(secret.chars().map(filler)))
    }

    /// The value with its secrets replaced by letters that mean nothing.
    fn masked(&self, value: &Value) -> Value {
        let mut masked = value.clone();
        self.change(&mut masked, &|text| self.mask(text), &Value::from(1));
        masked
    }

    /// What stands beside secrets in the texts of `value`.
    fn beside(&self, value: &Value, look: &mut dyn FnMut(&str)) {
        match value {
            Value::String(text) => self.beside_in(text, look),
            Value::Number(number) => self.beside_in(&number.to_string(), look),
            Value::Array(items) => items.iter().for_each(|item| self.beside(item, look)),
            Value::Object(members) => {
                for (key, member) in members {
                    self.beside_in(key, look);
                    self.beside(member, look);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn beside_in(&self, text: &str, look: &mut dyn FnMut(&str)) {
        let mut from = 0;
        for span in self.spans(text).into_iter().chain(std::iter::once(text.len()..text.len())) {
            if span.start > from {
                look(&text[from..span.start]);
            }
            from = span.end;
        }
    }

    /// Those of `texts` that are not made of secrets and what stood beside them in what was given. That is gone through once,
    /// however many they are.
    fn not_beside(&self, given: &[&Value], mut texts: Vec<String>) -> Vec<String> {
        let mut unknown = Texts::default();
        texts.iter().for_each(|text| {
            self.beside_in(text, &mut |rest| {
                unknown.insert(rest);
            });
        });
        if !unknown.is_empty() {
            given.iter().for_each(|value| self.beside(value, &mut |beside| unknown.remove_those_in(beside)));
        }
        texts.retain(|text| {
            let mut is_unknown = false;
            self.beside_in(text, &mut |rest| is_unknown |= unknown.contains(rest));
            is_unknown
        });
        texts
    }
}

/// A result against what the same computation gives without the secrets.
struct Compared<'c> {
    redaction: &'c Redaction,
    derived: Vec<String>,
    /// Texts that nothing can be compared with: each is derived as a whole, unless all of it stood beside the secrets or is
    /// one.
    alone: Vec<String>,
}

impl Compared<'_> {
    fn value(&mut self, result: &Value, twin: Option<&Value>) {
        match (result, twin) {
            (Value::String(text), Some(Value::String(twin))) => self.text(text, twin),
            (Value::Array(items), Some(Value::Array(twins))) if items.len() == twins.len() => {
                items.iter().zip(twins).for_each(|(item, twin)| self.value(item, Some(twin)));
            }
            (Value::Object(members), Some(Value::Object(twins))) if members.len() == twins.len() => {
                for ((key, member), (twin_key, twin)) in members.iter().zip(twins) {
                    self.text(key, twin_key);
                    self.value(member, Some(twin));
                }
            }
            (Value::Number(_), Some(Value::Number(_))) if Some(result) == twin => {}
            // Of another shape: what stands at its ends is the same perhaps, the rest is looked at piece by piece.
            (Value::Array(items), twin) => {
                let twins = twin.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let same = |(item, twin): &(&Value, &Value)| self.redaction.masked(item) == **twin;
                let start = items.iter().zip(twins).take_while(same).count();
                let rest = items.len().min(twins.len()) - start;
                let end = items.iter().rev().zip(twins.iter().rev()).take(rest).take_while(same).count();
                items[start..items.len() - end].iter().for_each(|item| self.value(item, None));
            }
            // Its keys are names and no secrets: what is called `username` would take that word out of everything.
            (Value::Object(members), _) => members.values().for_each(|member| self.value(member, None)),
            (Value::String(text), _) => self.alone.push(text.clone()),
            (Value::Number(number), _) => self.alone.push(number.to_string()),
            (Value::Null | Value::Bool(_), _) => {}
        }
    }

    /// The part of the text in which the two differ, unless that is nothing but secrets that are known.
    fn text(&mut self, text: &str, twin: &str) {
        let masked = self.redaction.mask(text);
        if masked == twin {
            return;
        }
        let (own, other): (Vec<char>, Vec<char>) = (masked.chars().collect(), twin.chars().collect());
        let same = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
        let rest = own.len().min(other.len()) - same;
        let same_end = own.iter().rev().zip(other.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
        let piece: String = text.chars().take(own.len() - same_end).skip(same).collect();
        if self.redaction.spans(&piece).first().is_none_or(|span| *span != (0..piece.len())) {
            self.derived.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_secure_fields_hold_is_counted_too() {
        let tracked = Tracked::default();
        assert!(tracked.add(&json!("the secret"), &Value::Null).is_ok());
        assert!(tracked.add(&json!("x".repeat(limits::DERIVED_SECRET_BYTES)), &Value::Null).is_err());
    }

    #[test]
    fn what_is_open_is_found_among_many_texts_in_one_look() {
        let texts: Vec<String> = (0..50_000).map(|n| format!("item number {n}")).collect();
        let open = json!({"body": texts[..25_000].join(", "), "code": 482_913});
        let tracked = Tracked::default();
        assert!(tracked.add(&json!([texts, 482_913, 482_914]), &open).is_ok());
        let mut shown = json!(["item number 24999", "item number 40001", 482_913, 482_914]);
        tracked.value(&mut shown);
        assert_eq!(shown, json!(["item number 24999", "[secret]", 482_913, "[secret]"]));
    }
}
