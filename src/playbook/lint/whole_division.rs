//! `div` of two whole numbers drops what is left over.

use serde_json::Value;

use super::scene::Scene;
use crate::{
    diagnostic::{Diagnostic, codes},
    expression::{Operand, Reference},
    playbook::{ParameterType, VariableType},
};

/// Functions that give a fraction when one of their parameters is one.
const ARITHMETIC: &[&str] = &["add", "sub", "mul", "div", "mod"];

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for text in scene.texts() {
        for call in text.template.calls() {
            // `int(div(…))` says that the whole part is meant.
            if call.name() != "div" || call.within() == Some("int") {
                continue;
            }
            let operands: Vec<_> = call.operands().collect();
            let [number, other] = operands[..] else { continue };
            if is_fraction(scene, number) || is_fraction(scene, other) || comes_out_even(number, other) {
                continue;
            }
            let message = "`div` of two whole numbers drops what is left over: div(11, 5) is 2".to_owned();
            let help = "write div(float(…), …) for the fraction, or int(div(…)) to say that the whole part is meant";
            found.push(scene.warning(codes::WHOLE_DIVISION, scene.place(text, call.range()), message, help));
        }
    }
    found
}

/// Whether it is a number with a fraction in every run.
fn is_fraction(scene: &Scene<'_>, operand: Operand<'_>) -> bool {
    if let Some(Value::Number(number)) = operand.literal() {
        return number.is_f64();
    }
    if let Some((name, operands)) = operand.call()
        && (name == "float" || ARITHMETIC.contains(&name))
    {
        return name == "float" || operands.into_iter().any(|operand| is_fraction(scene, operand));
    }
    match operand.reference() {
        Some(Reference::Variable(name)) => scene.variable(&name) == Some(VariableType::Float),
        Some(Reference::Parameter(name)) => {
            let mut parameters = scene.playbook.parameters.iter();
            parameters.any(|known| known.name.eq_ignore_ascii_case(&name) && known.kind == ParameterType::Float)
        }
        _ => false,
    }
}

/// Whether both are written out and nothing is left over.
fn comes_out_even(number: Operand<'_>, other: Operand<'_>) -> bool {
    let whole = |operand: Operand<'_>| operand.literal().and_then(Value::as_i64);
    whole(number).zip(whole(other)).is_some_and(|(number, other)| number.checked_rem(other) == Some(0))
}
