//! `http`: calls a web address.

mod authentication;
mod body;
mod client;
mod exchange;
mod fault;
mod guard;
mod poll;
mod request;
mod response;
mod service;
#[cfg(test)]
mod tests;
mod tls;
mod token;

pub use authentication::Authentication;
pub use client::{HttpClients, Lookup};
pub use guard::RefusedAddress;
pub(crate) use response::answered;
pub use tls::client_config;
pub(super) use {
    response::status_name,
    service::{ask, probe},
};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::{exchange::Exchange, poll::Waiting, request::Ids};
use super::{ActionType, Call, Effect, EffectKind, Nature, Outcome, Performed, Poll, Rehearsal, Returns, input};
use crate::{
    config::{self, Config, Connection},
    limits,
    playbook::ActionSpec,
};

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec {
        connections: &["http"],
        retries: true,
        ..ActionSpec::new(NAME, || schemars::schema_for!(Inputs))
    },
    nature: Nature::Effect(&Http),
    returns: Returns::Body,
};

const NAME: &str = "http";

/// Calls a web address and returns `{statusCode, headers, body}`. A JSON answer's body is a value, a text's a string,
/// anything else `{"$content-type", "$content"}` with the content in base64, of a form with its fields beside
/// (`$formdata`), of a multipart answer with its parts (`$multipart`); an empty answer has no `body`. A status of 400 or
/// more fails the action and keeps its outputs. After a 202 that says where to ask, it asks there until it is done. Calls
/// to private, loopback and link-local addresses are refused unless the connection's `allow_networks` lists them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// `GET`, `HEAD`, `OPTIONS`, `PUT`, `DELETE`, `POST` or `PATCH`. Default `GET`.
    #[serde(default)]
    #[schemars(with = "Option<Method>")]
    pub method: Option<String>,
    /// The address, beginning with `https://` or `http://`. Credentials do not go here but into a connection.
    pub url: String,
    /// Request headers by name. Headers that belong to the transport (`Host`, `Content-Length`, `Cookie`, …) are left
    /// out, as Logic Apps does.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub headers: Map<String, Value>,
    /// Query parameters by name. They replace the query that the URL itself has.
    #[serde(default)]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    pub queries: Option<Map<String, Value>>,
    /// The `Cookie` header.
    #[serde(default)]
    pub cookie: Option<String>,
    /// What to send: a text goes as `text/plain`, a content envelope `{"$content-type", "$content"}` as its bytes, one
    /// with `$formdata: [{key, value}]` as a form, one with `$multipart: [{headers, body}]` as parts, anything else as
    /// JSON. A `Content-Type` among the headers says otherwise.
    #[serde(default)]
    pub body: Option<Value>,
    /// An `http` connection of `larum.yaml`. Its credentials go along to addresses under its `base_url`, and the
    /// networks in its `allow_networks` may be reached.
    #[serde(default)]
    pub connection: Option<String>,
    /// Credentials that the playbook brings, its secrets from parameters of type `securestring`. A connection is the
    /// better place for them, since a playbook can be shared.
    #[serde(default)]
    pub authentication: Option<Authentication>,
    /// Returns a 202 at once, even if it has a `Location` to ask at. Default `false`.
    #[serde(default)]
    pub disable_async_pattern: bool,
    /// Leaves out the headers that tell the service which run calls: `x-ms-workflow-run-id`, `x-ms-client-tracking-id`
    /// and `x-ms-tracking-id`, and `Larum-Causes`, by which a Larum that is called keeps the playbook from starting itself
    /// again without end. Default `false`.
    #[serde(default)]
    pub suppress_workflow_headers: bool,
    /// Sends an `Idempotency-Key` header that is the same for every attempt of this action in this run. Only for
    /// services that honour it: a `POST` or `PATCH` may then be repeated after a crash. Default `false`.
    #[serde(default)]
    pub idempotency_key: bool,
    /// What to do when nobody knows whether a `POST` or `PATCH` was received, because Larum or the connection died
    /// before the answer: `fail` with code `OutcomeUnknown`, or `retry`, which may do it twice. Default `fail`.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// What an earlier attempt left: where to ask.
    #[serde(default, rename = "$poll")]
    #[schemars(skip)]
    waiting: Option<Waiting>,
}

/// The methods, for the schema; the input itself is read ignoring case.
#[derive(JsonSchema)]
#[schemars(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "the schema is made from it")]
enum Method {
    Get,
    Head,
    Options,
    Put,
    Delete,
    Post,
    Patch,
}

/// What to do when nobody knows whether a request was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    #[default]
    Fail,
    Retry,
}

struct Http;

#[async_trait::async_trait]
impl Effect for Http {
    fn kind(&self, input: &Value) -> EffectKind {
        if input.get(Poll::KEY).is_some() {
            // It only asks what became of an earlier attempt.
            return EffectKind::Identified;
        }
        let method = input.get("method").and_then(Value::as_str).unwrap_or("GET").to_ascii_uppercase();
        let keyed = input.get("idempotency_key") == Some(&Value::Bool(true));
        match method.as_str() {
            "POST" | "PATCH" if !keyed => EffectKind::Bare {
                repeat_when_unknown: input.get("on_unknown").and_then(Value::as_str) == Some("retry"),
            },
            _ => EffectKind::Identified,
        }
    }

    async fn perform(&self, call: Call<'_>) -> Performed {
        let mut inputs = match input::read::<Inputs>(NAME, call.input) {
            Ok(inputs) => inputs,
            Err(outcome) => return Performed::Outcome(*outcome),
        };
        let connection = match connection(&call.services.config, inputs.connection.as_deref()) {
            Ok(connection) => connection,
            Err(outcome) => return Performed::Outcome(*outcome),
        };
        let own = match inputs.authentication.take().map(Authentication::into_credentials).transpose() {
            Ok(own) => own,
            Err(fault) => return Performed::Outcome(fault.outcome(false)),
        };
        let exchange = Exchange {
            clients: &call.services.http,
            vault: &call.services.vault,
            connection,
            own,
            ids: Ids::of(&call),
            repeatable: self.kind(call.input) != EffectKind::Bare { repeat_when_unknown: false },
            timeout: limits::HTTP_CALL,
            now: call.services.clock.now(),
            spent: Default::default(),
        };
        let mut outcome = exchange.outcome(&inputs).await;
        exchange.redact(&mut outcome);
        Performed::Outcome(outcome)
    }

    fn rehearse(&self, call: Rehearsal<'_>) -> Performed {
        Performed::Outcome(match input::read::<Inputs>(NAME, call.input) {
            Ok(_) => answered(200, Map::new(), Some(Value::Object(Map::new())), None),
            Err(outcome) => *outcome,
        })
    }
}

/// The connection of this name; `larum.yaml` may have changed since the playbook was checked.
fn connection<'a>(config: &'a Config, name: Option<&str>) -> Result<Option<&'a config::Http>, Box<Outcome>> {
    let Some(name) = name else { return Ok(None) };
    match config.connections.get(name) {
        Some(Connection::Http(http)) => Ok(Some(http)),
        Some(other) => Err(Box::new(Outcome::failed(
            "ConnectionNotFound",
            format!("`{NAME}` needs an http connection, and `{name}` in larum.yaml is of kind {}", other.kind()),
        ))),
        None => Err(Box::new(Outcome::failed("ConnectionNotFound", format!("larum.yaml has no connection `{name}`")))),
    }
}
