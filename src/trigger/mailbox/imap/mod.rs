//! A mailbox on an IMAP server. The cursor is (UIDVALIDITY, UID); `\Seen` belongs to people and is never asked.

mod connect;
mod error;
mod look;
mod name;
mod session;
mod tasks;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, SubsecRound, Utc};

pub use error::ImapError;
pub use look::look;
use session::{Listed, Opened, Session};
use tasks::Tasks;

use super::{
    Fault, Peeked, Timing,
    reader::{Commit, Reader},
    report::{Content, Mail},
};
use crate::{
    config::{Imap, Start},
    limits,
    store::{
        StoreError,
        mailbox::{Cursor, FeedNews, MessageRef},
    },
};

/// What outlives a session: whether mails are taken one at a time, because something among them broke the last one.
#[derive(Default)]
pub(super) struct Memory(Mutex<Care>);

#[derive(Default)]
struct Care {
    /// The first mail of the batch that failed.
    failed_at: Option<u32>,
    /// How often in a row a batch that began there failed.
    strikes: u32,
}

impl Memory {
    /// A batch that begins at `uid` failed.
    fn failed(&self, uid: u32) {
        let mut care = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        care.strikes = if care.failed_at == Some(uid) { care.strikes + 1 } else { 1 };
        care.failed_at = Some(uid);
    }

    /// How often a batch that begins at `uid` failed.
    fn strikes(&self, uid: u32) -> u32 {
        let care = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if care.failed_at == Some(uid) { care.strikes } else { 0 }
    }

    /// Whether something went wrong and nothing was taken since.
    fn is_careful(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).strikes >= 2
    }

    fn went_well(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Care::default();
    }
}

/// Where a session stands in its folder.
struct Place {
    uid_validity: u32,
    /// Everything up to here was listed.
    uid: u32,
    /// Only mails received from here on count, as far as `dated`.
    start: Option<DateTime<Utc>>,
    /// Up to this UID a mail's date decides whether it counts: those were there when reading began or began anew. What
    /// comes later counts whatever its date, as a mail that somebody moved into the folder.
    dated: u32,
}

impl Place {
    fn is_before_start(&self, mail: &Listed) -> bool {
        let Some(start) = self.start else { return false };
        // A server that gives no date must not make a mail disappear.
        mail.uid <= self.dated && mail.received.is_some_and(|received| received < start)
    }

    /// What a batch up to `uid` moves the cursor to. While dates decide, it stays: should this process end now, the next
    /// one must know that they still do. Keys keep what was taken from coming twice.
    fn cursor(&self, uid: u32) -> Option<Cursor> {
        (uid > self.dated).then_some(Cursor::Imap { uid_validity: self.uid_validity, uid })
    }
}

/// Reads a mailbox until something goes wrong.
///
/// # Errors
/// Whatever ended the session; everything that was committed stays committed, and the next session goes on behind it.
pub(super) async fn read(reader: &Arc<Reader>, imap: &Imap, memory: &Memory) -> Result<Infallible, Fault> {
    let mut session = connect::connect(imap, &reader.timing).await?;
    let opened = session.open(&reader.feed.folder, false).await?;
    let place = meet(reader, imap, opened).await?;
    reader.liveness.heard().await;
    let mut bound = opened.uid_next.saturating_sub(1);
    let mut reading = Reading { reader, session, memory, tasks: Tasks::default(), place, under_way: None };
    loop {
        reading.perform_tasks().await?;
        // In pages as far as the folder was known to reach, then whatever came since.
        while reading.place.uid < bound {
            let last = bound.min(reading.place.uid.saturating_add(limits::MAIL_LISTED));
            reading.take(&format!("{}:{last}", reading.place.uid + 1)).await?;
            reading.place.uid = last;
        }
        if reading.place.dated > 0 {
            reading.settle().await?;
            reading.place.dated = 0;
            reader.commit(Vec::new(), reading.place.cursor(reading.place.uid)).done().await?;
        }
        if reading.place.uid < u32::MAX {
            reading.take(&format!("{}:*", reading.place.uid + 1)).await?;
        }
        bound = reading.place.uid;
        reading.settle().await?;
        reading.perform_tasks().await?;
        reading.session.wait(reader.timing.idle, reader.every(), &reader.wake).await?;
        reader.liveness.heard().await;
    }
}

