//! A run's actions as a tree: as they stand in the playbook, iterations below their loop, what failed first.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::told;
use crate::{
    cli::table::instant,
    playbook::{Action, ActionKind},
};

/// Iterations that went well and are shown to people.
const ITERATIONS_SHOWN: usize = 5;
/// Characters of a value that are shown; of a longer one the size and SHA-256 follow.
const VALUE_CHARS: usize = 160;

/// The records of a run, by name and iterations.
struct Records<'r>(BTreeMap<(&'r str, Vec<u64>), &'r Value>);

impl<'r> Records<'r> {
    fn of(records: &'r [Value]) -> Self {
        let key = |record: &'r Value| {
            let iterations = record["iterations"].as_array().into_iter().flatten().filter_map(Value::as_u64);
            (record["name"].as_str().unwrap_or_default(), iterations.collect())
        };
        Self(records.iter().map(|record| (key(record), record)).collect())
    }

    fn find(&self, id: &str, iterations: &[u64]) -> Option<&'r Value> {
        self.0.get(&(id, iterations.to_vec())).copied()
    }
}

/// Draws the records of `actions`.
pub(super) fn draw(actions: &[Action], records: &[Value]) -> String {
    let mut tree = Tree { records: Records::of(records), text: String::new() };
    tree.list(actions, &[], "");
    tree.text
}

/// Draws records whose playbook cannot be read: one below the other.
pub(super) fn flat(records: &[Value]) -> String {
    let mut tree = Tree { records: Records::of(&[]), text: String::new() };
    for record in records {
        let iterations = record["iterations"].as_array().into_iter().flatten();
        let name = record["name"].as_str().unwrap_or_default().to_owned();
        let step = iterations.fold(name, |name, iteration| format!("{name}/{iteration}"));
        tree.record(&step, record, "", "    ");
    }
    tree.text
}

struct Tree<'r> {
    records: Records<'r>,
    text: String,
}

