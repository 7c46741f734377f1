//! `contains` tells letter cases apart; `startsWith`, `endsWith` and `indexOf` do not.

use super::scene::{Scene, Text};
use crate::{
    diagnostic::{Diagnostic, codes},
    expression::{Called, Operand},
};

/// Functions of text that ignore case.
const IGNORE_CASE: &[&str] = &["startsWith", "endsWith", "indexOf", "lastIndexOf", "nthIndexOf"];
/// Functions whose result has one case.
const FOLD: &[&str] = &["toLower", "toUpper"];

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    let calls: Vec<(&Text<'_>, Called<'_>)> =
        scene.texts().flat_map(|text| text.template.calls().into_iter().map(move |call| (text, call))).collect();
    let ignoring: Vec<_> = calls
        .iter()
        .filter(|(_, call)| IGNORE_CASE.contains(&call.name()))
        .filter_map(|(_, call)| Some((call.name(), call.operands().next()?)))
        .collect();
    let mut found = Vec::new();
    for (text, call) in calls.iter().filter(|(_, call)| call.name() == "contains") {
        let operands: Vec<_> = call.operands().collect();
        let [value, searched] = operands[..] else { continue };
        if has_one_case(value) || !has_case(searched) {
            continue;
        }
        if let Some((name, _)) = ignoring.iter().find(|(_, other)| same(value, *other)) {
            let message =
                format!("`contains` tells upper from lower case, and `{name}`, which reads the same value, does not");
            let help = "to ignore case in both, write contains(toLower(…), 'in lower case')";
            found.push(scene.warning(codes::MIXED_LETTER_CASE, scene.place(text, call.range()), message, help));
        }
    }
    found
}

fn has_one_case(operand: Operand<'_>) -> bool {
    operand.call().is_some_and(|(name, _)| FOLD.contains(&name))
}

/// Whether it can differ by case.
fn has_case(operand: Operand<'_>) -> bool {
    match operand.literal() {
        Some(serde_json::Value::String(text)) => text.chars().any(|c| c.is_lowercase() || c.is_uppercase()),
        Some(_) => false,
        None => true,
    }
}

fn same(one: Operand<'_>, other: Operand<'_>) -> bool {
    match (one.reference(), other.reference()) {
        (Some(one), Some(other)) => one == other,
        _ => one.to_string() == other.to_string(),
    }
}
