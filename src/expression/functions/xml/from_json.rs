//! JSON as XML by Newtonsoft's conventions, the other way round from [`super::to_json`].

use std::rc::Rc;

use serde_json::{Map, Value};

use super::{
    document::{Attribute, DOCUMENT, Document, Element, Id, Kind, Name},
    escape,
    read::Fault,
};
use crate::{expression::value::number_text, limits};

pub(super) fn from_json(map: &Map<String, Value>) -> Result<Document, Fault> {
    let mut document = Document::new();
    for (key, value) in map {
        match key.as_str() {
            "?xml" => document.append(DOCUMENT, declaration(value)?),
            "!DOCTYPE" => document.append(DOCUMENT, doctype(value)?),
            _ if key.starts_with('?') => document.append(DOCUMENT, instruction(key, value)?),
            _ if document.has_root() => {
                return Err("an object that becomes XML must have exactly one property, the root element".into());
            }
            _ if value.is_array() => return Err(format!("the root element '{key}' cannot be an array")),
            _ => append(&mut document, DOCUMENT, key, value, &mut Vec::new())?,
        };
    }
    if document.has_root() {
        Ok(document)
    } else {
        Err("an object that becomes XML must have exactly one property, the root element".into())
    }
}

/// The namespaces declared so far, the innermost last.
type Scope = Vec<(String, Rc<str>)>;

/// Adds an element, or one for each item of an array.
fn append(document: &mut Document, parent: Id, key: &str, value: &Value, scope: &mut Scope) -> Result<Id, Fault> {
    let outside = scope.len();
    let no_members = Map::new();
    let members = value.as_object().unwrap_or(&no_members);
    for (name, value) in members {
        let declared = name.strip_prefix("@xmlns").and_then(|rest| match rest {
            "" => Some(""),
            _ => rest.strip_prefix(':'),
        });
        if let Some(prefix) = declared {
            scope.push((prefix.to_owned(), Rc::from(scalar(value)?.as_str())));
        }
    }
    if scope.len() > limits::XML_PREFIXES {
        return Err(super::too_many_prefixes());
    }
    let attributes = members
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix('@')?, value)))
        .map(|(name, value)| Ok(Attribute { name: named(name, scope, false), value: scalar(value)? }))
        .collect::<Result<_, Fault>>()?;
    let element = Element { name: named(key, scope, true), attributes, empty: true };
    let id = document.append(parent, Kind::Element(element));
    match value {
        Value::Null => {}
        Value::Object(_) => {
            for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('@')) {
                child(document, id, name, value, scope)?;
            }
        }
        // An array in an array is an element with elements of its own name.
        Value::Array(items) => {
            for item in items {
                append(document, id, key, item, scope)?;
            }
        }
        _ => drop(document.append(id, Kind::Text(scalar(value)?))),
    }
    scope.truncate(outside);
    Ok(id)
}

fn child(document: &mut Document, parent: Id, key: &str, value: &Value, scope: &mut Scope) -> Result<(), Fault> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    for item in items {
        match key {
            "#text" | "#whitespace" | "#significant-whitespace" => {
                let text = scalar(item)?;
                document.append(parent, Kind::Text(text));
            }
            "#cdata-section" => {
                let text = scalar(item)?;
                if text.contains("]]>") {
                    return Err("a '#cdata-section' has ']]>' in it".into());
                }
                document.append(parent, Kind::CData(text));
            }
            _ if key.starts_with('?') => {
                let kind = instruction(key, item)?;
                document.append(parent, kind);
            }
            _ => drop(append(document, parent, key, item, scope)?),
        }
    }
    Ok(())
}

/// A name with what XML forbids escaped. A prefix that nothing declares is left out.
fn named(key: &str, scope: &Scope, element: bool) -> Name {
    let (prefix, local) = key.split_once(':').unwrap_or(("", key));
    let find = |prefix: &str| scope.iter().rev().find(|(known, _)| known == prefix).map(|(_, uri)| Rc::clone(uri));
    if prefix.is_empty() {
        let default = if element { find("") } else { None };
        let namespace = if !element && key == "xmlns" { Some(Rc::from(super::XMLNS)) } else { default };
        return Name { prefix: String::new(), local: escape::name(key), namespace: namespace.unwrap_or_default() };
    }
    let namespace = match prefix {
        "xmlns" if !element => Some(Rc::from(super::XMLNS)),
        "xml" => Some(Rc::from("http://www.w3.org/XML/1998/namespace")),
        _ => find(prefix),
    };
    match namespace {
        Some(namespace) => Name { prefix: escape::name(prefix), local: escape::name(local), namespace },
        None => Name { prefix: String::new(), local: escape::name(local), namespace: Rc::default() },
    }
}

/// The text of a value that has one.
fn scalar(value: &Value) -> Result<String, Fault> {
    let text = match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_text(number),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => return Err("an array or object stands where XML has a text".into()),
    };
    match text.chars().find(|letter| !escape::is_char(*letter)) {
        Some(letter) => Err(format!("a text has the character U+{:04X}, which XML forbids", u32::from(letter))),
        None => Ok(text),
    }
}

fn member(value: &Value, key: &str) -> Result<Option<String>, Fault> {
    let text = value.get(key).map(scalar).transpose()?;
    match text {
        Some(text) if text.contains(['"', '<', '>', '\'']) => Err(format!("'{key}' has a sign that it cannot have")),
        text => Ok(text),
    }
}

fn declaration(value: &Value) -> Result<Kind, Fault> {
    Ok(Kind::Declaration {
        version: member(value, "@version")?.unwrap_or_else(|| "1.0".to_owned()),
        encoding: member(value, "@encoding")?,
        standalone: member(value, "@standalone")?,
    })
}

fn doctype(value: &Value) -> Result<Kind, Fault> {
    let name = member(value, "@name")?.filter(|name| escape::is_local_name(name));
    Ok(Kind::Doctype {
        name: name.ok_or("a '!DOCTYPE' needs an '@name'")?,
        public: member(value, "@public")?,
        system: member(value, "@system")?,
        subset: value.get("@internalSubset").map(scalar).transpose()?.filter(|subset| !subset.contains(']')),
    })
}

fn instruction(key: &str, value: &Value) -> Result<Kind, Fault> {
    let (target, data) = (key.trim_start_matches('?'), scalar(value)?);
    if !escape::is_local_name(target) || target.eq_ignore_ascii_case("xml") || data.contains("?>") {
        return Err(format!("'{key}' cannot be a processing instruction"));
    }
    Ok(Kind::Instruction { target: target.to_owned(), data })
}
