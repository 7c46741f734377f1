//! What was expected against what was found, value by value.

use std::{fmt::Write as _, ops::Range, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    case::{Expect, Section, SectionKind},
    found::{Found, Record, usual_code},
};
use crate::{
    diagnostic::{Position, Source},
    duration,
    yaml::{Entry, Node, Value as Yaml},
};

/// The key of an expected map that asks for a part instead of the whole.
pub(super) const CONTAINS: &str = "$contains";

/// One value that came out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where in `expect:`, such as `incidents[0].severity`.
    pub path: String,
    /// What was expected; nothing where nothing may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What was found; nothing where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// Where the expectation stands in the test file.
    #[serde(flatten)]
    pub position: Position,
}

/// Everything in which a run came out otherwise.
pub(super) fn differences(expect: &Expect, found: &Found, case: &Range<usize>, source: &Source) -> Vec<Difference> {
    let mut comparison = Comparison { exactly: expect.exactly, of_statuses: false, source, out: Vec::new() };
    for fault in &found.faults {
        comparison.add("run", case.start, None, Some(fault.clone().into()));
    }
    for section in &expect.sections {
        comparison.section(section, found);
    }
    // A run that fails unasked for is never what a test means to pass over.
    let says = |kind| expect.sections.iter().any(|section| section.kind == kind);
    if !says(SectionKind::Status) && found.status != "succeeded" {
        let found = match (&found.error, &found.because) {
            (Some(error), _) => format!("{}: {}", found.status, error_line(error)),
            (None, Some(because)) => format!("{}: {because}", found.status),
            (None, None) => found.status.to_owned(),
        };
        comparison.add("status", case.start, Some("succeeded".into()), Some(found.into()));
    }
    comparison.out
}

fn error_line(error: &Value) -> String {
    let part = |name: &str| error[name].as_str().unwrap_or("-");
    format!("{} {}", part("code"), part("message"))
}

struct Comparison<'s> {
    exactly: bool,
    /// `actions` is compared: a status may stand without its code.
    of_statuses: bool,
    source: &'s Source,
    out: Vec<Difference>,
}

