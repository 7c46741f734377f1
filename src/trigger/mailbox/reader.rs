//! What every reader needs, and the commit of a batch of mails through the intake door.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::task::TaskTracker;

use super::{
    Timing,
    liveness::Liveness,
    report::{self, Mail, Sorted},
};
use crate::{
    metrics::{IntakeLabels, Metrics},
    secret::Vault,
    store::{
        StoreError,
        intake::{Intake, Verdict},
        mailbox::{Cursor, FeedName},
    },
    trigger::intake::Door,
};

/// One mailbox's reader, whatever it reads from.
pub(super) struct Reader {
    pub(super) feed: FeedName,
    pub(super) door: Arc<Door>,
    pub(super) vault: Vault,
    pub(super) metrics: Metrics,
    pub(super) timing: Timing,
    pub(super) liveness: Liveness,
    /// Wakes a reader that waits for mail.
    pub(super) wake: Notify,
    /// Commits under way: a reader may be dropped at any time, a commit is always finished.
    pub(super) commits: TaskTracker,
}

/// A commit under way.
pub(super) struct Commit(JoinHandle<Result<usize, StoreError>>);

impl Commit {
    /// Waits until everything in it is on disk; says how many of its mails went to the dead-letter box.
    pub(super) async fn done(self) -> Result<usize, StoreError> {
        self.0.await.unwrap_or_else(|failed| Err(StoreError::Failed(failed.to_string().into())))
    }
}

impl Reader {
    /// How often to look at the mailbox where nothing tells of new mail: the shortest `every` of its playbooks.
    pub(super) fn every(&self) -> Duration {
        let live = self.door.library.current();
        let shortest = report::listening(&live, &self.feed).map(|(_, trigger)| trigger.every).min();
        shortest.unwrap_or(Duration::from_secs(60)).max(Duration::from_secs(1))
    }

    /// Starts to commit a batch: what can be read goes through the door together with the cursor, what cannot goes to the
    /// dead-letter box before it, so that the cursor never passes a mail that is in neither.
    pub(super) fn commit(self: &Arc<Self>, mails: Vec<Mail>, cursor: Option<Cursor>) -> Commit {
        let reader = Arc::clone(self);
        Commit(self.commits.spawn(async move {
            let at = reader.door.clock.now();
            let sorter = Arc::clone(&reader);
            let sorted = tokio::task::spawn_blocking(move || {
                let live = sorter.door.library.current();
                let sort = |mail| report::sort(mail, &sorter.feed, &live, &sorter.door, &sorter.vault, at);
                mails.into_iter().map(sort).collect::<Result<Vec<_>, _>>()
            });
            let sorted = sorted.await.map_err(|failed| StoreError::Failed(failed.to_string().into()))??;
            let mut reports = Vec::with_capacity(sorted.len());
            let mut buried = 0;
            for sorted in sorted {
                match sorted {
                    Sorted::Report(report) => reports.push(report),
                    Sorted::Burial(burial) => {
                        let reason = burial.reason.clone();
                        let letter = reader.door.store.bury(burial).await?;
                        buried += 1;
                        reader.count("dead");
                        reader.metrics.dead_letters.get_or_create(&reader.liveness.labels()).inc();
                        let FeedName { connection, folder } = &reader.feed;
                        tracing::warn!(connection, folder, letter, "mail went to the dead-letter box: {reason}");
                    }
                }
            }
            if reports.is_empty() && cursor.is_none() {
                return Ok(buried);
            }
            let feed = reader.feed.clone();
            for verdict in reader.door.take(Intake { feed, reports, cursor, at }).await? {
                reader.tell(&verdict);
            }
            Ok(buried)
        }))
    }

    fn tell(&self, verdict: &Verdict) {
        let FeedName { connection, folder } = &self.feed;
        match verdict {
            Verdict::Accepted { event, runs, .. } => {
                self.count("accepted");
                tracing::info!(connection, folder, %event, runs = runs.len(), "report accepted");
            }
            Verdict::Duplicate { event, run } => {
                self.count("duplicate");
                let run = run.map(|run| run.to_string());
                tracing::info!(connection, folder, %event, run, "report is a duplicate");
            }
            Verdict::Skipped { because } | Verdict::Busy { because } => {
                self.count("skipped");
                tracing::info!(connection, folder, because, "report skipped");
            }
        }
    }

    fn count(&self, verdict: &'static str) {
        self.metrics.intake.get_or_create(&IntakeLabels { trigger: "mailbox", verdict }).inc();
        let labels = self.liveness.labels();
        self.metrics.mailbox_reports.get_or_create(&labels.with(verdict)).inc();
    }
}
