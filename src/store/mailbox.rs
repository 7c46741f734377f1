//! What is remembered of a mailbox: its cursor, its liveness, what is still to be done in it, and its dead letters.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The connection and folder reports come from: `soc-mailbox` and `INBOX`, or `form` and the form's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FeedName {
    /// De-duplication holds per connection.
    pub connection: String,
    pub folder: String,
}

/// How far a feed was read. It only moves forward: a cursor that stands before the stored one changes nothing, and one
/// under another UIDVALIDITY or of another schedule neither, until [`FeedNews::Renumbered`] told of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// IMAP: everything up to and including `uid` was taken under this UIDVALIDITY (RFC 3501 §2.3.1.1).
    Imap { uid_validity: u32, uid: u32 },
    /// Schedule: every tick up to and including `at` was taken; `last` is the last that started a run. `of` names the
    /// schedule (expression and zone): once it is edited, even while Larum is down, counting starts anew.
    Tick { at: DateTime<Utc>, last: Option<DateTime<Utc>>, of: String },
}

/// A feed as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feed {
    pub name: FeedName,
    pub cursor: Option<Cursor>,
    /// When it was met: [`FeedNews::Met`], or the first accepted batch. `None` while it has only failed to answer.
    pub met: Option<DateTime<Utc>>,
    /// Only reports received at or after this instant count; fixed at first contact, `None` means all.
    pub start: Option<DateTime<Utc>>,
    /// When the feed last answered.
    pub heard: Option<DateTime<Utc>>,
    /// The last fault and when it happened; cleared when the feed answers again.
    pub fault: Option<(DateTime<Utc>, String)>,
    pub accepted: u64,
    pub duplicates: u64,
    pub skipped: u64,
    pub dead: u64,
}

/// News of a feed.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedNews {
    /// First contact: from here on the start is fixed; a second first contact changes nothing.
    Met { start: Option<DateTime<Utc>>, cursor: Option<Cursor>, at: DateTime<Utc> },
    /// It answered.
    Heard { at: DateTime<Utc> },
    /// It did not, or said something unusable.
    Faulted { at: DateTime<Utc>, fault: String },
    /// The server renumbered the folder: reading starts over, keys keep what was taken from coming twice.
    Renumbered { cursor: Cursor, at: DateTime<Utc> },
}

/// A flag or a move to be done in the mailbox after the commit, until the server confirmed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMailTask {
    /// The message: an IMAP UID under its UIDVALIDITY, or a maildir base name.
    pub message: MessageRef,
    pub what: MailTaskKind,
}

/// Where a message stands in its mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageRef {
    Imap { uid_validity: u32, uid: u32 },
    Maildir { base_name: String },
}

/// What is to be done with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailTaskKind {
    MarkSeen,
    MoveTo(String),
    /// Maildir only: from `new/` to `cur/`, which says that it was taken.
    ToCur,
}

/// A stored task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailTask {
    pub id: i64,
    pub task: NewMailTask,
}

/// A mail that could not be taken, on its way into the dead-letter box.
#[derive(Debug)]
pub struct Burial {
    pub feed: FeedName,
    pub at: DateTime<Utc>,
    /// Why, in plain words.
    pub reason: String,
    /// The mail as received, or its headers when it is too large to keep.
    pub raw: Vec<u8>,
    /// Whether `raw` is the whole mail.
    pub whole: bool,
    pub cursor: Option<Cursor>,
    pub message: Option<MessageRef>,
    /// Flags and moves to be done once this is committed.
    pub mail_tasks: Vec<NewMailTask>,
    /// A mail buried before under the same key (its content hash) is not buried twice.
    pub key: String,
}

/// A mail in the dead-letter box.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeadLetter {
    pub id: i64,
    pub feed: FeedName,
    pub at: DateTime<Utc>,
    pub reason: String,
    pub bytes: u64,
    pub whole: bool,
    /// Somebody asked to try it again and it has not been tried since.
    pub retrying: bool,
}
