//! A backtest: what a working copy would have made of a stored event, beside what came of it then. The run of then is
//! played again from its journal by its own version, the working copy on the same answers; both with nothing performed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{
    case::{Answer, Answers, Says},
    delivery::{Delivery, Event, Start, kind},
    differ::{Changed, changes},
    driver,
    found::{Found, Record, keeps_inputs, run_status},
    past::Past,
    play::{Name, Play},
    subject::{Subject, Untried, kind_of, run_of, secrets},
};
use crate::{
    action::{ACTIONS, Outcome},
    engine::{Event as Learned, Live, Plan, Secrets, journal, versions},
    playbook::Playbook,
    secret::Vault,
    store::{EventId, RunId, Version, query::StoredEvent, run::StoredRun},
};

/// What became of one event, and what would become of it.
#[derive(Debug, Serialize)]
pub struct EventTried {
    pub event: EventId,
    pub at: DateTime<Utc>,
    pub kind: String,
    /// The event in a few words.
    pub summary: String,
    /// Its runs of this playbook then.
    pub runs: Vec<RunId>,
    /// What would be otherwise; nothing where all would be as it was.
    pub differences: Vec<Changed>,
    /// Steps that nothing was recorded for: they are answered as in a dry run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unrecorded: Vec<String>,
    /// Why it, or a run of it, is not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
}

/// A working copy held against what is stored.
pub struct Backtest {
    subject: Subject,
    vault: Vault,
    /// Versions that runs followed, or why they cannot be followed any more.
    plans: HashMap<String, Result<Followed, String>>,
}

/// A version that runs followed, with the secrets that larum.yaml has for it now.
struct Followed {
    plan: Arc<Plan>,
    secrets: Arc<Secrets>,
}

impl Backtest {
    /// `vault` is the data folder's: it opens what a journal keeps sealed.
    #[must_use]
    pub fn new(subject: Subject, vault: Vault) -> Self {
        Self { subject, vault, plans: HashMap::new() }
    }

    /// Whether a version still has to be made [known](Self::know).
    #[must_use]
    pub fn needs(&self, version: &str) -> bool {
        !self.plans.contains_key(version)
    }

    /// Makes a version known that runs followed; `None` when the store has it no more.
    ///
    /// # Errors
    /// When it has a secret parameter that cannot be read.
    pub fn know(&mut self, version: &str, stored: Option<&Version>) -> Result<(), Untried> {
        let plan = match stored {
            Some(stored) => versions::of_version(stored, ACTIONS).map(Arc::new).map_err(|error| error.to_string()),
            None => Err(format!("version {version} of its playbook is not in the store")),
        };
        let followed = match plan {
            Ok(plan) => Ok(Followed { secrets: secrets(&plan, &self.subject.config)?, plan }),
            Err(because) => Err(because),
        };
        self.plans.insert(version.to_owned(), followed);
        Ok(())
    }

