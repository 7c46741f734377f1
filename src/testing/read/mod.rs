//! A test file → a suite: strict keys, positions and near names, as a playbook is read.

mod answers;
mod expect;
mod given;
mod mail;
mod shape;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    case::{Case, Expect, Suite},
    play::Play,
};
use crate::{
    action::{ACTIONS, vocabulary},
    diagnostic::{Diagnostic, Faults, Source, codes, did_you_mean},
    engine::{Plan, Secrets},
    limits,
    playbook::{self, Playbook},
    yaml::{self, Definitions, Fields, Given, Node, Value as Yaml},
};

/// The instant a run starts at where the file names none.
const NOW: &str = "2026-01-01T00:00:00Z";

/// Reads test files with the playbooks they are about.
#[derive(Debug)]
pub struct Loader {
    templates: Option<PathBuf>,
    vocabulary: Vec<playbook::ActionSpec>,
}

/// A playbook with the parameter values of a case.
#[derive(Clone)]
struct Ready {
    plan: Arc<Plan>,
    secrets: Arc<Secrets>,
}

/// What a case is read with.
struct Context<'c> {
    playbook: &'c Arc<Playbook>,
    /// The folder of the test file.
    folder: &'c Path,
}

impl Loader {
    /// A loader with the built-in templates and those of the folder `templates`.
    #[must_use]
    pub fn new(templates: Option<PathBuf>) -> Self {
        Self { templates, vocabulary: vocabulary() }
    }

    /// Reads test files, and the faults of those that cannot be used.
    #[must_use]
    pub fn load(&self, files: &[PathBuf]) -> (Vec<Suite>, Vec<Diagnostic>) {
        let (playbooks, mut faults) = playbook::Loader::new(self.templates.as_deref(), &self.vocabulary);
        let mut suites = Vec::new();
        for file in files {
            match yaml::read_file(file).map_err(|fault| vec![fault]).and_then(|source| suite(&source, file, &playbooks))
            {
                Ok(suite) => suites.push(suite),
                Err(more) => faults.extend(more),
            }
        }
        crate::diagnostic::sort(&mut faults);
        (suites, faults)
    }

    /// Reads the text of a test file that stands at `path`.
    ///
    /// # Errors
    /// Every fault of it and of its playbook.
    pub fn source(&self, source: &Source, path: &Path) -> Result<Suite, Vec<Diagnostic>> {
        let (playbooks, _) = playbook::Loader::new(self.templates.as_deref(), &self.vocabulary);
        suite(source, path, &playbooks)
    }

    /// Reads a test file that stands at `path`, with `playbook` in the place of the playbook it names, if any.
    ///
    /// # Errors
    /// Every fault of both.
    pub fn with_playbook(&self, source: &Source, path: &Path, playbook: &Source) -> Result<Suite, Vec<Diagnostic>> {
        let (playbooks, _) = playbook::Loader::new(self.templates.as_deref(), &self.vocabulary);
        let playbook = Arc::new(playbooks.source(playbook)?);
        read(source, path, &|_, _| Ok(playbook.clone()))
    }
}

fn suite(source: &Source, path: &Path, playbooks: &playbook::Loader<'_>) -> Result<Suite, Vec<Diagnostic>> {
    read(source, path, &|given, source| find(given, source, path, playbooks))
}

/// The JSON schema (draft 7) of a test file.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Definitions::default();
    let playbook = playbook::define(&vocabulary(), &mut definitions);
    let playbook = definitions.object(playbook);
    definitions.define("playbook", playbook);
    shape::define(&mut definitions);
    definitions.finish("Tests of a playbook of Larum", &shape::SUITE)
}

