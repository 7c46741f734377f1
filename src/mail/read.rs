//! One raw message → what a mailbox trigger delivers. The message itself is never changed.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use mail_parser::HeaderValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    html::html_to_text,
    mime::{self, Disposition, Field, Leaf, Structure},
    shown,
};
use crate::limits;

/// Characters of a name or an address that are shown.
const NAME_CHARS: usize = 320;
/// Characters of a Message-ID; RFC 5322 allows no longer line.
const MESSAGE_ID_CHARS: usize = 998;
/// Characters of `bodyPreview`, as in Microsoft Graph.
const PREVIEW_CHARS: usize = 255;
/// Mails of a thread that are remembered.
const REFERENCES: usize = 200;
/// Decoded bytes at the start of a part that are looked at to tell what it is.
const PEEK: usize = 8 * 1024;

/// Why a message cannot be taken. It goes to the dead-letter box with this as its reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the message is empty")]
    Empty,
    #[error("the message has no header fields")]
    NoHeaders,
    #[error("the message has {bytes} bytes; at most {} are read", limits::MAIL_BYTES)]
    TooLarge { bytes: usize },
    #[error("the message has more than {limit} header fields")]
    TooManyHeaders { limit: usize },
    #[error("the header fields of the message, or of one of its parts, have more than {limit} bytes")]
    HeadersTooLarge { limit: usize },
    #[error("the message has more than {limit} parts")]
    TooManyParts { limit: usize },
    #[error("the parts of the message nest deeper than {limit}")]
    TooDeep { limit: usize },
}

/// A message that was read.
#[derive(Debug, Clone)]
pub struct Message {
    /// What the playbook sees as `trigger`.
    pub trigger: Value,
    /// The Message-ID without its angle brackets.
    pub message_id: Option<String>,
    /// Hex SHA-256 over From, To, Date, Subject and each part's type and decoded bytes. Transport headers stay out, so
    /// that the same mail delivered twice has one hash.
    pub content_hash: String,
    /// What is odd about the message and belongs on the incident.
    pub remarks: Vec<String>,
    /// The subject as shown.
    pub subject: String,
}

/// An attachment, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// Reads a raw message, received at `received_at`.
///
/// # Errors
/// [`Unreadable`] when it is empty or passes a limit of [`limits`].
pub fn read(raw: &[u8], received_at: DateTime<Utc>) -> Result<Message, Unreadable> {
    let Structure { fields, leaves } = Structure::of(raw)?;
    let mut remarks = repeated_fields(&fields);
    let Content { text, html, attachments, hash } = Content::of(&fields, &leaves, &mut remarks);

    let subject = mime::first(&fields, "subject")
        .as_ref()
        .and_then(HeaderValue::as_text)
        .map(|subject| shown::line(subject, limits::MAIL_SUBJECT_CHARS))
        .filter(|subject| !subject.is_empty())
        .unwrap_or_else(|| "(no subject)".to_owned());
    let message_id = ids(&fields, "message-id").into_iter().next();
    let mut references = ids(&fields, "references");
    let in_reply_to = ids(&fields, "in-reply-to").into_iter().next();
    references.extend(in_reply_to.filter(|id| !references.contains(id)));
    let from = addresses(&fields, "from");
    if from.len() > 1 && !remarks.iter().any(|remark| remark.contains(" From headers:")) {
        remarks.push(format!("From names {} senders; the first is taken", from.len()));
    }
    let sender = from.first().cloned().or_else(|| addresses(&fields, "sender").into_iter().next()).unwrap_or_default();
    let [to, cc, bcc, reply_to] = ["to", "cc", "bcc", "reply-to"].map(|name| {
        let mut all = addresses(&fields, name);
        if all.len() > limits::MAIL_ADDRESSES {
            remarks.push(format!(
                "{name} names {} addresses; the first {} are shown",
                all.len(),
                limits::MAIL_ADDRESSES
            ));
            all.truncate(limits::MAIL_ADDRESSES);
        }
        all
    });

    let trigger = json!({
        "id": hex::encode(&Sha256::digest(format!("{}\n{hash}", message_id.as_deref().unwrap_or_default()))[..16]),
        "internetMessageId": message_id.as_ref().map(|id| format!("<{id}>")),
        "conversationId": references.first().or(message_id.as_ref()).unwrap_or(&hash),
        "receivedDateTime": received_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        "subject": subject,
        "bodyPreview": shown::line(shown::first_bytes(&text, PREVIEW_CHARS * 8), PREVIEW_CHARS),
        "body": html.as_ref().unwrap_or(&text),
        "isHtml": html.is_some(),
        "from": sender.address,
        "toRecipients": joined(&to),
        "ccRecipients": joined(&cc),
        "bccRecipients": joined(&bcc),
        "replyTo": joined(&reply_to),
        "importance": importance(&fields),
        "hasAttachments": attachments.iter().any(|attachment| attachment["isInline"] == false),
        "sender": sender.to_json(),
        "to": to.iter().map(Address::to_json).collect::<Vec<_>>(),
        "cc": cc.iter().map(Address::to_json).collect::<Vec<_>>(),
        "text": text,
        "html": html,
        "headers": headers(&fields),
        "messageId": message_id,
        "references": references,
        "attachments": attachments,
    });
    Ok(Message { trigger, message_id, content_hash: hash, remarks, subject })
}

