//! Larum turns reports into incidents. This file is the map of the house.
//!
//! A room imports only from rooms below it in this list; nothing imports upwards and there is no circle.

pub mod action;
pub mod app;
pub mod cli;
pub mod engine;
pub mod expression;
pub mod incident;
pub mod mail;
pub mod playbook;
pub mod server;
pub mod store;
pub mod trigger;

pub mod clock;
pub mod config;
pub mod diagnostic;
pub mod duration;
pub mod limits;
pub mod metrics;
pub mod secret;
pub mod yaml;
