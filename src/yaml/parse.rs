//! Parser events to a tree, with everything refused that would make a file say less than it seems to.

use std::{fs, ops::Range, path::Path};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::tree::{Entry, Node, Style, Text, Value};
use crate::{
    diagnostic::{Code, Diagnostic, Faults, Source, codes},
    limits,
};

/// The name a path goes by in messages: as it was given, without a leading `./`.
#[must_use]
pub fn file_name(path: &Path) -> String {
    let name = path.display().to_string();
    name.strip_prefix("./").map(str::to_owned).unwrap_or(name)
}

/// Reads a text file: its size is bounded, a byte order mark is dropped.
///
/// # Errors
/// One fault: it cannot be read, is too large, or is not UTF-8.
pub fn read_file(path: &Path) -> Result<Source, Diagnostic> {
    let name = file_name(path);
    let fault = |code: Code, text: &str, span: Range<usize>, message: String| {
        Diagnostic::new(code, &Source::new(name.clone(), text), span, message)
    };
    let unreadable =
        |error: std::io::Error| fault(codes::UNREADABLE, "", 0..0, format!("cannot read `{name}`: {error}"));
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > limits::PLAYBOOK_BYTES as u64 {
        let message = format!("the file has {size} bytes, at most {} are read", limits::PLAYBOOK_BYTES);
        return Err(fault(codes::TOO_LARGE, "", 0..0, message));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text.strip_prefix('\u{feff}').unwrap_or(&text))),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let message = format!("byte {:#04x} is not UTF-8", bytes.get(valid).copied().unwrap_or_default());
            // The line is shown with the bad bytes replaced; what is before them keeps its place.
            let text = String::from_utf8_lossy(bytes).into_owned();
            Err(fault(codes::NOT_UTF8, &text, valid..valid + 3, message).help("save the file as UTF-8"))
        }
    }
}

/// Reads the one document of a file. What cannot be kept becomes [`Value::Broken`] and a fault, and reading goes on;
/// only a fault of the YAML itself ends it with `None`.
pub fn parse(faults: &mut Faults) -> Option<Node> {
    let source = faults.source().clone();
    if source.text.len() > limits::PLAYBOOK_BYTES {
        let message = format!("the file has {} bytes, at most {} are read", source.text.len(), limits::PLAYBOOK_BYTES);
        faults.add(codes::TOO_LARGE, 0..0, message);
        return None;
    }
    let mut builder =
        Builder { offsets: Offsets::new(&source.text), source: &source, faults, open: Vec::new(), root: None };
    let mut documents = 0;
    for event in Parser::new_from_str(&source.text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let at = builder.offsets.byte(error.marker().index());
                builder.syntax(at, error.info());
                return None;
            }
        };
        let span = builder.offsets.range(&span);
        if let Event::DocumentStart(_) = event {
            documents += 1;
            if documents == 2 {
                let help = Some("write one file for each".to_owned());
                builder.faults.add_with(codes::SEVERAL_DOCUMENTS, span, "a second document begins here", help);
                break;
            }
        } else if !builder.take(event, span) {
            return None;
        }
    }
    Some(builder.root.unwrap_or(Node { span: 0..0, value: Value::Null }))
}

/// Byte offsets of the parser's character offsets.
struct Offsets {
    /// `None` when the text is ASCII and both are the same.
    bytes: Option<Vec<usize>>,
    end: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { bytes, end: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.end),
            None => character.min(self.end),
        }
    }

    fn range(&self, span: &Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}

/// A list or map that is not closed yet.
struct Open {
    span: Range<usize>,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<Key> },
}

/// A key that waits for its value.
enum Key {
    Usable(String, Range<usize>),
    /// Its value is read for faults and dropped.
    Refused,
}

