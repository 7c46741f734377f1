//! The tree that both languages compile to.

use std::{fmt, ops::Range};

use serde_json::Value;

use super::{functions::Function, handlebars::Path, value};

/// Something with a value.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Literal(Value),
    Call(Call),
    /// `head.a?['b']`. The links are a list, not a tree, so that a long chain needs no stack.
    Chain {
        head: Box<Expr>,
        links: Vec<Link>,
    },
    /// A name in a template, whose meaning depends on the block it stands in.
    Path(Path),
}

/// A function and what it is called with.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) function: &'static Function,
    pub(crate) arguments: Vec<Expr>,
    /// How the author wrote it, where that is not `name(arguments)`.
    pub(crate) written: Written,
    /// Arguments are evaluated before the call even when the function is lazy, as handlebars does.
    pub(crate) eager: bool,
    /// Where it stands in its source.
    pub(crate) range: Range<usize>,
}

/// How a call was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// `body('x')`
    Call,
    /// `actions.x` or, for a root without a name, `trigger`
    Bare(&'static str),
}

/// One step into a value.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) key: Key,
    /// With `?`: null and missing are null.
    pub(crate) safe: bool,
    /// The end of the link in its source.
    pub(crate) end: usize,
}

/// What a step goes by.
#[derive(Debug, Clone)]
pub(crate) enum Key {
    /// `.name`
    Property(String),
    /// `[expression]`
    Index(Expr),
}

impl Key {
    /// The key, where it is the same in every run.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self {
            Key::Property(name) | Key::Index(Expr::Literal(Value::String(name))) => Some(name),
            Key::Index(_) => None,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Literal(Value::String(text)) => quoted(f, text),
            Expr::Literal(Value::Null) => f.write_str("null"),
            Expr::Literal(Value::Bool(flag)) => write!(f, "{flag}"),
            Expr::Literal(other) => write!(f, "{}", value::json_text(other)),
            Expr::Call(call) => write!(f, "{call}"),
            Expr::Chain { head, links } => {
                write!(f, "{head}")?;
                links.iter().try_for_each(|link| write!(f, "{link}"))
            }
            Expr::Path(path) => f.write_str(path.written()),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.written, self.arguments.first()) {
            (Written::Bare(root), None) => f.write_str(root),
            (Written::Bare(root), Some(Expr::Literal(Value::String(name)))) if is_identifier(name) => {
                write!(f, "{root}.{name}")
            }
            (Written::Bare(root), Some(name)) => write!(f, "{root}[{name}]"),
            (Written::Call, _) => {
                write!(f, "{}(", self.function.name)?;
                for (at, argument) in self.arguments.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{argument}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.safe {
            f.write_str("?")?;
        }
        match &self.key {
            Key::Property(name) => write!(f, ".{name}"),
            Key::Index(key) => write!(f, "[{key}]"),
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.replace('\'', "''"))
}

/// Whether `text` can stand after a dot.
fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_identifier_char)
}

/// The characters of a name: everything but the grammar's own signs and white space.
pub(crate) fn is_identifier_char(c: char) -> bool {
    !matches!(c, '.' | ',' | '(' | ')' | '{' | '}' | '@' | '[' | ']' | '?' | '\'') && !c.is_whitespace()
}
