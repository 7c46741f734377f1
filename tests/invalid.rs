//! One mistake in each file of `tests/invalid/`, the file named after it, the whole message beside it.
//!
//! `UPDATE_EXPECTED=1 cargo test --test invalid` writes the messages anew; the diff then shows what became of each.

#![allow(clippy::unwrap_used, reason = "a test may end here")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use common::vocabulary::vocabulary;
use larum::{
    config::Config,
    diagnostic::{Diagnostic, Source},
    playbook::{Bundle, load, load_folder, templates},
    testing::Loader,
};

/// What the playbooks of `tests/invalid/playbooks` are checked against.
const CONFIG: &str = "
connections:
  soc-mailbox: {maildir: {path: mail}}
  outgoing: {smtp: {host: smtp.example.com, from: soc@example.com}}
  api: {http: {base_url: 'https://api.example.com'}}
  azure:
    sentinel: {subscription: 00000000-0000-0000-0000-000000000000, resource_group: soc, workspace: soc, token: {env: TOKEN}}
parameters:
  typed: {count: many}
";

/// Compares the faults of every case in a folder with what stands beside it.
fn compare(folder: &str, check: impl Fn(&Path) -> Vec<Diagnostic>) {
    let folder = PathBuf::from("tests/invalid").join(folder);
    let update = env::var_os("UPDATE_EXPECTED").is_some();
    let is_expected = |path: &Path| path.to_string_lossy().ends_with(".expected.txt");
    let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let (expected, cases): (BTreeSet<PathBuf>, BTreeSet<PathBuf>) = entries.partition(|path| is_expected(path));
    let beside = |case: &Path| case.with_extension("expected.txt");
    let mut differences = Vec::new();
    for case in &cases {
        let faults = check(case);
        let found: String = faults.iter().map(|fault| format!("{fault}\n\n")).collect();
        if update {
            fs::write(beside(case), &found).unwrap();
        }
        let wanted = fs::read_to_string(beside(case)).unwrap_or_default();
        if faults.len() != 1 {
            differences.push(format!("{}: one mistake, {} messages\n{found}", case.display(), faults.len()));
        } else if found != wanted {
            differences.push(format!("{}\n--- expected\n{wanted}--- found\n{found}", case.display()));
        }
    }
    for orphan in expected.difference(&cases.iter().map(|case| beside(case)).collect()) {
        differences.push(format!("{}: there is no case for it", orphan.display()));
    }
    assert!(differences.is_empty(), "{} of {} cases\n{}", differences.len(), cases.len(), differences.join("\n"));
    assert!(!cases.is_empty());
}

#[test]
fn every_mistake_in_a_playbook_has_its_message() {
    let config = Config::read(&Source::new("larum.yaml", CONFIG), Path::new("")).unwrap();
    compare("playbooks", |case| load_folder(&[case.to_owned()], None, &config, &vocabulary()).faults);
}

#[test]
fn every_mistake_in_an_automation_rule_has_its_message() {
    let config = Config::default();
    compare("rules", |case| load_folder(&[case.to_owned()], None, &config, &vocabulary()).faults);
}

#[test]
fn every_mistake_in_a_configuration_has_its_message() {
    compare("configurations", |case| Config::load(case).err().unwrap_or_default());
}

#[test]
fn every_mistake_in_a_test_has_its_message() {
    compare("tests", |case| Loader::new(None).load(&[case.to_owned()]).1);
}

#[test]
fn every_mistake_in_a_template_has_its_message() {
    compare("templates", |case| {
        let name = case.file_stem().unwrap().to_str().unwrap();
        let (mut templates, _) = templates::sources(None);
        templates.insert(name.to_owned(), fs::read_to_string(case).unwrap());
        let source = format!(
            "name: example\ntrigger: {{mailbox: {{}}}}\nactions:\n  - id: tell\n    action: send_email\n    \
             with: {{to: a@example.com, subject: x, template: {name}}}\n"
        );
        let bundle = Bundle { path: "example.yaml".into(), source, templates, parameters: BTreeMap::new() };
        load(&bundle, &vocabulary()).err().unwrap_or_default()
    });
}