/// Decodes one attachment of a raw message by the id that `trigger.attachments` gives; `None` when there is none.
#[must_use]
pub fn attachment(raw: &[u8], id: &str) -> Option<Attachment> {
    let structure = Structure::of(raw).ok()?;
    let leaf = structure.leaves.iter().find(|leaf| leaf.id == id)?;
    let mut bytes = Vec::new();
    leaf.decode(|piece| bytes.extend_from_slice(piece));
    let (name, content_type) = naming(leaf, &bytes[..bytes.len().min(PEEK)]);
    Some(Attachment { name, content_type, bytes })
}

/// What a message's parts hold.
struct Content {
    text: String,
    html: Option<String>,
    attachments: Vec<Value>,
    hash: String,
}

/// One piece of the body.
struct Piece {
    text: String,
    is_html: bool,
    /// Another piece says the same.
    alternative: bool,
}

impl Content {
    /// Decodes each part once, keeping only what is shown.
    fn of(fields: &[Field<'_>], leaves: &[Leaf<'_>], remarks: &mut Vec<String>) -> Self {
        // No word holds a space or a line end, so that two different mails never give the same bytes.
        let mut hash = Sha256::new();
        for name in ["from", "to", "date", "subject"] {
            for field in fields.iter().filter(|field| field.is(name)) {
                hash.update(name);
                // Servers fold long lines anew; that is no other content.
                for word in field.value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
                    hash.update(b" ");
                    hash.update(word);
                }
                hash.update(b"\n");
            }
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut attachments = Vec::new();
        let mut room = limits::MAIL_BODY_BYTES;
        for leaf in leaves {
            let is_body = is_body(leaf, leaves.len() == 1);
            let keep = if is_body { room } else { PEEK };
            let mut digest = Sha256::new();
            let mut size = 0;
            let mut kept: Vec<u8> = Vec::new();
            let clean = leaf.decode(|piece| {
                digest.update(piece);
                size += piece.len();
                kept.extend_from_slice(&piece[..piece.len().min(keep - kept.len())]);
            });
            let digest = hex::encode(digest.finalize());
            hash.update(format!("{} {digest}\n", leaf.media_type));
            if !clean {
                remarks.push(format!("part {} is not encoded as it says; it was read as far as it goes", leaf.id));
            }
            if is_body {
                if size > keep {
                    remarks
                        .push(format!("the body is longer than {} bytes; its start is shown", limits::MAIL_BODY_BYTES));
                }
                room -= kept.len();
                let text = shown::body(leaf.text(kept));
                let is_html = leaf.media_type == "text/html";
                pieces.push(Piece { text, is_html, alternative: leaf.within.alternative });
            } else {
                let (name, content_type) = naming(leaf, &kept);
                let inline = leaf.disposition == Some(Disposition::Inline)
                    || leaf.disposition.is_none() && leaf.content_id.is_some() && leaf.within.related;
                attachments.push(json!({
                    "id": leaf.id,
                    "name": name,
                    "contentType": content_type,
                    "size": size,
                    "sha256": digest,
                    "isInline": inline,
                    "contentId": leaf.content_id,
                    "contentBytes": null,
                }));
            }
        }
        let (text, html) = bodies(pieces);
        Self { text, html, attachments, hash: hex::encode(hash.finalize()) }
    }
}

