//! `given: {mail: …}`: an `.eml` file, a raw mail, or a mail by its parts.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::message::{
    Attachment, Mailboxes, Message, MultiPart, SinglePart,
    header::{self, ContentType, HeaderName, HeaderValue},
};

use super::{Context, shape};
use crate::{
    diagnostic::{Diagnostic, Faults, Source, codes},
    limits,
    testing::delivery::Event,
    yaml::{self, Fields, Given, Value as Yaml},
};

pub(super) fn mail(given: &Given<'_>, context: &Context<'_>, now: DateTime<Utc>, faults: &mut Faults) -> Option<Event> {
    let raw = match &given.node.value {
        Yaml::Map(_) => Parts::read(given, faults)?.write(given, now, faults)?,
        Yaml::Text(text) if text.value.contains('\n') => text.value.clone().into_bytes(),
        Yaml::Text(text) => {
            let path = context.folder.join(&text.value);
            let read = match std::fs::metadata(&path).map(|data| data.len()) {
                Ok(size) if size > limits::MAIL_BYTES as u64 => {
                    Err(format!("has {size} bytes, at most {} are read", limits::MAIL_BYTES))
                }
                Ok(_) => std::fs::read(&path).map_err(|error| format!("cannot be read: {error}")),
                Err(error) => Err(format!("cannot be read: {error}")),
            };
            match read {
                Ok(raw) => raw,
                Err(reason) => {
                    let message = format!("`{}` {reason}", yaml::file_name(&path));
                    faults.add(codes::UNREADABLE, given.span(), message);
                    return None;
                }
            }
        }
        _ => {
            given.wrong_type("an .eml file, a raw mail or a map of its parts", faults);
            return None;
        }
    };
    match Event::mail(context.playbook, &raw, now) {
        Ok(event) => Some(event),
        Err(unreadable) => {
            let message = format!("the mail cannot be read: {unreadable}");
            faults.add(codes::TEST_GIVEN, given.span(), message);
            None
        }
    }
}

pub(super) const LEVELS: &[(&str, &str)] = &[("high", "high"), ("normal", "normal"), ("low", "low")];

/// A mail by its parts.
struct Parts<'n> {
    from: Written<'n>,
    to: Written<'n>,
    cc: Written<'n>,
    subject: Option<&'n str>,
    text: Option<&'n str>,
    html: Option<&'n str>,
    importance: Option<&'static str>,
    message_id: Option<&'n str>,
    headers: Vec<(Given<'n>, &'n str)>,
    attachments: Vec<Attached<'n>>,
}

/// Addresses as the file has them.
type Written<'n> = Option<(Given<'n>, Vec<&'n str>)>;

struct Attached<'n> {
    name: &'n str,
    content_type: &'n str,
    content: &'n str,
}

