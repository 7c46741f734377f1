//! What of a file's text no tree tells: where its scalars stand, and the comments between them.

use std::{iter, ops::Range};

use crate::yaml::tree::{Node, Value};

/// A scalar as it is written.
pub(super) fn written<'s>(source: &'s str, span: &Range<usize>) -> &'s str {
    source.get(span.clone()).unwrap_or_default()
}

/// The bytes of every scalar, keys among them, in order.
pub(super) fn collect(node: &Node, out: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(item, out)),
        Value::Map(entries) => {
            for entry in entries {
                out.push(entry.key_span.clone());
                collect(&entry.value, out);
            }
        }
        _ if node.span.is_empty() => {}
        _ => out.push(node.span.clone()),
    }
}

/// A comment of the file.
#[derive(Debug, Clone)]
pub(super) struct Comment {
    pub(super) text: String,
    pub(super) start: usize,
    /// Where the scalar before it ends.
    pub(super) after: usize,
    /// How far in it stands where it has a line of its own; `None` beside something.
    pub(super) column: Option<usize>,
}

/// What begins with `#` outside of scalars, after white space.
pub(super) fn comments(text: &str, scalars: &[Range<usize>]) -> Vec<Comment> {
    let mut out = Vec::new();
    let mut after = 0;
    for Range { start, end } in scalars.iter().cloned().chain(iter::once(text.len()..text.len())) {
        let mut at = after;
        while let Some(found) = text.get(at..start).and_then(|gap| gap.find('#')).map(|found| at + found) {
            let begins = text[..found].chars().next_back().is_none_or(char::is_whitespace);
            if !begins {
                at = found + 1;
                continue;
            }
            let line_end = text[found..].find('\n').map_or(text.len(), |length| found + length);
            let line = &text[line_start(text, found)..found];
            let column = line.chars().all(char::is_whitespace).then(|| line.chars().count());
            out.push(Comment { text: text[found..line_end].trim_end().to_owned(), start: found, after, column });
            at = line_end.min(start);
        }
        after = end;
    }
    out
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |line_end| line_end + 1)
}

/// The first dash in a part of the source without scalars: that of a block list's item.
pub(super) fn dash(source: &str, part: Range<usize>) -> Option<usize> {
    let mut in_comment = false;
    let mut before = ' ';
    let start = part.start;
    for (offset, c) in source.get(part)?.char_indices() {
        match c {
            '\n' => in_comment = false,
            '#' if before.is_whitespace() => in_comment = true,
            '-' if !in_comment => return Some(start + offset),
            _ => {}
        }
        before = c;
    }
    None
}
