//! Automation rules: those that are kept, and to read those that stand in files.

use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json as value};

use super::{body::Envelope, documents::put_document, list::whole};
use crate::{
    incident::{Change, DocumentKey, DocumentKind, automation::AutomationRule},
    playbook::FileRule,
    server::{
        ask::{Ask, bad_request, not_found},
        problem::{Problem, json},
    },
    trigger::rules,
};

fn key(ask: &Ask) -> Result<DocumentKey, Box<Problem>> {
    Ok(DocumentKey { kind: DocumentKind::AutomationRule, parent: None, name: ask.name("rule")? })
}

/// The rule of this name in a file.
fn in_file(ask: &Ask, key: &DocumentKey) -> Option<FileRule> {
    ask.site.door.library.rules().iter().find(|file| file.name == key.name).cloned()
}

/// A rule in a file is changed there.
fn writable(ask: &Ask, key: &DocumentKey) -> Result<(), Box<Problem>> {
    let Some(FileRule { name, path, .. }) = in_file(ask, key) else { return Ok(()) };
    let message = format!("Automation rule '{name}' stands in the file '{path}'; change it there.");
    Err(Problem::new(StatusCode::CONFLICT, "Conflict", "This was not changed", message))
}

/// GET `/automationRules`.
pub async fn list(ask: Ask) -> Result<Response, Box<Problem>> {
    let files = ask.site.door.library.rules();
    let rules = rules::documents(&files, ask.store()).await?;
    Ok(whole(&rules, |rule| rule.to_resource(ask.workspace())))
}

/// GET `/automationRules/{rule}`.
pub async fn get(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let rule = match in_file(&ask, &key) {
        Some(file) => Some(file.document()),
        None => ask.store().document(&key).await?,
    };
    let rule = rule.ok_or_else(|| not_found(&key.name))?;
    Ok(json(StatusCode::OK, &rule.resource(ask.workspace())))
}

/// PUT `/automationRules/{rule}`.
pub async fn put_one(mut ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    let Envelope { etag, properties } = ask.json::<Envelope<Value>>().await?;
    let rule = AutomationRule::parse(&properties);
    let rule = rule.map_err(|fault| bad_request(format!("The request body is not valid: {fault}.")))?;
    writable(&ask, &key)?;
    put_document(&ask, key, rule.to_properties(), etag).await
}

/// DELETE `/automationRules/{rule}`: 200 with a body, whether or not it was there, because Azure's SDKs read one.
pub async fn delete(ask: Ask) -> Result<Response, Box<Problem>> {
    let key = key(&ask)?;
    writable(&ask, &key)?;
    ask.change(Change::DeleteDocument { key, precondition: ask.precondition(None) }).await?;
    Ok(json(StatusCode::OK, &value!({})))
}
