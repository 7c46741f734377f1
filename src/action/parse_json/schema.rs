//! The schema of `parse_json`: compiled once, and its errors told as Logic Apps tells them.
//!
//! The drafts are 4, 6 and 7, as authors of Logic Apps write them, and the two later ones when `$schema` names them.
//! A schema that names none is draft 7, or draft 4 where `exclusiveMinimum` or `exclusiveMaximum` is true or false.
//! Nothing is fetched: a `$ref` leads into the schema itself.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use jsonschema::{
    Draft, JsonType, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::{Map, Number, Value, json};

use super::path::{self, Segment};
use crate::{
    limits,
    schema::{Nowhere, is_listed},
};

/// A schema that can be used.
pub(super) struct Schema {
    source: Value,
    validator: Validator,
}

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    /// Logic Apps takes neither of these words.
    #[error(
        "The 'schema' property of action 'ParseJson' inputs contains 'pattern' or 'patternProperties' properties. \
         'Pattern' or 'patternProperties' properties are not supported in the action json schema."
    )]
    Pattern,
    #[error("The 'schema' property of action 'ParseJson' inputs is not a valid JSON schema: {0}")]
    Invalid(String),
}

/// Something in a value that its schema does not allow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mismatch {
    message: String,
    path: Vec<Segment>,
    value: Option<Value>,
    schema: String,
    keyword: String,
    inner: Vec<Mismatch>,
}

/// The schema in `source`, compiled at its first use and kept until [`limits::SCHEMAS_KEPT`] others came.
///
/// # Errors
/// When it is no schema, refers to somewhere else, or has `pattern` or `patternProperties`.
pub(super) fn compiled(source: &Value) -> Result<Arc<Schema>, Unusable> {
    static KEPT: Mutex<VecDeque<(u64, Arc<Schema>)>> = Mutex::new(VecDeque::new());
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let hash = HASHER.hash_one(source);
    let lock = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock().iter().find(|(known, schema)| *known == hash && schema.source == *source).cloned();
    if let Some((_, schema)) = known {
        return Ok(schema);
    }
    let schema = Arc::new(Schema::compile(source)?);
    let mut kept = lock();
    kept.push_front((hash, schema.clone()));
    kept.truncate(limits::SCHEMAS_KEPT);
    Ok(schema)
}

impl Schema {
    fn compile(source: &Value) -> Result<Self, Unusable> {
        if has_pattern(source) {
            return Err(Unusable::Pattern);
        }
        let mut plain = source.clone();
        let named = plain.as_object_mut().and_then(|map| map.shift_remove("$schema"));
        let draft = named
            .as_ref()
            .and_then(Value::as_str)
            .and_then(draft_named)
            .unwrap_or_else(|| if has_exclusive_flag(source) { Draft::Draft4 } else { Draft::Draft7 });
        let options = jsonschema::options().with_retriever(Nowhere).with_draft(draft).should_validate_formats(true);
        let validator = options.build(&plain).map_err(|error| {
            let path = path::write(&segments(error.instance_path()));
            let place = if path.is_empty() { String::new() } else { format!("at '{path}' ") };
            Unusable::Invalid(format!("{place}{error}"))
        })?;
        Ok(Self { source: source.clone(), validator })
    }

    /// What in `value` the schema does not allow, at most [`limits::SCHEMA_ERRORS`] of it; of a value that is not
    /// [`is_listed`], only the first.
    pub(super) fn mismatches(&self, value: &Value) -> Vec<Mismatch> {
        let Err(first) = self.validator.validate(value) else { return Vec::new() };
        let mut found = Vec::new();
        if !is_listed(value) {
            add(&mut found, &first, value);
            found.truncate(limits::SCHEMA_ERRORS);
            return found;
        }
        for error in self.validator.iter_errors(value) {
            if found.len() >= limits::SCHEMA_ERRORS {
                break;
            }
            add(&mut found, &error, value);
        }
        found.truncate(limits::SCHEMA_ERRORS);
        found
    }
}

fn draft_named(name: &str) -> Option<Draft> {
    let drafts = [
        ("draft-04", Draft::Draft4),
        ("draft-06", Draft::Draft6),
        ("draft-07", Draft::Draft7),
        ("2019-09", Draft::Draft201909),
        ("2020-12", Draft::Draft202012),
    ];
    drafts.into_iter().find(|(part, _)| name.contains(part)).map(|(_, draft)| draft)
}

/// The schemas directly inside of a schema.
fn inner(schema: &Value) -> impl Iterator<Item = &Value> {
    const ONE: [&str; 11] = [
        "additionalItems",
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ];
    const MANY: [&str; 5] = ["allOf", "anyOf", "items", "oneOf", "prefixItems"];
    const NAMED: [&str; 5] = ["$defs", "definitions", "dependencies", "dependentSchemas", "properties"];
    let one = ONE.iter().filter_map(|word| schema.get(word));
    let many = MANY.iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    let named = NAMED.iter().filter_map(|word| schema.get(word)?.as_object()).flat_map(Map::values);
    one.chain(many).chain(named)
}

