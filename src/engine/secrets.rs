//! The values of a run's secret parameters, and keeping them out of everything that is written down.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::redaction::{REDACTED, Redaction};

/// Secret parameter values of one run, by name.
#[derive(Default)]
pub struct Secrets {
    values: Vec<(String, Value)>,
    tracked: Redaction,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Secrets by parameter name. Texts of at least six characters, also inside objects and lists, are tracked by value.
    #[must_use]
    pub fn new(values: Vec<(String, Value)>) -> Self {
        let mut tracked = Vec::new();
        values.iter().for_each(|(_, value)| collect(value, &mut tracked));
        Self { values, tracked: Redaction::of(tracked) }
    }

    /// The parameter of this name, ignoring case.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.tracked.is_empty()
    }

    /// The same text without secrets.
    pub(crate) fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.tracked.text(text)
    }

    /// Takes secrets out of every text in `value`, keys included.
    pub(crate) fn redact(&self, value: &mut Value) {
        self.tracked.value(value);
    }
}

/// Members of `authentication` that say who calls and are no secret.
const OPEN: &[&str] =
    &["type", "username", "certificate", "token_url", "authority", "tenant", "client_id", "audience", "scope"];

/// An effect's input with the credentials in it hidden, if it has any: the `Authorization` and `Cookie` headers of an HTTP
/// call and what its `authentication` keeps secret. Neither the journal nor a record ever holds them, whether they came
/// from a secret parameter or were made out of one.
pub(crate) fn without_credentials(input: &Value) -> Option<Value> {
    let has_private = |headers: &Map<String, Value>| headers.keys().any(|name| is_private(name));
    let headers = input.get("headers").and_then(Value::as_object).is_some_and(has_private);
    if !headers && input.get("authentication").is_none() && input.get("cookie").is_none() {
        return None;
    }
    let mut clean = input.clone();
    let hidden = || Value::from(REDACTED);
    if let Some(Value::Object(members)) = clean.get_mut("headers") {
        members.iter_mut().filter(|(name, _)| is_private(name)).for_each(|(_, value)| *value = hidden());
    }
    match clean.get_mut("authentication") {
        Some(Value::Object(members)) => {
            let secret = members.iter_mut().filter(|(name, _)| !OPEN.contains(&name.as_str()));
            secret.for_each(|(_, value)| *value = hidden());
        }
        Some(other) => *other = hidden(),
        None => {}
    }
    if let Some(cookie) = clean.get_mut("cookie") {
        *cookie = hidden();
    }
    Some(clean)
}

fn is_private(header: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie"].iter().any(|name| header.trim().eq_ignore_ascii_case(name))
}

fn collect(value: &Value, tracked: &mut Vec<String>) {
    match value {
        Value::String(text) => tracked.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, tracked)),
        Value::Object(members) => members.values().for_each(|member| collect(member, tracked)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_of_six_characters_or_more_are_taken_out_wherever_they_stand() {
        let secrets = Secrets::new(vec![
            ("token".into(), json!("s3cret-token")),
            ("login".into(), json!({"user": "soc", "password": "s3cret-token-2"})),
        ]);
        let mut value = json!({"a": ["Bearer s3cret-token", "s3cret-token-2"], "s3cret-token": "soc", "n": 1});
        secrets.redact(&mut value);
        assert_eq!(value, json!({"a": ["Bearer [secret]", "[secret]"], "[secret]": "soc", "n": 1}));
        assert_eq!(secrets.get("TOKEN"), Some(&json!("s3cret-token")));
    }

    #[test]
    fn credentials_of_a_call_are_hidden_however_they_came_about() {
        let input = json!({
            "url": "x",
            "headers": {"Accept": "a", "AUTHORIZATION": "Basic 1", " cookie ": "b"},
            "cookie": "a=b",
            "authentication": {"type": "oauth", "client_id": "larum", "client_secret": "s", "whatever": {"a": 1}},
        });
        let clean = json!({
            "url": "x",
            "headers": {"Accept": "a", "AUTHORIZATION": REDACTED, " cookie ": REDACTED},
            "cookie": REDACTED,
            "authentication": {
                "type": "oauth", "client_id": "larum", "client_secret": REDACTED, "whatever": REDACTED,
            },
        });
        assert_eq!(without_credentials(&input), Some(clean));
        assert_eq!(without_credentials(&json!({"authentication": "x"})), Some(json!({"authentication": REDACTED})));
        assert_eq!(without_credentials(&json!({"headers": {"Accept": "a"}})), None);
        assert_eq!(without_credentials(&json!({"headers": "authorization"})), None);
    }
}
