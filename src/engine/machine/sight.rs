//! What an expression of an action sees of the run.

use std::{borrow::Cow, cell::Cell};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    Machine, draw,
    record::ActionRecord,
    state::{Frame, Kept, Place},
};
use crate::{
    action::{Identity, Returns},
    engine::plan::{Index, Kind, Plan},
    expression::{Lookup, Scope},
    playbook::ActionStatus,
    redaction::Tracked,
};

static NULL: Value = Value::Null;

/// The run as one action sees it while its input is evaluated.
pub(super) struct Sight<'m> {
    machine: &'m Machine,
    at: Place,
    /// The element of its own `from` that it is at.
    item: Option<&'m Value>,
    /// Random numbers drawn so far in this evaluation.
    drawn: Cell<u64>,
}

/// Where an action is found from here.
enum Found {
    /// It has not begun: its loop has no iteration.
    Nowhere,
    /// In this iteration, or outside of any.
    Once(Place),
    /// In each iteration of the one loop around it.
    Each(Vec<Place>),
}

impl<'m> Sight<'m> {
    pub(super) fn of(machine: &'m Machine, at: Place) -> Self {
        Self { machine, at, item: None, drawn: Cell::new(0) }
    }

    /// Goes to an element of its own `from`.
    pub(super) fn look_at(&mut self, item: &'m Value) {
        self.item = Some(item);
    }

