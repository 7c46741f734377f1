//! The structure of a playbook as it is written, for comparing and drawing: nothing is checked.

use serde_json::{Map, Value, json};

/// A playbook in outline.
#[derive(Debug)]
pub struct Outline {
    pub name: String,
    /// The kind of trigger.
    pub trigger: String,
    /// Everything but the actions.
    pub head: Map<String, Value>,
    pub steps: Vec<Step>,
}

/// An action.
#[derive(Debug)]
pub struct Step {
    pub id: String,
    /// What it does: `send_email`, `if`, …
    pub kind: String,
    /// What it waits for, each with the statuses; also where that is not written, because it stands above.
    pub after: Vec<(String, Vec<String>)>,
    /// The rest of its keys, but for the actions in it.
    pub fields: Map<String, Value>,
    /// The lists of actions in it, each with its name.
    pub branches: Vec<(String, Vec<Step>)>,
}

impl Outline {
    /// The outline of a file's value; `None` where it has no actions.
    #[must_use]
    pub fn of(file: &Value) -> Option<Self> {
        let mut head = file.as_object()?.clone();
        let steps = steps(head.shift_remove("actions")?.as_array()?);
        let trigger = head.get("trigger").and_then(Value::as_object);
        let beside = ["conditions", "split_on", "concurrency"];
        let trigger = trigger.and_then(|trigger| trigger.keys().find(|key| !beside.contains(&key.as_str())));
        let trigger = trigger.cloned().unwrap_or_default();
        Some(Self { name: text(&head, "name"), trigger, head, steps })
    }
}

fn text(map: &Map<String, Value>, key: &str) -> String {
    map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn steps(items: &[Value]) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::new();
    for item in items.iter().filter_map(Value::as_object) {
        let step = step(item, out.last());
        out.push(step);
    }
    out
}

fn step(item: &Map<String, Value>, above: Option<&Step>) -> Step {
    let mut fields = item.clone();
    let id = text(&fields, "id");
    fields.shift_remove("id");
    let after = match fields.shift_remove("run_after") {
        // Names compare ignoring case.
        Some(Value::Object(after)) => after.iter().map(|(id, statuses)| (id.to_lowercase(), list(statuses))).collect(),
        _ => above.map(|above| (above.id.to_lowercase(), vec!["succeeded".to_owned()])).into_iter().collect(),
    };
    let kinds = ["if", "switch", "for_each", "until", "scope", "terminate"];
    let kind = kinds.into_iter().find(|kind| fields.contains_key(*kind));
    let kind = kind.map_or_else(|| text(&fields, "action"), str::to_owned);
    let mut branches = Vec::new();
    for key in ["then", "else", "do", "scope"] {
        if let Some(Value::Array(items)) = fields.get(key) {
            branches.push((key.to_owned(), steps(items)));
            fields.shift_remove(key);
        }
    }
    if let Some(Value::Array(cases)) = fields.shift_remove("cases") {
        for case in &cases {
            let inner = case["do"].as_array().map(|items| steps(items)).unwrap_or_default();
            branches.push((format!("case {}", case["case"]), inner));
        }
        // A case without actions counts too: for its value the default is not taken.
        fields.insert("cases".to_owned(), cases.iter().map(|case| case["case"].clone()).collect());
    }
    if let Some(Value::Array(items)) = fields.shift_remove("default") {
        branches.push(("default".to_owned(), steps(&items)));
    }
    Step { id, kind, after, fields, branches }
}

/// A status or a list of them, in an order that says nothing.
fn list(value: &Value) -> Vec<String> {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut statuses: Vec<String> = items.iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
    statuses.sort();
    statuses
}

/// What an action waits for, as it would be written.
#[must_use]
pub fn written(after: &[(String, Vec<String>)]) -> Value {
    after.iter().map(|(id, statuses)| (id.clone(), json!(statuses))).collect::<Map<_, _>>().into()
}
