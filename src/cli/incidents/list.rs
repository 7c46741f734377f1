//! `larum incidents list` and `larum incidents show`: what is in the data folder.

use serde_json::Value;

use super::shown::{as_json, as_table, as_text};
use crate::{
    cli::{
        Output,
        data::{self, DataArgs, Fault},
        incidents::{severity, status},
    },
    incident::{Severity, Status, Workspace},
    store::{Store, query::IncidentFilter},
};

#[derive(Debug, clap::Args)]
pub struct List {
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
pub struct Show {
    /// The incident's number.
    number: u64,
    #[command(flatten)]
    data: DataArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub fn list(args: &List) -> Result<(), Fault> {
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

pub fn show(args: &Show) -> Result<(), Fault> {
    let (config, store) = args.data.open()?;
    let found = data::block_on(async { Ok(store.incident(args.number).await?) })?;
    let incident = found.ok_or_else(|| Fault::Input(format!("there is no incident {}", args.number)))?;
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", as_json(&incident, &Workspace::of(&config))),
        Output::Text => as_text(&incident),
    })
}
