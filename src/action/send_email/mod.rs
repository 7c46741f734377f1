//! `send_email`: a mail over an smtp connection, or into the outbox.

mod compose;
mod inputs;

use serde_json::{Value, json};

pub use inputs::Addresses;
pub(super) use inputs::{SendEmail, Text};

use super::{ActionType, Call, Effect, EffectKind, Nature, Outcome, Performed, Rehearsal, Returns};
use crate::{
    config::{Config, Connection, Smtp},
    limits,
    mail::{
        self,
        guard::Suppressed,
        send::{SendError, Sent},
        write::WriteError,
    },
    playbook::ActionSpec,
    store::StoreError,
};
use compose::Composed;

/// The action's line in the table.
pub const ACTION: ActionType = ActionType {
    spec: ActionSpec {
        template_input: Some("template"),
        connections: &["smtp"],
        retries: true,
        ..ActionSpec::new("send_email", || schemars::schema_for!(SendEmail))
    },
    nature: Nature::Effect(&Sender),
    returns: Returns::Body,
};

/// The effect of `send_email`.
struct Sender;

#[async_trait::async_trait]
impl Effect for Sender {
    /// The mail has one Message-ID whatever the attempt, so its receiver can tell that it came twice.
    fn kind(&self, _input: &Value) -> EffectKind {
        EffectKind::Identified
    }

    async fn perform(&self, call: Call<'_>) -> Performed {
        Performed::Outcome(match send(&call).await {
            Ok(outcome) => outcome,
            Err(fault) => fault.outcome(),
        })
    }

    fn rehearse(&self, call: Rehearsal<'_>) -> Performed {
        let rehearsed = || {
            let input = inputs::read(call.input)?;
            Ok(match rehearse(&call, input)? {
                Sending::Sent { message_id, answer } => json!({"messageId": message_id, "answer": answer}),
                Sending::Suppressed(reason) => json!({"suppressed": reason.to_string()}),
            })
        };
        Performed::Outcome(match rehearsed() {
            Ok(body) => Outcome::succeeded(json!({"statusCode": 200, "headers": {}, "body": body})),
            Err(fault) => Fault::outcome(&fault),
        })
    }
}

/// A mail that is written down and goes nowhere. A test need not have the connection it would go over.
pub(super) fn rehearse(call: &Rehearsal<'_>, input: SendEmail) -> Result<Sending, Fault> {
    let smtp = smtp(call.config, input.connection.as_deref()).ok().flatten();
    Ok(match compose::compose(call, smtp, input)? {
        Composed::Suppressed(reason) => Sending::Suppressed(reason),
        Composed::Mail { outgoing, .. } => {
            compose::recipients(&outgoing)?;
            Sending::Sent { message_id: format!("<{}>", outgoing.message_id), answer: "rehearsed".to_owned() }
        }
    })
}

/// Why the mail was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Inputs(String),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault {
    /// A failure in the shape connectors answer with, so that a playbook finds the reason at
    /// `body('ID')?['error']?['message']`.
    pub(super) fn outcome(&self) -> Outcome {
        let (code, status, passing) = match self {
            Self::Inputs(_) | Self::Write(_) | Self::Send(SendError::Write(_)) => ("BadRequest", 400, false),
            Self::Send(error) if error.is_transient() => ("SmtpError", 503, true),
            Self::Send(_) => ("SmtpError", 502, false),
            Self::Store(error) => ("ServiceUnavailable", 503, error.is_passing()),
        };
        let message = self.to_string();
        let body = json!({"error": {"code": code, "message": message}});
        let outcome =
            Outcome::failed(code, message).with_outputs(json!({"statusCode": status, "headers": {}, "body": body}));
        if passing { outcome.retryable(None) } else { outcome }
    }
}

/// What became of a mail.
pub(super) enum Sending {
    Sent {
        /// With its angle brackets.
        message_id: String,
        /// What the server said, or the file it became.
        answer: String,
    },
    /// It may not be sent.
    Suppressed(Suppressed),
}

async fn send(call: &Call<'_>) -> Result<Outcome, Fault> {
    let input = inputs::read(call.input)?;
    let body = match deliver(call, input, limits::AUTOMATIC_MAILS_PER_HOUR).await? {
        Sending::Sent { message_id, answer } => json!({"messageId": message_id, "answer": answer}),
        Sending::Suppressed(reason) => json!({"suppressed": reason.to_string()}),
    };
    Ok(Outcome::succeeded(json!({"statusCode": 200, "headers": {}, "body": body})))
}

/// Sends a mail whose Message-ID derives from the call's identity, unless one of its recipients got `limit` automatic
/// mails within the hour.
pub(super) async fn deliver(call: &Call<'_>, input: SendEmail, limit: u32) -> Result<Sending, Fault> {
    let services = call.services;
    let smtp = smtp(&services.config, input.connection.as_deref())?;
    let (mut outgoing, attached) = match compose::compose(&call.rehearsal(), smtp, input)? {
        Composed::Suppressed(reason) => return Ok(Sending::Suppressed(reason)),
        Composed::Mail { outgoing, attachments } => (outgoing, attachments),
    };
    if !attached.is_empty() {
        let stored = services.store.message(call.run.event).await?;
        let raw = stored.map(|stored| stored.raw).unwrap_or_default();
        for id in attached {
            let missing = || Fault::Inputs(format!("the report has no attachment with the id {id}"));
            outgoing.attachments.push(mail::attachment(&raw, &id).ok_or_else(missing)?);
        }
    }
    let recipients = compose::recipients(&outgoing)?;
    let reserved = services.store.reserve_mail(&outgoing.message_id, &recipients, call.at, limit).await?;
    if !reserved {
        return Ok(Sending::Suppressed(Suppressed::TooMany(limit)));
    }
    let outbox = services.config.data.join("outbox");
    let answer = match services.mailer.send(smtp, &outbox, &outgoing).await? {
        Sent::Accepted(answer) => answer,
        Sent::Outbox(path) => format!("written to {}", path.display()),
    };
    Ok(Sending::Sent { message_id: format!("<{}>", outgoing.message_id), answer })
}

/// The named smtp connection, or the first one; `None` means the outbox.
fn smtp<'a>(config: &'a Config, name: Option<&str>) -> Result<Option<&'a Smtp>, Fault> {
    let connections = &config.connections;
    let first = || {
        connections.values().find_map(|connection| match connection {
            Connection::Smtp(smtp) => Some(smtp),
            _ => None,
        })
    };
    match name {
        None => Ok(first()),
        Some(name) => match connections.get(name) {
            Some(Connection::Smtp(smtp)) => Ok(Some(smtp)),
            _ => Err(Fault::Inputs(format!("there is no smtp connection called {name}"))),
        },
    }
}
