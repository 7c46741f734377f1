//! The command line: one file per subcommand.

pub mod backtest;
pub mod check;
mod client;
pub mod completions;
mod config;
pub mod data;
pub mod diff;
pub mod doctor;
mod dry_run;
pub mod eval;
pub mod fmt;
pub mod functions;
pub mod graph;
pub mod hooks;
pub mod incidents;
pub mod mail;
pub mod man;
pub mod new;
pub mod next;
mod playbook;
pub mod reference;
pub mod run;
pub mod runs;
pub mod schema;
pub mod serve;
pub mod table;
pub mod test;
pub mod tokens;
mod workspace;

pub use config::{ConfigArgs, configuration};

use std::process::ExitCode;

use clap::Parser;

/// How a command ended, as scripts read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The input is at fault.
    InputAtFault = 1,
    /// Wrong usage; clap ends with the same code.
    WrongUsage = 2,
    /// The outside world failed.
    WorldFailed = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How a command prints data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Turns reports into incidents: mails, forms and schedules start playbooks, playbooks create incidents.
#[derive(Debug, Parser)]
#[command(name = "larum", version, about, long_about = None)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Backtest(backtest::Args),
    Check(check::Args),
    Completions(completions::Args),
    Doctor(doctor::Args),
    Diff(diff::Args),
    Eval(eval::Args),
    Fmt(fmt::Args),
    Graph(graph::Args),
    Functions(functions::Args),
    Hooks(hooks::Args),
    Incidents(incidents::Args),
    Mail(mail::Args),
    Man(man::Args),
    New(new::Args),
    Next(next::Args),
    Run(run::Args),
    Runs(runs::Args),
    Schema(schema::Args),
    Serve(serve::Args),
    Test(test::Args),
    Tokens(tokens::Args),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let exit = match Cli::parse().command {
        Command::Backtest(args) => backtest::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Functions(args) => functions::run(&args),
        Command::Hooks(args) => hooks::run(&args),
        Command::Incidents(args) => incidents::run(&args),
        Command::Mail(args) => mail::run(&args),
        Command::Man(args) => man::run(&args),
        Command::New(args) => new::run(&args),
        Command::Next(args) => next::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Tokens(args) => tokens::run(&args),
    };
    exit.into()
}
