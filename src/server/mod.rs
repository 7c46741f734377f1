//! The HTTP server: forms, webhooks, approvals, the APIs, health and metrics. [`routes::TABLE`] lists it all.

mod approvals;
mod ask;
mod body;
mod caller;
mod connection;
mod dispatch;
mod downloads;
mod first_admin;
mod form_page;
mod forms;
mod gate;
mod guard;
mod hook_answer;
mod hooks;
mod openapi;
mod own;
mod pages;
mod problem;
mod rate;
mod request;
pub mod routes;
mod sentinel;
mod shares;
mod strict;
mod tls;
mod unread;
mod written;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::sync::{Mutex, Semaphore, watch};

pub use connection::{Entrance, serve};
pub use first_admin::{FirstAdmin, FirstAdminError};
pub use pages::PagesError;
pub use tls::{Certificates, TlsError};

use self::{
    body::Bodies,
    downloads::Downloads,
    guard::Guard,
    pages::Pages,
    problem::{Problem, Speaks},
    rate::RateLimit,
    routes::{Handler, Listener, Routes, TABLE},
};
use crate::{
    config::{Config, Connection},
    incident::Workspace,
    limits::{READY_VERDICT, REFUSALS_PER_MINUTE, REPLIES_WAITED_FOR},
    metrics::Metrics,
    secret::Vault,
    trigger::{
        form::Form,
        intake::Door,
        table::Table,
        webhook::{CallbackKeys, Hook},
    },
};

/// Everything that answering a request takes.
pub struct Site {
    routes: Routes,
    workspace: Workspace,
    /// Where its clients reach the server when nobody says under which name: `http` or `https`.
    scheme: &'static str,
    door: Arc<Door>,
    forms: Table<Form>,
    hooks: Table<Hook>,
    callback_keys: CallbackKeys,
    pages: Pages,
    guard: Guard,
    rate: RateLimit,
    hook_rate: RateLimit,
    api_rate: RateLimit,
    /// Tokens and links that were not good.
    refusals: RateLimit,
    open_metrics: bool,
    /// Set while there is no administrator.
    first_admin: OnceLock<FirstAdmin>,
    /// One permit for each caller that waits for a playbook's answer.
    waiting: Semaphore,
    /// What webhooks check their callers by.
    connections: BTreeMap<String, Connection>,
    bodies: Bodies,
    downloads: Downloads,
    vault: Vault,
    metrics: Metrics,
    /// Whether the runs found at the start have been taken up again.
    recovered: watch::Receiver<bool>,
    looked: Mutex<Option<Looked>>,
}

/// A look at whether the store can be written.
struct Looked {
    at: DateTime<Utc>,
    writable: bool,
}

impl Site {
    /// The site of this configuration. `recovered` turns true once the engine has taken up the runs it found, and then
    /// `/readyz` says yes.
    ///
    /// # Errors
    /// When a page's template in the configured folder cannot be used.
    pub fn new(
        config: &Config,
        door: Arc<Door>,
        vault: Vault,
        metrics: Metrics,
        recovered: watch::Receiver<bool>,
    ) -> Result<Arc<Self>, PagesError> {
        Ok(Arc::new(Self {
            routes: Routes::of(TABLE),
            workspace: Workspace::of(config),
            scheme: if config.server.url().starts_with("https:") { "https" } else { "http" },
            forms: Table::new(door.library.clone()),
            hooks: Table::new(door.library.clone()),
            callback_keys: CallbackKeys::of(&config.data),
            door,
            pages: Pages::new(config.templates.as_deref().map(Path::new))?,
            guard: Guard::new(&config.server),
            rate: RateLimit::new(config.server.form_posts_per_minute),
            hook_rate: RateLimit::new(config.server.hook_calls_per_minute),
            api_rate: RateLimit::new(config.server.api_calls_per_minute),
            refusals: RateLimit::new(REFUSALS_PER_MINUTE),
            open_metrics: config.server.open_metrics,
            first_admin: OnceLock::new(),
            waiting: Semaphore::new(REPLIES_WAITED_FOR),
            connections: config.connections.clone(),
            bodies: Bodies::default(),
            downloads: Downloads::default(),
            vault,
            metrics,
            recovered,
            looked: Mutex::default(),
        }))
    }

