//! The lenient JSON reader: text that Logic Apps takes for JSON, read as Logic Apps reads it.
//!
//! Logic Apps reads with Newtonsoft's `JsonTextReader`, and playbooks in use depend on what that lets pass: single
//! quotes, keys without quotes, comments, commas too many, values left out, anything after the first value, and an end
//! of the text right after a value, which closes whatever is open. The messages are Newtonsoft's too, with line and
//! position. Valid JSON is read as serde_json reads it.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use serde_json::{Map, Value};

use super::{
    number,
    path::{self, Segment},
};
use crate::limits;

/// Why a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    what: String,
    /// Innermost first.
    path: Vec<Segment>,
    /// `None` where the text ends too early.
    place: Option<Place>,
    scope: Scope,
}

/// What the container around a fault adds to its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The value read last, since the next one is not counted yet.
    Before,
    /// The value that is being read.
    Counted,
    /// Nothing: the fault is at the container's own end.
    Outside,
}

/// A place in a text as Newtonsoft counts: lines from 1, and the UTF-16 units of the line that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub position: usize,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Path '{}'", self.what, path::write(self.path.iter().rev()))?;
        match self.place {
            Some(Place { line, position }) => write!(f, ", line {line}, position {position}."),
            None => f.write_str("."),
        }
    }
}

impl Fault {
    /// The same seen from the container around it, which has read `last` and reads `next`.
    fn within(mut self, last: Option<Segment>, next: Option<Segment>) -> Self {
        self.path.extend(match self.scope {
            Scope::Before => last,
            Scope::Counted => next,
            Scope::Outside => None,
        });
        self.scope = Scope::Counted;
        self
    }
}

/// The value that `text` begins with; null when it holds none at all.
///
/// # Errors
/// The first thing that cannot be read; also values nested deeper than [`limits::VALUE_NESTING`],
/// and more of them than [`limits::JSON_VALUES`].
pub(super) fn read(text: &str) -> Result<Value, Fault> {
    Reader::new(text).document()
}

/// Where the values of these JSON pointers begin in a text that [`read`] takes.
pub(super) fn places<'p>(text: &str, pointers: impl Iterator<Item = &'p str>) -> BTreeMap<String, Place> {
    let mut reader = Reader::new(text);
    reader.wanted = pointers.map(|pointer| (pointer.to_owned(), None)).collect();
    // What cannot be read has no places.
    let _ = reader.document();
    let wanted = std::mem::take(&mut reader.wanted);
    wanted.into_iter().filter_map(|(pointer, at)| Some((pointer, reader.place(at?)))).collect()
}

struct Reader<'t> {
    text: &'t str,
    /// In bytes.
    at: usize,
    depth: usize,
    /// How many values were read.
    values: usize,
    /// Whether anything of a value was read.
    begun: bool,
    /// The values whose places are asked for, by pointer, with the byte after their first token once it is known.
    wanted: BTreeMap<String, Option<usize>>,
    /// The pointer of the value being read; kept only when places are asked for.
    pointer: String,
}

/// How a container begins and ends, and what Newtonsoft calls it.
#[derive(Clone, Copy)]
enum Container {
    Array,
    Object,
}

impl Container {
    fn name(self) -> &'static str {
        match self {
            Self::Array => "Array",
            Self::Object => "Object",
        }
    }
}

