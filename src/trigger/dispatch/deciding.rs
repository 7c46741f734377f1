//! What an event comes to: which rules act, what they want, which playbooks start.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::{
    alert,
    incident::{self, Surroundings},
    intake::{Arrival, Door},
};
use crate::{
    engine::Live,
    incident::{
        ActivityKind, Actor, Alert, Cause, Causes, Change, Incident, IncidentRef, Patch, Precondition, ResourceName,
        TaskStatus, Workspace, Write,
        automation::{AutomationRule, RuleAction, Scene},
    },
    limits,
    playbook::Trigger,
    store::{
        StoreError,
        incidents::WorkspaceEvent,
        intake::{Decision, Listening, Report, Uniqueness},
    },
};

/// What an event is about.
pub(super) enum Matter {
    Incident { incident: Box<Incident>, what: ActivityKind, around: Surroundings },
    Alert(Alert),
}

/// An event while it is decided.
pub(super) struct Deciding<'d> {
    door: &'d Door,
    workspace: &'d Workspace,
    event: &'d WorkspaceEvent,
    at: DateTime<Utc>,
    library: Arc<Vec<Live>>,
    /// As the rules so far leave it.
    matter: Matter,
    writes: Vec<Write>,
    reports: Vec<Report>,
    /// Playbooks the event starts or the guard bars: each once, whoever asks.
    decided: Vec<String>,
    /// Playbooks and rules that the incident's changes by others of them started since somebody else changed it.
    spent: u32,
}

impl<'d> Deciding<'d> {
    pub(super) fn new(
        door: &'d Door,
        workspace: &'d Workspace,
        event: &'d WorkspaceEvent,
        matter: Matter,
        spent: u32,
    ) -> Self {
        let (at, library) = (door.clock.now(), door.library.current());
        Self {
            door,
            workspace,
            event,
            at,
            library,
            matter,
            writes: Vec::new(),
            reports: Vec::new(),
            decided: Vec::new(),
            spent,
        }
    }

    /// What was decided, and what is spent by now.
    pub(super) fn decided(self) -> (Vec<Write>, Vec<Report>, u32) {
        (self.writes, self.reports, self.spent)
    }

    /// Lets a rule act, if it looks at this event.
    pub(super) fn rule(&mut self, name: &ResourceName, rule: &AutomationRule) -> Result<(), StoreError> {
        let name = name.to_string();
        if !rule.is_in_force(self.at) || !self.matches(rule) {
            return Ok(());
        }
        let cause = Cause::Rule(name.clone());
        let by = Actor::Rule { rule: name, name: rule.display_name.clone() };
        if self.is_barred(&by, &cause).is_some() {
            return Ok(());
        }
        let causes: Causes = self.event.causes.iter().cloned().chain([cause]).collect();
        for ordered in &rule.actions {
            match &ordered.action {
                RuleAction::ModifyProperties(patch) => self.modify(&by, &causes, patch),
                RuleAction::AddIncidentTask { title, description } => {
                    let (title, description) = (title.clone(), description.clone());
                    let etag = self.change(&by, &causes, |incident| Change::PutTask {
                        incident,
                        name: Uuid::now_v7().into(),
                        title,
                        description,
                        status: TaskStatus::New,
                        precondition: Precondition::default(),
                    });
                    let at = self.at;
                    if let (Matter::Incident { incident, .. }, Some(etag)) = (&mut self.matter, etag) {
                        (incident.etag, incident.modified) = (etag, at);
                    }
                }
                RuleAction::RunPlaybook { resource, .. } => {
                    self.run_playbook(&by, &causes, RuleAction::playbook_of(resource))?;
                }
            }
        }
        Ok(())
    }

    /// Starts the playbooks that listen.
    pub(super) fn triggers(&mut self) -> Result<(), StoreError> {
        let mut listening = Vec::new();
        for live in self.library.clone().iter() {
            let name = &live.playbook.name;
            if self.listens(live) && !self.decided.contains(name) {
                listening.push(live.clone());
            }
        }
        if listening.is_empty() {
            return Ok(());
        }
        let (event, payload) = self.payload();
        let outputs = incident::outputs(&payload, &self.event.causes);
        let mut decisions = Vec::new();
        for live in listening {
            decisions.push(self.decision(&live, event, &outputs)?);
        }
        self.report(event, outputs, decisions);
        Ok(())
    }

    fn listens(&self, live: &Live) -> bool {
        match (&live.playbook.trigger, &self.matter) {
            (Trigger::Incident(trigger), Matter::Incident { what, .. }) => {
                trigger.created && what.is_creation() || trigger.updated && what.is_update()
            }
            (Trigger::Alert(trigger), Matter::Alert(_)) => trigger.created,
            _ => false,
        }
    }

    /// A playbook's start, or why it is not started: because its conditions are not met, or because the guard bars what
    /// would start otherwise.
    fn decision(&mut self, live: &Live, event: Uuid, outputs: &str) -> Result<Listening, StoreError> {
        let listening = self.door.start(live, &Arrival { kind: self.kind(), event, outputs, at: self.at })?;
        if matches!(listening.decision, Decision::Skip { .. }) {
            return Ok(listening);
        }
        let playbook = listening.playbook.clone();
        self.decided.push(playbook.clone());
        Ok(match self.is_barred(&Actor::Larum, &Cause::Playbook(playbook.clone())) {
            Some(because) => Listening { playbook, decision: Decision::Skip { because } },
            None => listening,
        })
    }

