//! What the files of `tests/behaviour/` have no place for: whole records, waits, order, randomness, what loops see.

use std::collections::BTreeSet;

use larum::{engine::Command, playbook::Playbook};
use serde_json::{Value, json};

use crate::{
    house::{form, load},
    simulation::{Simulation, plan},
};

fn simulate(actions: &str) -> Simulation {
    simulate_with(load(&form(actions)))
}

fn simulate_with(playbook: Playbook) -> Simulation {
    let mut simulation = Simulation::start(&plan(playbook), 7);
    simulation.run();
    simulation
}

/// A probe's line: its id, `run_after`, and what it answers.
fn probe(id: &str, run_after: &str, answer: &str) -> String {
    let run_after = if run_after.is_empty() { String::new() } else { format!("run_after: {run_after}, ") };
    format!("  - {{id: {id}, action: probe, {run_after}with: {{answers: [{answer}]}}}}\n")
}

const OK: &str = "1";

#[test]
fn records_have_logic_apps_codes_and_words() {
    let actions = r#"
  - {id: say, action: compose, with: {inputs: "@trigger.what"}}
  - {id: wrong, action: compose, with: {inputs: "@trigger.what.what"}}
  - {id: next, action: compose, run_after: {wrong: [succeeded, timed_out]}, with: {inputs: 1}}
  - {id: text, if: "@trigger.what", run_after: {}, then: [{id: inside, action: compose, with: {}}]}
  - {id: untitled, action: create_incident, run_after: {}, with: {title: "@trigger?.responder"}}
  - {id: branch, run_after: {}, if: "@false", then: [{id: not_taken, action: compose, with: {}}]}
  - {id: late, run_after: {}, timeout: 1m, action: probe, with: {answers: [hang]}}
  - {id: container, run_after: {}, timeout: 30s, if: "@true", then: [{id: hangs, action: probe, with: {answers: [hang]}}, {id: never, action: compose, with: {}}]}
"#;
    let simulation = simulate(actions);
    let records: Value = serde_json::from_str(&simulation.machine.records()).unwrap();
    let lines: Vec<String> = records
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
            let (code, message) = (text("/error/code"), text("/error/message"));
            format!("{} {} {} | {code}: {message}", text("/name"), text("/status"), text("/code"))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_finished_effects_record_is_whole() {
    let simulation = simulate(
        "  - {id: ask, action: probe, retry: {policy: fixed, count: 2, interval: PT30S}, with: {answers: [{fails: {retryable: true}}, {fails: {retryable: true, after: 90}}, done]}}\n",
    );
    let records: Value = serde_json::from_str(&simulation.machine.records()).unwrap();
    insta::assert_json_snapshot!(records);
}

#[test]
fn the_wait_before_a_retry_is_the_other_sides_or_lies_in_the_window() {
    let waits = |seed: u8, answer: &str| -> Vec<i64> {
        let actions = format!("  - {{id: a, action: probe, with: {{answers: [{answer}]}}}}\n");
        let mut simulation = Simulation::start(&plan(load(&form(&actions))), seed);
        let mut waits = Vec::new();
        while simulation.end.is_none() {
            let choice = simulation.choices().remove(0);
            let from = simulation.machine.now();
            simulation.choose(&choice);
            if let (Some(Command::Sleep { until, .. }), 1) = (simulation.commands.last(), simulation.timers.len()) {
                waits.push((*until - from).num_milliseconds() - 1);
            }
        }
        waits
    };
    assert_eq!(waits(1, "{fails: {retryable: true, after: 90}}"), [90_000; 4]);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let waits = waits(seed, "{fails: {retryable: true}}");
        let windows = [(5_000, 7_500), (7_500, 15_000), (15_000, 30_000), (30_000, 45_000)];
        assert_eq!(waits.len(), windows.len());
        for (wait, (lower, upper)) in waits.iter().zip(windows) {
            assert!((lower..=upper).contains(wait), "{waits:?}");
        }
        seen.insert(waits);
    }
    assert!(seen.len() > 10, "each run has waits of its own");
}

#[test]
fn what_one_event_enables_starts_in_file_order() {
    let actions = [
        probe("a", "", OK),
        probe("d", "{a: [succeeded]}", OK),
        probe("c", "{a: [succeeded]}", OK),
        probe("b", "{a: [succeeded]}", OK),
    ];
    let simulation = simulate(&actions.concat());
    let order: Vec<String> = simulation
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Perform { step, .. } => Some(step.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["a", "d", "c", "b"]);
}

