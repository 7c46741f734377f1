//! `/hooks/{path}`: webhooks, called by programs.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::Response,
};
use serde_json::{Map, Value, json};

use super::{
    Site,
    hook_answer::{accepted, answered},
    problem::{Problem, Speaks, json as json_answer},
    request::{BUSY_RETRY, STORE_RETRY, idempotency_key, joined, queries},
};
use crate::{
    config::{Connection, Webhook},
    content,
    limits::{HOOK_BYTES, SCHEMA_FAULTS},
    metrics::IntakeLabels,
    playbook::{Admits, Method},
    store::{
        RunId, StoreError,
        intake::{Listening, Verdict},
    },
    trigger::{
        form::FieldFault,
        webhook::{CallbackFault, Hook, HookCall, SignatureFault, precheck, verify},
    },
};

/// Headers that admit somebody, which nobody who may look at a run needs to see.
const SECRET_HEADERS: [HeaderName; 3] = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];
/// The part of a signed address that admits.
const SIGNATURE: &str = "sig";
pub(super) const TITLE: &str = "This cannot be taken";

/// Any method: a call of a webhook.
pub async fn call(State(site): State<Arc<Site>>, request: Request) -> Response {
    let answer = async {
        let Taken { hook, run, replayed } = take_in(&site, request).await.inspect_err(|problem| {
            count(&site, if problem.status.is_server_error() { "unavailable" } else { "refused" });
        })?;
        Ok(match run {
            Some(run) if hook.responds || replayed => answered(&site, &hook, run, replayed).await?,
            Some(run) => accepted(run, replayed),
            None => json_answer(StatusCode::ACCEPTED, &json!({"run": null})),
        })
    };
    answer.await.unwrap_or_else(|problem: Box<Problem>| problem.answer(&site.pages, Speaks::Json))
}

/// What became of a call that was taken.
struct Taken {
    hook: Arc<Hook>,
    /// `None` when the playbook's conditions start nothing for it.
    run: Option<RunId>,
    /// It had come before.
    replayed: bool,
}

async fn take_in(site: &Site, request: Request) -> Result<Taken, Box<Problem>> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let client = site.client(&parts.extensions, headers);
    site.hook_rate.count(client, site.door.clock.now()).map_err(|seconds| {
        let message = format!("Too many calls came from your address. Try again in {seconds} seconds.");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", TITLE, message).retry_after(seconds)
    })?;

    let rest = parts.uri.path().strip_prefix("/hooks/").unwrap_or_default();
    let (path, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let hook = site.hooks.get(path).ok_or_else(no_hook)?;
    let parameters = hook.parameters(rest).ok_or_else(no_hook)?;
    let method = Method::ALL.iter().find(|method| method.as_str() == parts.method.as_str()).copied();
    let Some(method) = method.filter(|method| hook.trigger.methods.contains(method)) else {
        return Err(wrong_method(&hook));
    };
    let query = queries(parts.uri.query()).map_err(|_| bad_request("The query is not valid UTF-8, or too long."))?;

    let signed = admit(site, &hook, headers, &query)?;
    let body = site.bodies.read(body, headers, HOOK_BYTES).await?;
    if let Some(connection) = signed {
        verify(connection, headers, &body.bytes, site.door.clock.now()).map_err(|fault| unsigned(&hook, &fault))?;
    }
    let key = idempotency_key(headers)?;
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let value = content::value(content_type.as_deref(), body.bytes.clone()).await;
    let value = value.map_err(|fault| bad_request(sentence(&fault.to_string())))?;
    fits_schema(&hook, &value)?;
    let call =
        HookCall { method, headers: shown(headers, signed), queries: shown_queries(query), parameters, body: value };
    let (run, replayed) =
        take(site, &hook, call, key).await?.map_or((None, false), |(run, replayed)| (Some(run), replayed));
    Ok(Taken { hook, run, replayed })
}

/// Checks who calls, as far as that can be known before the body is there; `Some` when the body must be signed.
fn admit<'s>(
    site: &'s Site,
    hook: &Hook,
    headers: &HeaderMap,
    query: &[(String, String)],
) -> Result<Option<&'s Webhook>, Box<Problem>> {
    let (now, path) = (site.door.clock.now(), &hook.trigger.path);
    match &hook.trigger.admits {
        Admits::Anybody => Ok(None),
        Admits::SignedUrl => match site.callback_keys.verify(path, query, now) {
            Ok(()) => Ok(None),
            Err(fault @ CallbackFault::Unreadable { .. }) => {
                tracing::error!(webhook = %path, playbook = %hook.live.playbook.name, %fault, "a webhook cannot check its callers");
                Err(unavailable("The call could not be checked, so it was not taken. Send it again in a while."))
            }
            Err(fault) => Err(unauthorised(hook, &fault.to_string())),
        },
        Admits::Signed { connection } => {
            let known = site.connections.iter().find(|(name, _)| name.eq_ignore_ascii_case(connection));
            let Some((_, Connection::Webhook(webhook))) = known else {
                tracing::error!(
                    webhook = %path, playbook = %hook.live.playbook.name, %connection,
                    "larum.yaml has no webhook connection of this name; calls are refused until it has"
                );
                return Err(unavailable(
                    "The call could not be checked, so it was not taken. Send it again in a while.",
                ));
            };
            precheck(webhook, headers, now).map_err(|fault| unsigned(hook, &fault))?;
            Ok(Some(webhook))
        }
    }
}

fn unsigned(hook: &Hook, fault: &SignatureFault) -> Box<Problem> {
    match fault {
        SignatureFault::Secret(_) | SignatureFault::EmptySecret | SignatureFault::UnreadableSecret => {
            let path = &hook.trigger.path;
            tracing::error!(webhook = %path, playbook = %hook.live.playbook.name, %fault, "a webhook cannot check its callers");
            unavailable("The call could not be checked, so it was not taken. Send it again in a while.")
        }
        _ => unauthorised(hook, &fault.to_string()),
    }
}

