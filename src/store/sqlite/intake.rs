//! The intake door's transaction: what is a duplicate, which runs open, what the history says.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::{
    blobs::{self, Blobs, Parcel},
    codec::{self, At, Dense, Id},
    history::{self, Line},
    mailbox, versions,
    writer::Writing,
};
use crate::store::{
    EventId, RunId, StoreError,
    intake::{Decision, Intake, Report, StartedRun, Uniqueness, Verdict},
};

/// A report whose large bodies are on disk.
pub(super) struct Packed {
    report: Report,
    raw: Option<Parcel>,
    outputs: Outputs,
}

/// Where a report's outputs rest.
enum Outputs {
    /// Too large for their row.
    Large(Parcel),
    Row(Dense),
}

/// Whether packing this batch touches the disk or hashes much.
pub(super) fn is_heavy(intake: &Intake) -> bool {
    intake.reports.iter().any(|report| report.raw.is_some() || blobs::is_large(report.outputs.len()))
}

/// Writes the large bodies of a batch. Blocks on the disk when the batch [is heavy](is_heavy).
pub(super) fn pack(intake: &mut Intake, blobs: &Arc<Blobs>) -> Result<Vec<Packed>, StoreError> {
    let mut reports: Vec<Report> = std::mem::take(&mut intake.reports);
    // One call for all of them, so that the folders are synced once.
    let raws: Vec<Option<Vec<u8>>> = reports.iter_mut().map(|report| report.raw.take()).collect();
    let has_raw: Vec<bool> = raws.iter().map(Option::is_some).collect();
    let mut raws = blobs.pack(raws.into_iter().flatten())?.into_iter();
    let large = reports.iter().filter(|report| blobs::is_large(report.outputs.len()));
    let mut outputs = blobs.pack(large.map(|report| report.outputs.as_bytes()))?.into_iter();
    let packed = reports.into_iter().zip(has_raw).map(|(report, has_raw)| Packed {
        raw: if has_raw { raws.next() } else { None },
        outputs: Some(&report.outputs)
            .filter(|text| blobs::is_large(text.len()))
            .and_then(|_| outputs.next())
            .map_or_else(|| Outputs::Row(Dense::of(report.outputs.as_bytes())), Outputs::Large),
        report,
    });
    Ok(packed.collect())
}

/// Takes a batch.
pub(super) fn accept(
    writing: &mut Writing<'_>,
    intake: &Intake,
    reports: &[Packed],
) -> Result<Vec<Verdict>, StoreError> {
    check(writing, reports)?;
    let feed = mailbox::row(writing, &intake.feed)?;
    let door = Door { feed, connection: &intake.feed.connection, at: intake.at };
    let mut verdicts = Vec::with_capacity(reports.len());
    let (mut accepted, mut duplicates, mut skipped) = (0, 0, 0);
    for packed in reports {
        let verdict = door.take(writing, packed)?;
        *match &verdict {
            Verdict::Accepted { .. } => &mut accepted,
            Verdict::Duplicate { .. } => &mut duplicates,
            Verdict::Skipped { .. } => &mut skipped,
        } += 1;
        verdicts.push(verdict);
        mailbox::add_tasks(writing, feed, &packed.report.mail_tasks)?;
    }
    writing
        .connection
        .prepare_cached(
            "UPDATE feed SET accepted = accepted + ?2, duplicates = duplicates + ?3, skipped = skipped + ?4, \
             met = coalesce(met, ?5) WHERE id = ?1",
        )?
        .execute(params![feed, accepted, duplicates, skipped, At(intake.at)])?;
    if let Some(cursor) = &intake.cursor {
        mailbox::advance(writing, feed, cursor)?;
    }
    Ok(verdicts)
}

/// Refuses what only a bug can send: versions nobody kept, ids that were used before. After this nothing fails halfway.
fn check(writing: &mut Writing<'_>, reports: &[Packed]) -> Result<(), StoreError> {
    let mut ids = HashSet::new();
    for Packed { report, .. } in reports {
        let mut events = writing.connection.prepare_cached("SELECT 1 FROM event WHERE id = ?1")?;
        let mut runs = writing.connection.prepare_cached("SELECT 1 FROM run WHERE id = ?1")?;
        let used = |id| StoreError::Failed(format!("the id {id} was used before").into());
        if !ids.insert(report.event) || events.exists([Id(report.event)])? {
            return Err(used(report.event));
        }
        for listening in &report.playbooks {
            let Decision::Start { run, version, .. } = &listening.decision else { continue };
            if !ids.insert(*run) || runs.exists([Id(*run)])? {
                return Err(used(*run));
            }
            versions::row(writing.connection, writing.memo, version)?;
        }
    }
    Ok(())
}

