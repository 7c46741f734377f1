//! `join`: the elements of a list as one text, Logic Apps' Join.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ActionType, Nature, Outcome, Returns, input};
use crate::{expression, limits, playbook::ActionSpec};

const NAME: &str = "join";

/// Makes one text of a list: its elements with `join_with` between them. Elements print as they do inside a text: null
/// is nothing, true is `True`, a list or a map is compact JSON. `actions.ID` is the text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The list.
    from: Vec<Value>,
    /// What stands between two elements, such as `", "`. It may be empty.
    join_with: String,
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec::new(NAME, || schemars::schema_for!(Inputs)),
    nature: Nature::Pure(execute),
    returns: Returns::Body,
};

fn execute(input: &Value) -> Outcome {
    match input::read::<Inputs>(NAME, input) {
        Ok(Inputs { from, join_with }) => {
            let texts: Vec<_> = from.iter().map(expression::text).collect();
            let between = join_with.len().saturating_mul(texts.len().saturating_sub(1));
            let length = texts.iter().map(|text| text.len()).fold(between, usize::saturating_add);
            if length > limits::STRING_RESULT_CHARS {
                let message = format!("`{NAME}` would make more than {} characters", limits::STRING_RESULT_CHARS);
                return Outcome::failed("BadRequest", message);
            }
            Outcome::succeeded(json!({"body": texts.join(&join_with)}))
        }
        Err(outcome) => *outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_print_as_inside_a_text() {
        let rows = [
            (json!([1, 2, 3, 4]), ",", "1,2,3,4"),
            (json!(["a", null, true, 2.5, 3.0, [1], {"b": "c"}]), " | ", r#"a |  | True | 2.5 | 3 | [1] | {"b":"c"}"#),
            (json!([]), ",", ""),
            (json!(["a", "b"]), "", "ab"),
        ];
        for (from, join_with, expected) in rows {
            let outcome = execute(&json!({"from": from, "join_with": join_with}));
            assert_eq!(outcome, Outcome::succeeded(json!({"body": expected})), "{from}");
        }
    }

    #[test]
    fn what_is_no_list_is_named() {
        for from in [json!("abc"), json!({"a": 1}), json!(null)] {
            let outcome = execute(&json!({"from": from, "join_with": ","}));
            let message = outcome.error.map(|error| error.message);
            assert_eq!(outcome.code, "BadRequest");
            assert_eq!(message.as_deref(), Some("the input `from` of `join` cannot be used: expected a sequence"));
        }
    }
}
