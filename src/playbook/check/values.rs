//! Values with expressions in them, compiled.

use std::ops::Range;

use serde_json::Value as Json;

use super::{Checker, references::Reader};
use crate::{
    diagnostic::{Code, Diagnostic, codes},
    expression::{CompileError, CompileErrorKind as Kind, Template, Tree},
    yaml::{Node, Value},
};

/// What an action without `with:` is given.
pub(super) fn nothing() -> Tree {
    Tree::Object(Vec::new())
}

impl Checker<'_> {
    /// Compiles a value and everything in it. What does not compile is reported and becomes null.
    pub(super) fn value(&mut self, node: &Node, reader: &Reader<'_>) -> Tree {
        match &node.value {
            Value::Text(text) => self.text(node, &text.value, reader),
            Value::List(items) => Tree::Array(items.iter().map(|item| self.value(item, reader)).collect()),
            Value::Map(entries) => {
                let members = entries.iter().map(|entry| (entry.key.clone(), self.value(&entry.value, reader)));
                Tree::Object(members.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Broken => Tree::Literal(node.to_json()),
        }
    }

    pub(super) fn text(&mut self, node: &Node, text: &str, reader: &Reader<'_>) -> Tree {
        match Template::compile(text, &self.templates.partials) {
            Ok(template) => {
                self.follow(node, &template, reader);
                match template.literal() {
                    Some(text) => Tree::Literal(Json::String(text.to_owned())),
                    None => Tree::Template(template),
                }
            }
            Err(errors) => {
                for error in errors {
                    self.report(node, text, error);
                }
                Tree::Literal(Json::Null)
            }
        }
    }

    /// Compiles the template of this name, as if it were included alone.
    pub(super) fn template(&mut self, node: &Node, name: &str, reader: &Reader<'_>) -> Tree {
        if let Some(faults) = self.templates.broken.get(name) {
            faults.iter().for_each(|fault| self.faults.push(fault.clone()));
            return Tree::Literal(Json::Null);
        }
        if !self.templates.partials.contains(name) {
            let help = crate::diagnostic::did_you_mean(name, self.templates.partials.names())
                .unwrap_or_else(|| format!("it would be the file templates/{name}.hbs"));
            let message = format!("there is no template `{name}`");
            self.faults.add_with(codes::UNKNOWN_TEMPLATE, node.span.clone(), message, Some(help));
            return Tree::Literal(Json::Null);
        }
        self.text(node, &format!("{{{{> {name}}}}}"), reader)
    }

    /// Checks every reference of a compiled text.
    fn follow(&mut self, node: &Node, template: &Template, reader: &Reader<'_>) {
        self.reached.extend(template.partials().iter().cloned());
        for used in template.uses() {
            let Some(refused) = self.refer(&used.what, reader) else { continue };
            let fault = match &used.partial {
                Some(name) => {
                    let source = self.templates.source(name);
                    let message = format!("{}, in a template used by `{}`", refused.message, reader.id);
                    Diagnostic::new(refused.code, &source, used.range.clone(), message)
                }
                None => {
                    let span = self.place(node, used.range.clone());
                    Diagnostic::new(refused.code, self.faults.source(), span, refused.message)
                }
            };
            self.faults.push(Diagnostic { help: refused.help, ..fault });
        }
    }

    fn report(&mut self, node: &Node, text: &str, error: CompileError) {
        // A partial that does not compile is not there; its own faults say why.
        if error.kind == Kind::UnknownPartial {
            let written = text.get(error.range.clone()).unwrap_or_default();
            let broken = self.templates.broken.iter().find(|(name, _)| mentions(written, name));
            if let Some((_, faults)) = broken {
                faults.iter().for_each(|fault| self.faults.push(fault.clone()));
                return;
            }
        }
        let fault = match &error.partial {
            Some(name) => Diagnostic::new(code(error.kind), &self.templates.source(name), error.range, error.message),
            None => {
                let span = self.place(node, error.range);
                Diagnostic::new(code(error.kind), self.faults.source(), span, error.message)
            }
        };
        self.faults.push(Diagnostic { help: error.help, ..fault });
    }

    pub(super) fn place(&self, node: &Node, range: Range<usize>) -> Range<usize> {
        node.place(self.faults.source(), range)
    }
}

/// Whether `{{> NAME …}}` names this template.
fn mentions(written: &str, name: &str) -> bool {
    let letters = |c: char| c.is_alphanumeric() || "-_/.".contains(c);
    written.split(|c| !letters(c)).any(|word| word == name)
}

/// The code of an expression's fault.
pub(in crate::playbook) fn code(kind: Kind) -> Code {
    match kind {
        Kind::Syntax => codes::EXPRESSION_SYNTAX,
        Kind::DoubleQuotes => codes::DOUBLE_QUOTES,
        Kind::MixedLanguages => codes::MIXED_LANGUAGES,
        Kind::UnknownFunction => codes::UNKNOWN_FUNCTION,
        Kind::UnsupportedFunction => codes::NOT_SUPPORTED,
        Kind::ParameterCount => codes::PARAMETER_COUNT,
        Kind::UnknownName => codes::UNKNOWN_WORD,
        Kind::InlineBlock => codes::INLINE_BLOCK,
        Kind::UnknownBlock => codes::UNKNOWN_BLOCK,
        Kind::DynamicPartial => codes::DYNAMIC_PARTIAL,
        Kind::UnknownPartial => codes::UNKNOWN_PARTIAL,
        Kind::RecursivePartial => codes::RECURSIVE_PARTIAL,
        Kind::TooLong | Kind::TooDeep => codes::EXPRESSION_SIZE,
    }
}
