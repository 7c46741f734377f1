//! `connections:` of `larum.yaml`.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::{
    Connection, Imap, Maildir, Smtp, Start, Tls, http,
    read::{Reader, SECRET},
    sentinel, webhook,
};
use crate::{
    diagnostic::codes,
    yaml::{Fields, Given, Rule, Takes, shape},
};

const KINDS: &[&str] = &["maildir", "imap", "smtp", "http", "webhook", "sentinel"];
const LATER: &[&str] = &["graph"];

const IMAP_TLS: &[(&str, Kind)] = &[("implicit", Kind::Implicit), ("none", Kind::None)];
const SMTP_TLS: &[(&str, Kind)] = &[("implicit", Kind::Implicit), ("starttls", Kind::StartTls), ("none", Kind::None)];
/// A secret.
pub(super) const KEPT: Takes = Takes::Map(&SECRET);

crate::shape! {
    /// A named outside system, of exactly one kind.
    pub(super) CONNECTION = "a connection", Rule::One(KINDS);
    /// A maildir on this machine, for mailbox triggers.
    optional "maildir": Takes::Map(&MAILDIR);
    /// A mailbox on an IMAP server, for mailbox triggers.
    optional "imap": Takes::Map(&IMAP);
    /// A server that takes outgoing mail, for `send_email` and `approve`.
    optional "smtp": Takes::Map(&SMTP);
    /// A web service, for `http`.
    optional "http": Takes::Map(&http::HTTP);
    /// How the sender of webhooks signs them, for webhook triggers.
    optional "webhook": Takes::Map(&webhook::WEBHOOK);
    /// A workspace of Microsoft Sentinel or of another Larum, for the actions on incidents.
    optional "sentinel": Takes::Map(&sentinel::SENTINEL);
}

crate::shape! {
    /// A maildir on this machine, for mailbox triggers.
    MAILDIR = "a maildir connection";
    /// The folder that holds `new/`, `cur/` and `tmp/`; made when it does not exist.
    required "path": Takes::Words;
    /// Which mails count at the first contact: `now`, `all` or a date. Default `all`.
    optional "start": Takes::Words;
}

crate::shape! {
    /// A mailbox on an IMAP server, for mailbox triggers.
    IMAP = "an imap connection";
    /// The server's name or address.
    required "host": Takes::Words;
    /// Its port. Default 993; 143 without encryption.
    optional "port": Takes::Count(1, 65_535);
    /// How it is encrypted. Default `implicit`; `none` only to this machine.
    optional "tls": Takes::Choice(|| shape::names(IMAP_TLS));
    /// A PEM file with certificate authorities that count beside the system's.
    optional "ca_file": Takes::Words;
    /// The user.
    required "username": Takes::Words;
    /// Where the password is kept.
    required "password": KEPT;
    /// Which mails count at the first contact: `now`, `all` or a date. Default `now`.
    optional "start": Takes::Words;
    /// The addresses it receives under, so that no mail goes round in a loop. The user name is one when it is an address.
    optional "addresses": Takes::OneOrMore(&Takes::Like("@"));
}

crate::shape! {
    /// A server that takes outgoing mail, for `send_email` and `approve`.
    SMTP = "an smtp connection";
    /// The server's name or address.
    required "host": Takes::Words;
    /// Its port. Default 465 with `implicit`, 587 with `starttls`, 25 with `none`.
    optional "port": Takes::Count(1, 65_535);
    /// How it is encrypted. Default `implicit`; `none` only to this machine.
    optional "tls": Takes::Choice(|| shape::names(SMTP_TLS));
    /// A PEM file with certificate authorities that count beside the system's.
    optional "ca_file": Takes::Words;
    /// The sender: an address, or `Name <address>`.
    required "from": Takes::Words;
    /// The user; goes with `password`.
    optional "username": Takes::Words;
    /// Where the password is kept.
    optional "password": KEPT;
}

