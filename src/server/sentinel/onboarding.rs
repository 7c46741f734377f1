//! The onboarding state. The built-in workspace is always onboarded; what can be written of it is kept for clients that
//! read it back.

use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json as value};

use super::{
    body::{Envelope, OnboardingWrite},
    documents::put_document,
};
use crate::{
    incident::{Change, DocumentKey, DocumentKind, ResourceName, provider_id},
    server::{
        ask::{Ask, gone, not_found},
        problem::{Problem, json},
    },
};

/// The one name a state has.
const DEFAULT: &str = "default";

fn key(ask: &Ask) -> Result<DocumentKey, Box<Problem>> {
    let name = ask.name("state")?;
    if !ask.parameter("state").eq_ignore_ascii_case(DEFAULT) {
        return Err(not_found(name));
    }
    Ok(DocumentKey { kind: DocumentKind::OnboardingState, parent: None, name })
}

async fn state(ask: &Ask, key: &DocumentKey) -> Result<Value, Box<Problem>> {
    let kept = ask.store().document(key).await?;
    Ok(kept.map_or_else(
        || {
            value!({
                "id": format!("{}/onboardingStates/{DEFAULT}", provider_id(ask.workspace())),
                "name": DEFAULT,
                "type": "Microsoft.SecurityInsights/onboardingStates",
                "properties": {"customerManagedKey": false},
            })
        },
        |document| document.to_resource(ask.workspace()),
    ))
}

/// GET `/onboardingStates`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let name = ResourceName::Text(DEFAULT.into());
    let state = state(&ask, &DocumentKey { kind: DocumentKind::OnboardingState, parent: None, name }).await?;
    Ok(json(StatusCode::OK, &value!({"value": [state]})))
}

/// GET `/onboardingStates/default`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let state = state(&ask, &key(&ask)?).await?;
    Ok(json(StatusCode::OK, &state))
}

/// PUT `/onboardingStates/default`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let Envelope { etag, properties } = ask.json::<Envelope<OnboardingWrite>>().await?;
    let properties = value!({"customerManagedKey": properties.customer_managed_key.unwrap_or_default()});
    put_document(&ask, key, properties, etag).await
}

/// DELETE `/onboardingStates/default`: forgets what was written of it.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    Ok(gone(&ask.change(Change::DeleteDocument { key, precondition: ask.precondition(None) }).await?))
}
