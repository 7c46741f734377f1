//! A maildir on this machine. `new/` holds what waits, `cur/` what was dealt with.

mod folder;
mod watch;

use std::{
    collections::HashSet,
    convert::Infallible,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, SubsecRound, Utc};
use folder::{FileRead, Folder, Waiting};
use tokio::time::Instant;
use watch::{Ready, Watch};

pub use folder::MaildirError;

use super::{
    Fault, Peeked,
    reader::Reader,
    report::{Content, Mail},
};
use crate::{
    config::Start,
    limits,
    store::{
        StoreError,
        mailbox::{FeedNews, MessageRef},
    },
};

/// How many mails wait in a folder; `None` when it is not there yet.
pub(super) fn count(root: &Path, folder: &str) -> Result<Option<usize>, MaildirError> {
    let folder = Folder::new(root, folder)?;
    if !folder.new_dir().exists() {
        return Ok(None);
    }
    folder.waiting().map(|waiting| Some(waiting.len()))
}

/// Reads a maildir until something goes wrong.
///
/// # Errors
/// Whatever ended the session; everything that was committed stays committed.
pub(super) async fn read(reader: &Arc<Reader>, root: &Path, start: Start) -> Result<Infallible, Fault> {
    let folder = Folder::new(root, &reader.feed.folder)?;
    blocking({
        let folder = folder.clone();
        move || folder.make()
    })
    .await?;
    let start = meet(reader, start).await?;
    let mut session = Session { reader, folder, start, taken: HashSet::new(), watch: None };
    // Before anything is read: what an earlier process took must leave new/ first.
    session.perform().await?;
    loop {
        if session.watch.as_ref().is_none_or(|watch| watch.broken().is_some()) {
            // Made first, so that nothing arrives unseen between the look and the watch.
            blocking({
                let folder = session.folder.clone();
                move || folder.make()
            })
            .await?;
            session.watch = Some(Watch::start(&session.folder.new_dir())?);
        }
        let look_again = session.look().await?;
        reader.liveness.heard().await;
        let rest = look_again.min(limits::MAILDIR_RESCAN).min(reader.every());
        let Some(watch) = &session.watch else { continue };
        tokio::select! {
            () = watch.changed() => {}
            () = reader.wake.notified() => {}
            () = tokio::time::sleep_until(Instant::now() + rest) => {}
        }
    }
}

/// Shows the newest mails of a folder, as [`super::peek`] does.
pub(super) fn peek(
    root: &Path,
    folder: &str,
    count: u32,
    each: &mut (dyn FnMut(Peeked) + Send),
) -> Result<(), MaildirError> {
    let folder = Folder::new(root, folder)?;
    let mut files = folder.all()?;
    let newest = files.len().saturating_sub(count as usize);
    for file in files.drain(newest..) {
        let content = match folder.read(&file) {
            FileRead::Whole(raw) => Ok(raw),
            FileRead::Unfit { reason, .. } => Err(reason),
            FileRead::Changing => Err("the file is still being written".to_owned()),
            FileRead::Gone => continue,
        };
        each(Peeked { place: file.name, received: file.modified.into(), content });
    }
    Ok(())
}

/// Fixes the start at the first contact.
async fn meet(reader: &Reader, start: Start) -> Result<Option<DateTime<Utc>>, StoreError> {
    if let Some(feed) = reader.door.store.feed(&reader.feed).await?.filter(|feed| feed.met.is_some()) {
        return Ok(feed.start);
    }
    let at = reader.door.clock.now();
    let start = match start {
        Start::Now => Some(at.trunc_subsecs(0)),
        Start::All => None,
        Start::At(date) => Some(date),
    };
    reader.door.store.note_feed(&reader.feed, FeedNews::Met { start, cursor: None, at }).await?;
    tracing::info!(connection = reader.feed.connection, folder = reader.feed.folder, "first contact with mailbox");
    Ok(start)
}

struct Session<'a> {
    reader: &'a Arc<Reader>,
    folder: Folder,
    start: Option<DateTime<Utc>>,
    /// Committed, but still in `new/` because moving them failed.
    taken: HashSet<String>,
    watch: Option<Watch>,
}

