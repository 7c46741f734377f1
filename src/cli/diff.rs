//! `larum diff`: what changes in meaning between two versions of a playbook.

use std::path::{Path, PathBuf};

use super::{Exit, data};
use crate::{
    diagnostic::Faults,
    playbook::{Outline, changes},
    yaml,
};

/// Tells what changes in meaning from one playbook to another: triggers, actions, branches, order, fields; not layout, comments or quotes. Ends with 0 where nothing does, 1 where something does, 2 where a file cannot be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The playbook as it was.
    old: PathBuf,
    /// The playbook as it is.
    new: PathBuf,
}

/// Prints a line for each change.
pub fn run(args: &Args) -> Exit {
    let (Some(old), Some(new)) = (outline(&args.old), outline(&args.new)) else { return Exit::WrongUsage };
    let changes = changes(&old, &new);
    let lines: String = changes.iter().map(|change| format!("{change}\n")).collect();
    if let Err(fault) = data::print(&lines) {
        return fault.tell();
    }
    if changes.is_empty() { Exit::Done } else { Exit::InputAtFault }
}

/// A playbook's outline; what is wrong with the file is printed.
pub(super) fn outline(path: &Path) -> Option<Outline> {
    let source = match yaml::read_file(path) {
        Ok(source) => source,
        Err(fault) => {
            eprintln!("{fault}");
            return None;
        }
    };
    let mut faults = Faults::new(&source);
    let root = yaml::parse(&mut faults);
    if faults.count() > 0 {
        faults.into_sorted().iter().for_each(|fault| eprintln!("{fault}"));
        return None;
    }
    let outline = root.and_then(|root| Outline::of(&root.to_json()));
    if outline.is_none() {
        eprintln!("error: `{}` is no playbook: it has no list of `actions`", yaml::file_name(path));
    }
    outline
}
