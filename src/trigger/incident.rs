//! Incidents start runs: what the trigger delivers, and runs that somebody asks for.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::intake::{Arrival, Door};
use crate::{
    action::CAUSES,
    engine::Live,
    incident::{
        ActivityKind, Actor, Alert, Cause, Causes, Change, Comment, Entity, Incident, IncidentRef, RelatedKind,
        Workspace, Write, automation::added_tactics, provider_id,
    },
    limits,
    store::{
        EventId, Store, StoreError,
        incidents::Listing,
        intake::{Intake, Report, Uniqueness, Verdict},
        mailbox::FeedName,
    },
};

/// The trigger kind such events come as.
pub(super) const KIND: &str = "incident";

/// What the history knows changes of incidents by.
#[must_use]
pub fn feed() -> FeedName {
    FeedName { connection: "workspace".into(), folder: "incidents".into() }
}

/// What hangs on an incident, as far as playbooks and rules are told of it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub alerts: Vec<Alert>,
    /// Of the alerts, each once.
    pub entities: Vec<Entity>,
    /// Oldest first.
    pub comments: Vec<Comment>,
}

impl Surroundings {
    /// What hangs on an incident now; nothing when it was deleted meanwhile.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn of(store: &dyn Store, incident: &Incident) -> Result<Self, StoreError> {
        let at = IncidentRef::Number(incident.number);
        let most = usize::try_from(limits::COMMENTS).unwrap_or(usize::MAX);
        let all = Listing { top: most, ..Listing::default() };
        let mut comments = store.comments(&at, all).await?.map(|page| page.items).unwrap_or_default();
        comments.reverse();
        Ok(Self {
            alerts: store.alerts_of(&at).await?.unwrap_or_default(),
            entities: store.entities_of(&at).await?.unwrap_or_default(),
            comments,
        })
    }
}

/// What an incident trigger delivers, as the Sentinel connector does.
///
/// `event` identifies it as `eventUniqueId`; `update` is what was changed and by whom, `None` when the incident was created
/// or somebody asked for the run.
#[must_use]
pub fn payload(
    incident: &Incident,
    around: &Surroundings,
    workspace: &Workspace,
    event: EventId,
    update: Option<(&ActivityKind, &Actor)>,
) -> Value {
    let mut object = incident.to_resource(workspace);
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        let list = |values: Vec<Value>| Value::Array(values);
        let alerts = around.alerts.iter().map(|alert| alert.to_resource(workspace)).collect();
        let entities = around.entities.iter().map(|entity| entity.to_resource(workspace)).collect();
        let comments = around.comments.iter().map(|comment| comment.to_resource(&incident.name, workspace)).collect();
        properties.insert("Alerts".into(), list(alerts));
        properties.insert("relatedEntities".into(), list(entities));
        properties.insert("Comments".into(), list(comments));
    }
    let mut payload = json!({
        "eventUniqueId": event,
        "objectSchemaType": "Incident",
        "objectEventType": if update.is_some() { "Update" } else { "Create" },
        "workspaceInfo": {
            "SubscriptionId": workspace.subscription,
            "ResourceGroupName": workspace.resource_group,
            "WorkspaceName": workspace.name,
        },
        "workspaceId": workspace_id(workspace),
        "object": object,
    });
    if let Some((what, by)) = update {
        payload["incidentUpdates"] = updates(incident, around, workspace, what, by);
    }
    payload
}

/// A workspace of Larum has no GUID of its own; this one is the same for the same workspace.
pub(super) fn workspace_id(workspace: &Workspace) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, provider_id(workspace).to_lowercase().as_bytes())
}

