//! From a place in a text's value to its place in the file.

use std::ops::Range;

use super::tree::{Node, Style, Text, Value};
use crate::diagnostic::Source;

impl Node {
    /// The bytes of the file that a range of this text's value was written in. The whole scalar where the value was
    /// written differently from what it says (folded, or with rare escapes).
    #[must_use]
    pub fn place(&self, source: &Source, range: Range<usize>) -> Range<usize> {
        let Value::Text(text) = &self.value else { return self.span.clone() };
        match places(text, &self.span, &source.text) {
            Some(places) => {
                let at = |offset: usize| places.get(offset.min(text.value.len())).copied();
                let (Some(start), Some(end)) = (at(range.start), at(range.end)) else { return self.span.clone() };
                start..end.max(start)
            }
            None => self.span.clone(),
        }
    }
}

/// For each byte of the value, and its end, the byte of the file; `None` when they cannot be matched one by one.
fn places(text: &Text, span: &Range<usize>, file: &str) -> Option<Vec<usize>> {
    let written = file.get(span.clone())?;
    let places = match text.style {
        Style::Plain => verbatim(written, span.start),
        Style::SingleQuoted => single_quoted(written, span.start)?,
        Style::DoubleQuoted => double_quoted(written, span.start)?,
        Style::Literal => literal(text, span, file)?,
        Style::Folded => return None,
    };
    // What was found must be what the parser read, or the offsets would point anywhere.
    let read = places.bytes == text.value.as_bytes();
    read.then_some(places.at)
}

/// Bytes as read, with where each stands; one more place for the end.
struct Places {
    bytes: Vec<u8>,
    at: Vec<usize>,
}

fn verbatim(written: &str, start: usize) -> Places {
    Places { bytes: written.as_bytes().to_vec(), at: (start..=start + written.len()).collect() }
}

/// `'it''s'`
fn single_quoted(written: &str, start: usize) -> Option<Places> {
    let inner = written.strip_prefix('\'')?.strip_suffix('\'')?.as_bytes();
    let mut places = Places { bytes: Vec::with_capacity(inner.len()), at: Vec::with_capacity(inner.len() + 1) };
    let mut offset = 0;
    while let Some(byte) = inner.get(offset) {
        places.bytes.push(*byte);
        places.at.push(start + 1 + offset);
        offset += if *byte == b'\'' { 2 } else { 1 };
    }
    places.at.push(start + 1 + offset);
    Some(places)
}

/// `"a \"b\"\n"`, with the escapes that are one byte long.
fn double_quoted(written: &str, start: usize) -> Option<Places> {
    let inner = written.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut places = Places { bytes: Vec::with_capacity(inner.len()), at: Vec::with_capacity(inner.len() + 1) };
    let mut offset = 0;
    while let Some(byte) = inner.get(offset) {
        places.at.push(start + 1 + offset);
        if *byte == b'\\' {
            places.bytes.push(match inner.get(offset + 1)? {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                escaped @ (b'"' | b'\\' | b'/' | b' ') => *escaped,
                _ => return None,
            });
            offset += 2;
        } else {
            places.bytes.push(*byte);
            offset += 1;
        }
    }
    places.at.push(start + 1 + offset);
    Some(places)
}

/// A `|` block, which begins at its first line of text: every line stands in the file, further right.
fn literal(text: &Text, span: &Range<usize>, file: &str) -> Option<Places> {
    let line_start = file.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let indent = span.start - line_start;
    let mut places =
        Places { bytes: Vec::with_capacity(text.value.len()), at: Vec::with_capacity(text.value.len() + 1) };
    let mut start = line_start;
    for line in file.get(line_start..span.end)?.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        for (offset, byte) in content.bytes().enumerate().skip(indent) {
            places.bytes.push(byte);
            places.at.push(start + offset);
        }
        places.bytes.push(b'\n');
        places.at.push(start + content.len());
        start += line.len();
    }
    // The line ends after the last line are the parser's to keep or to drop.
    let end = places.at.last().copied()?;
    while places.bytes.len() > text.value.len() && places.bytes.last() == Some(&b'\n') {
        places.bytes.pop();
        places.at.pop();
    }
    while places.bytes.len() < text.value.len() {
        places.bytes.push(b'\n');
        places.at.push(end);
    }
    places.at.push(end);
    Some(places)
}

#[cfg(test)]
mod tests {
    use crate::{
        diagnostic::{Faults, Source},
        yaml::{Value, parse},
    };

    /// What the file says where the value says `needle`.
    fn written(yaml: &str, needle: &str) -> String {
        let source = Source::new("test.yaml", yaml);
        let root = parse(&mut Faults::new(&source)).unwrap();
        let Value::Map(entries) = root.value else { panic!("{yaml}") };
        let node = &entries[0].value;
        let at = node.as_text().unwrap().find(needle).unwrap();
        yaml[node.place(&source, at..at + needle.len())].to_owned()
    }

    #[test]
    fn a_place_in_a_text_is_found_in_the_file() {
        for yaml in [
            "a: some NEEDLE here",
            "a: 'it''s a NEEDLE'",
            "a: 'it''s a NEEDLE'  # 'a' comment",
            "a: \"a \\\"NEEDLE\\\"\" # \"a\" comment\nb: 1",
            "a: \"a \\\"quoted\\\" \\t NEEDLE\"",
            "ä: \"ünïcödé NEEDLE\"",
            "a: |\n  first\n  NEEDLE\nb: 1",
            "a: |\r\n  first\r\n\r\n    indented NEEDLE\r\nb: 1\r\n",
            "a: |+\n    NEEDLE ü\n\n\nb: 1",
            "a: |-\n  ä\n  NEEDLE",
        ] {
            assert_eq!(written(yaml, "NEEDLE"), "NEEDLE", "{yaml}");
        }
    }

    #[test]
    fn where_the_value_is_written_differently_the_whole_text_is_the_place() {
        assert_eq!(written("a: \"\\u0041 NEEDLE\"", "NEEDLE"), "\"\\u0041 NEEDLE\"");
        assert_eq!(written("a: two\n  lines", "lines"), "two\n  lines");
        assert_eq!(written("a: >-\n  two\n  lines\n", "lines"), "two\n  lines");
    }
}
