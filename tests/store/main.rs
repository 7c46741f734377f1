//! The store against real files: what is accepted, what is a duplicate, what is kept, what goes.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod kit;

mod children;
mod folder;
mod happenings;
mod intake;
mod mailbox;
mod merging;
mod migration;
mod model;
mod retention;
mod runs;
mod workspace;
mod workspace_model;
