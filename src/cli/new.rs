//! `larum new`: starts a playbook from the gallery.

mod ask;
mod needs;

use std::{
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use self::{
    ask::Asker,
    needs::{Draft, Need},
};
use super::{Exit, schema};
use crate::{
    config::Config,
    diagnostic::{Diagnostic, nearest},
};

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

/// Starts a playbook from the gallery, with its tests, in `playbooks/`, and what editors complete from in `schema/`; never over a file that is there.
///
/// Alone on a terminal it asks what is needed. With arguments, or without a terminal, it asks nothing; without a name it then lists the gallery.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The new playbook's name. Default: the name it has in the gallery.
    name: Option<String>,
    /// The playbook of the gallery to start from. Default: the one called NAME.
    #[arg(long, value_name = "GALLERY")]
    from: Option<String>,
    /// What the playbook is told: `connection` (of its mailbox), `mail` (the connection its mails go over), `path` (of its
    /// form or webhook), `cron`, `time_zone` or `deciders`, where it has such a thing.
    #[arg(long, value_name = "KEY=VALUE", requires = "name", value_parser = setting)]
    set: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
enum NewError {
    #[error("the gallery has no `{from}`\n{}", near.map_or("`larum new` lists it; name what to start from with --from".to_owned(), |near| format!("did you mean `{near}`?")))]
    NotInGallery { from: String, near: Option<&'static str> },
    #[error("`{0}` is not a name: it is made of letters, digits, `-` and `_`")]
    NoName(String),
    #[error("`{from}` cannot be told `{key}`; it takes {keys}")]
    NoSuchNeed { from: &'static str, key: String, keys: String },
    #[error("{key}={value}: {}{}", fault.message, fault.help.as_ref().map(|help| format!("\n{help}")).unwrap_or_default())]
    BadAnswer { key: String, value: String, fault: Box<Diagnostic> },
    #[error("`{}` is there already and stays as it is", .0.display())]
    Exists(PathBuf),
    #[error("cannot write `{}`: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("the questions were not answered to the end, nothing was written")]
    Unanswered,
    /// They were printed.
    #[error("larum.yaml has faults")]
    Faults,
    #[error(transparent)]
    Terminal(#[from] io::Error),
}

impl NewError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotInGallery { .. } | Self::NoName(_) | Self::NoSuchNeed { .. } | Self::Unanswered => {
                Exit::WrongUsage
            }
            Self::BadAnswer { .. } | Self::Exists(_) | Self::Faults => Exit::InputAtFault,
            Self::Unwritable { .. } | Self::Terminal(_) => Exit::WorldFailed,
        }
    }
}

/// Asks, lists or copies.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let root = Path::new("");
    let stdin = io::stdin();
    if args.name.is_none() && args.from.is_none() && stdin.is_terminal() {
        return converse(root, &mut stdin.lock(), &mut io::stdout().lock());
    }
    told(copy(root, args))
}

fn told(done: Result<(), NewError>) -> Exit {
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit()
        }
    }
}

fn copy(root: &Path, args: &Args) -> Result<(), NewError> {
    let Some(from) = args.from.as_deref().or(args.name.as_deref()) else {
        return Ok(list(&mut io::stdout().lock())?);
    };
    let Some((from, text, tests)) = GALLERY.iter().copied().find(|(name, ..)| *name == from) else {
        let near = nearest(from, GALLERY.iter().map(|(name, ..)| *name))
            .and_then(|near| GALLERY.iter().map(|(name, ..)| *name).find(|name| *name == near));
        return Err(NewError::NotInGallery { from: from.to_owned(), near });
    };
    let name = args.name.as_deref().unwrap_or(from);
    if !is_name(name) {
        return Err(NewError::NoName(name.to_owned()));
    }
    let mut draft = Draft::new(from, name, text, tests);
    for (key, value) in &args.set {
        let needs: Vec<&Need> = draft.needs().collect();
        let Some(need) = needs.iter().find(|need| need.key == key) else {
            let keys: Vec<&str> = needs.iter().map(|need| need.key).collect();
            let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
            return Err(NewError::NoSuchNeed { from, key: key.clone(), keys });
        };
        draft = draft.tell(need, value).map_err(|fault| NewError::BadAnswer {
            key: key.clone(),
            value: value.clone(),
            fault: Box::new(fault),
        })?;
    }
    write_all(root, &draft, &mut io::stdout().lock())
}

