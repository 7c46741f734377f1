//! Reports by mail: from files and from real mail servers to what the store knows of them.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod hostile;
mod imap;
mod kit;
mod maildir;
mod peek;
