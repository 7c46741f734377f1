//! `trigger:`

use std::{ops::Range, time::Duration};

use super::{
    admission::{self, Admission},
    form, name, schedule, webhook,
};
use crate::{
    diagnostic::{Faults, codes},
    playbook::{After, AlertTrigger, Filter, IncidentTrigger, MailboxTrigger, Trigger},
    yaml::{Given, Value},
};

const KINDS: &[&str] = &["mailbox", "form", "webhook", "schedule", "incident", "alert", "manual"];

const EVERY_DEFAULT: Duration = Duration::from_secs(60);
const EVERY_MIN: Duration = Duration::from_secs(5);
const EVERY_MAX: Duration = Duration::from_secs(24 * 3600);

/// A trigger with the places of what is looked up later.
pub(super) struct Read<'n> {
    pub trigger: Trigger,
    pub admission: Admission<'n>,
    pub connection: Option<Range<usize>>,
    pub path: Option<Range<usize>>,
    /// Of a webhook: compiled once everything is read.
    pub key: Option<Given<'n>>,
}

impl From<Trigger> for Read<'_> {
    fn from(trigger: Trigger) -> Self {
        Self { trigger, admission: Admission::default(), connection: None, path: None, key: None }
    }
}

pub(super) fn trigger<'n>(given: Given<'n>, faults: &mut Faults) -> Option<Read<'n>> {
    let mut fields = given.fields("a trigger", faults)?;
    let found: Vec<Given<'_>> = KINDS.iter().filter_map(|kind| fields.optional(kind)).collect();
    let mut admission = admission::admission(&mut fields, faults);
    let own = fields.entries().iter().filter(|entry| !admission::KEYS.contains(&entry.key.as_str()));
    let count = own.count();
    let nothing = count == 0;
    fields.finish(faults);
    let [only] = found[..] else {
        if found.len() > 1 {
            let names: Vec<String> = found.iter().map(|given| format!("`{}`", given.key)).collect();
            let message = format!("a playbook has one trigger, not {}", names.join(" and "));
            faults.add_with(
                codes::EXCLUSIVE_KEYS,
                found[1].key_span(),
                message,
                Some("write a playbook for each".into()),
            );
        } else if nothing {
            let help = "it is one of `mailbox`, `form`, `webhook`, `schedule`, `incident`, `alert` or `manual`";
            faults.add_with(codes::MISSING_KEY, given.span(), "the trigger says nothing", Some(help.into()));
        }
        return None;
    };
    // Any other key was reported above.
    if count > 1 {
        return None;
    }
    let read = match only.key {
        "mailbox" => mailbox(only, faults),
        "form" => form::form(only, faults),
        "webhook" => webhook::webhook(only, faults),
        "schedule" => schedule::schedule(only, faults).map(|schedule| Trigger::Schedule(schedule).into()),
        "incident" => incident(only, &mut admission, faults),
        "alert" => alert(only, faults),
        _ => manual(only, faults).then(|| Trigger::Manual.into()),
    };
    read.map(|read| Read { admission, ..read })
}

fn mailbox<'n>(given: Given<'n>, faults: &mut Faults) -> Option<Read<'n>> {
    // `mailbox:` alone is the embedded maildir with every default.
    if given.node.value == Value::Null {
        return Some(Trigger::Mailbox(default_mailbox()).into());
    }
    let mut fields = given.fields("a mailbox trigger", faults)?;
    let connection = fields.optional("connection");
    let folder = fields.optional("folder");
    let every = fields.optional("every");
    let filter = fields.optional("filter");
    let after = fields.optional("after");
    fields.finish(faults);
    let mut mailbox = default_mailbox();
    mailbox.connection = connection.and_then(|given| given.words(faults)).map(str::to_owned);
    if let Some(folder) = folder.and_then(|given| given.words(faults)) {
        mailbox.folder = folder.to_owned();
    }
    if let Some(every) =
        every.and_then(|given| given.duration(EVERY_MIN..=EVERY_MAX, "between 5 seconds and one day", faults))
    {
        mailbox.every = every;
    }
    mailbox.filter = filter.and_then(|given| read_filter(given, faults)).unwrap_or_default();
    mailbox.after = after.and_then(|given| read_after(given, &mailbox.folder, faults)).unwrap_or_default();
    let connection = connection.map(|given| given.span());
    Some(Read { connection, ..Trigger::Mailbox(mailbox).into() })
}

