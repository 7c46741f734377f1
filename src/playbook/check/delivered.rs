//! What each trigger delivers, by name.

use crate::playbook::Trigger;

/// The members of a value.
#[derive(Clone, Copy)]
pub(in crate::playbook) enum Members {
    /// Anything may be inside, or nothing is known of it.
    Free,
    /// It is no map: text, a number, true or false.
    Plain,
    /// These and no others.
    Named(&'static [&'static str]),
}

const ADDRESS: Members = Members::Named(&["name", "address", "domain"]);

/// One message, under the Office 365 names and Larum's own.
pub(in crate::playbook) const MAILBOX: &[(&str, Members)] = &[
    ("id", Members::Plain),
    ("internetMessageId", Members::Plain),
    ("conversationId", Members::Plain),
    ("receivedDateTime", Members::Plain),
    ("subject", Members::Plain),
    ("bodyPreview", Members::Plain),
    ("body", Members::Plain),
    ("isHtml", Members::Plain),
    ("from", Members::Plain),
    ("toRecipients", Members::Plain),
    ("ccRecipients", Members::Plain),
    ("bccRecipients", Members::Plain),
    ("replyTo", Members::Plain),
    ("importance", Members::Plain),
    ("hasAttachments", Members::Plain),
    ("sender", ADDRESS),
    ("to", Members::Free),
    ("cc", Members::Free),
    ("text", Members::Plain),
    ("html", Members::Plain),
    ("headers", Members::Free),
    ("messageId", Members::Plain),
    ("references", Members::Free),
    ("attachments", Members::Free),
];

/// What a form delivers beside the answers.
const FORM: &[&str] = &["responseId", "submitDate", "responder"];

const SCHEDULE: &[&str] = &["scheduledTime", "previousTime", "missed"];

/// The parts of a form's or webhook's request.
pub(super) const REQUEST: &[&str] = &["method", "headers", "queries", "relativePathParameters"];

/// The fields a trigger delivers; `None` when anything may come.
pub(super) fn fields(trigger: &Trigger) -> Option<Vec<(&str, Members)>> {
    let plain = |name| (name, Members::Plain);
    match trigger {
        Trigger::Mailbox(_) => Some(MAILBOX.to_vec()),
        Trigger::Form(form) => {
            let answers = form.fields.iter().map(|field| (field.id.as_str(), Members::Free));
            Some(answers.chain(FORM.iter().copied().map(plain)).collect())
        }
        Trigger::Schedule(_) => Some(SCHEDULE.iter().copied().map(plain).collect()),
        Trigger::Webhook(webhook) => {
            let source = webhook.schema.as_ref()?.source();
            // A schema says what must be there, seldom what else may be: only one that is closed names all.
            if source.get("additionalProperties") != Some(&false.into()) || source.get("patternProperties").is_some() {
                return None;
            }
            let properties = source.get("properties")?.as_object()?;
            Some(properties.keys().map(|name| (name.as_str(), Members::Free)).collect())
        }
        Trigger::Manual => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;

    use super::MAILBOX;

    #[test]
    fn a_mail_delivers_what_is_checked_against() {
        let raw = b"From: a@example.com\r\nSubject: x\r\n\r\nhello\r\n";
        let mail = crate::mail::read(raw, DateTime::UNIX_EPOCH).unwrap();
        let delivered: BTreeSet<&str> = mail.trigger.as_object().unwrap().keys().map(String::as_str).collect();
        let checked: BTreeSet<&str> = MAILBOX.iter().map(|(name, _)| *name).collect();
        assert_eq!(delivered, checked);
    }
}
