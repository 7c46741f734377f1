//! What an expression of an action sees of the run.

use std::{borrow::Cow, cell::Cell};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Machine, draw, record::ActionRecord};
use crate::{
    action::{Identity, Returns},
    engine::plan::{Index, Kind},
    expression::{Lookup, Scope},
};

static NULL: Value = Value::Null;

/// The run as one action sees it while its input is evaluated.
pub(super) struct Sight<'m> {
    machine: &'m Machine,
    action: Index,
    /// Random numbers drawn so far in this evaluation.
    drawn: Cell<u64>,
}

impl<'m> Sight<'m> {
    pub(super) fn of(machine: &'m Machine, action: Index) -> Self {
        Self { machine, action, drawn: Cell::new(0) }
    }

    fn outputs_member(&self, name: &str) -> &Value {
        self.machine.trigger.info.outputs.get(name).unwrap_or(&NULL)
    }

    fn outputs_of(&self, index: Index) -> &Value {
        self.machine.slots[index as usize].outputs.as_deref().unwrap_or(&NULL)
    }

    fn record(&self, index: Index) -> Value {
        let mut record = ActionRecord::of(self.machine, index);
        let step = self.machine.plan.step(index).to_string();
        record.tracking_id = Some(Identity::of(self.machine.trigger.info.run, &step).uuid("tracking"));
        record.client_tracking_id = Some(self.machine.trigger.info.run);
        serde_json::to_value(record).unwrap_or_default()
    }
}

impl Scope for Sight<'_> {
    fn trigger_body(&self) -> Lookup<'_> {
        Some(Cow::Borrowed(self.outputs_member("body")))
    }

    fn trigger(&self) -> Lookup<'_> {
        let trigger = &self.machine.trigger;
        let at = super::record::instant(trigger.at);
        Some(Cow::Owned(json!({
            "name": trigger.info.kind,
            "inputs": Value::Null,
            "outputs": *trigger.info.outputs,
            "startTime": at,
            "endTime": at,
            "trackingId": trigger.info.event,
            "clientTrackingId": trigger.info.run,
            "originHistoryName": trigger.info.run,
            "code": "OK",
            "status": "Succeeded",
        })))
    }

    fn trigger_outputs(&self) -> Lookup<'_> {
        Some(Cow::Borrowed(&self.machine.trigger.info.outputs))
    }

    fn request(&self) -> Lookup<'_> {
        let members = ["method", "headers", "queries", "relativePathParameters"];
        let request: Map<String, Value> =
            members.iter().map(|name| ((*name).to_owned(), self.outputs_member(name).clone())).collect();
        matches!(&*self.machine.trigger.info.kind, "form" | "webhook").then_some(Cow::Owned(Value::Object(request)))
    }

    fn body(&self, action: &str) -> Lookup<'_> {
        let index = self.machine.plan.find(action)?;
        let outputs = self.outputs_of(index);
        let returned = match &self.machine.plan.node_at(index).kind {
            Kind::Call { action, .. } if action.returns == Returns::Outputs => outputs,
            Kind::Call { .. } | Kind::If { .. } => outputs.get("body").unwrap_or(&NULL),
        };
        Some(Cow::Borrowed(returned))
    }

    fn outputs(&self, action: &str) -> Lookup<'_> {
        Some(Cow::Borrowed(self.outputs_of(self.machine.plan.find(action)?)))
    }

    fn action(&self, action: &str) -> Lookup<'_> {
        Some(Cow::Owned(self.record(self.machine.plan.find(action)?)))
    }

    fn result(&self, container: &str) -> Lookup<'_> {
        let plan = &self.machine.plan;
        let Kind::If { then, otherwise, .. } = &plan.node_at(plan.find(container)?).kind else { return None };
        let lists = [*then, *otherwise].map(|list| &plan.lists[list as usize].members);
        Some(Cow::Owned(lists.into_iter().flatten().map(|&member| self.record(member)).collect()))
    }

    fn variable(&self, name: &str) -> Lookup<'_> {
        let variables = self.machine.plan.playbook.variables.iter().zip(&self.machine.variables);
        let (_, value) = variables.into_iter().find(|(variable, _)| variable.name.eq_ignore_ascii_case(name))?;
        Some(Cow::Borrowed(value))
    }

    fn parameter(&self, name: &str) -> Lookup<'_> {
        let plain = self.machine.plan.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        plain.map(|(_, value)| value).or_else(|| self.machine.trigger.secrets.get(name)).map(Cow::Borrowed)
    }

    fn item(&self) -> Lookup<'_> {
        None
    }

    fn items(&self, _name: &str) -> Lookup<'_> {
        None
    }

    fn iteration_index(&self, _name: &str) -> Option<u64> {
        None
    }

    fn workflow(&self) -> Lookup<'_> {
        let info = &self.machine.trigger.info;
        let id = format!("/playbooks/{}", info.playbook);
        Some(Cow::Owned(json!({
            "id": id,
            "name": info.playbook,
            "type": "Larum/playbooks",
            "location": "",
            "tags": {},
            "run": {"id": format!("{id}/runs/{}", info.run), "name": info.run, "type": "Larum/playbooks/runs"},
        })))
    }

    fn now(&self) -> DateTime<Utc> {
        self.machine.now
    }

    fn random(&self) -> u64 {
        let nth = self.drawn.get();
        self.drawn.set(nth + 1);
        let machine = self.machine;
        let attempt = machine.slots[self.action as usize].attempt;
        draw(&machine.trigger.seed, "expression", &machine.plan.step(self.action), attempt, nth)
    }
}
