//! What becomes of actions and runs: Logic Apps' rules as a table, one small playbook in each row of
//! `tests/data/statuses/*.yaml`.
//!
//! A row's `actions` are those of a playbook; `probe` is an effect that succeeds unless `answers` says otherwise. `answers`
//! is by step (`a`, or `a/2` for the third iteration of the loop around it; `a` alone speaks for all its iterations): one
//! answer, or a list with one for each attempt, whose last one counts for all further attempts. An answer is `fails`,
//! `busy` (a failure worth a retry), `{busy: SECONDS}` (the same with a `Retry-After`), `hangs`, or a value that it returns.
//! `silent: true` means that nobody answers a question and no run that was started returns.
//! `cancel: true` cancels the run once nothing can happen any more but the passing of time.
//!
//! `expect.actions` has every record: `STATUS`, or `STATUS CODE` where the code is not the usual one of that status.
//! `says` are errors as `CODE: MESSAGE`, `error` is the run's, `attempts` how often an effect was asked for, `outputs` what
//! an action gave, `seconds` how long the run took.

use std::{collections::BTreeMap, fs};

use larum::engine::{Command, Event};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    house,
    simulation::{Choice, Simulation, plan},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    case: String,
    #[serde(default)]
    trigger: Option<Value>,
    #[serde(default)]
    variables: Option<Value>,
    actions: Value,
    #[serde(default)]
    answers: BTreeMap<String, Value>,
    #[serde(default)]
    silent: bool,
    #[serde(default)]
    cancel: bool,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    run: String,
    actions: BTreeMap<String, String>,
    #[serde(default)]
    says: BTreeMap<String, String>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    attempts: BTreeMap<String, usize>,
    #[serde(default)]
    outputs: BTreeMap<String, Value>,
    #[serde(default)]
    seconds: Option<i64>,
}

/// `timed_out` and `TimedOut` are one.
fn bare(status: &str) -> String {
    status.replace('_', "").to_lowercase()
}

/// A status with its code, in one spelling.
fn with_code(line: &str) -> String {
    let (status, code) = line.split_once(' ').unwrap_or((line, ""));
    let usual = match bare(status).as_str() {
        "succeeded" => "OK",
        "failed" => "ActionFailed",
        "skipped" => "ActionSkipped",
        "timedout" => "ActionTimedOut",
        "cancelled" => "Terminated",
        other => panic!("`{other}` is no status"),
    };
    format!("{} {}", bare(status), if code.is_empty() { usual } else { code })
}

/// An answer as the probe's input has it.
fn answer(written: &Value) -> Value {
    match written.as_str() {
        Some("fails") => json!({"fails": {}}),
        Some("busy") => json!({"fails": {"retryable": true}}),
        Some("hangs") => json!("hang"),
        _ => match written.get("busy") {
            Some(seconds) => json!({"fails": {"retryable": true, "after": seconds}}),
            None => written.clone(),
        },
    }
}

fn error_line(error: &Value) -> String {
    format!("{}: {}", error["code"].as_str().unwrap_or("-"), error["message"].as_str().unwrap_or("-"))
}

/// The step of a record, `a/2/0`.
fn step(record: &Value) -> String {
    let iterations = record["iterations"].as_array().into_iter().flatten();
    iterations.fold(record["name"].as_str().unwrap().to_owned(), |step, iteration| format!("{step}/{iteration}"))
}

