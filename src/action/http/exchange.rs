//! One call: the request, its redirects, the answer.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::{
    Client, Response, StatusCode,
    header::{AUTHORIZATION, HeaderValue, LOCATION},
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    HttpClients, Inputs,
    fault::Fault,
    guard, poll,
    request::{self, Ids, Request, host},
    response,
    tls::Identity,
};
use crate::{
    action::Outcome,
    config::{self, HttpAuthentication, OAuth},
    limits,
    redaction::Redaction,
    secret::Vault,
};

/// What a call is made with.
pub(super) struct Exchange<'a> {
    pub(super) clients: &'a HttpClients,
    pub(super) vault: &'a Vault,
    pub(super) connection: Option<&'a config::Http>,
    /// The credentials the playbook gives, which go before the connection's.
    pub(super) own: Option<HttpAuthentication<SecretString>>,
    pub(super) ids: Ids,
    /// Whether sending the request twice does no harm, or the author takes the risk.
    pub(super) repeatable: bool,
    /// For the whole call, redirects and body included.
    pub(super) timeout: Duration,
    pub(super) now: DateTime<Utc>,
    /// Credentials that were sent: some services repeat them in their answer.
    pub(super) spent: Mutex<Vec<String>>,
}

impl Exchange<'_> {
    /// Takes the credentials that were sent out of what came back.
    pub(super) fn redact(&self, outcome: &mut Outcome) {
        let spent = std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        let redaction = Redaction::of(spent);
        if let Some(outputs) = &mut outcome.outputs {
            outputs.change(|outputs| redaction.value(outputs));
        }
        if let Some(error) = &mut outcome.error {
            error.message = redaction.text(&error.message).into_owned();
        }
    }

    /// Makes the call. Every fault of the world is an outcome.
    pub(super) async fn outcome(&self, inputs: &Inputs) -> Outcome {
        let journey = match self.start(inputs) {
            Ok(journey) => journey,
            Err(fault) => return fault.outcome(self.repeatable),
        };
        let (method, host) = (journey.request.method.to_string(), host(&journey.request.url));
        match tokio::time::timeout(self.timeout, self.follow(journey)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(fault)) => fault.outcome(self.repeatable),
            Err(_) => {
                let reason = format!("it took longer than {} s", self.timeout.as_secs_f32());
                Fault::Broken { method, host, reason }.outcome(self.repeatable)
            }
        }
    }

    fn start(&self, inputs: &Inputs) -> Result<Journey, Fault> {
        let polls = !inputs.disable_async_pattern;
        let Some(waiting) = &inputs.waiting else {
            let request = Request::new(inputs, &self.ids)?;
            return Ok(Journey { home: request.url.clone(), request, at_home: true, polls, asks_at: None });
        };
        let home = request::address(&inputs.url, inputs.queries.as_ref())?;
        let location = waiting.location(self.vault)?;
        let request = Request::asking(inputs, &self.ids, location.clone(), waiting.at_home)?;
        Ok(Journey { home, request, at_home: waiting.at_home, polls, asks_at: Some(location) })
    }

    /// Sends the request and follows redirects.
    async fn follow(&self, mut journey: Journey) -> Result<Outcome, Fault> {
        let plain = self.clients.client(self.connection, None)?;
        for _ in 0..=limits::HTTP_HOPS {
            let url = journey.request.url.clone();
            // What a foreign server points to, even back home, is its choice and not the author's.
            journey.at_home = journey.at_home && url.origin() == journey.home.origin();
            let mut response = self.send(&plain, &journey.request, journey.at_home).await?;
            if let Some(target) = target(&response, &url)? {
                journey.request = journey.request.redirected(response.status().as_u16(), target);
                continue;
            }
            if journey.polls && response.status() == StatusCode::ACCEPTED {
                let location = poll::location(&response, &url)?.or(journey.asks_at);
                if let Some(location) = location {
                    return poll::outcome(&location, journey.at_home, &response, self.vault, self.now);
                }
            }
            let (method, host) = (journey.request.method.as_str(), host(&url));
            let body = response::read(&mut response, method, &host, limits::HTTP_RESPONSE_BYTES).await?;
            return response::outcome(&response, body, &host, self.now).await;
        }
        Err(Fault::TooManyRedirects { host: host(&journey.home) })
    }

    /// One hop. Credentials go along only while no redirect has led to another origin.
    async fn send(&self, plain: &Client, request: &Request, at_home: bool) -> Result<Response, Fault> {
        guard::check_literal(&request.url, self.connection)?;
        let read;
        let authentication = match (&self.own, self.connection) {
            (Some(own), _) if at_home => {
                if config::is_readable_on_the_way(&request.url) {
                    let message = "the `authentication` of `http` would be sent unencrypted; use https";
                    return Err(Fault::BadRequest(message.into()));
                }
                Some(own)
            }
            (None, Some(config::Http { base_url, authentication: Some(authentication), .. }))
                if at_home && request::is_under(&request.url, base_url) =>
            {
                read = authentication.read()?;
                Some(&read)
            }
            _ => None,
        };
        match authentication {
            None => once(plain, request, None).await,
            Some(HttpAuthentication::OAuth(oauth)) => self.send_with_token(plain, request, oauth).await,
            Some(HttpAuthentication::ClientCertificate { certificate, key }) => {
                let unusable = |why| Fault::Certificate(format!("the client certificate: {why}"));
                let identity = Identity::read(certificate, key).map_err(unusable)?;
                once(&self.clients.client(self.connection, Some(&identity))?, request, None).await
            }
            Some(other) => {
                if let HttpAuthentication::Basic { password, .. } = other {
                    self.note(password.expose_secret());
                }
                let authorization = request::authorization(other)?;
                if let Some(value) = &authorization {
                    self.note_header(value);
                }
                once(plain, request, authorization).await
            }
        }
    }

    fn note(&self, secret: &str) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
    }

    /// The value without its scheme, which says no secret and may stand alone.
    fn note_header(&self, value: &HeaderValue) {
        let text = String::from_utf8_lossy(value.as_bytes());
        self.note(text.split_once(' ').map_or(&*text, |(_, credentials)| credentials.trim()));
    }

    /// With a token of an authorisation server; one that was kept and is refused is replaced once.
    async fn send_with_token(
        &self,
        client: &Client,
        request: &Request,
        oauth: &OAuth<SecretString>,
    ) -> Result<Response, Fault> {
        let tokens = &self.clients.tokens;
        let token = tokens.token(client, self.connection, oauth, self.now).await?;
        self.note_header(&token.header);
        let response = once(client, request, Some(token.header.clone())).await?;
        if response.status() != StatusCode::UNAUTHORIZED || token.is_new {
            return Ok(response);
        }
        tokens.drop_refused(oauth, &token).await;
        let token = tokens.token(client, self.connection, oauth, self.now).await?;
        self.note_header(&token.header);
        once(client, request, Some(token.header)).await
    }
}

/// Where a call stands.
struct Journey {
    /// The author's URL.
    home: Url,
    request: Request,
    /// Whether every hop so far was at its origin.
    at_home: bool,
    /// Whether a 202 that says where to ask means to ask there.
    polls: bool,
    /// Where this attempt asks what became of an earlier one.
    asks_at: Option<Url>,
}

async fn once(client: &Client, request: &Request, authorization: Option<HeaderValue>) -> Result<Response, Fault> {
    let mut headers = request.headers.clone();
    if let Some(value) = authorization {
        headers.insert(AUTHORIZATION, value);
    }
    let mut call = client.request(request.method.clone(), request.url.clone()).headers(headers);
    if let Some(body) = &request.body {
        call = call.body(body.clone());
    }
    call.send().await.map_err(|error| Fault::of_request(&error, request.method.as_str(), &host(&request.url)))
}

/// Where a response redirects to, if it does.
fn target(response: &Response, url: &Url) -> Result<Option<Url>, Fault> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    match request::resolve(url, location) {
        Ok(target) => Ok(Some(target)),
        Err(target) => Err(Fault::BadRedirect { host: host(url), target }),
    }
}
