//! No loops: when an automatic mail must not be sent, and how Larum knows its own mails again.

use std::fmt;

use serde_json::Value;

use crate::secret::Vault;

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
