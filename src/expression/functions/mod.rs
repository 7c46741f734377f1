//! The one table of functions. The checker, the evaluator, handlebars and the documentation all read it.

mod args;
mod logical;
mod reference;

use std::sync::LazyLock;

use serde::Serialize;

use super::evaluate::Outcome;

pub(crate) use args::{Args, LazyArgs};

/// What a function is about; documentation groups by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    String,
    Collection,
    Logical,
    Conversion,
    Math,
    Date,
    Reference,
}

/// A function of both languages.
#[derive(Debug, Serialize)]
pub struct Function {
    /// The name as Logic Apps spells it; it is matched ignoring case.
    pub name: &'static str,
    /// What it is about.
    pub family: Family,
    /// Its parameters: `?` marks one that may be left out, `...` any number more.
    pub signature: &'static str,
    /// The fewest parameters it takes.
    pub min: usize,
    /// The most parameters it takes; `None` for any number.
    pub max: Option<usize>,
    /// What it does, in a sentence.
    pub doc: &'static str,
    #[serde(skip)]
    pub(crate) body: Body,
}

/// How a function is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// From evaluated parameters.
    Eager(for<'a> fn(Args<'a>) -> Outcome<'a>),
    /// Evaluating its parameters as it needs them.
    Lazy(for<'a> fn(&mut LazyArgs<'a>) -> Outcome<'a>),
}

impl Function {
    /// Whether its parameters are evaluated only as needed.
    #[must_use]
    pub fn is_lazy(&self) -> bool {
        matches!(self.body, Body::Lazy(_))
    }

    /// Whether its first parameter is the name of an action, variable, parameter or loop.
    pub(crate) fn names_something(&self) -> bool {
        self.family == Family::Reference
            && matches!(
                self.name,
                "body"
                    | "actionBody"
                    | "outputs"
                    | "actionOutputs"
                    | "actions"
                    | "result"
                    | "variables"
                    | "parameters"
                    | "items"
                    | "iterationIndexes"
                    | "formDataValue"
                    | "formDataMultiValues"
                    | "multipartBody"
            )
    }

    /// Reads the name and the number of parameters off the signature.
    fn new(family: Family, signature: &'static str, doc: &'static str, body: Body) -> Self {
        let (name, parameters) = signature.split_once('(').unwrap_or((signature, ")"));
        let parameters = parameters.trim_end_matches(')');
        let each = || parameters.split(',').map(str::trim).filter(|parameter| !parameter.is_empty());
        let endless = each().any(|parameter| parameter == "...");
        let min = each().filter(|parameter| *parameter != "..." && !parameter.ends_with('?')).count();
        let max = (!endless).then(|| each().count());
        Self { name, family, signature, min, max, doc, body }
    }
}

fn eager(
    family: Family,
    signature: &'static str,
    doc: &'static str,
    run: for<'a> fn(Args<'a>) -> Outcome<'a>,
) -> Function {
    Function::new(family, signature, doc, Body::Eager(run))
}

fn lazy(
    family: Family,
    signature: &'static str,
    doc: &'static str,
    run: for<'a> fn(&mut LazyArgs<'a>) -> Outcome<'a>,
) -> Function {
    Function::new(family, signature, doc, Body::Lazy(run))
}

