//! Automation rules.

use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json as value};

use super::{body::Envelope, list::whole};
use crate::{
    incident::{Change, DocumentKey, DocumentKind, Written, automation::AutomationRule},
    server::{
        ask::{Ask, bad_request, not_found, not_stored, put, unexpected},
        problem::{Problem, json},
    },
};

fn key(ask: &Ask) -> Result<DocumentKey, Box<Problem>> {
    Ok(DocumentKey { kind: DocumentKind::AutomationRule, parent: None, name: ask.name("rule")? })
}

/// GET `/automationRules`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let rules = ask.store().documents(DocumentKind::AutomationRule, None).await.map_err(not_stored)?;
    Ok(whole(&rules, |rule| rule.to_resource(ask.workspace())))
}

/// GET `/automationRules/{rule}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let rule = ask.store().document(&key).await.map_err(not_stored)?;
    let rule = rule.ok_or_else(|| not_found(&key.name))?;
    Ok(json(StatusCode::OK, &rule.resource(ask.workspace())))
}

/// PUT `/automationRules/{rule}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let Envelope { etag, properties } = ask.json::<Envelope<Value>>().await?;
    let rule = AutomationRule::parse(&properties);
    let rule = rule.map_err(|fault| bad_request(format!("The request body is not valid: {fault}.")))?;
    let precondition = ask.precondition(etag);
    match ask.change(Change::PutDocument { key, properties: rule.to_properties(), precondition }).await? {
        Written::Document { document, created } => Ok(put(created, &document.resource(ask.workspace()))),
        _ => Err(unexpected()),
    }
}

/// DELETE `/automationRules/{rule}`: 200 with a body, whether or not it was there, because Azure's SDKs read one.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    ask.change(Change::DeleteDocument { key }).await?;
    Ok(json(StatusCode::OK, &value!({})))
}