#[test]
fn random_values_and_the_time_are_the_runs_own() {
    let actions = r#"
  - {id: a, action: compose, with: {inputs: "@{guid()} @{guid()} @{utcNow()}"}}
  - {id: b, action: compose, with: {inputs: "@{guid()} @{utcNow()}"}}
"#;
    let plan = plan(load(&form(actions)));
    let texts = |seed: u8| {
        let simulation = Simulation::start(&plan, seed);
        let records: Value = serde_json::from_str(&simulation.machine.records()).unwrap();
        [0, 1].map(|action| records[action]["outputs"].as_str().unwrap().to_owned())
    };
    assert_eq!(texts(1), texts(1));
    let [a, b] = texts(1);
    let (mut words, other) = (a.split(' ').collect::<Vec<_>>(), texts(2));
    words.extend(b.split(' '));
    assert_eq!((words[2], words[4]), ("2026-11-24T09:00:00.1234567Z", "2026-11-24T09:00:00.1234567Z"));
    assert!(words[0] != words[1] && words[0] != words[3] && !other[0].contains(words[0]), "{words:?} {other:?}");
    assert_eq!(json!(a).as_str().map(str::len), Some(36 + 1 + 36 + 1 + 28));
}

/// A playbook of these actions with variables, started by hand.
fn with_variables(variables: &str, actions: &str) -> Simulation {
    let source = format!("name: report\nvariables: {variables}\ntrigger: {{manual: {{}}}}\nactions:\n{actions}");
    simulate_with(load(&source))
}

/// The outputs of an action's first record.
fn outputs(simulation: &Simulation, name: &str) -> Value {
    let records: Value = serde_json::from_str(&simulation.machine.records()).unwrap();
    let record = records.as_array().unwrap().iter().find(|record| record["name"] == name).unwrap();
    record["outputs"].clone()
}

#[test]
fn loops_see_their_own_iteration_and_are_lists_from_outside() {
    let ran = with_variables(
        "{seen: {type: array}, sum: {type: integer}}",
        "  - id: outer
    for_each: \"@createArray('a', 'b', 'c')\"
    do:
      - {id: one, action: compose, with: {inputs: \"@concat(item, string(iterationIndexes('outer')))\"}}
      - {id: keep, action: append_to_array, with: {name: Seen, value: \"@actions.one\"}}
      - id: inner
        for_each: \"@range(1, 2)\"
        concurrency: 1
        do:
          - {id: add, action: increment_variable, with: {name: sum, value: \"@item\"}}
          - {id: both, action: compose, with: {inputs: \"@concat(items('outer'), string(item))\"}}
      - {id: inners, action: compose, with: {inputs: \"@actions.both\"}}
  - {id: all, action: compose, with: {inputs: {ones: \"@actions.one\", seen: \"@variables.seen\", sum: \"@variables.sum\", inners: \"@actions.inners\"}}}
",
    );
    assert_eq!(
        outputs(&ran, "all"),
        json!({
            "ones": ["a0", "b1", "c2"],
            "seen": ["a0", "b1", "c2"],
            "sum": 9,
            "inners": [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]],
        })
    );
    assert_eq!(ran.end.as_ref().unwrap().0.as_str(), "Succeeded");
}

#[test]
fn a_journal_of_another_branch_suspends_the_run() {
    let playbook = |condition: &str| {
        load(&form(&format!(
            "  - id: which\n    if: \"{condition}\"\n    then:\n      - {{id: a, action: probe}}\n    else:\n      - {{id: b, action: probe}}\n"
        )))
    };
    let lived = simulate_with(playbook("@equals(1, 1)"));
    let replayed = Simulation::replay(&plan(playbook("@equals(1, 2)")), 7, &lived.journal);
    let (status, error) = replayed.end.unwrap();
    assert_eq!((status.as_str(), &error.unwrap()["code"]), ("Suspended", &json!("ReplayDiffers")));
}

#[test]
fn random_values_differ_from_element_to_element_and_from_look_to_look() {
    let ran = with_variables(
        "{n: {type: integer}}",
        "  - {id: ids, action: select, with: {from: \"@range(0, 50)\", select: \"@guid()\"}}
  - id: loop
    until: \"@equals(rand(0, 4), 3)\"
    limit: {count: 200}
    fail_when_limits_reached: true
    do:
      - {id: add, action: increment_variable, with: {name: n}}
",
    );
    let ids = outputs(&ran, "ids")["body"].as_array().unwrap().iter().map(Value::to_string).collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), 50);
    assert_eq!(ran.machine.status("loop").unwrap().as_str(), "Succeeded");
}

#[test]
fn the_loops_of_a_run_have_a_bound_together() {
    let ran = with_variables(
        "{}",
        "  - id: outer\n    for_each: \"@range(0, 6)\"\n    do:\n      - {id: inner, for_each: \"@range(0, 100000)\", do: []}\n",
    );
    let (status, error) = ran.end.unwrap();
    assert_eq!((status.as_str(), &error.unwrap()["code"]), ("Failed", &json!("TooManyIterations")));
}
