//! `larum run`: one run in the foreground, from a file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};
use uuid::Uuid;

use super::{ConfigArgs, Exit, Output, data, dry_run, runs};
use crate::{
    app::{Core, Reading},
    clock::{Clock, SystemClock},
    engine::Live,
    mail,
    playbook::Trigger,
    store::{
        RunId, StoreError,
        intake::{Decision, Intake, Report, Uniqueness, Verdict},
        mailbox::FeedName,
        run::{RunStatus, StoredRun},
    },
    testing::Given,
    trigger::intake::Arrival,
};

/// Runs a playbook once, in the foreground, from a mail or a JSON file. Effects are performed for real, save in a dry run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A playbook's file, or the name of one in the configured folders.
    playbook: String,
    /// What the trigger sees: an `.eml` file, or JSON that becomes `trigger`. Without it `trigger` is null.
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Keeps run and incidents in this data folder; without it they go into one that is thrown away.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Performs nothing: shows what would be done, and of each field the expression it came from and what that read.
    #[arg(long, conflicts_with = "data")]
    dry_run: bool,
    /// Instead of one event, the newest mails of this mailbox (a maildir or imap connection), which is only looked at.
    #[arg(long, value_name = "CONNECTION", requires = "dry_run", conflicts_with = "event")]
    mailbox: Option<String>,
    /// How many mails of the mailbox.
    #[arg(long, value_name = "COUNT", default_value_t = 20, requires = "mailbox",
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    last: u32,
    #[command(flatten)]
    config: ConfigArgs,
    /// How the ended run is printed.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Why a run could not be had.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("the event file {path} cannot be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the event file {path} is not JSON: {source}")]
    NotJson { path: PathBuf, source: serde_json::Error },
    #[error("the event file {path} is not a mail that can be read: {source}")]
    NotAMail { path: PathBuf, source: mail::Unreadable },
    #[error("no playbook is called {name}{}", nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    NoPlaybook { name: String, nearest: Option<String> },
    #[error("the playbook has faults (above) and cannot run")]
    Faults,
    #[error(transparent)]
    Start(#[from] crate::app::StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a temporary data folder cannot be made: {0}")]
    Temporary(io::Error),
    #[error("the playbook does not take this event: {0}")]
    Skipped(String),
    #[error("the run was not opened")]
    NotOpened,
}

impl RunError {
    fn exit(&self) -> Exit {
        match self {
            Self::Start(_) | Self::Store(_) | Self::Temporary(_) | Self::NotOpened => Exit::WorldFailed,
            _ => Exit::InputAtFault,
        }
    }
}

/// What a file delivers to the trigger.
struct Event {
    kind: &'static str,
    summary: String,
    body: Value,
    raw: Option<Vec<u8>>,
}

/// Runs and prints; a run that does not succeed exits with 1.
#[must_use]
pub fn run(args: &Args) -> Exit {
    if args.dry_run {
        return dry_run(args);
    }
    let done = data::block_on(async { Ok(one(args).await) });
    match done {
        Ok(Ok(ended)) => {
            let shown: String = ended.iter().map(|(run, incident)| runs::shown(run, *incident, args.output)).collect();
            match data::print(&shown) {
                Err(fault) => fault.tell(),
                Ok(()) if ended.iter().all(|(run, _)| run.status == RunStatus::Succeeded) => Exit::Done,
                Ok(()) => Exit::InputAtFault,
            }
        }
        Ok(Err(error)) => {
            eprintln!("larum run: {error}");
            error.exit()
        }
        Err(fault) => fault.tell(),
    }
}

fn dry_run(args: &Args) -> Exit {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let given = match &args.mailbox {
        Some(connection) => dry_run::Tried::Mailbox { connection, last: args.last },
        None => match args.event.as_deref().map_or_else(|| Ok(Event::nothing()), Event::read) {
            Ok(event) => dry_run::Tried::Event(event.given()),
            Err(error) => {
                eprintln!("larum run: {error}");
                return error.exit();
            }
        },
    };
    dry_run::run(&args.playbook, config, given, args.output)
}

