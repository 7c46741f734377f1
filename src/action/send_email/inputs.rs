//! What `send_email` takes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use super::{super::input, Fault};

/// Sends a mail. Without an smtp connection in `larum.yaml` the mail becomes a file in the data folder's `outbox/`.
///
/// Every mail says that it is automatic (`Auto-Submitted`), and one to the sender of the report is an answer to it. No mail
/// is sent where it could start a loop: not in answer to machines, mailing lists and delivery reports, not to our own
/// addresses, and at most five an hour to one recipient. A mail held back succeeds, with `suppressed` saying why.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendEmail {
    /// Who receives it: an address, `Name <address>`, several of them separated by semicolons, or a list.
    pub to: Addresses,
    /// Who receives a copy.
    #[serde(default)]
    pub cc: Addresses,
    /// Who receives a copy unseen by the others.
    #[serde(default)]
    pub bcc: Addresses,
    /// Where answers go, when not to the connection's own address.
    #[serde(default)]
    pub reply_to: Addresses,
    /// The subject.
    pub subject: Text,
    /// The text of the mail; or give `template`.
    pub body: Option<Text>,
    /// The name of a handlebars template in `templates/`, which makes the text of the mail from the run's data.
    pub template: Option<Text>,
    /// Whether `body` or the template's result is HTML. A text for programs that show none is made from it.
    #[serde(default)]
    pub is_html: bool,
    /// Attachments of the report that are passed on: members of `trigger.attachments`, or their ids.
    #[serde(default)]
    pub attachments: Attached,
    /// The smtp connection of `larum.yaml` it goes over. Default: the first one by name.
    pub connection: Option<String>,
    /// The text beside an HTML mail, where it is not made from it. Playbooks cannot give one.
    #[serde(skip)]
    pub plain: Option<String>,
}

/// Reads the evaluated inputs.
pub(super) fn read(input: &Value) -> Result<SendEmail, Fault> {
    let input: SendEmail = input::read("send_email", input)
        .map_err(|outcome| Fault::Inputs(outcome.error.map(|error| error.message).unwrap_or_default()))?;
    if input.body.is_some() == input.template.is_some() {
        return Err(Fault::Inputs("`send_email` takes either `body` or `template`".to_owned()));
    }
    Ok(input)
}

/// A text; numbers and truth values count as what they print as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Bool(value) => Ok(Self(if value { "True" } else { "False" }.to_owned())),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(D::Error::custom("it takes a text")),
        }
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// Recipients, each as `Name <address>` or an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(pub Vec<String>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut addresses = Vec::new();
        let members = match Value::deserialize(deserializer)? {
            Value::Array(members) => members,
            one => vec![one],
        };
        for member in members {
            match member {
                Value::Null => {}
                Value::String(text) => {
                    addresses.extend(text.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned));
                }

                // As `trigger.sender` and the members of `trigger.to` are written.
                Value::Object(person) => match person.get("address").and_then(Value::as_str) {
                    Some(address) => addresses.push(address.to_owned()),
                    None => return Err(D::Error::custom("a recipient has no `address`")),
                },
                Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                    return Err(D::Error::custom("it takes addresses, as a text or a list of texts"));
                }
            }
        }
        Ok(Self(addresses))
    }
}

impl JsonSchema for Addresses {
    fn schema_name() -> Cow<'static, str> {
        "Addresses".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "object", "null"]}}, {"type": "object"}]})
    }
}

/// Ids of the report's attachments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attached(pub Vec<String>);

impl<'de> Deserialize<'de> for Attached {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = match Value::deserialize(deserializer)? {
            Value::Array(members) => members,
            one => vec![one],
        };
        let id = |member: &Value| member.as_str().or_else(|| member["id"].as_str()).map(str::to_owned);
        let ids = members.iter().filter(|member| !member.is_null()).map(id).collect::<Option<Vec<_>>>();
        ids.map(Self).ok_or_else(|| D::Error::custom("it takes members of `trigger.attachments` or their ids"))
    }
}

impl JsonSchema for Attached {
    fn schema_name() -> Cow<'static, str> {
        "Attached".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "object", "null"]}}, {"type": "object"}]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn recipients_are_read_in_every_shape_they_come_in() {
        for (given, addresses) in [
            (json!("a@b.c"), vec!["a@b.c"]),
            (json!("a@b.c; Ann <d@e.f>;"), vec!["a@b.c", "Ann <d@e.f>"]),
            (json!([null, "a@b.c", {"name": "X", "address": "d@e.f", "domain": "e.f"}]), vec!["a@b.c", "d@e.f"]),
            (json!({"address": "a@b.c"}), vec!["a@b.c"]),
            (json!([]), vec![]),
        ] {
            assert_eq!(Addresses::deserialize(&given).unwrap().0, addresses, "{given}");
        }
        for wrong in [json!(5), json!([["a@b.c"]]), json!([{"name": "X"}]), json!(true)] {
            assert!(Addresses::deserialize(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn inputs_that_cannot_be_used_are_named() {
        for (given, message) in [
            (json!({"subject": "s", "body": "b"}), "the inputs of `send_email` cannot be used: missing field `to`"),
            (json!({"to": "a@b.c", "body": "b"}), "the inputs of `send_email` cannot be used: missing field `subject`"),
            (json!({"to": "a@b.c", "subject": "s"}), "`send_email` takes either `body` or `template`"),
            (
                json!({"to": "a@b.c", "subject": "s", "body": "b", "template": "t"}),
                "`send_email` takes either `body` or `template`",
            ),
            (
                json!({"to": "a@b.c", "subject": {}, "body": "b"}),
                "the input `subject` of `send_email` cannot be used: it takes a text",
            ),
            (
                json!({"to": "a@b.c", "subject": "s", "body": "b", "attachments": [{"name": "x"}]}),
                "the input `attachments` of `send_email` cannot be used: it takes members of `trigger.attachments` or their ids",
            ),
        ] {
            assert_eq!(read(&given).expect_err("refused").to_string(), message);
        }
        let read = read(&json!({"to": "a@b.c", "subject": 5, "template": true})).expect("read");
        assert_eq!((read.subject, read.template), (Text("5".into()), Some(Text("True".into()))));
    }
}