fn simulate(row: &Row) -> Simulation {
    let mut playbook = json!({
        "name": "row",
        "trigger": row.trigger.clone().unwrap_or_else(|| json!({"manual": {}})),
        "actions": row.actions,
    });
    if let Some(variables) = &row.variables {
        playbook["variables"] = variables.clone();
    }
    let plan = plan(house::load(&playbook.to_string()));
    let script = row.answers.iter().map(|(step, answers)| {
        let answers = answers.as_array().cloned().unwrap_or_else(|| vec![answers.clone()]);
        (step.clone(), answers.iter().map(answer).collect())
    });
    let mut simulation = Simulation::start(&plan, 7);
    simulation.script = script.collect();
    while simulation.end.is_none() {
        let is_heard = |choice: &Choice| !(row.silent && matches!(choice, Choice::Signal(_) | Choice::Return(_)));
        match simulation.choices().into_iter().find(is_heard) {
            Some(Choice::Wake(_)) | None if row.cancel => {
                let at = simulation.later();
                simulation.happens(&Event::Cancelled { at, pauses: 0 });
            }
            Some(choice) => simulation.choose(&choice),
            None => panic!("{}: nothing can happen any more", row.case),
        }
    }
    let replayed = Simulation::replay(&plan, 7, &simulation.journal);
    assert_eq!(replayed.machine.records(), simulation.machine.records(), "{}: replay", row.case);
    let left = (&simulation.timers, &simulation.wanted, &simulation.awaits, &simulation.calls);
    assert!(left.0.is_empty() && left.1.is_empty() && left.2.is_empty() && left.3.is_empty(), "{}: {left:?}", row.case);
    simulation
}

/// Everything in which a row came out otherwise.
fn differences(row: &Row) -> Vec<String> {
    let simulation = simulate(row);
    let records: Vec<Value> = serde_json::from_str(&simulation.machine.records()).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let found: BTreeMap<String, String> = records
        .iter()
        .map(|record| (step(record), with_code(&format!("{} {}", text(&record["status"]), text(&record["code"])))))
        .collect();
    let mut out = Vec::new();
    let mut compare = |what: &str, wanted: Option<String>, found: Option<String>| {
        if wanted != found {
            out.push(format!("{what}: wanted {wanted:?}, found {found:?}"));
        }
    };
    let wanted: BTreeMap<String, String> =
        row.expect.actions.iter().map(|(step, line)| (step.clone(), with_code(line))).collect();
    for step in wanted.keys().chain(found.keys().filter(|step| !wanted.contains_key(*step))) {
        compare(step, wanted.get(step).cloned(), found.get(step).cloned());
    }
    let (status, error) = simulation.end.clone().unwrap();
    compare("the run", Some(bare(&row.expect.run)), Some(bare(status.as_str())));
    if row.expect.error.is_some() || error.is_none() {
        compare("the run's error", row.expect.error.clone(), error.as_ref().map(error_line));
    }
    let record = |wanted: &str| records.iter().find(|record| step(record) == wanted);
    for (step, line) in &row.expect.says {
        compare(
            &format!("error of {step}"),
            Some(line.clone()),
            record(step).map(|record| error_line(&record["error"])),
        );
    }
    for (step, value) in &row.expect.outputs {
        let outputs = record(step).and_then(|record| record.get("outputs"));
        let given = outputs.map(|outputs| outputs.get("body").unwrap_or(outputs).to_string());
        compare(&format!("outputs of {step}"), Some(value.to_string()), given);
    }
    for (wanted, count) in &row.expect.attempts {
        let is_it =
            |command: &&Command| matches!(command, Command::Perform { step, .. } if step.to_string() == *wanted);
        let asked = simulation.commands.iter().filter(is_it).count();
        compare(&format!("attempts of {wanted}"), Some(count.to_string()), Some(asked.to_string()));
    }
    let seconds = (simulation.machine.now() - house::start()).num_seconds();
    if let Some(wanted) = row.expect.seconds {
        compare("seconds", Some(wanted.to_string()), Some(seconds.to_string()));
    }
    out
}

#[test]
fn every_row_of_the_table_holds() {
    let mut rows = 0;
    let mut broken = Vec::new();
    let mut files: Vec<_> = fs::read_dir("tests/data/statuses").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let table: Vec<Row> = serde_yaml::from_str(&text).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
        rows += table.len();
        for row in &table {
            let differences = differences(row);
            if !differences.is_empty() {
                let name = file.file_stem().unwrap().to_string_lossy();
                broken.push(format!("{name}: {}\n    {}", row.case, differences.join("\n    ")));
            }
        }
    }
    assert!(broken.is_empty(), "{} of {rows} rows differ\n{}", broken.len(), broken.join("\n"));
    assert!(rows >= 80, "the table has {rows} rows only");
}
