//! Writes to the workspace against a naive model of it: random writes over few names, so that everything collides.

use std::collections::BTreeMap;

use larum::{
    incident::{
        ActivityKind, Change, Classification, ClassificationReason, DocumentKey, Draft, Incident, IncidentRef, Patch,
        Precondition, RelatedKind, ResourceName, Severity, Status, TaskStatus, Write, Written,
    },
    store::incidents::IncidentStore,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::Value;
use uuid::Uuid;

use crate::kit::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Doing {
    Put(&'static str, Fields, bool),
    Patch(&'static str, Fields),
    Delete(&'static str),
    Comment(&'static str, &'static str, &'static str, bool),
    DeleteComment(&'static str, &'static str),
    Task(&'static str, &'static str, TaskStatus),
    DeleteTask(&'static str, &'static str),
    Relate(&'static str, &'static str, RelatedKind, &'static str),
    Unrelate(&'static str, &'static str),
    Alert(&'static str),
    DeleteBookmark(&'static str),
    Merge(&'static str, Vec<&'static str>),
}

#[derive(Debug, Clone)]
struct Fields {
    title: &'static str,
    severity: Option<Severity>,
    status: Option<Status>,
    classification: Option<Classification>,
    reason: Option<ClassificationReason>,
    tags: Vec<&'static str>,
}

/// What the model knows of an incident.
#[derive(Debug, Clone, Default)]
struct Known {
    number: u64,
    etag: Uuid,
    comments: BTreeMap<&'static str, &'static str>,
    authors: BTreeMap<&'static str, bool>,
    tasks: BTreeMap<&'static str, TaskStatus>,
    relations: BTreeMap<&'static str, (RelatedKind, &'static str)>,
    /// What came by a merge while its name was taken, and so has another one.
    renamed_comments: u64,
    renamed_relations: Vec<(RelatedKind, &'static str)>,
    merged: bool,
    fields: Option<Draft>,
}

#[derive(Default)]
struct Model {
    incidents: BTreeMap<&'static str, Known>,
    last: u64,
    alerts: Vec<&'static str>,
    bookmarks: Vec<&'static str>,
}

fn fields() -> impl Strategy<Value = Fields> {
    (
        select(vec!["door", "gate", " "]),
        option::of(select(Severity::ALL)),
        option::of(select(Status::ALL)),
        option::of(select(Classification::ALL)),
        option::of(select(ClassificationReason::ALL)),
        vec(select(vec!["x", "Y", "z"]), 0..3),
    )
        .prop_map(|(title, severity, status, classification, reason, tags)| Fields {
            title,
            severity,
            status,
            classification,
            reason,
            tags,
        })
}

fn doing() -> impl Strategy<Value = Doing> {
    let called = || select(NAMES.to_vec());
    let child = || select(vec!["x", "y"]);
    let kind = || select(vec![RelatedKind::Alert, RelatedKind::Bookmark]);
    prop_oneof![
        6 => (called(), fields(), any::<bool>()).prop_map(|(called, fields, stale)| Doing::Put(called, fields, stale)),
        6 => (called(), fields()).prop_map(|(called, fields)| Doing::Patch(called, fields)),
        1 => called().prop_map(Doing::Delete),
        4 => (called(), child(), select(vec!["first", "second", ""]), any::<bool>())
            .prop_map(|(called, child, message, bob)| Doing::Comment(called, child, message, bob)),
        1 => (called(), child()).prop_map(|(called, child)| Doing::DeleteComment(called, child)),
        3 => (called(), child(), select(TaskStatus::ALL)).prop_map(|(called, child, status)| Doing::Task(called, child, status)),
        1 => (called(), child()).prop_map(|(called, child)| Doing::DeleteTask(called, child)),
        4 => (called(), child(), kind(), child()).prop_map(|(called, child, kind, of)| Doing::Relate(called, child, kind, of)),
        1 => (called(), child()).prop_map(|(called, child)| Doing::Unrelate(called, child)),
        3 => child().prop_map(Doing::Alert),
        1 => child().prop_map(Doing::DeleteBookmark),
        1 => (called(), vec(called(), 0..3)).prop_map(|(called, from)| Doing::Merge(called, from)),
    ]
}

fn draft(fields: &Fields) -> Draft {
    Draft {
        severity: fields.severity.unwrap_or(Severity::Medium),
        status: fields.status.unwrap_or(Status::New),
        classification: fields.classification,
        classification_reason: fields.reason,
        tags: fields.tags.iter().map(ToString::to_string).collect(),
        ..Draft::new(fields.title)
    }
}

fn changed(fields: &Fields) -> Patch {
    Patch {
        title: Some(fields.title.into()),
        severity: fields.severity,
        status: fields.status,
        classification: fields.classification,
        classification_reason: fields.reason,
        add_tags: fields.tags.iter().take(1).map(ToString::to_string).collect(),
        remove_tags: fields.tags.iter().skip(1).map(ToString::to_string).collect(),
        ..Patch::default()
    }
}

fn by_name(called: &str) -> IncidentRef {
    IncidentRef::Name(name(&called.to_uppercase()))
}

impl Model {
    /// The write, and what the model says comes of it: the incidents it touches, or the status of its refusal.
    fn foresee(&mut self, doing: &Doing) -> (Write, Result<Vec<&'static str>, u16>) {
        let mut by = alice();
        let (change, outcome) = match doing {
            Doing::Put(called, fields, stale) => {
                let precondition =
                    Precondition { etag: stale.then(|| Uuid::nil().to_string()), ..Precondition::default() };
                let incident = Box::new(draft(fields));
                let change = Change::PutIncident { name: name(called), incident, precondition };
                (change, self.put(called, draft(fields), *stale))
            }
            Doing::Patch(called, fields) => {
                let patch = changed(fields);
                let outcome = self.patch(called, &patch);
                (
                    Change::PatchIncident {
                        incident: by_name(called),
                        patch: Box::new(patch),
                        precondition: Precondition::default(),
                    },
                    outcome,
                )
            }
            Doing::Delete(called) => {
                self.incidents.remove(called);
                let precondition = Precondition::default();
                (Change::DeleteIncident { incident: by_name(called), precondition }, Ok(vec![]))
            }
            Doing::Comment(called, child, message, bobs) => {
                if *bobs {
                    by = bob();
                }
                let change = Change::PutComment {
                    incident: by_name(called),
                    name: name(child),
                    message: (*message).to_owned(),
                    precondition: Precondition::default(),
                    any_author: false,
                };
                let outcome = self.on(called, |known| {
                    if known.authors.get(child).is_some_and(|author| author != bobs) {
                        return Err(403);
                    }
                    if message.is_empty() {
                        return Err(400);
                    }
                    known.comments.insert(child, message);
                    known.authors.entry(child).or_insert(*bobs);
                    Ok(true)
                });
                (change, outcome)
            }
            Doing::DeleteComment(called, child) => {
                let change = Change::DeleteComment {
                    incident: by_name(called),
                    name: name(child),
                    precondition: Precondition::default(),
                };
                let outcome = self.on(called, |known| {
                    known.authors.remove(child);
                    Ok(known.comments.remove(child).is_some())
                });
                (change, outcome)
            }
            Doing::Task(called, child, status) => {
                let change = Change::PutTask {
                    incident: by_name(called),
                    name: name(child),
                    title: "call".into(),
                    description: None,
                    status: *status,
                    precondition: Precondition::default(),
                };
                let outcome = self.on(called, |known| {
                    known.tasks.insert(child, *status);
                    Ok(true)
                });
                (change, outcome)
            }
            Doing::DeleteTask(called, child) => {
                let change = Change::DeleteTask {
                    incident: by_name(called),
                    name: name(child),
                    precondition: Precondition::default(),
                };
                (change, self.on(called, |known| Ok(known.tasks.remove(child).is_some())))
            }
            Doing::Relate(called, child, kind, related) => {
                let change = Change::PutRelation {
                    incident: by_name(called),
                    name: name(child),
                    kind: *kind,
                    related: name(related),
                    precondition: Precondition::default(),
                };
                let there = match kind {
                    RelatedKind::Alert => self.alerts.contains(related),
                    RelatedKind::Bookmark => self.bookmarks.contains(related),
                };
                let outcome = self.on(called, |known| match known.relations.get(child) {
                    Some((of, _)) if of != kind => Err(400),
                    Some((_, other)) if other != related => Err(409),
                    Some(_) => Ok(true),
                    None if !there => Err(404),
                    None if known.is_related((*kind, related)) => Err(400),
                    None => {
                        known.relations.insert(child, (*kind, related));
                        Ok(true)
                    }
                });
                (change, outcome)
            }
            Doing::Unrelate(called, child) => {
                let change = Change::DeleteRelation {
                    incident: by_name(called),
                    name: name(child),
                    precondition: Precondition::default(),
                };
                (change, self.on(called, |known| Ok(known.relations.remove(child).is_some())))
            }
            Doing::Alert(called) => {
                if !self.alerts.contains(called) {
                    self.alerts.push(called);
                }
                (put_alert(alert(called, "Defender", &["Execution"])), Ok(vec![]))
            }
            Doing::DeleteBookmark(called) => {
                self.bookmarks.retain(|known| known != called);
                let mut touched = Vec::new();
                for (own, known) in &mut self.incidents {
                    if known.is_related((RelatedKind::Bookmark, called)) {
                        touched.push(*own);
                    }
                    known.relations.retain(|_, related| *related != (RelatedKind::Bookmark, *called));
                    known.renamed_relations.retain(|related| *related != (RelatedKind::Bookmark, *called));
                }
                let key: DocumentKey = bookmark(called);
                (Change::DeleteDocument { key, precondition: Precondition::default() }, Ok(touched))
            }
            Doing::Merge(into, from) => {
                let change = Change::Merge {
                    into: by_name(into),
                    from: from.iter().map(|one| by_name(one)).collect(),
                    precondition: Precondition::default(),
                };
                (change, self.merge(into, from))
            }
        };
        let write = Write { by, ..write(change) };
        for touched in outcome.iter().flatten() {
            if let Some(known) = self.incidents.get_mut(touched) {
                known.etag = write.etag;
            }
        }
        (write, outcome)
    }

    fn on(
        &mut self,
        called: &'static str,
        doing: impl FnOnce(&mut Known) -> Result<bool, u16>,
    ) -> Result<Vec<&'static str>, u16> {
        let known = self.incidents.get_mut(called).ok_or(404_u16)?;
        Ok(if doing(known)? { vec![called] } else { vec![] })
    }

    fn put(&mut self, called: &'static str, draft: Draft, stale: bool) -> Result<Vec<&'static str>, u16> {
        match self.incidents.get_mut(called) {
            Some(_) if stale => return Err(409),
            Some(known) => known.fields = Some(draft.check().map_err(|_| 400_u16)?),
            None => {
                let draft = draft.check().map_err(|_| 400_u16)?;
                self.last += 1;
                let known = Known { number: self.last, fields: Some(draft), ..Known::default() };
                self.incidents.insert(called, known);
            }
        }
        Ok(vec![called])
    }

    fn patch(&mut self, called: &'static str, patch: &Patch) -> Result<Vec<&'static str>, u16> {
        self.on(called, |known| {
            let before = known.fields.clone().unwrap();
            let mut after = before.clone();
            after.title = patch.title.clone().unwrap();
            after.severity = patch.severity.unwrap_or(after.severity);
            after.status = patch.status.unwrap_or(after.status);
            if patch.classification.is_some() && patch.classification != before.classification {
                after.classification_reason = None;
            }
            after.classification = patch.classification.or(after.classification);
            after.classification_reason = patch.classification_reason.or(after.classification_reason);
            after.tags.retain(|tag| !patch.remove_tags.iter().any(|gone| gone.eq_ignore_ascii_case(tag)));
            after.tags.extend(patch.add_tags.clone());
            let after = after.check().map_err(|_| 400_u16)?;
            let differs = after != before;
            known.fields = Some(after);
            Ok(differs)
        })
    }

    fn merge(&mut self, into: &'static str, from: &[&'static str]) -> Result<Vec<&'static str>, u16> {
        let mut target = self.incidents.get(into).cloned().ok_or(404_u16)?;
        let mut sources: Vec<&'static str> = Vec::new();
        for source in from {
            if !self.incidents.contains_key(source) {
                return Err(404);
            }
            if *source == into {
                return Err(400);
            }
            if !sources.contains(source) {
                sources.push(source);
            }
        }
        if sources.is_empty() {
            return Err(400);
        }
        if target.merged || sources.iter().any(|source| self.incidents[source].merged) {
            return Err(409);
        }
        for name in &sources {
            let source = self.incidents.get_mut(name).unwrap();
            target.take(std::mem::take(source), source);
        }
        self.incidents.insert(into, target);
        sources.push(into);
        Ok(sources)
    }
}

impl Known {
    fn is_related(&self, to: (RelatedKind, &str)) -> bool {
        self.relations.values().chain(&self.renamed_relations).any(|known| *known == to)
    }

    /// Takes everything of an incident that is merged into this one, and leaves what stays of it.
    fn take(&mut self, source: Self, left: &mut Self) {
        for (name, message) in source.comments {
            if self.comments.contains_key(name) {
                self.renamed_comments += 1;
            } else {
                self.comments.insert(name, message);
                self.authors.insert(name, source.authors[name]);
            }
        }
        self.renamed_comments += source.renamed_comments;
        for (name, status) in source.tasks {
            self.tasks.entry(name).or_insert(status);
        }
        for (name, related) in source.relations {
            if self.is_related(related) {
            } else if self.relations.contains_key(name) {
                self.renamed_relations.push(related);
            } else {
                self.relations.insert(name, related);
            }
        }
        for related in source.renamed_relations {
            if !self.is_related(related) {
                self.renamed_relations.push(related);
            }
        }
        let (own, mut fields) = (self.fields.as_mut().unwrap(), source.fields.unwrap());
        for tag in std::mem::take(&mut fields.tags) {
            if !own.tags.contains(&tag) {
                own.tags.push(tag);
            }
        }
        fields.status = Status::Closed;
        fields.classification = Some(Classification::Undetermined);
        fields.classification_reason = None;
        fields.classification_comment = Some(format!("Merged into incident {}.", self.number));
        *left = Self { number: source.number, merged: true, fields: Some(fields), ..Self::default() };
    }
}

/// The log leads from how the incident was made to how it is, without a gap.
async fn is_told(kit: &Kit, made: &Incident) {
    let mut fields: BTreeMap<&str, Value> = made.fields().into();
    let log = kit.happened(made.number).await;
    for what in &log {
        let ActivityKind::Updated { changes } = what else { continue };
        for change in changes {
            let before = fields.insert(&change.field, change.to.clone());
            assert_eq!(before.as_ref(), Some(&change.from), "{} of incident {}", change.field, made.number);
        }
    }
    match kit.store.find_incident(&number(made.number)).await.unwrap() {
        Some(now) => assert_eq!(fields, now.fields().into()),
        None => assert!(matches!(log.last(), Some(ActivityKind::Deleted { .. })), "{log:?}"),
    }
}

async fn agrees(kit: &Kit, model: &Model) -> Result<(), TestCaseError> {
    for called in NAMES {
        let found = kit.store.find_incident(&by_name(called)).await?;
        prop_assert_eq!(found.is_some(), model.incidents.contains_key(called), "{}", called);
        let (Some(known), Some(found)) = (model.incidents.get(called), found) else { continue };
        prop_assert_eq!(found.number, known.number);
        prop_assert_eq!(found.etag, known.etag, "{}", called);
        prop_assert_eq!(&Draft::of(&found), known.fields.as_ref().unwrap());
        let related = || known.relations.values().chain(&known.renamed_relations);
        let count = |kind| related().filter(|(of, _)| *of == kind).count() as u64;
        let summary = &found.summary;
        prop_assert_eq!(
            [summary.comments, summary.alerts, summary.bookmarks],
            [
                known.comments.len() as u64 + known.renamed_comments,
                count(RelatedKind::Alert),
                count(RelatedKind::Bookmark)
            ]
        );
        prop_assert_eq!(summary.tactics.len(), usize::from(summary.alerts > 0));
        let own = number(found.number);
        for child in ["x", "y"] {
            let called: ResourceName = name(child);
            let comment = kit.store.comment(&own, &called).await?.map(|comment| comment.message);
            prop_assert_eq!(comment.as_deref(), known.comments.get(child).copied());
            let task = kit.store.task(&own, &called).await?.map(|task| task.status);
            prop_assert_eq!(task, known.tasks.get(child).copied());
            let relation = kit.store.relation(&own, &called).await?.map(|to| (to.kind, to.related.to_string()));
            prop_assert_eq!(relation, known.relations.get(child).map(|(kind, of)| (*kind, (*of).to_owned())));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_workspace_is_as_the_model_says(doings in vec(doing(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let kit = Kit::new().await;
            let mut model = Model::default();
            for called in ["x", "y"] {
                kit.write(put_bookmark(called)).await.unwrap();
                model.bookmarks.push(called);
            }
            let mut made = Vec::new();
            for doing in &doings {
                let (write, expected) = model.foresee(doing);
                let found = kit.store.write(write).await?;
                if let Ok(Written::Incident { incident, created: true }) = &found {
                    made.push(*incident.clone());
                }
                prop_assert_eq!(found.map(drop).map_err(|no| no.status()), expected.map(drop), "{:?}", doing);
                agrees(&kit, &model).await?;
            }
            for made in &made {
                is_told(&kit, made).await;
            }
            Ok(())
        })?;
    }
}
