//! Calls of a service whose API an action speaks by itself: what `http` does, without its inputs.

use serde_json::{Map, Value};
use url::Url;

use super::{Exchange, Ids, Inputs, OnUnknown};
use crate::{
    action::{Call, Outcome},
    config, limits,
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
    let inputs = Inputs {
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
    };
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
    let mut outcome = exchange.outcome(&inputs).await;
    exchange.redact(&mut outcome);
    outcome
}
