//! The store against real files: what is accepted, what is a duplicate, what is kept, what goes.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod kit;

mod folder;
mod intake;
mod mailbox;
mod model;
mod retention;
mod runs;
mod workspace;
