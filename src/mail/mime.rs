//! The structure of a mail: its header fields and its parts as places inside the raw bytes.
//!
//! mail-parser decodes every part at once and follows messages inside messages without a bound. Here the parts are found
//! under limits and without copying, so that a hostile mail costs no more than its size and an attachment stays a place
//! inside its message; mail-parser reads the header fields, the encodings and the charsets.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use mail_parser::{
    ContentType, HeaderValue, MessageParser, decoders::charsets::map::charset_decoder,
    decoders::quoted_printable::quoted_printable_decode,
};

use super::{read::Unreadable, shown};
use crate::limits;

/// Characters of a file name that are kept.
const FILE_NAME_CHARS: usize = 200;
/// Encoded bytes that are decoded at once.
const CHUNK: usize = 16 * 1024;
/// Base64 as senders write it: padding may be missing, and stray bits at the end do not matter.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A mail taken apart.
#[derive(Debug)]
pub struct Structure<'a> {
    /// The header fields of the message itself, in their order.
    pub fields: Vec<Field<'a>>,
    /// The parts that hold content, in their order.
    pub leaves: Vec<Leaf<'a>>,
}

/// One header field as it arrived, folded lines and all.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}

/// One part that holds content. A message inside the message is one such part.
#[derive(Debug)]
pub struct Leaf<'a> {
    /// The section number of RFC 9051, such as `2.1`.
    pub id: String,
    /// `type/subtype` in lower case.
    pub media_type: String,
    pub charset: Option<String>,
    /// The file name, cleaned.
    pub name: Option<String>,
    pub content_id: Option<String>,
    pub disposition: Option<Disposition>,
    pub within: Within,
    encoding: Encoding,
    body: &'a [u8],
}

/// What the sender says a part is for (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    Inline,
    Attachment,
}

/// What surrounds a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Within {
    /// The part is one of several renderings of the same thing.
    pub alternative: bool,
    /// The part belongs to a page beside it.
    pub related: bool,
    /// The part stands in a digest, whose parts are messages unless they say otherwise.
    digest: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Base64,
    QuotedPrintable,
}

impl<'a> Structure<'a> {
    /// Finds the parts of a raw message.
    ///
    /// # Errors
    /// [`Unreadable`] when there is nothing to read or a limit is passed; limits are checked before the work they bound.
    pub fn of(raw: &'a [u8]) -> Result<Self, Unreadable> {
        if raw.len() > limits::MAIL_BYTES {
            return Err(Unreadable::TooLarge { bytes: raw.len() });
        }
        // A byte order mark in front of the first field name is an editor's, not the sender's.
        let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
        if raw.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
            return Err(Unreadable::Empty);
        }
        let mut walk = Walk { headers_left: limits::MAIL_HEADERS, parts_left: limits::MAIL_PARTS, leaves: Vec::new() };
        let (fields, body) = walk.fields(raw)?;
        if fields.is_empty() {
            return Err(Unreadable::NoHeaders);
        }
        walk.part(&fields, body, String::new(), Within::default(), 0)?;
        Ok(Self { fields, leaves: walk.leaves })
    }
}

/// The walk through a mail's parts, with what is left of its limits.
struct Walk<'a> {
    headers_left: usize,
    parts_left: usize,
    leaves: Vec<Leaf<'a>>,
}

impl<'a> Walk<'a> {
    /// Splits a part into its header fields and its body, which begins after the first empty line.
    fn fields(&mut self, part: &'a [u8]) -> Result<(Vec<Field<'a>>, &'a [u8]), Unreadable> {
        let mut fields = Vec::new();
        let mut at = 0;
        let mut bytes = 0;
        while at < part.len() {
            let mut end = line_end(part, at);
            if matches!(&part[at..end], b"\n" | b"\r\n") {
                return Ok((fields, &part[end..]));
            }
            while matches!(part.get(end), Some(b' ' | b'\t')) {
                end = line_end(part, end);
            }
            let line = &part[at..end];
            at = end;
            // A line without a colon is no field; mail servers write one (`From …`) in front of the first.
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            self.headers_left =
                self.headers_left.checked_sub(1).ok_or(Unreadable::TooManyHeaders { limit: limits::MAIL_HEADERS })?;
            let name = line[..colon].trim_ascii();
            if name.is_empty() || name.contains(&b' ') {
                continue;
            }
            bytes += line.len().min(limits::MAIL_FIELD_BYTES);
            if bytes > limits::MAIL_HEADER_BYTES {
                return Err(Unreadable::HeadersTooLarge { limit: limits::MAIL_HEADER_BYTES });
            }
            fields.push(Field { name, value: &line[colon + 1..] });
        }
        Ok((fields, &[]))
    }

