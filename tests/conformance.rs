//! Logic Apps' documented and measured results, held row by row (`tests/data/expressions.json`).
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use larum::expression::{JsonScope, Partials, Template};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default, rename = "function")]
    _function: String,
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
    /// How results compare that are XML: as the text of an envelope, or of each envelope of a list.
    compare: Option<Compare>,
    /// The documentation prints a result that cannot be right.
    #[serde(default)]
    doc_erratum: bool,
    #[serde(default)]
    unresolved: bool,
    /// Larum does something else, for the reason under this heading of `docs/logic-apps-differences.md`.
    differs: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Compare {
    Xml,
    XmlNodes,
    XmlNodesText,
}

impl Compare {
    /// What is compared of `value`.
    fn of(self, value: &Value) -> Value {
        let xml = |value: &Value| match value["$content"].as_str() {
            Some(content) => String::from_utf8(STANDARD.decode(content).unwrap()).unwrap(),
            None => value.to_string(),
        };
        let each = |what: &dyn Fn(String) -> String| {
            Value::Array(value.as_array().unwrap().iter().map(|node| Value::from(what(xml(node)))).collect())
        };
        match self {
            Self::Xml => Value::from(xml(value)),
            Self::XmlNodes => each(&|xml| xml),
            Self::XmlNodesText => each(&|xml| xml.split('<').filter_map(|part| part.split('>').nth(1)).collect()),
        }
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_974_800, 0).unwrap()
}

/// Whether the row holds, or how it does not.
fn verdict(row: &Row) -> Result<(), String> {
    let template = match (&row.expression, &row.template) {
        (Some(expression), _) => format!("@{expression}"),
        (None, Some(template)) => template.clone(),
        (None, None) => panic!("a row has an expression or a template"),
    };
    let got = match Template::compile(&template, &Partials::default()) {
        Ok(template) => {
            template.evaluate(&JsonScope::new(row.context.clone(), now(), 1)).map_err(|error| error.message)
        }
        Err(errors) => Err(errors[0].to_string()),
    };
    let held = match (&got, row.expect_error) {
        (Err(message), true) => row.error_contains.as_ref().is_none_or(|part| message.contains(part)),
        (Ok(value), false) => match (&row.expected_pattern, row.compare) {
            (Some(pattern), _) => value.as_str().is_some_and(|text| matches(pattern, text)),
            (None, Some(compare)) => same(&compare.of(value), &row.expected),
            (None, None) if row.expected_one_of.is_empty() => same(value, &row.expected),
            (None, None) => row.expected_one_of.iter().any(|expected| same(value, expected)),
        },
        _ => false,
    };
    if held {
        return Ok(());
    }
    let wanted = match (&row.error_contains, row.expect_error) {
        (Some(part), _) => format!("an error with «{part}»"),
        (None, true) => "an error".to_owned(),
        (None, false) => row.expected.to_string(),
    };
    let got = got.map_or_else(|error| format!("the error {error}"), |value| value.to_string());
    Err(format!("{template}\n      wanted {wanted}\n      got    {got}"))
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

fn lists() -> BTreeMap<String, Vec<Row>> {
    serde_json::from_str(include_str!("data/expressions.json")).unwrap()
}

/// Whether there is anything to compare: a fixed result, a pinned clock or a pattern.
fn is_comparable(row: &Row) -> bool {
    !row.unresolved
        && !row.doc_erratum
        && (!row.nondeterministic || row.expected_pattern.is_some() || !row.context.is_null())
}

#[test]
fn what_is_documented_and_measured_holds() {
    let lists = lists();
    let mut broken = Vec::new();
    for name in ["documented", "measured", "templates"] {
        let rows = &lists[name];
        let results: Vec<_> = rows.iter().filter(|row| is_comparable(row)).map(verdict).collect();
        println!("{name}: {} of {} hold", results.iter().filter(|result| result.is_ok()).count(), rows.len());
        broken.extend(results.into_iter().filter_map(Result::err));
    }
    assert!(broken.is_empty(), "{} rows do not hold:\n   {}", broken.len(), broken.join("\n   "));
}

#[test]
fn of_what_others_tested_most_holds_and_every_difference_has_its_reason() {
    const LEAST: usize = 85;
    let rows = &lists()["second_hand"];
    let reasons = include_str!("../docs/logic-apps-differences.md");
    let mut wrong = Vec::new();
    let mut held = 0;
    for row in rows {
        match (verdict(row), &row.differs) {
            (Ok(()), None) => held += 1,
            (Ok(()), Some(reason)) => wrong.push(format!("holds, and is listed under «{reason}»: {:?}", row.template)),
            (Err(how), None) => wrong.push(how),
            (Err(how), Some(reason)) => {
                if !reasons.lines().any(|line| line == format!("## {reason}")) {
                    wrong.push(format!("docs/logic-apps-differences.md has no heading «{reason}» for {how}"));
                }
            }
        }
    }
    println!("second_hand: {held} of {} hold", rows.len());
    assert!(wrong.is_empty(), "{} rows:\n   {}", wrong.len(), wrong.join("\n   "));
    assert!(held * 100 >= rows.len() * LEAST, "{held} of {} rows hold, fewer than {LEAST} in a hundred", rows.len());
}
