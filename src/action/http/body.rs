//! The bytes of a request's body: a text, an envelope, a form, parts, or JSON.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use memchr::memmem;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use super::{
    fault::Fault,
    request::{scalar, text_value},
};
use crate::limits;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

/// The bytes of `body`. Its type goes among the `headers` unless they have one; that of a multipart body always does,
/// because it says where the parts begin, which `key` keeps from being guessed.
pub(super) fn encode(body: &Value, headers: &mut HeaderMap, key: Uuid) -> Result<Bytes, Fault> {
    let (bytes, kind) = match parts(body) {
        Some((kind, parts)) => {
            let named = headers.remove(CONTENT_TYPE);
            let named = named.as_ref().and_then(|kind| kind.to_str().ok()).filter(|kind| is_multipart(kind));
            multipart(named.or(kind).unwrap_or(MULTIPART), parts, key)?
        }
        None => single(body, "body")?,
    };
    if bytes.len() > limits::HTTP_REQUEST_BYTES {
        let most = limits::HTTP_REQUEST_BYTES >> 20;
        return Err(Fault::BadRequest(format!("the input `body` of `http` makes more than {most} MiB")));
    }
    let kind = text_value(&kind)
        .map_err(|_| Fault::BadRequest("the `$content-type` of the input `body` of `http` is no type".into()))?;
    headers.entry(CONTENT_TYPE).or_insert(kind);
    Ok(bytes.into())
}

/// The parts of a body that is written in parts. What has both, as an answer has, is sent as the bytes it was.
fn parts(body: &Value) -> Option<(Option<&str>, &Vec<Value>)> {
    let parts = body.get("$multipart")?.as_array()?;
    if body.get("$content").is_some_and(Value::is_string) {
        return None;
    }
    Some((body.get("$content-type").and_then(Value::as_str), parts))
}

