//! The parser of `@expressions`: one pass over the text, by recursive descent.
//!
//! ```text
//! expr    := literal | root | call postfix*
//! call    := ident '(' [expr (',' expr)*] ')'
//! postfix := ['?'] '.' ident | ['?'] '[' expr ']'
//! root    := trigger | item | request | (actions | variables | parameters) postfix
//! ```

use std::ops::Range;

use serde_json::Value;

use super::{
    ast::{Call, Expr, Key, Link, Written, is_identifier_char},
    error::{CompileError, CompileErrorKind as Kind},
    functions::{self, Function},
};
use crate::limits;

type Parsed<T> = Result<T, CompileError>;

/// Parses a text that is one whole expression, without its leading `@`.
pub(crate) fn expression(text: &str) -> Parsed<Expr> {
    within_length(text, 0..text.len())?;
    let mut parser = Parser::new(text);
    let expr = parser.expression()?;
    parser.space();
    if parser.at < text.len() {
        let error = parser.stray();
        return Err(match error.help {
            Some(_) => error,
            None => error
                .help("'@' makes the whole string one expression: inside text write @{…}, and '@@' for a plain '@'"),
        });
    }
    Ok(expr)
}

/// Parses the expression at the start of `text` up to its closing `}`, whose offset comes back with it.
pub(crate) fn interpolated(text: &str) -> Parsed<(Expr, usize)> {
    let mut parser = Parser::new(text);
    let expr = parser.expression()?;
    parser.space();
    if parser.peek() != Some('}') {
        return Err(parser.stray());
    }
    within_length(&text[..parser.at], 0..parser.at)?;
    Ok((expr, parser.at))
}

