//! Tokens → what was written, before anybody asks whether its names exist.

use chrono::{DateTime, Utc};

use super::{
    Fault, Operator,
    lexer::{Lexer, Token, TokenKind},
};
use crate::limits;

/// A part of a text and the byte it begins at.
#[derive(Debug)]
pub(super) struct Node {
    pub at: usize,
    pub what: What,
}

#[derive(Debug)]
pub(super) enum What {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Compare {
        left: Box<Node>,
        operator: Operator,
        right: Box<Node>,
    },
    /// Its parts are the names between the slashes.
    Path(Vec<String>),
    Call {
        function: String,
        arguments: Vec<Node>,
    },
    Any {
        list: Vec<String>,
        lambda: Option<(String, Box<Node>)>,
    },
    Text(String),
    Guid(String),
    Integer(i64),
    Instant(DateTime<Utc>),
    Boolean(bool),
    Null,
}

/// One key of an `$orderby`.
#[derive(Debug)]
pub(super) struct Key {
    pub at: usize,
    pub path: Vec<String>,
    pub descending: bool,
}

/// A whole `$filter`.
pub(super) fn condition(text: &str) -> Result<Node, Fault> {
    let mut parser = Parser::new(text)?;
    let condition = parser.or()?;
    parser.end()?;
    Ok(condition)
}

