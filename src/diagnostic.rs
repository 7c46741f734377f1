//! The author's faults: what is wrong, in which file, at which line and column, and what to do about it.
//!
//! Each kind of fault has a stable code and a page in `docs/codes/`. The world's faults (a server that does not
//! answer) are ordinary errors and live with whoever met them.

pub mod codes;

use std::{fmt, ops::Range, sync::Arc};

use serde::Serialize;

/// A text that faults point into, with the name the author knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path as the author gave it.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// A source called `name`.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Line and column (both from 1, columns in characters) of a byte offset; an offset past the end means the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The text of a line, counted from 1, without its line break.
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default()
    }
}

/// A place in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A stable number of a kind of fault, printed as `LR0007`; its page is `docs/codes/LR0007.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// How much it matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        if self.0 < codes::MIXED_LETTER_CASE.0 { Severity::Error } else { Severity::Warning }
    }
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// It can, and does something that is seldom meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LR{:04}", self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One fault of the author's, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of fault.
    pub code: Code,
    /// What is wrong, in one lower-case sentence without a full stop.
    pub message: String,
    /// The file.
    pub source: Source,
    /// The bytes of the file that are at fault.
    pub span: Range<usize>,
    /// What to do, or a near name; shown under the line.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A fault of kind `code` at `span` of `source`.
    pub fn new(code: Code, source: &Source, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: source.clone(), span, help: None }
    }

    /// The same with a sentence on what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where the fault begins.
    #[must_use]
    pub fn position(&self) -> Position {
        self.source.position(self.span.start)
    }

    /// How many characters of the first line are underlined, at least one.
    fn width(&self) -> usize {
        let text = &self.source.text;
        let start = self.span.start.min(text.len());
        let end = self.span.end.clamp(start, text.len());
        let piece = text.get(start..end).unwrap_or_default();
        piece.lines().next().unwrap_or_default().chars().count().max(1)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position();
        let gutter = line.to_string().len();
        writeln!(f, "{}[{}]: {}", self.code.severity(), self.code, self.message)?;
        writeln!(f, "{:gutter$}--> {}:{line}:{column}", "", self.source.name)?;
        writeln!(f, "{:gutter$} |", "")?;
        let (text, indent, width) = window(self.source.line(line), column - 1, self.width());
        writeln!(f, "{line} | {text}")?;
        write!(f, "{:gutter$} | {:indent$}{}", "", "", "^".repeat(width))?;
        if let Some(help) = &self.help {
            write!(f, "\n{:gutter$} = {help}", "")?;
        }
        Ok(())
    }
}

/// Characters of a source line that are shown; of a longer one the part around the fault.
const SHOWN: usize = 160;

/// The shown part of a line, how far in it the fault begins, and how much of it is underlined.
fn window(line: &str, column: usize, width: usize) -> (String, usize, usize) {
    // A tab is one character wide here as in the column, so that the underline stands right.
    let line: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    if line.len() <= SHOWN {
        return (line.into_iter().collect(), column, width);
    }
    let start = column.saturating_sub(SHOWN / 3).min(line.len() - SHOWN);
    let mut text: String = line[start..start + SHOWN].iter().collect();
    let mut indent = column - start;
    if start > 0 {
        text.insert(0, '…');
        indent += 1;
    }
    if start + SHOWN < line.len() {
        text.push('…');
    }
    (text, indent, width.min(SHOWN + start - column.min(SHOWN + start)).max(1))
}

impl Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let Position { line, column } = self.position();
        let mut out = serializer.serialize_struct("Diagnostic", 7)?;
        out.serialize_field("severity", &self.code.severity())?;
        out.serialize_field("code", &self.code)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("file", &*self.source.name)?;
        out.serialize_field("line", &line)?;
        out.serialize_field("column", &column)?;
        out.serialize_field("help", &self.help)?;
        out.end()
    }
}

/// Collects the faults of one text.
#[derive(Debug)]
pub struct Faults {
    source: Source,
    list: Vec<Diagnostic>,
    secrets: Vec<Range<usize>>,
}

impl Faults {
    /// No faults yet in `source`.
    #[must_use]
    pub fn new(source: &Source) -> Self {
        Self { source: source.clone(), list: Vec::new(), secrets: Vec::new() }
    }

    /// The text.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Adds a fault at `span`.
    pub fn add(&mut self, code: Code, span: Range<usize>, message: impl Into<String>) {
        self.list.push(Diagnostic::new(code, &self.source, span, message));
    }

    /// Adds a fault with a sentence on what to do, when there is one.
    pub fn add_with(&mut self, code: Code, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.list.push(Diagnostic { help, ..Diagnostic::new(code, &self.source, span, message) });
    }

    /// Adds the fault of a secret that is written down at `span`, which no message will show.
    pub fn add_secret(&mut self, span: Range<usize>, message: impl Into<String>, help: &str) {
        self.add_with(codes::LITERAL_SECRET, span.clone(), message, Some(help.to_owned()));
        self.secrets.push(span);
    }

    /// Adds a fault that may be in another text.
    pub fn push(&mut self, fault: Diagnostic) {
        self.list.push(fault);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// All of them, by file and position.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        let mut list = self.list;
        if !self.secrets.is_empty() {
            let shown = Source { text: masked(&self.source.text, &self.secrets).into(), ..self.source.clone() };
            for fault in list.iter_mut().filter(|fault| fault.source == self.source) {
                fault.source = shown.clone();
            }
        }
        sort(&mut list);
        list
    }
}

/// The text with a star for every byte of the secrets, so that offsets stay.
fn masked(text: &str, secrets: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for byte in secrets.iter().filter_map(|span| text.get(span.clone()).map(|_| span.clone())).flatten() {
        if bytes[byte] != b'\n' {
            bytes[byte] = b'*';
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Orders faults by file and position, and drops repeats (two actions that reach the same faulty template).
pub fn sort(faults: &mut Vec<Diagnostic>) {
    faults.sort_by(|a, b| {
        let key = |fault: &Diagnostic| (fault.source.name.clone(), fault.span.start, fault.span.end, fault.code);
        key(a).cmp(&key(b))
    });
    faults.dedup();
}

/// A help sentence that names the known name nearest to `name`.
#[must_use]
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// The known name nearest to `name`, when one is near enough to be what was meant. Case and `-`/`_` do not count.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_lowercase().replace('-', "_");
    let name = fold(name);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
