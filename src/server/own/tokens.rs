//! `/api/tokens`: an administrator makes, lists and revokes tokens.

use axum::{http::StatusCode, response::Response};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    access::{IssueError, Lifetime, Role, TokenRequest, TokenResource},
    server::{
        ask::{Ask, bad_request, not_found},
        problem::{Problem, json as json_answer},
        sentinel::ListOf,
    },
    store::StoreError,
};

/// A token to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// The person or program that will use it; unique among the tokens that count.
    name: String,
    role: Role,
    /// How long it counts: a duration such as `90d`, or `never`. A year when it is not given.
    #[serde(default)]
    expires: Option<String>,
}

/// A token that was just made; what lets its holder in is shown this once.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MadeToken<'a> {
    #[serde(flatten)]
    resource: TokenResource<'a>,
    token: &'a str,
}

/// GET `/api/tokens`: every token, oldest first, those too that count no more.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let tokens = ask.store().tokens().await?;
    let now = ask.site.door.clock.now();
    let value: Vec<_> = tokens.iter().map(|token| TokenResource::of(token, now)).collect();
    Ok(json_answer(StatusCode::OK, &ListOf { value, next_link: None }))
}

/// POST `/api/tokens`: makes one.
pub async fn create(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let NewToken { name, role, expires } = ask.json().await?;
    let lifetime = expires.as_deref().map(Lifetime::parse).transpose();
    let lifetime = lifetime.map_err(|error| bad_request(format!("'expires' is no lifetime: {error}.")))?;
    let by = ask.caller.actor.name().to_owned();
    let now = ask.site.door.clock.now();
    let request = TokenRequest { name, role, lifetime: lifetime.unwrap_or_default(), by };
    let issued = request.issue(now).map_err(|error| match error {
        IssueError::BadName(_) => bad_request(format!("{error}.")),
        IssueError::Random(_) => StoreError::Failed(error.to_string().into()).into(),
    })?;
    let stored = &issued.stored;
    if !ask.store().keep_token(stored.clone()).await? {
        let message = format!("A token called '{}' is in use. Revoke it, or choose another name.", stored.name);
        return Err(Problem::new(StatusCode::CONFLICT, "Conflict", "This name is taken", message));
    }
    tracing::info!(token = stored.name, role = stored.role.as_str(), by = stored.created_by, "a token was made");
    let made = MadeToken { resource: TokenResource::of(stored, now), token: issued.token.expose_secret() };
    Ok(json_answer(StatusCode::CREATED, &made))
}

/// POST `/api/tokens/{token}/revoke`: makes the token of this name useless, at once.
pub async fn revoke(ask: Ask) -> Result<Response, Box<Problem>> {
    let name = ask.parameter("token");
    let now = ask.site.door.clock.now();
    if !ask.store().revoke_token(name, now).await? {
        return Err(not_found(format_args!("Token {name}")));
    }
    tracing::info!(token = name, by = ask.caller.actor.name(), "a token was revoked");
    Ok(json_answer(StatusCode::OK, &json!({"name": name, "revoked": now})))
}
