//! What a change makes of an incident, and how it is told field by field.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use super::{Draft, FieldChange, Incident, Patch, Summary, draft::distinct, resource::time};

impl Draft {
    /// What a client may write of an incident, as it stands.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        Self {
            title: incident.title.clone(),
            description: incident.description.clone(),
            severity: incident.severity,
            status: incident.status,
            classification: incident.classification,
            classification_reason: incident.classification_reason,
            classification_comment: incident.classification_comment.clone(),
            owner: incident.owner.clone(),
            tags: incident.tags.clone(),
            first_activity: incident.first_activity,
            last_activity: incident.last_activity,
        }
    }
}

impl Patch {
    /// What it makes of an incident; not [checked](Draft::check) yet.
    #[must_use]
    pub fn apply(&self, incident: &Incident) -> Draft {
        let mut draft = Draft::of(incident);
        fn set<T: Clone>(field: &mut T, given: Option<&T>) {
            if let Some(given) = given {
                field.clone_from(given);
            }
        }
        set(&mut draft.title, self.title.as_ref());
        set(&mut draft.description, self.description.as_ref());
        set(&mut draft.severity, self.severity.as_ref());
        set(&mut draft.status, self.status.as_ref());
        if self.classification.is_some_and(|given| draft.classification != Some(given)) {
            // The reason belongs to the classification before.
            draft.classification_reason = None;
        }
        draft.classification = self.classification.or(draft.classification);
        draft.classification_reason = self.classification_reason.or(draft.classification_reason);
        draft.classification_comment = self.classification_comment.clone().or(draft.classification_comment);
        set(&mut draft.owner, self.owner.as_ref());
        let gone: HashSet<String> = self.remove_tags.iter().map(|tag| tag.trim().to_ascii_lowercase()).collect();
        draft.tags.retain(|tag| !gone.contains(&tag.to_ascii_lowercase()));
        draft.tags = distinct(draft.tags.into_iter().chain(self.add_tags.iter().cloned()).collect());
        draft.first_activity = self.first_activity.or(draft.first_activity);
        draft.last_activity = self.last_activity.or(draft.last_activity);
        draft
    }
}

impl Summary {
    /// What `after` says otherwise of the incident's alerts, under the API's names.
    #[must_use]
    pub fn changes(&self, after: &Self) -> Vec<FieldChange> {
        let lists = [
            ("alertProductNames", &self.alert_products, &after.alert_products),
            ("tactics", &self.tactics, &after.tactics),
            ("techniques", &self.techniques, &after.techniques),
            ("relatedAnalyticRuleIds", &self.analytic_rules, &after.analytic_rules),
        ];
        let changed = lists.into_iter().filter(|(_, from, to)| from != to);
        let change = |(field, from, to): (&str, &Vec<String>, &Vec<String>)| FieldChange {
            field: field.to_owned(),
            from: from.as_slice().into(),
            to: to.as_slice().into(),
        };
        changed.map(change).collect()
    }
}

impl Incident {
    /// The incident with everything a client may write taken from a checked draft.
    #[must_use]
    pub fn with(&self, draft: Draft) -> Self {
        Self {
            title: draft.title,
            description: draft.description,
            severity: draft.severity,
            status: draft.status,
            classification: draft.classification,
            classification_reason: draft.classification_reason,
            classification_comment: draft.classification_comment,
            owner: draft.owner,
            tags: draft.tags,
            first_activity: draft.first_activity,
            last_activity: draft.last_activity,
            ..self.clone()
        }
    }

    /// The fields in which `after` differs, under the API's names.
    #[must_use]
    pub fn changes(&self, after: &Self) -> Vec<FieldChange> {
        let fields = self.fields().into_iter().zip(after.fields());
        fields
            .filter(|((_, from), (_, to))| from != to)
            .map(|((field, from), (_, to))| FieldChange { field: field.to_owned(), from, to })
            .collect()
    }

    /// What a client may write, under the API's names.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, Value); 11] {
        fn json<T: Serialize>(value: T) -> Value {
            serde_json::to_value(value).unwrap_or_default()
        }
        [
            ("title", json(&self.title)),
            ("description", json(&self.description)),
            ("severity", json(self.severity)),
            ("status", json(self.status)),
            ("classification", json(self.classification)),
            ("classificationReason", json(self.classification_reason)),
            ("classificationComment", json(&self.classification_comment)),
            ("owner", json(&self.owner)),
            ("labels", json(&self.tags)),
            ("firstActivityTimeUtc", json(self.first_activity.map(time))),
            ("lastActivityTimeUtc", json(self.last_activity.map(time))),
        ]
    }
}
