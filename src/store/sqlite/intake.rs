//! The intake door's transaction: what is a duplicate, which runs open, what the history says.

use std::{collections::HashSet, ops::Range, sync::Arc};

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, params};

use super::{
    blobs::{self, Blobs, Parcel},
    codec::{self, At, Dense, Id, Name},
    concurrency::Room,
    history::{self, Line},
    mailbox,
    memo::{Going, Tally},
    versions,
    writer::Writing,
};
use crate::store::{
    EventId, RunId, StoreError,
    intake::{Decision, Delivery, Intake, Listening, Opening, Report, StartedRun, Uniqueness, Verdict},
    mailbox::MailTaskKind,
    run::RunStatus,
};

/// A report whose large bodies are on disk.
pub(super) struct Packed {
    report: Report,
    raw: Option<Parcel>,
    outputs: Outputs,
    /// Of the runs with [a part of their own](Delivery::Part), in order.
    parts: Vec<Outputs>,
}

/// Where the outputs of a report, or a part of it, rest.
enum Outputs {
    /// Too large for their row.
    Large(Parcel),
    Row(Dense),
}

impl Outputs {
    /// The outputs' row in `body`, or what goes into their own row.
    fn keep(&self, writing: &Writing<'_>) -> Result<(Option<i64>, Option<&Dense>), StoreError> {
        Ok(match self {
            Self::Large(parcel) => (Some(blobs::keep(writing.connection, parcel)?), None),
            Self::Row(dense) => (None, Some(dense)),
        })
    }
}

/// The texts of a report that are packed as outputs: its own, then those of its parts.
fn texts(report: &Report) -> impl Iterator<Item = &Arc<str>> {
    let parts = report.playbooks.iter().flat_map(Listening::runs).filter_map(|new| match &new.delivery {
        Delivery::Part(outputs) => Some(outputs),
        Delivery::Whole | Delivery::Fault(_) => None,
    });
    std::iter::once(&report.outputs).chain(parts)
}

/// Whether packing this batch touches the disk or hashes much.
pub(super) fn is_heavy(intake: &Intake) -> bool {
    let large = |report| texts(report).any(|text| blobs::is_large(text.len()));
    intake.reports.iter().any(|report| report.raw.is_some() || large(report))
}

