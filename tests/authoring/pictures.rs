//! `larum diff` and `larum graph`, their whole outputs.

use std::{fs, process::Command};

fn larum(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_larum")).args(arguments).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

const OLD: &str = "name: example
trigger: {mailbox: {filter: {subject_contains: incident}}}
actions:
  - {id: a, action: compose, with: {inputs: 1}}
  - id: choice
    if: \"@equals(actions.a, 1)\"
    then:
      - {id: b, action: compose, with: {inputs: [x, y]}}
      - {id: c, action: compose, with: {inputs: \"<&>\"}}
    else:
      - {id: d, action: compose, with: {inputs: 2}}
  - {id: e, action: compose, with: {inputs: 3}, run_after: {choice: [failed, timed_out]}}
  - {id: f, action: compose, with: {inputs: 4}, run_after: {choice: succeeded}, timeout: 60s}
";

/// The same in another layout, without a difference in meaning.
const SAME: &str = "name: 'example'
# A comment.
trigger:
  mailbox:
    filter: {subject_contains: \"incident\"}
actions:
  - {id: a, action: compose, with: {inputs: 1}, run_after: {}}
  - id: choice
    run_after: {a: [succeeded]}
    if: \"@equals(actions.a, 1)\"
    then:
      - {id: b, action: compose, with: {inputs: [x, y]}}
      - {id: c, action: compose, with: {inputs: \"<&>\"}}
    else:
      - {id: d, action: compose, with: {inputs: 2}}
  - {id: e, action: compose, with: {inputs: 3}, run_after: {choice: [Timed_Out, failed]}}
  - {id: f, action: compose, with: {inputs: 4}, run_after: {Choice: [Succeeded]}, timeout: 1m}
";

const NEW: &str = "name: example
description: now with one
trigger: {mailbox: {filter: {subject_contains: alert}}}
actions:
  - {id: a, action: compose, with: {inputs: 1}}
  - id: choice
    if: \"@equals(actions.a, 2)\"
    then:
      - {id: b, action: compose, with: {inputs: [x, z]}}
    else:
      - {id: c, action: compose, with: {inputs: \"<&>\"}}
      - {id: dd, action: compose, with: {inputs: 2}}
  - {id: f, action: compose, with: {inputs: 4}, timeout: 60s}
  - {id: g, action: http, with: {method: GET, url: \"https://example.com\"}}
";

#[test]
fn a_difference_in_meaning_is_told_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (old, same, new) = (file("old.yaml", OLD), file("same.yaml", SAME), file("new.yaml", NEW));
    assert_eq!(larum(&["diff", &old, &same]), (0, String::new()));
    let (code, text) = larum(&["diff", &old, &new]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("changes", text);
    assert_eq!(larum(&["diff", &old, &file("faulty.yaml", "name: [")]).0, 2);
}

#[test]
fn a_switch_without_actions_still_means_something() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, cases: &str| {
        let path = folder.path().join(name);
        let text =
            format!("name: x\ntrigger: {{manual: {{}}}}\nactions:\n  - {{id: s, switch: 1, cases: [{cases}]}}\n");
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let old = file("old.yaml", "{case: 1, do: []}, {case: 2, do: []}");
    for (cases, wanted) in [
        ("{case: 1, do: []}, {case: 5, do: []}", "~ s: cases[1]: 2 → 5\n"),
        ("{case: \"1\", do: []}, {case: 2, do: []}", "~ s: cases[0]: 1 → \"1\"\n"),
        ("{case: 1, do: []}", "~ s: cases: [1,2] → [1]\n"),
    ] {
        assert_eq!(larum(&["diff", &old, &file("new.yaml", cases)]), (1, wanted.to_owned()));
    }
}

#[test]
fn what_is_drawn_has_names_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    let text = "name: x\ntrigger: {manual: {}}\nactions:\n  - {id: each, for_each: \"@x\", do: [{id: each_0, action: compose}]}\n  - {id: x-y, action: compose}\n  - {id: x_2dy, action: compose}\n";
    fs::write(&path, text).unwrap();
    insta::assert_snapshot!(larum(&["graph", &path.display().to_string()]).1, @r#"
    flowchart TD
      trigger(["x: manual"])
      subgraph a0 ["each: for_each"]
        subgraph l0 ["do"]
          a1["each_0: compose"]
        end
      end
      a2["x-y: compose"]
      a3["x_2dy: compose"]
      trigger --> a0
      a0 --> a2
      a2 --> a3
    "#);
}

#[test]
fn who_has_read_enough_may_close_the_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_larum"));
    command.arg("diff").arg(file("old.yaml", OLD)).arg(file("new.yaml", NEW)).stdout(writer);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(1), String::new()));
}

#[test]
fn a_playbook_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.yaml");
    fs::write(&path, OLD.replace("id: c,", "id: end,")).unwrap();
    let path = path.display().to_string();
    insta::assert_snapshot!("mermaid", larum(&["graph", &path]).1);
    insta::assert_snapshot!("svg", larum(&["graph", &path, "--format", "svg"]).1);
    for path in crate::files::good().0 {
        let (code, text) = larum(&["graph", &path.display().to_string(), "--format", "svg"]);
        assert_eq!(code, 0);
        let mut reader = quick_xml::Reader::from_str(&text);
        while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
    }
}
