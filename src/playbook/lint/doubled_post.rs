//! A POST that is sent again although nobody knows what became of the first one.

use serde_json::Value;

use super::scene::{Scene, Step, input};
use crate::{
    diagnostic::{Diagnostic, codes},
    playbook::Retry,
};

pub(super) fn lint(scene: &Scene<'_>) -> Vec<Diagnostic> {
    scene.steps.iter().filter_map(|step| doubled(scene, step)).collect()
}

fn doubled(scene: &Scene<'_>, step: &Step<'_>) -> Option<Diagnostic> {
    let (_, with) = step.call().filter(|(action, _)| *action == "http")?;
    let written = |name: &str| input(with, name).map(crate::expression::Tree::literal);
    let method = written("method")??;
    let method = method.as_str()?.to_uppercase();
    if !["POST", "PATCH"].contains(&&*method) {
        return None;
    }
    // What is computed may well be true.
    if !matches!(written("idempotency_key"), None | Some(Some(Value::Bool(false) | Value::Null))) {
        return None;
    }
    let (why, span) =
        if written("on_unknown").flatten().and_then(|value| Some(value.as_str()? == "retry")) == Some(true) {
            ("`on_unknown: retry` sends it again when nobody knows whether it was received", step.input("on_unknown"))
        } else if matches!(step.action.retry, Retry::Fixed { .. } | Retry::Exponential { .. }) {
            (
                "its `retry` sends it again after an answer such as 504, behind which it may have been done",
                step.key("retry"),
            )
        } else {
            return None;
        };
    let message = format!("the {method} of `{}` can be done twice: {why}", step.action.id);
    let help = "write idempotency_key: true if the service honours it, or leave it to fail; where twice does no harm, \
                allow this with a comment";
    Some(scene.warning(codes::DOUBLED_POST, span.unwrap_or(step.action.span.clone()), message, help))
}
