//! One string value of a playbook, whichever language it is in.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value};

use super::{
    CompileError, CompileErrorKind as Kind, EvalError, Partials, Scope, Use,
    ast::Expr,
    calls::{self, Called},
    evaluate::{Env, Outcome, evaluate},
    handlebars::{self, Text},
    parse, reference, value,
};
use crate::limits;

/// One string value of a playbook, compiled once at load. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    content: Content,
    uses: Vec<Use>,
    partials: Vec<String>,
}

#[derive(Debug)]
enum Content {
    /// No expression at all.
    Literal(Value),
    /// The whole string is one expression.
    Expression(Expr),
    /// Text with `@{…}` in it.
    Interpolated(Vec<Piece>),
    /// `{{handlebars}}`
    Handlebars(Text),
}

#[derive(Debug)]
enum Piece {
    Text(String),
    /// With where it begins, in bytes of the string.
    Expression(Expr, usize),
}

impl Template {
    /// Compiles a string, in the language it is written in:
    /// `@@…` is literal, `@…` one expression, `…@{…}…` interpolation, `…{{…}}…` handlebars, all else literal.
    ///
    /// # Errors
    /// Every fault of the string, with its place in it; a string that mixes the languages is refused.
    pub fn compile(text: &str, partials: &Partials) -> Result<Self, Vec<CompileError>> {
        let (content, uses, reached) = match language(text).map_err(|error| vec![error])? {
            Language::Literal(text) => (Content::Literal(Value::String(text.to_owned())), Vec::new(), Vec::new()),
            Language::Expression => {
                let expr = parse::expression(&text[1..]).map_err(|error| vec![error.moved(1)])?;
                let uses = uses_of([(&expr, 1)]);
                (Content::Expression(expr), uses, Vec::new())
            }
            Language::Interpolated => {
                let mut pieces = pieces(text).map_err(|error| vec![error])?;
                let uses = uses_of(pieces.iter().filter_map(|piece| match piece {
                    Piece::Expression(expr, at) => Some((expr, *at)),
                    Piece::Text(_) => None,
                }));
                let content = match pieces.as_mut_slice() {
                    // Nothing but an escape.
                    [Piece::Text(text)] => Content::Literal(Value::String(std::mem::take(text))),
                    _ => Content::Interpolated(pieces),
                };
                (content, uses, Vec::new())
            }
            Language::Handlebars => {
                let text = Text::compile(text, partials)?;
                let (uses, reached) = text.survey()?;
                (Content::Handlebars(text), uses, reached)
            }
        };
        Ok(Self(Arc::new(Compiled { content, uses, partials: reached })))
    }

    /// Every reference of the string, in the order of writing; those of the partials it reaches are included.
    #[must_use]
    pub fn uses(&self) -> &[Use] {
        &self.0.uses
    }

    /// Every call of a function in the string itself, outer ones first; those in partials are not among them.
    #[must_use]
    pub fn calls(&self) -> Vec<Called<'_>> {
        let mut calls = Vec::new();
        match &self.0.content {
            Content::Literal(_) => {}
            Content::Expression(expr) => calls::collect(expr, 1, &mut calls),
            Content::Interpolated(pieces) => {
                for piece in pieces {
                    if let Piece::Expression(expr, at) = piece {
                        calls::collect(expr, *at, &mut calls);
                    }
                }
            }
            Content::Handlebars(text) => text.each(&mut |expr| calls::collect(expr, 0, &mut calls)),
        }
        calls
    }

    /// The value. An expression and a lone `{{expression}}` keep their type, everything else is a string.
    ///
    /// # Errors
    /// What Logic Apps would say, as `InvalidTemplate`.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        let value = self.value(scope)?;
        within_nesting(&value)?;
        Ok(value)
    }

    fn value(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        self.outcome(&Env::new(scope)).map(Cow::into_owned)
    }

    fn outcome<'e>(&'e self, env: &'e Env<'e>) -> Outcome<'e> {
        match &self.0.content {
            Content::Literal(text) => Ok(Cow::Borrowed(text)),
            Content::Expression(expr) => evaluate(expr, env),
            Content::Interpolated(pieces) => {
                let mut out = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Expression(expr, _) => env.print(&mut out, evaluate(expr, env)?.as_ref())?,
                    }
                    within_result(&out)?;
                }
                Ok(Cow::Owned(Value::String(out)))
            }
            Content::Handlebars(text) => text.evaluate(env),
        }
    }

    /// The string itself, when it holds no expression at all; an escape (`@@`) is already resolved.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &self.0.content {
            Content::Literal(text) => text.as_str(),
            Content::Expression(_) | Content::Interpolated(_) | Content::Handlebars(_) => None,
        }
    }

    /// The value of an expression that is nothing but a value: `@false`.
    #[must_use]
    pub fn constant(&self) -> Option<&Value> {
        match &self.0.content {
            Content::Expression(Expr::Literal(value)) => Some(value),
            _ => None,
        }
    }

    /// The names of every partial it reaches, directly or through another, in order and without repeats.
    #[must_use]
    pub fn partials(&self) -> &[String] {
        &self.0.partials
    }
}

/// Refuses text that has grown beyond what a string may be.
pub(crate) fn within_result(out: &str) -> Result<(), EvalError> {
    if out.len() <= limits::STRING_RESULT_CHARS {
        return Ok(());
    }
    Err(EvalError::new(format!("The text would be longer than {} characters.", limits::STRING_RESULT_CHARS)))
}