/// What stands below something.
enum Below<'a> {
    Action(&'a Action),
    Branch(String, &'a [Action]),
    Iteration(u64, &'a [Action]),
    Left(String),
}

impl Tree<'_> {
    fn list(&mut self, actions: &[Action], iterations: &[u64], before: &str) {
        let known = actions.iter().filter(|action| self.records.find(&action.id, iterations).is_some());
        let below: Vec<Below<'_>> = known.map(Below::Action).collect();
        self.below(&below, iterations, before);
    }

    fn below(&mut self, below: &[Below<'_>], iterations: &[u64], before: &str) {
        for (place, item) in below.iter().enumerate() {
            let is_last = place + 1 == below.len();
            let (branch, rest) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let (here, inner) = (format!("{before}{branch}"), format!("{before}{rest}"));
            match item {
                Below::Action(action) => self.action(action, iterations, &here, &inner),
                Below::Branch(name, actions) => {
                    self.line(&here, name);
                    self.list(actions, iterations, &inner);
                }
                Below::Iteration(iteration, actions) => {
                    self.line(&here, &format!("[{iteration}]"));
                    self.list(actions, &[iterations, &[*iteration]].concat(), &inner);
                }
                Below::Left(text) => self.line(&here, text),
            }
        }
    }

    fn action(&mut self, action: &Action, iterations: &[u64], here: &str, inner: &str) {
        let Some(record) = self.records.find(&action.id, iterations) else { return };
        let below = self.inside(action, record, iterations);
        let margin = if below.is_empty() { format!("{inner}   ") } else { format!("{inner}│  ") };
        self.record(&action.id, record, here, &margin);
        self.below(&below, iterations, inner);
    }

    fn record(&mut self, name: &str, record: &Value, here: &str, margin: &str) {
        let text = |key: &str| record[key].as_str().unwrap_or_default();
        let mut head = vec![name.to_owned(), record["status"].as_str().unwrap_or("not ended").to_owned()];
        head.push(text("code").to_owned());
        let (start, end) = (time(record, "startTime"), time(record, "endTime"));
        let ran = record["status"] != "Skipped";
        if let Some(start) = start.filter(|_| ran) {
            head.push(instant(start));
            head.extend(end.map(|end| format!("{:.3} s", (end - start).as_seconds_f64())));
        }
        let retries = record["retryHistory"].as_array().map_or(0, Vec::len);
        if retries > 0 {
            head.push(format!("{} attempts", retries + 1));
        }
        if let Some(count) = record["repetitionCount"].as_u64() {
            head.push(format!("{count} iterations"));
        }
        if record["kept"] == true {
            head.push("kept".to_owned());
        }
        head.retain(|part| !part.is_empty());
        self.line(here, &head.join("  "));
        if ran {
            for attempt in record["retryHistory"].as_array().into_iter().flatten() {
                let error = Some(&attempt["error"]).filter(|error| !error.is_null()).map(told);
                let at = time(attempt, "startTime").map(instant).unwrap_or_default();
                let code = attempt["code"].as_str().unwrap_or_default();
                self.line(margin, &format!("earlier   {at} {}", error.unwrap_or_else(|| code.to_owned())));
            }
            for key in ["inputs", "outputs"] {
                if let Some(value) = record.get(key).filter(|value| !value.is_null()) {
                    self.line(margin, &format!("{key:<9} {}", short(value)));
                }
            }
        }
        if let Some(error) = record.get("error").filter(|error| !error.is_null() && ran) {
            self.line(margin, &format!("error     {}", told(error)));
        }
    }

    /// What stands inside a container.
    fn inside<'a>(&self, action: &'a Action, record: &Value, iterations: &[u64]) -> Vec<Below<'a>> {
        match &action.kind {
            ActionKind::If { then, otherwise, .. } => [("then", then), ("else", otherwise)]
                .iter()
                .flat_map(|(name, list)| self.branch(name, list, iterations))
                .collect(),
            ActionKind::Switch { cases, default, .. } => {
                let cases = cases.iter().map(|(case, list)| (format!("case {case}"), list));
                let all = cases.chain([("default".to_owned(), default)]);
                all.flat_map(|(name, list)| self.branch(&name, list, iterations)).collect()
            }
            ActionKind::Scope { actions } => actions.iter().map(Below::Action).collect(),
            ActionKind::ForEach { actions, .. } | ActionKind::Until { actions, .. } => {
                self.iterations(actions, record["repetitionCount"].as_u64().unwrap_or_default(), iterations)
            }
            ActionKind::Terminate(_) | ActionKind::Call { .. } => Vec::new(),
        }
    }

    fn branch<'a>(&self, name: &str, actions: &'a [Action], iterations: &[u64]) -> Option<Below<'a>> {
        let first = self.records.find(&actions.first()?.id, iterations)?;
        let taken = first["error"]["code"] != "ActionBranchingConditionNotSatisfied";
        Some(match taken {
            true => Below::Branch(name.to_owned(), actions),
            false => Below::Left(format!("{name}  not taken")),
        })
    }

    /// The iterations that failed, then the first of the others.
    fn iterations<'a>(&self, actions: &'a [Action], count: u64, around: &[u64]) -> Vec<Below<'a>> {
        let failed = |iteration: &u64| {
            let place = [around, &[*iteration]].concat();
            let status = |action: &Action| self.records.find(&action.id, &place).map(|record| &record["status"]);
            actions.iter().filter_map(status).any(|status| status == "Failed" || status == "TimedOut")
        };
        let (failed, well): (Vec<u64>, Vec<u64>) = (0..count).partition(failed);
        let left = well.len().saturating_sub(ITERATIONS_SHOWN);
        let shown = failed.into_iter().chain(well.into_iter().take(ITERATIONS_SHOWN));
        let mut below: Vec<Below<'a>> = shown.map(|iteration| Below::Iteration(iteration, actions)).collect();
        if left > 0 {
            below.push(Below::Left(format!("{left} more in which nothing failed; --output json has all")));
        }
        below
    }

    fn line(&mut self, before: &str, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{before}{}", text.replace(['\n', '\r'], " "));
    }
}

fn time(record: &Value, key: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    record[key].as_str()?.parse().ok()
}

/// A value on one line; a long one is cut, with the size and the SHA-256 of its JSON text.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= VALUE_CHARS {
        return text;
    }
    let cut: String = text.chars().take(VALUE_CHARS).collect();
    format!("{cut}… ({} bytes, SHA-256 {})", text.len(), hex::encode(Sha256::digest(text.as_bytes())))
}
