//! `convert_html_to_text`: the text of an HTML page, as in Logic Apps' content conversion connector.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ActionType, Nature, Outcome, Returns};
use crate::{mail::html::html_to_text, playbook::ActionSpec};

/// Makes plain text of HTML: tags, scripts and styles go, paragraphs, lines and list bullets stay. `actions.ID` is the text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvertHtmlToText {
    /// The HTML, such as `@trigger.body`. Text that is not HTML stays as it is.
    pub html: String,
}

/// The action's line in the table.
pub const ACTION: ActionType = ActionType {
    spec: ActionSpec::new("convert_html_to_text", || schemars::schema_for!(ConvertHtmlToText)),
    nature: Nature::Pure(convert),
    returns: Returns::Body,
};

fn convert(input: &Value) -> Outcome {
    match ConvertHtmlToText::deserialize(input) {
        Ok(ConvertHtmlToText { html }) => Outcome::succeeded(json!({"body": html_to_text(&html)})),
        Err(_) => Outcome::failed("BadRequest", "the input `html` of `convert_html_to_text` must be a text"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_becomes_its_text_and_nothing_else_is_taken() {
        let converted = convert(&json!({"html": "<p>Hello <b>you</b></p>"}));
        assert_eq!(converted.outputs, Some(json!({"body": "Hello you"}).into()));
        for wrong in [json!({}), json!({"html": 5}), json!(null)] {
            assert_eq!(convert(&wrong).code, "BadRequest");
        }
    }
}
