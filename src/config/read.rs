//! Reads `larum.yaml`.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;

use super::{Config, ParameterValue, Runs, Workspace, connection, server};
use crate::{
    diagnostic::{Diagnostic, Faults, Source, codes},
    secret::SecretRef,
    yaml::{self, Definitions, Entry, Fields, Given, Node, Rule, Takes, Value},
};

/// Ended runs are kept at least this long, so that a late duplicate of their report can still be shown with its run.
const KEEP_MIN: Duration = Duration::from_secs(3600);
const KEEP_MAX: Duration = Duration::from_secs(3650 * 24 * 3600);

crate::shape! {
    /// The configuration of Larum. Every key has a default; relative paths start at the file's own folder.
    CONFIG = "larum.yaml";
    /// Where Larum listens, and who is let in.
    optional "server": Takes::Map(&server::SERVER);
    /// The data folder: database, mails, keys, lock, outbox. Default `larum-data`.
    optional "data": Takes::Words;
    /// Folders or files that playbooks are read from. Default `playbooks`.
    optional "playbooks": Takes::OneOrMore(&Takes::Words);
    /// A folder whose handlebars files take the place of the built-in templates of the same name.
    optional "templates": Takes::Words;
    /// Outside systems, by the name under which playbooks call them.
    optional "connections": Takes::Names(&Takes::Map(&connection::CONNECTION));
    /// The names of the built-in workspace, as the API calls it.
    optional "workspace": Takes::Map(&WORKSPACE);
    /// How runs are kept.
    optional "runs": Takes::Map(&RUNS);
    /// Values of playbooks' parameters, by playbook and parameter; a secret is `{env: NAME}` or `{file: PATH}`.
    optional "parameters": Takes::Names(&Takes::Names(&Takes::Anything));
}

crate::shape! {
    /// The names of the built-in workspace, as the API calls it.
    WORKSPACE = "`workspace`";
    /// The subscription, a UUID. Default all zeros.
    optional "subscription": Takes::Words;
    /// The resource group. Default `larum`.
    optional "resource_group": Takes::Words;
    /// The workspace's name. Default `default`.
    optional "name": Takes::Words;
}

crate::shape! {
    /// How runs are kept.
    RUNS = "`runs`";
    /// Ended runs older than this are deleted with their history. From one hour to ten years, default 90 days.
    optional "keep": Takes::Duration;
}

crate::shape! {
    /// Where a secret is kept; it is read when it is needed, and never written down in a file of Larum.
    pub(super) SECRET = "a secret", Rule::One(&["env", "file"]);
    /// The environment variable.
    optional "env": Takes::Words;
    /// The file; a line end after the secret does not count.
    optional "file": Takes::Words;
}

impl Config {
    /// The JSON schema (draft 7) of `larum.yaml`.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        let mut schema = Definitions::default().finish("The configuration of Larum", &CONFIG);
        // An empty file says nothing, and every key has a default.
        schema["type"] = serde_json::json!(["object", "null"]);
        schema
    }

    /// Reads a configuration file. Relative paths in it start at its own folder.
    ///
    /// # Errors
    /// Every fault, by position.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let source = yaml::read_file(path).map_err(|fault| vec![fault])?;
        Self::read(&source, path.parent().unwrap_or_else(|| Path::new("")))
    }

    /// The configuration of a text whose relative paths start at `folder`.
    ///
    /// # Errors
    /// Every fault, by position.
    pub fn read(source: &Source, folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Faults::new(source);
        let Some(root) = yaml::parse(&mut faults) else { return Err(faults.into_sorted()) };
        let mut reader = Reader { folder, faults };
        let config = reader.root(&root);
        match config {
            Some(config) if reader.faults.count() == 0 => Ok(config),
            _ => Err(reader.faults.into_sorted()),
        }
    }
}

/// Reads with the folder that relative paths start at.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    pub faults: Faults,
}

