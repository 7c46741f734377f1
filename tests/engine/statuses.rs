//! What becomes of actions and runs: Logic Apps' rules, one row each.

use std::time::Duration;

use larum::{
    engine::{Command, Event},
    playbook::Playbook,
};
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

/// Gives a container a timeout, which no action of a playbook that is a container can be given yet.
fn with_timeout(mut playbook: Playbook, id: &str, timeout: Duration) -> Playbook {
    let action = playbook.actions.iter_mut().find(|action| action.id == id).unwrap();
    action.timeout = Some(timeout);
    playbook
}

/// `a=Succeeded b=Skipped: Failed`
fn shown(simulation: &Simulation) -> String {
    let records: Value = serde_json::from_str(&simulation.machine.records()).unwrap();
    let one =
        |record: &Value| format!("{}={}", record["name"].as_str().unwrap(), record["status"].as_str().unwrap_or("?"));
    let actions: Vec<String> = records.as_array().unwrap().iter().map(one).collect();
    format!("{}: {}", actions.join(" "), simulation.end.as_ref().unwrap().0.as_str())
}

/// A probe's line: its id, `run_after`, and what it answers.
fn probe(id: &str, run_after: &str, answer: &str) -> String {
    let run_after = if run_after.is_empty() { String::new() } else { format!("run_after: {run_after}, ") };
    format!("  - {{id: {id}, action: probe, {run_after}with: {{answers: [{answer}]}}}}\n")
}

const OK: &str = "1";
const FAILS: &str = "{fails: {}}";

#[test]
fn the_leaves_decide_a_runs_status() {
    let caught = "{a: [failed]}";
    let rows: [(&str, Vec<String>, &str); 12] = [
        ("all succeed", vec![probe("a", "", OK), probe("b", "", OK)], "a=Succeeded b=Succeeded: Succeeded"),
        ("a failure stops its line", vec![probe("a", "", FAILS), probe("b", "", OK)], "a=Failed b=Skipped: Failed"),
        (
            "a failure whose only successor handles it is caught",
            vec![probe("a", "", FAILS), probe("b", caught, OK)],
            "a=Failed b=Succeeded: Succeeded",
        ),
        (
            "a handler that fails does not catch",
            vec![probe("a", "", FAILS), probe("b", caught, FAILS)],
            "a=Failed b=Failed: Failed",
        ),
        (
            "with a handler and a success path the run is failed although the handler ran",
            vec![probe("a", "", FAILS), probe("b", caught, OK), probe("c", "{a: [succeeded]}", OK)],
            "a=Failed b=Succeeded c=Skipped: Failed",
        ),
        (
            "a last action after both ends makes it green again",
            vec![
                probe("a", "", FAILS),
                probe("b", caught, OK),
                probe("c", "{a: [succeeded]}", OK),
                probe("d", "{b: [succeeded, skipped], c: [succeeded, skipped]}", OK),
            ],
            "a=Failed b=Succeeded c=Skipped d=Succeeded: Succeeded",
        ),
        (
            "other branches run to their end beside a failure",
            vec![probe("a", "", FAILS), probe("b", "{}", OK), probe("c", "", OK)],
            "a=Failed b=Succeeded c=Succeeded: Failed",
        ),
        (
            "skipped goes on to what follows",
            vec![probe("a", "", FAILS), probe("b", "", OK), probe("c", "", OK)],
            "a=Failed b=Skipped c=Skipped: Failed",
        ),
        (
            "an action may wait for a skip",
            vec![probe("a", "", FAILS), probe("b", "", OK), probe("c", "{b: [skipped]}", OK)],
            "a=Failed b=Skipped c=Succeeded: Succeeded",
        ),
        (
            "a handler that was not needed is neutral",
            vec![probe("a", "", OK), probe("b", caught, OK)],
            "a=Succeeded b=Skipped: Succeeded",
        ),
        (
            "every predecessor must agree",
            vec![probe("a", "", OK), probe("b", "{}", FAILS), probe("c", "{a: [succeeded], b: [succeeded]}", OK)],
            "a=Succeeded b=Failed c=Skipped: Failed",
        ),
        (
            "a skipped leaf leads back to what was skipped for it, through several",
            { vec![probe("a", "", FAILS), probe("b", "", OK), probe("c", "", OK), probe("d", "{a: [failed]}", OK)] },
            "a=Failed b=Skipped c=Skipped d=Succeeded: Failed",
        ),
    ];
    for (name, actions, expected) in rows {
        assert_eq!(shown(&simulate(&actions.concat())), expected, "{name}");
    }
}

