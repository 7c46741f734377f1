//! What the caller of a webhook is told: where its run is, or what the playbook answers.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    Site,
    hooks::{TITLE, unavailable},
    problem::{Problem, json as json_answer},
    request::REPLAYED,
};
use crate::{
    action::respond,
    engine::News,
    limits::REPLY,
    store::{RunId, run::RunStatus},
    trigger::webhook::Hook,
};

/// What the playbook answers, waiting for it. A repeated call gets the first one's answer, also long afterwards and when
/// the playbook answers no more today.
pub(super) async fn answered(site: &Site, hook: &Hook, run: RunId, replayed: bool) -> Result<Response, Box<Problem>> {
    let clock = &site.door.clock;
    let until = clock.now() + REPLY;
    // The watch hears what happens from here on, the store knows what happened before.
    let watch = site.door.engine.watch_reply(run);
    let state = site.door.store.run_state(run).await.map_err(|error| {
        tracing::error!(webhook = %hook.trigger.path, %run, %error, "what a run answers its caller could not be looked up");
        unavailable("The call was taken, but its answer could not be looked up. Ask again in a while.")
    })?;
    // A call that was split into several runs was answered with the address of the first, whatever that one replied.
    let split = hook.live.playbook.admission.split_on.is_some();
    if split || !hook.responds && state.as_ref().is_none_or(|state| state.reply.is_none()) {
        return Ok(accepted(run, replayed));
    }
    let Some(state) = state else {
        let message = "This call came before, so long ago that its answer is no longer kept.";
        return Err(Problem::new(StatusCode::GONE, "AnswerGone", TITLE, message));
    };
    let reply = match (state.reply, state.status) {
        (Some(reply), _) => Arc::new(reply),
        (None, RunStatus::Running | RunStatus::Waiting) => {
            let Ok(_place) = site.waiting.try_acquire() else {
                let message =
                    "The call was taken, but so many callers wait that this one cannot. Ask again with the same key.";
                return Err(unavailable(message));
            };
            let news = tokio::select! {
                news = watch.news() => news,
                () = clock.sleep_until(until) => return Err(no_answer_in_time()),
            };
            match news {
                Some(News::Replied(reply)) => reply,
                Some(News::Ended(_) | News::Incident(_)) => return Err(no_answer()),
                None => return Err(unavailable("Larum stops. The run goes on at its next start; ask again then.")),
            }
        }
        (None, _) => return Err(no_answer()),
    };
    Ok(written(&reply, replayed))
}

/// A playbook's answer as HTTP.
fn written(reply: &Value, replayed: bool) -> Response {
    let (status, headers, bytes) = respond::encode(reply);
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn no_answer_in_time() -> Box<Problem> {
    let message = format!("The playbook did not answer within {} seconds. Its run goes on.", REPLY.as_secs());
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", "There was no answer in time", message)
}

fn no_answer() -> Box<Problem> {
    let message = "The playbook's run ended without an answer.";
    Problem::new(StatusCode::BAD_GATEWAY, "NoResponse", "There was no answer", message)
}

/// 202 with the run's address. A repeated call is answered alike.
pub(super) fn accepted(run: RunId, replayed: bool) -> Response {
    let mut response = json_answer(StatusCode::ACCEPTED, &json!({"run": run}));
    if let Ok(location) = HeaderValue::try_from(format!("/runs/{run}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
