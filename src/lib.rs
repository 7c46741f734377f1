//! Larum turns reports into incidents. This file is the map of the house, from the roof to the ground.
//!
//! A room imports only from rooms below it in this list; nothing imports upwards and there is no circle between rooms.
//! `docs/architecture.md` walks through it.

/// The command line: one file per subcommand.
pub mod cli;

/// Wiring: configuration in, running services out.
pub mod app;

/// Whether what the configuration names is there and lets Larum in.
pub mod doctor;

/// Forms, health and metrics over HTTP.
pub mod server;

/// Playbooks tried with nothing performed: tests, dry runs, backtests.
pub mod testing;

/// What starts runs, and the one door reports come in by.
pub mod trigger;

/// Runs: plan, machine, driver, retry, recovery.
pub mod engine;

/// What a playbook can do.
pub mod action;

/// Where things rest.
pub mod store;

/// YAML → a checked playbook.
pub mod playbook;

/// Mail: read, guard against loops, write, send.
pub mod mail;

/// Who may do what: roles and tokens.
pub mod access;

/// The domain: the incident and its rules.
pub mod incident;

/// OData conditions and sort orders.
pub mod odata;

/// `@expressions` and `{{templates}}`.
pub mod expression;

/// `larum.yaml`.
pub mod config;

/// YAML with a position on every node.
pub mod yaml;

// The ground: imported by every room, importing at most one another.
pub mod clock;
pub mod content;
pub mod diagnostic;
pub mod duration;
pub mod limits;
pub mod metrics;
pub mod redaction;
pub mod schema;
pub mod secret;
