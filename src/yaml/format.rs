//! The canonical layout of a file: two spaces a level, lists further in than their key, one blank line at most, comments
//! two spaces behind what they stand beside. Scalars stay as they are written, and so do flows that fit in a line.
//!
//! What was laid out is read again: where it would say anything else, or a comment would be missing, the file is refused.

use std::ops::Range;

use super::{
    parse,
    tree::{Entry, Node, Style, Value},
};
use crate::diagnostic::{Faults, Source};

/// Characters of a line that a flow (`{…}`, `[…]`) may fill; a longer one is broken into lines.
const WIDTH: usize = 120;

/// Why a file is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFormatted {
    /// It cannot be read, for which [`parse`] has the faults.
    #[error("it has faults that `larum check` shows")]
    Faulty,
    /// The new layout would not say the same.
    #[error("the new layout would not be the same playbook; please report the file")]
    Unsafe,
}

/// The canonical layout of a file's text. Its line ends and its byte order mark stay what they are.
///
/// # Errors
/// Why it has none.
pub fn format(text: &str) -> Result<String, NotFormatted> {
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let windows = body.contains("\r\n");
    let unix = body.replace("\r\n", "\n");
    // A lone carriage return is a line end too, and a directive says how the rest is read.
    if unix.contains('\r') || unix.starts_with('%') {
        return Err(NotFormatted::Unsafe);
    }
    let (before, root) = read(&unix)?;
    let out = match &root {
        Some(root) => Writer::write(&unix, before.clone(), root),
        None => unix.clone(),
    };
    let (after, again) = read(&out).map_err(|_| NotFormatted::Unsafe)?;
    let same = match (&root, &again) {
        (Some(root), Some(again)) => is_same(root, again),
        (None, None) => true,
        _ => false,
    };
    let texts = |comments: &[Comment]| comments.iter().map(|comment| comment.text.clone()).collect::<Vec<_>>();
    if !same || texts(&before) != texts(&after) {
        return Err(NotFormatted::Unsafe);
    }
    Ok(format!("{mark}{}", if windows { out.replace('\n', "\r\n") } else { out }))
}

/// A text's comments and its tree, without one where it says nothing.
fn read(text: &str) -> Result<(Vec<Comment>, Option<Node>), NotFormatted> {
    let source = Source::new("", text);
    let mut faults = Faults::new(&source);
    let root = parse(&mut faults);
    if faults.count() > 0 {
        return Err(NotFormatted::Faulty);
    }
    let root = root.filter(|root| root.value != Value::Null);
    let mut scalars = Vec::new();
    if let Some(root) = &root {
        collect(text, root, &mut scalars);
    }
    Ok((comments(text, &scalars), root))
}

/// Whether two trees say the same, written in the same style.
fn is_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.into_iter().all(|(one, other)| one.key == other.key && is_same(&one.value, &other.value))
        }
        (one, other) => one == other,
    }
}

/// A scalar as it is written; the parser's mark of a quoted one may lie behind the comment after it.
fn written<'s>(source: &'s str, span: &Range<usize>) -> &'s str {
    let text = source.get(span.clone()).unwrap_or_default();
    let Some(quote @ ('"' | '\'')) = text.chars().next() else { return text.trim_end() };
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        if c == quote && (quote == '"' || next != Some(quote)) {
            return &text[..=at];
        }
        // An escaped sign, or a doubled quote.
        if c == quote || c == '\\' && quote == '"' {
            rest.next();
        }
    }
    text.trim_end()
}

fn is_block(style: Style) -> bool {
    matches!(style, Style::Literal | Style::Folded)
}

/// The bytes of every scalar, keys among them, in order.
fn collect(source: &str, node: &Node, out: &mut Vec<(usize, usize)>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| collect(source, item, out)),
        Value::Map(entries) => {
            for entry in entries {
                let start = entry.key_span.start;
                out.push((start, start + written(source, &entry.key_span).len()));
                collect(source, &entry.value, out);
            }
        }
        _ if node.span.is_empty() => {}
        // The text of a block may begin with a quote.
        Value::Text(text) if is_block(text.style) => out.push((node.span.start, node.span.end)),
        _ => out.push((node.span.start, node.span.start + written(source, &node.span).len())),
    }
}

/// A comment of the file.
#[derive(Debug, Clone)]
struct Comment {
    text: String,
    start: usize,
    /// Where the scalar before it ends.
    after: usize,
    /// How far in it stands where it has a line of its own; `None` beside something.
    column: Option<usize>,
}