/// A whole `$orderby`.
pub(super) fn orders(text: &str) -> Result<Vec<Key>, Fault> {
    let mut parser = Parser::new(text)?;
    let mut keys = Vec::new();
    loop {
        let at = parser.token.at;
        let TokenKind::Word(first) = parser.token.kind else { return Err(parser.expression_expected()) };
        parser.advance()?;
        let path = parser.path(first)?;
        let descending = parser.keyword("desc")?;
        if !descending {
            parser.keyword("asc")?;
        }
        keys.push(Key { at, path, descending });
        if keys.len() > limits::ORDER_KEYS {
            return Err(Fault::new(at, format!("More than {} sort keys", limits::ORDER_KEYS)));
        }
        if !parser.take(&TokenKind::Comma)? {
            break;
        }
    }
    parser.end()?;
    Ok(keys)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    token: Token<'t>,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, Fault> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Self { lexer, token, depth: 0 })
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.token = self.lexer.next()?;
        Ok(())
    }

    /// Goes past `kind` if it comes next.
    fn take(&mut self, kind: &TokenKind<'_>) -> Result<bool, Fault> {
        let here = self.token.kind == *kind;
        if here {
            self.advance()?;
        }
        Ok(here)
    }

    /// Goes past this word if it comes next.
    fn keyword(&mut self, word: &str) -> Result<bool, Fault> {
        let here = matches!(self.token.kind, TokenKind::Word(found) if found.eq_ignore_ascii_case(word));
        if here {
            self.advance()?;
        }
        Ok(here)
    }

    fn end(&self) -> Result<(), Fault> {
        if self.token.kind == TokenKind::End { Ok(()) } else { Err(Fault::syntax(self.token.at)) }
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.take(&TokenKind::Close)? {
            return Ok(());
        }
        Err(Fault::new(self.token.at, "')' or operator expected"))
    }

    fn expression_expected(&self) -> Fault {
        Fault::new(self.token.at, "Expression expected")
    }

    /// Reads something that may hold the like of itself.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.depth += 1;
        if self.depth > limits::FILTER_NESTING {
            let message = format!("Recursion depth exceeded allowed limit of {}", limits::FILTER_NESTING);
            return Err(Fault::new(self.token.at, message));
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn or(&mut self) -> Result<Node, Fault> {
        let first = self.and()?;
        let (at, mut nodes) = (first.at, vec![first]);
        while self.keyword("or")? {
            nodes.push(self.and()?);
        }
        Ok(joined(at, nodes, What::Or))
    }

    fn and(&mut self) -> Result<Node, Fault> {
        let first = self.not()?;
        let (at, mut nodes) = (first.at, vec![first]);
        while self.keyword("and")? {
            nodes.push(self.not()?);
        }
        Ok(joined(at, nodes, What::And))
    }

    fn not(&mut self) -> Result<Node, Fault> {
        let at = self.token.at;
        if self.keyword("not")? {
            let inner = self.deeper(Self::not)?;
            return Ok(Node { at, what: What::Not(Box::new(inner)) });
        }
        let left = self.primary()?;
        let TokenKind::Word(word) = self.token.kind else { return Ok(left) };
        let Some(operator) = Operator::parse(word) else { return Ok(left) };
        self.advance()?;
        let right = self.primary()?;
        let what = What::Compare { left: Box::new(left), operator, right: Box::new(right) };
        Ok(Node { at, what })
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        let at = self.token.at;
        let what = match &self.token.kind {
            TokenKind::Open => {
                self.advance()?;
                let inner = self.deeper(Self::or)?;
                self.close()?;
                return Ok(inner);
            }
            TokenKind::Text(text) => What::Text(text.clone()),
            TokenKind::Guid(guid) => What::Guid(guid.clone()),
            TokenKind::Integer(integer) => What::Integer(*integer),
            TokenKind::Instant(instant) => What::Instant(*instant),
            TokenKind::Word(word) => {
                let word = *word;
                self.advance()?;
                return Ok(Node { at, what: self.named(word)? });
            }
            TokenKind::Close | TokenKind::Comma | TokenKind::Colon | TokenKind::Slash | TokenKind::End => {
                return Err(self.expression_expected());
            }
        };
        self.advance()?;
        Ok(Node { at, what })
    }

    /// What begins with a name: a word of the language, a function, a path, a list's `any`.
    fn named(&mut self, first: &str) -> Result<What, Fault> {
        if self.take(&TokenKind::Open)? {
            let arguments = self.deeper(Self::arguments)?;
            return Ok(What::Call { function: first.to_owned(), arguments });
        }
        if self.token.kind != TokenKind::Slash {
            match first.to_ascii_lowercase().as_str() {
                "null" => return Ok(What::Null),
                "true" => return Ok(What::Boolean(true)),
                "false" => return Ok(What::Boolean(false)),
                _ => {}
            }
        }
        let mut path = self.path(first)?;
        let at = self.token.at;
        if !self.take(&TokenKind::Open)? {
            return Ok(What::Path(path));
        }
        match path.pop() {
            Some(function) if function.eq_ignore_ascii_case("any") => {
                let lambda = self.deeper(Self::lambda)?;
                Ok(What::Any { list: path, lambda })
            }
            Some(function) => Err(unknown_function(at - function.len(), &function)),
            None => Err(Fault::syntax(at)),
        }
    }

    /// The names after the first, each behind a slash.
    fn path(&mut self, first: &str) -> Result<Vec<String>, Fault> {
        let mut path = vec![first.to_owned()];
        while self.take(&TokenKind::Slash)? {
            let TokenKind::Word(name) = self.token.kind else { return Err(Fault::syntax(self.token.at)) };
            path.push(name.to_owned());
            self.advance()?;
        }
        Ok(path)
    }

    /// What stands in a function's parentheses; the closing one too.
    fn arguments(&mut self) -> Result<Vec<Node>, Fault> {
        let mut arguments = Vec::new();
        if self.take(&TokenKind::Close)? {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.or()?);
            if self.take(&TokenKind::Close)? {
                return Ok(arguments);
            }
            if !self.take(&TokenKind::Comma)? {
                return Err(Fault::new(self.token.at, "')' or ',' expected"));
            }
        }
    }

    /// What stands in the parentheses of `any`; the closing one too.
    fn lambda(&mut self) -> Result<Option<(String, Box<Node>)>, Fault> {
        if self.take(&TokenKind::Close)? {
            return Ok(None);
        }
        let TokenKind::Word(variable) = self.token.kind else { return Err(self.expression_expected()) };
        self.advance()?;
        if !self.take(&TokenKind::Colon)? {
            return Err(Fault::new(self.token.at, "':' expected"));
        }
        let condition = self.or()?;
        self.close()?;
        Ok(Some((variable.to_owned(), Box::new(condition))))
    }
}

fn joined(at: usize, mut nodes: Vec<Node>, join: impl FnOnce(Vec<Node>) -> What) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            Node { at, what: join(nodes) }
        }
    }
}

pub(super) fn unknown_function(at: usize, name: &str) -> Fault {
    Fault::new(at, format!("An unknown function with name '{name}' was found"))
}
