//! `larum incidents`: what is in the data folder is read from there; whatever changes something asks a running server.

mod change;
mod comment;
mod create;
mod list;
mod merge;
mod search;
mod shown;

use super::{
    Exit, Output,
    client::{Answer, ServerArgs},
    data::{self, Fault},
    table::block,
};
use crate::incident::{Classification, ClassificationReason, Severity, Status};

/// Show incidents from the data folder; change them through a running server (LARUM_URL, LARUM_TOKEN).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List incidents, newest first.
    List(list::List),
    /// Show one incident.
    Show(list::Show),
    /// Find incidents by their words: title, description, comments, entities and owner.
    Search(search::Args),
    /// Create an incident.
    Create(create::Args),
    /// Change what is given of an incident and nothing else.
    Update(change::Update),
    /// Close an incident with its classification.
    Close(change::Close),
    /// Comment on an incident.
    Comment(comment::Args),
    /// Delete an incident with all that hangs on it; its activity log stays.
    Delete(change::Delete),
    /// Merge incidents into another one, which takes their comments, tasks, alerts and tags.
    Merge(merge::Args),
}

/// What every command that asks a server takes.
#[derive(Debug, clap::Args)]
struct Asking {
    #[command(flatten)]
    server: ServerArgs,
    /// How to print what came of it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Asking {
    /// Says what came about: in a line, or as the server answered.
    fn tell(&self, answer: &Answer, line: &str) -> Result<(), Fault> {
        data::print(&match self.output {
            Output::Text => block(&format!("{}\n", line.trim_end_matches([':', ' ']))),
            Output::Json => format!("{:#}\n", answer.body),
        })
    }
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| "it must be New, Active or Closed".to_owned())
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "it must be High, Medium, Low or Informational".to_owned())
}

fn classification(text: &str) -> Result<Classification, String> {
    Classification::parse(text)
        .ok_or_else(|| "it must be Undetermined, TruePositive, BenignPositive or FalsePositive".to_owned())
}

fn reason(text: &str) -> Result<ClassificationReason, String> {
    ClassificationReason::parse(text).ok_or_else(|| {
        "it must be SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic or InaccurateData".to_owned()
    })
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::List(args) => list::list(args),
        Command::Show(args) => list::show(args),
        Command::Search(args) => search::run(args),
        Command::Create(args) => create::run(args),
        Command::Update(args) => change::update(args),
        Command::Close(args) => change::close(args),
        Command::Comment(args) => comment::run(args),
        Command::Delete(args) => change::delete(args),
        Command::Merge(args) => merge::run(args),
    };
    done.map_or_else(|fault| fault.tell(), |()| Exit::Done)
}