/// `incidentUpdates`: what was changed, and what was added.
fn updates(
    incident: &Incident,
    around: &Surroundings,
    workspace: &Workspace,
    what: &ActivityKind,
    by: &Actor,
) -> Value {
    let mut fields: Vec<&str> = Vec::new();
    let (mut alerts, mut comments, mut tactics, mut labels) =
        (Vec::new(), Vec::new(), Vec::<String>::new(), Vec::new());
    match what {
        ActivityKind::Updated { changes } => {
            fields.extend(changes.iter().map(|change| change.field.as_str()));
            let added = changes.iter().filter(|change| change.field == "labels").flat_map(|change| {
                let before = change.from.as_array().map(Vec::as_slice).unwrap_or_default();
                change.to.as_array().into_iter().flatten().filter(|label| !before.contains(label))
            });
            labels.extend(added.map(|label| json!({"labelName": label, "labelType": "User"})));
        }
        ActivityKind::CommentAdded { comment } => {
            fields.push("comments");
            let added = around.comments.iter().filter(|known| known.name == *comment);
            comments.extend(added.map(|comment| comment.to_resource(&incident.name, workspace)));
        }
        ActivityKind::Related { kind: RelatedKind::Alert, related } => {
            fields.push("alerts");
            tactics = added_tactics(&around.alerts, related);
            let added = around.alerts.iter().filter(|alert| alert.name == *related);
            alerts.extend(added.map(|alert| alert.to_resource(workspace)));
        }
        ActivityKind::Related { .. } => fields.push("bookmarks"),
        ActivityKind::Merged { .. } => fields.push("mergedIncidents"),
        // No other is an update.
        _ => {}
    }
    json!({
        "updatedFields": fields,
        "updatedBy": {"source": by.source(), "name": by.name()},
        "alerts": alerts,
        "comments": comments,
        "tactics": tactics,
        "labels": labels,
    })
}

/// The trigger's outputs as JSON text: what it delivers, and what led to it.
pub(super) fn outputs(payload: &Value, causes: &Causes) -> Arc<str> {
    json!({"body": payload, CAUSES: causes}).to_string().into()
}

/// Starts a playbook that has an incident trigger for an incident, because `by` asked; the incident's log says so. The
/// playbook's conditions and its `concurrency` hold, whatever it listens to. What led to the asking keeps it from starting
/// itself again.
///
/// # Errors
/// When nothing was committed.
pub async fn run(
    door: &Door,
    workspace: &Workspace,
    live: &Live,
    incident: &Incident,
    by: Actor,
    causes: Causes,
) -> Result<Verdict, StoreError> {
    let cause = Cause::Playbook(live.playbook.name.clone());
    if let Some(because) = cause.barred_by(&causes) {
        let (incident, name) = (IncidentRef::Number(incident.number), cause.to_string());
        let change = Change::NoteNotStarted { incident, name, because: because.clone() };
        let note = Write { by, causes, at: door.clock.now(), etag: Uuid::new_v4(), change };
        if let Err(rejected) = door.store.write(note).await? {
            tracing::debug!(%rejected, "the incident is gone that a run was asked for");
        }
        return Ok(Verdict::Skipped { because });
    }
    let around = Surroundings::of(&*door.store, incident).await?;
    let (event, at) = (Uuid::now_v7(), door.clock.now());
    let outputs = outputs(&payload(incident, &around, workspace, event, None), &causes);
    let listening = door.start(live, &Arrival { kind: KIND, event, outputs: &outputs, at })?;
    let report = Report {
        event,
        kind: KIND,
        uniqueness: Uniqueness::Always,
        summary: format!("incident {}, asked for by {}", incident.number, by.name()),
        outputs,
        raw: None,
        playbooks: vec![listening],
        mail_tasks: Vec::new(),
        skipped: None,
    };
    let intake = Intake { feed: feed(), reports: vec![report], cursor: None, at };
    let verdict = door.take(intake).await?.into_iter().next();
    let verdict = verdict.ok_or_else(|| StoreError::Failed("a report got no verdict".into()))?;
    if let Verdict::Accepted { runs, .. } = &verdict
        && let Some(started) = runs.first()
    {
        let change = Change::NotePlaybook {
            incident: IncidentRef::Number(incident.number),
            playbook: started.playbook.clone(),
            run: started.run,
        };
        let note = Write { by, causes, at, etag: Uuid::new_v4(), change };
        // The run goes on whatever becomes of the note, so who asked is told that it does.
        let because = match door.store.write(note).await {
            Ok(Ok(_)) => return Ok(verdict),
            Ok(Err(rejected)) => rejected.to_string(),
            Err(error) => error.to_string(),
        };
        let (incident, run) = (incident.number, started.run);
        tracing::error!(incident, %run, because, "the incident's log does not say that a run was asked for");
    }
    Ok(verdict)
}