    /// Tries an event, with the runs of the playbook that came of it, oldest first. `None` when it concerns the playbook
    /// neither then nor now.
    #[must_use]
    pub fn event(&self, event: StoredEvent, runs: &[StoredRun]) -> Option<EventTried> {
        let StoredEvent { event: id, feed, kind, at, summary, outputs, resembles } = event;
        let stored = |playbook: &Playbook| Event::stored(playbook, &feed, &kind, &summary, outputs.clone());
        let followed = |run: &StoredRun| self.plans.get(&run.version)?.as_ref().ok();
        let plan_of = |run: &StoredRun| followed(run).map(|followed| &followed.plan);
        let taken = runs.first().and_then(plan_of).map(|plan| stored(&plan.playbook));
        let known = match taken {
            // Its trigger did not take it even then: a person, a rule or another playbook asked for the run.
            Some(then) if then.as_ref().is_none_or(Event::is_refused) => {
                Some(Event::asked_for(&kind, &summary, outputs.clone()))
            }
            _ => stored(self.subject.playbook()),
        };
        if runs.is_empty() && known.as_ref().is_none_or(Event::is_refused) {
            return None;
        }
        let mut tried = EventTried {
            event: id,
            at,
            kind,
            summary: runs
                .iter()
                .filter_map(followed)
                .fold(self.subject.secrets.redact_text(&summary).into_owned(), |text, followed| {
                    followed.secrets.redact_text(&text).into_owned()
                }),
            runs: runs.iter().map(|run| run.run).collect(),
            differences: Vec::new(),
            unrecorded: Vec::new(),
            not_compared: None,
        };
        let deliveries = match known {
            Some(event) => event.arrive_all(&self.subject.live(), id, at),
            None => vec![Delivery::Refused { because: "its trigger does not listen there".to_owned() }],
        };
        if runs.is_empty() && matches!(deliveries[..], [Delivery::Refused { .. }]) {
            return None;
        }
        let refusal = match deliveries.first() {
            Some(refusal @ Delivery::Refused { .. }) => refusal.clone(),
            _ => Delivery::Refused { because: "there is no such element of it".to_owned() },
        };
        for nth in 0..runs.len().max(deliveries.len()) {
            let delivery = deliveries.get(nth).cloned().unwrap_or_else(|| refusal.clone());
            match runs.get(nth) {
                Some(run) => match self.run(run, nth, delivery) {
                    Ok((then, now)) => {
                        let is_secured = |step: &str| {
                            [plan_of(run), Some(&self.subject.plan)]
                                .into_iter()
                                .flatten()
                                .any(|plan| keeps_inputs(plan, step))
                        };
                        tried.add(Some(run.run), &then, now, &is_secured);
                    }
                    Err(because) => tried.not_compared = Some(because),
                },
                None if matches!(delivery, Delivery::Refused { .. }) => {}
                None => {
                    let name = Name { run: run_of(id, nth), event: id, resembles, ..Name::default() };
                    let now = driver::run(&Play { name, ..self.subject.play(at, delivery) }, false);
                    let is_secured = |step: &str| keeps_inputs(&self.subject.plan, step);
                    tried.add(None, &Found::not_started(), Found { unrecorded: now.made(), ..now }, &is_secured);
                }
            }
        }
        Some(tried)
    }

    /// What came of a run, and what would.
    fn run(&self, run: &StoredRun, nth: usize, delivery: Delivery) -> Result<(Found, Found), String> {
        if !run.status.has_ended() {
            return Err("its run has not ended".to_owned());
        }
        let Followed { plan, secrets } = match self.plans.get(&run.version) {
            Some(Ok(followed)) => followed,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err(format!("version {} of its playbook is not known", run.version)),
        };
        let learned: Result<Vec<Learned>, _> =
            run.journal.iter().map(|bytes| journal::decode(bytes, &self.vault, run.run)).collect();
        let learned = learned.map_err(|error| error.to_string())?;
        let name = Name { run: run.run, event: run.event, seed: run.seed, resembles: run.resembles };
        let outputs = Arc::new(serde_json::from_str(&run.outputs).unwrap_or_default());
        let start = Start { kind: kind(&run.kind), summary: run.summary.clone(), outputs };
        let then = Play {
            name,
            plan: plan.clone(),
            secrets: secrets.clone(),
            past: Past::new(learned.clone()),
            ..self.subject.play(run.started, then_delivered(plan, run, &start, nth))
        };
        let then = driver::run(&then, false);
        if let Some(unlike) = unlike(run, &then) {
            return Err(format!("what is kept of its run does not say how it came about ({unlike})"));
        }
        // An answer belongs to an action of the same type only.
        let same = |id: &str| {
            let kind = |plan: &Plan| plan.find(id).map(|index| kind_of(&plan.node_at(index).kind));
            kind(plan) == kind(&self.subject.plan)
        };
        let learned: Vec<Learned> =
            learned.into_iter().filter(|event| step(event).is_none_or(|step| same(&step.action))).collect();
        // What is delivered now is what was delivered then, as far as the playbook takes it.
        let delivery = if let Delivery::Start(new) = delivery {
            Delivery::Start(Start { kind: start.kind, ..new })
        } else {
            delivery
        };
        let now = Play {
            name,
            answers: answers(&learned),
            past: Past::new(learned),
            ..self.subject.play(run.started, delivery)
        };
        let now = driver::run(&now, false);
        // What is a secret on one side is none to be shown on the other.
        Ok((then.without_secrets(&self.subject.secrets), now.without_secrets(secrets)))
    }
}

