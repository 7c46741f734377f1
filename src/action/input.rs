//! Reads an action's evaluated `with:` into its input struct.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Outcome;

/// The inputs as `T`.
///
/// # Errors
/// The outcome to end with, `BadRequest` naming the key that is missing or has the wrong type; never its value, which
/// may be a secret.
pub(super) fn read<T: DeserializeOwned>(action: &str, input: &Value) -> Result<T, Box<Outcome>> {
    serde_path_to_error::deserialize(input).map_err(|error| {
        let key = error.path().to_string();
        let reason = error.inner().to_string();
        // serde's "invalid type: string "…", expected …" repeats the value.
        let expected = reason.rsplit_once(", expected ").map(|(_, expected)| format!("expected {expected}"));
        let reason = expected.unwrap_or(reason);
        let message = match key.as_str() {
            "." => format!("the inputs of `{action}` cannot be used: {reason}"),
            key => format!("the input `{key}` of `{action}` cannot be used: {reason}"),
        };
        Box::new(Outcome::failed("BadRequest", message))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read to be refused")]
    struct Inputs {
        url: String,
        #[serde(default)]
        count: Option<u8>,
    }

    #[test]
    fn a_fault_names_the_key_and_not_the_value() {
        let fault = |input: Value| {
            let error = read::<Inputs>("http", &input).expect_err("a fault").error.expect("an error");
            format!("{}: {}", error.code, error.message)
        };
        assert_eq!(fault(json!({})), "BadRequest: the inputs of `http` cannot be used: missing field `url`");
        assert_eq!(
            fault(json!({"url": ["hunter2"]})),
            "BadRequest: the input `url` of `http` cannot be used: expected a string"
        );
        assert_eq!(
            fault(json!({"url": "x", "count": "hunter2"})),
            "BadRequest: the input `count` of `http` cannot be used: expected u8"
        );
    }
}
