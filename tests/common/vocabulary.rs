//! Actions as the checker sees them, shaped like the real ones, so that these tests are about the checker.

use std::collections::BTreeMap;

use larum::playbook::ActionSpec;
use schemars::{JsonSchema, schema_for};

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct CreateIncident {
    title: String,
    description: Option<String>,
    severity: Option<Severity>,
    tags: Option<Vec<Option<String>>>,
    owner: Option<String>,
    status: Option<String>,
}

/// How bad it is.
#[derive(JsonSchema)]
#[allow(dead_code)]
enum Severity {
    /// At once.
    High,
    /// Today.
    Medium,
    Low,
    Informational,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct SendEmail {
    connection: Option<String>,
    to: OneOrMany,
    subject: String,
    body: Option<String>,
    template: Option<String>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)]
enum OneOrMany {
    One(String),
    Many(Vec<Option<String>>),
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Http {
    connection: Option<String>,
    method: Method,
    url: String,
    headers: Option<BTreeMap<String, String>>,
    queries: Option<BTreeMap<String, String>>,
    body: Option<serde_json::Value>,
    authentication: Option<Authentication>,
    timeout_seconds: Option<u32>,
    follow: Option<bool>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[allow(dead_code)]
enum Method {
    Get,
    Post,
    Put,
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct Authentication {
    username: String,
    password: String,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Compose {
    inputs: serde_json::Value,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct ConvertHtmlToText {
    html: String,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct FilterArray {
    from: Vec<serde_json::Value>,
    r#where: String,
}

/// create_incident, send_email, http, convert_html_to_text, compose, filter_array, and as they are parse_json,
/// convert_time_zone, respond, increment_variable and add_comment.
pub fn vocabulary() -> Vec<ActionSpec> {
    let spec = |name, inputs, template_input, connections, retries| ActionSpec {
        template_input,
        connections,
        retries,
        ..ActionSpec::new(name, inputs)
    };
    vec![
        spec("create_incident", || schema_for!(CreateIncident), None, &[], true),
        spec("send_email", || schema_for!(SendEmail), Some("template"), &["smtp"], true),
        spec("http", || schema_for!(Http), None, &["http"], true),
        spec("convert_html_to_text", || schema_for!(ConvertHtmlToText), None, &[], false),
        spec("compose", || schema_for!(Compose), None, &[], false),
        ActionSpec {
            sought_as: &["filter", "query"],
            ..spec("filter_array", || schema_for!(FilterArray), None, &[], false)
        },
        // Actions that the checker treats in a way of their own are the real ones.
        larum::action::find("parse_json").unwrap().spec,
        larum::action::find("convert_time_zone").unwrap().spec,
        larum::action::find("respond").unwrap().spec,
        larum::action::find("increment_variable").unwrap().spec,
        larum::action::find("add_comment").unwrap().spec,
    ]
}