impl Session<'_> {
    /// Takes every finished file in `new/`; returns when an unfinished one is worth another look.
    async fn look(&mut self) -> Result<Duration, Fault> {
        let folder = self.folder.clone();
        let waiting = blocking(move || folder.waiting()).await?;
        let mut look_again = limits::MAILDIR_RESCAN;
        self.taken.retain(|name| waiting.binary_search_by(|file| file.name.as_str().cmp(name)).is_ok());
        let mut ready: Vec<Waiting> = Vec::new();
        for file in waiting {
            if self.taken.contains(&file.name) || self.is_before_start(&file) {
                continue;
            }
            match self.watch.as_mut().map_or(Ready::Now, |watch| watch.ready(&file)) {
                Ready::Now => ready.push(file),
                Ready::After(wait) => look_again = look_again.min(wait),
            }
        }
        let mut rest = ready.as_slice();
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(batch_length(rest));
            rest = behind;
            if self.take(batch.to_vec()).await? {
                look_again = look_again.min(limits::MAILDIR_QUIET);
            }
        }
        if !self.taken.is_empty() {
            self.perform().await?;
        }
        Ok(look_again)
    }

    fn is_before_start(&self, file: &Waiting) -> bool {
        self.start.is_some_and(|start| SystemTime::from(start) > file.modified)
    }

    /// Takes a batch through the door; `true` when a file in it was not finished after all.
    async fn take(&mut self, files: Vec<Waiting>) -> Result<bool, Fault> {
        let folder = self.folder.clone();
        let read = blocking(move || {
            Ok(files
                .into_iter()
                .map(|file| {
                    let read = folder.read(&file);
                    (file, read)
                })
                .collect::<Vec<_>>())
        })
        .await?;
        let mut unfinished = false;
        let (mut mails, mut names) = (Vec::new(), Vec::new());
        for (file, read) in read {
            let content = match read {
                FileRead::Whole(raw) => Content::Whole(raw),
                FileRead::Unfit { headers, reason } => Content::Unfit { headers, reason },
                FileRead::Changing => {
                    unfinished = true;
                    if let Some(watch) = &mut self.watch {
                        watch.forget(&[file.name]);
                    }
                    continue;
                }
                FileRead::Gone => continue,
            };
            let received = DateTime::<Utc>::from(file.modified);
            let message = Some(MessageRef::Maildir { base_name: file.name.clone() });
            mails.push(Mail { message, received, content });
            names.push(file.name);
        }
        if mails.is_empty() {
            return Ok(unfinished);
        }
        self.reader.commit(mails, None).done().await?;
        self.reader.liveness.heard().await;
        self.taken.extend(names.iter().cloned());
        if let Some(watch) = &mut self.watch {
            watch.forget(&names);
        }
        self.perform().await?;
        Ok(unfinished)
    }

    /// Flags, moves and the way from `new/` to `cur/`; what cannot be done now stays in the store and is tried again.
    async fn perform(&mut self) -> Result<(), Fault> {
        loop {
            let tasks = self.reader.door.store.mail_tasks(&self.reader.feed, limits::MAIL_TASKS).await?;
            if tasks.is_empty() {
                self.reader.liveness.complain(None).await;
                return Ok(());
            }
            let names: HashSet<String> = tasks
                .iter()
                .filter_map(|task| match &task.task.message {
                    MessageRef::Maildir { base_name } => Some(base_name.clone()),
                    MessageRef::Imap { .. } => None,
                })
                .collect();
            let folder = self.folder.clone();
            let (done, fault) = blocking(move || Ok(folder.perform(tasks))).await?;
            self.reader.door.store.mail_tasks_done(&done).await?;
            match fault {
                None => self.taken.retain(|name| !names.contains(name)),
                Some(fault) => {
                    // They were taken, so they are not read again while they cannot be moved.
                    self.taken.extend(names);
                    self.reader.liveness.complain(Some(fault.to_string())).await;
                    return Ok(());
                }
            }
        }
    }
}

/// How many files go into one batch.
fn batch_length(files: &[Waiting]) -> usize {
    let mut bytes = 0;
    let fits = files.iter().take(limits::INTAKE_BATCH).take_while(|file| {
        bytes += file.bytes.min(limits::MAIL_BYTES as u64);
        bytes <= limits::MAIL_WINDOW_BYTES as u64
    });
    fits.count().max(1)
}

/// Runs something that waits for the disk off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MaildirError> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Fault::from),
        Err(failed) => Err(Fault::Stopped(failed.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_stays_within_the_window_and_holds_at_least_one_file() {
        let files = |bytes: u64, count| {
            let file = |at| Waiting { name: format!("{at}"), bytes, modified: SystemTime::UNIX_EPOCH };
            (0..count).map(file).collect::<Vec<_>>()
        };
        for (bytes, count, length) in [(5_000, 1_000, limits::INTAKE_BATCH), (2_000_000, 10, 4), (80_000_000, 3, 1)] {
            assert_eq!(batch_length(&files(bytes, count)), length);
        }
    }
}
