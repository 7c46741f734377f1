//! The engine: what playbooks do, that nothing is lost or doubled, and that replay does what was done.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up what it needs has failed")]

mod actions;
mod admission;
mod calls;
mod crashes;
mod house;
mod incidents;
mod journeys;
mod mortal;
mod outside;
mod probe;
mod replay;
mod resubmit;
mod secrets;
mod simulation;
mod statuses;