/// The run of the event, or with `split_on` those of its elements, each with its incident's number.
async fn one(args: &Args) -> Result<Vec<(StoredRun, Option<u64>)>, RunError> {
    let mut config = args.config.load().map_err(|_| RunError::Faults)?;
    let event = args.event.as_deref().map_or_else(|| Ok(Event::nothing()), Event::read)?;
    let as_file = Path::new(&args.playbook);
    if as_file.is_file() {
        config.playbooks = vec![as_file.to_owned()];
    }
    let temporary = match &args.data {
        Some(data) => {
            config.data.clone_from(data);
            None
        }
        None => {
            let folder = tempfile::tempdir().map_err(RunError::Temporary)?;
            // What an action left there (an outgoing mail) can be looked at only while it exists.
            config.data = folder.path().join("larum-data");
            Some(folder)
        }
    };
    let core = Core::open(config)?;
    let reading = core.shelf().read().await?;
    let live = find(&core.door.library.current(), &args.playbook, as_file, &reading)?;
    let mut all = Vec::new();
    for run in open(&core, &live, event).await? {
        let ended = end(&core, run).await?;
        all.push((ended, core.store.incident_of_run(run).await?));
    }
    core.close().await;
    drop(temporary);
    Ok(all)
}

/// The playbook that is meant, by file or by name.
fn find(library: &[Live], name: &str, file: &Path, reading: &Reading) -> Result<Live, RunError> {
    let meant =
        |live: &&Live| live.playbook.name.eq_ignore_ascii_case(name) || Path::new(&*live.playbook.source.name) == file;
    if let Some(live) = library.iter().find(meant) {
        return Ok(live.clone());
    }
    if !reading.faults.is_empty() {
        for fault in &reading.faults {
            eprintln!("{fault}\n");
        }
        return Err(RunError::Faults);
    }
    let names = library.iter().map(|live| live.playbook.name.as_str());
    let nearest = crate::diagnostic::nearest(name, names).map(str::to_owned);
    Err(RunError::NoPlaybook { name: name.to_owned(), nearest })
}

/// Takes the event through the intake door, as a trigger would.
async fn open(core: &Core, live: &Live, mut event: Event) -> Result<Vec<RunId>, RunError> {
    if event.kind == "manual" && matches!(live.playbook.trigger, Trigger::Incident(_) | Trigger::Alert(_)) {
        // JSON stands for what these deliver.
        event.kind = live.playbook.trigger.kind();
    }
    let outputs: Arc<str> = Arc::from(json!({"body": event.body}).to_string());
    let (id, at) = (Uuid::now_v7(), core.clock.now());
    let mut listening = core.door.start(live, &Arrival { kind: event.kind, event: id, outputs: &outputs, at })?;
    if let Decision::Start(opening) = &mut listening.decision {
        // Whoever asks for a run by hand does not want it to wait for others.
        opening.limit = None;
    }
    let report = Report {
        event: id,
        kind: event.kind,
        uniqueness: Uniqueness::Always,
        summary: event.summary,
        outputs,
        raw: event.raw,
        playbooks: vec![listening],
        mail_tasks: Vec::new(),
        skipped: None,
    };
    let feed = FeedName { connection: "run".into(), folder: live.playbook.name.clone() };
    let intake = Intake { feed, reports: vec![report], cursor: None, at };
    let verdicts = core.door.take(intake).await?;
    match verdicts.into_iter().next() {
        Some(Verdict::Accepted { runs, .. }) => Ok(runs.into_iter().map(|started| started.run).collect()),
        Some(Verdict::Skipped { because }) => Err(RunError::Skipped(because)),
        _ => Err(RunError::NotOpened),
    }
}

/// Waits for the run to end (or to be suspended).
async fn end(core: &Core, run: RunId) -> Result<StoredRun, RunError> {
    loop {
        // Made before the look at the store, so that an end in between is heard.
        let watch = core.engine.watch(run);
        let stored = core.store.load_run(run).await?.ok_or(RunError::NotOpened)?;
        if stored.status != RunStatus::Running {
            return Ok(stored);
        }
        if watch.news().await.is_none() {
            return Err(RunError::NotOpened);
        }
    }
}

impl Event {
    fn nothing() -> Self {
        Self { kind: "manual", summary: "started by hand".into(), body: Value::Null, raw: None }
    }

    /// The same for a dry run.
    fn given(self) -> Given {
        match self.raw {
            Some(raw) => Given::Mail(raw, SystemClock.now()),
            None => Given::Body(self.body, self.summary),
        }
    }

    fn read(path: &Path) -> Result<Self, RunError> {
        let bytes = fs::read(path).map_err(|source| RunError::Unreadable { path: path.to_owned(), source })?;
        let name = path.display().to_string();
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("eml")) {
            let message = mail::read(&bytes, SystemClock.now())
                .map_err(|source| RunError::NotAMail { path: path.to_owned(), source })?;
            return Ok(Self { kind: "mailbox", summary: message.subject, body: message.trigger, raw: Some(bytes) });
        }
        let body =
            serde_json::from_slice(&bytes).map_err(|source| RunError::NotJson { path: path.to_owned(), source })?;
        Ok(Self { kind: "manual", summary: name, body, raw: None })
    }
}