const UNEXPECTED_END: &str = "Unexpected end when reading JSON.";

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text: text.strip_prefix('\u{feff}').unwrap_or(text),
            at: 0,
            depth: 0,
            values: 0,
            begun: false,
            wanted: BTreeMap::new(),
            pointer: String::new(),
        }
    }

    fn document(&mut self) -> Result<Value, Fault> {
        self.blank()?;
        match self.peek() {
            None | Some(',') => Ok(Value::Null),
            Some(_) => self.value(None),
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip(&mut self, letter: char) {
        self.at += letter.len_utf8();
    }

    /// A fault at where the reader stands.
    fn fault(&self, what: impl Into<String>) -> Fault {
        Fault { what: what.into(), path: Vec::new(), place: Some(self.place(self.at)), scope: Scope::Before }
    }

    /// The text ends inside of a container where something must follow.
    fn too_short() -> Fault {
        let what = "Unexpected end when reading token.".to_owned();
        Fault { what, path: Vec::new(), place: None, scope: Scope::Counted }
    }

    fn place(&self, at: usize) -> Place {
        let before = &self.text[..at];
        let mut line = 1;
        let mut start = 0;
        let bytes = before.as_bytes();
        for (index, byte) in bytes.iter().enumerate() {
            // `\r\n` is one end of a line.
            if *byte == b'\n' || *byte == b'\r' && self.text.as_bytes().get(index + 1) != Some(&b'\n') {
                line += 1;
                start = index + 1;
            }
        }
        let position = before[start..].encode_utf16().count();
        if !self.begun && position == 0 {
            line = 0;
        }
        Place { line, position }
    }

    /// Skips white space, NUL and comments.
    fn blank(&mut self) -> Result<(), Fault> {
        while let Some(letter) = self.peek() {
            match letter {
                '/' => self.comment()?,
                letter if is_blank(letter) => self.skip(letter),
                _ => break,
            }
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Fault> {
        self.at += 1;
        let end = match self.peek() {
            Some('*') => self.text[self.at + 1..].find("*/").map(|end| self.at + 1 + end + 2),
            Some('/') => {
                let rest = &self.text[self.at..];
                Some(rest.find(['\r', '\n']).map_or(self.text.len(), |end| self.at + end))
            }
            Some(other) => return Err(self.fault(format!("Error parsing comment. Expected: *, got {other}."))),
            None => None,
        };
        self.at = end.unwrap_or(self.text.len());
        if end.is_none() {
            return Err(self.fault("Unexpected end while parsing comment."));
        }
        Ok(())
    }

    /// Reads a value; the reader stands at its first letter. `inside` is the container it stands in.
    fn value(&mut self, inside: Option<Container>) -> Result<Value, Fault> {
        let Some(letter) = self.peek() else { return Err(self.fault(UNEXPECTED_END)) };
        self.count()?;
        let value = match letter {
            '{' => return self.object(),
            '[' => return self.array(),
            '"' | '\'' => Value::String(self.string(letter)?),
            't' => self.word("true", Value::Bool(true), "boolean")?,
            'f' => self.word("false", Value::Bool(false), "boolean")?,
            'n' if self.text[self.at..].starts_with("ne") => return Err(self.unexpected(letter)),
            'n' => self.word("null", Value::Null, "null")?,
            'u' => self.word("undefined", Value::Null, "undefined")?,
            'N' => self.word("NaN", "NaN".into(), "NaN")?,
            'I' => self.word("Infinity", "Infinity".into(), "Infinity")?,
            '-' if self.text[self.at + 1..].starts_with('I') => {
                self.word("-Infinity", "-Infinity".into(), "-Infinity")?
            }
            '-' | '.' => self.number()?,
            letter if letter.is_numeric() => self.number()?,
            ']' | ')' => return Err(self.wrong_end(letter, inside)),
            letter => return Err(self.unexpected(letter)),
        };
        self.begun = true;
        self.note();
        Ok(value)
    }

    /// Counts a value, since each takes many times its letters in memory.
    fn count(&mut self) -> Result<(), Fault> {
        self.values += 1;
        if self.values > limits::JSON_VALUES {
            return Err(self.fault(format!("There are more than {} values.", limits::JSON_VALUES)));
        }
        Ok(())
    }

    /// Remembers where the first token of the present value ended, if that is asked for.
    fn note(&mut self) {
        if let Some(at) = self.wanted.get_mut(&self.pointer) {
            *at = Some(self.at);
        }
    }

    /// Reads something whose pointer goes on with `segment`.
    fn inner(&mut self, segment: &dyn Display, inside: Container) -> Result<Value, Fault> {
        if self.wanted.is_empty() {
            return self.value(Some(inside));
        }
        let length = self.pointer.len();
        self.pointer.push_str(&format!("/{}", segment.to_string().replace('~', "~0").replace('/', "~1")));
        let value = self.value(Some(inside));
        self.pointer.truncate(length);
        value
    }

    fn unexpected(&self, letter: char) -> Fault {
        self.fault(format!("Unexpected character encountered while parsing value: {letter}."))
    }

    /// A closing bracket that closes nothing, or something else.
    fn wrong_end(&mut self, letter: char, inside: Option<Container>) -> Fault {
        self.begun = true;
        self.skip(letter);
        let token = match letter {
            ']' => "EndArray",
            '}' => "EndObject",
            _ => "EndConstructor",
        };
        let open = inside.map_or("None", Container::name);
        let fault = self.fault(format!("JsonToken {token} is not valid for closing JsonType {open}."));
        Fault { scope: Scope::Outside, ..fault }
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.begun = true;
        self.note();
        self.depth += 1;
        if self.depth > limits::VALUE_NESTING {
            return Err(self.fault(format!("The reader's MaxDepth of {} has been exceeded.", limits::VALUE_NESTING)));
        }
        Ok(())
    }

    fn array(&mut self) -> Result<Value, Fault> {
        self.enter()?;
        let mut items = Vec::new();
        let within = |fault: Fault, read: usize| {
            fault.within(read.checked_sub(1).map(Segment::Index), Some(Segment::Index(read)))
        };
        loop {
            self.blank().map_err(|fault| within(fault, items.len()))?;
            match self.peek() {
                None => return Err(Self::too_short()),
                Some(']') => {
                    self.at += 1;
                    break;
                }
                // A value left out is null.
                Some(',') => {
                    self.count().map_err(|fault| within(fault, items.len()))?;
                    items.push(Value::Null);
                }
                Some(_) => {
                    let item = self.inner(&items.len(), Container::Array);
                    items.push(item.map_err(|fault| within(fault, items.len()))?);
                }
            }
            if self.is_last(Container::Array).map_err(|fault| within(fault, items.len()))? {
                break;
            }
        }
        self.depth -= 1;
        Ok(Value::Array(items))
    }

    fn object(&mut self) -> Result<Value, Fault> {
        self.enter()?;
        let mut members = Map::new();
        let mut last = None;
        let within = |fault: Fault, key: &Option<String>| {
            let segment = key.clone().map(Segment::Key);
            fault.within(segment.clone(), segment)
        };
        loop {
            self.blank().map_err(|fault| within(fault, &last))?;
            match self.peek() {
                None => return Err(Self::too_short()),
                Some('}') => {
                    self.at += 1;
                    break;
                }
                Some(letter) => last = Some(self.key(letter).map_err(|fault| within(fault, &last))?),
            }
            self.blank().map_err(|fault| within(fault, &last))?;
            let value = match self.peek() {
                None => return Err(Self::too_short()),
                Some(',') => {
                    self.count().map_err(|fault| within(fault, &last))?;
                    Value::Null
                }
                Some(_) => {
                    let key = last.as_deref().unwrap_or_default();
                    self.inner(&key, Container::Object).map_err(|fault| within(fault, &last))?
                }
            };
            // Of several members of one name the last counts.
            members.insert(last.clone().unwrap_or_default(), value);
            if self.is_last(Container::Object).map_err(|fault| within(fault, &last))? {
                break;
            }
        }
        self.depth -= 1;
        Ok(Value::Object(members))
    }

    /// Goes on behind a value: whether the container ends there. The text may end instead.
    fn is_last(&mut self, container: Container) -> Result<bool, Fault> {
        self.blank()?;
        let Some(letter) = self.peek() else { return Ok(true) };
        match (letter, container) {
            (',', _) => {
                self.at += 1;
                Ok(false)
            }
            (']', Container::Array) | ('}', Container::Object) => {
                self.at += 1;
                Ok(true)
            }
            (']' | '}' | ')', _) => Err(self.wrong_end(letter, Some(container))),
            _ => {
                let what = format!("After parsing a value an unexpected character was encountered: {letter}.");
                Err(self.fault(what))
            }
        }
    }

    /// Reads a member's name and the colon behind it.
    fn key(&mut self, first: char) -> Result<String, Fault> {
        let key = match first {
            '"' | '\'' => self.string(first)?,
            letter if is_of_a_name(letter) => {
                let rest = &self.text[self.at..];
                let end = rest.find(|letter| !is_of_a_name(letter)).unwrap_or(rest.len());
                self.at += end;
                match self.peek() {
                    None => return Err(self.fault("Unexpected end while parsing unquoted property name.")),
                    Some(letter) if letter == ':' || letter.is_whitespace() => rest[..end].to_owned(),
                    Some(letter) => {
                        return Err(self.fault(format!("Invalid JavaScript property identifier character: {letter}.")));
                    }
                }
            }
            letter => return Err(self.fault(format!("Invalid property identifier character: {letter}."))),
        };
        while let Some(letter) = self.peek().filter(|letter| letter.is_whitespace()) {
            self.skip(letter);
        }
        match self.peek() {
            Some(':') => {
                self.at += 1;
                Ok(key)
            }
            Some(letter) => {
                let what = "Invalid character after parsing property name. Expected ':' but got";
                Err(self.fault(format!("{what}: {letter}.")))
            }
            None => Err(self.fault(UNEXPECTED_END)),
        }
    }

    /// Reads a word that must be followed by an end.
    fn word(&mut self, word: &'static str, value: Value, called: &str) -> Result<Value, Fault> {
        let rest = &self.text[self.at..];
        if !rest.starts_with(word) {
            if rest.encode_utf16().take(word.len()).count() < word.len() {
                self.at = self.text.len();
                return Err(self.fault(UNEXPECTED_END));
            }
            self.at += rest.bytes().zip(word.bytes()).take_while(|(is, should)| is == should).count();
            return Err(self.fault(format!("Error parsing {called} value.")));
        }
        self.at += word.len();
        let rest = &self.text[self.at..];
        let separated = rest.is_empty()
            || rest.starts_with(|letter| is_blank(letter) || matches!(letter, '}' | ']' | ','))
            || rest.starts_with("/*")
            || rest.starts_with("//");
        if separated { Ok(value) } else { Err(self.fault(format!("Error parsing {called} value."))) }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let rest = &self.text[self.at..];
        let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '+' | '-' | '.' | 'x' | 'X');
        let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        self.at += end;
        match self.peek() {
            Some(letter) if !is_blank(letter) && !matches!(letter, ',' | '}' | ']' | ')' | '/') => {
                let what = format!("Unexpected character encountered while parsing number: {letter}.");
                return Err(self.fault(what));
            }
            _ => {}
        }
        number::parse(&rest[..end]).ok_or_else(|| {
            self.begun = true;
            let fault = self.fault(format!("Input string '{}' is not a valid number.", &rest[..end]));
            Fault { scope: Scope::Counted, ..fault }
        })
    }

    /// Reads a text that `quote` begins and ends; it may hold line ends and other control characters.
    fn string(&mut self, quote: char) -> Result<String, Fault> {
        self.begun = true;
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = rest.find([quote, '\\']) else {
                self.at = self.text.len();
                return Err(self.fault(format!("Unterminated string. Expected delimiter: {quote}.")));
            };
            out.push_str(&rest[..end]);
            self.at += end + 1;
            if rest[end..].starts_with(quote) {
                return Ok(out);
            }
            let Some(letter) = self.peek() else { continue };
            self.skip(letter);
            out.push(match letter {
                'b' => '\u{8}',
                't' => '\t',
                'n' => '\n',
                'f' => '\u{c}',
                'r' => '\r',
                '\\' | '"' | '\'' | '/' => letter,
                'u' => self.unicode()?,
                _ => return Err(self.fault(format!("Bad JSON escape sequence: \\{letter}."))),
            });
        }
    }

    /// Reads the digits of `\uXXXX`, and those of the second half of a pair. Half a pair is replaced, as no text of ours
    /// can hold it.
    fn unicode(&mut self) -> Result<char, Fault> {
        let unit = self.unit()?;
        if let Some(letter) = char::from_u32(unit.into()) {
            return Ok(letter);
        }
        let after = self.at;
        if (0xD800..0xDC00).contains(&unit) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let pair = [unit, self.unit()?];
            if let Some(Ok(letter)) = char::decode_utf16(pair).next() {
                return Ok(letter);
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn unit(&mut self) -> Result<u16, Fault> {
        let rest = &self.text[self.at..];
        let length = rest.chars().take(4).map(char::len_utf8).sum();
        let digits = &rest[..length];
        if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) && length == 4 {
            self.at += length;
            return Ok(u16::from_str_radix(digits, 16).unwrap_or_default());
        }
        if digits.chars().count() < 4 {
            self.at = self.text.len();
            return Err(self.fault("Unexpected end while parsing Unicode escape sequence."));
        }
        Err(self.fault(format!("Invalid Unicode escape sequence: \\u{digits}.")))
    }
}

fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || letter == '\0'
}

/// Letters a key without quotes may have.
fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$')
}
