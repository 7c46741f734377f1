//! The JSON schema of playbooks, for editors.

use serde_json::{Map, Value, json};

use super::{ActionSpec, Vocabulary, read};
use crate::yaml::{
    Definitions, Shape,
    shape::{described, prose, reference},
};

/// The JSON schema (draft 7) of a playbook.
#[must_use]
pub fn schema(vocabulary: &Vocabulary) -> Value {
    let mut definitions = Definitions::default();
    let root = define(vocabulary, &mut definitions);
    definitions.finish("A playbook of Larum", root)
}

/// Defines all that a playbook holds; the playbook's own shape is returned.
pub fn define(vocabulary: &Vocabulary, definitions: &mut Definitions) -> &'static Shape {
    let names: Vec<&str> = vocabulary.iter().map(|spec| spec.name).collect();
    let about: Vec<String> = vocabulary.iter().map(description).collect();
    definitions.define("action_name", json!({"type": "string", "enum": names, "enumDescriptions": about}));
    let mut each = Vec::new();
    for spec in vocabulary {
        let name = format!("with_{}", spec.name);
        let (mut inputs, parts) = computable(spec);
        for (part, schema) in parts {
            definitions.define(&part, schema);
        }
        let required = spec.required();
        if required.is_empty() {
            inputs = json!({"anyOf": [inputs, {"type": "null"}]});
        }
        definitions.define(&name, inputs);
        let mut then = json!({"properties": {"with": described(&description(spec), reference(&name))}});
        if !required.is_empty() {
            then["required"] = json!(["with"]);
        }
        each.push(json!({"if": {"properties": {"action": {"const": spec.name}}}, "then": then}));
    }
    definitions.define("action_inputs", json!({"allOf": each}));
    // Null counts as absent.
    definitions.define("computed", json!({"type": ["string", "null"], "pattern": COMPUTED}));
    read::define(definitions)
}

/// What an action's `with:` takes, as its struct says.
#[must_use]
pub fn inputs(spec: &ActionSpec) -> Value {
    (spec.inputs)().to_value()
}

/// An `@expression`, or a text with one or with a template in it.
const COMPUTED: &str = "^@|@\\{|\\{\\{";

impl ActionSpec {
    /// The inputs that must be there.
    fn required(&self) -> Vec<String> {
        let schema = inputs(self);
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        required.map(str::to_owned).collect()
    }
}

fn description(spec: &ActionSpec) -> String {
    prose(inputs(spec)["description"].as_str().unwrap_or_default())
}

/// The schema of an action's inputs, every value of which may be computed, and the definitions it refers to.
fn computable(spec: &ActionSpec) -> (Value, Map<String, Value>) {
    let mut schema = inputs(spec);
    let parts = schema.as_object_mut().and_then(|schema| schema.remove("$defs"));
    let parts = match parts {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    };
    let parts = parts.into_iter().map(|(name, part)| (part_name(spec, &name), open(spec, part))).collect();
    (open(spec, schema), parts)
}

fn part_name(spec: &ActionSpec, name: &str) -> String {
    format!("with_{}_{}", spec.name, name.to_lowercase())
}

/// A schema in which what stands inside may be computed; what is for programs only is left out.
fn open(spec: &ActionSpec, schema: Value) -> Value {
    let Value::Object(members) = schema else { return schema };
    let mut out = Map::new();
    for (key, value) in members {
        match key.as_str() {
            "$schema" | "title" | "default" | "format" => continue,
            "description" => {
                let text = prose(value.as_str().unwrap_or_default());
                out.insert(key, text.into());
            }
            "properties" => {
                let Value::Object(properties) = value else { continue };
                let properties = properties.into_iter().map(|(name, schema)| (name, or_computed(open(spec, schema))));
                out.insert(key, Value::Object(properties.collect()));
            }
            "items" | "additionalProperties" if value.is_object() => {
                out.insert(key, or_computed(open(spec, value)));
            }
            "anyOf" | "oneOf" | "allOf" => {
                let Value::Array(all) = value else { continue };
                let all: Vec<Value> = all.into_iter().map(|schema| open(spec, schema)).collect();
                // What is computed would fit several.
                let key = if key == "oneOf" { "anyOf".to_owned() } else { key };
                out.insert(key, all.into());
            }
            "$ref" => {
                let name = value.as_str().unwrap_or_default().trim_start_matches("#/$defs/");
                out.insert(key, format!("#/definitions/{}", part_name(spec, name)).into());
            }
            _ => {
                out.insert(key, value);
            }
        }
    }
    // Beside `$ref` nothing else counts in draft 7.
    if let (Some(leads), true) = (out.get("$ref").cloned(), out.len() > 1) {
        out.shift_remove("$ref");
        out.insert("allOf".to_owned(), json!([{"$ref": leads}]));
    }
    Value::Object(out)
}

/// The schema, or a computed value.
fn or_computed(schema: Value) -> Value {
    let Value::Object(mut members) = schema else { return schema };
    let about = members.shift_remove("description");
    if members.is_empty() {
        return about.map_or_else(|| json!({}), |about| json!({"description": about}));
    }
    let mut out = json!({"anyOf": [members, reference("computed")]});
    if let Some(about) = about {
        out["description"] = about;
    }
    out
}
