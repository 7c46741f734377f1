//! Whatever a file holds, loading ends with a playbook or with faults that can be shown.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod common;

use std::{collections::BTreeMap, path::Path};

use common::vocabulary::vocabulary;
use larum::{
    config::Config,
    diagnostic::{Faults, Source},
    playbook::{Bundle, Outline, lint, load, mermaid, svg, templates},
    yaml,
};
use proptest::prelude::*;

const SOURCES: &[&str] = &[
    include_str!("data/playbooks/example.yaml"),
    include_str!("../playbooks/create-incident-from-form.yaml"),
    include_str!("../playbooks/create-incident-from-labelled-mail.yaml"),
    include_str!("../playbooks/weekly-access-review.yaml"),
];
/// What breaks YAML and expressions most often.
const PIECES: &[&str] = &[
    "'", "\"", "{", "}", "[", "]", "{{", "}}", "@", "@{", "@@", ":", ": ", "- ", "\n", "\n  ", "\t", "#", "|", ">",
    "&a ", "*a", "!t ", "<<: ", "---\n", "...", "?", "%", "\u{feff}", "é", "𝒳", "\r", "\0", "null", "0x", ".inf", "{}",
    "[]",
];

fn anything(text: &str) {
    let (templates, _) = templates::sources(None);
    let bundle = Bundle { path: "any.yaml".into(), source: text.into(), templates, parameters: BTreeMap::new() };
    let source = Source::new("larum.yaml", text);
    for faults in [load(&bundle, &vocabulary()).err(), Config::read(&source, Path::new("")).err()] {
        for fault in faults.unwrap_or_default() {
            let shown = fault.to_string();
            assert!(shown.starts_with("error[LR"), "{shown}");
            assert!(fault.span.start <= fault.source.text.len() && fault.span.start <= fault.span.end, "{shown}");
        }
    }
}

/// The tools that read a file end as well, and what is laid out once is laid out.
fn tools(text: &str) {
    if let Ok(tidy) = yaml::format(text) {
        assert_eq!(yaml::format(&tidy).as_deref(), Ok(&*tidy), "{text:?}");
    }
    let source = Source::new("any.yaml", text);
    let Some(root) = yaml::parse(&mut Faults::new(&source)) else { return };
    if let Some(outline) = Outline::of(&root.to_json()) {
        let _ = (mermaid(&outline), svg(&outline));
    }
    let (templates, _) = templates::sources(None);
    let bundle = Bundle { path: "any.yaml".into(), source: text.into(), templates, parameters: BTreeMap::new() };
    if let Ok(playbook) = load(&bundle, &vocabulary()) {
        let _ = lint(&playbook, &root, &vocabulary()).iter().map(ToString::to_string).collect::<Vec<_>>();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_ends_well(text in "\\PC{0,200}") {
        anything(&text);
        tools(&text);
    }

    #[test]
    fn any_yaml_like_text_ends_well(parts in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        anything(&parts.concat());
        tools(&parts.concat());
    }

    #[test]
    fn any_changed_playbook_ends_well(
        source in prop::sample::select(SOURCES),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..30, prop::sample::select(PIECES)), 1..5),
    ) {
        let mut text: Vec<char> = source.chars().collect();
        for (at, removed, piece) in changes {
            let at = at.index(text.len().max(1)).min(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, piece.chars());
        }
        let text: String = text.into_iter().collect();
        anything(&text);
        tools(&text);
    }
}
