//! The tools for authors: the schema and the reference, the language server of VS Code.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

mod files;
mod fmt;
mod language_server;
mod lints;
mod pictures;
mod schema;
mod tutorial;
