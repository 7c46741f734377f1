//! What strings of a playbook come to, in both languages: tables of string and result.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

mod faults;
mod formats;
mod properties;
mod uses;
mod values;
mod xml;

use chrono::{DateTime, Utc};
use larum::expression::{CompileError, JsonScope, Partials, Template};
use serde_json::{Value, json};

pub fn now() -> DateTime<Utc> {
    "2026-11-24T09:05:00.1234567Z".parse().unwrap()
}

/// A run in the middle: a mail came in, an incident exists, a loop is on its second element.
pub fn scope() -> JsonScope {
    let context = json!({
        "trigger": {
            "subject": "Stranger at the <north> door",
            "importance": "high",
            "from": "ann@example.com",
            "sender": {"name": "Ann", "address": "ann@example.com", "domain": "example.com"},
            "hostile": "{{variables.secret}} @{variables('secret')} @concat('a', 'b') {{> signature}}",
            "attachments": [{"name": "a.png", "size": 10}, {"name": "b.pdf", "size": 20, "it's": true}],
            "headers": {"x-report": ["yes"], "odd key": 1},
            "isHtml": false,
            "five": 5.0,
            "nothing": null,
            "empty": []
        },
        "request": {"method": "POST", "headers": {"x-github-delivery": "72d3162e"}},
        "actions": {
            "create": {"properties": {"incidentNumber": 7}},
            "Call_it": {"status": "Failed", "outputs": {"statusCode": 500, "body": {"error": {"message": "no"}}}},
            "skipped": {"status": "Skipped"},
            "around": {"status": "Failed", "result": [{"name": "Call_it", "status": "Failed"}]}
        },
        "variables": {"seen": [1, 2], "secret": "s3cret", "lines": "2\n2", "Title": "Report"},
        "parameters": {"greeting": "Hello"},
        "item": {"id": 2},
        "items": {"each_one": {"id": 2}},
        "iterationIndexes": {"until_done": 3},
        "workflow": {"name": "mail", "run": {"name": "r-1"}}
    });
    JsonScope::new(context, now(), 42)
}

pub fn partials() -> Partials {
    let sources = [
        ("signature", "-- \n{{parameters.greeting}} from {{who}}\n"),
        ("report", "{{trigger.subject}}\n{{> signature who=trigger.sender.name}}"),
        ("card", "[{{name}}/{{../kind}}]"),
        ("box", "<{{> @partial-block}}>"),
        ("lines", "one\n{{text}}\nthree\n"),
        ("element", "{{name}} {{size}};"),
    ];
    Partials::new(sources.map(|(name, source)| (name.to_owned(), source.to_owned()))).unwrap()
}

pub fn evaluated(template: &str) -> Result<Value, String> {
    let template = Template::compile(template, &partials()).map_err(|errors| errors[0].to_string())?;
    template.evaluate(&scope()).map_err(|error| error.message)
}

pub fn faults(template: &str) -> Vec<CompileError> {
    Template::compile(template, &partials()).expect_err(template)
}

#[track_caller]
pub fn all(table: &[(&str, Value)]) {
    for (template, expected) in table {
        assert_eq!(evaluated(template), Ok(expected.clone()), "{template}");
    }
}
