//! Calls of a service whose API an action speaks by itself: what `http` does, without its inputs.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use super::{Exchange, HttpClients, Ids, Inputs, OnUnknown};
use crate::{
    action::{Call, Outcome},
    config, limits,
    secret::Vault,
};

/// Calls the address `url` under the network rules of a connection and with its credentials. The outcome is that of
/// `http`. Sending the request twice must do no harm.
pub(in crate::action) async fn ask(
    call: &Call<'_>,
    connection: &config::Http,
    method: &str,
    url: &Url,
    body: Option<Value>,
) -> Outcome {
    let exchange = Exchange {
        clients: &call.services.http,
        vault: &call.services.vault,
        connection: Some(connection),
        own: None,
        ids: Ids::of(call),
        repeatable: true,
        timeout: limits::HTTP_CALL,
        now: call.services.clock.now(),
        spent: Default::default(),
    };
    answer(&exchange, &inputs(method, url, body)).await
}

/// Asks for the address `url` outside any run, to see whether it answers and takes the credentials.
pub(in crate::action) async fn probe(
    clients: &HttpClients,
    vault: &Vault,
    connection: &config::Http,
    url: &Url,
    now: DateTime<Utc>,
) -> Outcome {
    let nobody = Uuid::nil();
    let exchange = Exchange {
        clients,
        vault,
        connection: Some(connection),
        own: None,
        ids: Ids { key: nobody, run: nobody, tracking: nobody, causes: String::new() },
        repeatable: true,
        timeout: limits::PROBE,
        now,
        spent: Default::default(),
    };
    answer(&exchange, &Inputs { suppress_workflow_headers: true, ..inputs("GET", url, None) }).await
}

fn inputs(method: &str, url: &Url, body: Option<Value>) -> Inputs {
    Inputs {
        method: Some(method.to_owned()),
        url: url.to_string(),
        headers: Map::from_iter([("Accept".to_owned(), "application/json".into())]),
        queries: None,
        cookie: None,
        body,
        connection: None,
        authentication: None,
        disable_async_pattern: true,
        suppress_workflow_headers: false,
        idempotency_key: false,
        on_unknown: OnUnknown::Fail,
        waiting: None,
    }
}

async fn answer(exchange: &Exchange<'_>, inputs: &Inputs) -> Outcome {
    let mut outcome = exchange.outcome(inputs).await;
    exchange.redact(&mut outcome);
    outcome
}
