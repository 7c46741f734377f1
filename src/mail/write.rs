//! An outgoing mail from plain data. lettre encodes every value, so that no text of a report can become a header field.

use std::{str::FromStr, time::SystemTime};

use chrono::{DateTime, Utc};
use lettre::{
    Address, Message,
    message::{
        Attachment as LettreAttachment, Mailbox, MessageBuilder, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use sha2::{Digest, Sha256};

use super::{html::html_to_text, read::Attachment, shown};
use crate::limits;

/// Earlier mails of the thread that `References` names: the first and the last ones, as RFC 5322 §3.6.4 has it.
const REFERENCES: usize = 20;

/// A mail to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The sender, `Name <address>` or an address; recipients are written alike.
    pub from: String,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub bcc: Vec<String>,
    pub reply_to: Vec<String>,
    pub subject: String,
    pub text: Option<String>,
    /// When there is no text beside it, one is made from it.
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    /// The Message-ID without angle brackets, as [`super::guard::own_message_id`] makes it.
    pub message_id: String,
    /// The Message-ID of the mail this one answers; with it the mail says `Auto-Submitted: auto-replied`, without it
    /// `auto-generated` (RFC 3834 §5).
    pub in_reply_to: Option<String>,
    /// The Message-IDs of the thread before the answered mail, oldest first.
    pub references: Vec<String>,
    pub date: DateTime<Utc>,
}

/// Why a mail cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("“{text}” is not a mail address ({field})")]
    Address { field: &'static str, text: String },
    #[error("the mail has no recipient")]
    NoRecipient,
    #[error("the mail cannot be built: {0}")]
    Build(#[from] lettre::error::Error),
}

/// Builds the mail as it goes to a server: `bcc` recipients are in the envelope only.
///
/// # Errors
/// [`WriteError`] when an address is none or no recipient is named.
pub fn write(outgoing: &Outgoing) -> Result<Message, WriteError> {
    build(outgoing, head(outgoing)?)
}

/// Builds the mail as it is kept in a file, where there is no envelope: `bcc` recipients stay in the header.
///
/// # Errors
/// As [`write`].
pub fn write_file(outgoing: &Outgoing) -> Result<Message, WriteError> {
    build(outgoing, head(outgoing)?.keep_bcc())
}

/// Reads `Name <address>` or an address.
///
/// # Errors
/// [`WriteError::Address`], which names `field`.
pub fn mailbox(field: &'static str, text: &str) -> Result<Mailbox, WriteError> {
    let line = shown::line(text, 1_000);
    let (name, address) = match line.strip_suffix('>').and_then(|line| line.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("", line.as_str()),
    };
    let address =
        Address::from_str(address.trim()).map_err(|_| WriteError::Address { field, text: shown::line(text, 200) })?;
    Ok(Mailbox::new(Some(name.to_owned()).filter(|name| !name.is_empty()), address))
}

fn head(outgoing: &Outgoing) -> Result<MessageBuilder, WriteError> {
    if outgoing.to.is_empty() && outgoing.cc.is_empty() && outgoing.bcc.is_empty() {
        return Err(WriteError::NoRecipient);
    }
    let mut head = Message::builder()
        .from(mailbox("from", &outgoing.from)?)
        .message_id(Some(format!("<{}>", outgoing.message_id)))
        .date(SystemTime::from(outgoing.date))
        .subject(shown::line(&outgoing.subject, limits::MAIL_SUBJECT_CHARS));
    for to in &outgoing.to {
        head = head.to(mailbox("to", to)?);
    }
    for cc in &outgoing.cc {
        head = head.cc(mailbox("cc", cc)?);
    }
    for bcc in &outgoing.bcc {
        head = head.bcc(mailbox("bcc", bcc)?);
    }
    for reply_to in &outgoing.reply_to {
        head = head.reply_to(mailbox("reply_to", reply_to)?);
    }
    let mut thread: Vec<&str> = outgoing.references.iter().map(String::as_str).collect();
    let mut automatic = "auto-generated";
    if let Some(answered) = outgoing.in_reply_to.as_deref() {
        automatic = "auto-replied";
        if is_message_id(answered) {
            head = head.in_reply_to(format!("<{answered}>"));
            thread.retain(|id| *id != answered);
            thread.push(answered);
        }
    }
    thread.retain(|id| is_message_id(id));
    if thread.len() > REFERENCES {
        thread.drain(1..=thread.len() - REFERENCES);
    }
    if !thread.is_empty() {
        head = head.references(thread.iter().map(|id| format!("<{id}>")).collect::<Vec<_>>().join(" "));
    }
    Ok(head
        .raw_header(header("Auto-Submitted", automatic))
        // What Exchange heeds in its place: no absence notes and no receipts in answer.
        .raw_header(header("X-Auto-Response-Suppress", "All")))
}

fn build(outgoing: &Outgoing, head: MessageBuilder) -> Result<Message, WriteError> {
    let text = |text: String| SinglePart::plain(text);
    let body = match (&outgoing.text, &outgoing.html) {
        (Some(plain), None) => Body::Single(text(plain.clone())),
        (None, None) => Body::Single(text(String::new())),
        (plain, Some(html)) => {
            let plain = plain.clone().unwrap_or_else(|| html_to_text(html));
            Body::Multi(
                MultiPart::alternative()
                    .boundary(boundary(outgoing, "alternative"))
                    .singlepart(text(plain))
                    .singlepart(SinglePart::html(html.clone())),
            )
        }
    };
    if outgoing.attachments.is_empty() {
        return Ok(match body {
            Body::Single(part) => head.singlepart(part)?,
            Body::Multi(part) => head.multipart(part)?,
        });
    }
    let mixed = MultiPart::mixed().boundary(boundary(outgoing, "mixed"));
    let mut mixed = match body {
        Body::Single(part) => mixed.singlepart(part),
        Body::Multi(part) => mixed.multipart(part),
    };
    for attachment in &outgoing.attachments {
        mixed = mixed.singlepart(
            LettreAttachment::new(shown::file_name(&attachment.name, 200))
                .body(attachment.bytes.clone(), attached_type(attachment)),
        );
    }
    Ok(head.multipart(mixed)?)
}

enum Body {
    Single(SinglePart),
    Multi(MultiPart),
}

/// The type an attachment is sent under. A message may not be encoded (RFC 2046 §5.2.1), and one from outside cannot be
/// sent as it is, so it travels as a file.
fn attached_type(attachment: &Attachment) -> ContentType {
    let octets = "application/octet-stream";
    let is_composite = ["message/", "multipart/"].iter().any(|kind| attachment.content_type.starts_with(kind));
    let wanted = if is_composite { octets } else { attachment.content_type.as_str() };
    ContentType::parse(wanted).unwrap_or_else(|_| ContentType::parse(octets).unwrap_or(ContentType::TEXT_PLAIN))
}

/// The same mail has the same bytes whenever it is written. Nobody outside can guess a boundary, because the Message-ID it
/// derives from is signed.
fn boundary(outgoing: &Outgoing, kind: &str) -> String {
    let digest = Sha256::digest(format!("{kind}:{}", outgoing.message_id));
    format!("larum-{}", hex::encode(&digest[..16]))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Whether a foreign Message-ID can be repeated in a header field as it is.
fn is_message_id(id: &str) -> bool {
    !id.is_empty() && id.len() < 900 && id.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'))
}
