//! Who may do what: every route with every kind of caller, tokens through their life, the first administrator, TLS, the
//! second address, and how much one client may ask.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[path = "access/command.rs"]
mod command;
#[path = "forms/kit.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod kit;
#[path = "access/life.rs"]
mod life;
#[path = "access/repeat.rs"]
mod repeat;
#[path = "access/secrets.rs"]
mod secrets;
mod support;
#[path = "access/table.rs"]
mod table;
#[path = "access/tls.rs"]
mod tls;
