//! From inputs and run to a mail, or to the reason why none may be sent.

use serde_json::Value;

use super::{
    super::Rehearsal,
    Fault,
    inputs::{Addresses, SendEmail},
};
use crate::{
    config::{Config, Smtp},
    mail::{
        guard::{self, Suppressed},
        write::{self, Outgoing},
    },
};

/// What came of the inputs.
pub(super) enum Composed {
    /// A mail, and the ids of the report's attachments that belong to it.
    Mail { outgoing: Box<Outgoing>, attachments: Vec<String> },
    /// Every recipient is one that may not be written to.
    Suppressed(Suppressed),
}

/// Writes down the mail. Recipients that may not be written to are left out; when none remains, the mail is suppressed.
pub(super) fn compose(call: &Rehearsal<'_>, smtp: Option<&Smtp>, input: SendEmail) -> Result<Composed, Fault> {
    let host = host(call.config, smtp);
    let report = call.run.trigger_body();
    let our_addresses = guard::our_addresses(call.config);
    let reporters = reporters(report);
    let refused =
        if is_mail(report) { guard::automatic_reply_refused(call.vault, report, &our_addresses) } else { None };

    let mut suppressed = None;
    let mut answers = false;
    let mut allowed = |field: &'static str, Addresses(addresses): Addresses| -> Result<Vec<String>, Fault> {
        let mut kept = Vec::new();
        for text in addresses {
            let address = address(field, &text)?;
            if guard::is_one_of(&address, &our_addresses) {
                suppressed = Some(Suppressed::OwnAddress(address));
            } else if !guard::is_one_of(&address, &reporters) {
                kept.push(text);
            } else if let Some(reason) = &refused {
                suppressed = Some(reason.clone());
            } else {
                answers = true;
                kept.push(text);
            }
        }
        Ok(kept)
    };
    let (to, cc, bcc) = (allowed("to", input.to)?, allowed("cc", input.cc)?, allowed("bcc", input.bcc)?);
    if to.is_empty()
        && cc.is_empty()
        && bcc.is_empty()
        && let Some(reason) = suppressed
    {
        return Ok(Composed::Suppressed(reason));
    }

    let text = input.body.or(input.template).unwrap_or_default().0;
    let (text, html) = if input.is_html { (input.plain, Some(text)) } else { (Some(text), None) };
    let answered = report["messageId"].as_str().filter(|_| answers).map(str::to_owned);
    let references = report["references"].as_array().filter(|_| answers).into_iter().flatten();
    Ok(Composed::Mail {
        outgoing: Box::new(Outgoing {
            from: smtp.map_or_else(|| format!("Larum <larum@{host}>"), |smtp| smtp.from.clone()),
            to,
            cc,
            bcc,
            reply_to: input.reply_to.0,
            subject: input.subject.0,
            text,
            html,
            attachments: Vec::new(),
            message_id: guard::own_message_id(call.vault, call.identity.bytes(), &host),
            in_reply_to: answered,
            references: references.filter_map(Value::as_str).map(str::to_owned).collect(),
            date: call.at,
        }),
        attachments: input.attachments.0,
    })
}

/// Everyone the mail goes to, as bare lower-case addresses.
pub(super) fn recipients(outgoing: &Outgoing) -> Result<Vec<String>, Fault> {
    let fields = [("to", &outgoing.to), ("cc", &outgoing.cc), ("bcc", &outgoing.bcc)];
    let all = fields.into_iter().flat_map(|(field, texts)| texts.iter().map(move |text| (field, text)));
    all.map(|(field, text)| address(field, text).map(|address| address.to_lowercase())).collect()
}

fn address(field: &'static str, text: &str) -> Result<String, Fault> {
    Ok(write::mailbox(field, text)?.email.to_string())
}

/// Whether the report is a mail as the mail room reads one.
fn is_mail(report: &Value) -> bool {
    report["headers"].is_object() && report["conversationId"].is_string()
}

/// The addresses a mail to which is an answer to the report.
fn reporters(report: &Value) -> Vec<String> {
    if !is_mail(report) {
        return Vec::new();
    }
    let reply_to = report["replyTo"].as_str().into_iter().flat_map(|addresses| addresses.split(';'));
    let senders = [report["from"].as_str(), report["sender"]["address"].as_str()];
    senders.into_iter().flatten().chain(reply_to).filter(|address| !address.is_empty()).map(str::to_owned).collect()
}

/// The name behind the `@` of our Message-IDs: the sender's domain, or else what this installation is called.
fn host(config: &Config, smtp: Option<&Smtp>) -> String {
    let sender =
        smtp.and_then(|smtp| write::mailbox("from", &smtp.from).ok()).map(|from| from.email.domain().to_owned());
    sender
        .or_else(|| config.server.public_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned))
        .unwrap_or_else(|| "larum.localhost".to_owned())
}
