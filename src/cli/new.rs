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
    "ask-before-blocking-an-account",
    "create-incident-from-form",
    "create-incident-from-labelled-mail",
    "create-incident-from-shared-mailbox",
    "create-incident-from-webhook",
    "triage-new-incident",
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
    run_in(Path::new(FOLDER), args)
}

fn run_in(folder: &Path, args: &Args) -> Exit {
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
    let path = folder.join(format!("{name}.yaml"));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gallery_is_what_the_repository_has() {
        let mut on_disk: Vec<String> = fs::read_dir("playbooks")
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
            .filter(|name| !name.ends_with(".test"))
            .collect();
        on_disk.sort();
        assert_eq!(on_disk, GALLERY.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }

    #[test]
    fn a_playbook_is_copied_under_its_new_name_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let args = Args { name: Some("my-review".into()), from: Some("weekly-access-review".into()) };
        let folder = folder.path().join("playbooks");
        assert_eq!(run_in(&folder, &args), Exit::Done);
        let written = fs::read_to_string(folder.join("my-review.yaml")).unwrap();
        assert!(written.contains("\nname: my-review\n"), "{written}");
        fs::write(folder.join("my-review.yaml"), "mine").unwrap();
        assert_eq!(run_in(&folder, &args), Exit::InputAtFault);
        assert_eq!(fs::read_to_string(folder.join("my-review.yaml")).unwrap(), "mine");
    }

    #[test]
    fn what_the_gallery_does_not_have_and_what_is_no_name_is_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let args = |name: &str, from: &str| Args { name: Some(name.into()), from: Some(from.into()) };
        assert_eq!(run_in(folder.path(), &args("x", "weekly-acces-review")), Exit::WrongUsage);
        assert_eq!(run_in(folder.path(), &args("../x", "weekly-access-review")), Exit::WrongUsage);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
