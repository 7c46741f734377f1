//! `larum runs`: `list` and `show` read the data folder, `cancel` asks a running server.

use std::{collections::BTreeMap, fmt::Write};

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Exit, Output,
    client::{Again, Client, ServerArgs},
    data::{self, DataArgs, Fault},
    table::{block, instant, short, table},
};
use crate::store::{
    RunId, SqliteStore, Store,
    query::{RunFilter, RunSummary},
    run::{RunStatus, StoredRun},
};

/// Iterations of an action that are shown to people, beside those that failed.
const ITERATIONS_SHOWN: usize = 5;
/// Runs looked through at a time for a shortened id.
const PAGE: usize = 1_000;

/// Show runs from the data folder; cancel them through a running server (LARUM_URL, LARUM_TOKEN).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List runs, newest first.
    List(List),
    /// Show one run with its actions.
    Show(Show),
    /// Ask a running server to end a run. What an effect under way does still comes about.
    Cancel(Cancel),
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

#[derive(Debug, clap::Args)]
struct Show {
    /// The run's id, or the end of it as `list` shows it.
    run: String,
    #[command(flatten)]
    data: DataArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct Cancel {
    /// The run's id, or the end of it as `list` shows it.
    run: String,
    #[command(flatten)]
    server: ServerArgs,
    /// How to print what came of it.
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
        Command::Show(args) => show(args),
        Command::Cancel(args) => cancel(args),
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

fn show(args: &Show) -> Result<(), Fault> {
    let (_, store) = args.data.open()?;
    let (run, incident) = data::block_on(async {
        let missing = || Fault::Input(format!("there is no run {}", args.run));
        let id = find(&store, &args.run).await?.ok_or_else(missing)?;
        let run = store.load_run(id).await?.ok_or_else(missing)?;
        Ok((run, store.incident_of_run(id).await?))
    })?;
    data::print(&shown(&run, incident, args.output))
}

fn cancel(args: &Cancel) -> Result<(), Fault> {
    let client = args.server.client()?;
    let answer = data::block_on(async {
        let undone = format!("run {} was not cancelled", args.run);
        let id = match Uuid::try_parse(&args.run) {
            Ok(id) => id,
            Err(_) => ask_for(&client, &args.run, &undone).await?,
        };
        let path = format!("/api/runs/{id}/cancel");
        client.get_done(Method::POST, &path, None, Again::Never, &undone).await
    })?;
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", answer.body),
        Output::Text => {
            block(&format!("run {} of {} is asked to end\n", answer.text("/run"), answer.text("/playbook")))
        }
    })
}

/// The newest of a server's runs whose id ends so.
async fn ask_for(client: &Client, id: &str, undone: &str) -> Result<RunId, Fault> {
    let end = ending(id)?;
    let mut path = format!("/api/runs?limit={PAGE}");
    loop {
        let page = client.get_done(Method::GET, &path, None, Again::Harmless, undone).await?;
        let runs = page.body["value"].as_array().into_iter().flatten();
        let mut ids = runs.filter_map(|run| run["run"].as_str()?.parse::<Uuid>().ok());
        if let Some(found) = ids.find(|run| run.simple().to_string().ends_with(&end)) {
            return Ok(found);
        }
        match page.text("/nextLink") {
            "" => return Err(Fault::Input(format!("{undone}: the server has no such run"))),
            // Only what is asked counts: the server may call itself by another name than we do.
            next => path = next.split_once("/api/").map(|(_, rest)| format!("/api/{rest}")).unwrap_or_default(),
        }
    }
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
    match output {
        Output::Json => format!("{:#}\n", as_json(run, incident)),
        Output::Text => as_text(run, incident),
    }
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

fn as_json(run: &StoredRun, incident: Option<u64>) -> Value {
    json!({
        "run": run.run,
        "playbook": run.playbook,
        "version": run.version,
        "status": run.status,
        "started": run.started,
        "ended": run.ended,
        "event": run.event,
        "kind": run.kind,
        "report": run.summary,
        "resembles": run.resembles,
        "incident": incident,
        "error": run.error,
        "journal_events": run.journal.len(),
        "actions": run.actions,
    })
}

fn as_text(run: &StoredRun, incident: Option<u64>) -> String {
    let fields = [
        ("playbook", Some(run.playbook.clone())),
        ("version", Some(run.version.clone())),
        ("status", Some(run.status.as_str().to_owned())),
        ("started", Some(instant(run.started))),
        ("ended", run.ended.map(instant)),
        ("report", Some(format!("{} ({})", run.summary, run.kind))),
        ("resembles", run.resembles.map(|event| format!("event {event}: same Message-ID, other content"))),
        ("incident", incident.map(|number| format!("#{number}"))),
        ("error", run.error.as_ref().map(told)),
        ("journal", Some(format!("{} events", run.journal.len()))),
    ];
    let mut text = format!("run {}\n", run.run);
    for (name, value) in fields {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<10} {}", value.replace('\n', " "));
        }
    }
    let actions = run.actions.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !actions.is_empty() {
        let rows: Vec<_> = worth_showing(actions).map(action).collect();
        text.push('\n');
        text.push_str(&table(["ACTION", "STATUS", "CODE", "START", "END", "ERROR"], &rows));
        if rows.len() < actions.len() {
            let left = actions.len() - rows.len();
            let _ = writeln!(text, "{left} more of loops that went well; --output json has all");
        }
    }
    block(&text)
}

/// Of an action in a loop, what failed and the first few iterations; a loop may have very many.
fn worth_showing(actions: &[Value]) -> impl Iterator<Item = &Value> {
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    actions.iter().filter(move |record| {
        let seen = shown.entry(record["name"].as_str().unwrap_or_default()).or_default();
        *seen += 1;
        let failed = matches!(record["status"].as_str(), Some("Failed" | "TimedOut"));
        record["iterations"].is_null() || failed || *seen <= ITERATIONS_SHOWN
    })
}

/// A row for an action's record.
fn action(record: &Value) -> [String; 6] {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let at = |name: &str| text(name).parse().map(instant).unwrap_or_default();
    let error = Some(&record["error"]).filter(|error| !error.is_null()).map(told).unwrap_or_default();
    let iterations = record["iterations"].as_array().into_iter().flatten();
    let name = iterations.fold(text("name"), |name, iteration| format!("{name}/{iteration}"));
    [name, text("status"), text("code"), at("startTime"), at("endTime"), error]
}

/// `{code, message}` in one line.
fn told(error: &Value) -> String {
    match (error["code"].as_str(), error["message"].as_str()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => error.to_string(),
    }
}
