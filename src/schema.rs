//! JSON schemas: whether a value fits one, and what is wrong where.

use std::{fmt, sync::Arc};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Backtracking steps of one `pattern`, so that no value holds a processor for long.
const PATTERN_STEPS: usize = 10_000;
/// Characters of a value that are repeated in a fault.
const SHOWN_CHARS: usize = 60;
/// Characters of a message: a schema's `enum` may be long.
const MESSAGE_CHARS: usize = 500;

/// A JSON schema, ready to be used. Without `$schema` it is read as draft 2020-12; `format` is checked; a `$ref` leads
/// only to the schema itself, never to the network or a file.
#[derive(Clone)]
pub struct Schema {
    source: Arc<Value>,
    validator: Arc<Validator>,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// Where, as a JSON pointer (RFC 6901); empty for the value itself.
    pub pointer: String,
    /// What came and what was expected.
    pub message: String,
}

/// A schema that is none.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NotASchema {
    /// Where in the schema, as a JSON pointer.
    pub pointer: String,
    pub message: String,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// What makes it none: a keyword with a value it does not take, a `$ref` that leads nowhere or outside.
    pub fn new(source: &Value) -> Result<Self, NotASchema> {
        let options = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(PATTERN_STEPS));
        let validator = options.build(source).map_err(|error| NotASchema {
            pointer: error.instance_path().to_string(),
            message: cut(&error.to_string(), MESSAGE_CHARS),
        })?;
        Ok(Self { source: Arc::new(source.clone()), validator: Arc::new(validator) })
    }

    /// The schema as it was written.
    #[must_use]
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// What is wrong with `value`, at most `most` faults; none when it fits.
    #[must_use]
    pub fn faults(&self, value: &Value, most: usize) -> Vec<SchemaFault> {
        let fault = |error: jsonschema::ValidationError<'_>| {
            let came = cut(&error.instance().to_string(), SHOWN_CHARS);
            let message = cut(&error.masked_with(came.as_str()).to_string(), MESSAGE_CHARS);
            SchemaFault { pointer: error.instance_path().to_string(), message }
        };
        self.validator.iter_errors(value).take(most).map(fault).collect()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.source).finish()
    }
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(schema: &Value, value: &Value) -> Vec<String> {
        let faults = Schema::new(schema).unwrap().faults(value, 3);
        faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.message)).collect()
    }

    #[test]
    fn a_fault_says_where_it_is_what_came_and_what_was_expected() {
        let schema = json!({
            "type": "object",
            "required": ["action"],
            "properties": {
                "action": {"enum": ["opened", "closed"]},
                "issue": {"properties": {"number": {"type": "integer"}, "at": {"format": "date-time"}}},
            },
        });
        insta::assert_debug_snapshot!([
            faults(&schema, &json!({"action": "opened", "issue": {"number": 7}})),
            faults(&schema, &json!({"issue": {"number": "seven", "at": "noon"}})),
            faults(&schema, &json!({"action": "x".repeat(100)})),
            faults(&schema, &json!([])),
        ]);
    }

    #[test]
    fn what_is_no_schema_or_leads_outside_is_refused() {
        let refused = |schema: Value| {
            let error = Schema::new(&schema).unwrap_err();
            format!("{}: {error}", error.pointer)
        };
        insta::assert_debug_snapshot!([
            refused(json!({"type": "objekt"})),
            refused(json!({"properties": {"a": {"minLength": "3"}}})),
            refused(json!({"$ref": "https://example.com/schema.json"})),
            refused(json!({"$ref": "#/nowhere"})),
            refused(json!({"pattern": "("})),
        ]);
    }
}
