//! The values of a run's secret parameters, and keeping them out of everything that is written down.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use super::event::Event;
use crate::{
    action::Outcome,
    redaction::{REDACTED, Redaction, TooMuchDerived, Tracked},
};

/// The secrets of one run: the values of its secret parameters, those of its `secure:` fields, and what was computed from
/// either so far.
#[derive(Default)]
pub struct Secrets {
    given: Arc<Given>,
    tracked: Tracked,
}

/// The secret parameters.
#[derive(Default)]
struct Given {
    values: Vec<(String, Value)>,
    redaction: Redaction,
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
        let redaction = Redaction::of(tracked);
        Self { tracked: Tracked::new(redaction.clone()), given: Arc::new(Given { values, redaction }) }
    }

    /// The same parameters with nothing else known: what a run begins with, each time it is folded.
    pub(crate) fn afresh(&self) -> Arc<Self> {
        Arc::new(Self { given: self.given.clone(), tracked: Tracked::new(self.given.redaction.clone()) })
    }

    /// The parameter of this name, ignoring case.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.given.values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.tracked.is_empty()
    }

    /// Where what is computed with secrets is kept track of.
    pub(crate) fn tracked(&self) -> Option<&Tracked> {
        (!self.tracked.is_empty()).then_some(&self.tracked)
    }

    /// Every text and number in `value` is a secret of the run from now on, unless it stands in `open`.
    pub(crate) fn learn(&self, value: &Value, open: &Value) -> Result<(), TooMuchDerived> {
        self.tracked.add(value, open)
    }

    /// Takes the secret parameters out of what came from outside, before it is journalled: live and replay see the same.
    /// Anything else that is secret stays, because the run may need it, and makes the event one that is sealed.
    pub(crate) fn withhold(&self, value: &mut Value) {
        self.given.redaction.value(value);
    }

    /// The same for an outcome.
    pub(crate) fn withhold_outcome(&self, outcome: &mut Outcome) {
        if self.given.redaction.is_empty() {
            return;
        }
        if let Some(outputs) = &mut outcome.outputs {
            outputs.change(|outputs| self.withhold(outputs));
        }
        if let Some(error) = &mut outcome.error {
            error.message = self.given.redaction.text(&error.message).into_owned();
        }
    }

    /// Whether what an event brings must not lie on the disk in clear.
    pub(crate) fn are_in(&self, event: &Event) -> bool {
        match event {
            Event::Finished { outcome, .. } | Event::Returned { outcome, .. } => self.are_in_outcome(outcome),
            Event::Signalled { payload, .. } => self.tracked.is_in(payload),
            // Its input is journalled without secrets.
            Event::Started { .. } | Event::Woke { .. } | Event::Replied { .. } | Event::Cancelled { .. } => false,
        }
    }

    /// The same of an outcome.
    pub(crate) fn are_in_outcome(&self, outcome: &Outcome) -> bool {
        if self.tracked.is_empty() {
            return false;
        }
        let message = outcome.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
        outcome.outputs.as_ref().is_some_and(|outputs| self.tracked.is_in(outputs))
            || outcome.poll.as_ref().is_some_and(|poll| self.tracked.is_in(&poll.state))
            || matches!(self.tracked.text(message), Cow::Owned(_))
    }

    /// The same text without secrets, to be shown.
    pub(crate) fn redact_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.tracked.text(text)
    }

    /// Takes secrets out of every text in `value`, keys included, to be shown.
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
