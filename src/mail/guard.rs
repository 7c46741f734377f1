//! No loops: when an automatic mail must not be sent, and how Larum knows its own mails again.

use std::fmt;

use serde_json::Value;

use super::write;
use crate::{
    config::{Config, Connection},
    secret::Vault,
};

/// Keeps Message-ID signatures from serving as any other signature of the data folder's key.
const PURPOSE: &str = "message-id";

/// Why an automatic mail in answer to a message is not sent (RFC 3834 §2, and our own rules against loops).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppressed {
    /// The return path is `<>`: nobody is to be told.
    NullReturnPath,
    /// No server noted a return path, so it cannot be told whether anybody is to be answered.
    NoReturnPath,
    /// `Auto-Submitted` is other than `no`; holds its value.
    AutoSubmitted(String),
    /// `Precedence` is `bulk`, `junk` or `list`; holds which.
    Precedence(String),
    /// The message came through a mailing list.
    List,
    /// The message is a report about another mail's delivery.
    DeliveryReport,
    /// The sender is one of our own addresses.
    OwnAddress(String),
    /// The message is one Larum sent.
    OwnMessage,
    /// The message answers one Larum sent.
    AnswersOwnMessage,
    /// The recipient already got as many automatic mails within the hour as one may.
    TooMany(u32),
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullReturnPath => f.write_str("the message has a null return path"),
            Self::NoReturnPath => f.write_str("the message has no return path"),
            Self::AutoSubmitted(value) => write!(f, "the message says Auto-Submitted: {value}"),
            Self::Precedence(value) => write!(f, "the message says Precedence: {value}"),
            Self::List => f.write_str("the message came through a mailing list (List-Id)"),
            Self::DeliveryReport => f.write_str("the message is a delivery report"),
            Self::OwnAddress(address) => write!(f, "{address} is one of our own addresses"),
            Self::OwnMessage => f.write_str("the message is one of our own"),
            Self::AnswersOwnMessage => f.write_str("the message answers one of our own"),
            Self::TooMany(limit) => write!(f, "a recipient already got {limit} automatic mails within the hour"),
        }
    }
}

/// Whether an automatic mail in answer to the message in `trigger` (as [`super::read`] made it) must not be sent, and why.
#[must_use]
pub fn automatic_reply_refused(vault: &Vault, trigger: &Value, our_addresses: &[String]) -> Option<Suppressed> {
    let header = |name: &str| trigger["headers"][name].as_array().into_iter().flatten().filter_map(Value::as_str);
    // The last server to take the message writes the return path on top.
    match header("return-path").next() {
        None => return Some(Suppressed::NoReturnPath),
        Some(path) if path.trim_matches(['<', '>', ' ']).is_empty() => return Some(Suppressed::NullReturnPath),
        Some(_) => {}
    }
    let automatic = |value: &str| !word(value).eq_ignore_ascii_case("no");
    if let Some(value) = header("auto-submitted").find(|value| automatic(value)) {
        return Some(Suppressed::AutoSubmitted(word(value).to_owned()));
    }
    let bulk = |value: &str| ["bulk", "junk", "list"].iter().any(|bulk| word(value).eq_ignore_ascii_case(bulk));
    if let Some(value) = header("precedence").find(|value| bulk(value)) {
        return Some(Suppressed::Precedence(word(value).to_owned()));
    }
    if header("list-id").next().is_some() {
        return Some(Suppressed::List);
    }
    let report = |value: &str| {
        let value = value.to_ascii_lowercase();
        value.starts_with("multipart/report") || value.starts_with("message/delivery-status")
    };
    if header("content-type").any(report) {
        return Some(Suppressed::DeliveryReport);
    }
    let senders = [trigger["from"].as_str(), trigger["sender"]["address"].as_str()];
    if let Some(own) = senders.into_iter().flatten().find(|sender| is_one_of(sender, our_addresses)) {
        return Some(Suppressed::OwnAddress(own.to_owned()));
    }
    if trigger["messageId"].as_str().is_some_and(|id| is_own_message_id(vault, id)) {
        return Some(Suppressed::OwnMessage);
    }
    let answers_own = trigger["references"].as_array().and_then(|references| references.last()).and_then(Value::as_str);
    answers_own.filter(|id| is_own_message_id(vault, id)).map(|_| Suppressed::AnswersOwnMessage)
}

/// The addresses that are ours: those of the configured mailboxes, and those mail is sent from.
#[must_use]
pub fn our_addresses(config: &Config) -> Vec<String> {
    let mut addresses = Vec::new();
    for connection in config.connections.values() {
        match connection {
            Connection::Imap(imap) => {
                addresses.extend(imap.addresses.iter().cloned());
                addresses.extend(Some(&imap.username).filter(|name| name.contains('@')).cloned());
            }
            Connection::Smtp(smtp) => {
                addresses.extend(write::mailbox("from", &smtp.from).ok().map(|from| from.email.to_string()));
            }
            Connection::Maildir(_) | Connection::Http(_) | Connection::Webhook(_) | Connection::Sentinel(_) => {}
        }
    }
    addresses
}

/// Whether an address is one of ours. Domains and, as every large provider has it, local parts ignore case.
#[must_use]
pub fn is_one_of(address: &str, our_addresses: &[String]) -> bool {
    our_addresses.iter().any(|own| own.eq_ignore_ascii_case(address))
}

