//! OAuth client credentials (RFC 6749 §4.4): a token is fetched once, kept until shortly before its end, and shared.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use reqwest::{
    Client, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::form_urlencoded::Serializer;

use super::{
    fault::Fault,
    guard,
    request::{self, host},
    response,
};
use crate::{
    config::{self, OAuth},
    limits,
};

/// Why there is no token. The call it was for was not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no token for the call, which was not sent: {why}")]
pub(super) struct NoToken {
    pub(super) why: String,
    /// Whether it may go better later.
    pub(super) again: bool,
    pub(super) after: Option<Duration>,
}

/// The tokens of this process, by what they were asked with.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<[u8; 32], Arc<Slot>>>);

/// One client's token. Who holds `state` asks for it; the others wait and share what comes of it.
#[derive(Default)]
struct Slot {
    state: tokio::sync::Mutex<State>,
    /// Requests that failed, so that who waited for one knows it.
    failures: AtomicU64,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    failure: Option<NoToken>,
}

/// A token as it is sent.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    until: DateTime<Utc>,
    /// Whether this call asked for it, so that it cannot be out of date.
    pub(super) is_new: bool,
}

impl Tokens {
    /// The token for `oauth`, kept or new, the token server under the network rules of `connection`.
    pub(super) async fn token(
        &self,
        client: &Client,
        connection: Option<&config::Http>,
        oauth: &OAuth<SecretString>,
        now: DateTime<Utc>,
    ) -> Result<Token, Fault> {
        let slot = self.slot(oauth);
        let failures = slot.failures.load(Ordering::Acquire);
        let mut state = slot.state.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| now < token.until) {
            return Ok(token.clone());
        }
        if let Some(failure) = &state.failure
            && slot.failures.load(Ordering::Acquire) != failures
        {
            return Err(failure.clone().into());
        }
        match fetch(client, connection, oauth, now).await {
            Ok(token) => {
                state.token = Some(Token { is_new: false, ..token.clone() });
                Ok(token)
            }
            Err(Fault::Token(failure)) => {
                state.failure = Some(failure.clone());
                slot.failures.fetch_add(1, Ordering::Release);
                Err(failure.into())
            }
            Err(other) => Err(other),
        }
    }

    /// Drops a token that was refused, unless another call has replaced it already.
    pub(super) async fn drop_refused(&self, oauth: &OAuth<SecretString>, refused: &Token) {
        let slot = self.slot(oauth);
        let mut state = slot.state.lock().await;
        if state.token.as_ref().is_some_and(|token| token.header == refused.header) {
            state.token = None;
        }
    }

    fn slot(&self, oauth: &OAuth<SecretString>) -> Arc<Slot> {
        // The secret is part of it: whoever does not know it gets nobody else's token, and a rotated one counts at once.
        let mut hash = Sha256::new();
        let asks = oauth.asks.iter().flat_map(|(name, value)| [*name, value.as_str()]);
        for piece in
            [oauth.token_url.as_str(), &oauth.client_id, oauth.client_secret.expose_secret()].into_iter().chain(asks)
        {
            hash.update(piece.len().to_le_bytes());
            hash.update(piece);
        }
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = hash.finalize().into();
        if slots.len() >= limits::OAUTH_TOKENS && !slots.contains_key(&key) {
            slots.clear();
        }
        slots.entry(key).or_default().clone()
    }
}

async fn fetch(
    client: &Client,
    connection: Option<&config::Http>,
    oauth: &OAuth<SecretString>,
    now: DateTime<Utc>,
) -> Result<Token, Fault> {
    let host = host(&oauth.token_url);
    guard::check_literal(&oauth.token_url, connection)?;
    let secret = oauth.client_secret.expose_secret();
    let call = client
        .post(oauth.token_url.clone())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(form(oauth));
    let answer = async {
        let mut response = call.send().await.map_err(|error| Fault::of_request(&error, "POST", &host))?;
        let bytes = response::read(&mut response, "POST", &host, limits::OAUTH_ANSWER_BYTES).await?;
        Ok((response.status(), response::retry_after(response.headers(), now), bytes))
    };
    let gone = |why: String| NoToken { why, again: true, after: None };
    let (status, after, bytes) = match tokio::time::timeout(limits::OAUTH_REQUEST, answer).await {
        Ok(Ok(answer)) => answer,
        // Of a token server too the address is what was refused.
        Ok(Err(Fault::Refused(refused))) => return Err(Fault::Refused(refused)),
        Ok(Err(fault)) => {
            let again = fault.is_of_the_network();
            return Err(NoToken { why: fault.to_string(), again, after: None }.into());
        }
        Err(_) => {
            let seconds = limits::OAUTH_REQUEST.as_secs();
            return Err(gone(format!("POST to {host} got no answer within {seconds} s")).into());
        }
    };
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let refused = |why: String| Fault::from(NoToken { why, again: false, after: None });
    if !status.is_success() {
        let again = matches!(status.as_u16(), 408 | 429 | 500..=599);
        let why =
            format!("{host} answered {} to the request for one{}", status.as_u16(), said(status, &answer, secret));
        return Err(NoToken { why, again, after }.into());
    }
    let Some(token) = answer["access_token"].as_str().filter(|token| !token.is_empty()) else {
        return Err(refused(format!("{host} answered {} without an `access_token`", status.as_u16())));
    };
    if let Some(kind) = answer["token_type"].as_str().filter(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        let kind: String = kind.chars().filter(char::is_ascii_graphic).take(40).collect();
        return Err(refused(format!("{host} gave one of the type `{kind}`, and only `Bearer` can be sent")));
    }
    let header = request::secret_value(&format!("Bearer {token}"))
        .ok_or_else(|| refused(format!("{host} gave one that no header can hold")))?;
    Ok(Token { header, until: now + kept_for(&answer), is_new: true })
}

/// The fields of the request. The secret goes among them (RFC 6749 §2.3.1), where Entra expects it.
fn form(oauth: &OAuth<SecretString>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    form.append_pair("client_id", &oauth.client_id);
    form.append_pair("client_secret", oauth.client_secret.expose_secret());
    form.extend_pairs(&oauth.asks);
    form.finish()
}

/// How long the token is used. Some servers write the seconds as a text.
fn kept_for(answer: &Value) -> Duration {
    let given = &answer["expires_in"];
    let seconds = given.as_u64().or_else(|| given.as_str()?.trim().parse().ok());
    let Some(life) = seconds.map(|seconds| Duration::from_secs(seconds).min(limits::RUN_DURATION)) else {
        return limits::OAUTH_LIFETIME;
    };
    life - limits::OAUTH_MARGIN.min(life / 2)
}

/// What a token server says of its refusal (RFC 6749 §5.2), in one line and without the secret.
fn said(status: StatusCode, answer: &Value, secret: &str) -> String {
    if status.is_redirection() {
        return ", a redirect, which such a request does not follow".into();
    }
    let texts = ["error", "error_description"].into_iter().filter_map(|key| answer[key].as_str());
    let text: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
    if text.is_empty() {
        return String::new();
    }
    let mut text = text.join(": ");
    if !secret.is_empty() {
        text = text.replace(secret, "…");
    }
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(limits::OAUTH_REASON_CHARS).collect();
    format!(": {}", line.trim())
}
