//! `larum check`: every fault of every playbook and of the configuration, with positions.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::PathBuf,
};

use serde_json::json;

use super::{Exit, Output};
use crate::{
    action,
    config::Config,
    diagnostic::{self, Diagnostic},
    playbook, yaml,
};

/// Checks playbooks and configuration without running anything.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Playbooks and folders of playbooks. Default: those of the configuration, or `playbooks`.
    paths: Vec<PathBuf>,
    /// The configuration. Default: `larum.yaml`, when it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How faults are printed.
    #[arg(long, visible_alias = "output", value_enum, default_value_t)]
    format: Output,
}

/// Prints every fault, then how many there are. [`Exit::InputAtFault`] if there is one.
pub fn run(args: &Args) -> Exit {
    let report = Report::of(args);
    let printed = match args.format {
        Output::Text => report.text(&mut io::stdout().lock()),
        Output::Json => report.json(&mut io::stdout().lock()),
    };
    match printed {
        Ok(()) if report.faults.is_empty() => Exit::Done,
        Ok(()) => Exit::InputAtFault,
        Err(_) => Exit::WorldFailed,
    }
}

/// What was checked and what was found.
struct Report {
    faults: Vec<Diagnostic>,
    files: BTreeSet<String>,
}

impl Report {
    fn of(args: &Args) -> Self {
        let (mut faults, mut files) = (Vec::new(), BTreeSet::new());
        let config = super::config::chosen(args.config.as_deref()).map_or_else(
            || Ok(Config::default()),
            |path| {
                files.insert(yaml::file_name(path));
                Config::load(path)
            },
        );
        // With a configuration at fault, what it would have said is unknown, and nothing is compared with it.
        let (config, known) = match config {
            Ok(config) => (config, true),
            Err(more) => {
                faults.extend(more);
                (Config::default(), false)
            }
        };
        let paths = if args.paths.is_empty() { &config.playbooks } else { &args.paths };
        let vocabulary = action::vocabulary();
        let loading = playbook::load_files(paths, config.templates.as_deref(), known.then_some(&config), &vocabulary);
        faults.extend(loading.faults);
        diagnostic::sort(&mut faults);
        files.extend(playbook::files(paths, &mut Vec::new()).iter().map(|path| yaml::file_name(path)));
        files.extend(faults.iter().map(|fault| fault.source.name.to_string()));
        Self { faults, files }
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        for fault in &self.faults {
            writeln!(out, "{fault}\n")?;
        }
        let faulty: BTreeSet<&str> = self.faults.iter().map(|fault| &*fault.source.name).collect();
        let all = self.files.len();
        let files = if all == 1 { "file" } else { "files" };
        match (self.faults.len(), faulty.len()) {
            (0, _) => writeln!(out, "no faults in {all} {files}"),
            (1, _) => writeln!(out, "1 fault in 1 of {all} {files}"),
            (count, faulty) => writeln!(out, "{count} faults in {faulty} of {all} {files}"),
        }
    }

    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &json!({"faults": self.faults, "files": self.files.len()}))?;
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(files: &[(&str, &str)]) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let config = folder.path().join("larum.yaml");
        let playbooks = files.iter().map(|(name, _)| folder.path().join(name)).filter(|path| *path != config).collect();
        let report = Report::of(&Args { paths: playbooks, config: Some(config), format: Output::Text });
        let (mut text, mut json) = (Vec::new(), Vec::new());
        report.text(&mut text).unwrap();
        report.json(&mut json).unwrap();
        let place = format!("{}/", folder.path().display());
        let shown = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&place, "");
        (shown(text), shown(json))
    }

    const GOOD: &str = "name: good\ntrigger: {manual: {}}\nactions: [{id: a, action: compose, with: {inputs: 1}}]\n";

    #[test]
    fn faults_are_counted_over_files() {
        let bad = GOOD.replace("name: good", "name: bad!").replace("manual", "manul");
        let (text, json) = report(&[("larum.yaml", "server: {}\n"), ("a.yaml", GOOD), ("b.yaml", &bad)]);
        insta::assert_snapshot!(text);
        insta::assert_snapshot!(json);
    }

    #[test]
    fn a_configuration_at_fault_is_not_held_against_the_playbooks() {
        let playbook = GOOD.replace("{manual: {}}", "{mailbox: {connection: soc}}");
        let (text, _) =
            report(&[("larum.yaml", "conections: {soc: {maildir: {path: mail}}}\n"), ("a.yaml", &playbook)]);
        assert!(text.ends_with("1 fault in 1 of 2 files\n"), "{text}");
    }

    #[test]
    fn nothing_wrong_is_said_in_one_line() {
        let (text, _) = report(&[("larum.yaml", ""), ("a.yaml", GOOD)]);
        assert_eq!(text, "no faults in 2 files\n");
    }
}
