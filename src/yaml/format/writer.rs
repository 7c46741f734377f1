//! Writes a tree anew, each scalar as it stands in the source, each comment beside or above what it belongs to.

use std::{iter, ops::Range};

use super::source::{Comment, collect, dash, line_start, written};
use crate::yaml::tree::{Entry, Node, Style, Value};

/// Characters of a line that a flow (`{…}`, `[…]`) may fill; a longer one is broken into lines.
const WIDTH: usize = 120;

fn is_block(style: Style) -> bool {
    matches!(style, Style::Literal | Style::Folded)
}

/// Writes a tree anew.
pub(super) struct Writer<'s> {
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
    /// The layout of a tree.
    pub(super) fn write(source: &'s str, comments: Vec<Comment>, root: &Node) -> String {
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
        collect(node, &mut scalars);
        let mut depth = 0;
        let mut at = node.span.start;
        for Range { start, end } in scalars.into_iter().chain(iter::once(self.source.len()..self.source.len())) {
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
                collect(node, &mut scalars);
                self.written = scalars.last().map_or(self.written, |scalar| scalar.end);
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
