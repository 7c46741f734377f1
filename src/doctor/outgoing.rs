//! Outgoing mail.

use super::{Finding, secret_advice};
use crate::{
    config::Smtp,
    mail::send::{Mailer, SendError},
};

/// The reply codes of a server that does not believe the login (RFC 4954 §6).
const LOGIN_REFUSED: [u16; 5] = [454, 530, 534, 535, 538];

pub(super) async fn smtp(about: &str, smtp: &Smtp) -> Finding {
    match Mailer::default().probe(smtp).await {
        Ok(()) if smtp.username.is_some() => {
            Finding::well(about, format!("logged in; whether it sends for {} only a mail shows", smtp.from))
        }
        Ok(()) => Finding::well(about, format!("connected without a login; it may send for {} or not", smtp.from)),
        Err(error) => {
            let advice = advice(&error);
            // The error's own words speak of a mail, and none was sent.
            let found = match &error {
                SendError::Refused { server, code, reason } => format!("{server} refused with {code}: {reason}"),
                SendError::Broken { server, reason } => format!("the connection to {server} broke: {reason}"),
                other => other.to_string(),
            };
            Finding::broken(about, found, advice)
        }
    }
}

fn advice(error: &SendError) -> String {
    match error {
        SendError::Secret { source, .. } => secret_advice(source),
        SendError::Refused { code, .. } if LOGIN_REFUSED.contains(code) => {
            "check `username` and the password; many providers want an app password here, or that an administrator \
             allows SMTP AUTH for the mailbox"
                .to_owned()
        }
        SendError::Unreachable { .. } | SendError::Broken { .. } => "check `host` and `port` (465 with TLS, 587 with \
             `tls: starttls`), that the firewall lets this machine out, and, for a certificate of your own authority, \
             `ca_file`"
            .to_owned(),
        SendError::Plain { .. } => "leave `tls` out, or write `tls: starttls`".to_owned(),
        SendError::Certificates { .. } => "name a PEM file with the authority's certificate in `ca_file`".to_owned(),
        SendError::Unusable { .. } => {
            "what the server offers and `tls`, `username` and `password` ask for do not meet; often it is the port"
                .to_owned()
        }
        SendError::Refused { .. } | SendError::Write(_) | SendError::Outbox { .. } => {
            "the server's log says more".to_owned()
        }
    }
}
