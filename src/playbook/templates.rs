//! The templates a playbook may use: those compiled into the binary, overridden by those of a folder.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::check::code;
use crate::{
    diagnostic::{Diagnostic, Source, codes},
    expression::{CompileErrorKind, Partials},
    yaml,
};

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        /// The templates of the binary: their names (the path under `templates/` without `.hbs`) and sources.
        pub const BUILTIN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../templates/", $name, ".hbs")))),*];
    };
}

builtin!["acknowledge-reporter", "mail-report"];

/// Pages of the portal have data of their own and are no partials of a playbook.
const PORTAL: &str = "portal/";

/// Handlebars sources by name, the folder's before the binary's.
///
/// # Errors
/// Every file of the folder that cannot be read.
pub fn sources(folder: Option<&Path>) -> (BTreeMap<String, String>, Vec<Diagnostic>) {
    let mut all: BTreeMap<String, String> =
        BUILTIN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let mut faults = Vec::new();
    if let Some(folder) = folder {
        for path in files(folder, &["hbs"], &mut faults) {
            let name = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
            let name = name.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            match yaml::read_file(&path) {
                Ok(source) => {
                    all.insert(name, source.text.to_string());
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    (all, faults)
}

/// The binary's and a folder's templates as partials, and the faults of those that cannot be used.
#[must_use]
pub fn partials(folder: Option<&Path>) -> (Partials, Vec<Diagnostic>) {
    let (sources, mut faults) = sources(folder);
    let compiled = Compiled::of(sources);
    faults.extend(compiled.broken.into_values().flatten());
    (compiled.partials, faults)
}

/// The files with one of these extensions in a folder and the folders in it, in order.
pub(super) fn files(folder: &Path, extensions: &[&str], faults: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                let name = yaml::file_name(&folder);
                let message = format!("cannot read the folder `{name}`: {error}");
                faults.push(Diagnostic::new(codes::UNREADABLE, &Source::new(name, ""), 0..0, message));
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !hidden => waiting.push(path),
                // A link to a file counts, a link to a folder could lead round in a circle.
                Ok(_) if !hidden && path.is_file() && has_extension(&path, extensions) => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known))
}

/// Templates compiled together; those with faults are set aside, so that they break only what uses them.
pub(super) struct Compiled {
    pub sources: BTreeMap<String, String>,
    pub partials: Partials,
    pub broken: BTreeMap<String, Vec<Diagnostic>>,
}

impl Compiled {
    pub(super) fn of(sources: BTreeMap<String, String>) -> Self {
        let mut good: BTreeMap<String, String> =
            sources.iter().filter(|(name, _)| !name.starts_with(PORTAL)).map(|(a, b)| (a.clone(), b.clone())).collect();
        let mut compiled = Self { sources, partials: Partials::default(), broken: BTreeMap::new() };
        loop {
            match Partials::new(good.clone()) {
                Ok(partials) => {
                    compiled.partials = partials;
                    return compiled;
                }
                Err(errors) => {
                    for (name, error) in errors {
                        let source = compiled.source(&name);
                        // A template that includes a broken one is broken by that one's faults.
                        let inherited = (error.kind == CompileErrorKind::UnknownPartial)
                            .then(|| {
                                compiled.broken.iter().find(|(other, _)| error.message.contains(&format!("'{other}'")))
                            })
                            .flatten()
                            .map(|(_, faults)| faults.clone());
                        let faults = inherited.unwrap_or_else(|| {
                            let fault = Diagnostic::new(code(error.kind), &source, error.range, error.message);
                            vec![Diagnostic { help: error.help, ..fault }]
                        });
                        good.remove(&name);
                        compiled.broken.entry(name).or_default().extend(faults);
                    }
                }
            }
        }
    }

    /// A template as a text that faults point into.
    pub(super) fn source(&self, name: &str) -> Source {
        let text = self.sources.get(name).map(String::as_str).unwrap_or_default();
        Source::new(format!("templates/{name}.hbs"), text)
    }

    /// The sources of these templates.
    pub(super) fn only(&self, names: impl IntoIterator<Item = String>) -> BTreeMap<String, String> {
        names.into_iter().filter_map(|name| self.sources.get(&name).map(|text| (name.clone(), text.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_of_the_repository_is_built_in() {
        let mut faults = Vec::new();
        let on_disk: Vec<String> = files(Path::new("templates"), &["hbs"], &mut faults)
            .iter()
            .map(|path| path.strip_prefix("templates").unwrap().with_extension("").display().to_string())
            .filter(|name| !name.starts_with(PORTAL))
            .collect();
        assert_eq!(faults, []);
        assert_eq!(on_disk, BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }
}