fn is_multipart(kind: &str) -> bool {
    kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// A body, or the body of a part, that is not itself in parts; `place` is where it stands, for the error.
fn single(body: &Value, place: &str) -> Result<(Vec<u8>, String), Fault> {
    if let Value::String(text) = body {
        return Ok((text.clone().into_bytes(), TEXT.into()));
    }
    let kind = body.get("$content-type").and_then(Value::as_str);
    if let (Some(kind), Some(Value::String(content))) = (kind, body.get("$content")) {
        let bytes = BASE64_STANDARD.decode(content).map_err(|error| {
            Fault::BadRequest(format!("the `$content` of the input `{place}` of `http` is not base64: {error}"))
        })?;
        return Ok((bytes, kind.into()));
    }
    if let Some(Value::Array(fields)) = body.get("$formdata") {
        return Ok((form(fields, place)?, kind.unwrap_or(FORM).into()));
    }
    Ok((body.to_string().into_bytes(), JSON.into()))
}

/// `[{key, value}]` as a form is sent.
fn form(fields: &[Value], place: &str) -> Result<Vec<u8>, Fault> {
    let mut form = Serializer::new(String::new());
    for field in fields {
        let Some(Value::String(key)) = field.get("key") else {
            let message = format!("a field in `$formdata` of the input `{place}` of `http` has no `key`");
            return Err(Fault::BadRequest(message));
        };
        let value = match field.get("value") {
            None | Some(Value::Null) => String::new(),
            Some(value) => scalar(place, key, value)?,
        };
        form.append_pair(key, &value);
    }
    Ok(form.finish().into_bytes())
}

/// `[{headers, body}]` one after another (RFC 2046 §5.1).
fn multipart(kind: &str, parts: &[Value], key: Uuid) -> Result<(Vec<u8>, String), Fault> {
    if parts.is_empty() || parts.len() > limits::HTTP_PARTS {
        let message = format!(
            "`$multipart` in the input `body` of `http` has {} parts; it may have 1 to {}",
            parts.len(),
            limits::HTTP_PARTS
        );
        return Err(Fault::BadRequest(message));
    }
    let mut encoded = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        encoded.push(one_part(part, &format!("body.$multipart[{number}]"))?);
    }
    let mut boundary = format!("larum-{key}");
    while encoded.iter().any(|(_, bytes)| memmem::find(bytes, boundary.as_bytes()).is_some()) {
        boundary.push('-');
    }
    let mut out = Vec::with_capacity(encoded.iter().map(|(headers, bytes)| headers.len() + bytes.len() + 64).sum());
    for (headers, bytes) in &encoded {
        out.extend_from_slice(format!("--{boundary}\r\n{headers}\r\n").as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    // A boundary that the author wrote may stand in a part; ours does not.
    let is_boundary = |piece: &&str| piece.trim().get(..9).is_some_and(|s| s.eq_ignore_ascii_case("boundary="));
    let kept: Vec<&str> = kind.split(';').filter(|piece| !is_boundary(piece)).map(str::trim).collect();
    Ok((out, format!("{}; boundary={boundary}", kept.join("; "))))
}

/// A part's header lines and its bytes.
fn one_part(part: &Value, place: &str) -> Result<(String, Vec<u8>), Fault> {
    if !part.is_object() {
        return Err(Fault::BadRequest(format!("the input `{place}` of `http` is no `{{headers, body}}`")));
    }
    let none = Map::new();
    let given = match part.get("headers") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(headers)) => headers,
        Some(_) => {
            return Err(Fault::BadRequest(format!("the input `{place}.headers` of `http` must be an object")));
        }
    };
    let (bytes, kind) = match part.get("body") {
        None | Some(Value::Null) => (Vec::new(), TEXT.to_owned()),
        Some(body) => single(body, &format!("{place}.body"))?,
    };
    let mut lines = String::new();
    let mut typed = false;
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let name = name.trim();
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            Fault::BadRequest(format!("the input `{place}.headers` of `http` has {name:?}, which is no header's name"))
        })?;
        typed = typed || known == CONTENT_TYPE;
        lines += &line(name, scalar(&format!("{place}.headers"), name, value)?.trim(), place)?;
    }
    if !typed {
        lines += &line("Content-Type", &kind, place)?;
    }
    Ok((lines, bytes))
}

fn line(name: &str, value: &str, place: &str) -> Result<String, Fault> {
    if HeaderValue::from_bytes(value.as_bytes()).is_err() {
        let message = format!(
            "the header `{name}` in the input `{place}` of `http` has a line break or another control character"
        );
        return Err(Fault::BadRequest(message));
    }
    Ok(format!("{name}: {value}\r\n"))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use reqwest::header::CONTENT_TYPE;
    use serde_json::json;

    use super::*;

    const KEY: Uuid = Uuid::from_u128(7);

    /// Bytes that may hold what separates parts.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let pieces = prop_oneof![
            Just(b"\r\n".to_vec()),
            Just(b"--".to_vec()),
            Just(format!("larum-{KEY}").into_bytes()),
            vec(any::<u8>(), 0..4),
        ];
        vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_sent_in_parts_is_read_back_as_it_was(bodies in vec(bytes(), 1..5)) {
            let envelope = |bytes: &Vec<u8>| json!({"$content-type": "a/b", "$content": BASE64_STANDARD.encode(bytes)});
            let parts: Vec<Value> = bodies.iter().map(|bytes| json!({"body": envelope(bytes)})).collect();
            let mut headers = HeaderMap::new();
            let sent = encode(&json!({"$multipart": parts}), &mut headers, KEY).expect("a body");
            let kind = headers[CONTENT_TYPE].to_str().expect("a text");
            let read = futures::executor::block_on(crate::content::value(Some(kind), sent)).expect("parts");
            let back: Vec<Value> =
                read["$multipart"].as_array().expect("a list").iter().map(|part| part["body"].clone()).collect();
            prop_assert_eq!(back, bodies.iter().map(envelope).collect::<Vec<_>>());
        }
    }
}