/// In what a run that is played again is unlike what is kept of it: a secret, this Larum or a stored version may have
/// changed since, and then it is not what happened.
fn unlike(run: &StoredRun, again: &Found) -> Option<String> {
    let was = run_status(run.status);
    if again.status != was {
        return Some(format!("{was} then, {} now", again.status));
    }
    if let Some(step) = again.unrecorded.first() {
        return Some(format!("'{step}' was not begun then"));
    }
    if let Some(step) = again.given_otherwise.first() {
        return Some(format!("'{step}' was given other inputs then"));
    }
    let records = run.actions.as_ref().and_then(Value::as_array).into_iter().flatten().map(Record::of);
    let mut kept: BTreeMap<String, Record> = records.map(|record| (record.step(), record)).collect();
    for record in &again.records {
        let step = record.step();
        match kept.remove(&step) {
            Some(then) if (then.status, &then.code) != (record.status, &record.code) => {
                let (was, is) = (line(&then), line(record));
                return Some(format!("'{step}' was {was} then, is {is} now"));
            }
            Some(then) if then.inputs != record.inputs => {
                return Some(format!("'{step}' was given other inputs then"));
            }
            Some(_) => {}
            None => return Some(format!("'{step}' is in no record")),
        }
    }
    kept.keys().next().map(|step| format!("'{step}' ended then, and is not reached now"))
}

fn line(record: &Record) -> String {
    format!("{} {}", record.status, record.code)
}

/// What a run was started with.
fn then_delivered(plan: &Arc<Plan>, run: &StoredRun, start: &Start, nth: usize) -> Delivery {
    if run.error.is_some() && run.journal.is_empty() {
        // It may have ended before its first action, because its playbook could make nothing of the report.
        let live = Live { version: plan.version.clone(), playbook: plan.playbook.clone() };
        let event = Event::started(start);
        let all = event.arrive_all(&live, run.event, run.started);
        if let Some(fault @ Delivery::Fault { .. }) = all.get(nth).or(all.first()) {
            return fault.clone();
        }
    }
    Delivery::Start(start.clone())
}

/// The step that an event is about.
fn step(event: &Learned) -> Option<&crate::engine::Step> {
    match event {
        Learned::Started { step, .. }
        | Learned::Finished { step, .. }
        | Learned::Signalled { step, .. }
        | Learned::Returned { step, .. } => Some(step),
        Learned::Woke { .. } | Learned::Replied { .. } | Learned::Cancelled { .. } => None,
    }
}

/// What each step was answered, for attempts beyond those of then: the last answer counts for them.
fn answers(learned: &[Learned]) -> Answers {
    let mut answers: BTreeMap<String, Vec<Answer>> = BTreeMap::new();
    let answer = |outcome: &Outcome| Answer { after: Duration::ZERO, says: Says::Outcome(Box::new(outcome.clone())) };
    for event in learned {
        if let Learned::Finished { step, outcome, .. } | Learned::Returned { step, outcome, .. } = event {
            answers.entry(step.to_string()).or_default().push(answer(outcome));
        }
    }
    Answers(answers)
}

impl EventTried {
    fn add(&mut self, run: Option<RunId>, then: &Found, now: Found, is_secured: &dyn Fn(&str) -> bool) {
        self.differences.extend(changes(run, then, &now, is_secured));
        if !self.differences.is_empty() {
            self.unrecorded.extend(now.unrecorded);
        }
    }

    /// Whether something would be otherwise.
    #[must_use]
    pub fn differs(&self) -> bool {
        !self.differences.is_empty()
    }
}
