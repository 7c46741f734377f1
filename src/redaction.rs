//! Keeping known secrets out of what is written down.

mod tracked;

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

pub use tracked::{TooMuchDerived, Tracked};

/// What a secret is replaced by.
pub const REDACTED: &str = "[secret]";

/// Shorter values would be found by chance in ordinary text.
const TRACKED_CHARS: usize = 6;

/// What RFC 3986 leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Texts that must not be written down. Looking through a text takes a time that depends on the text alone, however many
/// there are.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// By their first bytes, of which each has enough; of those that begin alike the longest first.
    texts: BTreeMap<[u8; TRACKED_CHARS], Vec<Box<str>>>,
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

impl Redaction {
    /// Nothing to look for.
    #[must_use]
    pub const fn none() -> Self {
        Self { texts: BTreeMap::new(), begins: Bytes([0; 4]) }
    }

    /// Of these texts, those of at least six characters, each also as it stands in base64, in a URL and in JSON.
    #[must_use]
    pub fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let mut redaction = Self::default();
        texts.into_iter().for_each(|text| redaction.insert(&text));
        redaction
    }

    /// Adds a text and its usual encodings, if it has at least six characters.
    pub fn insert(&mut self, text: &str) {
        if !is_long_enough(text) {
            return;
        }
        self.add(text);
        let percent = utf8_percent_encode(text, COMPONENT).to_string();
        self.add(&percent.replace("%20", "+"));
        self.add(&percent);
        let json = Value::from(text).to_string();
        self.add(&json[1..json.len() - 1]);
        self.add(&STANDARD_NO_PAD.encode(text));
        self.add(&URL_SAFE_NO_PAD.encode(text));
    }

    /// Adds a text as it is, if it has at least six characters; says whether it is new.
    fn add(&mut self, text: &str) -> bool {
        let Some(&head) = text.as_bytes().first_chunk().filter(|_| is_long_enough(text)) else { return false };
        let alike = self.texts.entry(head).or_default();
        let is_new = !alike.iter().any(|known| **known == *text);
        if is_new {
            let at = alike.partition_point(|known| known.len() > text.len());
            alike.insert(at, text.into());
            self.begins.insert(head[0]);
        }
        is_new
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Where secrets stand in `text`, in order; those that overlap are one.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        let (bytes, mut spans) = (text.as_bytes(), Vec::<Range<usize>>::new());
        if self.is_empty() {
            return spans;
        }
        for (at, head) in bytes.windows(TRACKED_CHARS).enumerate() {
            if !self.begins.contains(head[0]) {
                continue;
            }
            let alike = head.first_chunk().and_then(|head| self.texts.get(head));
            let Some(found) =
                alike.and_then(|alike| alike.iter().find(|known| bytes[at..].starts_with(known.as_bytes())))
            else {
                continue;
            };
            let end = at + found.len();
            match spans.last_mut() {
                Some(last) if at < last.end => last.end = last.end.max(end),
                _ => spans.push(at..end),
            }
        }
        spans
    }

    /// The text with each secret in it replaced by what `instead` gives for it.
    fn replace<'t>(&self, text: &'t str, mut instead: impl FnMut(&str, &mut String)) -> Cow<'t, str> {
        let spans = self.spans(text);
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut clean, mut from) = (String::with_capacity(text.len()), 0);
        for span in spans {
            clean.push_str(&text[from..span.start]);
            instead(&text[span.clone()], &mut clean);
            from = span.end;
        }
        clean.push_str(&text[from..]);
        Cow::Owned(clean)
    }

    /// The same text without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replace(text, |_, clean| clean.push_str(REDACTED))
    }

    /// Takes secrets out of every text in `value`, keys included; a number that is a secret becomes a text that says so.
    pub fn value(&self, value: &mut Value) {
        if !self.is_empty() {
            self.change(value, &|text| self.text(text), &Value::from(REDACTED));
        }
    }

    /// Whether a secret stands in a text or a key of `value`, or is a number in it.
    #[must_use]
    pub fn is_in(&self, value: &Value) -> bool {
        match value {
            _ if self.is_empty() => false,
            Value::String(text) => !self.spans(text).is_empty(),
            Value::Number(number) => self.is_number(number),
            Value::Array(items) => items.iter().any(|item| self.is_in(item)),
            Value::Object(members) => {
                members.iter().any(|(key, member)| !self.spans(key).is_empty() || self.is_in(member))
            }
            Value::Null | Value::Bool(_) => false,
        }
    }

    fn is_number(&self, number: &serde_json::Number) -> bool {
        let text = number.to_string();
        self.spans(&text).first().is_some_and(|span| *span == (0..text.len()))
    }

    fn change(&self, value: &mut Value, clean: &impl for<'t> Fn(&'t str) -> Cow<'t, str>, number: &Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(changed) = clean(text) {
                    *text = changed;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.change(item, clean, number)),
            Value::Object(members) => {
                if members.keys().any(|key| matches!(clean(key), Cow::Owned(_))) {
                    let old: Map<String, Value> = std::mem::take(members);
                    *members = old.into_iter().map(|(key, member)| (clean(&key).into_owned(), member)).collect();
                }
                members.values_mut().for_each(|member| self.change(member, clean, number));
            }
            Value::Number(known) if self.is_number(known) => *value = number.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn is_long_enough(text: &str) -> bool {
    text.chars().nth(TRACKED_CHARS - 1).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_found_as_it_stands_in_a_url_in_base64_and_in_json() {
        let redaction = Redaction::of(["pa ss/\"wörd".to_owned(), "short".to_owned()]);
        for (written, shown) in [
            ("it is pa ss/\"wörd, short", "it is [secret], short"),
            ("?key=pa%20ss%2F%22w%C3%B6rd&x=1", "?key=[secret]&x=1"),
            ("key=pa+ss%2F%22w%C3%B6rd", "key=[secret]"),
            (r#"{"key":"pa ss/\"wörd"}"#, r#"{"key":"[secret]"}"#),
            ("cGEgc3MvIndzZA== cGEgc3MvIndcw7ZyZA==", "cGEgc3MvIndzZA== cGEgc3MvIndcw7ZyZA=="),
            ("Basic cGEgc3MvIndh", "Basic cGEgc3MvIndh"),
        ] {
            assert_eq!(redaction.text(written), shown);
        }
        let encoded = STANDARD_NO_PAD.encode("pa ss/\"wörd");
        assert_eq!(redaction.text(&format!("<{encoded}==>")), "<[secret]==>");
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_one_another() {
        let redaction = Redaction::of(["abcdefgh".to_owned(), "efghijkl".to_owned(), "abcdefghij".to_owned()]);
        assert_eq!(redaction.text("abcdefghijkl abcdefghabcdefgh"), "[secret] [secret][secret]");
    }

    #[test]
    fn a_number_that_is_a_secret_is_one_without_quotes_too() {
        let redaction = Redaction::of(["482913".to_owned()]);
        let mut value = json!({"code": 482913, "other": 4829130, "text": "code 482913"});
        redaction.value(&mut value);
        assert_eq!(value, json!({"code": "[secret]", "other": 4829130, "text": "code [secret]"}));
    }

    proptest! {
        #[test]
        fn no_text_holds_a_secret_afterwards(secrets in prop::collection::vec("[ab]{6,9}", 1..6), text in "[ab]{0,60}") {
            let redaction = Redaction::of(secrets.clone());
            let clean = redaction.text(&text).into_owned();
            for secret in secrets {
                prop_assert!(!clean.contains(&secret), "{secret} in {clean}");
            }
        }
    }
}