    /// Lets this link make an administrator's token. Only the first that is offered counts.
    pub fn offer(&self, link: FirstAdmin) {
        let _ = self.first_admin.set(link);
    }

    /// The routes of the table that this listener serves.
    fn router(self: &Arc<Self>, listener: Listener) -> Router {
        let mut router = Router::new();
        for route in TABLE.iter().filter(|route| listener == Listener::Main || route.listener == listener) {
            if let Handler::Page(handler) = route.handler {
                let gate = middleware::from_fn_with_state((self.clone(), route), gate::page);
                router = router.route(route.path, handler().layer(gate));
            }
        }
        let router =
            if listener == Listener::Main { router.fallback(dispatch::call) } else { router.fallback(not_found) };
        router
            .method_not_allowed_fallback(wrong_method)
            .layer(middleware::from_fn_with_state((self.clone(), listener), guarded))
            .with_state(self.clone())
    }
}

/// Admits a request by its host, hears it out and hardens every answer.
async fn guarded(State((site, listener)): State<(Arc<Site>, Listener)>, request: Request, next: Next) -> Response {
    let (request, unread) = unread::lend(request);
    let mut response = match site.guard.admit(listener, request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let speaks = speaks(request.headers());
            drop(request);
            problem.answer(&site.pages, speaks)
        }
    };
    if let Some(unread) = unread {
        unread.discard().await;
    }
    guard::harden(response.headers_mut());
    response
}

/// How a client wants to be spoken to: whoever asks for a page or sends one gets a page.
fn speaks(headers: &HeaderMap) -> Speaks {
    let holds = |name, part: &str| {
        headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).is_some_and(|value| value.contains(part))
    };
    if holds(header::CONTENT_TYPE, "json") {
        Speaks::Json
    } else if holds(header::ACCEPT, "text/html") || holds(header::CONTENT_TYPE, "urlencoded") {
        Speaks::Page
    } else {
        Speaks::Json
    }
}

#[derive(Serialize)]
struct Index {
    title: &'static str,
    forms: Vec<IndexEntry>,
}

#[derive(Serialize)]
struct IndexEntry {
    path: String,
    title: String,
}

async fn index(State(site): State<Arc<Site>>) -> Response {
    let entry = |form: &crate::trigger::form::Form| IndexEntry {
        path: request::segment(&form.trigger.path),
        title: form.trigger.title.clone(),
    };
    let forms = site.forms.all().iter().map(|form| entry(form)).collect();
    site.pages.answer(StatusCode::OK, "portal/index", &Index { title: "Larum", forms })
}

async fn stylesheet(State(site): State<Arc<Site>>) -> Response {
    site.pages.stylesheet()
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    if !*site.recovered.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready: unfinished runs are being taken up again\n")
            .into_response();
    }
    // Held while the store is asked, so that of many who ask at once one makes it write.
    let mut last = site.looked.lock().await;
    let now = site.door.clock.now();
    let counts = |look: &Looked| (now - look.at).to_std().is_ok_and(|age| age < READY_VERDICT);
    let look = match last.take().filter(counts) {
        Some(look) => look,
        None => {
            let checked = site.door.store.check_writable().await;
            if let Err(error) = &checked {
                tracing::error!(%error, "Larum is not ready: the data folder cannot be written");
            }
            Looked { at: now, writable: checked.is_ok() }
        }
    };
    if last.insert(look).writable {
        return "ready\n".into_response();
    }
    // Anybody may ask, and the error tells of paths; the log has it.
    (StatusCode::SERVICE_UNAVAILABLE, "not ready: the data folder cannot be written; the log says why\n")
        .into_response()
}

async fn metrics(State(site): State<Arc<Site>>) -> Response {
    const OPEN_METRICS: HeaderValue =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    match site.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written as text");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn not_found(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    Problem::not_found().answer(&site.pages, speaks(&headers))
}

async fn wrong_method(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let message = "This address does not take requests of this kind; the Allow header lists those it takes.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "This cannot be done here", message)
        .answer(&site.pages, speaks(&headers))
}
