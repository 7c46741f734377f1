//! Every code of a fault has its page, every page its code, and every code a case that shows it.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::{collections::BTreeSet, fs, path::Path};

use larum::diagnostic::codes;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes: BTreeSet<String> = codes::ALL.iter().map(|(code, _)| format!("{code}.md")).collect();
    assert_eq!(codes.len(), codes::ALL.len(), "a number is used twice");
    let pages: BTreeSet<String> =
        fs::read_dir("docs/codes").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(codes, pages);
    for (code, title) in codes::ALL {
        let page = fs::read_to_string(format!("docs/codes/{code}.md")).unwrap();
        assert_eq!(page.lines().next(), Some(&*format!("# {code}: {title}")));
        assert!(page.contains("\n## How to mend it\n"), "{code} does not say how to mend it");
    }
}

#[test]
fn every_code_is_shown_by_a_case() {
    let mut seen = BTreeSet::from([
        // Shown in tests/load.rs: a file that is not there, a file that is too large.
        codes::UNREADABLE.to_string(),
        codes::TOO_LARGE.to_string(),
    ]);
    let invalid =
        ["playbooks", "rules", "configurations", "templates", "tests"].map(|folder| format!("invalid/{folder}"));
    for folder in invalid.into_iter().chain(["lints".to_owned()]) {
        for entry in fs::read_dir(Path::new("tests").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                let text = fs::read_to_string(path).unwrap();
                seen.extend(text.lines().filter_map(|line| {
                    Some(line.strip_prefix("error[").or(line.strip_prefix("warning["))?.split_once(']')?.0.to_owned())
                }));
            }
        }
    }
    let codes: BTreeSet<String> = codes::ALL.iter().map(|(code, _)| code.to_string()).collect();
    assert_eq!(codes, seen);
}