/// Whether a part is what the sender wrote, rather than a file.
fn is_body(leaf: &Leaf<'_>, alone: bool) -> bool {
    matches!(leaf.media_type.as_str(), "text/plain" | "text/html")
        && leaf.disposition != Some(Disposition::Attachment)
        && (alone || leaf.name.is_none())
}

/// The whole body as text, and as HTML when any of it came as HTML. A piece with no counterpart, such as the footer a
/// mailing list adds, is in both.
fn bodies(pieces: Vec<Piece>) -> (String, Option<String>) {
    let has_html = pieces.iter().any(|piece| piece.is_html);
    let has_text = pieces.iter().any(|piece| !piece.is_html);
    let mut text = String::new();
    let mut html = String::new();
    for piece in pieces {
        if !piece.is_html || !piece.alternative || !has_text {
            separate(&mut text);
            if piece.is_html {
                text.push_str(&html_to_text(&piece.text));
            } else {
                text.push_str(&piece.text);
            }
        }
        if piece.is_html {
            separate(&mut html);
            html.push_str(&piece.text);
        } else if has_html && !piece.alternative {
            separate(&mut html);
            let escaped = piece.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let _ = write!(html, "<pre>{escaped}</pre>");
        }
    }
    (text, has_html.then_some(html))
}

