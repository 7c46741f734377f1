//! The Sentinel API and Larum's own, as clients meet them.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod attachments;
mod bodies;
mod bookmarks;
mod curl;
mod errors;
mod examples;
mod kit;
mod limits;
mod lists;
mod openapi;
mod own;
mod preconditions;
mod teams;
mod traps;

#[allow(dead_code, reason = "the kit is made for forms, which need more of it")]
#[path = "../forms/kit.rs"]
mod forms;
