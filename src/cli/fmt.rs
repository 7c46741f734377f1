//! `larum fmt`: the canonical layout of playbooks, tests and `larum.yaml`.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{ConfigArgs, Exit, config, data};
use crate::{playbook, yaml};

/// Lays out playbooks, their tests and `larum.yaml`: two spaces a level, comments kept, nothing said otherwise.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, and folders of playbooks. Default: those of the configuration, and the configuration itself.
    paths: Vec<PathBuf>,
    /// Changes nothing; lists the files that would change, and ends with 1 where there are any.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Lays out each file, or says which would change.
pub fn run(args: &Args) -> Exit {
    let mut paths = args.paths.clone();
    if paths.is_empty() {
        let configuration = match args.config.load() {
            Ok(configuration) => configuration,
            Err(exit) => return exit,
        };
        paths = configuration.playbooks;
        paths.extend(config::chosen(args.config.config.as_deref()).map(Path::to_owned));
    }
    let mut faults = Vec::new();
    let mut files = playbook::files(&paths, &mut faults);
    // The faults of the folders are the same.
    let tests = playbook::test_files(&paths, &mut Vec::new());
    files.extend(tests.into_iter().filter(|path| args.paths.is_empty() || !args.paths.contains(path)));
    files.extend(args.paths.iter().filter(|path| path.is_file()).cloned());
    files.sort();
    files.dedup();
    for fault in &faults {
        eprintln!("{fault}\n");
    }
    let mut exit = if faults.is_empty() { Exit::Done } else { Exit::InputAtFault };
    for path in files {
        match lay_out(&path, args.check) {
            Ok(true) => {
                if let Err(fault) = data::print(&format!("{}\n", yaml::file_name(&path))) {
                    exit = fault.tell();
                }
                if args.check {
                    exit = exit.max(Exit::InputAtFault);
                }
            }
            Ok(false) => {}
            Err((worse, message)) => {
                eprintln!("error: `{}` stays as it is: {message}", yaml::file_name(&path));
                exit = exit.max(worse);
            }
        }
    }
    exit
}

/// Whether the layout of a file changes, or with `check` would.
fn lay_out(path: &Path, check: bool) -> Result<bool, (Exit, String)> {
    let world = |error: io::Error| (Exit::WorldFailed, error.to_string());
    let bytes = fs::read(path).map_err(world)?;
    let Ok(text) = String::from_utf8(bytes) else { return Err((Exit::InputAtFault, "it is not UTF-8".to_owned())) };
    let new = yaml::format(&text).map_err(|error| (Exit::InputAtFault, error.to_string()))?;
    if new == text {
        return Ok(false);
    }
    if !check {
        replace(path, &new).map_err(world)?;
    }
    Ok(true)
}

/// Puts a new text in the place of a file at once, so that nobody finds half of it, and a crash leaves one of the two.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
