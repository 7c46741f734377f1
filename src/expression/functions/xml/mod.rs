//! XML functions. XML is a content envelope of type `application/xml;charset=utf-8`.

mod document;
mod escape;
mod from_json;
mod read;
mod select;
mod to_json;

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use encoding_rs::Encoding;
use serde_json::{Map, Number, Value};

use super::{Args, string::text};
use crate::{
    expression::{EvalError, evaluate::Outcome, value},
    limits,
};
use document::{DOCUMENT, Document, Kind};
use select::{Found, Selected};

const XML: &str = "application/xml;charset=utf-8";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

fn envelope(content: String) -> Value {
    let mut map = Map::with_capacity(2);
    map.insert("$content-type".to_owned(), Value::from(XML));
    map.insert("$content".to_owned(), Value::String(content));
    Value::Object(map)
}

pub(super) fn xml(args: Args<'_>) -> Outcome<'_> {
    let document = match args.at(0) {
        Value::String(source) => read::read(source),
        // What is binary already is taken at its word.
        Value::Object(map) if value::envelope(map).is_some() => {
            let content = map.get("$content").and_then(Value::as_str).unwrap_or_default();
            return Ok(Cow::Owned(envelope(content.to_owned())));
        }
        Value::Object(map) => from_json::from_json(map),
        _ => return Err(args.expected("its parameter to be a string or an object", 0)),
    };
    let document = document.map_err(|fault| invalid(&args, &fault))?;
    let written = document.outer_xml(DOCUMENT, limits::STRING_RESULT_CHARS);
    args.fits(written.len())?;
    Ok(Cow::Owned(envelope(STANDARD.encode(written))))
}

fn too_many_prefixes() -> read::Fault {
    format!("more than {} prefixes are declared around one element", limits::XML_PREFIXES)
}

fn invalid(args: &Args<'_>, fault: &str) -> EvalError {
    args.error(format_args!("parameter is not valid. The provided value cannot be converted to XML: {fault}"))
}

/// The JSON of an envelope of XML.
pub(super) fn to_json(args: &Args<'_>, map: &Map<String, Value>) -> Result<Value, EvalError> {
    let fault = |fault: &str| {
        args.error(format_args!("parameter is not valid. The provided XML cannot be converted to JSON: {fault}"))
    };
    let document = read_envelope(map).map_err(|found| fault(&found))?;
    for child in &document.node(DOCUMENT).children {
        if let Kind::Declaration { encoding: Some(label), .. } = &document.node(*child).kind
            && Encoding::for_label(label.as_bytes()).is_none()
        {
            return Err(fault(&format!("there is no encoding '{label}'")));
        }
    }
    Ok(to_json::to_json(&document))
}

/// The XML in an envelope, by the encoding of its type, else UTF-8.
fn read_envelope(map: &Map<String, Value>) -> Result<Document, read::Fault> {
    let bytes = value::envelope(map).ok_or("it is no base64")?;
    let kind = map.get("$content-type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let label = kind.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset="));
    let encoding = label.and_then(|label| Encoding::for_label(label.trim_matches('"').as_bytes()));
    let (decoded, _, _) = encoding.unwrap_or(encoding_rs::UTF_8).decode(&bytes);
    read::read(&decoded)
}

pub(super) fn xpath(args: Args<'_>) -> Outcome<'_> {
    let document = match args.at(0) {
        Value::String(source) => read::read(source),
        Value::Object(map) if value::envelope(map).is_some() => read_envelope(map),
        _ => return Err(args.expected("its first parameter to be an XML", 0)),
    };
    let document = document.map_err(|fault| invalid(&args, &fault))?;
    let selected = select::select(&document, args.string(1)?, limits::STRING_RESULT_CHARS)
        .map_err(|fault| args.error(format_args!("cannot be evaluated: {fault}")))?;
    let value = match selected {
        Selected::Nodes(nodes) => Value::Array(listed(&args, nodes)?),
        Selected::Boolean(flag) => Value::Bool(flag),
        Selected::Number(number) => Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| args.error("gives no number: the XPath comes to NaN or infinity"))?,
        Selected::Text(text) => Value::String(text),
    };
    Ok(Cow::Owned(value))
}

fn listed(args: &Args<'_>, nodes: Vec<Found>) -> Result<Vec<Value>, EvalError> {
    let mut bytes = 0;
    let mut values = Vec::with_capacity(nodes.len());
    for node in nodes {
        let value = match node {
            Found::Xml(xml) => envelope(STANDARD.encode(xml)),
            Found::Text(text) => Value::String(text),
        };
        bytes += value.get("$content").unwrap_or(&value).as_str().map_or(0, str::len);
        args.fits(bytes)?;
        values.push(value);
    }
    Ok(values)
}

pub(super) fn encode_xml_value(args: Args<'_>) -> Outcome<'_> {
    text(escape::value(args.only_string()?))
}

pub(super) fn decode_xml_value(args: Args<'_>) -> Outcome<'_> {
    text(escape::unescaped(args.only_string()?))
}

pub(super) fn encode_xml_name(args: Args<'_>) -> Outcome<'_> {
    text(escape::name(args.only_string()?))
}

pub(super) fn decode_xml_name(args: Args<'_>) -> Outcome<'_> {
    text(escape::unescaped_name(args.only_string()?))
}
