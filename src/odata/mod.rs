//! OData `$filter` and `$orderby`, as Sentinel's clients send them: text → a checked condition. What is in a collection is
//! told by its [`Property`] table; the store turns the condition into SQL.
//!
//! ```text
//! or       := and ('or' and)*
//! and      := not ('and' not)*
//! not      := 'not' not | primary [('eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le') primary]
//! primary  := '(' or ')' | literal | path | path '/any(' [name ':' or] ')' | name '(' primary (',' primary)* ')'
//! path     := name ('/' name)*
//! ```
//!
//! Names of properties, operators and functions compare ignoring case, as all names in Azure's addresses do. A condition is
//! true or false and nothing between: with a null, `eq` is true for two nulls only, `ne` is its opposite, every other
//! comparison and text function is false, and `not` turns that round. Texts compare by their code points.

mod bind;
mod lexer;
mod parser;

use chrono::{DateTime, Utc};

use crate::limits;

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
    /// A text; its case counts.
    Text,
    /// A GUID or the name of a resource; ASCII case does not count when it is compared or sorted by.
    Name,
    /// One of these; case does not count. They are in their order: `gt` and sorting go by it.
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
    /// At least one side is no literal, and a literal is on the right. A text compared with a [`Kind::Choice`] is
    /// one of its values as the table writes it.
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

impl Operator {
    const ALL: [(&'static str, Self); 6] =
        [("eq", Self::Eq), ("ne", Self::Ne), ("gt", Self::Gt), ("ge", Self::Ge), ("lt", Self::Lt), ("le", Self::Le)];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, operator)| *operator)
    }

    /// How it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(name, _)| name)
    }

    /// The operator that says the same when left and right change places.
    #[must_use]
    pub fn flipped(self) -> Self {
        match self {
            Self::Eq | Self::Ne => self,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
        }
    }

    /// Whether it holds between two values that are in this order.
    #[must_use]
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
        }
    }
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
    /// The element that an `any` looks at, or a property of it. The outermost `any` around it is 0.
    Element {
        any: usize,
        property: Option<&'static Property>,
    },
    Text(String),
    Integer(i64),
    Instant(DateTime<Utc>),
    Null,
    /// Unicode's lower case of a text.
    Lower(Box<Operand>),
    /// Unicode's upper case of a text.
    Upper(Box<Operand>),
}

/// One key of a sort order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub property: &'static Property,
    pub descending: bool,
}

/// Why a `$filter` or `$orderby` cannot be used, in the words of Microsoft's own OData library where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {position} in '{text}'.")]
pub struct SyntaxError {
    pub message: String,
    /// Of what is wrong: characters from the start of the text, the first is 1.
    pub position: usize,
    /// The text, cut when it is long.
    pub text: String,
}

impl Filter {
    /// Reads a `$filter` over a collection with these properties.
    ///
    /// # Errors
    /// The first thing that is no OData, or else the first name or type that does not fit.
    pub fn parse(text: &str, properties: &'static [Property]) -> Result<Self, SyntaxError> {
        within_length(text)
            .and_then(|()| parser::condition(text))
            .and_then(|condition| bind::filter(&condition, properties))
            .map_err(|fault| fault.of(text))
    }
}

impl Order {
    /// Reads an `$orderby` over a collection with these properties: `a, b desc, c asc`.
    ///
    /// # Errors
    /// As for [`Filter::parse`]; also when it has more than [`limits::ORDER_KEYS`] keys.
    pub fn parse(text: &str, properties: &'static [Property]) -> Result<Vec<Self>, SyntaxError> {
        within_length(text)
            .and_then(|()| parser::orders(text))
            .and_then(|keys| bind::orders(&keys, properties))
            .map_err(|fault| fault.of(text))
    }
}

fn within_length(text: &str) -> Result<(), Fault> {
    match text.char_indices().nth(limits::FILTER_CHARS) {
        Some((at, _)) => {
            Err(Fault::new(at, format!("The expression is longer than {} characters", limits::FILTER_CHARS)))
        }
        None => Ok(()),
    }
}

/// A fault and the byte it is at.
#[derive(Debug)]
struct Fault {
    at: usize,
    message: String,
}

impl Fault {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    fn syntax(at: usize) -> Self {
        Self::new(at, "Syntax error")
    }

    fn of(self, text: &str) -> SyntaxError {
        let position = text[..self.at].chars().count() + 1;
        let text = match text.char_indices().nth(limits::FILTER_SHOWN_CHARS) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text.to_owned(),
        };
        SyntaxError { message: self.message, position, text }
    }
}
