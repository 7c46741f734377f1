//! JSON schemas: whether a value fits one, and what is wrong where.

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::limits::SCHEMA_LISTED_VALUES;

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

/// Fetches nothing: a schema stands by itself.
pub struct Nowhere;

impl jsonschema::Retrieve for Nowhere {
    fn retrieve(&self, _: &jsonschema::Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("nothing outside the schema is fetched".into())
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// What makes it none: a keyword with a value it does not take, a `$ref` that leads nowhere or outside.
    pub fn new(source: &Value) -> Result<Self, NotASchema> {
        let options = jsonschema::options()
            .with_retriever(Nowhere)
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

    /// What is wrong with `value`, at most `most` faults; none when it fits. Of a value that is not [`is_listed`], only
    /// the first.
    #[must_use]
    pub fn faults(&self, value: &Value, most: usize) -> Vec<SchemaFault> {
        let fault = |error: jsonschema::ValidationError<'_>| {
            let came = beginning(&error.instance(), SHOWN_CHARS);
            let message = cut(&error.masked_with(came.as_str()).to_string(), MESSAGE_CHARS);
            SchemaFault { pointer: error.instance_path().to_string(), message }
        };
        match self.validator.validate(value) {
            Ok(()) => Vec::new(),
            Err(_) if is_listed(value) => self.validator.iter_errors(value).take(most).map(fault).collect(),
            Err(first) => [first].into_iter().take(most).map(fault).collect(),
        }
    }
}

/// Whether every fault of `value` is looked for: it holds at most [`SCHEMA_LISTED_VALUES`] values, itself among them.
#[must_use]
pub fn is_listed(value: &Value) -> bool {
    fn count(value: &Value, left: usize) -> Option<usize> {
        let left = left.checked_sub(1)?;
        match value {
            Value::Array(items) => items.iter().try_fold(left, |left, item| count(item, left)),
            Value::Object(members) => members.values().try_fold(left, |left, member| count(member, left)),
            _ => Some(left),
        }
    }
    count(value, SCHEMA_LISTED_VALUES).is_some()
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

/// The first characters of what `shown` prints; it is not printed further, for it may be a whole body.
fn beginning(shown: &impl fmt::Display, chars: usize) -> String {
    struct Beginning {
        text: String,
        most: usize,
    }
    impl fmt::Write for Beginning {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            let room = self.most.saturating_sub(self.text.len());
            let end = piece.floor_char_boundary(room);
            self.text.push_str(&piece[..end]);
            // An error ends the printing.
            if end < piece.len() { Err(fmt::Error) } else { Ok(()) }
        }
    }
    // One character more than is shown, of at most four bytes each, so that `cut` sees that there is more.
    let mut beginning = Beginning { text: String::new(), most: (chars + 1) * 4 };
    let _ = write!(beginning, "{shown}");
    cut(&beginning.text, chars)
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
    fn of_a_large_value_the_first_fault_is_told() {
        let numbers = json!({"items": {"type": "integer"}});
        let list = |length: usize| Value::from(vec!["é".repeat(100); length]);
        let fault = |at: usize| format!("/{at}: \"{}… is not of type \"integer\"", "é".repeat(SHOWN_CHARS - 1));
        assert_eq!(faults(&numbers, &list(SCHEMA_LISTED_VALUES - 1)), [fault(0), fault(1), fault(2)]);
        assert_eq!(faults(&numbers, &list(SCHEMA_LISTED_VALUES)), [fault(0)]);
        assert!(faults(&numbers, &Value::from(vec![1; SCHEMA_LISTED_VALUES])).is_empty());
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
