//! Flags and moves that were promised with a commit, done until the server confirms them.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::{error::ImapError, session::Session};
use crate::{
    limits,
    store::mailbox::{MailTaskKind, MessageRef},
    trigger::mailbox::{Fault, reader::Reader},
};

/// How long refused tasks rest before they are asked for again.
const REST: Duration = Duration::from_secs(60);

/// What one session knows of the tasks of its folder.
pub(super) struct Tasks {
    /// The store may hold some.
    pub(super) waiting: bool,
    rest_until: Option<Instant>,
}

impl Default for Tasks {
    fn default() -> Self {
        // What an earlier process left behind is only known by asking.
        Self { waiting: true, rest_until: None }
    }
}

impl Tasks {
    /// Does what is to be done, one command for each kind and batch. A refusal is noted and leaves the tasks for later;
    /// reading goes on.
    pub(super) async fn perform(
        &mut self,
        reader: &Reader,
        session: &mut Session,
        uid_validity: u32,
    ) -> Result<(), Fault> {
        while self.waiting && self.rest_until.is_none_or(|until| until <= Instant::now()) {
            let tasks = reader.door.store.mail_tasks(&reader.feed, limits::MAIL_TASKS).await?;
            if tasks.is_empty() {
                self.waiting = false;
                self.rest_until = None;
                reader.liveness.complain(None).await;
                return Ok(());
            }
            // Tasks for numbers that no longer mean the same mails can only be dropped.
            let mut done = Vec::new();
            let (mut seen, mut moves) = (Group::default(), BTreeMap::<String, Group>::new());
            for stored in tasks {
                match (&stored.task.message, stored.task.what) {
                    (MessageRef::Imap { uid_validity: under, uid }, what) if *under == uid_validity => match what {
                        MailTaskKind::MarkSeen => seen.push(stored.id, *uid),
                        MailTaskKind::MoveTo(folder) if folder != reader.feed.folder => {
                            moves.entry(folder).or_default().push(stored.id, *uid);
                        }
                        MailTaskKind::MoveTo(_) | MailTaskKind::ToCur => done.push(stored.id),
                    },
                    _ => done.push(stored.id),
                }
            }
            let any = !seen.uids.is_empty() || !moves.is_empty();
            if any && !session.is_writable() {
                let opened = session.open(&reader.feed.folder, true).await?;
                if opened.uid_validity != uid_validity {
                    return Err(session.renumbered().into());
                }
            }
            let mut refusal = None;
            if !seen.uids.is_empty() {
                confirm(session.mark_seen(&seen.uids).await, seen, &mut done, &mut refusal)?;
            }
            for (folder, group) in moves {
                confirm(session.move_to(&group.uids, &folder).await, group, &mut done, &mut refusal)?;
            }
            reader.door.store.mail_tasks_done(&done).await?;
            if let Some(refusal) = refusal {
                self.rest_until = Some(Instant::now() + REST);
                reader.liveness.complain(Some(refusal)).await;
            }
        }
        Ok(())
    }
}

/// Tasks that go to the server in one command.
#[derive(Default)]
struct Group {
    tasks: Vec<i64>,
    uids: Vec<u32>,
}

impl Group {
    fn push(&mut self, task: i64, uid: u32) {
        self.tasks.push(task);
        self.uids.push(uid);
    }
}

fn confirm(
    answer: Result<(), ImapError>,
    group: Group,
    done: &mut Vec<i64>,
    refusal: &mut Option<String>,
) -> Result<(), Fault> {
    match answer {
        Ok(()) => done.extend(group.tasks),
        Err(error @ (ImapError::Refused { .. } | ImapError::Folder { .. })) => *refusal = Some(error.to_string()),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
