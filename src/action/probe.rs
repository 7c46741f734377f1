//! Asks the services behind connections whether they answer and take the credentials, outside any run. Nothing is changed
//! there.

use chrono::{DateTime, Utc};

use super::{
    Outcome,
    http::{self, HttpClients},
    incident,
};
use crate::{
    config::{Http, Sentinel},
    secret::Vault,
};

/// GETs the `base_url` of an `http` connection.
pub async fn http(clients: &HttpClients, vault: &Vault, connection: &Http, now: DateTime<Utc>) -> Outcome {
    http::probe(clients, vault, connection, &connection.base_url, now).await
}

/// Lists one incident of the workspace that a `sentinel` connection leads to.
pub async fn sentinel(clients: &HttpClients, vault: &Vault, connection: &Sentinel, now: DateTime<Utc>) -> Outcome {
    match incident::address(connection, &["incidents"], &[("$top", "1")]) {
        Some(url) => http::probe(clients, vault, &connection.http, &url, now).await,
        None => Outcome::failed("BadRequest", "the endpoint is no address to call"),
    }
}