/// What begins with `#` outside of scalars, after white space.
fn comments(text: &str, scalars: &[(usize, usize)]) -> Vec<Comment> {
    let mut out = Vec::new();
    let mut after = 0;
    for (start, end) in scalars.iter().copied().chain([(text.len(), text.len())]) {
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

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |line_end| line_end + 1)
}

/// The first dash in a part of the source without scalars: that of a block list's item.
fn dash(source: &str, part: Range<usize>) -> Option<usize> {
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

/// Writes a tree anew.
struct Writer<'s> {
    source: &'s str,
    comments: Vec<Comment>,
    /// The first one that is still to be written.
    next: usize,
    out: String,
    /// Where the last scalar that was written ends in the source.
    written: usize,
    /// A block ended that keeps its last line ends, so that a blank line would count.
    kept: bool,
}

impl<'s> Writer<'s> {
    fn write(source: &'s str, comments: Vec<Comment>, root: &Node) -> String {
        let mut writer = Self { source, comments, next: 0, out: String::new(), written: 0, kept: false };
        let is_flow = writer.is_flow(root);
        if is_flow {
            writer.before(root.span.start, 0, true);
        }
        match &root.value {
            Value::Map(entries) if !entries.is_empty() && writer.line_of(root).is_none() => {
                writer.map(entries, 0, false);
            }
            Value::List(items) if !items.is_empty() && writer.line_of(root).is_none() => writer.list(items, 0),
            _ => {
                writer.before(root.span.start, 0, true);
                writer.value(root, 0, 0);
            }
        }
        if is_flow {
            writer.end(root, 0, 0);
        }
        writer.before(source.len(), 0, false);
        writer.out
    }

    /// Writes the comments that stand before `start`, then a blank line where there was one.
    fn before(&mut self, start: usize, indent: usize, first: bool) {
        let mut first = first;
        while let Some(comment) = self.comment(|comment| comment.start < start) {
            self.blank(comment.start, first);
            self.own_line(&comment.text, indent);
            first = false;
        }
        if start < self.source.len() {
            self.blank(start, first);
        }
    }

    /// The next comment, where it is as wanted; it then counts as written.
    fn comment(&mut self, wanted: impl Fn(&Comment) -> bool) -> Option<Comment> {
        let found = self.comments.get(self.next).filter(|comment| wanted(comment)).cloned();
        self.next += usize::from(found.is_some());
        found
    }