#[test]
fn run_after_takes_every_status_it_names_and_no_other() {
    let first = [
        ("succeeded", probe("a", "", OK)),
        ("failed", probe("a", "", FAILS)),
        ("timed_out", "  - {id: a, action: probe, timeout: 1m, with: {answers: [hang]}}\n".to_owned()),
        ("skipped", format!("{}{}", probe("z", "", FAILS), probe("a", "{z: [succeeded]}", OK))),
    ];
    for (status, action) in &first {
        for accepted in ["succeeded", "failed", "timed_out", "skipped", "cancelled"] {
            let simulation = simulate(&format!("{action}{}", probe("b", &format!("{{a: [{accepted}]}}"), OK)));
            let runs = simulation.machine.status("b").unwrap().yaml_name() == "succeeded";
            assert_eq!(runs, accepted == *status, "a {status}, b after {accepted}");
        }
        let all = "{a: [succeeded, failed, timed_out, skipped, cancelled]}";
        let simulation = simulate(&format!("{action}{}", probe("b", all, OK)));
        assert_eq!(simulation.machine.status("B").unwrap().yaml_name(), "succeeded", "b after any, a {status}");
    }
}

#[test]
fn the_untaken_branch_is_skipped_and_the_taken_one_decides() {
    let row = |condition: &str, then: &str, otherwise: &str| {
        let actions = format!(
            "  - id: i\n    if: {condition}\n    then: [{then}]\n    else: [{otherwise}]\n{}",
            probe("after", "", OK)
        );
        shown(&simulate(&actions))
    };
    let ok = |id: &str| format!("{{id: {id}, action: probe, with: {{answers: [1]}}}}");
    let fails = |id: &str| format!("{{id: {id}, action: probe, with: {{answers: [{{fails: {{}}}}]}}}}");
    let yes = "\"@equals(trigger.what, 'stranger')\"";
    let no = "\"@equals(trigger.what, 'friend')\"";
    assert_eq!(row(yes, &ok("t"), &ok("e")), "i=Succeeded t=Succeeded e=Skipped after=Succeeded: Succeeded");
    assert_eq!(row(no, &ok("t"), &ok("e")), "i=Succeeded t=Skipped e=Succeeded after=Succeeded: Succeeded");
    assert_eq!(row(no, &ok("t"), ""), "i=Succeeded t=Skipped after=Succeeded: Succeeded");
    assert_eq!(row(yes, &fails("t"), &ok("e")), "i=Failed t=Failed e=Skipped after=Skipped: Failed");
    let handled = format!("{}, {{id: h, action: probe, run_after: {{t: [failed]}}, with: {{}}}}", fails("t"));
    assert_eq!(row(yes, &handled, ""), "i=Succeeded t=Failed h=Succeeded after=Succeeded: Succeeded");
    let inner = format!("{{id: j, if: {no}, then: [{}], else: [{}]}}", ok("u"), ok("v"));
    assert_eq!(
        row(yes, &inner, &ok("e")),
        "i=Succeeded j=Succeeded u=Skipped v=Succeeded e=Skipped after=Succeeded: Succeeded"
    );
    assert_eq!(
        row(no, &inner, &ok("e")),
        "i=Succeeded j=Skipped u=Skipped v=Skipped e=Succeeded after=Succeeded: Succeeded"
    );
    for not_a_boolean in ["\"@trigger.what\"", "\"@trigger.what.what\""] {
        assert_eq!(row(not_a_boolean, &ok("t"), &ok("e")), "i=Failed t=Skipped e=Skipped after=Skipped: Failed");
    }
}

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
  - {id: container, run_after: {}, if: "@true", then: [{id: hangs, action: probe, with: {answers: [hang]}}, {id: never, action: compose, with: {}}]}
