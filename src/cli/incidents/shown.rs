//! Incidents as they are printed.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::{
    cli::table::{block, instant, short, table},
    incident::{Incident, Workspace},
};

/// The resource of the Sentinel API, and where the incident came from.
pub fn as_json(incident: &Incident, workspace: &Workspace) -> Value {
    let mut resource = incident.to_resource(workspace);
    resource["provenance"] = json!(incident.provenance);
    resource
}

pub fn as_table(incidents: &[Incident]) -> String {
    let rows: Vec<_> = incidents
        .iter()
        .map(|incident| {
            let from = &incident.provenance;
            [
                incident.number.to_string(),
                instant(incident.created),
                incident.severity.to_string(),
                incident.status.to_string(),
                incident.title.clone(),
                from.playbook.clone().unwrap_or_default(),
                from.run.map(short).unwrap_or_default(),
                from.report.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(["NUMBER", "CREATED", "SEVERITY", "STATUS", "TITLE", "PLAYBOOK", "RUN", "REPORT"], &rows)
}

pub fn as_text(incident: &Incident) -> String {
    let (owner, from) = (&incident.owner, &incident.provenance);
    let fields = [
        ("severity", Some(incident.severity.to_string())),
        ("status", Some(incident.status.to_string())),
        ("classification", incident.classification.map(|value| value.to_string())),
        ("reason", incident.classification_reason.map(|value| value.to_string())),
        ("comment", incident.classification_comment.clone()),
        ("owner", owner.assigned_to.clone().or_else(|| owner.email.clone()).or_else(|| owner.object_id.clone())),
        ("tags", Some(incident.tags.join(", ")).filter(|tags| !tags.is_empty())),
        ("created", Some(instant(incident.created))),
        ("modified", Some(instant(incident.modified))),
        ("first activity", incident.first_activity.map(instant)),
        ("last activity", incident.last_activity.map(instant)),
        ("playbook", from.playbook.clone()),
        ("version", from.version.clone()),
        ("run", from.run.map(|run| run.to_string())),
        ("report", from.report.clone()),
        ("event", from.event.map(|event| event.to_string())),
        ("id", Some(incident.name.to_string())),
    ];
    let mut text = format!("#{} {}\n", incident.number, incident.title.replace('\n', " "));
    for (name, value) in fields {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<15} {}", value.replace('\n', " "));
        }
    }
    if !incident.description.is_empty() {
        let _ = write!(text, "\n{}\n", incident.description.trim_end());
    }
    block(&text)
}