struct Builder<'a> {
    source: &'a Source,
    offsets: Offsets,
    faults: &'a mut Faults,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder<'_> {
    /// Takes one event; false ends the reading.
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> bool {
        match event {
            Event::Alias(_) => {
                self.unused(span.clone(), "an alias (`*name`)", "write the value out");
                self.put(Node { span, value: Value::Broken });
            }
            Event::Scalar(text, style, anchor, tag) => {
                let marked = self.marked(&span, anchor, tag.is_some());
                let value = if marked { Value::Broken } else { self.scalar(&text, style, &span) };
                let span = scalar_span(&self.source.text, span, style);
                self.put(Node { span, value });
            }
            Event::SequenceStart(anchor, tag) => {
                self.marked(&span, anchor, tag.is_some());
                return self.begin(span, OpenKind::List(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.marked(&span, anchor, tag.is_some());
                return self.begin(span, OpenKind::Map { entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.finish(&span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
        true
    }

    fn begin(&mut self, span: Range<usize>, kind: OpenKind) -> bool {
        if self.open.len() >= limits::YAML_NESTING {
            let message = format!("lists and maps are nested deeper than {}", limits::YAML_NESTING);
            self.faults.add(codes::TOO_DEEP, span, message);
            return false;
        }
        self.open.push(Open { span, kind });
        true
    }

    fn finish(&mut self, span: &Range<usize>) {
        let Some(Open { span: start, kind }) = self.open.pop() else { return };
        let value = match kind {
            OpenKind::List(items) => Value::List(items),
            OpenKind::Map { entries, .. } => Value::Map(entries),
        };
        // The end of a block collection is found after the white space that follows it.
        let end = self.source.text.get(..span.end).map_or(span.end, |text| text.trim_end().len());
        self.put(Node { span: start.start..end.max(start.end), value });
    }

    /// Puts a finished value where it belongs: the root, a list, a map's key or its value.
    fn put(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map { entries, key } => match key.take() {
                None => *key = Some(usable_key(node, entries, self.source, self.faults)),
                Some(Key::Usable(name, key_span)) => entries.push(Entry { key: name, key_span, value: node }),
                Some(Key::Refused) => {}
            },
        }
    }

    /// Reports an anchor or a tag; true when there was one.
    fn marked(&mut self, span: &Range<usize>, anchor: usize, tag: bool) -> bool {
        let at = span.start..span.start;
        if anchor != 0 {
            self.unused(at.clone(), "an anchor (`&name`)", "write the value out where it is needed");
        }
        if tag {
            self.unused(at, "a tag (`!name`)", "leave it out: values are typed by how they are written");
        }
        anchor != 0 || tag
    }

    fn unused(&mut self, span: Range<usize>, what: &str, help: &str) {
        self.faults.add_with(codes::UNUSED_FEATURE, span, format!("{what} is not taken here"), Some(help.to_owned()));
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: &Range<usize>) -> Value {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        if style == Style::Plain
            && let Some(value) = plain(text)
        {
            if value == Value::Broken {
                let message = format!("`{text}` is a number that JSON does not have");
                self.faults.add_with(codes::BAD_VALUE, span.clone(), message, Some("quote it to make it text".into()));
            }
            return value;
        }
        Value::Text(Text { value: text.to_owned(), style })
    }

    fn syntax(&mut self, at: usize, info: &str) {
        if info.contains("unknown anchor") {
            return self.unused(at..at + 1, "an alias (`*name`)", "write the value out, or quote the text");
        }
        let line = self.source.line(self.source.position(at).line);
        let help = if line.contains('\t') && line.trim_start_matches(' ').starts_with('\t') {
            Some("YAML is indented with spaces, not with tabs")
        } else if self.source.text.get(at..).is_some_and(|rest| rest.starts_with(['@', '`', '%', '{', '*', '&', '!'])) {
            Some("quote text that begins with a sign")
        } else if line.matches(": ").count() > 1 {
            Some("quote text that holds a colon and a space")
        } else {
            None
        };
        let message = format!("the YAML cannot be read: {}", info.trim_end_matches('.'));
        self.faults.add_with(codes::SYNTAX, at..at, message, help.map(str::to_owned));
    }
}

/// A node in the place of a key.
fn usable_key(node: Node, entries: &[Entry], source: &Source, faults: &mut Faults) -> Key {
    let Node { span, value } = node;
    let name = match value {
        Value::Text(text) => text.value,
        Value::Null | Value::Bool(_) | Value::Number(_) => source.text.get(span.clone()).unwrap_or_default().to_owned(),
        Value::Broken => return Key::Refused,
        Value::List(_) | Value::Map(_) => {
            let help = "quote text that begins with `{` or `[`".to_owned();
            faults.add_with(codes::SYNTAX, span, "a key must be text", Some(help));
            return Key::Refused;
        }
    };
    if name == "<<" {
        let help = Some("write the keys out".to_owned());
        faults.add_with(codes::UNUSED_FEATURE, span, "a merge key (`<<`) is not taken here", help);
        return Key::Refused;
    }
    if let Some(first) = entries.iter().find(|entry| entry.key == name) {
        let line = source.position(first.key_span.start).line;
        let message = format!("`{name}` is already written in line {line}");
        faults.add_with(codes::DUPLICATE_KEY, span, message, Some("keep one of the two".to_owned()));
        return Key::Refused;
    }
    Key::Usable(name, span)
}

/// The value of a plain scalar that is not text; `Broken` for an infinity or a NaN.
fn plain(text: &str) -> Option<Value> {
    let typed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_' | b'~');
    if text.is_empty() {
        return Some(Value::Null);
    }
    // Whatever is longer or holds another sign is text in YAML 1.2.
    if text.len() > 64 || !text.bytes().all(typed) {
        return None;
    }
    match serde_yaml::from_str::<serde_yaml::Value>(text).ok()? {
        serde_yaml::Value::Null => Some(Value::Null),
        serde_yaml::Value::Bool(value) => Some(Value::Bool(value)),
        serde_yaml::Value::Number(number) => Some(match serde_json::to_value(&number) {
            Ok(serde_json::Value::Number(number)) => Value::Number(number),
            _ => Value::Broken,
        }),
        _ => None,
    }
}

/// The bytes of a scalar: without what follows a plain one, and without the line ends after a block.
fn scalar_span(text: &str, span: Range<usize>, style: ScalarStyle) -> Range<usize> {
    match style {
        // The parser counts a comment behind the text as a part of it.
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let closed = text.get(span.clone()).and_then(closing_quote);
            span.start..closed.map_or(span.end, |length| span.start + length)
        }
        // Of a key without a value in a flow, the parser gives the sign after it.
        ScalarStyle::Plain if text.get(span.start..).is_some_and(|rest| rest.starts_with([',', '}', ']'])) => {
            span.start..span.start
        }
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => {
            let written = text.get(span.clone()).unwrap_or_default();
            span.start..span.start + written.trim_end().len()
        }
    }
}

/// The length of a quoted text, its quotes included.
fn closing_quote(written: &str) -> Option<usize> {
    let mut letters = written.char_indices().peekable();
    let (_, quote) = letters.next()?;
    while let Some((at, letter)) = letters.next() {
        let escapes = match letter {
            '\\' => quote == '"',
            '\'' if quote == letter => letters.peek().is_some_and(|(_, next)| *next == quote),
            _ => false,
        };
        if escapes {
            letters.next();
        } else if letter == quote {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        diagnostic::{Faults, Source},
        yaml::{Value, parse},
    };

    #[test]
    fn a_quoted_text_ends_at_its_quote_whatever_it_holds() {
        for (yaml, place) in [
            ("a: 'Tür 🌀' # 'b'", "'Tür 🌀'"),
            ("a: 'it''s ''' # b", "'it''s '''"),
            (r#"a: "Tür \"🌀\\" # "b""#, r#""Tür \"🌀\\""#),
            ("'🌀': 1", "1"),
        ] {
            let source = Source::new("test.yaml", yaml);
            let root = parse(&mut Faults::new(&source)).unwrap();
            let Value::Map(entries) = &root.value else { panic!("{yaml} is a map") };
            assert_eq!(&yaml[entries[0].value.span.clone()], place, "{yaml}");
        }
    }

    #[test]
    fn values_are_typed_by_the_core_rules_of_yaml_1_2() {
        let yaml = "[~, null, '', yes, on, true, 1, -1, 1.5, 1e3, 0x1F, 0o17, 012, '5', 1_000, 2026-11-24, 12:30, a b, \"\\n\"]";
        let root = parse(&mut Faults::new(&Source::new("test.yaml", yaml))).unwrap();
        let wanted = json!([
            null,
            null,
            "",
            "yes",
            "on",
            true,
            1,
            -1,
            1.5,
            1000.0,
            31,
            15,
            "012",
            "5",
            "1_000",
            "2026-11-24",
            "12:30",
            "a b",
            "\n",
        ]);
        assert_eq!(root.to_json(), wanted);
    }
}
