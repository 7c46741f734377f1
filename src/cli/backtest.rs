//! `larum backtest`: what a playbook, as it stands in its file, would have made of the stored events.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Exit, Output,
    data::{self, DataArgs, Fault},
    playbook::loaded,
    table::{block, instant},
};
use crate::{
    action,
    clock::{Clock, SystemClock},
    config::{Config, ParameterValue},
    duration,
    playbook::{Loaded, load_files},
    store::{
        EventId, SqliteStore, Store,
        query::{RunFilter, RunSummary},
    },
    testing::{Backtest, EventTried, Subject},
};

/// Events and runs read at a time.
const PAGE: usize = 500;
/// Characters of a value on its line.
const SHOWN: usize = 120;

/// Holds a playbook, as it stands in its file, against the stored events: on the answers recorded then it says, event by
/// event, what would have come out otherwise. Nothing is performed; the data folder is only read, beside a running server
/// or without one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A playbook's file, or the name of one in the configured folders.
    playbook: String,
    /// Only events of this time, `30d`, `12h`.
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = parsed)]
    since: Duration,
    #[command(flatten)]
    data: DataArgs,
    /// How the differences are printed.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

fn parsed(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| duration::FORMS.to_owned())
}

/// Compares and prints. Differences are what was asked for: the command is done when it could compare.
#[must_use]
pub fn run(args: &Args) -> Exit {
    compare(args).map_or_else(|fault| fault.tell(), |()| Exit::Done)
}

fn compare(args: &Args) -> Result<(), Fault> {
    let (config, store) = args.data.open()?;
    let loaded = loaded(&args.playbook, &without_dropped(&args.playbook, &config))
        .map_err(|error| Fault::Input(error.to_string()))?;
    let vault = args.data.vault(&config)?;
    let subject = Subject::new(loaded, Arc::new(config)).map_err(|error| Fault::Input(error.to_string()))?;
    let (name, file) = (subject.playbook().name.clone(), subject.playbook().source.name.to_string());
    let now = SystemClock.now();
    let since = chrono::Duration::from_std(args.since).ok().and_then(|since| now.checked_sub_signed(since));
    let since = since.unwrap_or(DateTime::UNIX_EPOCH).max(DateTime::UNIX_EPOCH);
    let tried = data::block_on(tried(&store, Backtest::new(subject, vault), &name, since))?;
    let told = Told { name, file, since, tried };
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", told.json()),
        Output::Text => block(&told.text()),
    })
}

/// The configuration without the secret parameters that playbooks do not take any more: a version of then may need them.
fn without_dropped(playbook: &str, config: &Config) -> Config {
    let mut config = config.clone();
    let file = PathBuf::from(playbook);
    let paths = if file.is_file() { vec![file] } else { config.playbooks.clone() };
    let loading = load_files(&paths, config.templates.as_deref(), None, &action::vocabulary());
    for Loaded { playbook, .. } in &loading.playbooks {
        if let Some(given) = config.parameters.get_mut(&playbook.name) {
            given.retain(|name, value| {
                let is_taken = playbook.parameters.iter().any(|known| known.name.eq_ignore_ascii_case(name));
                is_taken || !matches!(value, ParameterValue::Secret(_))
            });
        }
    }
    config
}

/// Every event since then that concerns the playbook, oldest first.
async fn tried(
    store: &SqliteStore,
    mut backtest: Backtest,
    playbook: &str,
    since: DateTime<Utc>,
) -> Result<Vec<EventTried>, Fault> {
    let mut runs = runs(store, playbook, since).await?;
    let mut tried = Vec::new();
    let mut after = None;
    loop {
        let page = store.events(since, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(tried) };
        after = Some(last.event);
        for event in page {
            let mut those = Vec::new();
            // Newest first, as they are listed.
            for run in runs.remove(&event.event).into_iter().flatten().rev() {
                if backtest.needs(&run.version) {
                    let version = store.version(&run.version).await?;
                    let known = backtest.know(&run.version, version.as_ref());
                    known.map_err(|error| Fault::Input(error.to_string()))?;
                }
                // A run that was asked for again says nothing of what the trigger took.
                those.extend(store.load_run(run.run).await?.filter(|run| run.origin.is_none()));
            }
            tried.extend(backtest.event(event, &those));
        }
    }
}

