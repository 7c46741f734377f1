//! Incident and alert triggers, and automation rules: what the workspace's changes start, once each, also after a kill.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up what it needs has failed")]

mod chains;
mod conditions;
mod house;
#[allow(dead_code, reason = "made for the engine's tests, which need more of it")]
#[path = "../engine/mortal.rs"]
mod mortal;
mod outside;
mod rules;
#[path = "../support/mod.rs"]
mod support;
mod triggers;