/// One batch on its way in.
struct Door<'a> {
    feed: i64,
    /// De-duplication holds within it.
    connection: &'a str,
    at: DateTime<Utc>,
}

/// What is known of a report by its keys.
enum Known {
    /// Seen before, as this event.
    Same(EventId),
    /// New; the keys to keep, and the event that has the same Message-ID and other content.
    New { keys: Vec<Key>, resembles: Option<EventId> },
}

/// A row of `report_key`.
struct Key {
    same: [u8; 16],
    /// Empty where `same` says it all.
    content: Vec<u8>,
}

impl Door<'_> {
    fn take(&self, writing: &mut Writing<'_>, packed: &Packed) -> Result<Verdict, StoreError> {
        let report = &packed.report;
        if let Some(because) = &report.skipped {
            self.note(writing, report, None, &Line::Skipped { because })?;
            return Ok(Verdict::Skipped { because: because.clone() });
        }
        let starts = report.playbooks.iter().any(|listening| matches!(listening.decision, Decision::Start { .. }));
        let verdict = match self.known(writing, &report.uniqueness)? {
            Known::New { .. } if !starts => Verdict::Skipped { because: reasons(report) },
            Known::New { keys, resembles } => {
                self.keep(writing, packed, report.event, resembles)?;
                for key in &keys {
                    writing
                        .connection
                        .prepare_cached("INSERT OR IGNORE INTO report_key (same, content, event) VALUES (?1, ?2, ?3)")?
                        .execute(params![key.same, key.content, Id(report.event)])?;
                }
                let runs = self.open_runs(writing, report, report.event)?;
                Verdict::Accepted { event: report.event, runs, resembles }
            }
            Known::Same(event) => {
                let runs = self.open_runs(writing, report, event)?;
                if runs.is_empty() {
                    Verdict::Duplicate { event, run: first_run(writing, event)? }
                } else {
                    let mut kept = writing.connection.prepare_cached("SELECT resembles FROM event WHERE id = ?1")?;
                    let kept: Option<Option<Id>> = kept.query_row([Id(event)], |row| row.get(0)).optional()?;
                    // The event may be pruned by now; its new run needs it again.
                    if kept.is_none() {
                        self.keep(writing, packed, event, None)?;
                    }
                    Verdict::Accepted { event, runs, resembles: kept.flatten().map(|Id(event)| event) }
                }
            }
        };
        self.tell(writing, report, &verdict)?;
        Ok(verdict)
    }

    fn known(&self, writing: &Writing<'_>, uniqueness: &Uniqueness) -> Result<Known, StoreError> {
        let lone = |kind: &str, value: &str| Key { same: codec::key(&[self.connection, kind, value]), content: vec![] };
        match uniqueness {
            Uniqueness::Always => Ok(Known::New { keys: vec![], resembles: None }),
            Uniqueness::Key(key) => {
                let key = lone("key", key);
                let seen = seen(writing, &key)?;
                Ok(seen.map_or_else(|| Known::New { keys: vec![key], resembles: None }, Known::Same))
            }
            Uniqueness::Mail { message_id: None, content_hash } => {
                let key = lone("content", content_hash);
                let seen = seen(writing, &key)?;
                Ok(seen.map_or_else(|| Known::New { keys: vec![key], resembles: None }, Known::Same))
            }
            Uniqueness::Mail { message_id: Some(message_id), content_hash } => {
                let key = Key {
                    same: codec::key(&[self.connection, "message-id", message_id]),
                    content: codec::key(&[content_hash]).to_vec(),
                };
                if let Some(event) = seen(writing, &key)? {
                    return Ok(Known::Same(event));
                }
                let mut first = writing
                    .connection
                    .prepare_cached("SELECT event FROM report_key WHERE same = ?1 ORDER BY event LIMIT 1")?;
                let resembles = first.query_row([key.same], |row| row.get(0)).optional()?.map(|Id(event)| event);
                // The content alone is kept too: it decides for a copy that lost its Message-ID.
                Ok(Known::New { keys: vec![key, lone("content", content_hash)], resembles })
            }
        }
    }

    /// Opens a run for every playbook that takes the report and has none from this event yet.
    fn open_runs(
        &self,
        writing: &mut Writing<'_>,
        report: &Report,
        event: EventId,
    ) -> Result<Vec<StartedRun>, StoreError> {
        let mut runs = Vec::new();
        for listening in &report.playbooks {
            let Decision::Start { run, version, seed } = &listening.decision else { continue };
            let (version_row, playbook) = versions::row(writing.connection, writing.memo, version)?;
            let first = writing
                .connection
                .prepare_cached("INSERT OR IGNORE INTO event_run (event, playbook, run) VALUES (?1, ?2, ?3)")?
                .execute(params![Id(event), playbook, Id(*run)])?;
            if first == 0 {
                continue;
            }
            writing
                .connection
                .prepare_cached(
                    "INSERT INTO run (id, version, event, seed, started, status) VALUES (?1, ?2, ?3, ?4, ?5, 'Running')",
                )?
                .execute(params![Id(*run), version_row, Id(event), seed, At(self.at)])?;
            runs.push(StartedRun { run: *run, playbook: listening.playbook.clone(), version: version.clone() });
        }
        Ok(runs)
    }

    fn keep(
        &self,
        writing: &Writing<'_>,
        packed: &Packed,
        event: EventId,
        resembles: Option<EventId>,
    ) -> Result<(), StoreError> {
        let body = |parcel: Option<&Parcel>| parcel.map(|parcel| blobs::keep(writing.connection, parcel)).transpose();
        let report = &packed.report;
        let (large, row) = match &packed.outputs {
            Outputs::Large(parcel) => (Some(parcel), None),
            Outputs::Row(dense) => (None, Some(dense)),
        };
        writing
            .connection
            .prepare_cached(
                "INSERT INTO event (id, feed, kind, at, resembles, raw, body, summary, outputs) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                Id(event),
                self.feed,
                report.kind,
                At(self.at),
                resembles.map(Id),
                body(packed.raw.as_ref())?,
                body(large)?,
                report.summary,
                row,
            ])?;
        Ok(())
    }

    /// Writes the history: a line for each playbook that listened.
    fn tell(&self, writing: &mut Writing<'_>, report: &Report, verdict: &Verdict) -> Result<(), StoreError> {
        let (event, runs): (_, &[StartedRun]) = match verdict {
            Verdict::Accepted { event, runs, .. } => (Some(*event), runs),
            Verdict::Duplicate { event, .. } => (Some(*event), &[]),
            Verdict::Skipped { .. } => (None, &[]),
        };
        for listening in &report.playbooks {
            let line = match (&listening.decision, event) {
                (Decision::Skip { because }, _) => Line::Skipped { because },
                (Decision::Start { run, .. }, Some(event)) if runs.iter().any(|started| started.run == *run) => {
                    Line::Accepted { event, run: *run }
                }
                (Decision::Start { .. }, Some(event)) => Line::Duplicate { event, run: first_run(writing, event)? },
                (Decision::Start { .. }, None) => continue,
            };
            self.note(writing, report, Some(&listening.playbook), &line)?;
        }
        match verdict {
            Verdict::Skipped { because } if report.playbooks.is_empty() => {
                self.note(writing, report, None, &Line::Skipped { because })
            }
            Verdict::Duplicate { event, run } if report.playbooks.is_empty() => {
                self.note(writing, report, None, &Line::Duplicate { event: *event, run: *run })
            }
            Verdict::Accepted { .. } | Verdict::Duplicate { .. } | Verdict::Skipped { .. } => Ok(()),
        }
    }

    fn note(
        &self,
        writing: &mut Writing<'_>,
        report: &Report,
        playbook: Option<&str>,
        line: &Line<'_>,
    ) -> Result<(), StoreError> {
        history::note(writing, self.feed, self.at, &report.summary, playbook, line)
    }
}

