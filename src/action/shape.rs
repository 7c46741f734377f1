//! The evaluated `with:` of an action, put into the shape the action's schema asks for.

use serde_json::Value;

use crate::playbook::ActionSpec;

/// Lists of these names lose their null members, so that an unanswered field leaves no hole.
const LISTS: &[&str] = &["tags", "to", "cc", "bcc"];

/// What an action requires, read from its schema once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputShape {
    required: Vec<String>,
}

impl InputShape {
    /// The shape of an action's `with:`.
    #[must_use]
    pub fn of(spec: &ActionSpec) -> Self {
        let schema = (spec.inputs)();
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let required = required.filter_map(Value::as_str).filter(|key| spec.per_item != Some(*key));
        Self { required: required.map(str::to_owned).collect() }
    }

    /// Drops keys whose value is null and null members of `tags`, `to`, `cc` and `bcc`.
    ///
    /// # Errors
    /// The name of a required key that is absent.
    pub fn shape(&self, mut input: Value) -> Result<Value, &str> {
        if let Value::Object(members) = &mut input {
            members.retain(|_, value| !value.is_null());
            for name in LISTS {
                if let Some(Value::Array(list)) = members.get_mut(*name) {
                    list.retain(|member| !member.is_null());
                }
            }
        }
        match self.required.iter().find(|key| input.get(key.as_str()).is_none()) {
            Some(key) => Err(key),
            None => Ok(input),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape() -> InputShape {
        InputShape { required: vec!["title".to_owned()] }
    }

    #[test]
    fn null_counts_as_absent_and_lists_lose_their_nulls() {
        let input = json!({"title": "x", "owner": null, "tags": [null, "a", null], "other": [null]});
        assert_eq!(shape().shape(input), Ok(json!({"title": "x", "tags": ["a"], "other": [null]})));
    }

    #[test]
    fn an_absent_required_key_is_named() {
        for input in [json!({}), json!({"title": null})] {
            assert_eq!(shape().shape(input), Err("title"));
        }
    }
}
