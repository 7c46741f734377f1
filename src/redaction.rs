//! Keeping known secrets out of what is written down.

use std::borrow::Cow;

use serde_json::Value;

/// What a secret is replaced by.
pub const REDACTED: &str = "[secret]";

/// Shorter values would be found by chance in ordinary text.
const TRACKED_CHARS: usize = 6;

/// Texts that must not be written down.
#[derive(Default)]
pub struct Redaction(Vec<String>);

impl Redaction {
    /// Of these texts, those of at least six characters.
    #[must_use]
    pub fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let mut tracked: Vec<String> = texts.into_iter().filter(|text| text.chars().count() >= TRACKED_CHARS).collect();
        // The longest first, so that a secret inside another one does not leave the rest of it readable.
        tracked.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        tracked.dedup();
        Self(tracked)
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same text without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
            }
        }
        text
    }

    /// Takes secrets out of every text in `value`, keys included.
    pub fn value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => {
                if members.keys().any(|key| matches!(self.text(key), Cow::Owned(_))) {
                    *members = std::mem::take(members)
                        .into_iter()
                        .map(|(key, member)| (self.text(&key).into_owned(), member))
                        .collect();
                }
                members.values_mut().for_each(|member| self.value(member));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
