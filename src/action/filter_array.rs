//! `filter_array`: the elements of a list that a condition holds for, Logic Apps' Filter array (Query).

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{ActionType, Nature, Outcome, Returns};
use crate::{expression, playbook::ActionSpec};

/// Keeps the elements of a list that a condition holds for: `where` is evaluated once for each element of `from`, which
/// `item` then is. `actions.ID` is the shorter list, in the same order.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the schema is made from it; the machine evaluates the values")]
struct Inputs {
    /// The list.
    from: Vec<Value>,
    /// The condition, such as `@greater(item()?['score'], 80)`. It must be true or false for every element.
    r#where: Condition,
}

/// An expression, or true or false.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the schema is made from it")]
enum Condition {
    Computed(String),
    Fixed(bool),
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec {
        per_item: Some("where"),
        sought_as: &["filter", "query"],
        ..ActionSpec::new("filter_array", || schemars::schema_for!(Inputs))
    },
    nature: Nature::PerItem(execute),
    returns: Returns::Body,
};

fn execute(input: &Value, values: Vec<Value>) -> Outcome {
    let items = input.get("from").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut kept = Vec::new();
    for (index, (item, value)) in items.iter().zip(values).enumerate() {
        match value {
            Value::Bool(true) => kept.push(item.clone()),
            Value::Bool(false) => {}
            other => {
                let kind = expression::type_name(&other);
                let message = format!(
                    "the input `where` of `filter_array` must be true or false for every element, but for the one at \
                     index {index} it is of type '{kind}'"
                );
                return Outcome::failed("BadRequest", message);
            }
        }
    }
    Outcome::succeeded(json!({"body": kept}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_it_holds_for_stay_in_order() {
        let input = json!({"from": [1, 3, 0, 5, 4, 2]});
        let values = [false, true, false, true, true, false].map(Value::from).to_vec();
        assert_eq!(execute(&input, values), Outcome::succeeded(json!({"body": [3, 5, 4]})));
        assert_eq!(execute(&json!({"from": []}), Vec::new()), Outcome::succeeded(json!({"body": []})));
    }

    #[test]
    fn a_condition_that_is_neither_true_nor_false_names_the_element() {
        for value in [json!("true"), json!(1), json!(null)] {
            let kind = expression::type_name(&value);
            let outcome = execute(&json!({"from": ["a", "b"]}), vec![json!(true), value.clone()]);
            assert_eq!(
                outcome.error.map(|error| error.message),
                Some(format!(
                    "the input `where` of `filter_array` must be true or false for every element, but for the one at \
                     index 1 it is of type '{kind}'"
                ))
            );
        }
    }
}
