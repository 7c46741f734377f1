//! What a map of a file may hold, as a table: the reader of the map asks for the keys that stand in it, and the JSON
//! schema and the reference are made from it. A reader that asks for another key than its table has ends a debug build,
//! so that the two cannot drift apart.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What a map is and which keys it takes. Made with [`shape!`](crate::yaml::shape).
#[derive(Debug)]
pub struct Shape {
    /// Its name in the schema.
    pub id: &'static str,
    /// What it is, with its article, as faults call it.
    pub what: &'static str,
    /// For whoever writes it.
    pub doc: &'static str,
    pub keys: &'static [Key],
    pub rules: &'static [Rule],
}

/// A key of a map.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub need: Need,
    /// For whoever writes it.
    pub doc: &'static str,
    pub takes: Takes,
}

/// Whether a key must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
    /// It depends on other keys.
    Sometimes,
}

/// What holds between the keys of a map.
#[derive(Debug)]
pub enum Rule {
    /// Exactly one of them is there.
    One(&'static [&'static str]),
    /// At least one of them is there.
    Some(&'static [&'static str]),
}

/// What a key's value may be.
#[derive(Debug)]
pub enum Takes {
    /// Any text.
    Text,
    /// Text that says something.
    Words,
    /// Text of this pattern (ECMA 262).
    Like(&'static str),
    /// True or false.
    Flag,
    /// A whole number, from and to.
    Count(i64, i64),
    /// A duration.
    Duration,
    /// One of these texts.
    Choice(fn() -> Vec<&'static str>),
    /// A list.
    List(&'static Takes),
    /// One of it, or a list.
    OneOrMore(&'static Takes),
    /// A map with these keys.
    Map(&'static Shape),
    /// A map whose keys are names.
    Names(&'static Takes),
    /// A map that says by one key of which kind it is.
    Kinds(&'static str, &'static [(&'static str, &'static Shape)]),
    /// It, or nothing.
    OrNothing(&'static Takes),
    /// Any of these.
    Any(&'static [Takes]),
    /// Whatever there is.
    Anything,
    /// What [`Definitions::define`] was given under this name.
    Named(&'static str),
}

impl Shape {
    /// The key of this name.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    #[must_use]
    pub const fn required(name: &'static str, doc: &'static str, takes: Takes) -> Self {
        Self { name, need: Need::Required, doc, takes }
    }

    #[must_use]
    pub const fn optional(name: &'static str, doc: &'static str, takes: Takes) -> Self {
        Self { name, need: Need::Optional, doc, takes }
    }

    #[must_use]
    pub const fn sometimes(name: &'static str, doc: &'static str, takes: Takes) -> Self {
        Self { name, need: Need::Sometimes, doc, takes }
    }
}

/// The names in a table of choices.
#[must_use]
pub fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// A [`Shape`], its doc comments being what the reference and editors show.
#[macro_export]
macro_rules! shape {
    (
        $(#[doc = $doc:literal])* $vis:vis $name:ident = $what:literal $(, $rule:expr)*;
        $($(#[doc = $key_doc:literal])* $need:ident $key:literal: $takes:expr;)*
    ) => {
        $(#[doc = $doc])*
        $vis static $name: $crate::yaml::Shape = $crate::yaml::Shape {
            id: stringify!($name),
            what: $what,
            doc: concat!($($doc, "\n"),*),
            keys: &[$($crate::yaml::Key::$need($key, concat!($($key_doc, "\n"),*), $takes)),*],
            rules: &[$($rule),*],
        };
    };
}

/// The definitions of a JSON schema while it is made.
#[derive(Debug, Default)]
pub struct Definitions(BTreeMap<String, Value>);

impl Definitions {
    /// Adds one that [`Takes::Named`] names.
    pub fn define(&mut self, name: &str, schema: Value) {
        self.0.insert(name.to_owned(), schema);
    }

    /// The whole schema of a file that is `root`.
    #[must_use]
    pub fn finish(mut self, title: &str, root: &Shape) -> Value {
        let mut schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": title});
        merge(&mut schema, self.object(root));
        merge(&mut schema, json!({"definitions": self.0}));
        schema
    }

    /// A reference to a shape's definition.
    pub fn shape(&mut self, shape: &'static Shape) -> Value {
        let name = shape.id.to_lowercase();
        if !self.0.contains_key(&name) {
            // A shape may hold itself.
            self.0.insert(name.clone(), Value::Null);
            let schema = self.object(shape);
            self.0.insert(name.clone(), schema);
        }
        reference(&name)
    }

    /// A shape's own schema.
    pub fn object(&mut self, shape: &Shape) -> Value {
        let mut properties = Map::new();
        for key in shape.keys {
            properties.insert(key.name.to_owned(), self.key(key));
        }
        let mut schema = json!({
            "description": prose(shape.doc),
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        });
        let required: Vec<&str> =
            shape.keys.iter().filter(|key| key.need == Need::Required).map(|key| key.name).collect();
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        let rules = shape.rules.iter().map(|rule| {
            let (word, keys) = match rule {
                Rule::One(keys) => ("oneOf", keys),
                Rule::Some(keys) => ("anyOf", keys),
            };
            json!({word: keys.iter().map(|key| json!({"required": [key]})).collect::<Vec<_>>()})
        });
        let rules: Vec<Value> = rules.collect();
        if !rules.is_empty() {
            schema["allOf"] = rules.into();
        }
        schema
    }

    /// A key's schema, with what editors show of it.
    pub fn key(&mut self, key: &Key) -> Value {
        let schema = self.takes(&key.takes);
        described(&prose(key.doc), schema)
    }

    fn takes(&mut self, takes: &Takes) -> Value {
        match takes {
            Takes::Text => json!({"type": "string"}),
            Takes::Words => json!({"type": "string", "pattern": "\\S"}),
            Takes::Like(pattern) => json!({"type": "string", "pattern": pattern}),
            Takes::Flag => json!({"type": "boolean"}),
            Takes::Count(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Takes::Duration => {
                self.define("duration", json!({"type": "string", "pattern": DURATION}));
                reference("duration")
            }
            Takes::Choice(names) => json!({"type": "string", "enum": names()}),
            Takes::List(item) => json!({"type": "array", "items": self.takes(item)}),
            Takes::OneOrMore(item) => {
                let item = self.takes(item);
                json!({"anyOf": [item, {"type": "array", "items": item}]})
            }
            Takes::Map(shape) => self.shape(shape),
            Takes::Names(value) => json!({"type": "object", "additionalProperties": self.takes(value)}),
            Takes::Kinds(key, kinds) => {
                let names: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
                let each = kinds.iter().map(|(name, shape)| {
                    json!({
                        "if": {"properties": {*key: {"const": name}}, "required": [key]},
                        "then": self.shape(shape),
                    })
                });
                let each: Vec<Value> = each.collect();
                json!({"type": "object", "required": [key], "properties": {*key: {"enum": names}}, "allOf": each})
            }
            Takes::OrNothing(value) => json!({"anyOf": [self.takes(value), {"type": "null"}]}),
            Takes::Any(all) => json!({"anyOf": all.iter().map(|takes| self.takes(takes)).collect::<Vec<_>>()}),
            Takes::Anything => json!({}),
            Takes::Named(name) => reference(name),
        }
    }
}

/// A duration, as [`crate::duration::parse`] reads it.
const DURATION: &str = "^(\\d+(\\.\\d+)?[smhd]|[Pp](?=[\\dTt])(\\d+([.,]\\d+)?[Ww]|(\\d+([.,]\\d+)?[Dd])?([Tt](?=\\d)(\\d+([.,]\\d+)?[Hh])?(\\d+([.,]\\d+)?[Mm])?(\\d+([.,]\\d+)?[Ss])?)?))$";

/// A reference to a definition.
#[must_use]
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

/// A schema with a description of its own. Beside `$ref` nothing else counts in draft 7, which editors know best.
#[must_use]
pub fn described(description: &str, schema: Value) -> Value {
    if description.is_empty() {
        return schema;
    }
    let mut out = json!({"description": description});
    if schema.get("$ref").is_some() {
        out["allOf"] = json!([schema]);
    } else {
        merge(&mut out, schema);
        out["description"] = description.into();
    }
    out
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// A doc comment as running text: lines of one paragraph are joined.
#[must_use]
pub fn prose(doc: &str) -> String {
    let paragraphs = doc.split("\n\n").map(|paragraph| {
        let lines = paragraph.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(" ")
    });
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
}
