//! Conversion functions.

use std::borrow::Cow;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{
    Args, culture, number,
    string::{text, unknown_locale},
    utf16,
};
use crate::{
    content::Measure,
    expression::{EvalError, evaluate::Outcome, value},
    limits,
};

/// What RFC 3986 leaves as it is: letters, digits and `-_.~`.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

const BINARY: &str = "application/octet-stream";

fn cannot_convert(args: &Args<'_>) -> EvalError {
    args.error(format_args!(
        "was invoked with a parameter that is not valid. The value of type '{}' cannot be converted to the target type",
        value::type_name(args.at(0))
    ))
}

pub(super) fn int(args: Args<'_>) -> Outcome<'_> {
    let whole = match args.at(0) {
        Value::String(subject) => number::parse_int(subject),
        other => super::args::whole(other),
    };
    whole.map(|whole| Cow::Owned(Value::from(whole))).ok_or_else(|| cannot_convert(&args))
}

pub(super) fn float(args: Args<'_>) -> Outcome<'_> {
    let locale = if args.has(1) { args.string(1)? } else { "" };
    let culture = culture::find(locale).ok_or_else(|| unknown_locale(&args, locale))?;
    let float = match args.at(0) {
        Value::String(subject) => number::parse_float(subject, culture),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    let float = float.and_then(serde_json::Number::from_f64).ok_or_else(|| cannot_convert(&args))?;
    Ok(Cow::Owned(Value::Number(float)))
}

pub(super) fn decimal(args: Args<'_>) -> Outcome<'_> {
    let float = match args.at(0) {
        Value::String(subject) if !subject.contains(['e', 'E']) => number::parse_float(subject, culture::invariant()),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    let float = float.and_then(serde_json::Number::from_f64).ok_or_else(|| cannot_convert(&args))?;
    Ok(Cow::Owned(Value::Number(float)))
}

pub(super) fn bool(args: Args<'_>) -> Outcome<'_> {
    let flag = match args.at(0) {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(subject) => match subject.trim() {
            word if word.eq_ignore_ascii_case("true") => Some(true),
            word if word.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        },
        _ => None,
    };
    flag.map(|flag| Cow::Owned(Value::Bool(flag))).ok_or_else(|| cannot_convert(&args))
}

pub(super) fn string(mut args: Args<'_>) -> Outcome<'_> {
    let given = args.take(0);
    if given.is_string() { Ok(given) } else { text(value::text(&given)) }
}

pub(super) fn json(args: Args<'_>) -> Outcome<'_> {
    if let Value::Object(map) = args.at(0)
        && map.get("$content-type").and_then(Value::as_str).is_some_and(is_xml)
    {
        return super::xml::to_json(&args, map).map(Cow::Owned);
    }
    let source = match args.at(0) {
        Value::Null => return Ok(Cow::Owned(Value::Object(Map::new()))),
        Value::String(source) => Cow::Borrowed(source.as_str()),
        given @ Value::Object(map) => {
            if value::envelope(map).is_none() {
                return Err(args.expected("its parameter to be a string or an XML", 0));
            }
            value::text(given)
        }
        _ => return Err(args.expected("its parameter to be a string or an XML", 0)),
    };
    if Measure::of_json(&source).values > limits::JSON_VALUES {
        return Err(args.error(format_args!("would return more than {} values", limits::JSON_VALUES)));
    }
    let parsed = serde_json::from_str(&source)
        .map_err(|error| args.error(format_args!("parameter is not valid. The provided value is no JSON: {error}")))?;
    Ok(Cow::Owned(parsed))
}

/// RFC 7303: `text/xml`, `application/xml` and every type that ends in `+xml`.
fn is_xml(kind: &str) -> bool {
    let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media.ends_with("/xml") || media.ends_with("+xml")
}

fn binary_value<'a>(kind: &str, content: String) -> Outcome<'a> {
    let mut map = Map::with_capacity(2);
    map.insert("$content-type".to_owned(), Value::from(kind));
    map.insert("$content".to_owned(), Value::String(content));
    Ok(Cow::Owned(Value::Object(map)))
}

/// The bytes a value stands for: an envelope's content, else its text.
fn bytes(value: &Value) -> Vec<u8> {
    match value.as_object().and_then(value::envelope) {
        Some(bytes) => bytes,
        None => value::text(value).into_owned().into_bytes(),
    }
}

/// Decodes base64 as .NET does: white space does not count.
fn decode(args: &Args<'_>, encoded: &str) -> Result<Vec<u8>, EvalError> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    let compact: String = encoded.split_ascii_whitespace().collect();
    ENGINE.decode(compact).map_err(|_| args.error("expects a parameter that is valid base64"))
}

pub(super) fn base64(args: Args<'_>) -> Outcome<'_> {
    text(STANDARD.encode(bytes(args.at(0))))
}

pub(super) fn base64_to_binary(args: Args<'_>) -> Outcome<'_> {
    let bytes = decode(&args, args.only_string()?)?;
    binary_value(BINARY, STANDARD.encode(bytes))
}

pub(super) fn base64_to_string(args: Args<'_>) -> Outcome<'_> {
    text(String::from_utf8_lossy(&decode(&args, args.only_string()?)?))
}

pub(super) fn binary(args: Args<'_>) -> Outcome<'_> {
    binary_value(BINARY, STANDARD.encode(bytes(args.at(0))))
}

pub(super) fn data_uri(args: Args<'_>) -> Outcome<'_> {
    let kind = match args.at(0) {
        Value::Object(map) if value::envelope(map).is_some() => {
            map.get("$content-type").and_then(Value::as_str).unwrap_or(BINARY)
        }
        Value::Null => return Err(args.expected("its parameter to be a string", 0)),
        _ => "text/plain;charset=utf-8",
    };
    text(format!("data:{kind};base64,{}", STANDARD.encode(bytes(args.at(0)))))
}

/// The media type and the bytes of a `data:` URI (RFC 2397).
fn read_data_uri<'t>(args: &Args<'_>, uri: &'t str) -> Result<(&'t str, Vec<u8>), EvalError> {
    let invalid = || args.error("expects its parameter to be a data URI, 'data:TYPE;base64,CONTENT'");
    let scheme = uri.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).ok_or_else(invalid)?;
    let (kind, content) = uri[scheme.len()..].split_once(',').ok_or_else(invalid)?;
    let marked =
        kind.len().checked_sub(6).and_then(|at| kind.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("base64"));
    let (kind, bytes) = if marked {
        let kind = &kind[..kind.len() - 6];
        (kind.strip_suffix(';').unwrap_or(kind), decode(args, content)?)
    } else {
        (kind, percent_decode_str(content).collect())
    };
    if !is_media_type(kind) {
        return Err(invalid());
    }
    Ok((if kind.is_empty() { "text/plain" } else { kind }, bytes))
}

/// Whether this is `type/subtype;name=value…` with a charset that exists; the type may be left out.
fn is_media_type(kind: &str) -> bool {
    let mut parts = kind.split(';');
    let media = parts.next().unwrap_or_default();
    let halves: Vec<&str> = media.split('/').collect();
    let named = media.is_empty() || matches!(halves[..], [kind, subtype] if !kind.is_empty() && !subtype.is_empty());
    named
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, label)) if name.eq_ignore_ascii_case("charset") => {
                encoding_rs::Encoding::for_label(label.as_bytes()).is_some()
            }
            Some((name, value)) => !name.is_empty() && !value.contains('='),
            // Where it is not the last, it says nothing about the content.
            None => parameter.eq_ignore_ascii_case("base64"),
        })
}

pub(super) fn data_uri_to_binary(args: Args<'_>) -> Outcome<'_> {
    let (kind, bytes) = read_data_uri(&args, args.only_string()?)?;
    binary_value(kind, STANDARD.encode(bytes))
}

pub(super) fn data_uri_to_string(args: Args<'_>) -> Outcome<'_> {
    let (_, bytes) = read_data_uri(&args, args.only_string()?)?;
    text(String::from_utf8_lossy(&bytes))
}

pub(super) fn uri_component(args: Args<'_>) -> Outcome<'_> {
    text(utf8_percent_encode(args.only_string()?, COMPONENT).to_string())
}

pub(super) fn uri_component_to_string(args: Args<'_>) -> Outcome<'_> {
    text(percent_decode_str(args.only_string()?).decode_utf8_lossy())
}

pub(super) fn uri_component_to_binary(args: Args<'_>) -> Outcome<'_> {
    let bytes: Vec<u8> = percent_decode_str(args.only_string()?).collect();
    binary_value(BINARY, STANDARD.encode(bytes))
}

pub(super) fn utf8_length(args: Args<'_>) -> Outcome<'_> {
    Ok(Cow::Owned(Value::from(args.only_string()?.len())))
}

pub(super) fn utf16_length(args: Args<'_>) -> Outcome<'_> {
    Ok(Cow::Owned(Value::from(utf16::length(args.only_string()?))))
}

pub(super) fn array(mut args: Args<'_>) -> Outcome<'_> {
    Ok(Cow::Owned(Value::Array(vec![args.take(0).into_owned()])))
}