/// Shows the newest mails of a folder, as [`super::peek`] does.
pub(super) async fn peek(
    imap: &Imap,
    timing: &Timing,
    folder: &str,
    count: u32,
    now: DateTime<Utc>,
    each: &mut (dyn FnMut(Peeked) + Send),
) -> Result<(), ImapError> {
    let mut session = connect::connect(imap, timing).await?;
    session.open(folder, false).await?;
    for mail in session.newest(count).await? {
        let content = if mail.bytes > limits::MAIL_BYTES {
            Err(format!("the message has {} bytes; at most {} are read", mail.bytes, limits::MAIL_BYTES))
        } else {
            // One that was removed in the meantime is missing.
            let Some(raw) = session.fetch(&[mail]).await?.remove(&mail.uid) else { continue };
            Ok(raw)
        };
        each(Peeked { place: format!("UID {}", mail.uid), received: mail.received.unwrap_or(now), content });
    }
    Ok(())
}

/// Finds out where to go on, fixing the start at the first contact.
async fn meet(reader: &Reader, imap: &Imap, opened: Opened) -> Result<Place, StoreError> {
    let at = reader.door.clock.now();
    let Opened { uid_validity, uid_next, certain, .. } = opened;
    let last = uid_next.saturating_sub(1);
    let (connection, folder) = (&reader.feed.connection, &reader.feed.folder);
    let known = reader.door.store.feed(&reader.feed).await?.filter(|feed| feed.met.is_some());
    let (start, uid) = match known.map(|feed| (feed.start, feed.cursor)) {
        Some((start, Some(Cursor::Imap { uid_validity: under, uid })))
            if under == uid_validity && (uid <= last || !certain) =>
        {
            (start, uid)
        }
        // Another UIDVALIDITY, or a folder that ends before the cursor: the numbers mean other mails now.
        Some((start, _)) => {
            tracing::warn!(
                connection,
                folder,
                "mailbox was renumbered; it is read anew, and keys keep mails from coming twice"
            );
            let cursor = Cursor::Imap { uid_validity, uid: 0 };
            reader.door.store.note_feed(&reader.feed, FeedNews::Renumbered { cursor, at }).await?;
            (start, 0)
        }
        None => {
            // INTERNALDATE knows no fractions of a second.
            let (start, uid) = match imap.start {
                Start::Now => (Some(at.trunc_subsecs(0)), last),
                Start::All => (None, 0),
                Start::At(date) => (Some(date), 0),
            };
            let cursor = Some(Cursor::Imap { uid_validity, uid });
            reader.door.store.note_feed(&reader.feed, FeedNews::Met { start, cursor, at }).await?;
            tracing::info!(connection, folder, mails_before = uid, "first contact with mailbox");
            (start, uid)
        }
    };
    let dated = if uid == 0 && start.is_some() { last } else { 0 };
    Ok(Place { uid_validity, uid, start, dated })
}

/// One session at work.
struct Reading<'a> {
    reader: &'a Arc<Reader>,
    session: Session,
    memory: &'a Memory,
    tasks: Tasks,
    place: Place,
    /// The commit of the batch before, and the first mail in it.
    under_way: Option<(Commit, u32)>,
}

impl Reading<'_> {
    /// Takes the mails of a UID set in batches, listing and fetching while the batch before is committed. The last one may
    /// still be under way when this returns.
    async fn take(&mut self, set: &str) -> Result<(), Fault> {
        let mut listed = self.session.list(set).await?;
        self.reader.liveness.heard().await;
        let all = listed.len();
        // `n:*` names the last mail even when it stands before n (RFC 3501 §6.4.8).
        listed.retain(|mail| mail.uid > self.place.uid && !self.place.is_before_start(mail));
        if self.place.dated > 0 && all > listed.len() {
            let (connection, folder) = (&self.reader.feed.connection, &self.reader.feed.folder);
            tracing::info!(
                connection,
                folder,
                mails = all - listed.len(),
                "mails from before the start are left alone"
            );
        }
        let mut rest = listed.as_slice();
        while let Some(first) = rest.first() {
            let (batch, behind) = rest.split_at(batch_length(rest, self.memory.is_careful()));
            rest = behind;
            let now = self.reader.door.clock.now();
            let fetched = fetch(&mut self.session, self.memory, self.place.uid_validity, batch, now).await;
            // What was fetched before a fault is committed before the fault is told.
            self.settle().await?;
            let mails = fetched.inspect_err(|_| self.memory.failed(first.uid))?;
            self.perform_tasks().await?;
            let last = batch.last().map_or(first.uid, |mail| mail.uid);
            // Asking the store for tasks is only worth it when some may have come up.
            self.tasks.waiting |= super::report::listening(&self.reader.door.library.current(), &self.reader.feed)
                .any(|(_, trigger)| trigger.after.mark_seen || trigger.after.move_to.is_some());
            self.under_way = Some((self.reader.commit(mails, self.place.cursor(last)), first.uid));
            if self.memory.is_careful() {
                self.settle().await?;
            }
            self.place.uid = self.place.uid.max(last);
        }
        Ok(())
    }

    /// Waits for the commit under way, if there is one.
    async fn settle(&mut self) -> Result<(), StoreError> {
        let Some((commit, began)) = self.under_way.take() else { return Ok(()) };
        match commit.done().await {
            Ok(_) => self.memory.went_well(),
            // A full disk is no mail's fault.
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                self.memory.failed(began);
                return Err(error);
            }
        }
        self.reader.liveness.heard().await;
        Ok(())
    }

    async fn perform_tasks(&mut self) -> Result<(), Fault> {
        self.tasks.perform(self.reader, &mut self.session, self.place.uid_validity).await
    }
}

