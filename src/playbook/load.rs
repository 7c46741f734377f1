//! From sources to playbooks: one stored bundle, or every file of a folder together.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    path::{Path, PathBuf},
};

use super::{
    Bundle, FileRule, Playbook, Trigger, Vocabulary,
    check::{self, Checked},
    lint, read, rule,
    templates::{self, Compiled},
};
use crate::{
    config::{Config, ParameterValue},
    diagnostic::{self, Code, Diagnostic, Faults, Source, codes, nearest},
    yaml,
};

/// A playbook with everything that decides what it does.
#[derive(Debug)]
pub struct Loaded {
    pub playbook: Playbook,
    /// With the templates it reaches and no others, so that a change elsewhere makes no new version.
    pub bundle: Bundle,
}

/// What a set of files came to.
#[derive(Debug, Default)]
pub struct Loading {
    /// The playbooks without a fault, by path.
    pub playbooks: Vec<Loaded>,
    /// The automation rules without a fault, by path.
    pub rules: Vec<FileRule>,
    /// Every fault of every file, by file and position.
    pub faults: Vec<Diagnostic>,
    /// What the lints say of the playbooks without a fault, by file and position.
    pub warnings: Vec<Diagnostic>,
}

/// Loads playbooks one by one, with nothing to compare them with: what tests of playbooks need.
pub struct Loader<'v> {
    templates: Compiled,
    vocabulary: &'v Vocabulary,
}

impl<'v> Loader<'v> {
    /// A loader with the built-in templates and those of the folder `templates`, and the faults of these.
    #[must_use]
    pub fn new(templates: Option<&Path>, vocabulary: &'v Vocabulary) -> (Self, Vec<Diagnostic>) {
        let (sources, mut faults) = templates::sources(templates);
        let templates = Compiled::of(sources);
        faults.extend(templates.broken.values().flatten().cloned());
        (Self { templates, vocabulary }, faults)
    }

    /// The playbook in a text.
    ///
    /// # Errors
    /// Every fault, by position.
    pub fn source(&self, source: &Source) -> Result<Playbook, Vec<Diagnostic>> {
        checked(source, &self.templates, self.vocabulary).map(|checked| checked.playbook)
    }

    /// The playbook that is written in a part of a text.
    ///
    /// # Errors
    /// Every fault, by position.
    pub fn node(&self, root: &yaml::Node, source: &Source) -> Result<Playbook, Vec<Diagnostic>> {
        checked_node(root, Faults::new(source), &self.templates, self.vocabulary).map(|checked| checked.playbook)
    }
}

/// Loads a playbook from a bundle alone: the same bundle gives the same playbook, whatever the files say by now.
///
/// # Errors
/// Every fault, by position.
pub fn load(bundle: &Bundle, vocabulary: &Vocabulary) -> Result<Playbook, Vec<Diagnostic>> {
    let templates = Compiled::of(bundle.templates.clone());
    let source = Source::new(bundle.path.as_str(), bundle.source.as_str());
    checked(&source, &templates, vocabulary).map(|checked| checked.playbook)
}

/// Loads the playbooks of files and folders, with the built-in templates and those of the folder `templates`, and checks
/// them against each other and against `config`. Of two playbooks that exclude each other the first, by path, is kept.
pub fn load_folder(paths: &[PathBuf], templates: Option<&Path>, config: &Config, vocabulary: &Vocabulary) -> Loading {
    load_files(paths, templates, Some(config), vocabulary)
}

/// As [`load_folder`], but without a configuration nothing is compared with one.
pub fn load_files(
    paths: &[PathBuf],
    templates: Option<&Path>,
    config: Option<&Config>,
    vocabulary: &Vocabulary,
) -> Loading {
    let mut faults = Vec::new();
    let (sources, unreadable) = templates::sources(templates);
    faults.extend(unreadable);
    let compiled = Compiled::of(sources);
    faults.extend(compiled.broken.values().flatten().cloned());
    let mut taken = Taken::default();
    let mut playbooks = Vec::new();
    let mut rules = Vec::new();
    let mut broken = Vec::new();
    let mut warnings = Vec::new();
    for path in files(paths, &mut faults) {
        match file(&path, &compiled, config, vocabulary, &mut taken) {
            Ok(File::Playbook(loaded, more)) => {
                playbooks.push(*loaded);
                warnings.extend(more);
            }
            Ok(File::Rule(read, source)) => rules.push((read, source)),
            Err(more) => {
                faults.extend(more);
                broken.push(name_in(&path));
            }
        }
    }
    // A rule alone may run what is not among these files; and what is at fault itself is not missing.
    if !playbooks.is_empty() {
        rules.retain(|(read, source)| {
            let mut more = Faults::new(source);
            rule::playbooks(read, &playbooks, &broken, &mut more);
            let good = more.count() == 0;
            faults.extend(more.into_sorted());
            good
        });
    }
    diagnostic::sort(&mut faults);
    Loading { playbooks, rules: rules.into_iter().map(|(read, _)| read.file).collect(), faults, warnings }
}

