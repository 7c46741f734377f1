//! `respond`: the answer to whoever called the webhook, Logic Apps' Response.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

use super::{ActionType, Nature, Outcome, Returns, input};
use crate::{expression, playbook::ActionSpec};

/// The action's name.
pub const NAME: &str = "respond";
/// Headers that only say how the answer travels, which is the server's business.
const TRANSPORT: [&str; 9] =
    ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "date", "server"];
/// Headers that Logic Apps leaves out of an answer.
const LEFT_OUT: [&str; 5] = ["allow", "cookie", "expires", "last-modified", "set-cookie"];
/// Those that begin with `content-` and stay.
const CONTENT: [&str; 3] = ["content-disposition", "content-encoding", "content-type"];

/// Answers whoever called the webhook, in the same request. A playbook answers once; the run goes on afterwards. Without
/// an answer within two minutes the caller is told `504`, and of a run that ends without one, `502`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The status: from 200 to 299 or from 400 to 599. Default 200.
    #[serde(default)]
    status_code: StatusCode,
    /// Headers by name. Those that say how the answer travels are left out, and with them, as in Logic Apps, `Allow`,
    /// `Cookie`, `Set-Cookie`, `Expires`, `Last-Modified` and every `Content-…` but `Content-Type`, `Content-Encoding`
    /// and `Content-Disposition`.
    #[serde(default)]
    headers: Map<String, Value>,
    /// What is answered: a text as it is, a content envelope (`$content-type`, `$content`) as its bytes, anything else
    /// as JSON. Without a `Content-Type` among the headers it says which of them it is.
    body: Option<Value>,
}

/// A status that may be answered; also read from a text, as expressions often give one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StatusCode(u16);

impl Default for StatusCode {
    fn default() -> Self {
        Self(200)
    }
}

impl<'de> Deserialize<'de> for StatusCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let status = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match status.and_then(|status| u16::try_from(status).ok()) {
            Some(status @ (200..=299 | 400..=599)) => Ok(Self(status)),
            _ => Err(D::Error::custom("it is a status from 200 to 299 or from 400 to 599")),
        }
    }
}

impl JsonSchema for StatusCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusCode".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["integer", "string"]})
    }
}

pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec {
        sought_as: &["response", "reply"],
        in_loops: false,
        triggers: &["webhook", "manual"],
        ..ActionSpec::new(NAME, || schemars::schema_for!(Inputs))
    },
    nature: Nature::Reply(respond),
    returns: Returns::Body,
};

/// The answer, `{statusCode, headers, body}`.
fn respond(input: &Value) -> Result<Value, Box<Outcome>> {
    let inputs: Inputs = input::read(NAME, input)?;
    let bad = |message: String| Box::new(Outcome::failed("BadRequest", message));
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in inputs.headers.iter().filter(|(_, value)| !value.is_null()) {
        let parsed = HeaderName::try_from(name.trim())
            .map_err(|_| bad(format!("the input `headers` of `{NAME}` has {name:?}, which is no header's name")))?;
        if is_left_out(parsed.as_str()) {
            continue;
        }
        if value.is_array() || value.is_object() {
            return Err(bad(format!("the header `{parsed}` of `{NAME}` must be a text, a number or true or false")));
        }
        let text = expression::text(value).trim().to_owned();
        if HeaderValue::try_from(&text).is_err() {
            return Err(bad(format!(
                "the header `{parsed}` of `{NAME}` has a line break or another control character"
            )));
        }
        headers.retain(|known, _| !known.eq_ignore_ascii_case(parsed.as_str()));
        headers.insert(name.trim().to_owned(), text.into());
    }
    let mut answer = Map::new();
    answer.insert("statusCode".into(), inputs.status_code.0.into());
    // RFC 9110 §6.4.1: these have no content.
    let body = inputs.body.filter(|body| !body.is_null() && !matches!(inputs.status_code.0, 204 | 205));
    if let Some(body) = &body {
        let kind = content_type(body).map_err(bad)?;
        if !headers.keys().any(|name| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str())) {
            headers.insert("Content-Type".into(), kind.into());
        }
    }
    answer.insert("headers".into(), headers.into());
    if let Some(body) = body {
        answer.insert("body".into(), body);
    }
    Ok(answer.into())
}

