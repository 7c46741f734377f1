//! What can be wrong with an expression: a [`CompileError`] when it is loaded, an [`EvalError`] when it is evaluated.

use std::{borrow::Cow, fmt, ops::Range};

use serde::Serialize;

use crate::redaction::TooMuchDerived;

/// The kinds of fault an author can make in an expression or template; each is one diagnostic code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompileErrorKind {
    /// The text does not follow the grammar.
    Syntax,
    /// A string in double quotes, which `@expressions` do not have.
    DoubleQuotes,
    /// `@{…}` and `{{…}}` in one string.
    MixedLanguages,
    /// No function has this name.
    UnknownFunction,
    /// Logic Apps has this function in places that a playbook does not have.
    UnsupportedFunction,
    /// Too few or too many parameters.
    ParameterCount,
    /// A bare name that stands for nothing, or a reference whose name is not text.
    UnknownName,
    /// `{{if a b c}}`, `{{lookup a b}}`: words that exist as blocks only.
    InlineBlock,
    /// `{{#word}}` where `word` is no block, or a block with the wrong parameters.
    UnknownBlock,
    /// A partial whose name is computed.
    DynamicPartial,
    /// A partial that does not exist.
    UnknownPartial,
    /// A partial that includes itself.
    RecursivePartial,
    /// Longer than [`crate::limits::EXPRESSION_CHARS`].
    TooLong,
    /// Nested deeper than [`crate::limits::EXPRESSION_NESTING`].
    TooDeep,
}

/// A fault of the author's in one expression or template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// Which kind of fault.
    pub kind: CompileErrorKind,
    /// What is wrong: lower case, no full stop at the end.
    pub message: String,
    /// The bytes at fault, inside the string that was compiled; inside the partial's source when [`Self::partial`] is set.
    pub range: Range<usize>,
    /// The partial the fault stands in, when it shows only where the partial is included.
    pub partial: Option<String>,
    /// What to do, or a near name.
    pub help: Option<String>,
}

impl CompileError {
    pub(crate) fn new(kind: CompileErrorKind, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), range, partial: None, help: None }
    }

    pub(crate) fn syntax(range: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(CompileErrorKind::Syntax, range, message)
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same error with its range moved right by `by` bytes.
    #[must_use]
    pub(crate) fn moved(mut self, by: usize) -> Self {
        self.range = self.range.start + by..self.range.end + by;
        self
    }
}

impl fmt::Display for CompileError {
    /// The message as a sentence, as Logic Apps words it in a run's error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = self.message.chars();
        if let Some(first) = letters.next() {
            write!(f, "{}{}.", first.to_uppercase(), letters.as_str())?;
        }
        match &self.help {
            Some(help) if help.ends_with('?') => write!(f, " {help}"),
            Some(help) => write!(f, " {help}."),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CompileError {}

/// Why an expression has no value. The machine makes it the action's error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvalError {
    /// Logic Apps' code, usually `InvalidTemplate`.
    pub code: String,
    /// What went wrong, in Logic Apps' words; the engine puts the action's name in front.
    pub message: String,
}

impl EvalError {
    /// An `InvalidTemplate` error.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: "InvalidTemplate".to_owned(), message: message.into().into_owned() }
    }
}

impl From<CompileError> for EvalError {
    fn from(error: CompileError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<TooMuchDerived> for EvalError {
    fn from(error: TooMuchDerived) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