fn has_pattern(schema: &Value) -> bool {
    schema.get("pattern").is_some() || schema.get("patternProperties").is_some() || inner(schema).any(has_pattern)
}

fn has_exclusive_flag(schema: &Value) -> bool {
    let is_flag = |word| schema.get(word).is_some_and(Value::is_boolean);
    is_flag("exclusiveMinimum") || is_flag("exclusiveMaximum") || inner(schema).any(has_exclusive_flag)
}

fn segments(location: &jsonschema::paths::Location) -> Vec<Segment> {
    use jsonschema::paths::LocationSegment;
    let segment = |segment| match segment {
        LocationSegment::Property(key) => Segment::Key(key.into_owned()),
        LocationSegment::Index(index) => Segment::Index(index),
    };
    location.iter().map(segment).collect()
}

/// Adds what Newtonsoft would report for an `error` in `root`.
fn add(found: &mut Vec<Mismatch>, error: &ValidationError<'_>, root: &Value) {
    let instance: &Value = error.instance();
    let keyword = match error.kind() {
        Kind::ExclusiveMinimum { .. } => "minimum",
        Kind::ExclusiveMaximum { .. } => "maximum",
        Kind::FalseSchema => "valid",
        kind => kind.keyword(),
    };
    let pointer = error.schema_path().as_str();
    let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
    let schema = format!("#{}", if matches!(error.kind(), Kind::FalseSchema) { pointer } else { parent });
    let plain = Mismatch {
        message: String::new(),
        path: segments(error.instance_path()),
        value: (!matches!(instance, Value::Null | Value::Array(_) | Value::Object(_))).then(|| instance.clone()),
        schema,
        keyword: keyword.to_owned(),
        inner: Vec::new(),
    };
    let at = |segment| plain.path.iter().cloned().chain([segment]).collect();
    match error.kind() {
        Kind::Required { property } => {
            let same = |last: &&mut Mismatch| {
                last.keyword == keyword && last.schema == plain.schema && last.path == plain.path
            };
            let name = property.as_str().unwrap_or_default();
            match found.last_mut().filter(same) {
                Some(last) => {
                    last.message.insert_str(last.message.len() - 1, &format!(", {name}"));
                    if let Some(Value::Array(names)) = &mut last.value {
                        names.push(property.clone());
                    }
                }
                None => found.push(Mismatch {
                    message: format!("Required properties are missing from object: {name}."),
                    value: Some(json!([property])),
                    ..plain
                }),
            }
        }
        Kind::AdditionalProperties { unexpected } => {
            found.extend(unexpected.iter().take(limits::SCHEMA_ERRORS).map(|name| Mismatch {
                message: additional(name),
                path: at(Segment::Key(name.clone())),
                value: Some(name.clone().into()),
                ..plain.clone()
            }));
        }
        // Where no property is defined at all, the error is told of the object, whatever its members.
        Kind::FalseSchema if pointer.ends_with("/additionalProperties") => {
            let object = root.pointer(error.instance_path().as_str()).and_then(Value::as_object);
            found.extend(object.into_iter().flatten().take(limits::SCHEMA_ERRORS).map(|(name, _)| Mismatch {
                message: additional(name),
                path: at(Segment::Key(name.clone())),
                value: Some(name.clone().into()),
                schema: format!("#{parent}"),
                keyword: "additionalProperties".to_owned(),
                ..plain.clone()
            }));
        }
        Kind::AdditionalItems { limit } => {
            let items = instance.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate().skip(*limit);
            found.extend(items.take(limits::SCHEMA_ERRORS).map(|(index, item)| Mismatch {
                message: format!(
                    "Index {} has not been defined and the schema does not allow additional items.",
                    index + 1
                ),
                path: at(Segment::Index(index)),
                value: Some(item.clone()),
                ..plain.clone()
            }));
        }
        Kind::UniqueItems => {
            let mut seen = HashSet::new();
            let mut items = instance.as_array().into_iter().flatten().enumerate();
            let twice = items.find(|(_, item)| !seen.insert(*item));
            found.push(match twice {
                Some((index, item)) => Mismatch {
                    message: format!("Non-unique array item at index {index}."),
                    path: at(Segment::Index(index)),
                    value: Some(item.clone()),
                    ..plain
                },
                // Equal by value but not alike, such as 1 and 1.0.
                None => Mismatch { message: "Non-unique array item.".to_owned(), ..plain },
            });
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            let mut inner = Vec::new();
            context.iter().rev().flatten().take(limits::SCHEMA_ERRORS).for_each(|error| add(&mut inner, error, root));
            found.push(Mismatch { message: message(error), inner, ..plain });
        }
        _ => found.push(Mismatch { message: message(error), ..plain }),
    }
}

fn additional(name: &str) -> String {
    format!("Property '{name}' has not been defined and the schema does not allow additional properties.")
}