    fn plan(&self) -> &'m Plan {
        &self.machine.plan
    }

    fn outputs_member(&self, name: &str) -> &Value {
        self.machine.trigger.info.outputs.get(name).unwrap_or(&NULL)
    }

    /// The frames around the action, its own first.
    fn frames(&self) -> impl Iterator<Item = (u32, &'m Frame)> {
        let frames = &self.machine.frames;
        let frame = |at: u32| frames.get(at as usize).map(|frame| (at, frame));
        std::iter::successors(frame(self.at.frame), move |(_, inner)| frame(inner.owner?.frame))
    }

    /// The iteration of the loop of this name that is around the action.
    fn iteration_of(&self, name: &str) -> Option<(Place, &'m Frame)> {
        let wanted = self.plan().find(name)?;
        self.frames()
            .find_map(|(_, frame)| frame.owner.filter(|owner| owner.index == wanted).map(|owner| (owner, frame)))
    }

    fn element(&self, (owner, frame): (Place, &'m Frame)) -> Option<&'m Value> {
        self.machine.slot(self.plan(), owner).turns()?.items.get(frame.iteration as usize)
    }

    fn find(&self, index: Index) -> Found {
        let plan = self.plan();
        let region = plan.node_at(index).region;
        if let Some((frame, _)) = self.frames().find(|(_, frame)| frame.region == region) {
            return Found::Once(Place { index, frame });
        }
        let Some(owner) = plan.regions[region as usize].owner else { return Found::Nowhere };
        let is_until = matches!(plan.node_at(owner).kind, Kind::Until { .. });
        let frames = |place: Place| {
            self.machine.slot(plan, place).turns().map(|turns| turns.frames.as_slice()).unwrap_or_default()
        };
        let last = |place: Place| frames(place).last().map(|&frame| Place { index, frame });
        match self.find(owner) {
            Found::Nowhere => Found::Nowhere,
            // Of an `until`, what the last iteration came to.
            Found::Once(place) if is_until => last(place).map_or(Found::Nowhere, Found::Once),
            Found::Once(place) => Found::Each(frames(place).iter().map(|&frame| Place { index, frame }).collect()),
            Found::Each(places) if is_until => Found::Each(places.into_iter().filter_map(last).collect()),
            // The checker refuses what is inside of several loops.
            Found::Each(_) => Found::Nowhere,
        }
    }

    /// A part of an action's slot: as it is, or the list of what it was in each iteration.
    fn part(&self, action: &str, part: impl Fn(Place) -> Cow<'m, Value>) -> Lookup<'m> {
        Some(match self.find(self.plan().find(action)?) {
            Found::Nowhere => Cow::Borrowed(&NULL),
            Found::Once(place) => part(place),
            Found::Each(places) => Cow::Owned(places.into_iter().map(|place| part(place).into_owned()).collect()),
        })
    }

    fn outputs_of(&self, place: Place) -> Cow<'m, Value> {
        self.machine.slot(self.plan(), place).outputs.as_ref().map_or(Cow::Borrowed(&NULL), Kept::value)
    }

    fn returned(&self, place: Place) -> Cow<'m, Value> {
        let outputs = self.outputs_of(place);
        match (&self.plan().node_at(place.index).kind, outputs) {
            (Kind::Call { action, .. }, outputs) if action.returns == Returns::Outputs => outputs,
            (_, Cow::Borrowed(outputs)) => Cow::Borrowed(outputs.get("body").unwrap_or(&NULL)),
            (_, Cow::Owned(mut outputs)) => Cow::Owned(outputs.get_mut("body").map(Value::take).unwrap_or_default()),
        }
    }

    fn record(&self, place: Place) -> Value {
        let mut record = ActionRecord::of(self.machine, place);
        let step = self.machine.step(self.plan(), place).to_string();
        record.tracking_id = Some(Identity::of(self.machine.trigger.info.run, &step).uuid("tracking"));
        record.client_tracking_id = Some(self.machine.trigger.info.run);
        serde_json::to_value(record).unwrap_or_default()
    }

    /// The records of a container's direct children.
    fn children(&self, place: Place) -> Vec<Value> {
        let plan = self.plan();
        let node = plan.node_at(place.index);
        let Some(region) = node.kind.body() else {
            let members = node.kind.lists().into_iter().flat_map(|list| plan.lists[list as usize].members.iter());
            return members.map(|&index| self.record(Place { index, ..place })).collect();
        };
        let turns = self.machine.slot(plan, place).turns();
        let frames = turns.map(|turns| turns.frames.as_slice()).unwrap_or_default();
        let members = &plan.lists[plan.regions[region as usize].list as usize].members;
        let is_until = matches!(node.kind, Kind::Until { .. });
        let child = |&index: &Index| {
            let each = || frames.iter().map(|&frame| self.record(Place { index, frame }));
            let mut record = match each().next_back() {
                Some(last) => last,
                None => json!({"name": *plan.node_at(index).id, "status": "Skipped", "code": "ActionSkipped"}),
            };
            if !is_until {
                record["outputs"] = each().collect();
                let iterations = || frames.iter().map(|&frame| self.machine.slot(plan, Place { index, frame }));
                let came_to = |status| iterations().find(|slot| slot.status == Some(status));
                if let Some(failed) = came_to(ActionStatus::Failed).or_else(|| came_to(ActionStatus::TimedOut)) {
                    record["status"] = failed.status.map(ActionStatus::as_str).unwrap_or_default().into();
                    record["code"] = failed.code().into();
                }
            }
            record["repetitionCount"] = frames.len().into();
            record
        };
        members.iter().map(child).collect()
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
        self.part(action, |place| self.returned(place))
    }

    fn outputs(&self, action: &str) -> Lookup<'_> {
        self.part(action, |place| self.outputs_of(place))
    }

    fn action(&self, action: &str) -> Lookup<'_> {
        self.part(action, |place| Cow::Owned(self.record(place)))
    }

    fn result(&self, container: &str) -> Lookup<'_> {
        let index = self.plan().find(container)?;
        let kind = &self.plan().node_at(index).kind;
        if matches!(kind, Kind::Call { .. } | Kind::Terminate(_)) {
            return None;
        }
        Some(Cow::Owned(match self.find(index) {
            Found::Nowhere => Value::Array(Vec::new()),
            Found::Once(place) => self.children(place).into(),
            Found::Each(places) => places.into_iter().flat_map(|place| self.children(place)).collect(),
        }))
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
        let around = || {
            let in_for_each = |(_, frame): (u32, &'_ Frame)| {
                let owner = frame.owner?;
                matches!(self.plan().node_at(owner.index).kind, Kind::ForEach { .. })
                    .then_some((owner, frame.iteration))
            };
            let (owner, iteration) = self.frames().find_map(in_for_each)?;
            self.machine.slot(self.plan(), owner).turns()?.items.get(iteration as usize)
        };
        self.item.or_else(around).map(Cow::Borrowed)
    }

    fn items(&self, name: &str) -> Lookup<'_> {
        let own = self.item.filter(|_| self.plan().find(name) == Some(self.at.index));
        own.or_else(|| self.element(self.iteration_of(name)?)).map(Cow::Borrowed)
    }

    fn iteration_index(&self, name: &str) -> Option<u64> {
        let around = self.iteration_of(name).map(|(_, frame)| frame.iteration);
        // The condition of an `until` is looked at after its last iteration so far.
        let own = || {
            let turns = self.machine.slot(self.plan(), self.at).turns()?;
            let last = u32::try_from(turns.frames.len().checked_sub(1)?).ok()?;
            (self.plan().find(name) == Some(self.at.index)).then_some(last)
        };
        around.or_else(own).map(u64::from)
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

    fn tracked(&self) -> Option<&Tracked> {
        self.machine.trigger.secrets.tracked()
    }

    fn random(&self) -> u64 {
        let nth = self.drawn.get();
        self.drawn.set(nth + 1);
        let machine = self.machine;
        let slot = machine.slot(self.plan(), self.at);
        // The condition of an `until` is looked at again and again from the same place.
        let looks = slot.turns().map_or(0, |turns| super::count(&turns.frames));
        let attempt = slot.attempt().max(looks);
        draw(&machine.trigger.seed, "expression", &machine.step(self.plan(), self.at), attempt, nth)
    }
}