/// Finds the playbook that `playbook:` means, or without it the one beside the file.
type FindPlaybook<'f> = &'f dyn Fn(Option<Given<'_>>, &Source) -> Result<Arc<Playbook>, Vec<Diagnostic>>;

fn read(source: &Source, path: &Path, find: FindPlaybook<'_>) -> Result<Suite, Vec<Diagnostic>> {
    let mut faults = Faults::new(source);
    let Some(root) = yaml::parse(&mut faults) else { return Err(faults.into_sorted()) };
    let Some(mut fields) = Fields::of(&root, &shape::SUITE, &mut faults) else { return Err(faults.into_sorted()) };
    let named = fields.optional("playbook");
    let description = fields.optional("description");
    let now = fields.optional("now");
    let parameters = fields.optional("parameters");
    let crash = fields.optional("crash");
    let cases = fields.required("cases");
    fields.finish(&mut faults);

    if let Some(given) = description {
        given.text(&mut faults);
    }
    let playbook = match find(named, source) {
        Ok(playbook) => playbook,
        Err(more) => {
            more.into_iter().for_each(|fault| faults.push(fault));
            return Err(faults.into_sorted());
        }
    };
    let now = now.and_then(|given| instant(&given, &mut faults)).unwrap_or_else(|| NOW.parse().unwrap_or_default());
    let crash = crash.and_then(|given| crashes(&given, &mut faults)).unwrap_or(false);
    let values = parameters.map(|given| values(&given, &playbook, &mut faults)).unwrap_or_default();
    let ready = plan(&playbook, &values, &root, &mut faults);
    let folder = path.parent().unwrap_or(Path::new(""));
    let context = Context { playbook: &playbook, folder };
    let mut reading = Reading { context, now, crash, values, ready, names: BTreeMap::new() };
    let items = cases.and_then(|given| given.list(&mut faults)).unwrap_or_default();
    let cases: Vec<Case> = items.iter().filter_map(|item| reading.case(item, &mut faults)).collect();
    if faults.count() > 0 {
        return Err(faults.into_sorted());
    }
    Ok(Suite { source: source.clone(), cases })
}

/// The playbook of a test file.
fn find(
    given: Option<Given<'_>>,
    source: &Source,
    path: &Path,
    playbooks: &playbook::Loader<'_>,
) -> Result<Arc<Playbook>, Vec<Diagnostic>> {
    let fault = |span, message: String, help: Option<String>| {
        Err(vec![Diagnostic { help, ..Diagnostic::new(codes::TEST_PLAYBOOK, source, span, message) }])
    };
    let span = given.map(|given| given.span()).unwrap_or(0..0);
    let named = match given.map(|given| (given, &given.node.value)) {
        Some((given, Yaml::Map(_))) => return playbooks.node(given.node, source).map(Arc::new),
        Some((_, Yaml::Text(text))) => Some(text.value.as_str()),
        Some((given, _)) => {
            let message = format!("`playbook` must be a name, a file or a playbook, but is {}", given.node.kind());
            return fault(span, message, None);
        }
        None => None,
    };
    let is_file = |name: &&str| {
        Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("yaml") || ending == "yml")
    };
    let file = match named.filter(is_file) {
        Some(file) => path.with_file_name("").join(file),
        None => beside(path),
    };
    if !file.is_file() {
        let message = format!("there is no playbook at `{}`", yaml::file_name(&file));
        let help =
            "a test file NAME.test.yaml stands beside NAME.yaml, or names a file or holds a playbook under `playbook:`";
        return fault(span, message, Some(help.to_owned()));
    }
    let playbook = yaml::read_file(&file).map_err(|fault| vec![fault]).and_then(|text| playbooks.source(&text))?;
    match named.filter(|name| !is_file(name)) {
        Some(name) if !name.eq_ignore_ascii_case(&playbook.name) => {
            let message = format!("the playbook at `{}` is not called `{name}`", yaml::file_name(&file));
            fault(span, message, Some(format!("it is called `{}`", playbook.name)))
        }
        _ => Ok(Arc::new(playbook)),
    }
}

/// `NAME.yaml` of `NAME.test.yaml`.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(name.replacen(".test.", ".", 1))
}

fn instant(given: &Given<'_>, faults: &mut Faults) -> Option<DateTime<Utc>> {
    let text = given.text(faults)?;
    let instant = crate::expression::instant(text).ok();
    if instant.is_none() {
        let message = format!("`{text}` is not an instant");
        let help = "write it like 2026-11-24T09:05:00Z".to_owned();
        faults.add_with(codes::BAD_VALUE, given.span(), message, Some(help));
    }
    instant
}

/// Whether a case is run again with a crash after every event.
const CRASHES: &[(&str, bool)] = &[("after_every_event", true), ("never", false)];

fn crashes(given: &Given<'_>, faults: &mut Faults) -> Option<bool> {
    given.choice(CRASHES, faults)
}

/// `parameters:` by name, as the playbook spells them.
fn values(given: &Given<'_>, playbook: &Playbook, faults: &mut Faults) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    let Some(fields) = given.fields("the parameters of a test", faults) else { return values };
    for entry in fields.entries() {
        let known = playbook.parameters.iter().find(|known| known.name.eq_ignore_ascii_case(&entry.key));
        let Some(known) = known else {
            let help = did_you_mean(&entry.key, playbook.parameters.iter().map(|known| known.name.as_str()));
            let message = format!("the playbook has no parameter `{}`", entry.key);
            faults.add_with(codes::UNKNOWN_PARAMETER, entry.key_span.clone(), message, help);
            continue;
        };
        let value = entry.value.to_json();
        if !known.kind.takes(&value) {
            let message = format!("`{}` takes a value of type {}", known.name, known.kind.name());
            faults.add(codes::PARAMETER_VALUE, Given::of(entry).span(), message);
            continue;
        }
        values.insert(known.name.clone(), value);
    }
    values
}