/// What is wrong, in Newtonsoft's words where it has some.
fn message(error: &ValidationError<'_>) -> String {
    let instance: &Value = error.instance();
    let count = || match instance {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    let text = || instance.as_str().unwrap_or_default();
    match error.kind() {
        Kind::Type { kind } => format!("Invalid type. Expected {} but got {}.", expected(kind), type_of(instance)),
        Kind::Enum { .. } => format!("Value {instance} is not defined in enum."),
        Kind::Constant { .. } => format!("Value {instance} does not match const."),
        Kind::Minimum { limit } => format!("{} is less than minimum value of {}.", number(instance), bare(limit)),
        Kind::Maximum { limit } => format!("{} exceeds maximum value of {}.", number(instance), bare(limit)),
        Kind::ExclusiveMinimum { limit } if instance.as_f64() == limit.as_f64() => {
            format!("{} equals minimum value of {} and exclusive minimum is true.", number(instance), bare(limit))
        }
        Kind::ExclusiveMinimum { limit } => {
            format!("{} is less than minimum value of {}.", number(instance), bare(limit))
        }
        Kind::ExclusiveMaximum { limit } if instance.as_f64() == limit.as_f64() => {
            format!("{} equals maximum value of {} and exclusive maximum is true.", number(instance), bare(limit))
        }
        Kind::ExclusiveMaximum { limit } => format!("{} exceeds maximum value of {}.", number(instance), bare(limit)),
        Kind::MultipleOf { multiple_of } => format!("{} is not a multiple of {multiple_of}.", number(instance)),
        Kind::MinLength { limit } => format!("String '{}' is less than minimum length of {limit}.", text()),
        Kind::MaxLength { limit } => format!("String '{}' exceeds maximum length of {limit}.", text()),
        Kind::Format { format } => format!("String '{}' does not validate against format '{format}'.", text()),
        Kind::MinItems { limit } => format!("Array item count {} is less than minimum count of {limit}.", count()),
        Kind::MaxItems { limit } => format!("Array item count {} exceeds maximum count of {limit}.", count()),
        Kind::MinProperties { limit } => {
            format!("Object property count {} is less than minimum count of {limit}.", count())
        }
        Kind::MaxProperties { limit } => format!("Object property count {} exceeds maximum count of {limit}.", count()),
        Kind::Contains => "No items match contains.".to_owned(),
        Kind::FalseSchema => "Schema always fails validation.".to_owned(),
        Kind::AnyOf { .. } => "JSON does not match any schemas from 'anyOf'.".to_owned(),
        Kind::OneOfNotValid { .. } => "JSON is valid against no schemas from 'oneOf'.".to_owned(),
        Kind::OneOfMultipleValid { context } => {
            let valid = context.iter().enumerate().filter(|(_, errors)| errors.is_empty());
            let indexes: Vec<String> = valid.map(|(index, _)| index.to_string()).collect();
            format!(
                "JSON is valid against more than one schema from 'oneOf'. Valid schema indexes: {}.",
                indexes.join(", ")
            )
        }
        Kind::Not { .. } => "JSON is valid against schema from 'not'.".to_owned(),
        _ => error.to_string(),
    }
}

/// The types a schema takes, in Newtonsoft's order.
fn expected(kind: &TypeKind) -> String {
    const ORDER: [(JsonType, &str); 7] = [
        (JsonType::String, "String"),
        (JsonType::Number, "Number"),
        (JsonType::Integer, "Integer"),
        (JsonType::Boolean, "Boolean"),
        (JsonType::Object, "Object"),
        (JsonType::Array, "Array"),
        (JsonType::Null, "Null"),
    ];
    let is_wanted = |wanted: JsonType| match kind {
        TypeKind::Single(single) => *single == wanted,
        TypeKind::Multiple(several) => several.contains(wanted),
    };
    ORDER.iter().filter(|(wanted, _)| is_wanted(*wanted)).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Number",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Object",
    }
}

/// `Integer -1`, `Float 1.5`.
fn number(value: &Value) -> String {
    let kind = if value.as_number().is_some_and(Number::is_f64) { "Float" } else { "Integer" };
    format!("{kind} {}", bare(value))
}

/// A number without the fraction that is none.
fn bare(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

impl Mismatch {
    /// The JSON pointer of the value at fault.
    pub(super) fn pointer(&self) -> String {
        let step = |segment: &Segment| match segment {
            Segment::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Index(index) => format!("/{index}"),
        };
        self.path.iter().map(step).collect()
    }

    /// The error as the outputs show it; `place` says where in the text a pointer's value stands.
    pub(super) fn shown(&self, place: &impl Fn(&str) -> (usize, usize)) -> Value {
        let (line, position) = place(&self.pointer());
        let mut shown = json!({
            "message": self.message,
            "lineNumber": line,
            "linePosition": position,
            "path": path::write(&self.path),
        });
        if let Value::Object(members) = &mut shown {
            if let Some(value) = &self.value {
                members.insert("value".to_owned(), value.clone());
            }
            members.insert("schemaId".to_owned(), self.schema.clone().into());
            members.insert("errorType".to_owned(), self.keyword.clone().into());
            members.insert("childErrors".to_owned(), self.inner.iter().map(|inner| inner.shown(place)).collect());
        }
        shown
    }
}
