//! The engine: what playbooks do, that nothing is lost or doubled, and that replay does what was done.

mod crashes;
mod house;
mod journeys;
mod mortal;
mod probe;
mod replay;
mod simulation;
mod statuses;