/// The playbook's runs since then, newest first, by their events.
async fn runs(
    store: &SqliteStore,
    playbook: &str,
    since: DateTime<Utc>,
) -> Result<HashMap<EventId, Vec<RunSummary>>, Fault> {
    let mut runs: HashMap<EventId, Vec<RunSummary>> = HashMap::new();
    let mut before = None;
    loop {
        let filter = RunFilter { playbook: Some(playbook.to_owned()), before, limit: PAGE, ..RunFilter::default() };
        let page = store.runs(filter).await?;
        before = page.last().map(|run| run.run);
        let is_over = page.last().is_none_or(|run| run.started < since);
        for run in page {
            runs.entry(run.event).or_default().push(run);
        }
        if is_over {
            return Ok(runs);
        }
    }
}

/// What is told of a backtest.
struct Told {
    name: String,
    file: String,
    since: DateTime<Utc>,
    tried: Vec<EventTried>,
}

impl Told {
    fn differ(&self) -> usize {
        self.tried.iter().filter(|event| event.differs()).count()
    }

    fn not_compared(&self) -> usize {
        self.tried.iter().filter(|event| event.not_compared.is_some()).count()
    }

    fn as_before(&self) -> usize {
        self.tried.iter().filter(|event| !event.differs() && event.not_compared.is_none()).count()
    }

    /// What differs, each kind of value with the number of events it differs in.
    fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for event in &self.tried {
            // An action in a loop is the same in every iteration.
            let kind = |path: &str| {
                let parts = path.split('.').map(|part| part.split('/').next().unwrap_or_default());
                parts.collect::<Vec<_>>().join(".")
            };
            let mut those: Vec<String> = event.differences.iter().map(|changed| kind(&changed.path)).collect();
            those.sort_unstable();
            those.dedup();
            for kind in those {
                *kinds.entry(kind).or_default() += 1;
            }
        }
        kinds
    }

    fn json(&self) -> Value {
        let told: Vec<&EventTried> =
            self.tried.iter().filter(|event| event.differs() || event.not_compared.is_some()).collect();
        json!({
            "playbook": self.name,
            "file": self.file,
            "since": self.since,
            "events": self.tried.len(),
            "differ": self.differ(),
            "as_before": self.as_before(),
            "not_compared": self.not_compared(),
            "differences": self.kinds(),
            "different": told,
        })
    }

    fn text(&self) -> String {
        // Writing to a string cannot fail.
        let mut text = String::new();
        let _ = writeln!(text, "{} ({}) against the events since {}", self.name, self.file, instant(self.since));
        for event in self.tried.iter().filter(|event| event.differs() || event.not_compared.is_some()) {
            let _ = writeln!(text, "\n{}  {}  {}", instant(event.at), event.kind, one_line(&event.summary));
            if let Some(because) = &event.not_compared {
                let _ = writeln!(text, "  not compared: {}", one_line(because));
            }
            for changed in &event.differences {
                let (then, now) = (shown(changed.then.as_ref()), shown(changed.now.as_ref()));
                let _ = writeln!(text, "  {}: {then} → {now}", changed.path);
            }
            if !event.unrecorded.is_empty() {
                let _ = writeln!(text, "  answered as in a dry run: {}", event.unrecorded.join(", "));
            }
        }
        let (all, differ, not_compared) = (self.tried.len(), self.differ(), self.not_compared());
        let _ = write!(text, "\n{all} events: {differ} would differ, {} would be as they were", self.as_before());
        let _ = if not_compared > 0 { writeln!(text, ", {not_compared} not compared") } else { writeln!(text) };
        for (kind, count) in self.kinds() {
            let _ = writeln!(text, "  {count} in {kind}");
        }
        text.push_str("Nothing was performed.\n");
        text
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| one_line(&value.to_string()))
}

/// A text on one line, cut where it is long.
fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if text.chars().count() > SHOWN {
        line.push('…');
    }
    line
}
