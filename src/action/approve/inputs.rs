//! What `approve` takes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use super::super::{
    input,
    send_email::{Addresses, Fault, Text},
};
use crate::{limits, mail::html::html_to_text};

pub(super) const NAME: &str = "approve";
/// Microsoft's own.
const DEFAULT: [&str; 2] = ["Approve", "Reject"];

/// Asks people by mail and waits for an answer; the run needs no memory meanwhile. Each person gets a mail with a link
/// for every answer; a link opens a page where they confirm. The first answer counts, whoever gives it, and later ones are
/// told what was decided. `actions.ID.SelectedOption` is the answer, `actions.ID.UserEmailAddress` the address of the
/// person who was asked and gave it.
///
/// Give the action a `timeout:`: when it passes, the action ends `timed_out` and the page says that it is too late.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Who is asked: an address, `Name <address>`, several of them separated by semicolons, or a list.
    pub to: Addresses,
    /// The subject of the mail and the heading of the page.
    pub subject: Text,
    /// The question; or give `template`.
    pub body: Option<Text>,
    /// The name of a handlebars template in `templates/`, which makes the question from the run's data.
    pub template: Option<Text>,
    /// Whether `body` or the template's result is HTML. The page shows its text.
    #[serde(default)]
    pub is_html: bool,
    /// The answers to choose from, as a list or a text with commas between them. Default: `Approve, Reject`.
    #[serde(default)]
    pub options: Options,
    /// Where answers by mail go, when not to the connection's own address.
    #[serde(default)]
    pub reply_to: Addresses,
    /// The smtp connection of `larum.yaml` it goes over. Default: the first one by name.
    pub connection: Option<String>,
}

/// The answers to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options(pub Vec<String>);

impl Default for Options {
    fn default() -> Self {
        Self(DEFAULT.map(str::to_owned).to_vec())
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given: Vec<String> = match Value::deserialize(deserializer)? {
            Value::String(text) => text.split(',').map(str::to_owned).collect(),
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(D::Error::custom("an option is a text")),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err(D::Error::custom("it takes options as a text with commas or a list of texts")),
        };
        let options: Vec<String> =
            given.iter().map(|option| option.trim()).filter(|option| !option.is_empty()).map(str::to_owned).collect();
        if options.is_empty() || options.len() > limits::APPROVAL_OPTIONS {
            return Err(D::Error::custom(format!("it takes from 1 to {} options", limits::APPROVAL_OPTIONS)));
        }
        for (place, option) in options.iter().enumerate() {
            if option.chars().count() > limits::APPROVAL_OPTION_CHARS || option.chars().any(char::is_control) {
                return Err(D::Error::custom(format!(
                    "an option is one line of at most {} characters",
                    limits::APPROVAL_OPTION_CHARS
                )));
            }
            if options[..place].iter().any(|other| other.eq_ignore_ascii_case(option)) {
                return Err(D::Error::custom("an option is written twice"));
            }
        }
        Ok(Self(options))
    }
}

impl JsonSchema for Options {
    fn schema_name() -> Cow<'static, str> {
        "Options".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    }
}

impl Approve {
    /// The question as the mail has it.
    pub(super) fn question(&self) -> &str {
        self.body.as_ref().or(self.template.as_ref()).map_or("", |text| &text.0)
    }

    /// The question as plain text.
    #[must_use]
    pub fn question_as_text(&self) -> String {
        if self.is_html { html_to_text(self.question()) } else { self.question().to_owned() }
    }

    /// Reads the evaluated inputs, for the page that asks.
    #[must_use]
    pub fn of(input: &Value) -> Option<Self> {
        read(input).ok()
    }
}

/// Reads the evaluated inputs.
pub(super) fn read(input: &Value) -> Result<Approve, Fault> {
    let input: Approve = input::read(NAME, input)
        .map_err(|outcome| Fault::Inputs(outcome.error.map(|error| error.message).unwrap_or_default()))?;
    if input.body.is_some() == input.template.is_some() {
        return Err(Fault::Inputs(format!("`{NAME}` takes either `body` or `template`")));
    }
    if input.to.0.is_empty() || input.to.0.len() > limits::APPROVAL_RECIPIENTS {
        return Err(Fault::Inputs(format!("`{NAME}` asks from 1 to {} people", limits::APPROVAL_RECIPIENTS)));
    }
    Ok(input)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_a_list_or_a_text_with_commas() {
        for (given, options) in [
            (json!("Approve, Reject"), vec!["Approve", "Reject"]),
            (json!(" Yes ,No, , Ask  me later"), vec!["Yes", "No", "Ask  me later"]),
            (json!(["Block, and tell", " Leave "]), vec!["Block, and tell", "Leave"]),
        ] {
            assert_eq!(Options::deserialize(&given).unwrap().0, options, "{given}");
        }
        assert_eq!(Options::default().0, ["Approve", "Reject"]);
        for wrong in
            [json!(""), json!([]), json!([1]), json!(5), json!("Yes, yes"), json!(["a\nb"]), json!("x".repeat(101))]
        {
            assert!(Options::deserialize(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn inputs_that_cannot_be_used_are_named() {
        for (given, message) in [
            (json!({"subject": "s", "body": "b"}), "the inputs of `approve` cannot be used: missing field `to`"),
            (json!({"to": [], "subject": "s", "body": "b"}), "`approve` asks from 1 to 50 people"),
            (json!({"to": "a@b.c", "subject": "s"}), "`approve` takes either `body` or `template`"),
            (
                json!({"to": "a@b.c", "subject": "s", "body": "b", "options": "Yes,yes"}),
                "the input `options` of `approve` cannot be used: an option is written twice",
            ),
        ] {
            assert_eq!(read(&given).expect_err("refused").to_string(), message);
        }
    }
}
