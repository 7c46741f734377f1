//! The actions of alert rules: which playbook an alert of a rule starts. The rules themselves are not kept here.

use axum::{http::StatusCode, response::Response};
use serde_json::json as value;

use super::{
    body::{ActionWrite, Envelope},
    documents::put_document,
    list::whole,
};
use crate::{
    incident::{Change, DocumentKey, DocumentKind},
    server::{
        ask::{Ask, gone, not_found},
        problem::{Problem, json},
    },
};

fn key(ask: &Ask) -> Result<DocumentKey, Box<Problem>> {
    let parent = Some(ask.name("rule")?);
    Ok(DocumentKey { kind: DocumentKind::AlertRuleAction, parent, name: ask.name("action")? })
}

/// GET `/alertRules/{rule}/actions`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let rule = ask.name("rule")?;
    let actions = ask.store().documents(DocumentKind::AlertRuleAction, Some(&rule)).await?;
    Ok(whole(&actions, |action| action.to_resource(ask.workspace())))
}

/// GET `/alertRules/{rule}/actions/{action}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let action = ask.store().document(&key).await?;
    let action = action.ok_or_else(|| not_found(&key.name))?;
    Ok(json(StatusCode::OK, &action.resource(ask.workspace())))
}

/// PUT `/alertRules/{rule}/actions/{action}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let Envelope { etag, properties } = ask.json::<Envelope<ActionWrite>>().await?;
    let ActionWrite { trigger_uri, logic_app_resource_id } = properties;
    let properties = value!({"logicAppResourceId": logic_app_resource_id, "triggerUri": trigger_uri});
    put_document(&ask, key, properties, etag).await
}

/// DELETE `/alertRules/{rule}/actions/{action}`.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    Ok(gone(&ask.change(Change::DeleteDocument { key, precondition: ask.precondition(None) }).await?))
}
