//! What is sent: the writable properties of an incident or task. A PUT replaces them all.

use serde_json::{Map, Value, json};

use crate::incident::{Draft, Owner, Patch};

/// Properties that clients may write, of incidents and of tasks.
const WRITABLE: &[&str] = &[
    "title",
    "description",
    "severity",
    "status",
    "classification",
    "classificationReason",
    "classificationComment",
    "owner",
    "labels",
    "firstActivityTimeUtc",
    "lastActivityTimeUtc",
];

/// The properties of a new incident.
pub(super) fn incident(draft: &Draft) -> Value {
    let mut properties = Map::new();
    let patch = Patch {
        title: Some(draft.title.clone()),
        description: Some(draft.description.clone()).filter(|text| !text.is_empty()),
        severity: Some(draft.severity),
        status: Some(draft.status),
        classification: draft.classification,
        classification_reason: draft.classification_reason,
        classification_comment: draft.classification_comment.clone(),
        owner: Some(draft.owner.clone()).filter(|owner| *owner != Owner::default()),
        add_tags: draft.tags.clone(),
        remove_tags: Vec::new(),
        first_activity: draft.first_activity,
        last_activity: draft.last_activity,
    };
    apply(&mut properties, &patch);
    properties.into()
}

/// Of what is there, what is sent back.
pub(super) fn writable(properties: &Value) -> Value {
    let mut kept = properties.as_object().cloned().unwrap_or_default();
    kept.retain(|name, value| WRITABLE.contains(&name.as_str()) && !value.is_null());
    if let Some(Value::Array(labels)) = kept.get_mut("labels") {
        for label in labels {
            // The type is the service's to say.
            *label = json!({"labelName": label["labelName"]});
        }
    }
    kept.into()
}

/// Writable properties with a patch applied to them.
pub(super) fn patched(properties: &Value, patch: &Patch) -> Value {
    let mut properties = properties.as_object().cloned().unwrap_or_default();
    apply(&mut properties, patch);
    properties.into()
}

/// Those of a task that is done.
pub(super) fn completed(properties: &Value) -> Value {
    let mut properties = properties.clone();
    properties["status"] = "Completed".into();
    properties
}

fn apply(properties: &mut Map<String, Value>, patch: &Patch) {
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    set("title", text(&patch.title));
    set("description", text(&patch.description));
    set("severity", patch.severity.map(|severity| json!(severity)));
    set("status", patch.status.map(|status| json!(status)));
    set("owner", patch.owner.as_ref().map(owner));
    set("firstActivityTimeUtc", patch.first_activity.map(|at| json!(at)));
    set("lastActivityTimeUtc", patch.last_activity.map(|at| json!(at)));
    if let Some(classification) = patch.classification {
        let before = properties.insert("classification".into(), json!(classification));
        if before.is_some_and(|before| before != json!(classification)) {
            // The reason belongs to the classification before.
            properties.remove("classificationReason");
        }
    }
    if let Some(reason) = patch.classification_reason {
        properties.insert("classificationReason".into(), json!(reason));
    }
    if let Some(comment) = &patch.classification_comment {
        properties.insert("classificationComment".into(), json!(comment));
    }
    labels(properties, patch);
}

/// Unassigned is an object whose members are null; absent would leave the owner as it is with some services.
fn owner(owner: &Owner) -> Value {
    let all = json!({
        "objectId": owner.object_id,
        "email": owner.email,
        "assignedTo": owner.assigned_to,
        "userPrincipalName": owner.user_principal_name,
    });
    if *owner == Owner::default() {
        return all;
    }
    let Value::Object(mut known) = all else { return all };
    known.retain(|_, value| !value.is_null());
    known.into()
}

fn labels(properties: &mut Map<String, Value>, patch: &Patch) {
    let (added, removed) = (&patch.add_tags, &patch.remove_tags);
    if added.is_empty() && removed.is_empty() {
        return;
    }
    let Some(labels) = properties.entry("labels").or_insert_with(|| json!([])).as_array_mut() else { return };
    let name = |label: &Value| label["labelName"].as_str().map(str::to_owned).unwrap_or_default();
    labels.retain(|label| !removed.iter().any(|tag| tag.trim().eq_ignore_ascii_case(&name(label))));
    for tag in added {
        let tag = tag.trim();
        if !labels.iter().any(|label| name(label) == tag) {
            labels.push(json!({"labelName": tag}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{Classification, ClassificationReason, Severity, Status};

    #[test]
    fn a_new_incident_says_what_was_given_and_no_more() {
        let draft = Draft { tags: vec!["mail".into()], ..Draft::new("Door") };
        let expected =
            json!({"title": "Door", "severity": "Medium", "status": "New", "labels": [{"labelName": "mail"}]});
        assert_eq!(incident(&draft), expected);
    }

    #[test]
    fn a_change_resends_everything_that_can_be_written() {
        let there = json!({
            "title": "Door", "description": "north", "severity": "High", "status": "Active", "incidentNumber": 7,
            "classification": "TruePositive", "classificationReason": "SuspiciousActivity",
            "owner": {"objectId": null, "email": null}, "labels": [{"labelName": "Mail", "labelType": "AutoAssigned"}],
            "additionalData": {"alertsCount": 0}, "lastActivityTimeUtc": null,
        });
        let patch = Patch {
            severity: Some(Severity::Low),
            status: Some(Status::Closed),
            classification: Some(Classification::Undetermined),
            owner: Some(Owner::parse("alice@contoso.com")),
            add_tags: vec!["door".into(), "Mail".into()],
            ..Patch::default()
        };
        let expected = json!({
            "title": "Door", "description": "north", "severity": "Low", "status": "Closed",
            "classification": "Undetermined",
            "owner": {
                "email": "alice@contoso.com", "assignedTo": "alice@contoso.com",
                "userPrincipalName": "alice@contoso.com",
            },
            "labels": [{"labelName": "Mail"}, {"labelName": "door"}],
        });
        assert_eq!(patched(&writable(&there), &patch), expected);
    }

    #[test]
    fn what_changes_nothing_leaves_everything_equal() {
        let there =
            writable(&json!({"title": "Door", "labels": [{"labelName": "a"}], "classification": "TruePositive",
            "classificationReason": "SuspiciousActivity"}));
        let patch = Patch {
            add_tags: vec!["a".into()],
            remove_tags: vec!["b".into()],
            classification: Some(Classification::TruePositive),
            classification_reason: Some(ClassificationReason::SuspiciousActivity),
            ..Patch::default()
        };
        assert_eq!(patched(&there, &patch), there);
        let gone = patched(&there, &Patch { remove_tags: vec!["A".into()], ..Patch::default() });
        assert_eq!(gone["labels"], json!([]));
        let nobody = patched(&there, &Patch { owner: Some(Owner::default()), ..Patch::default() });
        let members = json!({"objectId": null, "email": null, "assignedTo": null, "userPrincipalName": null});
        assert_eq!(nobody["owner"], members);
    }
}