pub(super) fn connection(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Connection> {
    let mut fields = given.fields(&CONNECTION, &mut reader.faults)?;
    let later = fields.not_yet(LATER, &mut reader.faults);
    let found: Vec<Given<'_>> = KINDS.iter().filter_map(|kind| fields.optional(kind)).collect();
    let (count, empty) = (fields.entries().len(), fields.entries().is_empty());
    fields.finish(&mut reader.faults);
    let [only] = found[..] else {
        if found.len() > 1 {
            let names: Vec<String> = found.iter().map(|given| format!("`{}`", given.key)).collect();
            let message = format!("a connection is of one kind, not {}", names.join(" and "));
            reader.faults.add(codes::EXCLUSIVE_KEYS, found[1].key_span(), message);
        } else if empty {
            let message = format!("the connection `{}` says nothing", given.key);
            let help = format!("it is one of {}", KINDS.join(", "));
            reader.faults.add_with(codes::MISSING_KEY, given.span(), message, Some(help));
        }
        return None;
    };
    // Any other key was reported above.
    if later || count > 1 {
        return None;
    }
    match only.key {
        "maildir" => maildir(only, reader).map(Connection::Maildir),
        "imap" => imap(only, reader).map(Connection::Imap),
        "smtp" => smtp(only, reader).map(Connection::Smtp),
        "http" => http::http(only, reader).map(Connection::Http),
        "webhook" => webhook::webhook(only, reader).map(Connection::Webhook),
        _ => sentinel::sentinel(only, reader).map(Connection::Sentinel),
    }
}

fn maildir(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Maildir> {
    let mut fields = given.fields(&MAILDIR, &mut reader.faults)?;
    let path = fields.required("path");
    let start = fields.optional("start");
    fields.finish(&mut reader.faults);
    let start = start.and_then(|given| read_start(given, reader)).unwrap_or(Start::All);
    Some(Maildir { path: reader.path(path?)?, start })
}

fn imap(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Imap> {
    let mut fields = given.fields(&IMAP, &mut reader.faults)?;
    let host = fields.required("host");
    let port = fields.optional("port");
    let tls = TlsKeys::of(&mut fields);
    let username = fields.required("username");
    let password = fields.required("password");
    let start = fields.optional("start");
    let addresses = fields.optional("addresses");
    fields.finish(&mut reader.faults);

    let host = host.and_then(|given| read_host(given, reader));
    let port = port.and_then(|given| read_port(given, reader));
    let tls = tls.read(host, IMAP_TLS, reader);
    let username = username.and_then(|given| given.words(&mut reader.faults));
    let password = password.and_then(|given| reader.secret(given));
    let start = start.and_then(|given| read_start(given, reader)).unwrap_or(Start::Now);
    let addresses = addresses.and_then(|given| given.texts(&mut reader.faults)).unwrap_or_default();
    for (given, address) in &addresses {
        if !address.contains('@') {
            reader.bad(given, format!("`{address}` is not a mail address"), "write it like soc@example.com");
        }
    }
    let tls = tls?;
    Some(Imap {
        host: host?.to_owned(),
        port: port.unwrap_or(if tls == Tls::None { 143 } else { 993 }),
        tls,
        username: username?.to_owned(),
        password: password?,
        start,
        addresses: addresses.into_iter().map(|(_, address)| address.to_owned()).collect(),
    })
}

fn smtp(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Smtp> {
    let mut fields = given.fields(&SMTP, &mut reader.faults)?;
    let host = fields.required("host");
    let port = fields.optional("port");
    let tls = TlsKeys::of(&mut fields);
    let from = fields.required("from");
    let username = fields.optional("username");
    let password = fields.optional("password");
    let span = fields.span();
    fields.finish(&mut reader.faults);

    let host = host.and_then(|given| read_host(given, reader));
    let port = port.and_then(|given| read_port(given, reader));
    let tls = tls.read(host, SMTP_TLS, reader);
    let sender = from.and_then(|given| {
        let text = given.words(&mut reader.faults)?;
        if text.parse::<lettre::message::Mailbox>().is_err() {
            reader.bad(&given, format!("`{text}` is not a sender"), "write it like SOC <soc@example.com>");
        }
        Some(text.to_owned())
    });
    if username.is_some() != password.is_some() {
        let (there, missing) = if username.is_some() { ("username", "password") } else { ("password", "username") };
        let message = format!("an smtp connection with `{there}` needs `{missing}`");
        reader.faults.add(codes::MISSING_KEY, span, message);
    }
    let username = username.and_then(|given| given.words(&mut reader.faults)).map(str::to_owned);
    let password = password.and_then(|given| reader.secret(given));
    let tls = tls?;
    let usual = match tls {
        Tls::Implicit { .. } => 465,
        Tls::StartTls { .. } => 587,
        Tls::None => 25,
    };
    Some(Smtp { host: host?.to_owned(), port: port.unwrap_or(usual), tls, from: sender?, username, password })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Implicit,
    StartTls,
    None,
}

/// `tls:` and `ca_file:`
struct TlsKeys<'n> {
    tls: Option<Given<'n>>,
    ca_file: Option<Given<'n>>,
}

impl<'n> TlsKeys<'n> {
    fn of(fields: &mut Fields<'n>) -> Self {
        Self { tls: fields.optional("tls"), ca_file: fields.optional("ca_file") }
    }

    fn read(self, host: Option<&str>, kinds: &[(&'static str, Kind)], reader: &mut Reader<'_>) -> Option<Tls> {
        let kind = match self.tls {
            Some(given) => given.choice(kinds, &mut reader.faults)?,
            None => Kind::Implicit,
        };
        let ca_file = self.ca_file.and_then(|given| reader.path(given));
        match kind {
            Kind::Implicit => Some(Tls::Implicit { ca_file }),
            Kind::StartTls => Some(Tls::StartTls { ca_file }),
            Kind::None => {
                if let Some(given) = self.ca_file {
                    let message = "`ca_file` means nothing without encryption";
                    reader.faults.add(codes::EXCLUSIVE_KEYS, given.key_span(), message);
                }
                if let (Some(given), Some(host)) = (self.tls, host)
                    && !is_loopback(host)
                {
                    let message = format!("the connection to `{host}` would not be encrypted");
                    let help = "only a connection to this machine, such as 127.0.0.1, may do without".to_owned();
                    reader.faults.add_with(codes::PLAIN_TRANSPORT, given.span(), message, Some(help));
                }
                Some(Tls::None)
            }
        }
    }
}

pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read_host<'n>(given: Given<'n>, reader: &mut Reader<'_>) -> Option<&'n str> {
    let host = given.words(&mut reader.faults)?;
    let address = host.parse::<IpAddr>().is_ok();
    if address || url::Host::parse(host).is_ok() {
        return Some(host);
    }
    reader.bad(&given, format!("`{host}` is not the name of a host"), "write it like mail.example.com, the port apart");
    None
}

fn read_port(given: Given<'_>, reader: &mut Reader<'_>) -> Option<u16> {
    let port = given.count(1..=u64::from(u16::MAX), &mut reader.faults)?;
    u16::try_from(port).ok()
}

fn read_start(given: Given<'_>, reader: &mut Reader<'_>) -> Option<Start> {
    let text = given.words(&mut reader.faults)?;
    let start = match text {
        "now" => Some(Start::Now),
        "all" => Some(Start::All),
        date => instant(date).map(Start::At),
    };
    if start.is_none() {
        reader.bad(&given, format!("`{text}` is not a start"), "it is now, all or a date such as 2026-11-24");
    }
    start
}

/// A date, which means its midnight in UTC, or an instant.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    date.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.to_utc()))
}