/// The first word of a header value, without parameters and comments.
fn word(value: &str) -> &str {
    value.trim().split([';', '(', ' ']).next().unwrap_or_default()
}

/// The Message-ID of a mail Larum sends, without angle brackets. `identity` names the run, the step and the iteration, never
/// the attempt, so that a repeated mail carries the same one. It is signed with the data folder's key, so that Larum
/// knows its own mails again without remembering them.
#[must_use]
pub fn own_message_id(vault: &Vault, identity: &[u8], host: &str) -> String {
    let name = hex::encode(&vault.sign("mail-identity", identity)[..16]);
    format!("larum.{name}.{}@{host}", signature(vault, &name))
}

/// Whether a Message-ID, with or without angle brackets, is one that [`own_message_id`] made with the same key.
#[must_use]
pub fn is_own_message_id(vault: &Vault, message_id: &str) -> bool {
    let id = message_id.trim().trim_start_matches('<');
    let Some((local, _host)) = id.split_once('@') else { return false };
    let Some((name, signed)) = local.strip_prefix("larum.").and_then(|rest| rest.split_once('.')) else { return false };
    name.len() == 32 && signed == signature(vault, name)
}

fn signature(vault: &Vault, name: &str) -> String {
    hex::encode(&vault.sign(PURPOSE, name.as_bytes())[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the guard says to a mail with these header lines.
    fn answer(headers: &str) -> Option<String> {
        let raw = format!("{headers}\nTo: soc@example.org\nSubject: s\n\nbody");
        let message = crate::mail::read(raw.as_bytes(), chrono::DateTime::UNIX_EPOCH).unwrap();
        let vault = Vault::ephemeral("key");
        let ours = ["soc@example.org".to_owned(), "SOC@Example.net".to_owned()];
        automatic_reply_refused(&vault, &message.trigger, &ours).map(|refused| refused.to_string())
    }

    #[test]
    fn a_person_is_answered() {
        for more in [
            "",
            "Auto-Submitted: no",
            "Auto-Submitted: NO (really)",
            "Precedence: first-class",
            "References: <larum.0123@example.org> <other@example.com>",
            "Content-Type: multipart/mixed; boundary=b",
        ] {
            assert_eq!(
                answer(format!("Return-Path: <ann@example.com>\nFrom: ann@example.com\nX-More: x\n{more}").trim_end()),
                None
            );
        }
    }

    #[test]
    fn a_machine_is_not() {
        let own = own_message_id(&Vault::ephemeral("key"), b"run step", "example.org");
        for (more, reason) in [
            ("Return-Path: <>".to_owned(), "the message has a null return path"),
            ("X-More: x".to_owned(), "the message has no return path"),
            ("Auto-Submitted: auto-replied; owner-email=x".to_owned(), "the message says Auto-Submitted: auto-replied"),
            (
                "Auto-Submitted: no\nAuto-Submitted: auto-generated".to_owned(),
                "the message says Auto-Submitted: auto-generated",
            ),
            ("Auto-Submitted:".to_owned(), "the message says Auto-Submitted: "),
            ("Precedence: Bulk".to_owned(), "the message says Precedence: Bulk"),
            ("Precedence: junk".to_owned(), "the message says Precedence: junk"),
            ("Precedence: list".to_owned(), "the message says Precedence: list"),
            ("List-Id: <x.example.com>".to_owned(), "the message came through a mailing list (List-Id)"),
            (
                "Content-Type: Multipart/Report; report-type=delivery-status".to_owned(),
                "the message is a delivery report",
            ),
            ("Sender: soc@EXAMPLE.net".to_owned(), "soc@EXAMPLE.net is one of our own addresses"),
            (format!("Message-ID: <{own}>"), "the message is one of our own"),
            (format!("In-Reply-To: <{own}>"), "the message answers one of our own"),
            (format!("References: <a@b.c> <{own}>"), "the message answers one of our own"),
        ] {
            let sender = if more.starts_with("Sender") { "" } else { "From: ann@example.com\n" };
            let path =
                if more == "X-More: x" || more.starts_with("Return") { "" } else { "Return-Path: <ann@example.com>\n" };
            assert_eq!(answer(&format!("{path}{sender}{more}")).as_deref(), Some(reason), "{more}");
        }
    }

    #[test]
    fn our_own_message_ids_are_known_again_and_nobody_elses() {
        let vault = Vault::ephemeral("key");
        let id = own_message_id(&vault, b"run 1, step create", "soc.example.org");
        assert_eq!(id, own_message_id(&vault, b"run 1, step create", "soc.example.org"));
        assert_ne!(id, own_message_id(&vault, b"run 1, step create/1", "soc.example.org"));
        assert!(is_own_message_id(&vault, &id));
        assert!(is_own_message_id(&vault, &format!(" <{id}>")));
        assert!(!is_own_message_id(&Vault::ephemeral("another folder's key"), &id));
        for other in
            ["", "@", "larum.@x", "larum.a.b@x", "plain@example.com", &id.replace("larum.", ""), &id.replace('@', "0@")]
        {
            assert!(!is_own_message_id(&vault, other), "{other}");
        }
    }
}
