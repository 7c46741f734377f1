//! `larum runs`: `list` and `show` read the data folder, the others ask a running server.

mod ask;
mod show;
mod tree;

use serde_json::{Value, json};
use uuid::Uuid;

use self::{
    ask::{One, Resubmit},
    show::Show,
};
use super::{
    Exit, Output,
    data::{self, DataArgs, Fault},
    table::{instant, short, table},
};
use crate::{
    engine::RunHistory,
    store::{
        RunId, SqliteStore, Store,
        query::{RunFilter, RunSummary},
        run::{RunStatus, StoredRun},
    },
};

/// Runs looked through at a time for a shortened id.
const PAGE: usize = 1_000;

/// Show runs from the data folder; cancel, resume and repeat them through a running server (LARUM_URL, LARUM_TOKEN).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List runs, newest first.
    List(List),
    /// Show one run with its actions, or as it stood after an event of its journal.
    Show(Show),
    /// Ask a running server to end a run. What an effect under way does still comes about.
    Cancel(One),
    /// Ask a running server to let a suspended run go on.
    Resume(One),
    /// Ask a running server to repeat a run that has ended: from its report, or from where it failed.
    Resubmit(Resubmit),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only runs of this status: Running, Succeeded, Failed, TimedOut, Cancelled, Waiting or Suspended.
    #[arg(long, value_parser = status)]
    status: Option<RunStatus>,
    /// Only runs of this playbook.
    #[arg(long, value_name = "NAME")]
    playbook: Option<String>,
    /// Only runs older than this one, to go on after a page.
    #[arg(long, value_name = "RUN")]
    before: Option<Uuid>,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    data: DataArgs,
    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn status(text: &str) -> Result<RunStatus, String> {
    RunStatus::parse(text)
        .ok_or_else(|| "it must be Waiting, Running, Succeeded, Failed, TimedOut, Cancelled or Suspended".to_owned())
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::List(args) => list(args),
        Command::Show(args) => show::show(args),
        Command::Cancel(args) => ask::cancel(args),
        Command::Resume(args) => ask::resume(args),
        Command::Resubmit(args) => ask::resubmit(args),
    };
    done.map_or_else(|fault| fault.tell(), |()| Exit::Done)
}

fn list(args: &List) -> Result<(), Fault> {
    let (_, store) = args.data.open()?;
    let filter =
        RunFilter { status: args.status, playbook: args.playbook.clone(), before: args.before, limit: args.limit };
    let runs = data::block_on(async { Ok(store.runs(filter).await?) })?;
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", json!(runs)),
        Output::Text if runs.is_empty() => "no runs\n".to_owned(),
        Output::Text => as_table(&runs),
    })
}

/// The last digits of an id, as `list` shows them.
fn ending(id: &str) -> Result<String, Fault> {
    let end = id.replace('-', "").to_ascii_lowercase();
    if end.len() < 6 || !end.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Fault::Input(format!("'{id}' is not the id of a run, nor its last 6 or more digits")));
    }
    Ok(end)
}

/// A run as `show` prints it.
pub(super) fn shown(run: &StoredRun, incident: Option<u64>, output: Output) -> String {
    show::printed(&RunHistory::new(run, incident, Vec::new()), None, output)
}

/// The run of an id, or the newest whose id ends so.
async fn find(store: &SqliteStore, id: &str) -> Result<Option<RunId>, Fault> {
    if let Ok(run) = Uuid::try_parse(id) {
        return Ok(Some(run));
    }
    let end = ending(id)?;
    let mut before = None;
    loop {
        let page = store.runs(RunFilter { before, limit: PAGE, ..RunFilter::default() }).await?;
        let Some(last) = page.last() else { return Ok(None) };
        before = Some(last.run);
        if let Some(found) = page.iter().find(|listed| listed.run.simple().to_string().ends_with(&end)) {
            return Ok(Some(found.run));
        }
    }
}

fn as_table(runs: &[RunSummary]) -> String {
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            [
                short(run.run),
                instant(run.started),
                run.ended.map(instant).unwrap_or_default(),
                run.status.as_str().to_owned(),
                run.playbook.clone(),
                run.incident.map(|number| format!("#{number}")).unwrap_or_default(),
                run.report.clone(),
                run.error.as_ref().map(told).unwrap_or_default(),
            ]
        })
        .collect();
    table(["RUN", "STARTED", "ENDED", "STATUS", "PLAYBOOK", "INCIDENT", "REPORT", "ERROR"], &rows)
}

/// `{code, message}` in one line.
fn told(error: &Value) -> String {
    match (error["code"].as_str(), error["message"].as_str()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => error.to_string(),
    }
}
