//! One call: the request, its redirects, the answer.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, header::AUTHORIZATION, header::LOCATION};
use url::Url;
use uuid::Uuid;

use super::{
    HttpClients, Inputs,
    fault::{self, Fault},
    guard,
    request::{self, Request},
    response,
};
use crate::{action::Outcome, config, limits};

/// What a call is made with.
pub(super) struct Exchange<'a> {
    pub(super) clients: &'a HttpClients,
    pub(super) connection: Option<&'a config::Http>,
    /// The `Idempotency-Key`, should the inputs ask for one.
    pub(super) key: Uuid,
    /// Whether sending the request twice does no harm, or the author takes the risk.
    pub(super) repeatable: bool,
    /// For the whole call, redirects and body included.
    pub(super) timeout: Duration,
    pub(super) now: DateTime<Utc>,
}

impl Exchange<'_> {
    /// Makes the call. Every fault of the world is an outcome.
    pub(super) async fn outcome(&self, inputs: &Inputs) -> Outcome {
        let request = match Request::new(inputs, self.key) {
            Ok(request) => request,
            Err(fault) => return fault.outcome(self.repeatable),
        };
        let (method, host) = (request.method.to_string(), host(&request.url));
        match tokio::time::timeout(self.timeout, self.follow(request)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(fault)) => fault.outcome(self.repeatable),
            Err(_) => {
                let reason = format!("it took longer than {} s", self.timeout.as_secs_f32());
                Fault::Broken { method, host, reason }.outcome(self.repeatable)
            }
        }
    }

    /// Sends the request and follows redirects.
    async fn follow(&self, mut request: Request) -> Result<Outcome, Fault> {
        let allow = self.connection.map_or(&[][..], |connection| &connection.allow_networks);
        let client = self.clients.client(allow).map_err(|error| Fault::Setup(fault::reason(&error)))?;
        let first = request.url.clone();
        let mut at_home = true;
        for _ in 0..=limits::HTTP_HOPS {
            at_home = at_home && request.url.origin() == first.origin();
            let mut response = self.send(&client, &request, at_home).await?;
            let status = response.status().as_u16();
            let Some(target) = target(&response, &request.url)? else {
                let host = host(&request.url);
                let body = response::read(&mut response, request.method.as_str(), &host).await?;
                return response::outcome(&response, &body, &host, self.now);
            };
            request = request.redirected(status, target);
        }
        Err(Fault::TooManyRedirects { host: host(&first) })
    }

    /// One hop. The connection's credentials go along only while no redirect has led to another origin: what a foreign
    /// server points to, even back home, is its choice and not the author's.
    async fn send(&self, client: &Client, request: &Request, at_home: bool) -> Result<reqwest::Response, Fault> {
        let allow = self.connection.map_or(&[][..], |connection| &connection.allow_networks);
        let host = host(&request.url);
        // Names are looked at when they are resolved; a literal address never is.
        if let Some(address) = fault::literal(&request.url) {
            guard::check(&address.to_canonical().to_string(), address, allow)?;
        }
        let mut headers = request.headers.clone();
        if let Some(connection) = self.connection
            && let Some(authentication) = &connection.authentication
            && at_home
            && request::is_under(&request.url, &connection.base_url)
        {
            headers.insert(AUTHORIZATION, request::authorization(authentication)?);
        }
        let mut call = client.request(request.method.clone(), request.url.clone()).headers(headers);
        if let Some(body) = &request.body {
            call = call.body(body.clone());
        }
        call.send().await.map_err(|error| Fault::of_request(&error, request.method.as_str(), &host))
    }
}

/// Where a response redirects to, if it does.
fn target(response: &reqwest::Response, url: &Url) -> Result<Option<Url>, Fault> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let text = String::from_utf8_lossy(location.as_bytes());
    let mut target = match url.join(&text) {
        Ok(target) if request::is_web(&target) => target,
        Ok(other) => {
            return Err(Fault::BadRedirect { host: host(url), target: format!("`{}:`", other.scheme()) });
        }
        Err(_) => return Err(Fault::BadRedirect { host: host(url), target: "something unreadable".into() }),
    };
    // Credentials in a `Location` are the server's, not the author's.
    if target.set_username("").and_then(|()| target.set_password(None)).is_err() {
        return Ok(None);
    }
    target.set_fragment(None);
    Ok(Some(target))
}

/// Scheme, host and port, all of a URL that an error may show.
fn host(url: &Url) -> String {
    url.origin().ascii_serialization()
}
