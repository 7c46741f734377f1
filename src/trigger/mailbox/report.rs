//! One mail → what goes through the intake door, or into the dead-letter box.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    engine::Live,
    mail::{self, Message, guard},
    playbook::{Filter, MailboxTrigger, Trigger},
    secret::Vault,
    store::{
        StoreError,
        intake::{Decision, Listening, Report, Uniqueness},
        mailbox::{Burial, FeedName, MailTaskKind, MessageRef, NewMailTask},
    },
    trigger::intake::{Arrival, Door},
};

/// A mail as a reader found it.
#[derive(Debug)]
pub(super) struct Mail {
    /// Where it stands; `None` when only the dead-letter box has it.
    pub(super) message: Option<MessageRef>,
    /// When the mailbox received it.
    pub(super) received: DateTime<Utc>,
    pub(super) content: Content,
}

/// What a reader got of a mail.
#[derive(Debug)]
pub(super) enum Content {
    Whole(Vec<u8>),
    /// Too large, or it could not be fetched: its headers, if anything, and why.
    Unfit {
        headers: Vec<u8>,
        reason: String,
    },
}

/// Where a mail goes.
pub(super) enum Sorted {
    Report(Report),
    Burial(Burial),
}

/// The playbooks that listen to a mailbox.
pub(super) fn listening<'a>(
    live: &'a [Live],
    feed: &'a FeedName,
) -> impl Iterator<Item = (&'a Live, &'a MailboxTrigger)> + 'a {
    live.iter().filter_map(move |live| match &live.playbook.trigger {
        Trigger::Mailbox(trigger) if super::feed_name(trigger) == *feed => Some((live, trigger)),
        _ => None,
    })
}

/// Decides what becomes of a mail.
///
/// # Errors
/// When the system gives no randomness for a run's seed.
pub(super) fn sort(
    mail: Mail,
    feed: &FeedName,
    live: &[Live],
    door: &Door,
    vault: &Vault,
    at: DateTime<Utc>,
) -> Result<Sorted, StoreError> {
    let raw = match mail.content {
        Content::Whole(raw) => raw,
        Content::Unfit { headers, reason } => {
            let key = unfit_key(&headers, mail.message.as_ref());
            return Ok(bury(feed, at, mail.message, headers, false, reason, key));
        }
    };
    // A mail is hostile input: whatever reading it does, the mailbox goes on.
    let read = std::panic::catch_unwind(AssertUnwindSafe(|| mail::read(&raw, mail.received)));
    let reason = match read {
        Ok(Ok(message)) => {
            return report(message, raw, mail.message, feed, live, door, vault).map(Sorted::Report);
        }
        Ok(Err(unreadable)) => unreadable.to_string(),
        Err(panic) => format!("reading it failed by a mistake of Larum's own: {}", panic_text(panic.as_ref())),
    };
    let key = hex::encode(Sha256::digest(&raw));
    Ok(bury(feed, at, mail.message, raw, true, reason, key))
}

/// A mail that is not whole is told from others by its headers, or, when it has none, by its place.
fn unfit_key(headers: &[u8], message: Option<&MessageRef>) -> String {
    match message {
        _ if !headers.is_empty() => hex::encode(Sha256::digest(headers)),
        Some(MessageRef::Imap { uid_validity, uid }) => format!("imap {uid_validity} {uid}"),
        Some(MessageRef::Maildir { base_name }) => format!("maildir {base_name}"),
        None => Uuid::now_v7().to_string(),
    }
}

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn bury(
    feed: &FeedName,
    at: DateTime<Utc>,
    message: Option<MessageRef>,
    raw: Vec<u8>,
    whole: bool,
    reason: String,
    key: String,
) -> Sorted {
    // In a maildir, cur/ is what says that a file was dealt with; in an IMAP mailbox it stays as people left it.
    let mail_tasks = match &message {
        Some(message @ MessageRef::Maildir { .. }) => {
            vec![NewMailTask { message: message.clone(), what: MailTaskKind::ToCur }]
        }
        Some(MessageRef::Imap { .. }) | None => Vec::new(),
    };
    let feed = feed.clone();
    Sorted::Burial(Burial { feed, at, reason, raw, whole, cursor: None, message, mail_tasks, key })
}

