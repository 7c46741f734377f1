//! A body of bytes as a playbook sees it, by its content type, as Logic Apps does.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use futures::stream;
use percent_encoding::percent_decode;
use serde_json::{Map, Value, json};

use crate::limits::{HOOK_PARTS, JSON_VALUES, VALUE_NESTING};

const OCTETS: &str = "application/octet-stream";

/// Why a body cannot be read as what it says it is.
#[derive(Debug, thiserror::Error)]
pub enum ContentFault {
    #[error("the body says that it is JSON and is not: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the body says that it is JSON and is not in UTF-8, or the charset it names")]
    Charset,
    #[error("the body is JSON of more than {JSON_VALUES} values")]
    TooManyValues,
    #[error("the body is JSON nested deeper than {VALUE_NESTING} levels")]
    TooDeep,
    #[error("the body says that it is urlencoded and has text that is not UTF-8")]
    NotUtf8,
    #[error("the body says that it is multipart and cannot be taken apart: {0}")]
    Multipart(#[from] multer::Error),
    #[error("the body has more than {HOOK_PARTS} parts")]
    TooManyParts,
}

impl ContentFault {
    /// Whether it is what it says and only more than is taken.
    #[must_use]
    pub fn is_of_size(&self) -> bool {
        matches!(self, Self::TooManyValues | Self::TooDeep | Self::TooManyParts)
    }
}

/// The value of a body: JSON parsed; text as a string, read in its charset; anything else as a content envelope
/// `{$content-type, $content}`, of a urlencoded body with its fields beside (`$formdata`), of a multipart one with its
/// parts (`$multipart`). No body is null.
///
/// # Errors
/// When it is not what it says, or larger inside than is taken.
pub async fn value(content_type: Option<&str>, bytes: Bytes) -> Result<Value, ContentFault> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let kind = content_type.unwrap_or(OCTETS);
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence == "text/json" || essence.ends_with("+json") {
        let (text, wrong) = text(kind, &bytes);
        if wrong {
            return Err(ContentFault::Charset);
        }
        let measure = Measure::of_json(&text);
        if measure.depth > VALUE_NESTING {
            return Err(ContentFault::TooDeep);
        }
        if measure.values > JSON_VALUES {
            return Err(ContentFault::TooManyValues);
        }
        return Ok(serde_json::from_str(&text)?);
    }
    if essence.starts_with("text/") {
        return Ok(text(kind, &bytes).0.into());
    }
    let mut envelope = Map::new();
    envelope.insert("$content-type".into(), kind.into());
    envelope.insert("$content".into(), BASE64_STANDARD.encode(&bytes).into());
    if essence == "application/x-www-form-urlencoded" {
        envelope.insert("$formdata".into(), form(&bytes)?);
    } else if essence.starts_with("multipart/") {
        envelope.insert("$multipart".into(), parts(kind, bytes).await?);
    }
    Ok(envelope.into())
}

/// The text, and whether some of it could not be read and was replaced. `decode` goes by a byte order mark before it goes
/// by the charset, and drops it.
fn text(kind: &str, bytes: &[u8]) -> (String, bool) {
    let charset = parameter(kind, "charset").and_then(|label| Encoding::for_label(label.as_bytes()));
    let (text, _, wrong) = charset.unwrap_or(UTF_8).decode(bytes);
    (text.into_owned(), wrong)
}