/// Asks for what is needed, in the folder `root`, then writes it and says what to do next.
pub fn converse(root: &Path, input: &mut dyn BufRead, out: &mut dyn Write) -> Exit {
    told(converse_in(root, input, out))
}

fn converse_in(root: &Path, input: &mut dyn BufRead, out: &mut dyn Write) -> Result<(), NewError> {
    let file = root.join("larum.yaml");
    let has_config = file.exists();
    let config =
        if has_config { super::configuration(Some(&file)).map_err(|_| NewError::Faults)? } else { Config::default() };
    let answers =
        Asker { input, out, config: &config, folder: &root.join(FOLDER) }.ask().map_err(|error| {
            match error.kind() {
                io::ErrorKind::UnexpectedEof => NewError::Unanswered,
                _ => error.into(),
            }
        })?;
    writeln!(out, "\nWritten:")?;
    write_all(root, &answers.draft, out)?;
    if !answers.connections.is_empty() {
        let lines: Vec<String> = answers.connections.iter().map(|line| format!("  {line}\n")).collect();
        if has_config {
            write!(out, "\nlarum.yaml stays as it is; add below its `connections:`\n{}", lines.concat())?;
        } else {
            write(&file, &format!("connections:\n{}", lines.concat()))?;
            writeln!(out, "larum.yaml")?;
        }
    }
    writeln!(out, "\nNext:")?;
    for line in ask::next_steps(&answers.draft, &answers.connections) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Writes the playbook, its tests, the mails they give and the schemas, and prints what was written.
fn write_all(root: &Path, draft: &Draft, out: &mut dyn Write) -> Result<(), NewError> {
    let folder = Path::new(FOLDER);
    // Where the first lines of the gallery's files say that editors find the schemas.
    let schemas = schema::files().into_iter().map(|(name, text)| (Path::new("schema").join(name), text));
    let samples = SAMPLES.iter().filter(|(path, _)| draft.tests.contains(path));
    let samples = samples.map(|(path, text)| (folder.join(path), (*text).to_owned()));
    let shared = samples.chain(schemas).filter(|(path, _)| !root.join(path).exists());
    // The playbook first: where it is there already, nothing is written.
    let playbook = (folder.join(format!("{}.yaml", draft.name)), draft.playbook.clone());
    let tests = (folder.join(format!("{}.test.yaml", draft.name)), draft.tests.clone());
    for (path, text) in [playbook, tests].into_iter().chain(shared) {
        write(&root.join(&path), &text)?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(())
}

/// Whether a playbook can be called so.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn list(out: &mut impl Write) -> io::Result<()> {
    listed().try_for_each(|line| writeln!(out, "{line}"))
}

/// The gallery's playbooks with what they do, a line each.
fn listed() -> impl Iterator<Item = String> {
    let width = GALLERY.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    GALLERY.iter().map(move |(name, text, _)| {
        let description = text.lines().find_map(|line| line.strip_prefix("description: ")).unwrap_or_default();
        format!("{name:width$}  {description}")
    })
}

/// Writes a file that is not there yet.
fn write(path: &Path, text: &str) -> Result<(), NewError> {
    let written = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
    };
    written().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => NewError::Exists(path.to_owned()),
        _ => NewError::Unwritable { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(name: &str, from: &str) -> Args {
        Args { name: Some(name.into()), from: Some(from.into()), set: Vec::new() }
    }

    fn args_with(name: &str, from: &str, set: &[(&str, &str)]) -> Args {
        let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Args { set, ..args(name, from) }
    }

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
        let root = folder.path();
        let args = args("my-review", "weekly-access-review");
        let folder = root.join("playbooks");
        assert_eq!(told(copy(root, &args)), Exit::Done);
        let written = fs::read_to_string(folder.join("my-review.yaml")).unwrap();
        assert!(written.contains("\nname: my-review\n"), "{written}");
        let tests = fs::read_to_string(folder.join("my-review.test.yaml")).unwrap();
        assert!(tests.contains("\nplaybook: my-review\n"), "{tests}");
        for (text, name) in [(written, "playbook.json"), (tests, "tests.json")] {
            let line = format!("# yaml-language-server: $schema=../schema/{name}\n");
            assert!(text.starts_with(&line) && folder.join("../schema").join(name).is_file(), "{text}");
        }
        fs::write(folder.join("my-review.yaml"), "mine").unwrap();
        assert_eq!(told(copy(root, &args)), Exit::InputAtFault);
        assert_eq!(fs::read_to_string(folder.join("my-review.yaml")).unwrap(), "mine");
    }

    #[test]
    fn the_tests_of_every_copy_pass() {
        let folder = tempfile::tempdir().unwrap();
        for (name, ..) in GALLERY {
            assert_eq!(told(copy(folder.path(), &args(&format!("my-{name}"), name))), Exit::Done);
        }
        assert_tests_pass(folder.path(), GALLERY.len());
    }

    /// That the folder's playbooks have no fault and their tests pass.
    fn assert_tests_pass(root: &Path, count: usize) {
        let paths = [root.join(FOLDER)];
        let loading = crate::playbook::load_files(&paths, None, None, &crate::action::vocabulary());
        assert_eq!((loading.playbooks.len(), loading.faults), (count, Vec::new()));
        let files = crate::playbook::test_files(&paths, &mut Vec::new());
        let (suites, faults) = crate::testing::Loader::new(None).load(&files);
        assert_eq!((suites.len(), faults), (count, Vec::new()));
        for suite in suites {
            let report = suite.run(&|_| true, false);
            assert!(report.cases.iter().all(crate::testing::CaseReport::passed), "{report:?}");
        }
    }

    #[test]
    fn what_the_gallery_does_not_have_and_what_is_no_name_is_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let exit = |name, from| told(copy(folder.path(), &args(name, from)));
        assert_eq!(exit("x", "weekly-acces-review"), Exit::WrongUsage);
        assert_eq!(exit("../x", "weekly-access-review"), Exit::WrongUsage);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// A new name, the gallery's, what it is told, and what stands in it then.
    type Told = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

    #[test]
    fn what_a_playbook_is_told_stands_in_it_and_its_tests_still_pass() {
        let folder = tempfile::tempdir().unwrap();
        let told_so: &[Told] = &[
            (
                "mail",
                "create-incident-from-shared-mailbox",
                &[("connection", "soc"), ("mail", "out")],
                &["\n    connection: soc\n", "\n      connection: out\n      to: "],
            ),
            ("sheet", "create-incident-from-labelled-mail", &[("connection", "soc")], &["\n    connection: soc\n"]),
            ("door", "create-incident-from-form", &[("path", "door")], &["\n    path: door\n", "/forms/door"]),
            ("alarms", "create-incident-from-webhook", &[("path", "fire")], &["\n    path: fire\n", "/hooks/fire"]),
            (
                "review",
                "weekly-access-review",
                &[("cron", "30 8 1 * *"), ("time_zone", "Asia/Tokyo")],
                &["\n    cron: \"30 8 1 * *\"\n", "\n    time_zone: Asia/Tokyo  # nine"],
            ),
            (
                "ask",
                "ask-before-blocking-an-account",
                &[("deciders", "boss@example.com")],
                &["default: boss@example.com}"],
            ),
        ];
        for (name, from, set, lines) in told_so {
            assert_eq!(told(copy(folder.path(), &args_with(name, from, set))), Exit::Done, "{name}");
            let text = fs::read_to_string(folder.path().join(format!("playbooks/{name}.yaml"))).unwrap();
            for line in *lines {
                assert!(text.contains(line), "{line:?} is not in {text}");
            }
        }
        assert_tests_pass(folder.path(), told_so.len());
    }

    #[test]
    fn what_a_playbook_does_not_have_or_does_not_take_is_refused_and_nothing_written() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |set| copy(folder.path(), &args_with("x", "weekly-access-review", set)).unwrap_err();
        let (unknown, wrong) = (refused(&[("path", "door")]), refused(&[("cron", "9 o'clock")]));
        assert_eq!((unknown.exit(), wrong.exit()), (Exit::WrongUsage, Exit::InputAtFault));
        insta::assert_snapshot!(format!("{unknown}\n{wrong}"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// A terminal: what is typed appears among what is printed.
    fn conversation(root: &Path, answers: &[&str]) -> (Exit, String) {
        struct Typed<'a>(std::vec::IntoIter<String>, &'a std::cell::RefCell<Vec<u8>>);
        impl io::Read for Typed<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let line = self.0.next().unwrap_or_default();
                self.1.borrow_mut().extend_from_slice(line.as_bytes());
                buffer[..line.len()].copy_from_slice(line.as_bytes());
                Ok(line.len())
            }
        }
        struct Printed<'a>(&'a std::cell::RefCell<Vec<u8>>);
        impl Write for Printed<'_> {
            fn write(&mut self, text: &[u8]) -> io::Result<usize> {
                self.0.borrow_mut().write(text)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let screen = std::cell::RefCell::new(Vec::new());
        let lines: Vec<String> = answers.iter().map(|answer| format!("{answer}\n")).collect();
        let mut input = io::BufReader::new(Typed(lines.into_iter(), &screen));
        let exit = converse(root, &mut input, &mut Printed(&screen));
        let screen = String::from_utf8(screen.into_inner()).unwrap();
        (exit, screen.replace(&format!("{}/", root.display()), ""))
    }

    #[test]
    fn servers_are_written_down_in_a_larum_yaml_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let answers = ["4", "door-reports", "2", "", "imap.example.com", "soc@example.com", ""];
        let mail = ["2", "", "smtp.example.com", "SOC <soc@example.com>", "soc", "MAIL_PASSWORD"];
        let (exit, screen) = conversation(folder.path(), &[&answers[..], &mail[..]].concat());
        assert_eq!(exit, Exit::Done, "{screen}");
        let config = fs::read_to_string(folder.path().join("larum.yaml")).unwrap();
        insta::assert_snapshot!(format!("{screen}--- larum.yaml\n{config}"));
        let config = Config::load(&folder.path().join("larum.yaml")).unwrap();
        let paths = [folder.path().join(FOLDER)];
        let loading = crate::playbook::load_files(&paths, None, Some(&config), &crate::action::vocabulary());
        assert_eq!(loading.faults, Vec::new());
        assert_tests_pass(folder.path(), 1);
    }

    #[test]
    fn a_larum_yaml_that_is_there_is_chosen_from_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("larum.yaml");
        let text =
            "connections: {inbox: {maildir: {path: mail}}, out: {smtp: {host: smtp.example.com, from: a@b.c}}}\n";
        fs::write(&file, text).unwrap();
        let answers = [
            "9",
            "create-incident-from-shared-mailbox",
            "../up",
            "mine",
            "2",
            "2",
            "relay",
            "h.example.com",
            "a@b.c",
            "",
            "",
        ];
        let (exit, screen) = conversation(folder.path(), &answers);
        assert_eq!(exit, Exit::Done, "{screen}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        insta::assert_snapshot!(screen);
        let written = fs::read_to_string(folder.path().join("playbooks/mine.yaml")).unwrap();
        assert!(written.contains("connection: inbox\n") && written.contains("connection: relay\n"), "{written}");
    }

    #[test]
    fn an_address_that_is_taken_and_a_time_that_is_none_are_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let (exit, first) = conversation(folder.path(), &["2", "", "", ""]);
        assert_eq!(exit, Exit::Done, "{first}");
        let (exit, second) = conversation(folder.path(), &["2", "second", "report", "", ""]);
        assert_eq!(exit, Exit::Done, "{second}");
        let (exit, third) =
            conversation(folder.path(), &["7", "", "soon", "0 8 * * FRI", "Europe/Atlantis", "Europe/Rome"]);
        assert_eq!(exit, Exit::Done, "{third}");
        assert_tests_pass(folder.path(), 3);
        insta::assert_snapshot!(format!("{second}\n{third}"));
    }

    #[test]
    fn questions_that_are_not_answered_to_the_end_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (exit, _) = conversation(folder.path(), &["4", "door-reports"]);
        assert_eq!((exit, fs::read_dir(folder.path()).unwrap().count()), (Exit::WrongUsage, 0));
    }
}
