//! Playbooks that load, and what loading makes of them.

mod common;

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use common::vocabulary::vocabulary;
use larum::{
    config::{Config, Connection, Maildir, Smtp, Start, Tls},
    diagnostic::Diagnostic,
    playbook::{
        ActionStatus, Bundle, Filter, Loading, Playbook, Retry, RunAfter, Trigger, load, load_folder, templates,
    },
};

const EXAMPLE: &str = include_str!("data/playbooks/example.yaml");

fn bundle(source: &str) -> Bundle {
    let (templates, _) = templates::sources(None);
    Bundle { path: "playbook.yaml".into(), source: source.into(), templates, parameters: BTreeMap::new() }
}

#[track_caller]
fn loaded(source: &str) -> Playbook {
    load(&bundle(source), &vocabulary()).unwrap_or_else(|faults| panic!("{}", shown(&faults)))
}

fn shown(faults: &[Diagnostic]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn the_example_of_the_documentation_loads() {
    let playbook = loaded(EXAMPLE);
    assert_eq!(playbook.name, "create-incident-from-shared-mailbox");
    let Trigger::Mailbox(mailbox) = &playbook.trigger else { panic!("{:?}", playbook.trigger) };
    assert_eq!(mailbox.connection.as_deref(), Some("soc-mailbox"));
    assert_eq!(mailbox.folder, "INBOX");
    assert_eq!(mailbox.every, Duration::from_secs(60));
    assert_eq!(mailbox.filter, Filter { subject_contains: Some("incident".into()), ..Filter::default() });
    let order: Vec<_> = playbook.actions.iter().map(|action| (action.id.as_str(), action.run_after.clone())).collect();
    assert_eq!(
        order,
        [
            ("create", RunAfter::Start),
            ("acknowledge", RunAfter::After(vec![(0, vec![ActionStatus::Succeeded])])),
            ("apologise", RunAfter::After(vec![(0, vec![ActionStatus::Failed, ActionStatus::TimedOut])])),
        ]
    );
}

#[test]
fn every_playbook_of_the_gallery_loads_under_the_default_configuration() {
    let Loading { playbooks, faults } =
        load_folder(&[PathBuf::from("playbooks")], None, &Config::default(), &vocabulary());
    assert_eq!(shown(&faults), "");
    let names: Vec<_> = playbooks.iter().map(|loaded| loaded.playbook.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "create-incident-from-form",
            "create-incident-from-labelled-mail",
            "create-incident-from-shared-mailbox",
            "weekly-access-review",
        ]
    );
}
