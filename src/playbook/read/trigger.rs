//! `trigger:`

use std::{ops::Range, time::Duration};

use super::{
    admission::{self, Admission},
    form, name, schedule, webhook,
};
use crate::{
    diagnostic::{Faults, codes},
    playbook::{After, AlertTrigger, Filter, IncidentTrigger, MailboxTrigger, Trigger},
    yaml::{Given, Rule, Takes, Value, shape},
};

const KINDS: &[&str] = &["mailbox", "form", "webhook", "schedule", "incident", "alert", "manual"];

/// The path of a form or webhook, as [`path`] takes it.
pub(super) const PATH: Takes = Takes::Like("^[a-z0-9][a-z0-9_-]{0,79}$");
const IMPORTANCES: &[(&str, &str)] = &[("low", "low"), ("normal", "normal"), ("high", "high")];
const HAPPENINGS: &[(&str, Happening)] = &[("created", Happening::Created), ("updated", Happening::Updated)];

crate::shape! {
    /// What starts the playbook: one kind, and beside it which reports count and how many runs there are at once.
    pub(super) TRIGGER = "a trigger", Rule::One(KINDS);
    /// Starts for every mail in a folder of a mailbox. Empty, it is the embedded maildir, `larum-data/maildir`.
    optional "mailbox": Takes::OrNothing(&Takes::Map(&MAILBOX));
    /// Starts for every answer to a form, which Larum serves at `/forms/PATH`.
    optional "form": Takes::Map(&form::FORM);
    /// Starts for every call of `/hooks/PATH`.
    optional "webhook": Takes::Map(&webhook::WEBHOOK);
    /// Starts at times, by `cron` or by a recurrence.
    optional "schedule": Takes::Map(&schedule::SCHEDULE);
    /// Starts for incidents of the built-in workspace.
    optional "incident": Takes::OrNothing(&Takes::Map(&INCIDENT));
    /// Starts for alerts that come in.
    optional "alert": Takes::OrNothing(&Takes::Map(&ALERT));
    /// Starts when somebody says so: `larum run`, or another playbook.
    optional "manual": Takes::OrNothing(&Takes::Map(&MANUAL));
    /// Expressions over what the trigger delivered; when one is false, nothing starts.
    optional "conditions": Takes::OneOrMore(&Takes::Words);
    /// An expression that gives a list: one run for each of its elements, which `trigger` then is.
    optional "split_on": Takes::Words;
    /// How many runs of the playbook there are at once.
    optional "concurrency": Takes::Map(&admission::CONCURRENCY);
}

crate::shape! {
    /// Starts for every mail in a folder of a mailbox.
    MAILBOX = "a mailbox trigger";
    /// The imap or maildir connection of `larum.yaml`. Default: the embedded maildir.
    optional "connection": Takes::Words;
    /// The folder. Default `INBOX`.
    optional "folder": Takes::Words;
    /// How often it is looked into where the server does not tell of new mails. From 5 seconds to one day, default one minute.
    optional "every": Takes::Duration;
    /// Which mails start it; all that is given must hold.
    optional "filter": Takes::Map(&FILTER);
    /// What is done in the mailbox with a mail that was taken.
    optional "after": Takes::Map(&AFTER);
}

crate::shape! {
    /// Which mails start a playbook; all that is given must hold.
    FILTER = "a filter";
    /// Text that the subject holds, ignoring case.
    optional "subject_contains": Takes::Words;
    /// The sender is one of these addresses.
    optional "from": Takes::OneOrMore(&Takes::Like("[^@]@[^@]"));
    /// How important the sender says it is.
    optional "importance": Takes::Choice(|| shape::names(IMPORTANCES));
    /// Whether something is attached.
    optional "has_attachments": Takes::Flag;
}

crate::shape! {
    /// What is done in the mailbox with a mail that was taken.
    AFTER = "`after`";
    /// Whether it is marked as read. Default false.
    optional "mark_seen": Takes::Flag;
    /// The folder it is moved to.
    optional "move_to": Takes::Words;
}

crate::shape! {
    /// Starts for incidents of the built-in workspace.
    INCIDENT = "an incident trigger";
    /// `created`, `updated` or both; an empty list leaves it to automation rules and people. Default `created`.
    optional "on": Takes::OneOrMore(&Takes::Choice(|| shape::names(HAPPENINGS)));
    /// An expression over what the trigger delivers; when it is false, nothing starts.
    optional "when": Takes::Words;
}

crate::shape! {
    /// Starts for alerts that come in.
    ALERT = "an alert trigger";
    /// `created`; an empty list leaves it to automation rules and people. Default `created`.
    optional "on": Takes::OneOrMore(&Takes::Choice(|| shape::names(&HAPPENINGS[..1])));
}

crate::shape! {
    /// Starts when somebody says so: `larum run`, or another playbook.
    MANUAL = "a manual trigger";
}

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
    let mut fields = given.fields(&TRIGGER, faults)?;
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
    let mut fields = given.fields(&MAILBOX, faults)?;
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
    let mut fields = given.fields(&FILTER, faults)?;
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
    Some(Filter {
        subject_contains: subject_contains.and_then(|given| given.words(faults)).map(str::to_owned),
        from: senders,
        importance: importance.and_then(|given| given.choice(IMPORTANCES, faults)).map(str::to_owned),
        has_attachments: has_attachments.and_then(|given| given.flag(faults)),
    })
}

fn read_after(given: Given<'_>, folder: &str, faults: &mut Faults) -> Option<After> {
    let mut fields = given.fields(&AFTER, faults)?;
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
        let mut fields = given.fields(&INCIDENT, faults)?;
        let on = fields.optional("on");
        let when = fields.optional("when").filter(|given| given.words(faults).is_some());
        fields.finish(faults);
        if let Some(on) = on.and_then(|given| happenings(given, HAPPENINGS, faults)) {
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
        let mut fields = given.fields(&ALERT, faults)?;
        let on = fields.optional("on");
        fields.finish(faults);
        if let Some(on) = on.and_then(|given| happenings(given, &HAPPENINGS[..1], faults)) {
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
        && let Some(fields) = given.fields(&MANUAL, faults)
    {
        fields.finish(faults);
    }
    true
}

/// The path of a form or webhook, with its place.
pub(super) fn path<'n>(given: Given<'n>, faults: &mut Faults) -> Option<(&'n str, Range<usize>)> {
    name::path(given, faults).map(|path| (path, given.span()))
}