/// What a file that is at fault seems to call its playbook; empty when that cannot be told.
fn name_in(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let is_rule = || text.lines().any(|line| line.starts_with("automation_rule:"));
    match text.lines().find_map(|line| line.strip_prefix("name:")) {
        Some(name) => name.trim().trim_matches(['"', '\'']).to_owned(),
        // No playbook can have this name.
        None if is_rule() => "/".to_owned(),
        None => String::new(),
    }
}

/// What a file holds.
enum File {
    Playbook(Box<Loaded>, Vec<Diagnostic>),
    Rule(Box<rule::Read>, Source),
}

/// The playbook files among `paths` and in the folders among them, in order; test files are none.
pub fn files(paths: &[PathBuf], faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    all(paths, faults).into_iter().filter(|path| !is_test(path)).collect()
}

/// The test files among `paths`, in the folders among them and beside the playbooks among them, in order.
pub fn test_files(paths: &[PathBuf], faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let beside = |path: PathBuf| if is_test(&path) { path } else { path.with_extension("test.yaml") };
    let found: BTreeSet<PathBuf> = all(paths, faults).into_iter().map(beside).collect();
    found.into_iter().filter(|path| path.is_file()).collect()
}

fn all(paths: &[PathBuf], faults: &mut Vec<Diagnostic>) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            found.extend(templates::files(path, &["yaml", "yml"], faults));
        } else {
            found.insert(path.clone());
        }
    }
    found
}

/// `NAME.test.yaml`
fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".test"))
}

/// Names that only one playbook may have, in lower case, with the file that has them.
#[derive(Default)]
struct Taken {
    names: BTreeMap<String, String>,
    /// Of forms and webhooks, each with its folder: `forms/report`.
    addresses: BTreeMap<String, String>,
    /// Of automation rules.
    rules: BTreeMap<String, String>,
}

fn file(
    path: &Path,
    templates: &Compiled,
    config: Option<&Config>,
    vocabulary: &Vocabulary,
    taken: &mut Taken,
) -> Result<File, Vec<Diagnostic>> {
    let source = yaml::read_file(path).map_err(|fault| vec![fault])?;
    let mut faults = Faults::new(&source);
    let Some(root) = yaml::parse(&mut faults) else { return Err(faults.into_sorted()) };
    if rule::is_rule(&root) {
        return match rule::rule(&root, &mut faults).filter(|read| is_free(read, taken, &mut faults)) {
            Some(read) => Ok(File::Rule(Box::new(read), source)),
            None => Err(faults.into_sorted()),
        };
    }
    let checked = checked_node(&root, faults, templates, vocabulary)?;
    let mut faults = Faults::new(&source);
    let mut values = BTreeMap::new();
    if let Some(config) = config {
        connections(&checked, config, &mut faults);
        values = parameters(&checked, config, &mut faults);
    }
    across(&checked, taken, &mut faults);
    if faults.count() > 0 {
        return Err(faults.into_sorted());
    }
    let bundle = Bundle {
        path: source.name.to_string(),
        source: source.text.to_string(),
        templates: templates.only(checked.reached),
        parameters: values,
    };
    let warnings = lint::lint(&checked.playbook, &root, vocabulary);
    Ok(File::Playbook(Box::new(Loaded { playbook: checked.playbook, bundle }), warnings))
}

/// Whether no other file has a rule of this name.
fn is_free(read: &rule::Read, taken: &mut Taken, faults: &mut Faults) -> bool {
    let FileRule { name, path, .. } = &read.file;
    match taken.rules.entry(name.to_string().to_lowercase()) {
        Entry::Vacant(place) => {
            place.insert(path.clone());
            true
        }
        Entry::Occupied(other) => {
            let message = format!("`{}` has an automation rule called `{name}` already", other.get());
            faults.add(codes::SAME_RULE, read.name.clone(), message);
            false
        }
    }
}

fn checked(source: &Source, templates: &Compiled, vocabulary: &Vocabulary) -> Result<Checked, Vec<Diagnostic>> {
    let mut faults = Faults::new(source);
    let Some(root) = yaml::parse(&mut faults) else { return Err(faults.into_sorted()) };
    checked_node(&root, faults, templates, vocabulary)
}

fn checked_node(
    root: &yaml::Node,
    mut faults: Faults,
    templates: &Compiled,
    vocabulary: &Vocabulary,
) -> Result<Checked, Vec<Diagnostic>> {
    match read::playbook(root, vocabulary, &mut faults) {
        Some(draft) => check::check(draft, templates, faults),
        None => Err(faults.into_sorted()),
    }
}

