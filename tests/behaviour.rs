//! What becomes of actions and runs: Logic Apps' rules, one small playbook in each file of `tests/behaviour/`, run as
//! `larum test` runs an author's. The gallery's tests run beside them.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

use std::{path::PathBuf, process::Command};

use larum::{
    playbook,
    testing::{Loader, Report},
};

fn folders() -> [PathBuf; 2] {
    ["tests/behaviour".into(), "playbooks".into()]
}

fn run(crash: bool) -> Report {
    let mut faults = Vec::new();
    let files = playbook::test_files(&folders(), &mut faults);
    let (suites, more) = Loader::new(None).load(&files);
    faults.extend(more);
    Report { suites: suites.iter().map(|suite| suite.run(&|_| true, crash)).collect(), faults }
}

#[test]
fn every_file_holds() {
    let report = run(false);
    assert!(report.passed(), "{}", report.text());
    assert!(report.suites.len() >= 180 && report.cases().count() >= 230, "files are missing");
}

#[test]
fn every_file_holds_when_the_process_dies_after_every_event() {
    let report = run(true);
    assert!(report.passed(), "{}", report.text());
}

#[test]
fn the_command_says_the_same() {
    let out = Command::new(env!("CARGO_BIN_EXE_larum")).args(["test", "--crash"]).args(folders()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(0), "{text}");
    assert_eq!(text.lines().last(), Some(&*format!("{} passed, 0 failed", run(false).cases().count())));
}
