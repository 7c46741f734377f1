//! Everything Larum serves.

use axum::routing::{any, get, post};

use super::{Access, Answer, Route};
use crate::{
    limits::HOOK_REQUEST,
    server::{approvals, first_admin, forms, hooks, index, metrics, ready, stylesheet},
};

/// What a webhook may be called by.
const ANY: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The one table: who may do what at which address. The router, the rights and `/openapi.json` follow from it.
pub static TABLE: &[Route] = &[
    // --- pages, forms, hooks, approvals ---
    Route::page(&["GET"], "/", "The forms that can be filled in", || get(index)),
    Route::page(&["GET"], "/forms/{path}", "A form", || get(forms::show)).outside(),
    Route::page(&["POST"], "/forms/{path}", "Sends a form, as its page does or as JSON", || post(forms::submit))
        .outside()
        .counts_itself(),
    Route::page(&["GET"], "/forms/{path}/thanks", "What became of a form that was sent", || get(forms::thanks))
        .outside(),
    Route::page(&["GET"], "/approvals/{token}", "What an approval mail asks", || get(approvals::show)).outside(),
    Route::page(&["POST"], "/approvals/{token}", "Answers an approval mail", || post(approvals::decide)).outside(),
    Route::page(ANY, "/hooks/{*path}", "Calls a webhook trigger", || any(hooks::call))
        .outside()
        .counts_itself()
        .patience(HOOK_REQUEST)
        .answers(&[Answer::other(202, "application/json"), Answer::other(200, "application/json")]),
    Route::page(&["GET"], "/assets/larum.css", "The pages' stylesheet", || get(stylesheet))
        .outside()
        .answers(&[Answer::other(200, "text/css")]),
    Route::page(&["GET"], "/first-admin/{secret}", "What the link for the first administrator does", || {
        get(first_admin::show)
    }),
    Route::page(&["POST"], "/first-admin/{secret}", "Makes the first administrator's token, once", || {
        post(first_admin::make)
    })
    .answers(&[Answer::other(201, "text/html")]),
    // --- the machine room ---
    Route::page(&["GET"], "/healthz", "Whether Larum is alive", || get(|| async { "alive\n" }))
        .group("Health")
        .answers(&[Answer::other(200, "text/plain")]),
    Route::page(&["GET"], "/readyz", "Whether reports can be taken", || get(ready))
        .group("Health")
        .answers(&[Answer::other(200, "text/plain"), Answer::other(503, "text/plain")]),
    Route::page(&["GET"], "/metrics", "Metrics for Prometheus", || get(metrics))
        .access(Access::Metrics)
        .group("Health")
        .answers(&[Answer::other(200, "application/openmetrics-text")]),
];