fn seen(writing: &Writing<'_>, key: &Key) -> Result<Option<EventId>, StoreError> {
    let mut rows =
        writing.connection.prepare_cached("SELECT event FROM report_key WHERE same = ?1 AND content = ?2")?;
    Ok(rows.query_row(params![key.same, key.content], |row| row.get(0)).optional()?.map(|Id(event)| event))
}

fn first_run(writing: &Writing<'_>, event: EventId) -> Result<Option<RunId>, StoreError> {
    let mut rows =
        writing.connection.prepare_cached("SELECT run FROM event_run WHERE event = ?1 ORDER BY run LIMIT 1")?;
    Ok(rows.query_row([Id(event)], |row| row.get(0)).optional()?.map(|Id(run)| run))
}

/// Why no playbook took a report.
fn reasons(report: &Report) -> String {
    let reasons = report.playbooks.iter().filter_map(|listening| match &listening.decision {
        Decision::Skip { because } => Some((&listening.playbook, because)),
        Decision::Start { .. } => None,
    });
    match reasons.collect::<Vec<_>>().as_slice() {
        [] => "no playbook listens".to_owned(),
        [(_, because)] => (*because).clone(),
        several => several.iter().map(|(name, because)| format!("{name}: {because}")).collect::<Vec<_>>().join("; "),
    }
}
