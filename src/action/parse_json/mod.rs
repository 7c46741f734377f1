//! `parse_json`: text in, a value out, held against a schema.

mod number;
mod path;
mod reader;
mod schema;

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{ActionType, Nature, Outcome, Returns};
use crate::playbook::ActionSpec;

/// Reads a text as JSON and holds it against a schema; `actions.ID` is the value as it was read, never converted to what
/// the schema says. What a mail or a web service sends need not be exact: single quotes, keys without quotes, comments,
/// a comma too many and a missing last bracket are read as Logic Apps reads them. A value that the schema does not allow
/// fails the action with code `ValidationFailed`, and `outputs('ID')['errors']` lists what is wrong and where.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it; the values are taken as they are")]
struct Inputs {
    /// The JSON text, such as `@body('look_up')`, or a value that is one already and is only held against the schema.
    content: Value,
    /// A JSON schema of draft 4, 6 or 7. A property that may be null needs `type: [string, "null"]`: null is no text.
    /// `pattern` and `patternProperties` are refused, as in Logic Apps. Without a schema every value will do.
    schema: Option<Value>,
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec { refuses, ..ActionSpec::new("parse_json", || schemars::schema_for!(Inputs)) },
    nature: Nature::Pure(execute),
    returns: Returns::Body,
};

fn refuses(input: &str, value: &Value) -> Option<String> {
    if input != "schema" {
        return None;
    }
    Some(match schema::compiled(value).err()? {
        schema::Unusable::Pattern => {
            "`schema` has `pattern` or `patternProperties`, which neither Logic Apps nor `parse_json` takes".to_owned()
        }
        schema::Unusable::Invalid(why) => format!("`schema` is no JSON schema: {why}"),
    })
}

fn execute(input: &Value) -> Outcome {
    let content = input.get("content").unwrap_or(&Value::Null);
    if content.is_null() || *content == "" {
        let mut outcome =
            Outcome::failed("BadRequest", "Required property 'content' expects a value but got null. Path ''.");
        if let Some(error) = &mut outcome.error {
            "InvalidTemplate".clone_into(&mut error.code);
        }
        return outcome;
    }
    let schema = match input.get("schema").map(schema::compiled).transpose() {
        Ok(schema) => schema,
        Err(unusable) => {
            let code = match unusable {
                schema::Unusable::Pattern => "ActionSchemaNotSupported",
                schema::Unusable::Invalid(_) => "ActionSchemaInvalid",
            };
            return Outcome::failed(code, unusable.to_string());
        }
    };
    if let (Some(Value::String(kind)), Some(_)) = (content.get("$content-type"), content.get("$content")) {
        let message = format!(
            "The property 'content' must be of type JSON in the 'ParseJson' action inputs, but was of type '{kind}'."
        );
        return Outcome::failed("BadRequest", message);
    }
    let value = match content {
        Value::String(text) => match reader::read(text) {
            Ok(value) => value,
            Err(fault) => {
                let message = format!(
                    "The 'content' property of actions of type 'ParseJson' must be valid JSON. The provided value \
                     cannot be parsed: '{fault}'."
                );
                return Outcome::failed("InvalidJSON", message);
            }
        },
        value => value.clone(),
    };
    let mismatches = schema.map(|schema| schema.mismatches(&value)).unwrap_or_default();
    if mismatches.is_empty() {
        return Outcome::succeeded(json!({"body": value}));
    }
    // A value that came as a value has no lines.
    let pointers: Vec<String> = mismatches.iter().map(schema::Mismatch::pointer).collect();
    let places = content.as_str().map(|text| reader::places(text, pointers.iter().map(String::as_str)));
    let place = |pointer: &str| {
        let place = places.as_ref().and_then(|places| places.get(pointer));
        place.map_or((0, 0), |place| (place.line, place.position))
    };
    let errors: Vec<Value> = mismatches.iter().map(|mismatch| mismatch.shown(&place)).collect();
    Outcome::failed("ValidationFailed", "The schema validation failed.").with_outputs(json!({"errors": errors}))
}

#[cfg(test)]
mod tests;
