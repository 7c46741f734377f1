//! What an expression refers to, so that a playbook's check can ask whether it exists.

use std::ops::Range;

use serde_json::Value;

use super::ast::{Call, Expr, Key, Link};

/// One reference of an expression or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// What is referred to.
    pub what: Reference,
    /// Where, in bytes of the string; of the partial's source when [`Use::partial`] is set.
    pub range: Range<usize>,
    /// The partial the reference stands in.
    pub partial: Option<String>,
}

/// What an expression can refer to. A `path` is the leading part of the property path that is the same in every run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `trigger.a.b`, `triggerBody()?['a']`
    Trigger { path: Vec<String> },
    /// `triggerOutputs()`
    TriggerOutputs { path: Vec<String> },
    /// `trigger()`
    TriggerRecord,
    /// `request.headers`
    Request { path: Vec<String> },
    /// `actions.id`, `body('id')`, `outputs('id')`, `actions('id')`
    Action { id: String, part: Part, path: Vec<String> },
    /// `result('container')`
    Result(String),
    /// `variables.name`
    Variable(String),
    /// `parameters.name`
    Parameter(String),
    /// `item.a`
    Item { path: Vec<String> },
    /// `items('loop')`
    Items { name: String, path: Vec<String> },
    /// `iterationIndexes('loop')`
    IterationIndexes(String),
    /// `workflow()`
    Workflow,
}

/// Which part of an action's record is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Body,
    Outputs,
    Record,
}

/// Collects every reference of `expr`; template names are left to the template's own walk.
pub(crate) fn collect(expr: &Expr, out: &mut Vec<Use>) {
    match expr {
        Expr::Literal(_) | Expr::Path(_) => {}
        Expr::Call(call) => collect_call(call, &[], out),
        Expr::Chain { head, links } => {
            match head.as_ref() {
                Expr::Call(call) => collect_call(call, links, out),
                other => collect(other, out),
            }
            for link in links {
                if let Key::Index(key) = &link.key {
                    collect(key, out);
                }
            }
        }
    }
}

fn collect_call(call: &Call, links: &[Link], out: &mut Vec<Use>) {
    if let Some(what) = reference(call, links) {
        let end = links.last().map_or(call.range.end, |link| link.end);
        out.push(Use { what, range: call.range.start..end, partial: None });
    }
    for argument in &call.arguments {
        collect(argument, out);
    }
}

/// What a call with the links after it refers to.
pub(crate) fn reference(call: &Call, links: &[Link]) -> Option<Reference> {
    let path = || path(links);
    let name = || match call.arguments.first() {
        Some(Expr::Literal(Value::String(name))) => Some(name.clone()),
        _ => None,
    };
    let action = |part, path| Some(Reference::Action { id: name()?, part, path });
    match call.function.name {
        "trigger" => Some(Reference::TriggerRecord),
        "triggerBody" => Some(Reference::Trigger { path: path() }),
        "triggerOutputs" => Some(Reference::TriggerOutputs { path: path() }),
        "triggerFormDataValue" | "triggerFormDataMultiValues" | "triggerMultipartBody" => {
            Some(Reference::Trigger { path: Vec::new() })
        }
        "request" => Some(Reference::Request { path: path() }),
        "body" | "actionBody" => action(Part::Body, path()),
        "formDataValue" | "formDataMultiValues" | "multipartBody" => action(Part::Body, Vec::new()),
        "outputs" | "actionOutputs" => action(Part::Outputs, path()),
        "actions" => action(Part::Record, path()),
        "result" => Some(Reference::Result(name()?)),
        "variables" => Some(Reference::Variable(name()?)),
        "parameters" => Some(Reference::Parameter(name()?)),
        "item" => Some(Reference::Item { path: path() }),
        "items" => Some(Reference::Items { name: name()?, path: path() }),
        "iterationIndexes" => Some(Reference::IterationIndexes(name()?)),
        "workflow" => Some(Reference::Workflow),
        _ => None,
    }
}

/// The leading property names of `links`; a key like `body/value` counts as its parts.
fn path(links: &[Link]) -> Vec<String> {
    links.iter().map_while(|link| link.key.fixed()).flat_map(|key| key.split('/')).map(str::to_owned).collect()
}
