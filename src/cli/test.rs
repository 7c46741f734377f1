//! `larum test`: the playbooks' own tests.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

use notify::{RecursiveMode, Watcher};

use super::{ConfigArgs, Exit, Output, data};
use crate::{
    playbook,
    testing::{Loader, Report},
};

/// How long after a change the tests begin: an editor writes a file in several steps.
const SETTLE: Duration = Duration::from_millis(100);

/// Runs the tests of playbooks (`NAME.test.yaml` beside `NAME.yaml`) with nothing performed. Exit code 1 when one fails.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Test files, playbooks and folders of them. Default: those of the configuration, or `playbooks`.
    paths: Vec<PathBuf>,
    /// Only the cases whose name contains this, in any letter case.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Runs every case as if Larum died after every event of it, whatever the file says.
    #[arg(long)]
    crash: bool,
    /// Says which actions and branches no case reached.
    #[arg(long)]
    coverage: bool,
    /// Writes what was reached into this file, in LCOV's format.
    #[arg(long, value_name = "FILE")]
    lcov: Option<PathBuf>,
    /// Writes the results into this file, in JUnit's format.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Runs again whenever a file changes.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    config: ConfigArgs,
    /// How the results are printed.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs tests and prints what they came to.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let paths = if args.paths.is_empty() { &config.playbooks } else { &args.paths };
    if let Some(absent) = paths.iter().find(|path| !path.exists()) {
        eprintln!("error: there is nothing at `{}`", absent.display());
        return Exit::WrongUsage;
    }
    let exit = once(args, paths, config.templates.as_deref());
    if !args.watch {
        return exit;
    }
    match watch(args, paths, config.templates.as_deref()) {
        Ok(()) => exit,
        Err(error) => {
            eprintln!("error: the files cannot be watched: {error}");
            Exit::WorldFailed
        }
    }
}

fn once(args: &Args, paths: &[PathBuf], templates: Option<&Path>) -> Exit {
    let (report, found) = report(args, paths, templates);
    if found && report.cases().next().is_none() && report.faults.is_empty() {
        match &args.name {
            Some(name) => eprintln!("error: no case is called like `{name}`"),
            None => eprintln!("error: the test files have no cases"),
        }
        return Exit::WrongUsage;
    }
    if !found {
        eprintln!("error: there are no tests: a test file NAME.test.yaml stands beside NAME.yaml");
        return Exit::WrongUsage;
    }
    let written = args
        .junit
        .as_deref()
        .map_or(Ok(()), |path| keep(path, &report.junit()))
        .and_then(|()| args.lcov.as_deref().map_or(Ok(()), |path| keep(path, &report.lcov())))
        .and_then(|()| print(args, &report));
    match written {
        Ok(()) if report.passed() => Exit::Done,
        Ok(()) => Exit::InputAtFault,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::WorldFailed
        }
    }
}

/// What the tests came to, and whether there were any files.
fn report(args: &Args, paths: &[PathBuf], templates: Option<&Path>) -> (Report, bool) {
    let mut faults = Vec::new();
    let files = playbook::test_files(paths, &mut faults);
    let (suites, more) = Loader::new(templates.map(Path::to_owned)).load(&files);
    faults.extend(more);
    let name = args.name.as_deref().map(str::to_lowercase);
    let wanted =
        |case: &crate::testing::Case| name.as_deref().is_none_or(|name| case.name.to_lowercase().contains(name));
    let suites = suites.iter().map(|suite| suite.run(&wanted, args.crash)).collect();
    (Report { suites, faults }, !files.is_empty())
}

fn keep(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot write `{}`: {error}", path.display())))
}

fn print(args: &Args, report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match args.output {
        Output::Text => {
            out.write_all(report.text().as_bytes())?;
            if args.coverage {
                out.write_all(report.coverage_text().as_bytes())?;
            }
            Ok(())
        }
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, &report.json(args.coverage))?;
            writeln!(out)
        }
    }
}

/// Runs the tests again after every change, until the process is ended.
fn watch(args: &Args, paths: &[PathBuf], templates: Option<&Path>) -> notify::Result<()> {
    let (tell, told) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the files is an event too.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = tell.send(());
        }
    })?;
    for path in paths.iter().map(PathBuf::as_path).chain(templates) {
        // Editors put a new file in the place of the old one, so of a file its folder is watched.
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        watcher.watch(folder, RecursiveMode::Recursive)?;
    }
    while told.recv().is_ok() {
        while told.recv_timeout(SETTLE).is_ok() {}
        if data::print("\n").is_err() {
            return Ok(());
        }
        once(args, paths, templates);
    }
    Ok(())
}