/// Every connection the playbook names must be there and of the right kind.
fn connections(checked: &Checked, config: &Config, faults: &mut Faults) {
    for named in &checked.connections {
        let known = config.connections.iter().find(|(name, _)| name.eq_ignore_ascii_case(&named.name));
        let wanted = named.kinds.join(" or ");
        match known {
            Some((_, connection)) if named.kinds.contains(&connection.kind()) => {}
            Some((name, connection)) => {
                let message =
                    format!("`{name}` is a connection of kind {}, {wanted} is needed here", connection.kind());
                faults.add(codes::WRONG_CONNECTION, named.span.clone(), message);
            }
            None => {
                let help = match nearest(&named.name, config.connections.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("name it in larum.yaml, under connections, with the kind {wanted}"),
                };
                let message = format!("there is no connection `{}`", named.name);
                faults.add_with(codes::UNKNOWN_CONNECTION, named.span.clone(), message, Some(help));
            }
        }
    }
}

/// The values `config` gives the playbook's parameters, without the secret ones.
fn parameters(checked: &Checked, config: &Config, faults: &mut Faults) -> BTreeMap<String, serde_json::Value> {
    let playbook = &checked.playbook;
    let given = config.parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(&playbook.name));
    let given = given.map(|(_, values)| values);
    let mut out = BTreeMap::new();
    for (parameter, span) in playbook.parameters.iter().zip(&checked.places.parameters) {
        let mut fault = |code: Code, message: String, help: &str| {
            faults.add_with(code, span.clone(), message, Some(help.to_owned()));
        };
        let name = &parameter.name;
        let value = given.and_then(|values| values.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)));
        match value.map(|(_, value)| value) {
            Some(ParameterValue::Secret(_)) if parameter.kind.is_secret() => {}
            Some(ParameterValue::Secret(_)) => fault(
                codes::PARAMETER_VALUE,
                format!("larum.yaml gives `{name}` a secret, but its type is {}", parameter.kind.name()),
                "a parameter that holds a secret is a securestring",
            ),
            Some(ParameterValue::Plain(_)) if parameter.kind.is_secret() => fault(
                codes::LITERAL_SECRET,
                format!("larum.yaml writes the secret `{name}` down"),
                "give it there as {env: NAME} or {file: PATH}",
            ),
            Some(ParameterValue::Plain(value)) if parameter.kind.takes(value) => {
                out.insert(name.clone(), value.clone());
            }
            Some(ParameterValue::Plain(_)) => fault(
                codes::PARAMETER_VALUE,
                format!("larum.yaml gives `{name}` a value of another type than {}", parameter.kind.name()),
                "mend the value there, or the type here",
            ),
            None if parameter.default.is_some() => {}
            None => fault(
                codes::PARAMETER_VALUE,
                format!("the parameter `{name}` has neither a value in larum.yaml nor a default"),
                &format!("write it there under parameters: {{{}: {{{name}: …}}}}", playbook.name),
            ),
        }
    }
    for name in given.into_iter().flat_map(BTreeMap::keys) {
        if !playbook.parameters.iter().any(|parameter| parameter.name.eq_ignore_ascii_case(name)) {
            let help =
                diagnostic::did_you_mean(name, playbook.parameters.iter().map(|parameter| parameter.name.as_str()));
            let message =
                format!("larum.yaml gives a value for the parameter `{name}`, which this playbook does not have");
            faults.add_with(codes::PARAMETER_VALUE, checked.places.name.clone(), message, help);
        }
    }
    out
}

/// Names and form addresses that another file has.
fn across(checked: &Checked, taken: &mut Taken, faults: &mut Faults) {
    let playbook = &checked.playbook;
    let file = playbook.source.name.to_string();
    let name = playbook.name.to_lowercase();
    if let Some(other) = taken.names.get(&name) {
        let message = format!("`{other}` has a playbook called `{}` already", playbook.name);
        faults.add(codes::SAME_PLAYBOOK, checked.places.name.clone(), message);
        return;
    }
    let address = match &playbook.trigger {
        Trigger::Form(form) => Some(format!("forms/{}", form.path)),
        Trigger::Webhook(webhook) => Some(format!("hooks/{}", webhook.path)),
        Trigger::Mailbox(_) | Trigger::Schedule(_) | Trigger::Incident(_) | Trigger::Alert(_) | Trigger::Manual => None,
    };
    if let Some(address) = address {
        if let Some(other) = taken.addresses.get(&address) {
            let span = checked.places.path.clone().unwrap_or_default();
            let kind = playbook.trigger.kind();
            faults.add(codes::SAME_PATH, span, format!("`{other}` has a {kind} at `/{address}` already"));
            return;
        }
        taken.addresses.insert(address, file.clone());
    }
    taken.names.insert(name, file);
}