fn unauthorised(hook: &Hook, reason: &str) -> Box<Problem> {
    tracing::warn!(webhook = %hook.trigger.path, playbook = %hook.live.playbook.name, reason, "a call of a webhook was refused");
    Problem::new(StatusCode::UNAUTHORIZED, "Unauthorized", "This call is not signed", sentence(reason))
}

fn fits_schema(hook: &Hook, value: &Value) -> Result<(), Box<Problem>> {
    let Some(schema) = &hook.trigger.schema else { return Ok(()) };
    let faults = schema.faults(value, SCHEMA_FAULTS);
    let Some(first) = faults.first() else { return Ok(()) };
    let place = if first.pointer.is_empty() { "as a whole".to_owned() } else { format!("at {}", first.pointer) };
    let message = format!("The body does not fit the schema of this webhook, {place}: {}.", first.message);
    let mut problem = Problem::new(StatusCode::BAD_REQUEST, "TriggerInputSchemaMismatch", TITLE, message);
    let field =
        |fault: crate::schema::SchemaFault| FieldFault { field: fault.pointer, label: None, message: fault.message };
    problem.fields = faults.into_iter().map(field).collect();
    Err(problem)
}

/// Brings a call through the intake door. When this returns, it is on disk. `None` when the playbook starts no run for it.
async fn take(
    site: &Site,
    hook: &Hook,
    call: HookCall,
    idempotency_key: Option<&str>,
) -> Result<Option<(RunId, bool)>, Box<Problem>> {
    let failed = |error: &StoreError| not_stored(hook, error);
    let intake = hook.intake(&site.door, call, idempotency_key).map_err(|error| failed(&error))?;
    let intake = intake.map_err(|fault| bad_request(sentence(&fault.to_string())))?;
    // The caller can mend it, so it is told and nothing is kept.
    if let Some(fault) = intake.reports.iter().flat_map(|report| &report.playbooks).find_map(Listening::fault) {
        return Err(bad_request(fault["message"].as_str().unwrap_or_default()));
    }
    let verdict = site.door.take(intake).await.map_err(|error| failed(&error))?.into_iter().next();
    let (event, run, replayed) = match verdict {
        Some(Verdict::Accepted { event, runs, .. }) => (event, runs.first().map(|started| started.run), false),
        Some(Verdict::Duplicate { event, run }) => (event, run, true),
        Some(Verdict::Skipped { because }) => {
            tracing::info!(webhook = %hook.trigger.path, because, "a call of a webhook was skipped");
            count(site, "skipped");
            return Ok(None);
        }
        Some(Verdict::Busy { because }) => {
            tracing::warn!(webhook = %hook.trigger.path, because, "a call of a webhook was refused");
            let message = "So many calls are being worked on that this one was not taken. Send it again in a while.";
            return Err(
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", TITLE, message).retry_after(BUSY_RETRY)
            );
        }
        None => return Err(failed(&StoreError::Failed("the store gave no verdict".into()))),
    };
    let run = run.ok_or_else(|| failed(&StoreError::Failed(format!("event {event} has no run").into())))?;
    let path = &hook.trigger.path;
    if replayed {
        tracing::info!(webhook = %path, %event, %run, "a call of a webhook found a duplicate");
        count(site, "duplicate");
    } else {
        tracing::info!(webhook = %path, %event, %run, "a call of a webhook was accepted");
        count(site, "accepted");
    }
    Ok(Some((run, replayed)))
}

/// The headers a playbook sees, by name in lower case; the values of a repeated one with commas between them.
fn shown(headers: &HeaderMap, signed: Option<&Webhook>) -> Map<String, Value> {
    let admits = |name: &HeaderName| {
        SECRET_HEADERS.contains(name) || signed.is_some_and(|connection| connection.header == name.as_str())
    };
    let text = |name: &HeaderName| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    headers.keys().filter(|name| !admits(name)).map(|name| (name.to_string(), text(name).into())).collect()
}

fn shown_queries(query: Vec<(String, String)>) -> Map<String, Value> {
    joined(query).into_iter().filter(|(name, _)| name != SIGNATURE).map(|(name, value)| (name, value.into())).collect()
}

fn count(site: &Site, verdict: &'static str) {
    site.metrics.intake.get_or_create(&IntakeLabels { trigger: "webhook", verdict }).inc();
}

fn no_hook() -> Box<Problem> {
    let message = "No webhook has this address. Check it for a typing mistake.";
    Problem::new(StatusCode::NOT_FOUND, "NotFound", "There is no such webhook", message)
}

fn wrong_method(hook: &Hook) -> Box<Problem> {
    let methods: Vec<&str> = hook.trigger.methods.iter().map(|method| method.as_str()).collect();
    let methods = methods.join(", ");
    let message = format!("This webhook takes {methods} only.");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", TITLE, message).allow(methods)
}

fn bad_request(message: impl Into<String>) -> Box<Problem> {
    Problem::new(StatusCode::BAD_REQUEST, "BadRequest", TITLE, message)
}

pub(super) fn unavailable(message: &str) -> Box<Problem> {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Calls cannot be taken just now", message)
        .retry_after(STORE_RETRY)
}

fn not_stored(hook: &Hook, error: &StoreError) -> Box<Problem> {
    tracing::error!(webhook = %hook.trigger.path, playbook = %hook.live.playbook.name, %error, "a call of a webhook could not be stored; its sender is told to try again");
    unavailable("The call could not be stored, so it was not taken. Send it again in a while.")
}

/// A fault's words as a sentence.
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(['.']).collect()
}
