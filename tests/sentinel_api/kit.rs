//! A server with the workspace of Microsoft's examples, and a client with a token.

use larum::{
    access::{Lifetime, Role, TokenRequest},
    config::Config,
    store::incidents::IncidentStore,
};
use secrecy::ExposeSecret;
use serde_json::Value;

pub use crate::forms::Answer;
use crate::forms::{self, Served, request};

/// The workspace of Microsoft's examples.
pub const BASE: &str = "/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/myRg/providers/Microsoft.OperationalInsights/workspaces/myWorkspace/providers/Microsoft.SecurityInsights";
/// The version the documented PUT is of.
pub const VERSION: &str = "api-version=2022-07-01-preview";
/// A name for an incident.
pub const ONE: &str = "73e01a99-5cd7-4139-a149-9f2736ff2ab5";
pub const TWO: &str = "afbd324f-6c48-459c-8710-8d1e1cd03812";

/// A playbook that somebody can start on an incident.
pub const PLAYBOOK: &str = "
name: my-playbook-name
trigger: {incident: {on: [updated]}}
actions:
  - {id: note, action: compose, with: {inputs: '{{trigger.object.properties.title}}'}}
";

pub struct Api {
    pub served: Served,
    pub token: String,
}

/// A server, and a client that may do everything.
pub async fn api() -> Api {
    with(&[PLAYBOOK], Role::Contributor).await
}

/// A server with these playbooks, and a client with this role.
pub async fn with(playbooks: &[&str], role: Role) -> Api {
    changed(playbooks, role, |_| {}).await
}

/// The same with a configuration that `change` changes.
pub async fn changed(playbooks: &[&str], role: Role, change: impl FnOnce(&mut Config)) -> Api {
    let served = forms::served(playbooks, |config| {
        config.workspace.subscription = "d0cfe6b2-9ac0-4464-9919-dccaee2e48c0".into();
        config.workspace.resource_group = "myRg".into();
        config.workspace.name = "myWorkspace".into();
        config.server.api_calls_per_minute = 0;
        change(config);
    })
    .await;
    let mut api = Api { served, token: String::new() };
    api.token = api.token("tests", role).await;
    api
}

impl Api {
    /// A token of this name and role.
    pub async fn token(&self, name: &str, role: Role) -> String {
        let request = TokenRequest { name: name.into(), role, lifetime: Lifetime::Unlimited, by: "tests".into() };
        let issued = request.issue(forms::start()).unwrap();
        assert!(self.served.store.keep_token(issued.stored).await.unwrap());
        issued.token.expose_secret().to_owned()
    }

    /// Asks with the client's token.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.call_with(method, path, &[], body).await
    }

    /// The same with more headers.
    pub async fn call_with(&self, method: &str, path: &str, more: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let token = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", &*token)];
        headers.extend(more);
        let text = body.map(Value::to_string);
        if text.is_some() && more.iter().all(|(name, _)| *name != "content-type") {
            headers.push(("content-type", "application/json"));
        }
        self.served.raw(&request(method, path, &headers, text.as_deref().map(str::as_bytes))).await
    }

    /// The same at an address of the Sentinel API, `rest` being what follows the provider.
    pub async fn ask(&self, method: &str, rest: &str, body: Option<&Value>) -> Answer {
        let joint = if rest.contains('?') { '&' } else { '?' };
        self.call(method, &format!("{BASE}{rest}{joint}{VERSION}"), body).await
    }

    /// The JSON of an answer that must have this status.
    pub async fn ok(&self, status: u16, method: &str, rest: &str, body: Option<&Value>) -> Value {
        let answer = self.ask(method, rest, body).await;
        assert_eq!(answer.status, status, "{method} {rest}: {}", answer.body);
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// The same at an address of Larum's own API.
    pub async fn own(&self, status: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.call(method, path, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// An incident with this name and title.
    pub async fn incident(&self, name: &str, title: &str) -> Value {
        let body = serde_json::json!({"properties": {"title": title, "severity": "High", "status": "New"}});
        let answer = self.ask("PUT", &format!("/incidents/{name}"), Some(&body)).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        answer.json()
    }
}

/// A value with what differs from run to run masked: GUIDs that are not in `kept`, times of now, ports.
pub fn masked(value: &Value, kept: &[&str]) -> Value {
    match value {
        Value::String(text) => {
            let bare = text.trim_matches('"');
            if uuid::Uuid::try_parse(bare).is_ok() && !kept.contains(&bare) {
                Value::String(text.replace(bare, "[guid]"))
            } else {
                value.clone()
            }
        }
        Value::Array(items) => items.iter().map(|item| masked(item, kept)).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), masked(member, kept))).collect(),
        _ => value.clone(),
    }
}
