//! The actions that change a variable of the run: `set_variable`, `increment_variable`, `decrement_variable`,
//! `append_to_array` and `append_to_string`.

use schemars::JsonSchema;
use serde_json::{Number, Value, json};

use super::{ActionType, ErrorInfo, Nature, Returns};
use crate::playbook::{ActionSpec, VariableType};

/// Gives a variable a new value. The value may be made from the variable itself. A null makes a string variable empty; a
/// value of another type fails the action.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it")]
struct SetVariable {
    /// The variable, written out.
    name: String,
    /// Its new value. A whole number is a float too.
    value: Option<Value>,
}

/// Adds to a variable that is a number.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it")]
struct IncrementVariable {
    /// The variable, written out.
    name: String,
    /// How much is added. Default 1.
    #[schemars(with = "Option<f64>")]
    value: Option<Value>,
}

/// Takes away from a variable that is a number.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it")]
struct DecrementVariable {
    /// The variable, written out.
    name: String,
    /// How much is taken away. Default 1.
    #[schemars(with = "Option<f64>")]
    value: Option<Value>,
}

/// Adds one element to the end of a variable that is an array.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it")]
struct AppendToArray {
    /// The variable, written out.
    name: String,
    /// The element. It may not be null or an array: to join arrays, set the variable to `@union(…)`.
    value: Value,
}

/// Adds text to the end of a variable that is a string.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it")]
struct AppendToString {
    /// The variable, written out.
    name: String,
    /// What is added, as `@{}` prints it.
    value: Option<Value>,
}

const EVERY: &[VariableType] = &[
    VariableType::Boolean,
    VariableType::Integer,
    VariableType::Float,
    VariableType::String,
    VariableType::Array,
    VariableType::Object,
];
const NUMBERS: &[VariableType] = &[VariableType::Integer, VariableType::Float];

macro_rules! variable_action {
    ($line:ident, $name:literal, $sought:expr, $input:ident, $kinds:expr, $change:ident) => {
        pub(super) const $line: ActionType = ActionType {
            spec: ActionSpec {
                variables: $kinds,
                sought_as: $sought,
                ..ActionSpec::new($name, || schemars::schema_for!($input))
            },
            nature: Nature::Variable($change),
            returns: Returns::Body,
        };
    };
}

variable_action!(SET, "set_variable", &[], SetVariable, EVERY, set);
variable_action!(INCREMENT, "increment_variable", &[], IncrementVariable, NUMBERS, increment);
variable_action!(DECREMENT, "decrement_variable", &[], DecrementVariable, NUMBERS, decrement);
variable_action!(
    APPEND_TO_ARRAY,
    "append_to_array",
    &["appendtoarrayvariable"],
    AppendToArray,
    &[VariableType::Array],
    append_to_array
);
variable_action!(
    APPEND_TO_STRING,
    "append_to_string",
    &["appendtostringvariable"],
    AppendToString,
    &[VariableType::String],
    append_to_string
);

fn set(variable: &mut Value, kind: VariableType, input: &Value) -> Result<Option<Value>, ErrorInfo> {
    let value = match input.get("value") {
        None | Some(Value::Null) if kind == VariableType::String => json!(""),
        Some(value) => value.clone(),
        None => Value::Null,
    };
    if !kind.takes(&value) {
        return Err(wrong_type(input, &value, kind.name()));
    }
    *variable = value;
    Ok(Some(now(input, variable)))
}

fn increment(variable: &mut Value, kind: VariableType, input: &Value) -> Result<Option<Value>, ErrorInfo> {
    change_by(variable, kind, input, i64::checked_add, |a, b| a + b)
}

fn decrement(variable: &mut Value, kind: VariableType, input: &Value) -> Result<Option<Value>, ErrorInfo> {
    change_by(variable, kind, input, i64::checked_sub, |a, b| a - b)
}

/// Whole numbers stay whole, within 64 bits.
fn change_by(
    variable: &mut Value,
    kind: VariableType,
    input: &Value,
    whole: fn(i64, i64) -> Option<i64>,
    real: fn(f64, f64) -> f64,
) -> Result<Option<Value>, ErrorInfo> {
    let one = json!(1);
    let by = input.get("value").unwrap_or(&one);
    let changed = match (variable.as_i64(), by.as_i64()) {
        (Some(a), Some(b)) => whole(a, b).map(Number::from),
        _ if kind == VariableType::Integer => return Err(wrong_type(input, by, kind.name())),
        _ => match (variable.as_f64(), by.as_f64()) {
            (Some(a), Some(b)) => Number::from_f64(real(a, b)),
            _ => return Err(wrong_type(input, by, kind.name())),
        },
    };
    *variable = Value::Number(changed.ok_or_else(|| {
        fault(format!("The variable '{}' would leave the range of its type '{}'.", name(input), kind.name()))
    })?);
    Ok(Some(now(input, variable)))
}