impl Comparison<'_> {
    fn add(&mut self, path: &str, at: usize, expected: Option<Value>, found: Option<Value>) {
        self.out.push(Difference { path: path.to_owned(), expected, found, position: self.source.position(at) });
    }

    fn section(&mut self, section: &Section, found: &Found) {
        let (name, node) = (section.kind.name(), &section.node);
        self.of_statuses = section.kind == SectionKind::Actions;
        let error = |part: &str| found.error.as_ref().and_then(|error| error.get(part)).cloned();
        let list = |deeds: &[(String, Value)]| Value::Array(deeds.iter().map(|(_, deed)| deed.clone()).collect());
        match section.kind {
            SectionKind::Status => self.value(name, node, Some(&found.status.into())),
            SectionKind::Code => self.value(name, node, error("code").as_ref()),
            SectionKind::Message => self.value(name, node, error("message").as_ref()),
            SectionKind::Because => {
                self.value(name, node, found.because.clone().map(Value::from).as_ref());
            }
            SectionKind::Lasts => self.lasts(node, found),
            SectionKind::Actions => self.actions(section, found),
            SectionKind::Errors => self.steps(name, node, found, |record| record.error.clone()),
            SectionKind::Inputs => self.steps(name, node, found, |record| record.inputs.clone()),
            SectionKind::Outputs => self.steps(name, node, found, |record| Some(record.returned())),
            SectionKind::Attempts => {
                for entry in entries(node) {
                    let known = found.attempts.iter().find(|(step, _)| step.eq_ignore_ascii_case(&entry.key));
                    let count = known.map_or(0, |(_, count)| *count);
                    self.value(&format!("{name}.{}", entry.key), &entry.value, Some(&count.into()));
                }
            }
            SectionKind::Variables => self.value(name, node, Some(&found.variables)),
            SectionKind::Incidents => self.value(name, node, Some(&list(&found.world.incidents))),
            SectionKind::Mails => self.value(name, node, Some(&list(&found.world.mails))),
            SectionKind::Calls => self.value(name, node, Some(&list(&found.world.calls))),
            SectionKind::Children => self.value(name, node, Some(&list(&found.world.children))),
            SectionKind::Reply => {
                let reply = found.world.reply.as_ref().map(|reply| {
                    json!({"status_code": reply["statusCode"], "headers": reply["headers"], "body": reply["body"]})
                });
                self.value(name, node, reply.as_ref());
            }
        }
    }

    /// Whole seconds, so that a run that went through a retry's jitter is as long as the policy says.
    fn lasts(&mut self, node: &Node, found: &Found) {
        let wanted = node.as_text().and_then(duration::parse).unwrap_or_default();
        let seconds = Duration::from_secs(found.lasts.num_seconds().unsigned_abs());
        if wanted != seconds {
            let expected = Some(node.to_json());
            self.add("lasts", node.span.start, expected, Some(format!("{}s", seconds.as_secs()).into()));
        }
    }

    // --- by action ---

    fn actions(&mut self, section: &Section, found: &Found) {
        let exactly = self.exactly;
        let shown = move |record: &Record| {
            let status = record.status;
            let code = if exactly && record.code == usual_code(status) { "" } else { &*record.code };
            let line = if code.is_empty() { status.to_owned() } else { format!("{status} {code}") };
            Some(Value::String(line))
        };
        self.steps("actions", &section.node, found, shown);
        if !self.exactly {
            return;
        }
        for record in &found.records {
            let step = record.step();
            let covers =
                |entry: &Entry| entry.key.eq_ignore_ascii_case(&step) || entry.key.eq_ignore_ascii_case(&record.name);
            if !entries(&section.node).iter().any(covers) {
                self.add(&format!("actions.{step}"), section.span.start, None, shown(record));
            }
        }
    }

    /// Values by step: `x/1`, `x` for an action outside of loops, and of one inside them `x` with a list for the iterations
    /// or one value for all of them.
    fn steps(&mut self, name: &str, node: &Node, found: &Found, value: impl Fn(&Record) -> Option<Value>) {
        for entry in entries(node) {
            let records: Vec<&Record> = match entry.key.contains('/') {
                true => found.records.iter().filter(|record| record.step().eq_ignore_ascii_case(&entry.key)).collect(),
                false => found.records.iter().filter(|record| record.name.eq_ignore_ascii_case(&entry.key)).collect(),
            };
            let path = format!("{name}.{}", entry.key);
            let in_loop = !entry.key.contains('/') && records.iter().any(|record| !record.iterations.is_empty());
            if in_loop && matches!(entry.value.value, Yaml::List(_)) {
                self.iterations(&path, &entry.value, &records, 0, &value);
            } else if records.is_empty() {
                self.one(&path, &entry.value, None);
            } else {
                for record in records {
                    self.one(&format!("{name}.{}", record.step()), &entry.value, value(record).as_ref());
                }
            }
        }
    }

    fn iterations(
        &mut self,
        path: &str,
        node: &Node,
        records: &[&Record],
        depth: usize,
        value: &impl Fn(&Record) -> Option<Value>,
    ) {
        let Yaml::List(items) = &node.value else {
            for record in records {
                self.one(path, node, value(record).as_ref());
            }
            return;
        };
        let of = |record: &&&Record, iteration: usize| {
            record.iterations.get(depth).is_some_and(|known| *known as usize == iteration)
        };
        let count = records.iter().filter_map(|record| record.iterations.get(depth)).max();
        let count = count.map_or(0, |last| *last as usize + 1);
        for (iteration, item) in items.iter().enumerate() {
            let those: Vec<&Record> = records.iter().filter(|record| of(record, iteration)).copied().collect();
            let path = format!("{path}[{iteration}]");
            if those.is_empty() {
                self.add(&path, item.span.start, Some(item.to_json()), None);
            } else {
                self.iterations(&path, item, &those, depth + 1, value);
            }
        }
        for iteration in items.len()..count {
            let record = records.iter().find(|record| of(record, iteration)).and_then(|record| value(record));
            self.add(&format!("{path}[{iteration}]"), node.span.start, None, record);
        }
    }

    /// One value of one step. An action's status is looked at without its code where none is expected.
    fn one(&mut self, path: &str, node: &Node, found: Option<&Value>) {
        let with_code = self.exactly || node.as_text().is_some_and(|text| text.contains(' '));
        match found.and_then(Value::as_str) {
            Some(line) if self.of_statuses && !with_code => {
                let status = line.split(' ').next().unwrap_or_default();
                if node.as_text() != Some(status) {
                    self.add(path, node.span.start, Some(node.to_json()), Some(line.into()));
                }
            }
            Some(line) if self.of_statuses => {
                let wanted = node.as_text().unwrap_or_default();
                let usual = |line: &str| match line.split_once(' ') {
                    Some(_) => line.to_owned(),
                    None => format!("{line} {}", usual_code(line)),
                };
                if usual(wanted) != usual(line) {
                    self.add(path, node.span.start, Some(node.to_json()), Some(line.into()));
                }
            }
            _ => self.value(path, node, found),
        }
    }

    // --- values ---

    fn value(&mut self, path: &str, node: &Node, found: Option<&Value>) {
        // Nothing and null are one, as they are for an action's inputs.
        let found = found.filter(|found| !found.is_null());
        match (&node.value, found) {
            (Yaml::Null | Yaml::Broken, None) => {}
            (Yaml::Map(entries), _) if entries.len() == 1 && entries[0].key == CONTAINS => {
                self.contains(path, node, &entries[0].value, found);
            }
            (Yaml::Map(entries), Some(Value::Object(members))) => {
                for entry in entries {
                    self.value(&member(path, &entry.key), &entry.value, members.get(&entry.key));
                }
                if self.exactly || entries.is_empty() {
                    let known = |name: &str| entries.iter().any(|entry| entry.key == name);
                    for (name, value) in members.iter().filter(|(name, value)| !known(name) && !value.is_null()) {
                        self.add(&member(path, name), node.span.start, None, Some(value.clone()));
                    }
                }
            }
            (Yaml::List(items), Some(Value::Array(elements))) => {
                for (place, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{place}]"), item, elements.get(place));
                }
                for (place, element) in elements.iter().enumerate().skip(items.len()) {
                    self.add(&format!("{path}[{place}]"), node.span.start, None, Some(element.clone()));
                }
            }
            _ => {
                let expected = node.to_json();
                if found != Some(&expected) {
                    self.add(path, node.span.start, Some(expected), found.cloned());
                }
            }
        }
    }

    /// `{$contains: part}`: a text that holds the part, or a list that holds an element like it.
    fn contains(&mut self, path: &str, whole: &Node, part: &Node, found: Option<&Value>) {
        let holds = match (found, part.as_text()) {
            (Some(Value::String(text)), Some(part)) => text.contains(part),
            (Some(Value::Array(elements)), _) => elements.iter().any(|element| {
                let mut trial = Comparison { exactly: false, of_statuses: false, source: self.source, out: Vec::new() };
                trial.value(path, part, Some(element));
                trial.out.is_empty()
            }),
            _ => false,
        };
        if !holds {
            self.add(path, whole.span.start, Some(whole.to_json()), found.cloned());
        }
    }
}

fn entries(node: &Node) -> &[Entry] {
    match &node.value {
        Yaml::Map(entries) => entries,
        _ => &[],
    }
}

fn member(path: &str, name: &str) -> String {
    let mut path = path.to_owned();
    if name.chars().all(|c| c.is_alphanumeric() || "_-/$".contains(c)) {
        let _ = write!(path, ".{name}");
    } else {
        let _ = write!(path, "[{name:?}]");
    }
    path
}
