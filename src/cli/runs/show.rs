//! `larum runs show`: one run, as it is or as it stood after an event of its journal.

use std::{fmt::Write, sync::Arc};

use serde_json::{Value, json};

use super::{find, told, tree};
use crate::{
    action::ACTIONS,
    cli::{
        Output,
        data::{self, DataArgs, Fault},
        table::{block, instant},
    },
    config::Config,
    engine::{self, Moment, Past, RunHistory, versions},
    playbook::Playbook,
    store::{Store, Version, run::StoredRun},
};

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The run's id, or the end of it as `list` shows it.
    run: String,
    /// The run as it stood after this many events of its journal.
    #[arg(long, value_name = "N")]
    at: Option<usize>,
    #[command(flatten)]
    data: DataArgs,
    /// How to print it. JSON leaves nothing out; for people long values are cut.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn show(args: &Show) -> Result<(), Fault> {
    let (config, store) = args.data.open()?;
    let (stored, mut history, version) = data::block_on(async {
        let missing = || Fault::Input(format!("there is no run {}", args.run));
        let id = find(&store, &args.run).await?.ok_or_else(missing)?;
        let stored = store.load_run(id).await?.ok_or_else(missing)?;
        let history = RunHistory::read(&*store, &stored).await?;
        let version = store.version(&stored.version).await?;
        Ok((stored, history, version))
    })?;
    if let Some(at) = args.at.filter(|at| *at > history.journal_events) {
        let most = history.journal_events;
        return Err(Fault::Input(format!("--at {at}: the journal of run {} has {most} events", stored.run)));
    }
    if let Some(events) = history.to_fold(args.at) {
        match fold(&config, args, version.as_ref(), &stored, events) {
            Ok(past) => history.stood(&past, events),
            Err(because) if args.at.is_some() => {
                return Err(Fault::Input(format!("the journal of run {} cannot be followed: {because}", stored.run)));
            }
            Err(because) => history.fault = Some(because),
        }
    }
    let plan = version.and_then(|version| versions::of_version(&version, ACTIONS).ok());
    data::print(&printed(&history, plan.as_ref().map(|plan| &*plan.playbook), args.output))
}

/// A run after some of its events; otherwise why it cannot be told here.
fn fold(
    config: &Config,
    args: &Show,
    version: Option<&Version>,
    stored: &StoredRun,
    events: usize,
) -> Result<Past, String> {
    let version = version.ok_or("its version is not in the store")?;
    let plan = Arc::new(versions::of_version(version, ACTIONS).map_err(|error| error.to_string())?);
    if let Some(fault) = versions::unreadable_secret(config, &plan) {
        return Err(format!("{fault}; the server can tell it (GET /api/runs/{})", stored.run));
    }
    let vault = args.data.vault(config).map_err(|error| error.to_string())?;
    let secrets = Arc::new(versions::secrets(&plan.playbook, config));
    engine::fold(stored, &plan, &secrets, &vault, events).map_err(|error| error.to_string())
}

/// A run as it is printed; the playbook, where it can be read, makes a tree of its actions.
pub(super) fn printed(history: &RunHistory, playbook: Option<&Playbook>, output: Output) -> String {
    match output {
        Output::Json => format!("{:#}\n", json!(history)),
        Output::Text => as_text(history, playbook),
    }
}

fn as_text(run: &RunHistory, playbook: Option<&Playbook>) -> String {
    let repeats = run.resubmit_of.map(|of| {
        let from = run.resubmit_from.map(|from| format!(", from the {}", from.as_str())).unwrap_or_default();
        let by = run.resubmit_by.as_ref().map(|by| format!(", by {}", by.name())).unwrap_or_default();
        format!("{of}{from}{by}")
    });
    let repeated: Vec<String> = run.resubmitted_as.iter().map(ToString::to_string).collect();
    let part = |name: &str| run.error.as_ref().and_then(|error| error.get(name)).map(tree::short);
    let detail = run
        .error
        .as_ref()
        .and_then(|error| error.pointer("/details/0"))
        .map(|detail| format!("in {}: {}", detail["target"].as_str().unwrap_or_default(), told(detail)));
    let fields = [
        ("playbook", Some(run.playbook.clone())),
        ("version", Some(run.version.clone())),
        ("status", Some(run.status.as_str().to_owned())),
        ("started", Some(instant(run.started))),
        ("ended", run.ended.map(instant)),
        ("report", Some(format!("{} ({})", run.report, run.kind))),
        ("resembles", run.resembles.map(|event| format!("event {event}: same Message-ID, other content"))),
        ("repeats", repeats),
        ("repeated", (!repeated.is_empty()).then(|| format!("as {}", repeated.join(", ")))),
        ("incident", run.incident.map(|number| format!("#{number}"))),
        ("error", run.error.as_ref().map(told)),
        ("", detail),
        ("recorded", part("recorded")),
        ("computed", part("computed")),
        ("journal", Some(format!("{} events", run.journal_events))),
        ("at", run.at.as_ref().map(moment)),
        (
            "variables",
            run.variables.as_ref().filter(|all| all.as_object().is_some_and(|all| !all.is_empty())).map(tree::short),
        ),
        ("actions", run.fault.as_ref().map(|fault| format!("cannot be told: {fault}"))),
    ];
    let mut text = format!("run {}\n", run.run);
    for (name, value) in fields {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<10} {}", value.replace('\n', " "));
        }
    }
    let records = run.actions.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !records.is_empty() {
        text.push('\n');
        text.push_str(&match playbook {
            Some(playbook) => tree::draw(&playbook.actions, records),
            None => tree::flat(records),
        });
    }
    block(&text)
}

/// `after event 3, 2026-11-24 09:00:00Z: finished create, attempt 1`
fn moment(moment: &Moment) -> String {
    let mut text = format!("after event {}, {}", moment.event, instant(moment.time));
    if let Some(what) = moment.what {
        let _ = write!(text, ": {what}");
    }
    if let Some(step) = &moment.step {
        let _ = write!(text, " {step}");
    }
    if let Some(attempt) = moment.attempt {
        let _ = write!(text, ", attempt {attempt}");
    }
    text
}