/// Refuses a value nested so deep that it could not be read back from its record. A loop that wraps a variable in
/// itself would otherwise go on until the stack ends.
fn within_nesting(value: &Value) -> Result<(), EvalError> {
    if value::nested_within(value, limits::VALUE_NESTING) {
        return Ok(());
    }
    Err(EvalError::new(format!("The value would be nested deeper than {} levels.", limits::VALUE_NESTING)))
}

/// The references of expressions that stand `at` bytes into their string.
fn uses_of<'x>(exprs: impl IntoIterator<Item = (&'x Expr, usize)>) -> Vec<Use> {
    let mut uses = Vec::new();
    for (expr, at) in exprs {
        let from = uses.len();
        reference::collect(expr, &mut uses);
        for found in &mut uses[from..] {
            found.range = found.range.start + at..found.range.end + at;
        }
    }
    uses
}

/// The language of a string.
enum Language<'t> {
    Literal(&'t str),
    Expression,
    Interpolated,
    Handlebars,
}

fn language(text: &str) -> Result<Language<'_>, CompileError> {
    if let Some(rest) = text.strip_prefix('@') {
        match rest.chars().next() {
            None => return Ok(Language::Literal(text)),
            Some('@') => {
                return match text.find("{{") {
                    Some(at) => Err(mixed(at..at + 2).help("to begin a template with '@', write {{concat '@' …}}")),
                    None => Ok(Language::Literal(rest)),
                };
            }
            Some('{') => {}
            Some(_) => return Ok(Language::Expression),
        }
    }
    let (at_braces, braces) = (text.find("@{"), text.find("{{"));
    match (at_braces, braces) {
        (None, None) => Ok(Language::Literal(text)),
        (Some(_), None) => Ok(Language::Interpolated),
        (Some(at), Some(other)) if at < other => match outside_interpolation(text, "{{") {
            Some(at) => Err(mixed(at..at + 2)),
            None => Ok(Language::Interpolated),
        },
        (_, Some(_)) => match handlebars::outside(text, "@{") {
            Some(at) => Err(mixed(at..at + 2)),
            None => Ok(Language::Handlebars),
        },
    }
}

/// Where `needle` stands outside of every `@{…}`.
fn outside_interpolation(text: &str, needle: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let open = rest.find("@{");
        if let Some(found) = rest[..open.unwrap_or(rest.len())].find(needle) {
            return Some(at + found);
        }
        let start = at + open? + 2;
        at = start + closing_brace(&text[start..])? + 1;
    }
}

/// The first `}` that is not inside a string.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '\'';
        (c == '}' && !quoted).then_some(at)
    })
}

fn mixed(range: std::ops::Range<usize>) -> CompileError {
    CompileError::new(Kind::MixedLanguages, range, "'@{…}' and '{{…}}' do not mix in one string")
        .help("write the whole string in one of the two languages")
}

/// Cuts an interpolated string into text and expressions.
fn pieces(text: &str) -> Result<Vec<Piece>, CompileError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("@{") {
        let open = at + found;
        if found > 0 && text.as_bytes()[open - 1] == b'@' {
            // `@@{` is a literal `@{`.
            literal.push_str(&text[at..open - 1]);
            literal.push_str("@{");
            at = open + 2;
            continue;
        }
        literal.push_str(&text[at..open]);
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        let start = open + 2;
        let (expr, end) = parse::interpolated(&text[start..]).map_err(|error| unclosed(error).moved(start))?;
        pieces.push(Piece::Expression(expr, start));
        at = start + end + 1;
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// An expression that ends too early inside `@{` lacks its brace.
fn unclosed(error: CompileError) -> CompileError {
    if error.range.is_empty() && error.help.is_none() { error.help("add '}' to close '@{'") } else { error }
}

/// A tree of values in which every string may be an expression: the `with:` of an action. Keys never are.
#[derive(Debug, Clone)]
pub enum Tree {
    /// A value that is no string, or a string without expressions.
    Literal(Value),
    /// A string with an expression in it.
    Template(Template),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// The value, where nothing in it is computed.
    #[must_use]
    pub fn literal(&self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Template(_) => None,
            Self::Array(items) => items.iter().map(Self::literal).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(key, value)| Some((key.clone(), value.literal()?)))
                .collect::<Option<_>>()
                .map(Value::Object),
        }
    }

    /// The value, with every template in it evaluated.
    ///
    /// # Errors
    /// The first template's that fails.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        let value = self.value(scope)?;
        within_nesting(&value)?;
        Ok(value)
    }

    fn value(&self, scope: &dyn Scope) -> Result<Value, EvalError> {
        Ok(match self {
            Tree::Literal(value) => value.clone(),
            Tree::Template(template) => template.value(scope)?,
            Tree::Array(items) => Value::Array(items.iter().map(|item| item.value(scope)).collect::<Result<_, _>>()?),
            Tree::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for (key, member) in members {
                    map.insert(key.clone(), member.value(scope)?);
                }
                Value::Object(map)
            }
        })
    }

    /// Every template in the tree, in order.
    pub fn templates(&self) -> Box<dyn Iterator<Item = &Template> + '_> {
        match self {
            Tree::Literal(_) => Box::new(std::iter::empty()),
            Tree::Template(template) => Box::new(std::iter::once(template)),
            Tree::Array(items) => Box::new(items.iter().flat_map(Tree::templates)),
            Tree::Object(members) => Box::new(members.iter().flat_map(|(_, member)| member.templates())),
        }
    }

    /// Every reference in the tree, in order.
    pub fn uses(&self) -> impl Iterator<Item = &Use> {
        self.templates().flat_map(Template::uses)
    }
}
