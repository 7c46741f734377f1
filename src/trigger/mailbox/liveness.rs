//! Whether a mailbox answers: said once per change in the log, kept in the store, counted in the metrics.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    clock::Clock,
    limits,
    metrics::{MailboxLabels, Metrics},
    secret,
    store::{
        Store,
        mailbox::{FeedName, FeedNews},
    },
};

/// The liveness of one mailbox.
pub(super) struct Liveness {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    feed: FeedName,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why it does not answer.
    fault: Option<String>,
    /// Why a flag or a move is refused, although the mailbox answers.
    complaint: Option<String>,
    noted: Option<DateTime<Utc>>,
}

impl Liveness {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, metrics: Metrics, feed: FeedName) -> Self {
        let liveness = Self { store, clock, metrics, feed, state: Mutex::default() };
        liveness.metrics.mailbox_up.get_or_create(&liveness.labels()).set(0);
        liveness
    }

    /// The mailbox answered.
    pub(super) async fn heard(&self) {
        let at = self.clock.now();
        self.metrics.mailbox_up.get_or_create(&self.labels()).set(1);
        self.metrics.mailbox_heard.get_or_create(&self.labels()).set(at.timestamp());
        let complaint = {
            let mut state = self.lock();
            let recovered = state.fault.take();
            let rested = state.noted.is_none_or(|noted| at - noted >= every());
            if recovered.is_none() && !rested {
                return;
            }
            if recovered.is_some() {
                tracing::info!(connection = self.feed.connection, folder = self.feed.folder, "mailbox answers again");
            }
            state.noted = Some(at);
            state.complaint.clone()
        };
        self.note(FeedNews::Heard { at }).await;
        if let Some(fault) = complaint {
            self.note(FeedNews::Faulted { at, fault }).await;
        }
    }

    /// The mailbox cannot be read.
    pub(super) async fn faulted(&self, fault: &str) {
        // It quotes the server, which may repeat what it was given.
        let fault = &*secret::without_secrets(fault);
        self.metrics.mailbox_up.get_or_create(&self.labels()).set(0);
        self.metrics.mailbox_faults.get_or_create(&self.labels()).inc();
        let at = self.clock.now();
        {
            let mut state = self.lock();
            let changed = state.fault.as_deref() != Some(fault);
            if changed {
                tracing::warn!(
                    connection = self.feed.connection,
                    folder = self.feed.folder,
                    "mailbox cannot be read and is tried again: {fault}"
                );
                state.fault = Some(fault.to_owned());
            } else if state.noted.is_some_and(|noted| at - noted < every()) {
                return;
            }
            state.noted = Some(at);
        }
        self.note(FeedNews::Faulted { at, fault: fault.to_owned() }).await;
    }

    /// The mailbox answers, but refuses a flag or a move; `None` says that it no longer does.
    pub(super) async fn complain(&self, complaint: Option<String>) {
        let complaint = complaint.map(|complaint| secret::without_secrets(&complaint).into_owned());
        {
            let mut state = self.lock();
            if state.complaint == complaint {
                return;
            }
            state.complaint.clone_from(&complaint);
            state.noted = None;
        }
        if let Some(complaint) = complaint {
            self.metrics.mailbox_faults.get_or_create(&self.labels()).inc();
            tracing::warn!(
                connection = self.feed.connection,
                folder = self.feed.folder,
                "flags and moves wait and are tried again: {complaint}"
            );
            self.note(FeedNews::Faulted { at: self.clock.now(), fault: complaint }).await;
        }
    }

    pub(super) fn labels(&self) -> MailboxLabels {
        MailboxLabels { connection: self.feed.connection.clone(), folder: self.feed.folder.clone() }
    }

    /// Writes news down. The log and the metrics have them already, so a store that cannot be written loses nothing here.
    async fn note(&self, news: FeedNews) {
        if let Err(error) = self.store.note_feed(&self.feed, news).await {
            tracing::debug!(connection = self.feed.connection, folder = self.feed.folder, "liveness not kept: {error}");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn every() -> TimeDelta {
    TimeDelta::from_std(limits::MAIL_HEARD_EVERY).unwrap_or(TimeDelta::zero())
}