/// The playbook with its parameter values. A secret that no test names has a value that is easily seen.
fn plan(playbook: &Arc<Playbook>, values: &BTreeMap<String, Value>, root: &Node, faults: &mut Faults) -> Option<Ready> {
    let (mut plain, mut secret) = (Vec::new(), Vec::new());
    for parameter in &playbook.parameters {
        let name = &parameter.name;
        match values.get(name).or(parameter.default.as_ref()) {
            Some(value) if parameter.kind.is_secret() => secret.push((name.clone(), value.clone())),
            Some(value) => plain.push((name.clone(), value.clone())),
            None if parameter.kind.is_secret() => secret.push((name.clone(), format!("secret value of {name}").into())),
            None => {
                let message = format!("the parameter `{name}` has neither a value here nor a default");
                let help = format!("write it under parameters: {{{name}: …}}");
                faults.add_with(codes::PARAMETER_VALUE, root.span.start..root.span.start, message, Some(help));
            }
        }
    }
    match Plan::compile("test", playbook.clone(), plain, ACTIONS) {
        Ok(plan) => Some(Ready { plan: Arc::new(plan), secrets: Arc::new(Secrets::new(secret)) }),
        Err(error) => {
            faults.add(codes::UNKNOWN_ACTION, 0..0, error.to_string());
            None
        }
    }
}

/// What holds for every case of a file.
struct Reading<'c> {
    context: Context<'c>,
    now: DateTime<Utc>,
    crash: bool,
    values: BTreeMap<String, Value>,
    ready: Option<Ready>,
    /// Names of cases, with the line each is in.
    names: BTreeMap<String, usize>,
}

impl Reading<'_> {
    fn case(&mut self, item: &Given<'_>, faults: &mut Faults) -> Option<Case> {
        let mut fields = item.fields(&shape::CASE, faults)?;
        let name = fields.required("name");
        let now = fields.optional("now");
        let parameters = fields.optional("parameters");
        let given = fields.optional("given");
        let answers = fields.optional("answers");
        let cancel = fields.optional("cancel_after");
        let crash = fields.optional("crash");
        let expect = fields.required("expect");
        fields.finish(faults);

        let name = name.and_then(|name| name.words(faults).map(|text| (text.to_owned(), name.span())));
        if let Some((name, span)) = &name {
            let line = faults.source().position(span.start).line;
            if let Some(first) = self.names.insert(name.clone(), line) {
                let message = format!("a case is called like this already, in line {first}");
                faults.add(codes::DUPLICATE_NAME, span.clone(), message);
            }
        }
        let now = now.and_then(|given| instant(&given, faults)).unwrap_or(self.now);
        let ready = match parameters {
            Some(given) => {
                let mut all = self.values.clone();
                all.extend(values(&given, self.context.playbook, faults));
                plan(self.context.playbook, &all, item.node, faults)
            }
            None => self.ready.clone(),
        };
        let most = limits::RUN_DURATION;
        let cancel_after =
            cancel.and_then(|given| given.duration(Default::default()..=most, "at most 90 days", faults));
        let crash = crash.and_then(|given| crashes(&given, faults)).unwrap_or(self.crash);
        let delivery = given::delivery(given.as_ref(), item, &self.context, now, faults);
        let ready = ready?;
        let answers = answers.map(|given| answers::answers(&given, &ready.plan, faults)).unwrap_or_default();
        let expect = expect.map(|given| expect::expect(&given, &ready.plan, faults));
        let (name, span) = name?;
        let play = Play { answers, cancel_after, crash, ..Play::new(ready.plan, ready.secrets, now, delivery?) };
        let expect = expect.unwrap_or(Expect { exactly: false, sections: Vec::new() });
        Some(Case { name, span, play, expect })
    }
}

/// The step that a key of `answers:` or `expect:` names, spelt as the playbook spells it; its iterations as far as it
/// names any.
fn step(key: &str, span: &std::ops::Range<usize>, plan: &Plan, faults: &mut Faults) -> Option<(String, Vec<u32>)> {
    let mut parts = key.split('/');
    let id = parts.next().unwrap_or_default();
    let Some(index) = plan.find(id) else {
        let help = did_you_mean(id, plan.nodes.iter().map(|node| &*node.id));
        let message = format!("the playbook has no action `{id}`");
        faults.add_with(codes::UNKNOWN_REFERENCE, span.clone(), message, help);
        return None;
    };
    let depth = depth(plan, index);
    let iterations: Option<Vec<u32>> = parts.map(|part| part.parse().ok()).collect();
    match iterations {
        Some(iterations) if iterations.is_empty() || iterations.len() == depth => {
            Some((plan.node_at(index).id.to_string(), iterations))
        }
        _ => {
            let message = match depth {
                0 => format!("`{id}` stands in no loop and has no iterations"),
                1 => format!("`{id}` stands in one loop: an iteration of it is named `{id}/0`"),
                _ => format!("`{id}` stands in {depth} loops: an iteration of it is named with {depth} numbers"),
            };
            faults.add(codes::BAD_VALUE, span.clone(), message);
            None
        }
    }
}

/// How many loops an action stands in.
fn depth(plan: &Plan, index: u32) -> usize {
    let mut depth = 0;
    let mut region = plan.node_at(index).region;
    while let Some(owner) = plan.regions[region as usize].owner {
        depth += 1;
        region = plan.node_at(owner).region;
    }
    depth
}
