//! The evaluator. It works on borrowed values, so that reading one field of a large body copies nothing.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    EvalError, Scope,
    ast::{Call, Expr, Key, Link},
    functions::{Args, Body, Family, LazyArgs},
    handlebars::{Frame, Start},
    reference::reference,
    trace,
    value::{self, Member},
};
use crate::redaction::Tracked;

/// What evaluating something gives.
pub(crate) type Outcome<'a> = Result<Cow<'a, Value>, EvalError>;

/// What an expression is evaluated in.
#[derive(Clone, Copy)]
pub(crate) struct Env<'e> {
    pub(crate) scope: &'e dyn Scope,
    /// The innermost block of a template; `None` outside of any and in `@expressions`.
    pub(crate) frame: Option<&'e Frame<'e>>,
    /// Where secrets are kept track of; `None` in a run without any.
    pub(crate) tracked: Option<&'e Tracked>,
}

impl<'e> Env<'e> {
    pub(crate) fn new(scope: &'e dyn Scope) -> Self {
        Self { scope, frame: None, tracked: scope.tracked() }
    }

    /// Adds the text of `value` to `out`.
    pub(crate) fn print(&self, out: &mut String, value: &Value) -> Result<(), EvalError> {
        let from = out.len();
        value::write_text(out, value);
        if let Some(tracked) = self.tracked.filter(|_| !value.is_string()) {
            let again = |values: Vec<Value>| Some(Value::String(value::text(values.first()?).into_owned()));
            tracked.follow(&[value], &Value::from(&out[from..]), again)?;
        }
        Ok(())
    }
}

/// The value of `expr`.
pub(crate) fn evaluate<'e>(expr: &'e Expr, env: &'e Env<'e>) -> Outcome<'e> {
    match expr {
        Expr::Literal(value) => Ok(Cow::Borrowed(value)),
        Expr::Call(call) => {
            let value = evaluate_call(call, env)?;
            if env.scope.is_watched() && reference(call, &[]).is_some() {
                trace::note(env.scope, call, Some(&value));
            }
            Ok(value)
        }
        Expr::Path(path) => {
            let value = path.evaluate(env)?;
            if path.start() != Start::Local {
                trace::note(env.scope, &path.written(), value.as_ref());
            }
            Ok(value.unwrap_or(Cow::Borrowed(&value::NULL)))
        }
        Expr::Chain { head, links } => {
            // Of a root the whole chain is what is read.
            let root = match head.as_ref() {
                Expr::Call(call) if env.scope.is_watched() && reference(call, &[]).is_some() => Some(call),
                _ => None,
            };
            let mut at = match root {
                Some(call) => evaluate_call(call, env)?,
                None => evaluate(head, env)?,
            };
            for (index, link) in links.iter().enumerate() {
                at = match step(at, link, env)? {
                    Member::Found(next) => next,
                    Member::OfNull | Member::Absent(_) if link.safe => Cow::Borrowed(&value::NULL),
                    missing => return Err(no_member(head, &links[..=index], &missing)),
                };
            }
            if root.is_some() {
                trace::note(env.scope, expr, Some(&at));
            }
            Ok(at)
        }
    }
}

pub(crate) fn evaluate_call<'e>(call: &'e Call, env: &'e Env<'e>) -> Outcome<'e> {
    match call.function.body {
        Body::Eager(run) => match env.tracked {
            Some(tracked) if call.function.family != Family::Reference => follow(tracked, run, arguments(call, env)?),
            _ => run(arguments(call, env)?),
        },
        Body::Lazy(run) if call.eager => {
            let arguments = arguments(call, env)?;
            run(&mut LazyArgs::evaluated(arguments))
        }
        Body::Lazy(run) => run(&mut LazyArgs::waiting(call.function.name, &call.arguments, env)),
    }
}

/// Calls a function on what may be secret.
#[cold]
fn follow<'e>(tracked: &Tracked, run: for<'a> fn(Args<'a>) -> Outcome<'a>, arguments: Args<'e>) -> Outcome<'e> {
    let (function, scope, given) = (arguments.function, arguments.scope, arguments.values.clone());
    let result = run(arguments)?;
    // What is borrowed is a value that there was before, or a part of one.
    if let Cow::Owned(result) = &result {
        let given: Vec<&Value> = given.iter().map(Cow::as_ref).collect();
        tracked.follow(&given, result, |values| {
            let values = values.into_iter().map(Cow::Owned).collect();
            run(Args { function, values, scope }).ok().map(Cow::into_owned)
        })?;
    }
    Ok(result)
}

fn arguments<'e>(call: &'e Call, env: &'e Env<'e>) -> Result<Args<'e>, EvalError> {
    let mut values = Vec::with_capacity(call.arguments.len());
    for argument in &call.arguments {
        values.push(evaluate(argument, env)?);
    }
    Ok(Args { function: call.function.name, values, scope: env.scope })
}

fn step<'e>(of: Cow<'e, Value>, link: &'e Link, env: &'e Env<'e>) -> Result<Member<'e>, EvalError> {
    Ok(match &link.key {
        Key::Property(name) => value::property(of, name),
        Key::Index(key) => value::member(of, evaluate(key, env)?.as_ref()),
    })
}

/// The error of a step that leads nowhere, in Logic Apps' words.
fn no_member(head: &Expr, links: &[Link], missing: &Member<'_>) -> EvalError {
    let mut expression = head.to_string();
    for link in links {
        expression.push_str(&link.to_string());
    }
    let key = match links.last().map(|link| &link.key) {
        Some(Key::Property(name)) => name.clone(),
        Some(Key::Index(Expr::Literal(literal))) => value::text(literal).into_owned(),
        Some(Key::Index(other)) => other.to_string(),
        None => String::new(),
    };
    let why = match missing {
        Member::Absent(of) => match of.as_ref() {
            Value::Array(items) => {
                format!("array index '{key}' is outside bounds (0, {}) of array", items.len().saturating_sub(1))
            }
            Value::Object(map) => {
                const SHOWN: usize = 20;
                let names: Vec<&str> = map.keys().take(SHOWN).map(String::as_str).collect();
                let more = if map.len() > SHOWN { ", …" } else { "" };
                format!("property '{key}' doesn't exist, available properties are '{}{more}'", names.join(", "))
            }
            _ => format!("property '{key}' doesn't exist"),
        },
        Member::OfNull => {
            format!("property '{key}' cannot be selected. Property selection is not supported on values of type 'Null'")
        }
        Member::Mismatch(of) if of.is_array() => {
            format!("property '{key}' cannot be selected. Array elements can only be selected using an integer index")
        }
        Member::Mismatch(of) | Member::Found(of) => format!(
            "property '{key}' cannot be selected. Property selection is not supported on values of type '{}'",
            value::type_name(of)
        ),
    };
    EvalError::new(format!(
        "The template language expression '{expression}' cannot be evaluated because {why}. \
         Please see https://aka.ms/logicexpressions for usage details."
    ))
}
