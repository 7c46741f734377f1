//! XML as JSON by Newtonsoft's conventions: `@attribute`, `#text`, repeated elements as one array.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    document::{Attribute, DOCUMENT, Document, Id, Kind, Name},
    escape,
};

/// Newtonsoft's namespace, whose attribute `Array="true"` makes a single element an array.
const JSON: &str = "http://james.newtonking.com/projects/json";

pub(super) fn to_json(document: &Document) -> Value {
    let mut map = Map::new();
    children(document, DOCUMENT, &mut map);
    Value::Object(map)
}

/// Adds the children of `id`, those of one name together where the first of them stands.
fn children(document: &Document, id: Id, map: &mut Map<String, Value>) {
    let mut places = BTreeMap::new();
    let mut groups: Vec<(String, Vec<Id>)> = Vec::new();
    for child in &document.node(id).children {
        let key = key(&document.node(*child).kind);
        let place = *places.entry(key.clone()).or_insert_with(|| {
            groups.push((key, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(*child);
    }
    for (key, group) in groups {
        match group[..] {
            [only] if !is_array(document, only) => {
                // A comment is one in JSON too, and JSON values have none.
                if let Some(value) = value(document, only) {
                    map.insert(key, value);
                }
            }
            _ => {
                let items = group.into_iter().filter_map(|child| value(document, child)).collect();
                map.insert(key, Value::Array(items));
            }
        }
    }
}

fn key(kind: &Kind) -> String {
    match kind {
        Kind::Document => String::new(),
        Kind::Declaration { .. } => "?xml".into(),
        Kind::Doctype { .. } => "!DOCTYPE".into(),
        Kind::Element(element) => name(&element.name),
        Kind::Text(_) => "#text".into(),
        Kind::CData(_) => "#cdata-section".into(),
        Kind::Comment(_) => "#comment".into(),
        Kind::Instruction { target, .. } => format!("?{target}"),
    }
}

/// The qualified name, with what XML could not have in it as it was.
fn name(name: &Name) -> String {
    let local = escape::unescaped_name(&name.local);
    if name.prefix.is_empty() { local } else { format!("{}:{local}", name.prefix) }
}

fn is_array(document: &Document, id: Id) -> bool {
    let says_so = |attribute: &Attribute| is_array_mark(attribute) && attribute.value == "true";
    document.element(id).is_some_and(|element| element.attributes.iter().any(says_so))
}

fn is_array_mark(attribute: &Attribute) -> bool {
    attribute.name.namespace.as_ref() == JSON && attribute.name.local == "Array"
}

/// Whether an attribute speaks to the conversion and is no part of what is converted.
fn is_mark(attribute: &Attribute) -> bool {
    is_array_mark(attribute) || (attribute.name.declares().is_some() && attribute.value == JSON)
}

/// The value of a node; `None` for a comment.
fn value(document: &Document, id: Id) -> Option<Value> {
    let node = document.node(id);
    let members = |members: &[(&str, &Option<String>)]| {
        let given = members.iter().filter_map(|(key, value)| Some(((*key).to_owned(), Value::from(value.as_deref()?))));
        Value::Object(given.collect())
    };
    Some(match &node.kind {
        Kind::Document | Kind::Comment(_) => return None,
        Kind::Declaration { version, encoding, standalone } => {
            members(&[("@version", &Some(version.clone())), ("@encoding", encoding), ("@standalone", standalone)])
        }
        Kind::Doctype { name, public, system, subset } => members(&[
            ("@name", &Some(name.clone())),
            ("@public", public),
            ("@system", system),
            ("@internalSubset", subset),
        ]),
        Kind::Text(text) | Kind::CData(text) => Value::from(text.as_str()),
        Kind::Instruction { data, .. } => Value::from(data.as_str()),
        Kind::Element(element) => {
            let shown = || element.attributes.iter().filter(|attribute| !is_mark(attribute));
            match node.children[..] {
                [] if element.attributes.is_empty() && element.empty => Value::Null,
                [] if element.attributes.is_empty() => Value::from(""),
                [only]
                    if shown().next().is_none()
                        && let Kind::Text(text) = &document.node(only).kind =>
                {
                    Value::from(text.as_str())
                }
                _ => {
                    let attributes = shown().map(|attribute| {
                        (format!("@{}", name(&attribute.name)), Value::from(attribute.value.as_str()))
                    });
                    let mut map: Map<String, Value> = attributes.collect();
                    children(document, id, &mut map);
                    Value::Object(map)
                }
            }
        }
    })
}
