//! A dry run: what a working copy would do with an event, and how each field of it came about. Nothing is performed;
//! whatever is asked of the outside goes well, as in a test without `answers`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    delivery::{Delivery, EVENT, Event},
    driver,
    found::{Found, Record},
    place::{Places, Written},
    play::{Name, Play},
    subject::{Subject, kind_of, run_of},
};
use crate::{
    engine::Evaluated,
    expression::{Key, Rendered},
    mail,
};

/// What a run would come to.
#[derive(Debug, Serialize)]
pub struct DryRun {
    pub playbook: String,
    pub file: String,
    /// The event in a few words.
    pub event: String,
    /// `not_started` when filter or conditions refuse the event.
    pub status: &'static str,
    /// Why it was not started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// In the order of the file, each iteration's after its loop.
    pub actions: Vec<Tried>,
    /// What would have been done, each with the step that did it.
    pub incidents: Vec<Value>,
    pub mails: Vec<Value>,
    pub calls: Vec<Value>,
    pub children: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Value>,
    /// What is wrong with the run beside its own errors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// One action of a dry run.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// The action's id and the iterations it stands in.
    pub step: String,
    /// Its type: `send_email`, `for_each`.
    pub action: &'static str,
    pub status: &'static str,
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    pub fields: Vec<Field>,
    /// What it gave to the actions after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Value>,
}

/// One field of an action.
#[derive(Debug, Serialize)]
pub struct Field {
    /// `title`, `tags[1]`; of a container the key it goes by, such as `if`.
    pub field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Why it has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(flatten)]
    pub written: Written,
    /// What the expression read, in the order of reading.
    pub reads: Vec<Source>,
}

/// A value that went into a field.
#[derive(Debug, Serialize)]
pub struct Source {
    /// As the author wrote it.
    pub path: String,
    pub value: Value,
}

/// What an event of a dry run comes from.
#[derive(Debug, Clone)]
pub enum Given {
    /// A raw mail, with the instant it was received.
    Mail(Vec<u8>, DateTime<Utc>),
    /// What `trigger` is, and the event in a few words.
    Body(Value, String),
}

impl Subject {
    /// What it would do with an event at `now`: one run, or with `split_on` one for each element.
    ///
    /// # Errors
    /// When the mail cannot be read; it would go to the dead-letter box.
    pub fn dry_run(&self, given: &Given, now: DateTime<Utc>) -> Result<Vec<DryRun>, mail::Unreadable> {
        let playbook = self.playbook();
        let event = match given {
            Given::Mail(raw, received) => Event::mail(playbook, raw, *received)?,
            Given::Body(body, summary) => Event::body(playbook, body).called(summary),
        };
        let summary = event.summary().to_owned();
        let deliveries = event.arrive_all(&self.live(), EVENT, now);
        let run = |(nth, delivery): (usize, Delivery)| {
            let name = Name { run: run_of(EVENT, nth), ..Name::default() };
            let play = Play { name, traced: true, ..self.play(now, delivery) };
            DryRun::of(self, &summary, driver::run(&play, false))
        };
        Ok(deliveries.into_iter().enumerate().map(run).collect())
    }
}

impl DryRun {
    fn of(subject: &Subject, event: &str, found: Found) -> Self {
        let found = found.without_secured(&subject.plan);
        let places = Places::of(subject.playbook());
        let mut fields: BTreeMap<String, Vec<Field>> = BTreeMap::new();
        for evaluated in found.trace {
            let Evaluated { step, key, fields: rendered } = evaluated;
            let those = rendered.into_iter().map(|one| field(&places, &step.action, key, one));
            fields.entry(step.to_string()).or_default().extend(those);
        }
        let tried = |record: &Record| {
            let step = record.step();
            let fields = fields.remove(&step).unwrap_or_default();
            Tried {
                action: subject.plan.find(&record.name).map_or("", |index| kind_of(&subject.plan.node_at(index).kind)),
                step,
                status: record.status,
                code: record.code.clone(),
                error: record.error.clone(),
                fields,
                outputs: record.outputs.clone(),
            }
        };
        let deeds = |deeds: Vec<(String, Value)>| deeds.into_iter().map(|(_, deed)| deed).collect();
        Self {
            playbook: subject.playbook().name.clone(),
            file: subject.playbook().source.name.to_string(),
            event: subject.secrets.redact_text(event).into_owned(),
            status: found.status,
            because: found.because,
            error: found.error,
            actions: found.records.iter().map(tried).collect(),
            incidents: deeds(found.world.incidents),
            mails: deeds(found.world.mails),
            calls: deeds(found.world.calls),
            children: deeds(found.world.children),
            reply: found.world.reply,
            faults: found.faults,
        }
    }
}

fn field(places: &Places<'_>, action: &str, key: &str, rendered: Rendered) -> Field {
    let Rendered { path, value, reads } = rendered;
    let written = places.field(action, key, &path, value.as_ref().ok());
    let mut name = if key == "with" { String::new() } else { key.to_owned() };
    for part in &path {
        match part {
            Key::Member(member) if name.is_empty() => name.push_str(member),
            Key::Member(member) => name.extend([".", member]),
            Key::Element(place) => name.push_str(&format!("[{place}]")),
        }
    }
    let (value, error) = match value {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error.message)),
    };
    let reads = reads.into_iter().map(|read| Source { path: read.what, value: read.value }).collect();
    Field { field: if name.is_empty() { key.to_owned() } else { name }, value, error, written, reads }
}