fn default_mailbox() -> MailboxTrigger {
    MailboxTrigger {
        connection: None,
        folder: "INBOX".into(),
        every: EVERY_DEFAULT,
        filter: Filter::default(),
        after: After::default(),
    }
}

fn read_filter(given: Given<'_>, faults: &mut Faults) -> Option<Filter> {
    let mut fields = given.fields("a filter", faults)?;
    let subject_contains = fields.optional("subject_contains");
    let from = fields.optional("from");
    let importance = fields.optional("importance");
    let has_attachments = fields.optional("has_attachments");
    fields.finish(faults);
    let mut senders = Vec::new();
    for (given, address) in from.and_then(|given| given.texts(faults)).unwrap_or_default() {
        if address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()) {
            senders.push(address.to_owned());
        } else {
            let message = format!("`{address}` is not a mail address");
            faults.add(codes::BAD_VALUE, given.span(), message);
        }
    }
    let importances = [("low", "low"), ("normal", "normal"), ("high", "high")];
    Some(Filter {
        subject_contains: subject_contains.and_then(|given| given.words(faults)).map(str::to_owned),
        from: senders,
        importance: importance.and_then(|given| given.choice(&importances, faults)).map(str::to_owned),
        has_attachments: has_attachments.and_then(|given| given.flag(faults)),
    })
}

fn read_after(given: Given<'_>, folder: &str, faults: &mut Faults) -> Option<After> {
    let mut fields = given.fields("`after`", faults)?;
    let mark_seen = fields.optional("mark_seen");
    let move_to = fields.optional("move_to");
    fields.finish(faults);
    let target = move_to.and_then(|given| given.words(faults));
    if let (Some(given), Some(target)) = (move_to, target)
        && target == folder
    {
        faults.add(codes::BAD_VALUE, given.span(), format!("`{target}` is the folder the mails come from"));
    }
    Some(After {
        mark_seen: mark_seen.and_then(|given| given.flag(faults)).unwrap_or(false),
        move_to: target.map(str::to_owned),
    })
}

/// What an incident trigger can listen to.
#[derive(Clone, Copy, PartialEq)]
enum Happening {
    Created,
    Updated,
}

/// Its `when` is the first of the trigger's conditions.
fn incident<'n>(given: Given<'n>, admission: &mut Admission<'n>, faults: &mut Faults) -> Option<Read<'n>> {
    let mut trigger = IncidentTrigger { created: true, updated: false };
    if given.node.value != Value::Null {
        let mut fields = given.fields("an incident trigger", faults)?;
        let on = fields.optional("on");
        let when = fields.optional("when").filter(|given| given.words(faults).is_some());
        fields.finish(faults);
        let choices = [("created", Happening::Created), ("updated", Happening::Updated)];
        if let Some(on) = on.and_then(|given| happenings(given, &choices, faults)) {
            trigger = IncidentTrigger {
                created: on.contains(&Happening::Created),
                updated: on.contains(&Happening::Updated),
            };
        }
        if let Some(when) = when {
            admission.conditions.insert(0, when);
        }
    }
    Some(Trigger::Incident(trigger).into())
}

fn alert<'n>(given: Given<'n>, faults: &mut Faults) -> Option<Read<'n>> {
    let mut trigger = AlertTrigger { created: true };
    if given.node.value != Value::Null {
        let mut fields = given.fields("an alert trigger", faults)?;
        let on = fields.optional("on");
        fields.finish(faults);
        if let Some(on) = on.and_then(|given| happenings(given, &[("created", Happening::Created)], faults)) {
            trigger.created = !on.is_empty();
        }
    }
    Some(Trigger::Alert(trigger).into())
}

/// `on`: an empty list leaves it to automation rules and people to start the playbook.
fn happenings(given: Given<'_>, choices: &[(&'static str, Happening)], faults: &mut Faults) -> Option<Vec<Happening>> {
    let texts = given.texts(faults)?;
    texts.into_iter().map(|(given, _)| given.choice(choices, faults)).collect()
}

fn manual(given: Given<'_>, faults: &mut Faults) -> bool {
    if given.node.value != Value::Null
        && let Some(fields) = given.fields("a manual trigger", faults)
    {
        fields.finish(faults);
    }
    true
}

/// The path of a form or webhook, with its place.
pub(super) fn path<'n>(given: Given<'n>, faults: &mut Faults) -> Option<(&'n str, Range<usize>)> {
    name::path(given, faults).map(|path| (path, given.span()))
}
