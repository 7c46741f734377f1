//! Texts to look for in other texts, however many there are.

use std::{collections::BTreeSet, ops::Bound};

use super::{TRACKED_CHARS, is_long_enough};

/// Texts of at least six characters, in order: the longest that a text begins with is found by a few searches in them.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    sorted: BTreeSet<Box<[u8]>>,
    /// Which bytes they begin with: most places of a text need no further look.
    begins: Bytes,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bytes([u64; 4]);

impl Bytes {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }
}

impl Texts {
    pub(super) const fn new() -> Self {
        Self { sorted: BTreeSet::new(), begins: Bytes([0; 4]) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        self.sorted.contains(text.as_bytes())
    }

    /// Adds a text if it has at least six characters; says whether it is new.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        if !is_long_enough(text) {
            return false;
        }
        text.bytes().take(1).for_each(|byte| self.begins.insert(byte));
        self.sorted.insert(text.as_bytes().into())
    }

    pub(super) fn remove(&mut self, text: &str) {
        self.sorted.remove(text.as_bytes());
    }

    /// How long the longest of them is that `bytes` begin with.
    pub(super) fn longest_at(&self, mut bytes: &[u8]) -> Option<usize> {
        if !self.begins.contains(*bytes.first()?) {
            return None;
        }
        // The last one in front of `bytes` is the longest they begin with, or shares with them more than that one is long.
        while bytes.len() >= TRACKED_CHARS {
            let before = self.sorted.range::<[u8], _>((Bound::Unbounded, Bound::Included(bytes))).next_back()?;
            let same = before.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            if same == before.len() {
                return Some(same);
            }
            bytes = &bytes[..same];
        }
        None
    }

    /// Removes those that stand in `text`. It is gone through once, however many they are.
    pub(super) fn remove_those_in(&mut self, text: &str) {
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            while let Some(length) = self.longest_at(&bytes[at..]) {
                self.sorted.remove(&bytes[at..at + length]);
            }
            if self.is_empty() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_text_is_found_and_those_within_are_removed(
            texts in prop::collection::vec("[ab]{6,10}", 0..12),
            text in "[ab]{0,40}",
        ) {
            let mut known = Texts::default();
            texts.iter().for_each(|text| {
                known.insert(text);
            });
            for at in 0..text.len() {
                let expected = texts.iter().filter(|known| text[at..].starts_with(*known)).map(String::len).max();
                prop_assert_eq!(known.longest_at(&text.as_bytes()[at..]), expected);
            }
            known.remove_those_in(&text);
            for wanted in &texts {
                prop_assert_eq!(known.contains(wanted), !text.contains(wanted));
            }
        }
    }
}
