//! `parameters:` and `variables:`.

use std::ops::Range;

use serde_json::{Value, json};

use super::name;
use crate::{
    diagnostic::{Faults, codes},
    limits,
    playbook::{Parameter, ParameterType, Variable, VariableType},
    yaml::{self, Given, Takes, shape},
};

const PARAMETER_TYPES: &[(&str, ParameterType)] = &[
    ("string", ParameterType::String),
    ("securestring", ParameterType::SecureString),
    ("int", ParameterType::Int),
    ("float", ParameterType::Float),
    ("bool", ParameterType::Bool),
    ("array", ParameterType::Array),
    ("object", ParameterType::Object),
    ("secureobject", ParameterType::SecureObject),
];

const VARIABLE_TYPES: &[(&str, VariableType)] = &[
    ("boolean", VariableType::Boolean),
    ("integer", VariableType::Integer),
    ("float", VariableType::Float),
    ("string", VariableType::String),
    ("array", VariableType::Array),
    ("object", VariableType::Object),
];

crate::shape! {
    /// A value that is given to the playbook from outside.
    pub(super) PARAMETER = "a parameter";
    /// The type of the value. Those beginning with `secure` are kept secret.
    required "type": Takes::Choice(|| shape::names(PARAMETER_TYPES));
    /// The value where `larum.yaml` gives none; not for secrets.
    optional "default": Takes::Anything;
}

crate::shape! {
    /// A value that the actions of a run change.
    pub(super) VARIABLE = "a variable";
    /// The type of the value.
    required "type": Takes::Choice(|| shape::names(VARIABLE_TYPES));
    /// The value a run begins with. Default: false, zero, an empty text, an empty list or an empty map.
    optional "default": Takes::Anything;
}

impl ParameterType {
    /// Whether values of this type are kept secret.
    #[must_use]
    pub fn is_secret(self) -> bool {
        matches!(self, Self::SecureString | Self::SecureObject)
    }

    /// The name in YAML.
    #[must_use]
    pub fn name(self) -> &'static str {
        PARAMETER_TYPES.iter().find(|(_, kind)| *kind == self).map_or("string", |(name, _)| name)
    }

    /// Whether a value is of this type; a whole number is a float too.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match self {
            Self::String | Self::SecureString => value.is_string(),
            Self::Int => value.is_i64() || value.is_u64(),
            Self::Float => value.is_number(),
            Self::Bool => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object | Self::SecureObject => value.is_object(),
        }
    }
}

impl VariableType {
    /// The name in YAML.
    #[must_use]
    pub fn name(self) -> &'static str {
        VARIABLE_TYPES.iter().find(|(_, kind)| *kind == self).map_or("string", |(name, _)| name)
    }

    /// Whether a value is of this type; a whole number is a float too.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match self {
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Float => value.is_number(),
            Self::String => value.is_string(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    /// What a variable starts with when nothing is said.
    fn empty(self) -> Value {
        match self {
            Self::Boolean => json!(false),
            Self::Integer => json!(0),
            Self::Float => json!(0.0),
            Self::String => json!(""),
            Self::Array => json!([]),
            Self::Object => json!({}),
        }
    }
}

pub(super) fn parameters(given: Given<'_>, faults: &mut Faults) -> Vec<(Parameter, Range<usize>)> {
    let mut out = Vec::new();
    for given in named(given, limits::PARAMETERS, faults) {
        let Some(mut fields) = given.fields(&PARAMETER, faults) else { continue };
        let kind = fields.required("type");
        let default = fields.optional("default");
        fields.finish(faults);
        let Some(kind) = kind.and_then(|given| given.choice(PARAMETER_TYPES, faults)) else { continue };
        if let Some(default) = default
            && kind.is_secret()
        {
            let help = "leave the default out and give the value in larum.yaml, as {env: NAME} or {file: PATH}";
            let message = format!("the secret `{}` is written down", given.key);
            faults.add_secret(default.span(), message, help);
            continue;
        }
        let default = default.and_then(|default| literal(default, kind.name(), |value| kind.takes(value), faults));
        out.push((Parameter { name: given.key.to_owned(), kind, default }, given.key_span()));
    }
    out
}

pub(super) fn variables(given: Given<'_>, faults: &mut Faults) -> Vec<Variable> {
    let mut out = Vec::new();
    for given in named(given, limits::VARIABLES, faults) {
        let Some(mut fields) = given.fields(&VARIABLE, faults) else { continue };
        let kind = fields.required("type");
        let default = fields.optional("default");
        fields.finish(faults);
        let Some(kind) = kind.and_then(|given| given.choice(VARIABLE_TYPES, faults)) else { continue };
        let name = VARIABLE_TYPES.iter().find(|(_, other)| *other == kind).map_or("string", |(name, _)| name);
        let default = default.and_then(|default| literal(default, name, |value| kind.takes(value), faults));
        out.push(Variable { name: given.key.to_owned(), kind, default: default.unwrap_or_else(|| kind.empty()) });
    }
    out
}

/// The entries of a map whose keys are names: each a good name, and no two alike ignoring case.
fn named<'n>(given: Given<'n>, limit: usize, faults: &mut Faults) -> Vec<Given<'n>> {
    let yaml::Value::Map(entries) = &given.node.value else {
        given.wrong_type("a map of names", faults);
        return Vec::new();
    };
    if entries.len() > limit {
        let message = format!("`{}` has {} entries, at most {limit} are allowed", given.key, entries.len());
        faults.add(codes::OUT_OF_BOUNDS, given.key_span(), message);
    }
    let mut out: Vec<Given<'n>> = Vec::new();
    for entry in entries {
        let entry = Given::of(entry);
        if !name::key(&entry, faults) {
            continue;
        }
        if let Some(first) = out.iter().find(|other| other.key.eq_ignore_ascii_case(entry.key)) {
            let message = format!("`{}` is the name `{}` already has: case does not count", entry.key, first.key);
            faults.add(codes::DUPLICATE_NAME, entry.key_span(), message);
            continue;
        }
        out.push(entry);
    }
    out
}

/// A value that stands in the file and holds no expression.
fn literal(given: Given<'_>, kind: &str, takes: impl Fn(&Value) -> bool, faults: &mut Faults) -> Option<Value> {
    if given.node.is_broken() {
        return None;
    }
    let value = given.node.to_json();
    if !takes(&value) {
        let article = if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
        given.wrong_type(&format!("{article} {kind}"), faults);
        return None;
    }
    if let Some(text) = value.as_str()
        && (text.contains("{{")
            || text.contains("@{")
            || text.len() > 1 && text.starts_with('@') && !text.starts_with("@@"))
    {
        let message = "a default is a plain value, not an expression";
        faults.add(codes::BAD_VALUE, given.span(), message);
        return None;
    }
    Some(value)
}