    fn part(
        &mut self,
        fields: &[Field<'a>],
        body: &'a [u8],
        id: String,
        within: Within,
        depth: usize,
    ) -> Result<(), Unreadable> {
        if depth > limits::MAIL_NESTING {
            return Err(Unreadable::TooDeep { limit: limits::MAIL_NESTING });
        }
        let content_type = first(fields, "content-type");
        let content_type = content_type.as_ref().and_then(HeaderValue::as_content_type);
        let mut media_type = media_type(content_type, within);
        if media_type.starts_with("multipart/") {
            let boundary = content_type.and_then(|content_type| content_type.attribute("boundary")).unwrap_or_default();
            let parts = if boundary.is_empty() { Vec::new() } else { self.split(body, boundary.as_bytes())? };
            if !parts.is_empty() {
                let within = Within {
                    alternative: within.alternative || media_type == "multipart/alternative",
                    related: media_type == "multipart/related",
                    digest: media_type == "multipart/digest",
                };
                for (index, part) in parts.into_iter().enumerate() {
                    let number = index + 1;
                    let id = if id.is_empty() { number.to_string() } else { format!("{id}.{number}") };
                    let (fields, body) = self.fields(part)?;
                    self.part(&fields, body, id, within, depth + 1)?;
                }
                return Ok(());
            }
            // Without its boundary the content is one piece; people can still read it.
            "text/plain".clone_into(&mut media_type);
        }
        let disposition = first(fields, "content-disposition");
        let disposition = disposition.as_ref().and_then(HeaderValue::as_content_type);
        let name = disposition
            .and_then(|disposition| disposition.attribute("filename"))
            .or_else(|| content_type.and_then(|content_type| content_type.attribute("name")))
            .map(|name| shown::file_name(name, FILE_NAME_CHARS))
            .filter(|name| !name.is_empty());
        self.leaves.push(Leaf {
            id: if id.is_empty() { "1".to_owned() } else { id },
            media_type,
            charset: content_type.and_then(|content_type| content_type.attribute("charset")).map(str::to_owned),
            name,
            content_id: first(fields, "content-id")
                .as_ref()
                .and_then(HeaderValue::as_text)
                .map(|id| shown::line(id, FILE_NAME_CHARS)),
            disposition: disposition
                .map(|disposition| if disposition.is_inline() { Disposition::Inline } else { Disposition::Attachment }),
            within,
            encoding: match first(fields, "content-transfer-encoding").as_ref().and_then(HeaderValue::as_text) {
                Some(name) if name.trim().eq_ignore_ascii_case("base64") => Encoding::Base64,
                Some(name) if name.trim().eq_ignore_ascii_case("quoted-printable") => Encoding::QuotedPrintable,
                _ => Encoding::Identity,
            },
            body,
        });
        Ok(())
    }

    /// Cuts a multipart body at its boundary lines (RFC 2046 §5.1.1). A missing last boundary does not matter.
    fn split(&mut self, body: &'a [u8], boundary: &[u8]) -> Result<Vec<&'a [u8]>, Unreadable> {
        let marker = [b"--", boundary].concat();
        let mut parts = Vec::new();
        let mut open: Option<usize> = None;
        for found in memchr::memmem::find_iter(body, &marker) {
            if found > 0 && body[found - 1] != b'\n' {
                continue;
            }
            let after = found + marker.len();
            let end = line_end(body, after);
            let rest = body[after..end].trim_ascii();
            // Another boundary may begin with this one.
            if !rest.is_empty() && !rest.starts_with(b"--") {
                continue;
            }
            if let Some(start) = open.take() {
                self.parts_left =
                    self.parts_left.checked_sub(1).ok_or(Unreadable::TooManyParts { limit: limits::MAIL_PARTS })?;
                parts.push(without_line_end(&body[start..found.max(start)]));
            }
            if !rest.is_empty() {
                return Ok(parts);
            }
            open = Some(end);
        }
        if let Some(start) = open {
            self.parts_left =
                self.parts_left.checked_sub(1).ok_or(Unreadable::TooManyParts { limit: limits::MAIL_PARTS })?;
            parts.push(&body[start..]);
        }
        Ok(parts)
    }
}

impl Leaf<'_> {
    /// Decodes the content piece by piece into `sink`. Answers whether the encoding was clean; what is not is decoded
    /// as far as it goes, or passed on as it is.
    pub fn decode(&self, mut sink: impl FnMut(&[u8])) -> bool {
        match self.encoding {
            Encoding::Identity => {
                sink(self.body);
                true
            }
            Encoding::Base64 => decode_base64(self.body, sink),
            Encoding::QuotedPrintable => {
                if let Some(decoded) = quoted_printable_decode(self.body) {
                    sink(&decoded);
                    true
                } else {
                    sink(self.body);
                    false
                }
            }
        }
    }

    /// Decoded bytes as text in the charset the part names. Without a charset, or with one that is not known or does not
    /// fit, UTF-8 counts, and after it Windows-1252, in which every byte is a character.
    #[must_use]
    pub fn text(&self, decoded: Vec<u8>) -> String {
        let charset = self.charset.as_deref().unwrap_or("us-ascii");
        let ascii_like = ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name));
        match charset_decoder(charset.as_bytes()) {
            Some(decode) if !ascii_like => decode(&decoded),
            _ => String::from_utf8(decoded).unwrap_or_else(|error| {
                let bytes = error.into_bytes();
                match charset_decoder(b"windows-1252") {
                    Some(decode) if !charset.to_ascii_lowercase().starts_with("utf") => decode(&bytes),
                    _ => String::from_utf8_lossy(&bytes).into_owned(),
                }
            }),
        }
    }
}

