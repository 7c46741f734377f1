//! `larum incidents list` and `larum incidents show`: what is in the data folder.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{
    Exit, Output,
    data::{self, DataArgs, Fault},
    table::{block, instant, short, table},
};
use crate::{
    incident::{Incident, Severity, Status, Workspace},
    store::{Store, query::IncidentFilter},
};

/// Show incidents, beside a running server or without one.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List incidents, newest first.
    List(List),
    /// Show one incident.
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only incidents of this status: New, Active or Closed.
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only incidents of this severity: High, Medium, Low or Informational.
    #[arg(long, value_parser = severity)]
    severity: Option<Severity>,
    /// Only incidents numbered below this, to go on after a page.
    #[arg(long, value_name = "NUMBER")]
    below: Option<u64>,
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
    /// The incident's number.
    number: u64,
    #[command(flatten)]
    data: DataArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn status(text: &str) -> Result<Status, String> {
    Status::parse(text).ok_or_else(|| "it must be New, Active or Closed".to_owned())
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "it must be High, Medium, Low or Informational".to_owned())
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
    };
    done.map_or_else(|fault| fault.tell(), |()| Exit::Done)
}

fn list(args: &List) -> Result<(), Fault> {
    let (config, store) = args.data.open()?;
    let filter = IncidentFilter { status: args.status, severity: args.severity, below: args.below, limit: args.limit };
    let incidents = data::block_on(async { Ok(store.incidents(filter).await?) })?;
    data::print(&match args.output {
        Output::Json => {
            let workspace = Workspace::of(&config);
            format!("{:#}\n", Value::Array(incidents.iter().map(|each| as_json(each, &workspace)).collect()))
        }
        Output::Text if incidents.is_empty() => "no incidents\n".to_owned(),
        Output::Text => as_table(&incidents),
    })
}

fn show(args: &Show) -> Result<(), Fault> {
    let (config, store) = args.data.open()?;
    let found = data::block_on(async { Ok(store.incident(args.number).await?) })?;
    let incident = found.ok_or_else(|| Fault::Input(format!("there is no incident {}", args.number)))?;
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", as_json(&incident, &Workspace::of(&config))),
        Output::Text => as_text(&incident),
    })
}

/// The resource of the Sentinel API, and where the incident came from.
fn as_json(incident: &Incident, workspace: &Workspace) -> Value {
    let mut resource = incident.to_resource(workspace);
    resource["provenance"] = json!(incident.provenance);
    resource
}

fn as_table(incidents: &[Incident]) -> String {
    let rows: Vec<_> = incidents
        .iter()
        .map(|incident| {
            let from = &incident.provenance;
            [
                incident.number.to_string(),
                instant(incident.created),
                incident.severity.to_string(),
                incident.status.to_string(),
                incident.title.clone(),
                from.playbook.clone().unwrap_or_default(),
                from.run.map(short).unwrap_or_default(),
                from.report.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(["NUMBER", "CREATED", "SEVERITY", "STATUS", "TITLE", "PLAYBOOK", "RUN", "REPORT"], &rows)
}

fn as_text(incident: &Incident) -> String {
    let (owner, from) = (&incident.owner, &incident.provenance);
    let fields = [
        ("severity", Some(incident.severity.to_string())),
        ("status", Some(incident.status.to_string())),
        ("classification", incident.classification.map(|value| value.to_string())),
        ("reason", incident.classification_reason.map(|value| value.to_string())),
        ("comment", incident.classification_comment.clone()),
        ("owner", owner.assigned_to.clone().or_else(|| owner.email.clone()).or_else(|| owner.object_id.clone())),
        ("tags", Some(incident.tags.join(", ")).filter(|tags| !tags.is_empty())),
        ("created", Some(instant(incident.created))),
        ("modified", Some(instant(incident.modified))),
        ("first activity", incident.first_activity.map(instant)),
        ("last activity", incident.last_activity.map(instant)),
        ("playbook", from.playbook.clone()),
        ("version", from.version.clone()),
        ("run", from.run.map(|run| run.to_string())),
        ("report", from.report.clone()),
        ("event", from.event.map(|event| event.to_string())),
        ("id", Some(incident.name.to_string())),
    ];
    let mut text = format!("#{} {}\n", incident.number, incident.title.replace('\n', " "));
    for (name, value) in fields {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<15} {}", value.replace('\n', " "));
        }
    }
    if !incident.description.is_empty() {
        let _ = write!(text, "\n{}\n", incident.description.trim_end());
    }
    block(&text)
}
