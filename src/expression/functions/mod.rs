//! The one table of functions. The checker, the evaluator, handlebars and the documentation all read it.

#![expect(clippy::needless_pass_by_value, reason = "the table's one signature lets a function keep what it is given")]

mod args;
mod collection;
mod conversion;
mod culture;
mod date;
mod logical;
mod math;
mod number;
mod number_format;
mod reference;
mod string;
mod table;
mod uri;
mod utf16;
mod xml;

use serde::Serialize;

use super::evaluate::Outcome;

pub(crate) use args::{Args, LazyArgs};
pub use date::{
    DateError, TimeUnit, add_to_time, convert_time_zone, instant, instant_after, nearest_time_zone, time_zone,
};

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
    Uri,
    Xml,
    Reference,
}

impl Family {
    /// The heading that its functions stand under.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::String => "Text",
            Self::Collection => "Collections",
            Self::Logical => "Logic",
            Self::Conversion => "Conversion",
            Self::Math => "Mathematics",
            Self::Date => "Date and time",
            Self::Uri => "URIs",
            Self::Xml => "XML",
            Self::Reference => "The run and its data",
        }
    }
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
    /// An example, over [`EXAMPLE_CONTEXT`].
    pub example: &'static str,
    /// What the example comes to, as `larum eval` prints it: text without quotes, everything else as JSON.
    pub result: &'static str,
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
    fn new(
        family: Family,
        signature: &'static str,
        doc: &'static str,
        (example, result): (&'static str, &'static str),
        body: Body,
    ) -> Self {
        let (name, parameters) = signature.split_once('(').unwrap_or((signature, ")"));
        let parameters = parameters.trim_end_matches(')');
        let each = || parameters.split(',').map(str::trim).filter(|parameter| !parameter.is_empty());
        let endless = each().any(|parameter| parameter == "...");
        let min = each().filter(|parameter| *parameter != "..." && !parameter.ends_with('?')).count();
        let max = (!endless).then(|| each().count());
        Self { name, family, signature, min, max, doc, example, result, body }
    }
}

fn eager(
    family: Family,
    signature: &'static str,
    doc: &'static str,
    example: &'static str,
    result: &'static str,
    run: for<'a> fn(Args<'a>) -> Outcome<'a>,
) -> Function {
    Function::new(family, signature, doc, (example, result), Body::Eager(run))
}

fn lazy(
    family: Family,
    signature: &'static str,
    doc: &'static str,
    example: &'static str,
    result: &'static str,
    run: for<'a> fn(&mut LazyArgs<'a>) -> Outcome<'a>,
) -> Function {
    Function::new(family, signature, doc, (example, result), Body::Lazy(run))
}

/// Functions that Logic Apps has in places which a playbook does not have: a connections file, tracked properties.
const ELSEWHERE: [&str; 2] = ["appsetting", "action"];

/// What the functions' examples see, as `larum eval --context` takes it.
pub const EXAMPLE_CONTEXT: &str = include_str!("example.json");

/// Every function.
#[must_use]
pub fn functions() -> &'static [Function] {
    &table::TABLE
}

/// The function called `name`, ignoring case.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    functions().iter().find(|function| function.name.eq_ignore_ascii_case(name))
}

/// Whether Logic Apps has this function, in a place that a playbook does not have.
pub(crate) fn is_elsewhere(name: &str) -> bool {
    ELSEWHERE.iter().any(|known| known.eq_ignore_ascii_case(name))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may end here")]

    use chrono::Utc;
    use serde_json::Value;

    use super::{
        super::{JsonScope, Partials, Template},
        *,
    };

    #[test]
    fn every_example_comes_to_its_result() {
        let context: Value = serde_json::from_str(EXAMPLE_CONTEXT).unwrap();
        let mut wrong = Vec::new();
        for function in functions() {
            let template = Template::compile(&format!("@{}", function.example), &Partials::default());
            let value = template.map_err(|errors| errors[0].to_string()).and_then(|template| {
                let scope = JsonScope::new(context.clone(), Utc::now(), 1);
                template.evaluate(&scope).map_err(|error| error.message)
            });
            let printed = match &value {
                Ok(Value::String(text)) => text.clone(),
                Ok(value) => value.to_string(),
                Err(error) => error.clone(),
            };
            if printed != function.result {
                wrong.push(format!("{}: {} gives {printed}, not {}", function.name, function.example, function.result));
            }
            let name = function.name.to_ascii_lowercase();
            assert!(function.example.to_ascii_lowercase().contains(&format!("{name}(")), "{}", function.name);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
