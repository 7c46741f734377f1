//! Expressions and templates a second on one core, over a mail of 5 kB.

use std::time::{Duration, Instant};

use larum::expression::{JsonScope, Partials, Template};
use serde_json::json;

use crate::{Promise, Row};

const MEASURED: Duration = Duration::from_secs(1);
const EXPRESSION: &str =
    "@if(and(equals(trigger.importance, 'high'), contains(trigger.subject, 'door')), 'High', 'Medium')";
const TEMPLATE: &str = "Received: {{trigger.subject}} from {{trigger.sender.name}}\n{{#each trigger.attachments}}- {{name}} ({{size}})\n{{/each}}{{trigger.text}}";

pub fn rows() -> Vec<Row> {
    vec![row("expression evaluations", EXPRESSION), row("template renders", TEMPLATE)]
}

fn row(name: &str, text: &str) -> Row {
    let template = Template::compile(text, &Partials::default()).expect("it compiles");
    let attachment = |n: u32| json!({"name": format!("photo-{n}.jpg"), "size": 1_000 * n});
    let mail = json!({
        "importance": "high",
        "subject": "incident: stranger at the north door",
        "sender": {"name": "Ada", "address": "ada@example.com"},
        "attachments": [attachment(1), attachment(2), attachment(3)],
        "text": "Somebody without a badge followed me in. ".repeat(120),
    });
    let scope = JsonScope::new(json!({ "trigger": mail }), chrono::DateTime::UNIX_EPOCH, 1);
    let (mut done, began) = (0_u64, Instant::now());
    while began.elapsed() < MEASURED {
        for _ in 0..100 {
            std::hint::black_box(template.evaluate(&scope).expect("it has a value"));
        }
        done += 100;
    }
    let rate = done as f64 / began.elapsed().as_secs_f64();
    Row {
        name: format!("{name}, million/s a core"),
        figure: format!("{rate:.0} a second"),
        value: rate / 1e6,
        promise: Promise::AtLeast(0.0),
    }
}
