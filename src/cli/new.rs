//! `larum new`: starts a playbook from the gallery.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::{Exit, schema};
use crate::diagnostic::nearest;

macro_rules! gallery {
    ($($name:literal),* $(,)?) => {
        /// The playbooks of the gallery by name, each with its tests.
        const GALLERY: &[(&str, &str, &str)] = &[$((
            $name,
            include_str!(concat!("../../playbooks/", $name, ".yaml")),
            include_str!(concat!("../../playbooks/", $name, ".test.yaml")),
        )),*];
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

/// The mails that tests of the gallery give, by their path from them.
const SAMPLES: &[(&str, &str)] = &[
    ("samples/labelled-report.eml", include_str!("../../playbooks/samples/labelled-report.eml")),
    ("samples/report.eml", include_str!("../../playbooks/samples/report.eml")),
];

/// Where new playbooks go.
const FOLDER: &str = "playbooks";

/// Copies a playbook of the gallery and its tests into `playbooks/`, and what editors complete from into `schema/`, never over a file that is there; without a name, lists the gallery.
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
    let Some((_, text, tests)) = GALLERY.iter().find(|(name, ..)| *name == from) else {
        eprintln!("error: the gallery has no `{from}`");
        match nearest(from, GALLERY.iter().map(|(name, ..)| *name)) {
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
    // Where the first lines of the gallery's files say that editors find the schemas.
    let schemas = folder.with_file_name("schema");
    let schemas = schema::files().into_iter().map(|(name, text)| (schemas.join(name), text));
    let schemas = schemas.filter(|(path, _)| !path.exists());
    // The playbook first: where it is there already, nothing is written.
    let playbook = (folder.join(format!("{name}.yaml")), renamed(text, from, name));
    let tests_file = (folder.join(format!("{name}.test.yaml")), renamed(tests, from, name));
    let samples = SAMPLES.iter().filter(|(path, _)| tests.contains(path));
    let samples =
        samples.map(|(path, text)| (folder.join(path), (*text).to_owned())).filter(|(path, _)| !path.exists());
    for (path, text) in [playbook, tests_file].into_iter().chain(samples).chain(schemas) {
        match write(&path, &text) {
            Ok(()) => println!("{}", path.display()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                eprintln!("error: `{}` is there already and stays as it is", path.display());
                return Exit::InputAtFault;
            }
            Err(error) => {
                eprintln!("error: cannot write `{}`: {error}", path.display());
                return Exit::WorldFailed;
            }
        }
    }
    Exit::Done
}

fn list(out: &mut impl Write) -> io::Result<()> {
    let width = GALLERY.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, text, _) in GALLERY {
        let description = text.lines().find_map(|line| line.strip_prefix("description: ")).unwrap_or_default();
        writeln!(out, "{name:width$}  {description}")?;
    }
    Ok(())
}

/// The text with another name of the playbook.
fn renamed(text: &str, from: &str, name: &str) -> String {
    ["name", "playbook"].iter().fold(text.to_owned(), |text, key| {
        text.replacen(&format!("\n{key}: {from}\n"), &format!("\n{key}: {name}\n"), 1)
    })
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
        assert_eq!(on_disk, GALLERY.iter().map(|(name, ..)| (*name).to_owned()).collect::<Vec<_>>());
    }

    #[test]
    fn a_playbook_is_copied_under_its_new_name_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let args = Args { name: Some("my-review".into()), from: Some("weekly-access-review".into()) };
        let folder = folder.path().join("playbooks");
        assert_eq!(run_in(&folder, &args), Exit::Done);
        let written = fs::read_to_string(folder.join("my-review.yaml")).unwrap();
        assert!(written.contains("\nname: my-review\n"), "{written}");
        let tests = fs::read_to_string(folder.join("my-review.test.yaml")).unwrap();
        assert!(tests.contains("\nplaybook: my-review\n"), "{tests}");
        for (text, name) in [(written, "playbook.json"), (tests, "tests.json")] {
            let line = format!("# yaml-language-server: $schema=../schema/{name}\n");
            assert!(text.starts_with(&line) && folder.join("../schema").join(name).is_file(), "{text}");
        }
        fs::write(folder.join("my-review.yaml"), "mine").unwrap();
        assert_eq!(run_in(&folder, &args), Exit::InputAtFault);
        assert_eq!(fs::read_to_string(folder.join("my-review.yaml")).unwrap(), "mine");
    }

    #[test]
    fn the_tests_of_every_copy_pass() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("playbooks");
        for (name, ..) in GALLERY {
            let args = Args { name: Some(format!("my-{name}")), from: Some((*name).into()) };
            assert_eq!(run_in(&folder, &args), Exit::Done);
        }
        let files = crate::playbook::test_files(&[folder], &mut Vec::new());
        let (suites, faults) = crate::testing::Loader::new(None).load(&files);
        assert_eq!((suites.len(), faults), (GALLERY.len(), Vec::new()));
        for suite in suites {
            let report = suite.run(&|_| true, false);
            assert!(report.cases.iter().all(crate::testing::CaseReport::passed), "{report:?}");
        }
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
