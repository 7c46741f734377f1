//! Keeping known secrets out of what is written down.

mod texts;
mod tracked;

use std::{borrow::Cow, ops::Range};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use texts::Texts;
pub use tracked::{TooMuchDerived, Tracked};

/// What a secret is replaced by.
pub const REDACTED: &str = "[secret]";

/// Shorter values would be found by chance in ordinary text.
const TRACKED_CHARS: usize = 6;

/// What RFC 3986 leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Texts that must not be written down. How long it takes to look through a text grows with the text, and with the
/// logarithm only of how many there are.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    texts: Texts,
}

impl Redaction {
    /// Nothing to look for.
    #[must_use]
    pub const fn none() -> Self {
        Self { texts: Texts::new() }
    }

    /// Of these texts, those of at least six characters, each also as it stands in base64, in a URL and in JSON.
    #[must_use]
    pub fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let mut redaction = Self::default();
        for text in texts {
            redaction.insert(&text);
        }
        redaction
    }

    /// Adds a text and its usual encodings, if it has at least six characters; says whether it is new.
    pub fn insert(&mut self, text: &str) -> bool {
        if !is_long_enough(text) {
            return false;
        }
        let is_new = self.texts.insert(text);
        let percent = utf8_percent_encode(text, COMPONENT).to_string();
        self.texts.insert(&percent.replace("%20", "+"));
        self.texts.insert(&percent);
        let json = Value::from(text).to_string();
        self.texts.insert(&json[1..json.len() - 1]);
        self.texts.insert(&STANDARD_NO_PAD.encode(text));
        self.texts.insert(&URL_SAFE_NO_PAD.encode(text));
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
        for at in 0..bytes.len() {
            let Some(length) = self.texts.longest_at(&bytes[at..]) else { continue };
            let end = at + length;
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

/// What is left to compare when the secrets in a value may be others than they were: the letters beside [`REDACTED`] that
/// base64 or percent-encoding may have written go with it, because they depend on how long the secret was.
#[must_use]
pub fn whatever_the_secrets(mut value: Value) -> Value {
    Redaction::none().change(&mut value, &without_neighbours, &Value::Null);
    value
}

fn without_neighbours(text: &str) -> Cow<'_, str> {
    let is_neighbour = |letter: char| letter.is_ascii_alphanumeric() || "+/-_=%".contains(letter);
    let Some((before, rest)) = text.split_once(REDACTED) else { return Cow::Borrowed(text) };
    let mut left = format!("{}{REDACTED}", before.trim_end_matches(is_neighbour));
    let mut parts = rest.split(REDACTED).peekable();
    while let Some(part) = parts.next() {
        let part = part.trim_start_matches(is_neighbour);
        if parts.peek().is_none() {
            left.push_str(part);
        } else if !part.is_empty() {
            left.push_str(part.trim_end_matches(is_neighbour));
            left.push_str(REDACTED);
        }
    }
    Cow::Owned(left)
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

    #[test]
    fn what_adjoins_a_secret_is_left_out_where_its_length_decides_it() {
        for (one, other) in [
            ("Basic bGFydW06[secret]=", "Basic bGFydW06[secret]"),
            ("?key=[secret]c3VmZml4&page=1", "?key=[secret]N1ZmZpeA%3D%3D&page=1"),
            ("a [secret][secret] b", "a [secret]xy[secret] b"),
        ] {
            assert_eq!(whatever_the_secrets(json!({"x": [one]})), whatever_the_secrets(json!({"x": [other]})));
        }
        assert_eq!(whatever_the_secrets(json!("one [secret], two")), json!("one [secret], two"));
        assert_eq!(whatever_the_secrets(json!({"one": 1})), json!({"one": 1}));
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
