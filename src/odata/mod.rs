//! OData `$filter` and `$orderby`, as Sentinel's clients send them: text → a checked condition. What is in a collection is
//! told by its [`Property`] table; the store turns the condition into SQL.

use chrono::{DateTime, Utc};

/// A property that can be filtered and sorted by.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// The path, as in `properties/owner/email`.
    pub path: &'static str,
    pub kind: Kind,
}

/// What a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// One of these; case does not count.
    Choice(&'static [&'static str]),
    Integer,
    Instant,
    /// A list of texts, for `any()`.
    Texts,
    /// A list of objects with these properties, for `any()`.
    Objects(&'static [Property]),
}

/// A condition whose properties exist and whose types fit.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
    /// `contains`, `startswith`, `endswith`; a null text contains nothing.
    Match {
        function: Match,
        text: Operand,
        part: Operand,
    },
    /// `list/any()` or `list/any(x: …)`.
    Any {
        list: &'static Property,
        filter: Option<Box<Filter>>,
    },
    Constant(bool),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

/// A text function that is true or false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    Contains,
    StartsWith,
    EndsWith,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Property(&'static Property),
    /// The element that `any` looks at: itself, or a property of it.
    Element(Option<&'static Property>),
    Text(String),
    Integer(i64),
    Instant(DateTime<Utc>),
    Null,
    Lower(Box<Operand>),
    Upper(Box<Operand>),
}

/// One key of a sort order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub property: &'static Property,
    pub descending: bool,
}

/// Why a `$filter` or `$orderby` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {position} in '{text}'.")]
pub struct SyntaxError {
    pub message: String,
    /// Characters from the start of the text, from 0.
    pub position: usize,
    pub text: String,
}