fn append_to_array(variable: &mut Value, _: VariableType, input: &Value) -> Result<Option<Value>, ErrorInfo> {
    let element = input.get("value").unwrap_or(&Value::Null);
    match (variable, element) {
        (Value::Array(items), element) if !element.is_null() && !element.is_array() => items.push(element.clone()),
        _ => return Err(wrong_type(input, element, "boolean, integer, float, string or object")),
    }
    // What the variable holds is not repeated: it may be long, and is appended to often.
    Ok(None)
}

fn append_to_string(variable: &mut Value, _: VariableType, input: &Value) -> Result<Option<Value>, ErrorInfo> {
    let text = crate::expression::text(input.get("value").unwrap_or(&Value::Null));
    if let Value::String(whole) = variable {
        if whole.len().saturating_add(text.len()) > crate::limits::STRING_RESULT_CHARS {
            return Err(fault(format!("The variable '{}' would become too long.", name(input))));
        }
        whole.push_str(&text);
    }
    Ok(None)
}

/// What Logic Apps returns of a changed variable.
fn now(input: &Value, variable: &Value) -> Value {
    json!({"body": {"name": name(input), "value": variable}})
}

fn name(input: &Value) -> &str {
    input.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn wrong_type(input: &Value, value: &Value, expected: &str) -> ErrorInfo {
    let kind = crate::expression::type_name(value);
    fault(format!(
        "The variable '{}' cannot be given a value of type '{kind}'; it takes a value of type '{expected}'.",
        name(input)
    ))
}

fn fault(message: String) -> ErrorInfo {
    ErrorInfo { code: "BadRequest".to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(
        change: super::super::Change,
        kind: VariableType,
        before: Value,
        value: &Value,
    ) -> Result<Value, String> {
        let mut variable = before;
        change(&mut variable, kind, &json!({"name": "x", "value": value})).map_err(|error| error.message)?;
        Ok(variable)
    }

    #[test]
    fn variables_take_what_their_type_takes() {
        use VariableType::{Array, Boolean, Float, Integer, Object, String};
        let refused = |value: &str, kind: &str| {
            Err(format!(
                "The variable 'x' cannot be given a value of type '{value}'; it takes a value of type '{kind}'."
            ))
        };
        let rows = [
            (set(), String, json!("a"), json!("b"), Ok(json!("b"))),
            (set(), String, json!("a"), Value::Null, Ok(json!(""))),
            (set(), Float, json!(0.5), json!(2), Ok(json!(2))),
            (set(), Integer, json!(1), json!(2.5), refused("Float", "integer")),
            (set(), Integer, json!(1), json!("2"), refused("String", "integer")),
            (set(), Boolean, json!(true), Value::Null, refused("Null", "boolean")),
            (set(), Object, json!({}), json!({"a": 1}), Ok(json!({"a": 1}))),
            (increment as _, Integer, json!(1), json!(4), Ok(json!(5))),
            (increment as _, Integer, json!(1), json!(0.5), refused("Float", "integer")),
            (increment as _, Float, json!(1.5), json!(1), Ok(json!(2.5))),
            (decrement as _, Integer, json!(1), json!(4), Ok(json!(-3))),
            (
                decrement as _,
                Integer,
                json!(i64::MIN),
                json!(1),
                Err("The variable 'x' would leave the range of its type 'integer'.".to_owned()),
            ),
            (append_to_array as _, Array, json!([1]), json!({"a": 1}), Ok(json!([1, {"a": 1}]))),
            (
                append_to_array as _,
                Array,
                json!([1]),
                json!([2]),
                refused("Array", "boolean, integer, float, string or object"),
            ),
            (append_to_string as _, String, json!("a"), json!(true), Ok(json!("aTrue"))),
        ];
        fn set() -> super::super::Change {
            super::set
        }
        for (change, kind, before, value, expected) in rows {
            assert_eq!(changed(change, kind, before, &value), expected, "{value}");
        }
    }

    #[test]
    fn a_number_grows_by_one_when_nothing_is_said() {
        let mut variable = json!(1);
        let outputs = increment(&mut variable, VariableType::Integer, &json!({"name": "x"}));
        assert_eq!(outputs, Ok(Some(json!({"body": {"name": "x", "value": 2}}))));
    }
}