impl Field<'_> {
    /// Whether this is the field of a name, which is given in lower case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value as the field's own grammar says. Of a longer field the first [`limits::MAIL_FIELD_BYTES`] are read.
    #[must_use]
    pub fn parse(&self) -> HeaderValue<'static> {
        let value = &self.value[..self.value.len().min(limits::MAIL_FIELD_BYTES)];
        let line = [self.name, b":", value.trim_ascii_end(), b"\n\n"].concat();
        let parsed = MessageParser::default().parse_headers(&line);
        let header = parsed.and_then(|message| message.parts.into_iter().next()?.headers.into_iter().next());
        header.map_or(HeaderValue::Empty, |header| header.value.into_owned())
    }
}

/// The first field of a name, parsed: what most programs show, and the one a forger cannot put behind the sender's own.
#[must_use]
pub fn first(fields: &[Field<'_>], name: &str) -> Option<HeaderValue<'static>> {
    fields.iter().find(|field| field.is(name)).map(Field::parse)
}

fn media_type(content_type: Option<&ContentType<'_>>, within: Within) -> String {
    match content_type {
        None if within.digest => "message/rfc822".to_owned(),
        None => "text/plain".to_owned(),
        Some(content_type) => match content_type.subtype() {
            Some(subtype) => shown::line(&format!("{}/{subtype}", content_type.ctype()).to_lowercase(), 127),
            None if content_type.ctype().eq_ignore_ascii_case("text") => "text/plain".to_owned(),
            None => "application/octet-stream".to_owned(),
        },
    }
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at + 1)
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Base64 (RFC 2045 §6.8): characters outside the alphabet are skipped, and a padded piece may be followed by another.
fn decode_base64(body: &[u8], mut sink: impl FnMut(&[u8])) -> bool {
    let mut clean = true;
    let mut pending: Vec<u8> = Vec::with_capacity(CHUNK * 2);
    let mut decoded = vec![0; CHUNK * 2];
    let mut flush = |pending: &mut Vec<u8>, last: bool, clean: &mut bool| {
        let whole = if last { pending.len() } else { pending.len() / 4 * 4 };
        if let Ok(length) = LENIENT.decode_slice(&pending[..whole], &mut decoded) {
            sink(&decoded[..length]);
            pending.drain(..whole);
            return;
        }
        let mut quantum = Vec::with_capacity(pending.len());
        for byte in std::mem::take(pending) {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') {
                quantum.push(byte);
            } else if byte == b'=' {
                *clean &= quantum.len() % 4 != 1;
                quantum.truncate(quantum.len() - usize::from(quantum.len() % 4 == 1));
                if let Ok(length) = LENIENT.decode_slice(&quantum, &mut decoded) {
                    sink(&decoded[..length]);
                }
                quantum.clear();
            } else {
                *clean &= byte.is_ascii_whitespace();
            }
        }
        let mut whole = quantum.len() / 4 * 4;
        if last {
            *clean &= quantum.len() % 4 != 1;
            whole = quantum.len() - usize::from(quantum.len() % 4 == 1);
        }
        if let Ok(length) = LENIENT.decode_slice(&quantum[..whole], &mut decoded) {
            sink(&decoded[..length]);
        }
        quantum.drain(..whole);
        if !last {
            *pending = quantum;
        }
    };
    for line in body.split(|byte| *byte == b'\n') {
        for piece in line.strip_suffix(b"\r").unwrap_or(line).chunks(CHUNK) {
            pending.extend_from_slice(piece);
            if pending.len() >= CHUNK {
                flush(&mut pending, false, &mut clean);
            }
        }
    }
    flush(&mut pending, true, &mut clean);
    clean
}