"#;
    let playbook = with_timeout(load(&form(actions)), "container", Duration::from_secs(30));
    let simulation = simulate_with(playbook);
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
fn retries_follow_the_policy_and_end_with_the_last_answer() {
    let row = |retry: &str, answers: &str| {
        let retry = if retry.is_empty() { String::new() } else { format!("retry: {retry}, ") };
        let simulation = simulate(&format!("  - {{id: a, action: probe, {retry}with: {{answers: [{answers}]}}}}\n"));
        let performs = simulation.commands.iter().filter(|command| matches!(command, Command::Perform { .. })).count();
        (performs, shown(&simulation))
    };
    let busy = "{fails: {retryable: true}}";
    let failed = "a=Failed: Failed".to_owned();
    let done = "a=Succeeded: Succeeded".to_owned();
    assert_eq!(row("", busy), (5, failed.clone()), "Logic Apps' default: four retries");
    assert_eq!(row("{policy: none}", busy), (1, failed.clone()));
    assert_eq!(row("{policy: fixed, count: 2, interval: PT5S}", busy), (3, failed.clone()));
    assert_eq!(row("", &format!("{busy}, {busy}, 1")), (3, done.clone()));
    assert_eq!(row("", FAILS), (1, failed), "not every failure is worth a retry");
    assert_eq!(row("{policy: exponential, count: 1, interval: PT5S}", &format!("{busy}, 1")), (2, done));
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
fn a_timeout_holds_for_all_attempts_together() {
    let simulation = simulate(
        "  - {id: a, action: probe, timeout: 1m, retry: {policy: fixed, count: 9, interval: PT40S}, with: {answers: [{fails: {retryable: true}}]}}\n",
    );
    assert_eq!(shown(&simulation), "a=TimedOut: TimedOut");
    let performs = simulation.commands.iter().filter(|command| matches!(command, Command::Perform { .. })).count();
    assert_eq!(performs, 2);
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
fn a_cancelled_run_takes_everything_with_it() {
    let actions = r#"
  - {id: done, action: compose, with: {}}
  - {id: i, if: "@true", then: [{id: running, action: probe, with: {answers: [hang]}}]}
  - {id: next, action: compose, with: {}}
"#;
    let playbook = with_timeout(load(&form(actions)), "i", Duration::from_secs(3600));
    let mut simulation = Simulation::start(&plan(playbook), 7);
    let choice = simulation.choices().remove(0);
    simulation.choose(&choice);
    let at = simulation.later();
    simulation.happens(&Event::Cancelled { at, pauses: 0 });
    assert_eq!(shown(&simulation), "done=Succeeded i=Cancelled running=Cancelled next=Skipped: Cancelled");
    assert!(simulation.timers.is_empty() && simulation.wanted.is_empty());
}

#[test]
fn a_run_lasts_ninety_days_at_most() {
    let simulation = simulate(
        "  - {id: a, action: probe, timeout: 60d, with: {answers: [hang]}}\n  - {id: b, action: probe, run_after: {a: [timed_out]}, timeout: 60d, with: {answers: [hang]}}\n",
    );
    assert_eq!(shown(&simulation), "a=TimedOut b=Cancelled: TimedOut");
    assert_eq!((simulation.machine.now() - crate::house::start()).num_days(), 90);
    let error = simulation.end.and_then(|(_, error)| error).unwrap();
    assert_eq!(error, json!({"code": "RunTimedOut", "message": "The run lasted longer than 90 days."}));
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
fn until_runs_until_its_condition_or_its_limits() {
    let counting = |more: &str| {
        with_variables(
            "{n: {type: integer}}",
            &format!(
                "  - id: loop
    until: \"@equals(variables.n, 3)\"
{more}    do:
      - {{id: add, action: increment_variable, with: {{name: n}}}}
  - {{id: n, action: compose, with: {{inputs: \"@variables.n\"}}}}
"
            ),
        )
    };
    assert_eq!(outputs(&counting(""), "n"), json!(3));
    let limited = counting("    limit: {count: 2}\n");
    assert_eq!((outputs(&limited, "n"), limited.machine.status("loop").unwrap().as_str()), (json!(2), "Succeeded"));
    let failing = counting("    limit: {count: 2}\n    fail_when_limits_reached: true\n");
    assert_eq!(failing.machine.status("loop").unwrap().as_str(), "Failed");
}