impl Reader<'_> {
    fn root(&mut self, root: &Node) -> Option<Config> {
        let mut config = Config::default();
        config.data = self.folder.join(config.data);
        config.playbooks = config.playbooks.iter().map(|path| self.folder.join(path)).collect();
        // An empty file says nothing, and every key has a default.
        if root.value == Value::Null {
            return Some(config);
        }
        let mut fields = Fields::of(root, &CONFIG, &mut self.faults)?;
        let server = fields.optional("server");
        let data = fields.optional("data");
        let playbooks = fields.optional("playbooks");
        let templates = fields.optional("templates");
        let connections = fields.optional("connections");
        let workspace = fields.optional("workspace");
        let runs = fields.optional("runs");
        let parameters = fields.optional("parameters");
        fields.finish(&mut self.faults);

        if let Some(given) = server {
            server::server(given, &mut config.server, self);
        }
        if let Some(path) = data.and_then(|given| self.path(given)) {
            config.data = path;
        }
        if let Some(given) = playbooks {
            let texts = given.texts(&mut self.faults).unwrap_or_default();
            config.playbooks = texts.into_iter().map(|(_, path)| self.folder.join(path)).collect();
        }
        config.templates = templates.and_then(|given| self.folder_that_exists(given));
        if let Some(given) = connections {
            for entry in self.names(given) {
                if let Some(connection) = connection::connection(Given::of(entry), self) {
                    config.connections.insert(entry.key.clone(), connection);
                }
            }
        }
        if let Some(given) = workspace {
            self.workspace(given, &mut config.workspace);
        }
        if let Some(given) = runs {
            self.runs(given, &mut config.runs);
        }
        if let Some(given) = parameters {
            for playbook in self.names(given) {
                let values = self.names(Given::of(playbook));
                let values = values.iter().filter_map(|entry| Some((entry.key.clone(), self.parameter(entry)?)));
                config.parameters.insert(playbook.key.clone(), values.collect());
            }
        }
        Some(config)
    }

    fn workspace(&mut self, given: Given<'_>, workspace: &mut Workspace) {
        let Some(mut fields) = given.fields(&WORKSPACE, &mut self.faults) else { return };
        let subscription = fields.optional("subscription");
        let resource_group = fields.optional("resource_group");
        let name = fields.optional("name");
        fields.finish(&mut self.faults);
        if let Some(id) = subscription.and_then(|given| self.subscription(given)) {
            workspace.subscription = id;
        }
        for (given, place) in [(resource_group, &mut workspace.resource_group), (name, &mut workspace.name)] {
            if let Some(name) = given.and_then(|given| self.azure_name(given)) {
                *place = name;
            }
        }
    }

    /// A subscription's id.
    pub(super) fn subscription(&mut self, given: Given<'_>) -> Option<String> {
        let text = given.words(&mut self.faults)?;
        match uuid::Uuid::try_parse(text) {
            Ok(id) => Some(id.to_string()),
            Err(_) => {
                let help = "a subscription is a UUID, such as 00000000-0000-0000-0000-000000000000";
                self.bad(&given, format!("`{text}` is not a subscription"), help);
                None
            }
        }
    }

    /// The name of a resource group or a workspace.
    pub(super) fn azure_name(&mut self, given: Given<'_>) -> Option<String> {
        let text = given.words(&mut self.faults)?;
        if text.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c)) && text.len() <= 90 {
            return Some(text.to_owned());
        }
        let help = "it has letters, digits and -_.(), at most 90";
        self.bad(&given, format!("`{text}` is not a `{}`", given.key), help);
        None
    }

    fn runs(&mut self, given: Given<'_>, runs: &mut Runs) {
        let Some(mut fields) = given.fields(&RUNS, &mut self.faults) else { return };
        let keep = fields.optional("keep");
        fields.finish(&mut self.faults);
        let limits = "between one hour and ten years";
        if let Some(keep) = keep.and_then(|given| given.duration(KEEP_MIN..=KEEP_MAX, limits, &mut self.faults)) {
            runs.keep = keep;
        }
    }

    fn parameter(&mut self, entry: &Entry) -> Option<ParameterValue> {
        if let Value::Map(members) = &entry.value.value
            && let [only] = &members[..]
            && ["env", "file"].contains(&only.key.as_str())
        {
            return self.secret(Given::of(entry)).map(ParameterValue::Secret);
        }
        if entry.value.is_broken() { None } else { Some(ParameterValue::Plain(entry.value.to_json())) }
    }

    /// The entries of a map whose keys are names; two that differ in case only are a fault.
    fn names<'n>(&mut self, given: Given<'n>) -> Vec<&'n Entry> {
        let Value::Map(entries) = &given.node.value else {
            given.wrong_type("a map of names", &mut self.faults);
            return Vec::new();
        };
        let mut out: Vec<&Entry> = Vec::new();
        for entry in entries {
            if out.iter().any(|other| other.key.eq_ignore_ascii_case(&entry.key)) {
                let message = format!("the name `{}` is taken: case does not count", entry.key);
                self.faults.add(codes::DUPLICATE_NAME, entry.key_span.clone(), message);
            } else {
                out.push(entry);
            }
        }
        out
    }

    /// `{env: NAME}` or `{file: PATH}`; anything written down in its place is refused.
    pub(super) fn secret(&mut self, given: Given<'_>) -> Option<SecretRef> {
        const HELP: &str = "name the place it is kept at: {env: NAME} or {file: PATH}";
        if matches!(given.node.value, Value::Text(_) | Value::Number(_) | Value::Bool(_)) {
            self.faults.add_secret(given.span(), format!("the secret `{}` is written down", given.key), HELP);
            return None;
        }
        let mut fields = given.fields(&SECRET, &mut self.faults)?;
        let env = fields.optional("env");
        let file = fields.optional("file");
        let other = !fields.entries().is_empty();
        fields.finish(&mut self.faults);
        match (env, file) {
            (Some(env), None) => env.words(&mut self.faults).map(|name| SecretRef::Env(name.to_owned())),
            (None, Some(file)) => self.path(file).map(SecretRef::File),
            (Some(_), Some(file)) => {
                let message = "a secret comes from `env` or from `file`, not from both";
                self.faults.add(codes::EXCLUSIVE_KEYS, file.key_span(), message);
                None
            }
            // Any other key was reported above.
            (None, None) if other => None,
            (None, None) => {
                let message = format!("`{}` does not say where the secret is kept", given.key);
                self.faults.add_with(codes::MISSING_KEY, given.span(), message, Some(HELP.to_owned()));
                None
            }
        }
    }

    pub(super) fn path(&mut self, given: Given<'_>) -> Option<PathBuf> {
        given.words(&mut self.faults).map(|path| self.folder.join(path))
    }

    fn folder_that_exists(&mut self, given: Given<'_>) -> Option<PathBuf> {
        let path = self.path(given)?;
        if !path.is_dir() {
            self.bad(&given, format!("there is no folder `{}`", path.display()), "make it, or leave the key out");
        }
        Some(path)
    }

    pub(super) fn url(&mut self, given: Given<'_>) -> Option<url::Url> {
        let text = given.words(&mut self.faults)?;
        match url::Url::parse(text) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) && url.has_host() => {
                if url.password().is_some() {
                    let message = format!("`{}` holds a password", given.key);
                    self.faults.add_secret(given.span(), message, "leave it out of the address");
                    return None;
                }
                if url.query().is_some() || url.fragment().is_some() {
                    self.bad(
                        &given,
                        format!("`{}` is an address without `?` and `#`", given.key),
                        "leave that part out",
                    );
                    return None;
                }
                Some(url)
            }
            _ => {
                self.bad(&given, format!("`{text}` is not a web address"), "write it like https://reports.example.com");
                None
            }
        }
    }

    pub(super) fn networks(&mut self, given: Given<'_>) -> Vec<IpNet> {
        let mut out = Vec::new();
        for (item, text) in given.texts(&mut self.faults).unwrap_or_default() {
            match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => out.push(network),
                Err(_) => self.bad(&item, format!("`{text}` is not a network"), "write it like 10.0.0.0/8"),
            }
        }
        out
    }

    pub(super) fn bad(&mut self, given: &Given<'_>, message: String, help: &str) {
        self.faults.add_with(codes::BAD_VALUE, given.span(), message, Some(help.to_owned()));
    }
}
