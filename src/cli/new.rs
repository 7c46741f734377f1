//! `larum new`: starts a playbook from the gallery.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::Exit;
use crate::diagnostic::nearest;

macro_rules! gallery {
    ($($name:literal),* $(,)?) => {
        /// The playbooks of the gallery by name.
        const GALLERY: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../playbooks/", $name, ".yaml")))),*];
    };
}

gallery![
    "create-incident-from-form",
    "create-incident-from-labelled-mail",
    "create-incident-from-shared-mailbox",
    "weekly-access-review",
];

/// Where new playbooks go.
const FOLDER: &str = "playbooks";

/// Copies a playbook of the gallery into `playbooks/`, never over a file that is there; without a name, lists the gallery.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The new playbook's name. Default: the name it has in the gallery.
    name: Option<String>,
    /// The playbook of the gallery to start from. Default: the one called NAME.
    #[arg(long, value_name = "GALLERY")]
    from: Option<String>,
}

/// Lists or copies.
pub fn run(args: &Args) -> Exit {
    let Some(from) = args.from.as_deref().or(args.name.as_deref()) else {
        return if list(&mut io::stdout().lock()).is_ok() { Exit::Done } else { Exit::WorldFailed };
    };
    let Some((_, text)) = GALLERY.iter().find(|(name, _)| *name == from) else {
        eprintln!("error: the gallery has no `{from}`");
        match nearest(from, GALLERY.iter().map(|(name, _)| *name)) {
            Some(near) => eprintln!("did you mean `{near}`?"),
            None => eprintln!("`larum new` lists it; name what to start from with --from"),
        }
        return Exit::WrongUsage;
    };
    let name = args.name.as_deref().unwrap_or(from);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    {
        eprintln!("error: `{name}` is not a name: it is made of letters, digits, `-` and `_`");
        return Exit::WrongUsage;
    }
    let path = Path::new(FOLDER).join(format!("{name}.yaml"));
    match write(&path, &renamed(text, from, name)) {
        Ok(()) => {
            println!("{}", path.display());
            Exit::Done
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            eprintln!("error: `{}` is there already and stays as it is", path.display());
            Exit::InputAtFault
        }
        Err(error) => {
            eprintln!("error: cannot write `{}`: {error}", path.display());
            Exit::WorldFailed
        }
    }
}

fn list(out: &mut impl Write) -> io::Result<()> {
    let width = GALLERY.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, text) in GALLERY {
        let description = text.lines().find_map(|line| line.strip_prefix("description: ")).unwrap_or_default();
        writeln!(out, "{name:width$}  {description}")?;
    }
    Ok(())
}

/// The text with another name of the playbook.
fn renamed(text: &str, from: &str, name: &str) -> String {
    text.replacen(&format!("\nname: {from}\n"), &format!("\nname: {name}\n"), 1)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
