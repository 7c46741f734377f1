//! Services that are called over HTTP.

use serde_json::Value;

use super::{Doctor, Finding, secret_advice};
use crate::{
    action::{Outcome, probe},
    config::{Http, Sentinel},
};

/// The status of an answer, if there was one.
fn status(outcome: &Outcome) -> Option<u64> {
    let outputs = serde_json::to_value(outcome.outputs.as_ref()?).ok()?;
    outputs.get("statusCode").and_then(Value::as_u64)
}

/// Why there was no answer.
fn unanswered(outcome: &Outcome) -> String {
    outcome.error.as_ref().map_or_else(|| outcome.code.clone(), |error| error.message.clone())
}

pub(super) async fn http(doctor: &Doctor<'_>, about: &str, http: &Http) -> Finding {
    if let Some(Err(error)) = http.authentication.as_ref().map(|authentication| authentication.read().map(drop)) {
        return Finding::broken(about, error.to_string(), secret_advice(&error));
    }
    let outcome = probe::http(&doctor.clients, &doctor.vault, http, doctor.now).await;
    let url = &http.base_url;
    match status(&outcome) {
        None => Finding::broken(about, unanswered(&outcome), advice(&outcome, "`token_url`")),
        Some(status @ (401 | 403)) => {
            let found = format!("GET {url} was answered {status}");
            let advice = if http.authentication.is_some() {
                "the service may not take these credentials, or not for this address: check them and their rights"
            } else {
                "it wants credentials: `authentication` of the connection says which"
            };
            Finding::doubtful(about, found, advice)
        }
        Some(status @ 500..) => {
            Finding::doubtful(about, format!("GET {url} was answered {status}"), "the service itself has a fault")
        }
        Some(status) => Finding::well(about, format!("GET {url} was answered {status}")),
    }
}

pub(super) async fn sentinel(doctor: &Doctor<'_>, about: &str, sentinel: &Sentinel) -> Finding {
    if let Some(Err(error)) = sentinel.http.authentication.as_ref().map(|given| given.read().map(drop)) {
        return Finding::broken(about, error.to_string(), secret_advice(&error));
    }
    let outcome = probe::sentinel(&doctor.clients, &doctor.vault, sentinel, doctor.now).await;
    let workspace = &sentinel.workspace.name;
    let Some(status) = status(&outcome) else {
        return Finding::broken(about, unanswered(&outcome), advice(&outcome, "`tenant_id`"));
    };
    let found = format!("listing the incidents of {workspace} was answered {status}");
    match status {
        200 => Finding::well(about, format!("the incidents of {workspace} can be read; writing was not tried")),
        401 => Finding::broken(
            about,
            found,
            "the token is not taken: check `tenant_id`, `client_id` and `client_secret`, or `token`, and that `endpoint` and \
             `authority` are of the same cloud",
        ),
        403 => Finding::broken(
            about,
            found,
            "the application lacks a right: give it the role Microsoft Sentinel Responder on the workspace (on another \
             Larum, a token of the role responder)",
        ),
        404 => Finding::broken(
            about,
            found,
            "there is no such workspace: check `subscription`, `resource_group` and `workspace`, and that Microsoft \
             Sentinel is switched on there",
        ),
        400 => Finding::broken(about, found, "check `api_version`"),
        _ => Finding::doubtful(about, found, "try again; when it stays so, the service has a fault"),
    }
}

/// What to do where there was no answer; `issuer` is the key that says who gives tokens.
fn advice(outcome: &Outcome, issuer: &str) -> String {
    // Who gives tokens answered, and refused one.
    if outcome.code == "AuthenticationFailed" && !outcome.retryable {
        return format!("no token was given: check `client_id`, `client_secret` (it may have expired) and {issuer}");
    }
    "check the address, that the firewall lets this machine out, and that a private address is in `allow_networks`"
        .to_owned()
}
