//! What came of a case's run, as `expect:` is held against it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::Value;

use super::world::World;
use crate::{
    engine::{Evaluated, Plan, Secrets},
    playbook::ActionStatus,
    redaction::REDACTED,
    store::run::RunStatus,
};

/// The status of an event that starts nothing.
pub(super) const NOT_STARTED: &str = "not_started";
/// Every status of a run that a test can expect.
pub(super) const RUN_STATUSES: &[&str] = &["succeeded", "failed", "timed_out", "cancelled", "suspended", NOT_STARTED];

/// What came of a run.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) status: &'static str,
    /// The run's error, `{code, message}`.
    pub(super) error: Option<Value>,
    /// Why it was not started.
    pub(super) because: Option<String>,
    pub(super) records: Vec<Record>,
    /// How often each effect was asked for, by step.
    pub(super) attempts: BTreeMap<String, u32>,
    pub(super) variables: Value,
    pub(super) world: World,
    pub(super) lasts: TimeDelta,
    /// What is wrong whatever was expected.
    pub(super) faults: Vec<String>,
    /// Of a run with a past, the steps that had none: they are answered as if everything went well.
    pub(super) unrecorded: Vec<String>,
    /// Of a run with a past, the steps that were given something else then.
    pub(super) given_otherwise: Vec<String>,
    /// How fields came about, where the run was traced.
    pub(super) trace: Vec<Evaluated>,
}

/// One action, in one iteration.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) iterations: Vec<u32>,
    /// As YAML writes it; `running` for one that has not ended.
    pub(super) status: &'static str,
    pub(super) code: String,
    pub(super) error: Option<Value>,
    pub(super) inputs: Option<Value>,
    pub(super) outputs: Option<Value>,
}

pub(super) fn run_status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Waiting | RunStatus::Running => "running",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::TimedOut => "timed_out",
        RunStatus::Cancelled => "cancelled",
        RunStatus::Suspended => "suspended",
    }
}

/// The code of an action that ended in the usual way.
pub(super) fn usual_code(status: &str) -> &'static str {
    match status {
        "succeeded" => "OK",
        "failed" => "ActionFailed",
        "skipped" => "ActionSkipped",
        "timed_out" => "ActionTimedOut",
        "cancelled" => "Terminated",
        _ => "",
    }
}

impl Record {
    /// From a machine's record.
    pub(super) fn of(record: &Value) -> Self {
        let text = |name: &str| record[name].as_str().unwrap_or_default();
        let iterations = record["iterations"].as_array().into_iter().flatten();
        Self {
            name: text("name").to_owned(),
            iterations: iterations.filter_map(|one| u32::try_from(one.as_u64()?).ok()).collect(),
            status: ActionStatus::parse(text("status")).map_or("running", ActionStatus::yaml_name),
            code: text("code").to_owned(),
            error: record.get("error").cloned(),
            inputs: record.get("inputs").cloned(),
            outputs: record.get("outputs").cloned(),
        }
    }

    /// The step: `create`, or `create/3` inside a loop.
    pub(super) fn step(&self) -> String {
        self.iterations.iter().fold(self.name.clone(), |step, iteration| format!("{step}/{iteration}"))
    }

    /// What `actions.x` gives.
    pub(super) fn returned(&self) -> Value {
        let Some(outputs) = &self.outputs else { return Value::Null };
        outputs.get("body").unwrap_or(outputs).clone()
    }
}

impl Found {
    fn nothing(status: &'static str) -> Self {
        Self {
            status,
            error: None,
            because: None,
            records: Vec::new(),
            attempts: BTreeMap::new(),
            variables: Value::Null,
            world: World::default(),
            lasts: TimeDelta::zero(),
            faults: Vec::new(),
            unrecorded: Vec::new(),
            given_otherwise: Vec::new(),
            trace: Vec::new(),
        }
    }

    /// There is no run.
    pub(super) fn not_started() -> Self {
        Self::nothing(NOT_STARTED)
    }

    /// The event starts nothing.
    pub(super) fn refused(because: &str) -> Self {
        Self { because: Some(because.to_owned()), ..Self::not_started() }
    }

    /// The run fails before its first action.
    pub(super) fn fault(error: &Value) -> Self {
        Self { error: Some(error.clone()), ..Self::nothing("failed") }
    }

    /// The steps that did something outside.
    pub(super) fn made(&self) -> Vec<String> {
        let World { incidents, mails, calls, children, .. } = &self.world;
        let deeds = [incidents, mails, calls, children].into_iter().flatten();
        deeds.map(|(step, _)| step.clone()).collect()
    }

    /// Hides what the actions that keep their inputs to themselves did outside.
    pub(super) fn without_secured(mut self, plan: &Plan) -> Self {
        let World { incidents, mails, calls, children, .. } = &mut self.world;
        for (step, deed) in [incidents, mails, calls, children].into_iter().flatten() {
            let secured = keeps_inputs(plan, step);
            let members = deed.as_object_mut().filter(|_| secured).into_iter().flatten();
            members.filter(|(name, _)| *name != "action").for_each(|(_, value)| *value = REDACTED.into());
        }
        self
    }

    /// Records and variables are clean already.
    pub(super) fn without_secrets(mut self, secrets: &Secrets) -> Self {
        let World { incidents, mails, calls, children, reply } = &mut self.world;
        let deeds = [incidents, mails, calls, children].into_iter().flatten().map(|(_, deed)| deed);
        deeds.chain(reply).chain(&mut self.error).for_each(|value| secrets.redact(value));
        self
    }
}

/// Whether the action of a step keeps its inputs to itself.
pub(super) fn keeps_inputs(plan: &Plan, step: &str) -> bool {
    let action = step.split('/').next().unwrap_or_default();
    plan.find(action).is_some_and(|index| plan.node_at(index).secure_inputs)
}