impl<'n> Parts<'n> {
    fn read(given: &Given<'n>, faults: &mut Faults) -> Option<Self> {
        let mut fields: Fields<'n> = given.fields(&shape::MAIL_PARTS, faults)?;
        let mut text =
            |key: &'static str, faults: &mut Faults| fields.optional(key).and_then(|given| given.text(faults));
        let (subject, body, html) = (text("subject", faults), text("text", faults), text("html", faults));
        let message_id = text("message_id", faults);
        let mut addresses = |key: &'static str, faults: &mut Faults| {
            let given = fields.optional(key)?;
            let texts = given.texts(faults)?;
            Some((given, texts.into_iter().map(|(_, text)| text).collect()))
        };
        let (from, to, cc) = (addresses("from", faults), addresses("to", faults), addresses("cc", faults));
        let importance = fields.optional("importance");
        let headers = fields.optional("headers");
        let attachments = fields.optional("attachments");
        fields.finish(faults);
        let importance = importance.and_then(|given| given.choice(LEVELS, faults));
        let headers = headers.and_then(|given| given.fields("the headers of a mail", faults));
        let headers = headers.iter().flat_map(Fields::entries).map(Given::of);
        let headers = headers.filter_map(|given| given.text(faults).map(|text| (given, text))).collect();
        let attachments = attachments.and_then(|given| given.list(faults)).unwrap_or_default();
        let attachments = attachments.iter().filter_map(|given| Attached::read(given, faults)).collect();
        Some(Self { from, to, cc, subject, text: body, html, importance, message_id, headers, attachments })
    }

    /// The raw mail.
    fn write(self, given: &Given<'_>, now: DateTime<Utc>, faults: &mut Faults) -> Option<Vec<u8>> {
        let before = faults.count();
        let mut boxes = |addresses: Written<'_>| -> Mailboxes {
            let mut all = Mailboxes::new();
            for (given, text) in
                addresses.into_iter().flat_map(|(given, texts)| texts.into_iter().map(move |text| (given, text)))
            {
                match text.parse() {
                    Ok(mailbox) => all.push(mailbox),
                    Err(_) => {
                        let message = format!("`{text}` is not a mail address");
                        faults.add(codes::BAD_VALUE, given.span(), message);
                    }
                }
            }
            all
        };
        let (from, to, cc) = (boxes(self.from), boxes(self.to), boxes(self.cc));
        let from = if from.iter().next().is_none() { "reporter@example.com".parse().unwrap_or(from) } else { from };
        let to = if to.iter().next().is_none() { "soc@example.org".parse().unwrap_or(to) } else { to };
        let has = |name: &str| self.headers.iter().any(|(given, _)| given.key.eq_ignore_ascii_case(name));
        let sender = from.iter().next().map(|mailbox| mailbox.email.to_string()).unwrap_or_default();
        let mut builder = Message::builder().date(SystemTime::from(now));
        // The last server that takes a mail writes who sent it; without that no automatic answer goes out.
        if !has("Return-Path") {
            builder = builder.raw_header(plain("Return-Path", format!("<{sender}>"))?);
        }
        builder = builder.mailbox(header::From::from(from)).mailbox(header::To::from(to));
        if cc.iter().next().is_some() {
            builder = builder.mailbox(header::Cc::from(cc));
        }
        builder = builder.subject(self.subject.unwrap_or_default());
        let id = self.message_id.map_or_else(
            || "<test@example.com>".to_owned(),
            |id| {
                if id.starts_with('<') { id.to_owned() } else { format!("<{id}>") }
            },
        );
        builder = builder.message_id(Some(id));
        if let Some(importance) = self.importance {
            builder = builder.raw_header(plain("Importance", importance.to_owned())?);
        }
        for (given, value) in self.headers {
            match HeaderName::new_from_ascii(given.key.to_owned()) {
                Ok(name) if !value.contains(['\r', '\n']) => {
                    builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
                }
                _ => faults.add(codes::BAD_VALUE, given.key_span(), "this is not a header of a mail".to_owned()),
            }
        }
        let text = self.text.unwrap_or_default().to_owned();
        let body = match self.html {
            Some(html) if self.text.is_some() => MultiPart::alternative_plain_html(text, html.to_owned()),
            Some(html) => MultiPart::mixed().singlepart(SinglePart::html(html.to_owned())),
            None => MultiPart::mixed().singlepart(SinglePart::plain(text)),
        };
        let mut mixed = MultiPart::mixed().multipart(body);
        for attached in self.attachments {
            match ContentType::parse(attached.content_type) {
                Ok(kind) => {
                    let part = Attachment::new(attached.name.to_owned()).body(attached.content.to_owned(), kind);
                    mixed = mixed.singlepart(part);
                }
                Err(_) => {
                    let message = format!("`{}` is not a content type", attached.content_type);
                    faults.add(codes::BAD_VALUE, given.span(), message);
                }
            }
        }
        if faults.count() > before {
            return None;
        }
        match builder.multipart(mixed) {
            Ok(message) => Some(message.formatted()),
            Err(error) => {
                let source: Source = faults.source().clone();
                let message = format!("the mail cannot be written: {error}");
                faults.push(Diagnostic::new(codes::TEST_GIVEN, &source, given.span(), message));
                None
            }
        }
    }
}

fn plain(name: &'static str, value: String) -> Option<HeaderValue> {
    Some(HeaderValue::new(HeaderName::new_from_ascii(name.to_owned()).ok()?, value))
}

impl<'n> Attached<'n> {
    fn read(given: &Given<'n>, faults: &mut Faults) -> Option<Self> {
        let mut fields = given.fields(&shape::ATTACHMENT, faults)?;
        let name = fields.required("name");
        let content_type = fields.optional("content_type");
        let content = fields.optional("content");
        fields.finish(faults);
        Some(Self {
            name: name?.words(faults)?,
            content_type: content_type.and_then(|given| given.text(faults)).unwrap_or("text/plain"),
            content: content.and_then(|given| given.text(faults)).unwrap_or_default(),
        })
    }
}
