//! `approve`: asks people by mail and waits for the first answer, Logic Apps' Send approval email.
//!
//! The mail holds a link for each answer. A link opens a page, and only a button there decides: mail scanners follow
//! links.

mod inputs;
mod token;

use handlebars::html_escape;
use serde_json::{Value, json};

pub use inputs::{Approve, Options};
pub use token::Token;

use super::{
    ActionType, Call, Effect, EffectKind, Identity, Nature, Outcome, Performed, Rehearsal, Returns,
    send_email::{self, Addresses, Fault, SendEmail, Sending, Text},
};
use crate::{limits, playbook::ActionSpec};

/// What every mail says below its links.
const HOW: &str = "Each link opens a page where you confirm. The first answer counts.";

/// The action's line in the table.
pub(super) const ACTION: ActionType = ActionType {
    spec: ActionSpec {
        sought_as: &["approval", "sendapprovalemail", "sendemailwithoptions", "sendapprovalmail"],
        template_input: Some("template"),
        connections: &["smtp"],
        retries: true,
        ..ActionSpec::new(inputs::NAME, || schemars::schema_for!(Approve))
    },
    nature: Nature::Approval { ask: &Asker, answer },
    returns: Returns::Body,
};

/// What `approve` comes to once somebody has answered: the answer is what it returns.
fn answer(_asked: &Value, answer: &Value) -> Outcome {
    Outcome::succeeded(json!({"statusCode": 200, "headers": {}, "body": answer}))
}

/// The answer of a person as the run gets it, under the names of Logic Apps' approval mail.
#[must_use]
pub fn given(option: &str, by: Option<&str>) -> Value {
    match by {
        Some(address) => json!({"SelectedOption": option, "UserEmailAddress": address}),
        None => json!({"SelectedOption": option}),
    }
}

/// Sends the question.
struct Asker;

#[async_trait::async_trait]
impl Effect for Asker {
    /// Each person's mail has one Message-ID whatever the attempt.
    fn kind(&self, _input: &Value) -> EffectKind {
        EffectKind::Identified
    }

    async fn perform(&self, call: Call<'_>) -> Performed {
        Performed::Outcome(match ask(&call).await {
            Ok(outcome) => outcome,
            Err(fault) => fault.outcome(),
        })
    }

    fn rehearse(&self, call: Rehearsal<'_>) -> Performed {
        let rehearsed = || {
            let input = inputs::read(call.input)?;
            let mut people = People::default();
            for recipient in &input.to.0 {
                people.add(recipient, send_email::rehearse(&call, question(&input, recipient))?);
            }
            Ok(people.outcome())
        };
        Performed::Outcome(rehearsed().unwrap_or_else(|fault| Fault::outcome(&fault)))
    }
}

/// Who was asked, and who could not be.
#[derive(Default)]
struct People {
    asked: Vec<Value>,
    held_back: Vec<String>,
}

impl People {
    fn add(&mut self, recipient: &str, sending: Sending) {
        match sending {
            Sending::Sent { message_id, .. } => {
                self.asked.push(json!({"address": recipient, "messageId": message_id}));
            }
            Sending::Suppressed(reason) => self.held_back.push(format!("{recipient}: {reason}")),
        }
    }

    fn outcome(self) -> Outcome {
        let Self { asked, held_back } = self;
        if asked.is_empty() {
            // Nobody would ever answer.
            return Outcome::failed("NobodyAsked", format!("nobody could be asked: {}", held_back.join("; ")));
        }
        let body = json!({"asked": asked, "heldBack": held_back});
        Outcome::succeeded(json!({"statusCode": 201, "headers": {}, "body": body}))
    }
}

async fn ask(call: &Call<'_>) -> Result<Outcome, Fault> {
    let input = inputs::read(call.input)?;
    let mut people = People::default();
    for (place, recipient) in input.to.0.iter().enumerate() {
        // Each gets a mail of their own, so that it is known who answered.
        let identity = Identity::of(call.run.run, &format!("{}#{place}", call.step));
        let mail = mail(call, &input, recipient, u16::try_from(place).unwrap_or(u16::MAX));
        let own = Call { identity, ..*call };
        people.add(recipient, send_email::deliver(&own, mail, limits::APPROVAL_MAILS_PER_HOUR).await?);
    }
    Ok(people.outcome())
}

/// The mail to one person, with the links that are theirs.
fn mail(call: &Call<'_>, input: &Approve, recipient: &str, place: u16) -> SendEmail {
    let services = call.services;
    let site = services.config.server.link_url();
    let expires = call.at + limits::RUN_DURATION;
    let link = |number: u16| {
        let token = Token { run: call.run.run, step: call.step.to_owned(), recipient: place, option: number, expires };
        format!("{site}/approvals/{}", token.seal(&services.vault))
    };
    let links: Vec<(&String, String)> =
        input.options.0.iter().zip(0..).map(|(option, number)| (option, link(number))).collect();
    let plain = {
        let links: String = links.iter().map(|(option, link)| format!("{option}:\n{link}\n\n")).collect();
        format!("{}\n\n{links}{HOW}\n", input.question_as_text().trim_end())
    };
    let html = input.is_html.then(|| {
        let link =
            |(option, link): &(&String, String)| format!("<p><a href=\"{link}\">{}</a></p>\n", html_escape(option));
        format!("{}\n<hr>\n{}<p>{HOW}</p>\n", input.question(), links.iter().map(link).collect::<String>())
    });
    let (body, plain) = match html {
        Some(html) => (html, Some(plain)),
        None => (plain, None),
    };
    SendEmail { body: Some(Text(body)), plain, ..question(input, recipient) }
}

/// The mail to one person, as far as it is the same for all.
fn question(input: &Approve, recipient: &str) -> SendEmail {
    SendEmail {
        to: Addresses(vec![recipient.to_owned()]),
        cc: Addresses::default(),
        bcc: Addresses::default(),
        reply_to: input.reply_to.clone(),
        subject: input.subject.clone(),
        body: Some(Text(input.question().to_owned())),
        template: None,
        is_html: input.is_html,
        attachments: Default::default(),
        connection: input.connection.clone(),
        plain: None,
    }
}
