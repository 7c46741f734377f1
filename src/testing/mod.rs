//! Tests of playbooks: a case gives a run what starts it and what the outside answers, and says what must come of it.
//!
//! [`Loader`] reads test files into suites, strictly and with positions; [`Suite::run`] runs a case through the engine's
//! own machine, with a driver that answers from the file: no network, no store, no clock. What came of it is held against
//! what was expected value by value. `docs/playbook-tests.md` is the author's reference.

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
pub use subject::Subject;
