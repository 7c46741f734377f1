//! `add_comment`: a comment on an incident.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Connection, Operation,
    answer::{bad, write},
    named::{self, Given},
    sentinel::Client,
    values::Text,
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    incident::{Change, Precondition},
    limits::COMMENT_CHARS,
};

/// Adds a comment to an incident. Returns the comment. An incident takes 100 comments; what is over is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(default)]
    incident: Option<Given>,
    /// What it says, in HTML or Markdown, kept as it is; at most 30,000 characters.
    message: Text,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

pub(in crate::action) const ACTION: ActionType = super::on_incident(&AddComment, &["addcommenttoincident", "comment"]);

struct AddComment;

/// What the comment's name is made for.
const NAMED_FOR: &str = "comment";

#[async_trait::async_trait]
impl Operation for AddComment {
    type Input = Input;

    const NAME: &'static str = "add_comment";
    const WRITES: bool = true;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        let incident = named::incident(input.incident.as_ref(), call.run, &call.services.config.workspace)?;
        Ok(write(
            call,
            Change::PutComment {
                incident,
                name: call.identity.uuid(NAMED_FOR).into(),
                message: message(input.message)?,
                precondition: Precondition::default(),
                any_author: false,
            },
        ))
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        named::rehearsed(call, input.incident.as_ref())?;
        if message(input.message)?.chars().count() > COMMENT_CHARS {
            return Err(bad(format!("Comment length should not exceed {COMMENT_CHARS} characters")));
        }
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        let incident = named::elsewhere(input.incident.as_ref(), client.workspace())?;
        client.add_comment(&incident, client.uuid(NAMED_FOR), &message(input.message)?).await
    }
}

fn message(message: Text) -> Result<String, Box<Outcome>> {
    if message.given().is_none() {
        return Err(bad("the input `message` of `add_comment` is empty"));
    }
    Ok(message.0)
}
