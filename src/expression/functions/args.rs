//! The parameters of a function, with the questions that functions ask of them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::expression::{
    EvalError, Scope,
    ast::Expr,
    evaluate::{Env, Outcome, evaluate},
    value,
};
use crate::limits;

/// Evaluated parameters. Their number has been checked when the expression was compiled.
pub(crate) struct Args<'a> {
    pub(crate) function: &'static str,
    pub(crate) values: Vec<Cow<'a, Value>>,
    pub(crate) scope: &'a dyn Scope,
}

impl<'a> Args<'a> {
    /// The parameter at `at`, null when it was left out.
    pub(crate) fn at(&self, at: usize) -> &Value {
        self.values.get(at).map_or(&value::NULL, Cow::as_ref)
    }

    pub(crate) fn has(&self, at: usize) -> bool {
        at < self.values.len()
    }

    /// Takes the parameter at `at` out.
    pub(crate) fn take(&mut self, at: usize) -> Cow<'a, Value> {
        match self.values.get_mut(at) {
            Some(value) => std::mem::replace(value, Cow::Borrowed(&value::NULL)),
            None => Cow::Borrowed(&value::NULL),
        }
    }

    /// The error that the parameter at `at` is not what `expectation` says.
    pub(crate) fn expected(&self, expectation: &str, at: usize) -> EvalError {
        expected(self.function, expectation, self.at(at))
    }

    /// An error in the function's own words.
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> EvalError {
        EvalError::new(format!("The template language function '{}' {what}.", self.function))
    }

    /// The parameter at `at`, which must be text; `which` says what it is ("its first parameter").
    pub(crate) fn text(&self, at: usize, expectation: &str) -> Result<&str, EvalError> {
        self.at(at).as_str().ok_or_else(|| self.expected(expectation, at))
    }

    /// The parameter at `at` of several, which must be text.
    pub(crate) fn string(&self, at: usize) -> Result<&str, EvalError> {
        self.at(at)
            .as_str()
            .ok_or_else(|| self.expected(&format!("its {} parameter to be of type string", ordinal(at)), at))
    }

    /// The only parameter, which must be text.
    pub(crate) fn only_string(&self) -> Result<&str, EvalError> {
        self.text(0, "its parameter to be a string")
    }

    /// The parameter at `at`, which must be a whole number; one that is written with a fraction of zero counts.
    pub(crate) fn integer(&self, at: usize) -> Result<i64, EvalError> {
        whole(self.at(at)).ok_or_else(|| self.expected(&format!("its {} parameter to be an integer", ordinal(at)), at))
    }

    /// The parameter at `at`, which must be an object, taken out and made the caller's own.
    pub(crate) fn object(&mut self, at: usize) -> Result<Map<String, Value>, EvalError> {
        match self.take(at).into_owned() {
            Value::Object(map) => Ok(map),
            other => {
                Err(expected(self.function, &format!("its {} parameter to be of type object", ordinal(at)), &other))
            }
        }
    }

    /// Refuses a result that is longer than a string function may return.
    pub(crate) fn fits(&self, bytes: usize) -> Result<(), EvalError> {
        if bytes <= limits::STRING_RESULT_CHARS {
            return Ok(());
        }
        Err(self.error(format_args!("would return more than {} characters", limits::STRING_RESULT_CHARS)))
    }
}

/// "first" for 0.
fn ordinal(at: usize) -> &'static str {
    ["first", "second", "third"].get(at).copied().unwrap_or("next")
}

/// The error that a function's parameter is not what `expectation` says, with the type it has instead.
pub(crate) fn expected(function: &str, expectation: &str, value: &Value) -> EvalError {
    EvalError::new(format!(
        "The template language function '{function}' expects {expectation}. The provided value is of type '{}'. \
         Please see https://aka.ms/logicexpressions#{function} for usage details.",
        value::type_name(value)
    ))
}

/// The whole number that `value` is.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let Value::Number(number) = value else { return None };
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= EXACT)?;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within 2^53")]
        Some(float as i64)
    })
}

/// Parameters that a function evaluates only as it needs them.
pub(crate) struct LazyArgs<'a> {
    pub(crate) function: &'static str,
    pub(crate) count: usize,
    source: Source<'a>,
}

enum Source<'a> {
    Waiting(&'a [Expr], &'a Env<'a>),
    Evaluated(Args<'a>),
}

impl<'a> LazyArgs<'a> {
    pub(crate) fn waiting(function: &'static str, arguments: &'a [Expr], env: &'a Env<'a>) -> Self {
        Self { function, count: arguments.len(), source: Source::Waiting(arguments, env) }
    }

    /// Parameters that were evaluated before the call, as handlebars does.
    pub(crate) fn evaluated(arguments: Args<'a>) -> Self {
        Self { function: arguments.function, count: arguments.values.len(), source: Source::Evaluated(arguments) }
    }

    /// The parameter at `at`; asked for once.
    pub(crate) fn get(&mut self, at: usize) -> Outcome<'a> {
        match &mut self.source {
            Source::Waiting(arguments, env) => {
                arguments.get(at).map_or(Ok(Cow::Borrowed(&value::NULL)), |argument| evaluate(argument, env))
            }
            Source::Evaluated(arguments) => Ok(arguments.take(at)),
        }
    }
}
