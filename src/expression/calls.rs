//! The calls in a string, for whoever looks for what they may get wrong.

use std::{fmt, ops::Range};

use serde_json::Value;

use super::{
    Reference,
    ast::{Call, Expr, Key},
    reference::reference,
};

/// A call of a function, as it is written in a string.
#[derive(Clone, Copy)]
pub struct Called<'t> {
    call: &'t Call,
    /// Where its expression begins, in bytes of the string.
    at: usize,
    within: Option<&'static str>,
}

/// Something with a value, as it is written in a string.
#[derive(Clone, Copy)]
pub struct Operand<'t>(&'t Expr);

impl<'t> Called<'t> {
    /// The function's name as Logic Apps spells it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.call.function.name
    }

    /// The function that it is a parameter of.
    #[must_use]
    pub fn within(&self) -> Option<&'static str> {
        self.within
    }

    /// Where it stands, in bytes of the string.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.call.range.start + self.at..self.call.range.end + self.at
    }

    /// What it is called with.
    pub fn operands(&self) -> impl ExactSizeIterator<Item = Operand<'t>> + use<'t> {
        self.call.arguments.iter().map(Operand)
    }
}

impl<'t> Operand<'t> {
    /// The value, where it is written out.
    #[must_use]
    pub fn literal(&self) -> Option<&'t Value> {
        match self.0 {
            Expr::Literal(value) => Some(value),
            Expr::Call(_) | Expr::Chain { .. } | Expr::Path(_) => None,
        }
    }

    /// The function that gives it, with what that is called with.
    #[must_use]
    pub fn call(&self) -> Option<(&'static str, Vec<Self>)> {
        match self.0 {
            Expr::Call(call) => Some((call.function.name, call.arguments.iter().map(Operand).collect())),
            Expr::Literal(_) | Expr::Chain { .. } | Expr::Path(_) => None,
        }
    }

    /// What it refers to, where it is nothing but a reference whose path is the same in every run.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        match self.0 {
            Expr::Call(call) => reference(call, &[]),
            Expr::Chain { head, links } => match head.as_ref() {
                Expr::Call(call) if links.iter().all(|link| link.key.fixed().is_some()) => reference(call, links),
                _ => None,
            },
            Expr::Path(path) => path.reference(),
            Expr::Literal(_) => None,
        }
    }
}

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Collects the calls in `expr`, which stands `at` bytes into its string.
pub(super) fn collect<'t>(expr: &'t Expr, at: usize, out: &mut Vec<Called<'t>>) {
    inner(expr, at, None, out);
}

fn inner<'t>(expr: &'t Expr, at: usize, within: Option<&'static str>, out: &mut Vec<Called<'t>>) {
    match expr {
        Expr::Literal(_) | Expr::Path(_) => {}
        Expr::Call(call) => {
            out.push(Called { call, at, within });
            for argument in &call.arguments {
                inner(argument, at, Some(call.function.name), out);
            }
        }
        Expr::Chain { head, links } => {
            inner(head, at, None, out);
            for link in links {
                if let Key::Index(key) = &link.key {
                    inner(key, at, None, out);
                }
            }
        }
    }
}
