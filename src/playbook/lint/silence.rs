//! `# larum: allow LR0201` on a line, or in the comment above it.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    diagnostic::{Diagnostic, Source},
    yaml::{Node, Value},
};

/// What a comment begins with that silences a lint.
const DIRECTIVE: &str = "# larum: allow ";

/// The comments of a file that silence lints.
pub(super) struct Silence<'p> {
    source: &'p Source,
    root: &'p Node,
    lines: Vec<Line>,
}

#[derive(Default)]
struct Line {
    /// Codes it allows, as `LR0201`.
    allows: BTreeSet<String>,
    /// There is nothing on it but a comment.
    comment: bool,
}

impl<'p> Silence<'p> {
    pub(super) fn of(source: &'p Source, root: &'p Node) -> Self {
        let mut start = 0;
        let lines = source.text.split_inclusive('\n').map(|text| {
            let begins = start;
            start += text.len();
            let mut line = Line { comment: text.trim_start().starts_with('#'), ..Line::default() };
            for (at, _) in text.match_indices(DIRECTIVE) {
                // A `#` begins a comment at the start of a line and after white space, and never inside of a text.
                let comment = text[..at].chars().next_back().is_none_or(char::is_whitespace);
                if comment && text_at(root, begins + at).is_none() {
                    line.allows.extend(codes(&text[at + DIRECTIVE.len()..]));
                }
            }
            line
        });
        Self { source, root, lines: lines.collect() }
    }

    /// Whether a comment silences this warning. In a text of several lines there can be no comment, so for what stands
    /// in one the line where it begins counts as well, and that of its key.
    pub(super) fn covers(&self, warning: &Diagnostic) -> bool {
        let at = warning.span.start;
        let (key, text) = text_at(self.root, at).unwrap_or((at, at..at));
        let code = warning.code.to_string();
        [at, text.start, key].into_iter().any(|at| {
            let line = self.source.position(at).line - 1;
            let above = self.lines[..line.min(self.lines.len())].iter().rev().take_while(|line| line.comment);
            self.lines.get(line).into_iter().chain(above).any(|line| line.allows.contains(&code))
        })
    }
}

/// The codes after the directive, up to the first word that is none.
fn codes(rest: &str) -> impl Iterator<Item = String> {
    let words = rest.split([' ', '\t', ',', ':']).map(str::trim).filter(|word| !word.is_empty());
    let is_code = |word: &&str| {
        word.strip_prefix("LR").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    words.take_while(is_code).map(str::to_owned)
}

/// Where the key of the text stands that a byte of the file belongs to, and where the text does.
fn text_at(node: &Node, at: usize) -> Option<(usize, Range<usize>)> {
    fn find(node: &Node, key: usize, at: usize) -> Option<(usize, Range<usize>)> {
        if !node.span.contains(&at) {
            return None;
        }
        match &node.value {
            Value::Text(_) => Some((key, node.span.clone())),
            Value::List(items) => items.iter().find_map(|item| find(item, item.span.start, at)),
            Value::Map(entries) => entries.iter().find_map(|entry| find(&entry.value, entry.key_span.start, at)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Broken => None,
        }
    }
    find(node, node.span.start, at)
}
