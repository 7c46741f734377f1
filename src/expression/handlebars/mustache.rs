//! Where the `{{…}}` of a template stand in its source, which the parsed template no longer says.

use std::ops::Range;

use crate::{
    expression::{CompileError, CompileErrorKind as Kind},
    limits,
};

/// What a `{{…}}` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Comment,
    /// `{{/name}}`
    Close,
    /// `{{else}}`, `{{^}}`
    Else,
    /// `{{{{`
    Raw,
    /// A block, an expression, a partial or `{{else if …}}`.
    Open,
}

/// One `{{…}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mustache {
    pub(crate) range: Range<usize>,
    pub(crate) role: Role,
}

/// Every `{{…}}` in order. One that is not closed reaches to the end.
pub(crate) fn scan(source: &str) -> Vec<Mustache> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(offset) = source[at..].find("{{") {
        let start = at + offset;
        let backslashes = source[..start].bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes == 1 {
            at = start + if source[start..].starts_with("{{{{") { 4 } else { 2 };
            continue;
        }
        let (role, length) = measure(&source[start..]);
        at = start + length;
        found.push(Mustache { range: start..at, role });
    }
    found
}

/// The role and length of the `{{…}}` that `text` begins with.
fn measure(text: &str) -> (Role, usize) {
    let until = |from: usize, close: &str| text[from..].find(close).map_or(text.len(), |at| from + at + close.len());
    if text.starts_with("{{!--") {
        return (Role::Comment, until(5, "--}}"));
    }
    if text.starts_with("{{!") {
        return (Role::Comment, until(3, "}}"));
    }
    if text.starts_with("{{{{") {
        return (Role::Raw, until(4, "}}}}"));
    }
    let (open, close) = if text.starts_with("{{{") { (3, "}}}") } else { (2, "}}") };
    let length = open + end(&text[open..], close);
    let inside = text[open..length].trim_end_matches('}');
    let inside = inside.trim_matches('~').trim();
    let role = match inside {
        "else" | "^" => Role::Else,
        _ if inside.starts_with('/') => Role::Close,
        _ => Role::Open,
    };
    (role, length)
}

/// The offset just past `close`, which does not count inside a string.
fn end(text: &str, close: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match quote {
            Some(open) if c == open && before != '\\' => quote = None,
            Some(_) => {}
            // A quote inside a word, as in `[it's]`, opens no string.
            None if matches!(c, '\'' | '"')
                && (before.is_whitespace() || matches!(before, '(' | '=' | '[' | ',' | ':')) =>
            {
                quote = Some(c);
            }
            None if text[at..].starts_with(close) => return at + close.len(),
            None => {}
        }
        before = c;
    }
    text.len()
}

/// The first place of `needle` outside of every `{{…}}`.
pub(crate) fn outside(source: &str, needle: &str) -> Option<usize> {
    let mut at = 0;
    for mustache in scan(source) {
        if let Some(found) = source[at..mustache.range.start].find(needle) {
            return Some(at + found);
        }
        at = mustache.range.end;
    }
    source[at..].find(needle).map(|found| at + found)
}

/// Refuses a template nested so deep that parsing it would exhaust the stack.
pub(crate) fn check_depth(source: &str, mustaches: &[Mustache]) -> Result<(), CompileError> {
    let limit = limits::EXPRESSION_NESTING;
    let mut blocks = 0_usize;
    for mustache in mustaches {
        let text = &source[mustache.range.clone()];
        match mustache.role {
            Role::Open if text.trim_start_matches(['{', '~']).trim_start().starts_with('#') => blocks += 1,
            Role::Close => blocks = blocks.saturating_sub(1),
            _ => {}
        }
        let mut brackets = 0_usize;
        for c in text.chars() {
            match c {
                '(' | '[' | '{' => brackets += 1,
                ')' | ']' | '}' => brackets = brackets.saturating_sub(1),
                _ => {}
            }
            if brackets > limit || blocks > limit {
                let message = format!("a template is nested at most {limit} deep");
                return Err(CompileError::new(Kind::TooDeep, mustache.range.clone(), message));
            }
        }
    }
    Ok(())
}
