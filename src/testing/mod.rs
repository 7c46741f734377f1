//! Playbooks tried with nothing performed.
//!
//! A [`Play`](play::Play) is a run with what the outside answers; [`driver`] plays it through the engine's own machine: no
//! network, no store, no clock. Three things are made of it:
//!
//! - Tests: [`Loader`] reads test files into suites, strictly and with positions; [`Suite::run`] runs the cases and holds
//!   what came of them against what was expected, value by value. `docs/playbook-tests.md` is the author's reference.
//! - Dry runs: [`Subject::dry_run`] says how each field of each action comes about.
//! - Backtests: [`Backtest`] plays a stored run by its own version and by the working copy and tells what differs.
//!
//! `docs/dry-run.md` is the author's reference of the last two.

mod backtest;
mod case;
mod compare;
mod coverage;
mod delivery;
mod differ;
mod driver;
mod dry_run;
mod dry_text;
mod found;
mod junit;
mod past;
mod place;
mod play;
mod read;
mod report;
mod state;
mod subject;
mod world;

pub use backtest::{Backtest, EventTried};
pub use case::{Case, Suite};
pub use compare::Difference;
pub use coverage::Coverage;
pub use differ::Changed;
pub use dry_run::{DryRun, Field, Given, Source, Tried};
pub use place::Written;
pub use read::{Loader, schema};
pub use report::{CaseReport, Report, SuiteReport};
pub use subject::{Subject, Untried};
