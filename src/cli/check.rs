//! `larum check`: every fault and warning of every playbook and of the configuration, with positions.

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
    /// How faults and warnings are printed.
    #[arg(long, visible_alias = "output", value_enum, default_value_t)]
    format: Output,
    /// Fails on warnings too, not only on faults.
    #[arg(long)]
    deny_warnings: bool,
}

/// Prints every fault and warning, then how many there are. [`Exit::InputAtFault`] if there is a fault.
pub fn run(args: &Args) -> Exit {
    let report = Report::of(args);
    let printed = match args.format {
        Output::Text => report.text(&mut io::stdout().lock()),
        Output::Json => report.json(&mut io::stdout().lock()),
    };
    printed.map_or(Exit::WorldFailed, |()| report.exit(args))
}

/// What was checked and what was found.
struct Report {
    faults: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
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
        Self { faults, warnings: loading.warnings, files }
    }

    fn exit(&self, args: &Args) -> Exit {
        let denied = args.deny_warnings && !self.warnings.is_empty();
        if self.faults.is_empty() && !denied { Exit::Done } else { Exit::InputAtFault }
    }

    fn text(&self, out: &mut impl Write) -> io::Result<()> {
        for found in self.faults.iter().chain(&self.warnings) {
            writeln!(out, "{found}\n")?;
        }
        let faulty: BTreeSet<&str> = self.faults.iter().map(|fault| &*fault.source.name).collect();
        let all = self.files.len();
        let files = if all == 1 { "file" } else { "files" };
        match (self.faults.len(), faulty.len()) {
            (0, _) => write!(out, "no faults in {all} {files}"),
            (1, _) => write!(out, "1 fault in 1 of {all} {files}"),
            (count, faulty) => write!(out, "{count} faults in {faulty} of {all} {files}"),
        }?;
        match self.warnings.len() {
            0 => writeln!(out),
            1 => writeln!(out, ", 1 warning"),
            count => writeln!(out, ", {count} warnings"),
        }
    }

    fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let report = json!({"faults": self.faults, "warnings": self.warnings, "files": self.files.len()});
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(files: &[(&str, &str)]) -> (String, String) {
        let (text, json, _) = checked(files, false);
        (text, json)
    }

    fn checked(files: &[(&str, &str)], deny_warnings: bool) -> (String, String, Exit) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let config = folder.path().join("larum.yaml");
        let playbooks = files.iter().map(|(name, _)| folder.path().join(name)).filter(|path| *path != config).collect();
        let args = Args { paths: playbooks, config: Some(config), format: Output::Text, deny_warnings };
        let report = Report::of(&args);
        let (mut text, mut json) = (Vec::new(), Vec::new());
        report.text(&mut text).unwrap();
        report.json(&mut json).unwrap();
        let place = format!("{}/", folder.path().display());
        let shown = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&place, "");
        (shown(text), shown(json), report.exit(&args))
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
    fn warnings_are_counted_apart_and_fail_the_check_only_where_that_is_asked() {
        let divides = GOOD.replace("inputs: 1", "inputs: \"@div(trigger.count, 2)\"");
        let files = [("larum.yaml", ""), ("a.yaml", &*divides)];
        let (text, json, exit) = checked(&files, false);
        insta::assert_snapshot!(text);
        insta::assert_snapshot!(json);
        assert_eq!(exit, Exit::Done);
        assert_eq!(checked(&files, true).2, Exit::InputAtFault);
        assert_eq!(checked(&[("larum.yaml", ""), ("a.yaml", GOOD)], true).2, Exit::Done);
    }

    #[test]
    fn nothing_wrong_is_said_in_one_line() {
        let (text, _) = report(&[("larum.yaml", ""), ("a.yaml", GOOD)]);
        assert_eq!(text, "no faults in 2 files\n");
    }
}
