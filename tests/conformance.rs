//! Logic Apps' documented and measured results, held row by row (`tests/data/expressions.json`).
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use larum::expression::{CompileErrorKind, JsonScope, Partials, Template};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    function: String,
    /// An expression without its `@`…
    expression: Option<String>,
    /// …or a whole string.
    template: Option<String>,
    #[serde(default)]
    context: Value,
    #[serde(default)]
    expected: Value,
    #[serde(default)]
    expect_error: bool,
    error_contains: Option<String>,
    #[serde(default)]
    expected_one_of: Vec<Value>,
    #[serde(default)]
    nondeterministic: bool,
    expected_pattern: Option<String>,
    /// How XML results compare; the functions that give them come later.
    #[serde(rename = "compare")]
    _compare: Option<String>,
    /// The documentation prints a result that cannot be right.
    #[serde(default)]
    doc_erratum: bool,
    #[serde(default)]
    unresolved: bool,
}

enum Verdict {
    Held,
    Waits,
    Broken(String),
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_974_800, 0).unwrap()
}

fn verdict(row: &Row) -> Verdict {
    let template = match (&row.expression, &row.template) {
        (Some(expression), _) => format!("@{expression}"),
        (None, Some(template)) => template.clone(),
        (None, None) => panic!("a row has an expression or a template"),
    };
    let got = match Template::compile(&template, &Partials::default()) {
        Ok(template) => {
            template.evaluate(&JsonScope::new(row.context.clone(), now(), 1)).map_err(|error| error.message)
        }
        // An error says something only where its words are known.
        Err(errors) if row.error_contains.is_none() && errors[0].kind == CompileErrorKind::UnsupportedFunction => {
            return Verdict::Waits;
        }
        Err(errors) => Err(errors[0].to_string()),
    };
    let held = match (&got, row.expect_error) {
        (Err(message), true) => row.error_contains.as_ref().is_none_or(|part| message.contains(part)),
        (Ok(value), false) => match &row.expected_pattern {
            Some(pattern) => value.as_str().is_some_and(|text| matches(pattern, text)),
            None if row.expected_one_of.is_empty() => same(value, &row.expected),
            None => row.expected_one_of.iter().any(|expected| same(value, expected)),
        },
        _ => false,
    };
    if held {
        return Verdict::Held;
    }
    let wanted = match (&row.error_contains, row.expect_error) {
        (Some(part), _) => format!("an error with «{part}»"),
        (None, true) => "an error".to_owned(),
        (None, false) => row.expected.to_string(),
    };
    Verdict::Broken(format!("{template}\n      wanted {wanted}\n      got    {got:?}"))
}

/// Numbers compare by value.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

/// The patterns of the data are of one form, a GUID's.
fn matches(pattern: &str, text: &str) -> bool {
    assert_eq!(pattern, "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$", "a new pattern needs a matcher here");
    text.len() == 36
        && text.char_indices().all(|(at, letter)| match at {
            8 | 13 | 18 | 23 => letter == '-',
            _ => matches!(letter, '0'..='9' | 'a'..='f'),
        })
}

#[test]
fn documented_and_measured_results_hold() {
    let data = include_str!("data/expressions.json");
    let lists: BTreeMap<String, Vec<Row>> = serde_json::from_str(data).unwrap();
    let (mut held, mut total, mut waiting) = (0, 0, BTreeMap::<&str, usize>::new());
    let mut broken = Vec::new();
    for list in ["documented", "measured", "templates"] {
        for row in lists[list].iter().filter(|row| !row.unresolved && !row.doc_erratum) {
            // Without a pinned clock or a pattern there is nothing to compare.
            if row.nondeterministic
                && row.expected_pattern.is_none()
                && row.context.get("now").is_none()
                && row.function != "workflow"
            {
                continue;
            }
            match verdict(row) {
                Verdict::Waits => *waiting.entry(&row.function).or_default() += 1,
                Verdict::Held => (held, total) = (held + 1, total + 1),
                Verdict::Broken(how) => {
                    total += 1;
                    broken.push(how);
                }
            }
        }
    }
    let (mut hints, mut hinted) = (Vec::new(), 0);
    for row in &lists["second_hand"] {
        match verdict(row) {
            Verdict::Waits => {}
            Verdict::Held => hinted += 1,
            Verdict::Broken(how) => hints.push(how),
        }
    }
    let rows: usize = waiting.values().sum();
    println!("held {held} of {total}, {rows} rows wait for later functions: {waiting:?}");
    println!("hint: {hinted} of {} second-hand rows agree", hinted + hints.len());
    for hint in &hints {
        println!("   differs: {hint}");
    }
    assert!(broken.is_empty(), "{} rows do not hold:\n   {}", broken.len(), broken.join("\n   "));
}