/// A parameter of a content type; quotes around it are not part of it.
fn parameter<'k>(kind: &'k str, name: &str) -> Option<&'k str> {
    kind.split(';').skip(1).find_map(|piece| {
        let (known, value) = piece.split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// How much a JSON text holds, told before it is read, since it may take far more memory than its text.
pub struct Measure {
    /// Its values, never fewer than are read of it.
    pub values: usize,
    /// Its levels of arrays and objects inside each other.
    pub depth: usize,
}

impl Measure {
    /// The measure of JSON as RFC 8259 writes it; text that is none is measured up to where it is none.
    #[must_use]
    pub fn of_json(text: &str) -> Self {
        let (mut measure, mut depth, mut quoted, mut escaped) = (Self { values: 1, depth: 0 }, 0_usize, false, false);
        for byte in text.bytes() {
            if quoted {
                quoted = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => quoted = true,
                b'[' | b'{' => {
                    depth += 1;
                    measure.depth = measure.depth.max(depth);
                    measure.values += 1;
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' => measure.values += 1,
                _ => {}
            }
        }
        measure
    }
}

fn form(bytes: &[u8]) -> Result<Value, ContentFault> {
    let text = |bytes: &[u8]| {
        let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).decode_utf8().map(Cow::into_owned).map_err(|_| ContentFault::NotUtf8)
    };
    let mut fields = Vec::new();
    for piece in bytes.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        let mut halves = piece.splitn(2, |byte| *byte == b'=');
        let key = text(halves.next().unwrap_or_default())?;
        fields.push(json!({"key": key, "value": text(halves.next().unwrap_or_default())?}));
        // Each field is three values.
        if fields.len() * 3 > JSON_VALUES {
            return Err(ContentFault::TooManyValues);
        }
    }
    Ok(fields.into())
}

async fn parts(kind: &str, bytes: Bytes) -> Result<Value, ContentFault> {
    let boundary = parameter(kind, "boundary").filter(|boundary| !boundary.is_empty());
    let boundary = boundary.ok_or(multer::Error::NoBoundary)?.to_owned();
    let whole = stream::once(async { Ok::<_, std::convert::Infallible>(bytes) });
    let mut multipart = multer::Multipart::new(whole, boundary);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await? {
        if parts.len() == HOOK_PARTS {
            return Err(ContentFault::TooManyParts);
        }
        let mut headers = Map::new();
        for (name, value) in field.headers() {
            headers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into());
        }
        // RFC 7578 §4.4: a part that does not say what it is, is text.
        let kind = headers.get("content-type").cloned().unwrap_or_else(|| "text/plain".into());
        let content = BASE64_STANDARD.encode(field.bytes().await?);
        parts.push(json!({"headers": headers, "body": {"$content-type": kind, "$content": content}}));
    }
    Ok(parts.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(kind: &str, body: &[u8]) -> Value {
        match value(Some(kind).filter(|kind| !kind.is_empty()), Bytes::copy_from_slice(body)).await {
            Ok(value) => value,
            Err(fault) => format!("refused: {fault}").into(),
        }
    }

    #[tokio::test]
    async fn a_body_is_read_by_its_content_type() {
        let multipart = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x\r\nContent-Disposition: \
            form-data; name=\"b\"; filename=\"b.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--x--\r\n";
        insta::assert_json_snapshot!([
            read("application/json", b"").await,
            read("application/json; charset=utf-8", b" {\"a\": [1, 2.5, null]} ").await,
            read("Application/Problem+JSON", b"\xef\xbb\xbf{}").await,
            read("application/json; charset=\"iso-8859-1\"", b"\"\xe4\"").await,
            read("text/plain", "grüße".as_bytes()).await,
            read("text/plain; charset=iso-8859-1", b"gr\xfc\xdfe").await,
            read("text/html", b"\xff").await,
            read("", b"\x00\x01").await,
            read("application/xml", b"<a/>").await,
            read("application/x-www-form-urlencoded", b"a=1&b=x+y%21&a=&=&c").await,
            read("multipart/form-data; boundary=x", multipart).await,
            read("multipart/mixed; boundary=\"x\"", b"--x\r\nA: b\r\n\r\nhello\r\n--x--").await,
        ]);
    }

    #[tokio::test]
    async fn a_body_that_is_not_what_it_says_is_refused() {
        let deep = "[".repeat(101) + &"]".repeat(101);
        let many = format!("[{}0]", "0,".repeat(JSON_VALUES));
        let parts = "--x\r\nA: b\r\n\r\n\r\n".repeat(HOOK_PARTS + 1) + "--x--";
        let braces = format!("[{:?}]", "[{\\\"".repeat(200));
        insta::assert_json_snapshot!([
            read("application/json", b"{\"a\": 1").await,
            read("application/json", b"{} {}").await,
            read("application/json", b"1e999").await,
            read("application/json", b"\"\xff\"").await,
            read("application/json", deep.as_bytes()).await,
            read("application/json", many.as_bytes()).await,
            read("application/x-www-form-urlencoded", b"a=%ff").await,
            read("multipart/form-data", b"--x--").await,
            read("multipart/form-data; boundary=\"\"", b"--x--").await,
            read("multipart/form-data; boundary=x", b"nothing").await,
            read("multipart/form-data; boundary=x", b"--x\r\nA: b").await,
            read("multipart/form-data; boundary=x", b"--x\r\n\r\nopen").await,
            read("multipart/mixed; boundary=x", parts.as_bytes()).await,
        ]);
        assert_eq!(read("application/json", braces.as_bytes()).await[0].as_str().map(str::len), Some(800));
    }
}