fn within_length(text: &str, range: Range<usize>) -> Parsed<()> {
    // Bytes first: counting characters is needed only near the limit.
    if text.len() > limits::EXPRESSION_CHARS && text.chars().count() > limits::EXPRESSION_CHARS {
        let limit = limits::EXPRESSION_CHARS;
        return Err(CompileError::new(Kind::TooLong, range, format!("an expression has at most {limit} characters"))
            .help("split it over several compose actions"));
    }
    Ok(())
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `expected` if it comes next.
    fn take(&mut self, expected: char) -> bool {
        let here = self.peek() == Some(expected);
        if here {
            self.at += expected.len_utf8();
        }
        here
    }

    /// The range of the next character, empty at the end.
    fn here(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    /// What comes next is not what the grammar allows here.
    fn stray(&self) -> CompileError {
        let Some(found) = self.peek() else {
            return CompileError::syntax(self.here(), "the expression ends too early");
        };
        if found == '"' {
            return self.double_quotes();
        }
        let error = CompileError::syntax(self.here(), format!("'{found}' is not expected here"));
        let before = self.text[..self.at].trim_end().chars().next_back();
        let operator = |c: char| matches!(c, '=' | '!' | '<' | '>' | '&' | '|' | '+' | '*' | '/');
        if operator(found) || before.is_some_and(operator) {
            return error.help("there are no operators: write equals(a, b), not(a), and(a, b), add(a, b)");
        }
        match found {
            '{' => error.help("there are no object literals: write json('{…}')"),
            '[' => error.help("there are no array literals: write createArray(…)"),
            _ => error,
        }
    }

    fn double_quotes(&self) -> CompileError {
        let inside = &self.rest()[1..];
        let end = inside.find('"').map_or(self.text.len(), |at| self.at + at + 2);
        CompileError::new(Kind::DoubleQuotes, self.at..end, "strings are written in single quotes")
            .help("write 'text'; a single quote inside it is doubled")
    }

    fn expression(&mut self) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > limits::EXPRESSION_NESTING {
            let limit = limits::EXPRESSION_NESTING;
            let message = format!("an expression is nested at most {limit} deep");
            return Err(CompileError::new(Kind::TooDeep, self.here(), message));
        }
        self.space();
        let expr = match self.peek() {
            Some('\'') => Expr::Literal(Value::String(self.string()?)),
            Some(c) if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => Expr::Literal(self.number()?),
            Some('"') => return Err(self.double_quotes()),
            Some(c) if is_identifier_char(c) => self.named()?,
            _ => return Err(self.stray()),
        };
        self.depth -= 1;
        Ok(expr)
    }

    /// A string in single quotes; two of them stand for one.
    fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let Some(quote) = self.rest().find('\'') else {
                return Err(CompileError::syntax(start..self.text.len(), "the string is not closed")
                    .help("a single quote inside a string is doubled: 'it''s'"));
            };
            out.push_str(&self.rest()[..quote]);
            self.at += quote + 1;
            if !self.take('\'') {
                return Ok(out);
            }
            out.push('\'');
        }
    }

    fn number(&mut self) -> Parsed<Value> {
        let start = self.at;
        let rest = self.rest();
        let length =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).unwrap_or(rest.len());
        let digits = &rest[..length];
        self.at += length;
        number(digits).ok_or_else(|| {
            CompileError::syntax(start..self.at, format!("'{digits}' is not a number"))
                .help("whole numbers have 64 bits; floats are written like 1.5 or 2e3")
        })
    }

    fn identifier(&mut self) -> Parsed<&'t str> {
        let rest = self.rest();
        let length = rest.find(|c| !is_identifier_char(c)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.stray());
        }
        self.at += length;
        Ok(&rest[..length])
    }

    /// Whatever begins with a name: a constant, a root or a call, with the links after it.
    fn named(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let name = self.identifier()?;
        let end = self.at;
        self.space();
        if self.peek() == Some('(') {
            let head = self.call(name, start..end)?;
            return self.chain(head);
        }
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        if is("null") || is("true") || is("false") {
            return Ok(Expr::Literal(if is("null") { Value::Null } else { Value::Bool(is("true")) }));
        }
        let Some(root) = functions::root(name) else {
            return Err(unknown_root(name, start..end));
        };
        let mut arguments = Vec::new();
        let mut range = start..end;
        if root.named {
            let Some(link) = self.link()? else {
                let message = format!("'{}' needs a name after it", root.name);
                return Err(CompileError::new(Kind::UnknownName, range, message)
                    .help(format!("write {0}.NAME or {0}['NAME']", root.name)));
            };
            range.end = link.end;
            arguments.push(match link.key {
                Key::Property(name) => Expr::Literal(Value::String(name)),
                Key::Index(key) => key,
            });
        }
        let call = Call { function: root.function, arguments, written: Written::Bare(root.name), eager: false, range };
        check_name(&call)?;
        self.chain(Expr::Call(call))
    }

    fn call(&mut self, name: &str, at: Range<usize>) -> Parsed<Expr> {
        self.take('(');
        let mut arguments = Vec::new();
        self.space();
        if !self.take(')') {
            loop {
                arguments.push(self.expression()?);
                self.space();
                if self.take(')') {
                    break;
                }
                if !self.take(',') {
                    return Err(match self.peek() {
                        None => CompileError::syntax(at, format!("the parameters of '{name}' are not closed"))
                            .help("add ')'"),
                        Some(_) => self.stray(),
                    });
                }
            }
        }
        let function = resolve(name, &at)?;
        check_count(function, arguments.len(), &at)?;
        let call = Call { function, arguments, written: Written::Call, eager: false, range: at.start..self.at };
        check_name(&call)?;
        Ok(Expr::Call(call))
    }

    fn chain(&mut self, head: Expr) -> Parsed<Expr> {
        let mut links = Vec::new();
        while let Some(link) = self.link()? {
            links.push(link);
        }
        Ok(if links.is_empty() { head } else { Expr::Chain { head: Box::new(head), links } })
    }

    fn link(&mut self) -> Parsed<Option<Link>> {
        let before = self.at;
        self.space();
        let safe = self.take('?');
        if safe {
            self.space();
        }
        let key = if self.take('.') {
            self.space();
            Key::Property(self.identifier()?.to_owned())
        } else if self.take('[') {
            let key = self.expression()?;
            self.space();
            if !self.take(']') {
                return Err(self.stray());
            }
            Key::Index(key)
        } else if safe {
            return Err(CompileError::syntax(before..self.at, "a '?' is followed by .name or [key]"));
        } else {
            self.at = before;
            return Ok(None);
        };
        Ok(Some(Link { key, safe, end: self.at }))
    }
}

/// The value of a number as the language writes it, `.5`, `+.5` and `1.` included.
fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().ok().map(Value::from);
    }
    if digits.contains(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E')) {
        return None;
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
}