    fn own_line(&mut self, text: &str, indent: usize) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(text);
        self.out.push('\n');
        self.kept = false;
    }

    /// A blank line where the source has one before what begins at `at`.
    fn blank(&mut self, at: usize, first: bool) {
        let start = line_start(self.source, at);
        let alone = self.source[start..at].chars().all(|c| c.is_whitespace() || c == '-');
        let above = start.saturating_sub(1);
        let above = line_start(self.source, above)..above;
        // Spaces in a block are text.
        let is_blank = start > 0 && above.start >= self.written && self.source[above].trim().is_empty();
        if alone && is_blank && !first && !self.kept && !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Ends a line, with the comment that stands beside what was written last.
    fn end_line(&mut self) {
        let (source, written) = (self.source, self.written);
        let beside = |comment: &Comment| {
            // Where it stands before the value, it is held against the key.
            let from = if written <= comment.start { written } else { comment.after };
            comment.column.is_none() && comment.after <= written && !source[from..comment.start].contains('\n')
        };
        if let Some(comment) = self.comment(beside) {
            self.out.push_str("  ");
            self.out.push_str(&comment.text);
        }
        self.out.push('\n');
        self.kept = false;
    }

    /// Writes the comments at the end of a list or map: those that stand as far in as its entries.
    fn after(&mut self, indent: usize, column: usize) {
        let written = self.written;
        let source = self.source;
        // Behind a dash it belongs to the next item.
        let inside = |comment: &Comment| {
            let own = comment.column.is_some_and(|own| own >= column);
            own && comment.after <= written && dash(source, written..comment.start).is_none()
        };
        while let Some(comment) = self.comment(inside) {
            self.blank(comment.start, false);
            self.own_line(&comment.text, indent);
        }
    }

    fn column(&self, at: usize) -> usize {
        self.source[line_start(self.source, at)..at].chars().count()
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.source[node.span.start..].starts_with(['{', '['])
    }

    /// Where a flow ends: its parser's mark may lie behind a comment.
    fn flow_end(&self, node: &Node) -> usize {
        let mut scalars = Vec::new();
        collect(self.source, node, &mut scalars);
        let mut depth = 0;
        let mut at = node.span.start;
        for (start, end) in scalars.into_iter().chain([(self.source.len(), self.source.len())]) {
            let mut in_comment = false;
            let mut before = ' ';
            for (offset, c) in self.source.get(at..start).unwrap_or_default().char_indices() {
                match c {
                    '\n' => in_comment = false,
                    '#' if before.is_whitespace() => in_comment = true,
                    '{' | '[' if !in_comment => depth += 1,
                    '}' | ']' if !in_comment => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    return at + offset + 1;
                }
                before = c;
            }
            at = end;
        }
        node.span.end
    }

    /// Writes the entries of a map; the first one goes on in the line where there is a dash before it.
    fn map(&mut self, entries: &[Entry], indent: usize, dash: bool) {
        for (index, entry) in entries.iter().enumerate() {
            if index > 0 || !dash {
                self.before(entry.key_span.start, indent, index == 0 && indent > 0);
                self.out.push_str(&" ".repeat(indent));
            }
            let key = written(self.source, &entry.key_span);
            self.out.push_str(key);
            self.out.push(':');
            self.written = entry.key_span.start + key.len();
            let column = entries.first().map_or(0, |first| self.column(first.key_span.start));
            self.value(&entry.value, indent, column);
        }
    }

    /// Writes the items of a list.
    fn list(&mut self, items: &[Node], indent: usize) {
        for (index, item) in items.iter().enumerate() {
            let dash = dash(self.source, self.written..item.span.start);
            self.before(dash.unwrap_or(item.span.start), indent, index == 0 && indent > 0);
            self.out.push_str(&" ".repeat(indent));
            self.out.push('-');
            self.written = dash.map_or(self.written, |dash| dash + 1);
            match &item.value {
                Value::Map(entries)
                    if !entries.is_empty() && self.line_of(item).is_none() && !self.comment_before(item) =>
                {
                    self.out.push(' ');
                    self.map(entries, indent + 2, true);
                    self.end(item, indent + 2, self.column(entries[0].key_span.start));
                }
                _ => self.value(item, indent, 0),
            }
        }
    }

    fn comment_before(&self, node: &Node) -> bool {
        self.comments.get(self.next).is_some_and(|comment| comment.start < node.span.start)
    }

    /// Writes what ends a list or map of the source.
    fn end(&mut self, node: &Node, indent: usize, column: usize) {
        if self.is_flow(node) {
            let end = self.flow_end(node);
            while let Some(comment) = self.comment(|comment| comment.start < end) {
                self.own_line(&comment.text, indent);
            }
        } else {
            self.after(indent, column);
        }
    }

    /// Writes a value after a key or a dash, to the end of its line or lines. `column` is where the keys around it stand
    /// in the source.
    fn value(&mut self, node: &Node, indent: usize, column: usize) {
        match &node.value {
            Value::Map(entries) if !entries.is_empty() && self.line_of(node).is_none() => {
                self.end_line();
                self.map(entries, indent + 2, false);
                self.end(node, indent + 2, self.column(entries[0].key_span.start));
            }
            Value::List(items) if !items.is_empty() && self.line_of(node).is_none() => {
                self.end_line();
                self.list(items, indent + 2);
                let line = &self.source[line_start(self.source, items[0].span.start)..];
                let own = line.chars().take_while(|c| *c == ' ').count();
                self.end(node, indent + 2, own.max(column + 1));
            }
            Value::Map(_) | Value::List(_) => {
                let line = self.line_of(node).unwrap_or_default();
                self.lift(node.span.start);
                self.space();
                self.out.push_str(&line);
                let mut scalars = Vec::new();
                collect(self.source, node, &mut scalars);
                self.written = scalars.last().map_or(self.written, |(_, end)| *end);
                self.end_line();
            }
            Value::Text(text) if is_block(text.style) => {
                self.block(node, &text.value, indent);
            }
            _ => self.scalar(node, indent),
        }
    }

    fn space(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push(' ');
        }
    }

    fn scalar(&mut self, node: &Node, indent: usize) {
        let text = written(self.source, &node.span);
        if !text.is_empty() {
            self.lift(node.span.start);
            self.space();
            let mut lines = text.split('\n');
            self.out.push_str(lines.next().unwrap_or_default());
            for line in lines {
                self.out.push('\n');
                let line = line.trim_start_matches([' ', '\t']);
                if !line.is_empty() {
                    self.out.push_str(&" ".repeat(indent + 2));
                    self.out.push_str(line);
                }
            }
            self.written = node.span.start + text.len();
        }
        self.end_line();
    }

    /// Puts comments that stand in lines of their own between a key or dash and its value, and those before them, above
    /// the line that is being written.
    fn lift(&mut self, start: usize) {
        let waiting = self.comments.get(self.next..).unwrap_or_default();
        let between = &waiting[..waiting.partition_point(|comment| comment.start < start)];
        let Some(last) = between.iter().rposition(|comment| comment.column.is_some()) else { return };
        let at = line_start(&self.out, self.out.len());
        let indent: String = self.out[at..].chars().take_while(|c| *c == ' ').collect();
        let lines: String = waiting[..=last].iter().map(|comment| format!("{indent}{}\n", comment.text)).collect();
        self.out.insert_str(at, &lines);
        self.next += last + 1;
    }

    /// Where the header of a block begins, after the key or dash that was written.
    fn header(&self) -> usize {
        let mut at = self.written;
        loop {
            let rest = &self.source[at..];
            let skipped = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ':');
            at += rest.len() - skipped.len();
            match skipped.strip_prefix('#').map(|comment| comment.find('\n')) {
                Some(Some(length)) => at += 1 + length,
                _ => return at,
            }
        }
    }

    /// Writes a `|` or `>` block; its lines keep their places relative to each other.
    fn block(&mut self, node: &Node, value: &str, indent: usize) {
        let at = self.header();
        self.lift(at);
        let header = self.source[at..].split([' ', '\t', '#', '\n']).next().unwrap_or_default();
        self.space();
        // How far its lines stand further in is now two.
        self.out.extend(header.chars().map(|c| if c.is_ascii_digit() { '2' } else { c }));
        self.end_line();
        self.kept = header.contains('+');
        let ends = value.len() - value.trim_end_matches('\n').len();
        if ends == value.len() {
            self.written = at + header.len();
            self.out.push_str(&"\n".repeat(ends));
            return;
        }
        let before = &self.source[at..node.span.start];
        let start = line_start(self.source, node.span.start);
        let blank = before[before.trim_end().len()..].matches('\n').count().saturating_sub(1);
        self.out.push_str(&"\n".repeat(blank));
        let column = node.span.start - start;
        self.written = self.block_end(node, column);
        for line in self.source[start..self.written].split('\n') {
            if let Some(text) = line.get(column..).filter(|text| !text.is_empty()) {
                self.out.push_str(&" ".repeat(indent + 2));
                self.out.push_str(text);
            }
            self.out.push('\n');
        }
        if self.kept {
            self.out.push_str(&"\n".repeat(ends.saturating_sub(1)));
        }
    }

    /// Where the last line of a block ends that says something: spaces are text where they stand behind some, or further in.
    fn block_end(&self, node: &Node, column: usize) -> usize {
        let mut at = node.span.end;
        let mut end = at;
        for (index, line) in self.source[at..].split('\n').enumerate() {
            if !line.trim().is_empty() {
                break;
            }
            at += line.len();
            if index == 0 || line.len() > column {
                end = at;
            }
            at += 1;
        }
        end
    }

    /// A flow in one line, where it was written as one, holds no comment and fits behind what stands in the line.
    fn line_of(&self, node: &Node) -> Option<String> {
        if !self.is_flow(node) {
            return None;
        }
        let mut line = String::new();
        let is_empty = matches!(&node.value, Value::Map(entries) if entries.is_empty())
            || matches!(&node.value, Value::List(items) if items.is_empty());
        let commented = self.comments.get(self.next).is_some_and(|comment| comment.start < self.flow_end(node));
        let broken = commented && !is_empty;
        let column = self.out[line_start(&self.out, self.out.len())..].chars().count();
        let fits = self.flow(node, &mut line) && column + 1 + line.chars().count() <= WIDTH;
        (!broken && (fits || is_empty)).then_some(line)
    }

    /// Puts a flow into one line; false where it does not go.
    fn flow(&self, node: &Node, out: &mut String) -> bool {
        match &node.value {
            Value::Map(entries) => {
                out.push('{');
                for (index, entry) in entries.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    let key = written(self.source, &entry.key_span);
                    out.push_str(key);
                    // `{a}` is a map too.
                    let behind = &self.source[entry.key_span.start + key.len()..];
                    if !entry.value.span.is_empty() || behind.trim_start().starts_with(':') {
                        out.push_str(": ");
                    }
                    if !self.flow(&entry.value, out) {
                        return false;
                    }
                }
                out.push('}');
                true
            }
            Value::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    if item.span.is_empty() || !self.flow(item, out) {
                        return false;
                    }
                }
                out.push(']');
                true
            }
            _ => {
                let text = written(self.source, &node.span);
                out.push_str(text);
                !text.contains('\n')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn flows_are_broken_where_they_hold_a_comment_or_do_not_fit() {
        let messy = "a:   [x,\n   y]   # beside\nb: {c: 1, # one\n  d: [2,3], # two\n  # last\n }\ne: { }\n";
        insta::assert_snapshot!(format(messy).unwrap());
    }

    #[test]
    fn comments_and_blank_lines_stay_where_they_belong() {
        let messy = "\n\n# head\n\n\nname:    x   # the name\nactions:   # what it does\n- id: a     # first\n  if: x\n\n\n  # before then\n  then:\n    -   id: b\n        # under b\n    # end of then\n# about the trigger\n\ntrigger:\n      manual:   {}\n#end";
        insta::assert_snapshot!(format(messy).unwrap());
    }

    #[test]
    fn blocks_keep_their_lines() {
        let messy = "a: |  # how\n       one\n         two\n\n       three\nb: >-\n # no comment\n folded\n\nc: |+\n  kept\n\n\nd: |2\n   first is further in\n  second\ne: \"quoted\n   over lines\"\nf: plain\n  over lines\n";
        insta::assert_snapshot!(format(messy).unwrap());
    }

    #[test]
    fn blocks_that_hold_nothing_or_end_in_spaces_are_laid_out_once() {
        for (messy, tidy) in [
            ("a: |\nb: 1\n", "a: |\nb: 1\n"),
            ("a: |\n\n\n# c\nb: 1\n", "a: |\n\n# c\nb: 1\n"),
            ("b: 1\na:   |", "b: 1\na: |\n"),
            ("b: 1\na: |+\n\n\n", "b: 1\na: |+\n\n\n"),
            ("a: >+  # c\n\n\nb: 1\n", "a: >+  # c\n\n\nb: 1\n"),
            ("- |-\n- >2\n- x\n", "- |-\n- >2\n- x\n"),
            ("a: |\n    one \nb: 1\n", "a: |\n  one \nb: 1\n"),
            ("a: |\n    one\n      \n\nb: 1\n", "a: |\n  one\n    \n\nb: 1\n"),
            ("a: |\n \"one\" # text\nb: 1\n", "a: |\n  \"one\" # text\nb: 1\n"),
            ("a: |2\n     \nb: 1\n", "a: |2\n     \nb: 1\n"),
        ] {
            assert_eq!(format(messy).as_deref(), Ok(tidy), "{messy}");
            assert_eq!(format(tidy).as_deref(), Ok(tidy));
        }
    }

    #[test]
    fn a_whole_file_in_a_flow_and_comments_before_a_value_are_laid_out_once() {
        for (messy, tidy) in [
            ("{b, c: 1}\n", "{b, c: 1}\n"),
            ("a: {b, c: }\n", "a: {b, c: }\n"),
            ("{a: 1, # c\n b: 2}\n", "a: 1  # c\nb: 2\n"),
            ("# head\n\n{ # c\n\n a: 1\n # d\n}\n# e\n", "# head\n\n# c\n\na: 1\n# d\n# e\n"),
            ("[1, # c\n 2]\n", "- 1  # c\n- 2\n"),
            ("with:   # one\n  # two\n  x\n", "# one\n# two\nwith: x\n"),
            ("a:\n  -\n    # three\n    {}\n", "a:\n  # three\n  - {}\n"),
            ("a: # one\n  # two\n  |\n  x\n", "# one\n# two\na: |\n  x\n"),
        ] {
            assert_eq!(format(messy).as_deref(), Ok(tidy), "{messy}");
            assert_eq!(format(tidy).as_deref(), Ok(tidy));
        }
    }
}
