//! What an action came to. Outcomes are data: they are journalled, and a failed one is an outcome like any other.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LazyValue;
use crate::playbook::ActionStatus;

/// The result of one attempt of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub status: ActionStatus,
    /// An HTTP status name (`OK`, `NotFound`) or one of Logic Apps' codes.
    pub code: String,
    /// What it gave; a failed HTTP call has outputs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<LazyValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInfo>,
    /// Whether the retry policy applies: 408, 429, 5xx and connection faults.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
    /// How long the other side asked to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// It is not done yet: to be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<Box<Poll>>,
}

/// When and how to ask whether something begun is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    pub after: Duration,
    /// What the next attempt must know, such as the address to ask. It must hold no secret.
    pub state: Value,
}

impl Poll {
    /// The input member under which the next attempt finds [`Poll::state`], beside what it was given before.
    pub const KEY: &'static str = "$poll";
}

/// Why an action failed, as `actions('x').error` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInfo {
    pub code: String,
    pub message: String,
}

impl Outcome {
    /// Succeeded with these outputs.
    #[must_use]
    pub fn succeeded(outputs: Value) -> Self {
        Self {
            status: ActionStatus::Succeeded,
            code: "OK".into(),
            outputs: Some(outputs.into()),
            error: None,
            retryable: false,
            retry_after: None,
            poll: None,
        }
    }

    /// Failed without outputs.
    #[must_use]
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            status: ActionStatus::Failed,
            error: Some(ErrorInfo { code: code.clone(), message: message.into() }),
            code,
            outputs: None,
            retryable: false,
            retry_after: None,
            poll: None,
        }
    }

    /// The same with these outputs.
    #[must_use]
    pub fn with_outputs(mut self, outputs: Value) -> Self {
        self.outputs = Some(outputs.into());
        self
    }

    /// The same, not done yet: after a while it is performed again with its input and, as [`Poll::KEY`], `state`, for as
    /// long as its `timeout:` allows. The run needs no memory meanwhile.
    #[must_use]
    pub fn polled(mut self, after: Duration, state: Value) -> Self {
        self.poll = Some(Box::new(Poll { after, state }));
        self
    }

    /// The same, to be tried again as the retry policy says.
    #[must_use]
    pub fn retryable(mut self, after: Option<Duration>) -> Self {
        self.retryable = true;
        self.retry_after = after;
        self
    }
}