static TABLE: LazyLock<Vec<Function>> = LazyLock::new(|| {
    use Family::{Logical, Reference};
    #[rustfmt::skip]
    let table = vec![
        lazy(Logical, "and(condition, ...)", "True when every condition is; stops at the first that is not.", logical::and),
        lazy(Logical, "or(condition, ...)", "True when any condition is; stops at the first that is.", logical::or),
        eager(Logical, "not(condition)", "The opposite of a condition.", logical::not),
        lazy(Logical, "if(condition, value_if_true, value_if_false)", "One of two values; the other is not evaluated.", logical::if_),
        lazy(Logical, "coalesce(value, ...)", "The first value that is not null.", logical::coalesce),
        eager(Logical, "equals(value, other, ...)", "True when the values are the same, by type and depth; numbers compare by value, strings by case.", logical::equals),
        eager(Logical, "less(value, other)", "True when a number is smaller, or a string comes first ignoring case.", logical::less),
        eager(Logical, "lessOrEquals(value, other)", "As less, or equal.", logical::less_or_equals),
        eager(Logical, "greater(value, other)", "True when a number is larger, or a string comes later ignoring case.", logical::greater),
        eager(Logical, "greaterOrEquals(value, other)", "As greater, or equal.", logical::greater_or_equals),

        eager(Reference, "trigger()", "The trigger's whole record.", reference::trigger),
        eager(Reference, "triggerBody()", "What the trigger delivered; the same as the bare word trigger.", reference::trigger_body),
        eager(Reference, "triggerOutputs()", "The trigger's outputs: headers, queries, body where it has them.", reference::trigger_outputs),
        eager(Reference, "request()", "Method, headers, queries and relative path parameters of a form or webhook; the same as the bare word request.", reference::request),
        eager(Reference, "body(action_name)", "What an action returned; the same as actions.NAME.", reference::body),
        eager(Reference, "actionBody(action_name)", "The same as body.", reference::body),
        eager(Reference, "outputs(action_name)", "An action's outputs.", reference::outputs),
        eager(Reference, "actionOutputs(action_name)", "The same as outputs.", reference::outputs),
        eager(Reference, "actions(action_name)", "An action's whole record: inputs, outputs, status, times, error.", reference::actions),
        eager(Reference, "result(container_name)", "The records of the actions directly inside a scope, loop or condition.", reference::result),
        eager(Reference, "variables(name)", "A variable's value; the same as variables.NAME.", reference::variables),
        eager(Reference, "parameters(name)", "A parameter's value; the same as parameters.NAME.", reference::parameters),
        eager(Reference, "item()", "The innermost loop's element; the same as the bare word item.", reference::item),
        eager(Reference, "items(loop_name)", "The element of the loop of that name.", reference::items),
        eager(Reference, "iterationIndexes(loop_name)", "The iteration of the loop of that name, from 0.", reference::iteration_indexes),
        eager(Reference, "workflow()", "The playbook and the run: id, name, type, run.", reference::workflow),
        eager(Reference, "triggerFormDataValue(key)", "One field of a urlencoded body that the trigger delivered.", reference::trigger_form_data_value),
        eager(Reference, "triggerFormDataMultiValues(key)", "Every value of a field of a urlencoded body that the trigger delivered.", reference::trigger_form_data_multi_values),
        eager(Reference, "triggerMultipartBody(index)", "A part, from 0, of a multipart body that the trigger delivered.", reference::trigger_multipart_body),
        eager(Reference, "formDataValue(action_name, key)", "One field of a urlencoded body that an action returned.", reference::form_data_value),
        eager(Reference, "formDataMultiValues(action_name, key)", "Every value of a field of a urlencoded body that an action returned.", reference::form_data_multi_values),
        eager(Reference, "multipartBody(action_name, index)", "A part, from 0, of a multipart body that an action returned.", reference::multipart_body),
    ];
    table
});

/// Functions of Logic Apps that Larum does not have yet.
const LATER: &[&str] = &[
    "xml",
    "xpath",
    "getFutureTime",
    "getPastTime",
    "addToTime",
    "subtractFromTime",
    "addSeconds",
    "dateDifference",
    "convertTimeZone",
    "convertToUtc",
    "convertFromUtc",
    "parseDateTime",
    "startOfHour",
    "startOfDay",
    "startOfMonth",
    "dayOfWeek",
    "dayOfMonth",
    "dayOfYear",
    "ticks",
    "formatTimeSpan",
    "listCallbackUrl",
    "uriHost",
    "uriPath",
    "uriPathAndQuery",
    "uriPort",
    "uriScheme",
    "uriQuery",
    "appsetting",
    "action",
];

/// Every function.
#[must_use]
pub fn functions() -> &'static [Function] {
    &TABLE
}

/// The function called `name`, ignoring case.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    functions().iter().find(|function| function.name.eq_ignore_ascii_case(name))
}

/// The spelling of a function that Logic Apps has and Larum does not.
pub(crate) fn later(name: &str) -> Option<&'static str> {
    LATER.iter().copied().find(|later| later.eq_ignore_ascii_case(name))
}

/// A bare word that stands for data.
pub(crate) struct Root {
    /// The word.
    pub(crate) name: &'static str,
    /// The function that gives the same data.
    pub(crate) function: &'static Function,
    /// Whether a name follows: `variables.x`.
    pub(crate) named: bool,
}

/// The bare words.
pub(crate) const ROOTS: [&str; 6] = ["trigger", "actions", "variables", "parameters", "item", "request"];

/// The bare word `name`, ignoring case.
pub(crate) fn root(name: &str) -> Option<Root> {
    let name = ROOTS.into_iter().find(|root| root.eq_ignore_ascii_case(name))?;
    let (function, named) = match name {
        "trigger" => ("triggerBody", false),
        "actions" => ("body", true),
        "variables" | "parameters" => (name, true),
        _ => (name, false),
    };
    Some(Root { name, function: find(function)?, named })
}
