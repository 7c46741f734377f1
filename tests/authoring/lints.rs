//! The traps of `tests/lints`, each with its whole message beside it, and beside most of them a near miss.
//!
//! `UPDATE_EXPECTED=1 cargo test --test authoring lints` writes the messages anew.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use larum::{
    action,
    diagnostic::{Diagnostic, Faults, Severity, Source},
    playbook::{self, Loader},
    yaml::{self, Node, Value},
};

const FOLDER: &str = "tests/lints";

fn cases() -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

fn is_near_miss(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".near.yaml")
}

/// The warnings for the playbook that is written at `root`.
fn warnings_of(root: &Node, source: &Source) -> Vec<Diagnostic> {
    let vocabulary = action::vocabulary();
    let (loader, _) = Loader::new(None, &vocabulary);
    match loader.node(root, source) {
        Ok(playbook) => playbook::lint(&playbook, root, &vocabulary),
        Err(faults) => panic!("{}", shown(&faults)),
    }
}

fn warnings(name: &str, text: &str) -> Vec<Diagnostic> {
    let source = Source::new(name, text);
    let mut faults = Faults::new(&source);
    match yaml::parse(&mut faults) {
        Some(root) if faults.count() == 0 => warnings_of(&root, &source),
        _ => panic!("{}", shown(&faults.into_sorted())),
    }
}

fn shown(found: &[Diagnostic]) -> String {
    found.iter().map(|one| format!("{one}\n\n")).collect()
}

fn read(path: &Path) -> Vec<Diagnostic> {
    warnings(&path.to_string_lossy(), &fs::read_to_string(path).unwrap())
}

#[test]
fn every_trap_has_its_message_and_what_is_near_it_has_none() {
    let mut differences = Vec::new();
    for case in cases() {
        let found = read(&case);
        assert!(found.iter().all(|one| one.code.severity() == Severity::Warning));
        if is_near_miss(&case) {
            assert_eq!(shown(&found), "", "{}", case.display());
            continue;
        }
        assert_eq!(found.len(), 1, "{}: one trap\n{}", case.display(), shown(&found));
        let beside = case.with_extension("expected.txt");
        if env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&beside, shown(&found)).unwrap();
        }
        let wanted = fs::read_to_string(&beside).unwrap_or_default();
        if shown(&found) != wanted {
            differences.push(format!("{}\n--- expected\n{wanted}--- found\n{}", case.display(), shown(&found)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_lint_has_a_near_miss() {
    let of = |near: bool| -> BTreeSet<String> {
        let named = cases().into_iter().filter(|case| is_near_miss(case) == near);
        named.map(|case| case.file_name().unwrap().to_string_lossy().split('.').next().unwrap().to_owned()).collect()
    };
    for trap in of(false) {
        assert!(of(true).iter().any(|near| trap.starts_with(near)), "{trap} has no near miss");
    }
}

#[test]
fn a_comment_on_the_line_or_above_it_silences_a_lint_and_no_other() {
    for case in cases().into_iter().filter(|case| !is_near_miss(case)) {
        let text = fs::read_to_string(&case).unwrap();
        let [warning] = &read(&case)[..] else { panic!("{}", case.display()) };
        let at = warning.position().line - 1;
        let lines: Vec<&str> = text.lines().collect();
        let indent = &lines[at][..lines[at].len() - lines[at].trim_start().len()];
        let on_it = |comment: &str| {
            let mut lines = lines.clone();
            let line = format!("{} {comment}", lines[at]);
            lines[at] = &line;
            warnings("changed.yaml", &(lines.join("\n") + "\n")).len()
        };
        let above = |comments: &[&str]| {
            let mut lines = lines.clone();
            let comments: Vec<_> = comments.iter().map(|comment| format!("{indent}{comment}")).collect();
            lines.splice(at..at, comments.iter().map(String::as_str));
            warnings("changed.yaml", &(lines.join("\n") + "\n")).len()
        };
        let allow = format!("# larum: allow {}", warning.code);
        assert_eq!(on_it(&allow), 0, "{}", case.display());
        assert_eq!(on_it(&format!("# larum: allow LR9999, {}: it is meant", warning.code)), 0, "{}", case.display());
        assert_eq!(above(&[&allow, "# because it is meant"]), 0, "{}", case.display());
        assert_eq!(above(&["# because it is meant", &allow]), 0, "{}", case.display());
        assert_eq!(on_it("# larum: allow LR9999"), 1, "{}", case.display());
        assert_eq!(on_it(&format!("# larum: allow it, not {}", warning.code)), 1, "{}", case.display());
        // What stands behind the line above is about that line.
        let mut behind = lines.clone();
        let line = format!("{} {allow}", behind[at - 1]);
        behind[at - 1] = &line;
        let key_is_above = lines[at - 1].trim_end().ends_with(':');
        let left = warnings("changed.yaml", &(behind.join("\n") + "\n")).len();
        assert!(left == 1 || key_is_above, "{}", case.display());
    }
}

#[test]
fn in_a_text_of_several_lines_the_comment_stands_at_its_key() {
    let playbook = |at_key: &str, in_text: &str| {
        let text = format!(
            "name: example\ntrigger: {{manual: {{}}}}\nactions:\n  - id: share\n    action: compose\n    with:\n      \
             inputs: |{at_key}\n        A half:{in_text}\n        {{{{div trigger.count 2}}}}\n"
        );
        warnings("example.yaml", &text)
    };
    let found = playbook("", "");
    assert_eq!(found.iter().map(|one| one.position().line).collect::<Vec<_>>(), [9]);
    assert_eq!(playbook("  # larum: allow LR0201", ""), []);
    // In the text itself it is no comment.
    assert_eq!(playbook("", " # larum: allow LR0201").len(), 1);
}

#[test]
fn the_gallery_is_free_of_traps() {
    let loading = playbook::load_files(&["playbooks".into()], None, None, &action::vocabulary());
    assert_eq!(shown(&loading.faults), "");
    assert_eq!(shown(&loading.warnings), "");
    assert!(!loading.playbooks.is_empty());
}

/// The playbooks that tests bring along in `tests/behaviour`.
#[test]
fn the_playbooks_of_the_behaviour_tests_are_free_of_traps_or_say_that_they_mean_them() {
    let mut found = Vec::new();
    let mut count = 0;
    for path in playbook::test_files(&["tests/behaviour".into()], &mut Vec::new()) {
        let source = yaml::read_file(&path).unwrap();
        let root = yaml::parse(&mut Faults::new(&source)).unwrap();
        let Value::Map(entries) = &root.value else { panic!("{}", path.display()) };
        let written = entries.iter().find(|entry| entry.key == "playbook").map(|entry| &entry.value);
        let Some(written) = written.filter(|node| matches!(node.value, Value::Map(_))) else { continue };
        found.extend(warnings_of(written, &source));
        count += 1;
    }
    assert!(count > 100, "{count} playbooks");
    assert_eq!(shown(&found), "");
}