fn separate(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

/// An attachment's name and type. A mail that came as a file, with or without a name, is a mail: forwarded phishing
/// reports arrive both ways.
fn naming(leaf: &Leaf<'_>, start: &[u8]) -> (String, String) {
    let is_eml = leaf.name.as_deref().is_some_and(|name| name.to_ascii_lowercase().ends_with(".eml"));
    let is_message = leaf.media_type == "message/rfc822"
        || leaf.media_type == "application/octet-stream" && (is_eml || leaf.name.is_none() && looks_like_mail(start));
    if is_message {
        let name = leaf.name.clone().unwrap_or_else(|| format!("{}.eml", nested_subject(start)));
        return (name, "message/rfc822".to_owned());
    }
    let extension = match leaf.media_type.as_str() {
        "text/plain" | "message/delivery-status" | "text/rfc822-headers" => ".txt",
        "text/html" => ".html",
        "text/calendar" => ".ics",
        "image/png" => ".png",
        "image/jpeg" => ".jpg",
        "image/gif" => ".gif",
        "application/pdf" => ".pdf",
        _ => "",
    };
    let name = leaf.name.clone().unwrap_or_else(|| format!("attachment-{}{extension}", leaf.id));
    (name, leaf.media_type.clone())
}

fn looks_like_mail(start: &[u8]) -> bool {
    Structure::of(start).is_ok_and(|mail| {
        let has = |name| mail.fields.iter().any(|field| field.is(name));
        has("from") && (has("subject") || has("date") || has("received") || has("message-id"))
    })
}

fn nested_subject(start: &[u8]) -> String {
    let subject = Structure::of(start).ok().and_then(|mail| mime::first(&mail.fields, "subject"));
    let subject = subject.as_ref().and_then(HeaderValue::as_text).map(|subject| shown::file_name(subject, 100));
    subject.filter(|subject| !subject.is_empty()).unwrap_or_else(|| "message".to_owned())
}

/// Fields that may stand once (RFC 5322 §3.6) and stand more often: programs differ in which one they show, and that is a
/// way to show one sender and be another.
fn repeated_fields(fields: &[Field<'_>]) -> Vec<String> {
    let mut remarks = Vec::new();
    for name in ["From", "Sender", "Reply-To", "Subject", "Date", "Message-ID"] {
        let lower = name.to_ascii_lowercase();
        let values: Vec<String> =
            fields.iter().filter(|field| field.is(&lower)).map(|field| shown::line(&lossy(field.value), 200)).collect();
        if values.len() > 1 {
            let count = if values.len() == 2 { "two".to_owned() } else { values.len().to_string() };
            let listed = values.iter().take(5).map(|value| format!("“{value}”")).collect::<Vec<_>>().join(", ");
            remarks.push(format!("{count} {name} headers: {listed}; the first is taken"));
        }
    }
    remarks
}

fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(&value[..value.len().min(limits::MAIL_FIELD_BYTES)]).into_owned()
}

/// Every field by its lower-case name, unfolded and cleaned, encoded words left as they are.
fn headers(fields: &[Field<'_>]) -> Map<String, Value> {
    let mut headers = Map::new();
    for field in fields {
        let name = shown::line(&lossy(field.name), 200).to_lowercase();
        let value = Value::String(shown::line(&lossy(field.value), limits::MAIL_FIELD_BYTES));
        match headers.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(values) => values.push(value),
            other => *other = value,
        }
    }
    headers
}

fn ids(fields: &[Field<'_>], name: &str) -> Vec<String> {
    let clean = |id: &str| Some(shown::line(id, MESSAGE_ID_CHARS)).filter(|id| !id.is_empty());
    match mime::first(fields, name) {
        Some(HeaderValue::Text(id)) => clean(&id).into_iter().collect(),
        Some(HeaderValue::TextList(ids)) => ids.iter().take(REFERENCES).filter_map(|id| clean(id)).collect(),
        _ => Vec::new(),
    }
}

/// A person or a mailbox.
#[derive(Debug, Clone, Default)]
struct Address {
    name: Option<String>,
    address: Option<String>,
}

impl Address {
    fn to_json(&self) -> Value {
        let domain = self.address.as_ref().and_then(|address| address.rsplit_once('@')).map(|(_, domain)| domain);
        json!({"name": self.name, "address": self.address, "domain": domain.map(str::to_lowercase)})
    }
}

/// The addresses of every field of a name, groups flattened.
fn addresses(fields: &[Field<'_>], name: &str) -> Vec<Address> {
    let mut addresses = Vec::new();
    for field in fields.iter().filter(|field| field.is(name)) {
        let HeaderValue::Address(parsed) = field.parse() else { continue };
        for entry in parsed.iter() {
            let clean =
                |text: Option<&str>| text.map(|text| shown::line(text, NAME_CHARS)).filter(|text| !text.is_empty());
            let (name, address) = (clean(entry.name()), clean(entry.address()));
            match address {
                Some(address) if address.contains('@') => {
                    addresses.push(Address { name, address: Some(address.replace(' ', "")) });
                }
                // A word that is no address still says who it was.
                other => {
                    if let Some(name) = name.or(other) {
                        addresses.push(Address { name: Some(name), address: None });
                    }
                }
            }
        }
    }
    addresses
}

fn joined(addresses: &[Address]) -> String {
    addresses.iter().filter_map(|address| address.address.as_deref()).collect::<Vec<_>>().join(";")
}

/// `Importance`, or what older programs write in its place.
fn importance(fields: &[Field<'_>]) -> &'static str {
    for name in ["importance", "x-msmail-priority", "priority", "x-priority"] {
        let Some(field) = fields.iter().find(|field| field.is(name)) else { continue };
        let value = String::from_utf8_lossy(field.value).trim().to_ascii_lowercase();
        match value.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default() {
            "high" | "urgent" | "1" | "2" => return "high",
            "low" | "non-urgent" | "4" | "5" => return "low",
            _ => {}
        }
    }
    "normal"
}