/// How many of the listed mails go into one batch: half the window, since one batch is fetched while another is committed.
fn batch_length(listed: &[Listed], careful: bool) -> usize {
    if careful {
        return 1;
    }
    let mut bytes = 0;
    let fits = listed.iter().take(limits::INTAKE_BATCH).take_while(|mail| {
        bytes += mail.bytes;
        bytes <= limits::MAIL_WINDOW_BYTES / 2
    });
    fits.count().max(1)
}

async fn fetch(
    session: &mut Session,
    memory: &Memory,
    uid_validity: u32,
    batch: &[Listed],
    now: DateTime<Utc>,
) -> Result<Vec<Mail>, Fault> {
    let place = |mail: &Listed, content| Mail {
        message: Some(MessageRef::Imap { uid_validity, uid: mail.uid }),
        received: mail.received.unwrap_or(now),
        content,
    };
    if let [mail] = batch
        && memory.strikes(mail.uid) >= limits::MAIL_STRIKES
    {
        let reason = format!("taking it failed {} times; it is still in the mailbox", limits::MAIL_STRIKES);
        return Ok(vec![place(mail, Content::Unfit { headers: Vec::new(), reason })]);
    }
    let fit: Vec<Listed> = batch.iter().copied().filter(|mail| mail.bytes <= limits::MAIL_BYTES).collect();
    let mut bodies = if fit.is_empty() { Default::default() } else { session.fetch(&fit).await? };
    let mut mails = Vec::with_capacity(batch.len());
    for mail in batch {
        if mail.bytes > limits::MAIL_BYTES {
            let headers = session.fetch_header(*mail).await?;
            let reason = format!(
                "the message has {} bytes; at most {} are read. It is still in the mailbox",
                mail.bytes,
                limits::MAIL_BYTES
            );
            mails.push(place(mail, Content::Unfit { headers, reason }));
        } else if let Some(raw) = bodies.remove(&mail.uid) {
            mails.push(place(mail, Content::Whole(raw)));
        }
        // A mail without an answer was removed by somebody since it was listed.
    }
    Ok(mails)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(sizes: &[usize]) -> Vec<Listed> {
        let mail = |(at, bytes): (usize, &usize)| Listed { uid: at as u32 + 1, bytes: *bytes, received: None };
        sizes.iter().enumerate().map(mail).collect()
    }

    #[test]
    fn a_batch_stays_within_half_the_window_and_holds_at_least_one_mail() {
        let half = limits::MAIL_WINDOW_BYTES / 2;
        for (sizes, careful, length) in [
            (vec![5_000; 1_000], false, limits::INTAKE_BATCH),
            (vec![2_000_000; 10], false, 2),
            (vec![half + 1, 1], false, 1),
            (vec![5_000; 10], true, 1),
        ] {
            assert_eq!(batch_length(&listed(&sizes), careful), length);
        }
    }

    #[test]
    fn the_date_decides_only_for_mails_that_were_there_when_reading_began() {
        let date = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let place = Place { uid_validity: 1, uid: 0, start: Some(date("2026-11-01T00:00:00Z")), dated: 10 };
        let mail = |uid, received: Option<&str>| Listed { uid, bytes: 1, received: received.map(date) };
        assert!(place.is_before_start(&mail(10, Some("2026-10-31T23:59:59Z"))));
        assert!(!place.is_before_start(&mail(10, Some("2026-11-01T00:00:00Z"))));
        assert!(!place.is_before_start(&mail(10, None)));
        assert!(!place.is_before_start(&mail(11, Some("2020-01-01T00:00:00Z"))));
        assert_eq!(place.cursor(10), None);
        assert_eq!(place.cursor(11), Some(Cursor::Imap { uid_validity: 1, uid: 11 }));
    }

    #[test]
    fn after_two_failures_at_one_place_mails_are_taken_one_at_a_time() {
        let memory = Memory::default();
        memory.failed(5);
        assert!(!memory.is_careful());
        memory.failed(5);
        assert!(memory.is_careful());
        assert_eq!((memory.strikes(5), memory.strikes(6)), (2, 0));
        memory.went_well();
        assert!(!memory.is_careful());
    }
}