fn report(
    message: Message,
    raw: Vec<u8>,
    place: Option<MessageRef>,
    feed: &FeedName,
    live: &[Live],
    door: &Door,
    vault: &Vault,
) -> Result<Report, StoreError> {
    let Message { trigger, message_id, content_hash, remarks, subject } = message;
    let outputs =
        if remarks.is_empty() { json!({"body": trigger}) } else { json!({"body": trigger, "remarks": remarks}) };
    let outputs: Arc<str> = Arc::from(outputs.to_string());
    let arrival = Arrival { kind: "mailbox", event: Uuid::now_v7(), outputs: &outputs, at: door.clock.now() };
    let own = message_id.as_deref().is_some_and(|id| guard::is_own_message_id(vault, id));
    let mut playbooks = Vec::new();
    let (mut seen, mut target) = (false, None);
    if !own {
        for (live, listens) in listening(live, feed) {
            if let Some(because) = refused(&listens.filter, &trigger) {
                let playbook = live.playbook.name.clone();
                playbooks.push(Listening { playbook, decision: Decision::Skip { because } });
            } else {
                let decided = door.start(live, &arrival)?;
                let starts = matches!(decided.decision, Decision::Start(_));
                playbooks.push(decided);
                if !starts {
                    continue;
                }
                seen |= listens.after.mark_seen;
                // A mail can be moved once: the first playbook by name that asks for it decides.
                target = target.or(listens.after.move_to.as_ref());
            }
        }
    }
    let to_cur = matches!(place, Some(MessageRef::Maildir { .. })).then_some(MailTaskKind::ToCur);
    let seen = seen.then_some(MailTaskKind::MarkSeen);
    let target = target.cloned().map(MailTaskKind::MoveTo);
    let mail_tasks = place.map_or_else(Vec::new, |message| {
        let task = |what| NewMailTask { message: message.clone(), what };
        to_cur.into_iter().chain(seen).chain(target).map(task).collect()
    });
    let summary = match &message_id {
        Some(id) => format!("{subject} <{id}>"),
        None => subject,
    };
    let event = arrival.event;
    let skipped = match (own, playbooks.is_empty()) {
        (true, _) => Some("our own mail".to_owned()),
        (false, true) => Some("no playbook listens".to_owned()),
        (false, false) => None,
    };
    Ok(Report {
        event,
        kind: "mailbox",
        uniqueness: Uniqueness::Mail { message_id, content_hash },
        summary,
        outputs,
        raw: Some(raw),
        playbooks,
        mail_tasks,
        skipped,
    })
}

/// Why a filter refuses a mail, in words that name the condition and never quote the mail; `None` when it takes it.
pub fn refused(filter: &Filter, trigger: &Value) -> Option<String> {
    if let Some(part) = &filter.subject_contains {
        let subject = trigger["subject"].as_str().unwrap_or_default();
        if !subject.to_lowercase().contains(&part.to_lowercase()) {
            return Some(format!("the subject does not contain {part:?}"));
        }
    }
    if !filter.from.is_empty() {
        let sender = trigger["from"].as_str().unwrap_or_default().to_lowercase();
        if !filter.from.iter().any(|from| from.to_lowercase() == sender) {
            return Some("the sender is not in filter.from".to_owned());
        }
    }
    if let Some(wanted) = &filter.importance {
        let importance = trigger["importance"].as_str().unwrap_or("normal");
        if !importance.eq_ignore_ascii_case(wanted) {
            return Some(format!("the importance is {importance}, not {wanted}"));
        }
    }
    match (filter.has_attachments, trigger["hasAttachments"].as_bool().unwrap_or(false)) {
        (Some(true), false) => Some("it has no attachments".to_owned()),
        (Some(false), true) => Some("it has attachments".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_says_which_condition_refused_a_mail() {
        let mail = json!({"subject": "Incident: Door", "from": "Ann@Example.com", "importance": "normal", "hasAttachments": false});
        let filter = Filter::default;
        let some = |text: &str| Some(text.to_owned());
        for (filter, reason) in [
            (filter(), None),
            (Filter { subject_contains: some("incident"), ..filter() }, None),
            (Filter { subject_contains: some("alarm"), ..filter() }, Some("the subject does not contain \"alarm\"")),
            (Filter { from: vec!["bob@example.com".into(), "ann@example.com".into()], ..filter() }, None),
            (Filter { from: vec!["bob@example.com".into()], ..filter() }, Some("the sender is not in filter.from")),
            (Filter { importance: some("normal"), ..filter() }, None),
            (Filter { importance: some("high"), ..filter() }, Some("the importance is normal, not high")),
            (Filter { has_attachments: Some(false), ..filter() }, None),
            (Filter { has_attachments: Some(true), ..filter() }, Some("it has no attachments")),
        ] {
            assert_eq!(refused(&filter, &mail).as_deref(), reason, "{filter:?}");
        }
    }
}