fn is_left_out(name: &str) -> bool {
    TRANSPORT.contains(&name)
        || LEFT_OUT.contains(&name)
        || name.starts_with("proxy-")
        || name.starts_with("content-") && !CONTENT.contains(&name)
}

/// What a body is when nobody said so.
fn content_type(body: &Value) -> Result<String, String> {
    if body.is_string() {
        return Ok("text/plain; charset=utf-8".to_owned());
    }
    let (Some(Value::String(kind)), Some(Value::String(content))) = (body.get("$content-type"), body.get("$content"))
    else {
        return Ok("application/json; charset=utf-8".to_owned());
    };
    if let Err(error) = BASE64_STANDARD.decode(content) {
        return Err(format!("the `$content` of the input `body` of `{NAME}` is not base64: {error}"));
    }
    match HeaderValue::try_from(kind) {
        Ok(_) => Ok(kind.clone()),
        Err(_) => Err(format!("the `$content-type` of the input `body` of `{NAME}` is no type")),
    }
}

/// The status, headers and bytes of an answer that [`respond`] made.
#[must_use]
pub fn encode(answer: &Value) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let headers = answer["headers"].as_object().into_iter().flatten();
    let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    let bytes = match answer.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(body) => match (body.get("$content-type"), body.get("$content")) {
            (Some(Value::String(_)), Some(Value::String(content))) => {
                BASE64_STANDARD.decode(content).unwrap_or_default()
            }
            _ => body.to_string().into_bytes(),
        },
    };
    (status, headers, bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_a_status_headers_and_a_body_of_a_type() {
        let table = [
            json!({}),
            json!({"status_code": 201, "body": {"id": 7}}),
            json!({"status_code": "404", "body": "not here"}),
            json!({"body": [1, null], "headers": {"content-type": "application/vnd.x+json", "X-A": 1, "x-b": true, "X-C": null}}),
            json!({"body": {"$content-type": "image/png", "$content": "iVBORw=="}}),
            json!({"status_code": 204, "body": "left out"}),
            json!({"headers": {"X-A": "1", "x-a": "2"}}),
            json!({"headers": {
                "Allow": "GET", "Content-Length": "1", "Content-Disposition": "inline", "Content-Encoding": "br",
                "Content-Language": "de", "Cookie": "a", "Set-Cookie": "a", "Expires": "0", "Last-Modified": "0",
                "Transfer-Encoding": "chunked", "Connection": "close", "Location": "/elsewhere", "Proxy-Authenticate": "a"
            }}),
        ];
        let answers = table.map(|input| respond(&input).unwrap_or_else(|outcome| panic!("{outcome:?}")));
        let encoded = answers.clone().map(|answer| {
            let (status, headers, bytes) = encode(&answer);
            format!("{status} {headers:?} {}", String::from_utf8_lossy(&bytes))
        });
        insta::assert_json_snapshot!(answers);
        insta::assert_debug_snapshot!(encoded);
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let table = [
            json!({"status_code": 301}),
            json!({"status_code": 100}),
            json!({"status_code": 600}),
            json!({"status_code": "fine"}),
            json!({"headers": {"X A": "1"}}),
            json!({"headers": {"X-A": "1\r\nSet-Cookie: a=b"}}),
            json!({"headers": {"X-A": ["1"]}}),
            json!({"body": {"$content-type": "image/png", "$content": "?"}}),
            json!({"body": {"$content-type": "image\npng", "$content": ""}}),
            json!({"boddy": 1}),
        ];
        let refused = table.map(|input| {
            let outcome = respond(&input).expect_err("refused");
            format!("{}: {}", outcome.code, outcome.error.map(|error| error.message).unwrap_or_default())
        });
        insta::assert_debug_snapshot!(refused);
    }
}