/// The function called `name`, or why there is none.
pub(crate) fn resolve(name: &str, at: &Range<usize>) -> Parsed<&'static Function> {
    if let Some(function) = functions::find(name) {
        return Ok(function);
    }
    if functions::is_elsewhere(name) {
        let message = format!("the template function '{name}' is not expected at this location");
        return Err(CompileError::new(Kind::UnsupportedFunction, at.clone(), message));
    }
    let error = CompileError::new(
        Kind::UnknownFunction,
        at.clone(),
        format!("the template function '{name}' is not defined or not valid"),
    );
    let known = functions::functions().iter().map(|function| function.name);
    Err(match crate::diagnostic::nearest(name, known) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None => error,
    })
}

/// Refuses a wrong number of parameters.
pub(crate) fn check_count(function: &'static Function, count: usize, at: &Range<usize>) -> Parsed<()> {
    if count >= function.min && function.max.is_none_or(|max| count <= max) {
        return Ok(());
    }
    let name = function.name;
    let message = if function.max == Some(0) {
        format!("the template language function '{name}' must not have any parameters")
    } else {
        let expected = expected_count(function);
        format!(
            "the template language function '{name}' expects {expected}. The function was invoked with '{count}' parameter(s)"
        )
    };
    Err(CompileError::new(Kind::ParameterCount, at.clone(), message).help(format!("write {}", function.signature)))
}

fn expected_count(function: &Function) -> String {
    const WORDS: [&str; 7] = ["no", "one", "two", "three", "four", "five", "six"];
    let word = |count: usize| WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned());
    let plural = |count: usize| if count == 1 { "parameter" } else { "parameters" };
    match function.max {
        Some(max) if max == function.min => format!("{} {}", word(max), plural(max)),
        Some(max) if max == function.min + 1 => format!("{} or {} parameters", word(function.min), word(max)),
        Some(max) => format!("{} to {} parameters", word(function.min), word(max)),
        None => format!("at least {} {}", word(function.min), plural(function.min)),
    }
}

/// Refuses a reference whose name is written out but is no text: `body(5)`.
pub(crate) fn check_name(call: &Call) -> Parsed<()> {
    match call.arguments.first() {
        Some(Expr::Literal(name)) if call.function.names_something() && !name.is_string() => Err(CompileError::new(
            Kind::UnknownName,
            call.range.clone(),
            format!("'{}' takes a name, written as text", call.function.name),
        )),
        _ => Ok(()),
    }
}

fn unknown_root(name: &str, at: Range<usize>) -> CompileError {
    if functions::find(name).is_some() {
        return CompileError::syntax(at, format!("'{name}' is a function and needs its parameters"))
            .help(format!("write {name}(…)"));
    }
    let error = CompileError::new(Kind::UnknownName, at, format!("nothing is called '{name}' here"));
    match crate::diagnostic::nearest(name, functions::ROOTS.iter().copied().chain(["true", "false", "null"])) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None => error.help("text stands in single quotes: 'text'; a string that only begins with '@' begins with '@@'"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::expression;

    /// Expressions as an author may write them.
    fn written() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<i64>().prop_map(|whole| whole.to_string()),
            (-1e6..1e6).prop_map(|float: f64| format!("{float:?}")),
            "[^']{0,8}".prop_map(|text| format!("'{text}'")),
            Just("'it''s'".to_owned()),
            Just("trigger".to_owned()),
            "[a-z_-]{1,6}".prop_map(|name| format!("actions.{name}")),
            "[a-z ]{1,6}".prop_map(|name| format!("variables['{name}']")),
        ];
        leaf.prop_recursive(5, 40, 3, |inner| {
            let link = prop_oneof![
                ("\\??", "[a-zA-Z$_-]{1,6}").prop_map(|(safe, name)| format!("{safe}.{name}")),
                ("\\??", inner.clone()).prop_map(|(safe, key)| format!("{safe}[{key}]")),
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4)
                    .prop_map(|items| format!("concat({})", items.join(" , "))),
                (inner, proptest::collection::vec(link, 1..4))
                    .prop_map(|(head, links)| format!("first({head}){}", links.concat())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_parsed_prints_as_what_parses_the_same(text in written()) {
            let once = expression(&text).unwrap().to_string();
            let twice = expression(&once).unwrap().to_string();
            prop_assert_eq!(once, twice);
        }
    }
}
