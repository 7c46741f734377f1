//! What the service answers, and what it means for the action.

use serde_json::{Value, json};

use super::Client;
use crate::action::{ErrorInfo, Outcome, http};

/// What follows a fault that may pass.
const AGAIN: &str = "; it is asked again as `retry` says";

/// An answer of the service.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    headers: Value,
    outcome: Outcome,
}

impl Reply {
    /// The answer that `http` got.
    ///
    /// # Errors
    /// The outcome, when it got none.
    pub(super) fn of(mut outcome: Outcome) -> Result<Self, Box<Outcome>> {
        let Some(outputs) = outcome.outputs.take() else { return Err(Box::new(outcome)) };
        let Value::Object(mut outputs) = outputs.into_value() else { return Err(Box::new(outcome)) };
        let mut take = |name: &str| outputs.remove(name).unwrap_or_default();
        let status = take("statusCode").as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
        Ok(Self { status, body: take("body"), headers: take("headers"), outcome })
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The same, to be tried again as the retry policy says.
    pub(super) fn retryable(mut self) -> Self {
        self.outcome.retryable = true;
        self
    }

    fn outputs(&mut self, status: u16) -> Value {
        json!({"statusCode": status, "headers": self.headers.take(), "body": self.body.take()})
    }
}

impl Client<'_> {
    /// The outcome of the last call of an action.
    pub(super) fn answered(&self, mut reply: Reply) -> Result<Outcome, Box<Outcome>> {
        if !reply.is_success() {
            return Err(self.failed(reply));
        }
        // The API says 201 when it made something, the connector always 200.
        Ok(Outcome::succeeded(reply.outputs(200)))
    }

    /// The service refused.
    pub(super) fn failed(&self, mut reply: Reply) -> Box<Outcome> {
        let (status, name) = (reply.status, self.name);
        if !(400..600).contains(&status) {
            return self.unexpected(&format!("{status}"));
        }
        let said = |key: &str| reply.body.pointer(&format!("/error/{key}")).and_then(Value::as_str);
        let code = said("code").map_or_else(|| http::status_name(status), str::to_owned);
        let said = said("message").map(|message| format!(": {}", message.trim_end_matches('.'))).unwrap_or_default();
        let again = if reply.outcome.retryable { AGAIN } else { "" };
        let message = format!("`{}` through the connection `{name}` got {status}{said}{again}", self.action);
        let outputs = reply.outputs(status);
        let error = Some(ErrorInfo { code, message });
        Box::new(Outcome { error, ..reply.outcome }.with_outputs(outputs))
    }

    /// There was no answer.
    pub(super) fn unanswered(&self, mut outcome: Outcome) -> Outcome {
        let again = if outcome.retryable { AGAIN } else { "" };
        let code = outcome.code.clone();
        let error = outcome.error.get_or_insert_with(|| ErrorInfo { code, message: "no answer".into() });
        error.message = format!("`{}` through the connection `{}`: {}{again}", self.action, self.name, error.message);
        outcome
    }

    /// The service answered with something it should not.
    pub(super) fn unexpected(&self, what: &str) -> Box<Outcome> {
        let message = format!("`{}` through the connection `{}` got {what}", self.action, self.name);
        Box::new(Outcome::failed("BadResponse", message))
    }
}