/// Writes the large bodies of a batch. Blocks on the disk when the batch [is heavy](is_heavy).
pub(super) fn pack(intake: &mut Intake, blobs: &Arc<Blobs>) -> Result<Vec<Packed>, StoreError> {
    let mut reports: Vec<Report> = std::mem::take(&mut intake.reports);
    // One call for all of them, so that the folders are synced once.
    let raws: Vec<Option<Vec<u8>>> = reports.iter_mut().map(|report| report.raw.take()).collect();
    let has_raw: Vec<bool> = raws.iter().map(Option::is_some).collect();
    let mut raws = blobs.pack(raws.into_iter().flatten())?.into_iter();
    let large = reports.iter().flat_map(texts).filter(|text| blobs::is_large(text.len()));
    let mut large = blobs.pack(large.map(|text| text.as_bytes()))?.into_iter();
    let mut outputs = |text: &Arc<str>| match Some(text).filter(|text| blobs::is_large(text.len())) {
        Some(text) => large.next().map_or_else(|| Outputs::Row(Dense::of(text.as_bytes())), Outputs::Large),
        None => Outputs::Row(Dense::of(text.as_bytes())),
    };
    let packed = reports.into_iter().zip(has_raw).map(|(report, has_raw)| {
        let mut packed = texts(&report).map(&mut outputs);
        let whole = packed.next().unwrap_or_else(|| Outputs::Row(Dense::of(report.outputs.as_bytes())));
        let parts = packed.collect();
        Packed { raw: if has_raw { raws.next() } else { None }, outputs: whole, parts, report }
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
    let mut tally = Tally::default();
    for packed in reports {
        let verdict = door.take(writing, packed)?;
        *match &verdict {
            Verdict::Accepted { .. } => &mut tally.accepted,
            Verdict::Duplicate { .. } => &mut tally.duplicates,
            Verdict::Skipped { .. } | Verdict::Busy { .. } => &mut tally.skipped,
        } += 1;
        if let Verdict::Busy { .. } = &verdict {
            // It was not dealt with, so the mailbox does not show it as if it were; a maildir's file was read all the same.
            let read = packed.report.mail_tasks.iter().filter(|task| task.what == MailTaskKind::ToCur);
            mailbox::add_tasks(writing, feed, &read.cloned().collect::<Vec<_>>())?;
        } else {
            mailbox::add_tasks(writing, feed, &packed.report.mail_tasks)?;
        }
        verdicts.push(verdict);
    }
    writing.memo.count(writing.connection, feed, tally, intake.at)?;
    if let Some(cursor) = &intake.cursor {
        mailbox::advance(writing, feed, cursor)?;
    }
    Ok(verdicts)
}

/// Refuses what only a bug can send: versions nobody kept, ids that were used before. After this nothing fails halfway.
fn check(writing: &mut Writing<'_>, reports: &[Packed]) -> Result<(), StoreError> {
    let mut ids = HashSet::new();
    for Packed { report, .. } in reports {
        let used = |id| StoreError::Failed(format!("the id {id} was used before").into());
        if !ids.insert(report.event) || writing.memo.has_event(writing.connection, report.event)? {
            return Err(used(report.event));
        }
        for listening in &report.playbooks {
            let Decision::Start(opening) = &listening.decision else { continue };
            for new in &opening.runs {
                if !ids.insert(new.run) || writing.memo.has_run(writing.connection, new.run)? {
                    return Err(used(new.run));
                }
            }
            versions::row(writing.connection, writing.memo, &opening.version)?;
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

/// What became of a report for one playbook.
enum Taken {
    /// It has been decided elsewhere, or the playbook ran for this event before.
    No,
    /// These of the report's runs were opened.
    Opened(Range<usize>),
    /// There is no room.
    Refused(String),
}

impl Door<'_> {
    fn take(&self, writing: &mut Writing<'_>, packed: &Packed) -> Result<Verdict, StoreError> {
        let report = &packed.report;
        if let Some(because) = &report.skipped {
            self.note(writing, report, None, &Line::Skipped { because })?;
            return Ok(Verdict::Skipped { because: because.clone() });
        }
        let known = self.known(writing, &report.uniqueness)?;
        let event = if let Known::Same(event) = known { event } else { report.event };
        let mut rooms = Vec::with_capacity(report.playbooks.len());
        for listening in &report.playbooks {
            rooms.push(self.room(writing, listening, event)?);
        }
        let starts =
            report.playbooks.iter().zip(&rooms).any(|(listening, room)| {
                matches!(listening.decision, Decision::Start(_)) && !matches!(room, Some(Err(_)))
            });
        let (verdict, taken) = match known {
            Known::New { .. } if !starts => {
                let taken = rooms.into_iter().map(|room| room.map_or(Taken::No, refused)).collect::<Vec<_>>();
                let busy = taken.iter().find_map(|taken| match taken {
                    Taken::Refused(because) => Some(Verdict::Busy { because: because.clone() }),
                    Taken::No | Taken::Opened(_) => None,
                });
                (busy.unwrap_or_else(|| Verdict::Skipped { because: reasons(report) }), taken)
            }
            Known::New { keys, resembles } => {
                self.keep(writing, packed, report.event, resembles)?;
                for key in &keys {
                    writing
                        .connection
                        .prepare_cached("INSERT OR IGNORE INTO report_key (same, content, event) VALUES (?1, ?2, ?3)")?
                        .execute(params![key.same, key.content, Id(report.event)])?;
                }
                let (runs, taken) = self.open_runs(writing, packed, event, rooms)?;
                (Verdict::Accepted { event, runs, resembles }, taken)
            }
            Known::Same(event) => {
                let (runs, taken) = self.open_runs(writing, packed, event, rooms)?;
                let verdict = if runs.is_empty() {
                    Verdict::Duplicate { event, run: first_run(writing, event)? }
                } else {
                    let mut kept = writing.connection.prepare_cached("SELECT resembles FROM event WHERE id = ?1")?;
                    let kept: Option<Option<Id>> = kept.query_row([Id(event)], |row| row.get(0)).optional()?;
                    // The event may be pruned by now; its new run needs it again.
                    if kept.is_none() {
                        self.keep(writing, packed, event, None)?;
                    }
                    Verdict::Accepted { event, runs, resembles: kept.flatten().map(|Id(event)| event) }
                };
                (verdict, taken)
            }
        };
        self.tell(writing, report, &verdict, &taken)?;
        Ok(verdict)
    }

    /// The room a limited playbook has for the runs it would open, or why it has none. `None` where nothing limits it.
    fn room(
        &self,
        writing: &mut Writing<'_>,
        listening: &Listening,
        event: EventId,
    ) -> Result<Option<Result<Room, String>>, StoreError> {
        let Decision::Start(Opening { version, runs, limit: Some(limit) }) = &listening.decision else {
            return Ok(None);
        };
        let (_, playbook) = versions::row(writing.connection, writing.memo, version)?;
        let room = Room::of(writing, playbook, *limit)?;
        match room.refuses(runs.len()) {
            // One that comes again is a duplicate, however much is going on.
            Some(because) if !ran(writing, event, playbook)? => Ok(Some(Err(because))),
            _ => Ok(Some(Ok(room))),
        }
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

    /// Opens the runs of every playbook that takes the report and has none from this event yet.
    fn open_runs(
        &self,
        writing: &mut Writing<'_>,
        packed: &Packed,
        event: EventId,
        rooms: Vec<Option<Result<Room, String>>>,
    ) -> Result<(Vec<StartedRun>, Vec<Taken>), StoreError> {
        let report = &packed.report;
        let (mut runs, mut taken) = (Vec::new(), Vec::with_capacity(rooms.len()));
        let mut parts = packed.parts.iter();
        // Nothing can come again for such a report, and its run names the event.
        let alone =
            report.uniqueness == Uniqueness::Always && report.playbooks.iter().flat_map(Listening::runs).count() == 1;
        for (listening, room) in report.playbooks.iter().zip(rooms) {
            let own = listening.runs().filter(|new| matches!(new.delivery, Delivery::Part(_))).count();
            let mut parts = parts.by_ref().take(own);
            let become_of = match (&listening.decision, room) {
                (Decision::Skip { .. }, _) => Taken::No,
                (Decision::Start(_), Some(Err(because))) => Taken::Refused(because),
                (Decision::Start(opening), room) if alone || is_first(writing, opening, event)? => {
                    let room = room.and_then(Result::ok);
                    self.open(writing, listening, opening, event, &mut parts, room, &mut runs)?
                }
                (Decision::Start(_), _) => Taken::No,
            };
            // What was not opened leaves its parts behind.
            parts.for_each(drop);
            taken.push(become_of);
        }
        Ok((runs, taken))
    }

    /// Opens the runs of one playbook.
    #[expect(clippy::too_many_arguments, reason = "the report's runs and parts are shared by its playbooks")]
    fn open<'p>(
        &self,
        writing: &mut Writing<'_>,
        listening: &Listening,
        opening: &Opening,
        event: EventId,
        parts: &mut impl Iterator<Item = &'p Outputs>,
        mut room: Option<Room>,
        runs: &mut Vec<StartedRun>,
    ) -> Result<Taken, StoreError> {
        let (version, playbook) = versions::row(writing.connection, writing.memo, &opening.version)?;
        let from = runs.len();
        let mut insert = writing.connection.prepare_cached(
            "INSERT INTO run (id, version, event, seed, started, status, limited, error) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        for new in &opening.runs {
            let waiting = room.as_mut().is_some_and(Room::take);
            let status = if waiting { RunStatus::Waiting } else { RunStatus::Running };
            let fault = if let Delivery::Fault(error) = &new.delivery { Some(error.to_string()) } else { None };
            insert.execute(params![
                Id(new.run),
                version,
                Id(event),
                new.seed,
                At(self.at),
                Name(status),
                room.as_ref().map(|_| playbook),
                fault,
            ])?;
            if let (Delivery::Part(_), Some(part)) = (&new.delivery, parts.next()) {
                let (body, row) = part.keep(writing)?;
                writing
                    .connection
                    .prepare_cached("INSERT INTO run_part (event, run, body, outputs) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![Id(event), Id(new.run), body, row])?;
            }
            writing.memo.run_inserted(new.run);
            if room.is_none() {
                // This one is not marked, should a limit come.
                writing.memo.limited.remove(&playbook);
            }
            if !waiting {
                writing.memo.goes(new.run, Going { next: 0, waiting_until: None, timers: false });
            }
            runs.push(StartedRun {
                run: new.run,
                waiting,
                playbook: listening.playbook.clone(),
                version: opening.version.clone(),
            });
        }
        Ok(Taken::Opened(from..runs.len()))
    }

    fn keep(
        &self,
        writing: &mut Writing<'_>,
        packed: &Packed,
        event: EventId,
        resembles: Option<EventId>,
    ) -> Result<(), StoreError> {
        let report = &packed.report;
        let raw = packed.raw.as_ref().map(|parcel| blobs::keep(writing.connection, parcel)).transpose()?;
        let (body, row) = packed.outputs.keep(writing)?;
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
                raw,
                body,
                report.summary,
                row,
            ])?;
        writing.memo.event_inserted(event);
        Ok(())
    }

    /// Writes the history: a line for each run, and for each playbook that listened and got none.
    fn tell(
        &self,
        writing: &mut Writing<'_>,
        report: &Report,
        verdict: &Verdict,
        taken: &[Taken],
    ) -> Result<(), StoreError> {
        let (event, runs): (_, &[StartedRun]) = match verdict {
            Verdict::Accepted { event, runs, .. } => (Some(*event), runs),
            Verdict::Duplicate { event, .. } => (Some(*event), &[]),
            Verdict::Skipped { .. } | Verdict::Busy { .. } => (None, &[]),
        };
        for (listening, taken) in report.playbooks.iter().zip(taken) {
            let playbook = Some(listening.playbook.as_str());
            let line = match (&listening.decision, taken, event) {
                (Decision::Skip { because }, ..) | (_, Taken::Refused(because), _) => Line::Skipped { because },
                (Decision::Start(_), Taken::Opened(opened), Some(_)) => {
                    for started in &runs[opened.clone()] {
                        self.note(writing, report, playbook, &Line::Accepted { run: started.run })?;
                    }
                    continue;
                }
                (Decision::Start(_), Taken::No, Some(event)) => {
                    Line::Duplicate { event, run: first_run(writing, event)? }
                }
                (Decision::Start(_), Taken::No | Taken::Opened(_), None) => continue,
            };
            self.note(writing, report, playbook, &line)?;
        }
        match verdict {
            Verdict::Skipped { because } if report.playbooks.is_empty() => {
                self.note(writing, report, None, &Line::Skipped { because })
            }
            Verdict::Duplicate { event, run } if report.playbooks.is_empty() => {
                self.note(writing, report, None, &Line::Duplicate { event: *event, run: *run })
            }
            Verdict::Accepted { .. } | Verdict::Duplicate { .. } | Verdict::Skipped { .. } | Verdict::Busy { .. } => {
                Ok(())
            }
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

/// What a report comes to for a playbook when nothing of it is taken.
fn refused(room: Result<Room, String>) -> Taken {
    room.map_or_else(Taken::Refused, |_| Taken::No)
}

/// Notes that a playbook runs for an event, unless it did before.
fn is_first(writing: &mut Writing<'_>, opening: &Opening, event: EventId) -> Result<bool, StoreError> {
    let (_, playbook) = versions::row(writing.connection, writing.memo, &opening.version)?;
    let Some(first) = opening.runs.first() else { return Ok(false) };
    let inserted = writing
        .connection
        .prepare_cached("INSERT OR IGNORE INTO event_run (event, playbook, run) VALUES (?1, ?2, ?3)")?
        .execute(params![Id(event), playbook, Id(first.run)])?;
    Ok(inserted > 0)
}

/// Whether a playbook ran for an event.
fn ran(writing: &Writing<'_>, event: EventId, playbook: i64) -> Result<bool, StoreError> {
    let mut rows = writing.connection.prepare_cached("SELECT 1 FROM event_run WHERE event = ?1 AND playbook = ?2")?;
    Ok(rows.exists(params![Id(event), playbook])?)
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
        Decision::Start(_) => None,
    });
    match reasons.collect::<Vec<_>>().as_slice() {
        [] => "no playbook listens".to_owned(),
        [(_, because)] => (*because).clone(),
        several => several.iter().map(|(name, because)| format!("{name}: {because}")).collect::<Vec<_>>().join("; "),
    }
}
