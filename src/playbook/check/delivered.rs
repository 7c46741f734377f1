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
    Named(&'static [(&'static str, Members)]),
}

const ADDRESS: Members =
    Members::Named(&[("name", Members::Plain), ("address", Members::Plain), ("domain", Members::Plain)]);

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

/// The Sentinel connector's incident payload.
pub(in crate::playbook) const INCIDENT: &[(&str, Members)] = &[
    ("eventUniqueId", Members::Plain),
    ("objectSchemaType", Members::Plain),
    ("objectEventType", Members::Plain),
    (
        "workspaceInfo",
        Members::Named(&[
            ("SubscriptionId", Members::Plain),
            ("ResourceGroupName", Members::Plain),
            ("WorkspaceName", Members::Plain),
        ]),
    ),
    ("workspaceId", Members::Plain),
    (
        "object",
        Members::Named(&[
            ("id", Members::Plain),
            ("name", Members::Plain),
            ("etag", Members::Plain),
            ("type", Members::Plain),
            ("properties", Members::Named(PROPERTIES)),
        ]),
    ),
    (
        "incidentUpdates",
        Members::Named(&[
            ("updatedFields", Members::Free),
            ("updatedBy", Members::Named(&[("source", Members::Plain), ("name", Members::Plain)])),
            ("alerts", Members::Free),
            ("comments", Members::Free),
            ("tactics", Members::Free),
            ("labels", Members::Free),
        ]),
    ),
];

/// What the incident in that payload says.
const PROPERTIES: &[(&str, Members)] = &[
    ("title", Members::Plain),
    ("description", Members::Plain),
    ("severity", Members::Plain),
    ("status", Members::Plain),
    ("classification", Members::Plain),
    ("classificationReason", Members::Plain),
    ("classificationComment", Members::Plain),
    ("incidentNumber", Members::Plain),
    ("incidentUrl", Members::Plain),
    (
        "teamInformation",
        Members::Named(&[
            ("teamId", Members::Plain),
            ("primaryChannelUrl", Members::Plain),
            ("teamCreationTimeUtc", Members::Plain),
            ("name", Members::Plain),
            ("description", Members::Plain),
        ]),
    ),
    ("providerName", Members::Plain),
    ("providerIncidentId", Members::Plain),
    ("createdTimeUtc", Members::Plain),
    ("lastModifiedTimeUtc", Members::Plain),
    ("firstActivityTimeUtc", Members::Plain),
    ("lastActivityTimeUtc", Members::Plain),
    (
        "owner",
        Members::Named(&[
            ("objectId", Members::Plain),
            ("email", Members::Plain),
            ("assignedTo", Members::Plain),
            ("userPrincipalName", Members::Plain),
            ("ownerType", Members::Plain),
        ]),
    ),
    ("labels", Members::Free),
    ("relatedAnalyticRuleIds", Members::Free),
    ("additionalData", Members::Free),
    ("Alerts", Members::Free),
    ("relatedEntities", Members::Free),
    ("Comments", Members::Free),
];

/// The Sentinel connector's alert payload.
pub(in crate::playbook) const ALERT: &[(&str, Members)] = &[
    ("SystemAlertId", Members::Plain),
    ("AlertDisplayName", Members::Plain),
    ("AlertType", Members::Plain),
    ("Severity", Members::Plain),
    ("Description", Members::Plain),
    ("ProductName", Members::Plain),
    ("VendorName", Members::Plain),
    ("ProviderAlertId", Members::Plain),
    ("TimeGenerated", Members::Plain),
    ("StartTimeUtc", Members::Plain),
    ("EndTimeUtc", Members::Plain),
    ("Entities", Members::Free),
    ("ExtendedProperties", Members::Free),
    ("ExtendedLinks", Members::Free),
    ("CompromisedEntity", Members::Plain),
    ("AlertUri", Members::Plain),
    ("WorkspaceId", Members::Plain),
    ("WorkspaceSubscriptionId", Members::Plain),
    ("WorkspaceResourceGroup", Members::Plain),
    ("Tactics", Members::Free),
];

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
        Trigger::Incident(_) => Some(INCIDENT.to_vec()),
        Trigger::Alert(_) => Some(ALERT.to_vec()),
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