    /// Whether the guard keeps `cause` from being started by this event, and why. The incident's log says so; what is
    /// not barred is counted.
    fn is_barred(&mut self, by: &Actor, cause: &Cause) -> Option<String> {
        if let Some(because) = cause.barred_by(&self.event.causes) {
            self.not_started(by, cause, because.clone());
            return Some(because);
        }
        if self.event.causes.is_empty() {
            return None;
        }
        self.spent += 1;
        let most = limits::CAUSED_STARTS;
        if self.spent <= most {
            return None;
        }
        let because = format!(
            "{most} playbooks and rules were started by one another's changes of this incident, and no more may follow \
             until somebody else changes it"
        );
        // Once: every further start would fill the log with the same.
        if self.spent == most + 1 {
            self.not_started(by, cause, because.clone());
        }
        Some(because)
    }

    /// Notes in the incident's log, or for an alert in Larum's own, that something was not started.
    fn not_started(&mut self, by: &Actor, cause: &Cause, because: String) {
        tracing::warn!(event = self.event.seq, what = %cause, because, "not started");
        let name = cause.to_string();
        let causes = self.event.causes.clone();
        self.change(by, &causes, |incident| Change::NoteNotStarted { incident, name, because });
    }

    fn matches(&self, rule: &AutomationRule) -> bool {
        let by = &self.event.by;
        match &self.matter {
            Matter::Incident { incident, what, around } => rule.matches(&Scene {
                incident: Some(incident),
                what,
                by,
                alerts: &around.alerts,
                entities: &around.entities,
            }),
            Matter::Alert(alert) => rule.matches(&Scene {
                incident: None,
                what: &ActivityKind::Created,
                by,
                alerts: std::slice::from_ref(alert),
                entities: &alert.entities,
            }),
        }
    }

    /// Adds a write to the incident; the etag it gives it.
    fn change(&mut self, by: &Actor, causes: &Causes, change: impl FnOnce(IncidentRef) -> Change) -> Option<Uuid> {
        let Matter::Incident { incident, .. } = &self.matter else { return None };
        let change = change(IncidentRef::Number(incident.number));
        let etag = Uuid::new_v4();
        self.writes.push(Write { by: by.clone(), causes: causes.clone(), at: self.at, etag, change });
        Some(etag)
    }

    /// Changes the incident, so that what comes after sees it changed.
    fn modify(&mut self, by: &Actor, causes: &Causes, patch: &Patch) {
        let Matter::Incident { incident, .. } = &self.matter else { return };
        let after = match patch.apply(incident).check() {
            Ok(draft) => incident.with(draft),
            Err(refusal) => {
                let because = format!("what it changes is refused: {refusal}");
                if let Actor::Rule { rule, .. } = by {
                    self.not_started(by, &Cause::Rule(rule.clone()), because);
                }
                return;
            }
        };
        if incident.changes(&after).is_empty() {
            return;
        }
        let etag = self.change(by, causes, |incident| Change::PatchIncident {
            incident,
            patch: Box::new(patch.clone()),
            precondition: Precondition::default(),
        });
        let at = self.at;
        if let (Matter::Incident { incident, .. }, Some(etag)) = (&mut self.matter, etag) {
            **incident = Incident { etag, modified: at, ..after };
        }
    }

    /// Starts a playbook because a rule wants it; what cannot be is said in the incident's log.
    fn run_playbook(&mut self, by: &Actor, causes: &Causes, name: &str) -> Result<(), StoreError> {
        let library = self.library.clone();
        let cause = Cause::Playbook(name.to_owned());
        let wanted = if matches!(self.matter, Matter::Incident { .. }) { incident::KIND } else { alert::KIND };
        let Some(live) = library.iter().find(|live| live.playbook.name.eq_ignore_ascii_case(name)) else {
            let because = format!("{} wants to run it, and there is no such playbook", by.name());
            self.not_started(by, &cause, because);
            return Ok(());
        };
        let kind = live.playbook.trigger.kind();
        if kind != wanted && !matches!(live.playbook.trigger, Trigger::Manual) {
            let because = format!("{} wants to run it, but its trigger is `{kind}`, not `{wanted}`", by.name());
            self.not_started(by, &cause, because);
            return Ok(());
        }
        let name = live.playbook.name.clone();
        if self.decided.contains(&name) {
            return Ok(());
        }
        let (event, payload) = self.payload();
        let outputs = incident::outputs(&payload, causes);
        let listening = self.decision(live, event, &outputs)?;
        if let Some(run) = listening.runs().next().map(|new| new.run) {
            self.change(by, causes, |incident| Change::NotePlaybook { incident, playbook: name, run });
        }
        self.report(event, outputs, vec![listening]);
        Ok(())
    }

    fn kind(&self) -> &'static str {
        match self.matter {
            Matter::Incident { .. } => incident::KIND,
            Matter::Alert(_) => alert::KIND,
        }
    }

    /// What a playbook is delivered as things stand now, and the id of the event it is kept as.
    fn payload(&self) -> (Uuid, serde_json::Value) {
        let event = Uuid::now_v7();
        let payload = match &self.matter {
            Matter::Incident { incident, what, around } => {
                let update = what.is_update().then_some((what, &self.event.by));
                incident::payload(incident, around, self.workspace, event, update)
            }
            Matter::Alert(alert) => alert::payload(alert, self.workspace),
        };
        (event, payload)
    }

    fn report(&mut self, event: Uuid, outputs: Arc<str>, playbooks: Vec<Listening>) {
        let summary = match &self.matter {
            Matter::Incident { incident, what, .. } => {
                let done = if what.is_creation() { "created" } else { "updated" };
                format!("incident {} {done}", incident.number)
            }
            Matter::Alert(alert) => format!("alert {}", alert.name),
        };
        self.reports.push(Report {
            event,
            kind: self.kind(),
            uniqueness: Uniqueness::Always,
            summary,
            outputs,
            raw: None,
            playbooks,
            mail_tasks: Vec::new(),
            skipped: None,
        });
    }
}
