//! `larum incidents update`, `close` and `delete`.

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Asking, classification, reason, severity, status};
use crate::{
    cli::{
        client::Again,
        data::{self, Fault},
    },
    incident::{Classification, ClassificationReason, Severity, Status},
};

#[derive(Debug, clap::Args)]
pub struct Update {
    /// The incident's number.
    number: u64,
    #[arg(long)]
    title: Option<String>,
    /// At most 5,000 characters; `-` reads it from the standard input.
    #[arg(long)]
    description: Option<String>,
    /// High, Medium, Low or Informational.
    #[arg(long, value_parser = severity)]
    severity: Option<Severity>,
    /// New, Active or Closed; Closed needs a classification.
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Undetermined, TruePositive, BenignPositive or FalsePositive.
    #[arg(long, value_parser = classification)]
    classification: Option<Classification>,
    /// SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic or InaccurateData.
    #[arg(long, value_parser = reason)]
    reason: Option<ClassificationReason>,
    /// A remark on the classification.
    #[arg(long, value_name = "TEXT")]
    classification_comment: Option<String>,
    /// Who it is assigned to: an object id, a user principal name or a mail address; an empty text takes it from them.
    #[arg(long)]
    owner: Option<String>,
    /// A tag to add; may be given several times.
    #[arg(long = "add-tag", value_name = "TAG")]
    add_tags: Vec<String>,
    /// A tag to take away, ignoring case; may be given several times.
    #[arg(long = "remove-tag", value_name = "TAG")]
    remove_tags: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, clap::Args)]
pub struct Close {
    /// The incident's number.
    number: u64,
    /// Undetermined, TruePositive, BenignPositive or FalsePositive.
    #[arg(long, value_parser = classification)]
    classification: Classification,
    /// SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic or InaccurateData; every classification but
    /// Undetermined needs one.
    #[arg(long, value_parser = reason)]
    reason: Option<ClassificationReason>,
    /// A remark on the classification.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, clap::Args)]
pub struct Delete {
    /// The incident's number.
    number: u64,
    #[command(flatten)]
    asking: Asking,
}

pub fn update(args: &Update) -> Result<(), Fault> {
    let description = args.description.as_deref().map(data::given).transpose()?;
    let given = [
        ("title", args.title.as_ref().map(|value| json!(value))),
        ("description", description.map(|value| json!(value))),
        ("severity", args.severity.map(|value| json!(value))),
        ("status", args.status.map(|value| json!(value))),
        ("classification", args.classification.map(|value| json!(value))),
        ("classificationReason", args.reason.map(|value| json!(value))),
        ("classificationComment", args.classification_comment.as_ref().map(|value| json!(value))),
        ("owner", args.owner.as_ref().map(|value| json!(value))),
        ("addTags", Some(&args.add_tags).filter(|tags| !tags.is_empty()).map(|tags| json!(tags))),
        ("removeTags", Some(&args.remove_tags).filter(|tags| !tags.is_empty()).map(|tags| json!(tags))),
    ];
    let patch = members(given);
    if patch.is_empty() {
        let message =
            format!("incident {} was not changed: nothing says what to change, such as --severity High", args.number);
        return Err(Fault::Input(message));
    }
    apply(&args.asking, args.number, patch, "changed")
}

pub fn close(args: &Close) -> Result<(), Fault> {
    let given = [
        ("status", Some(json!(Status::Closed))),
        ("classification", Some(json!(args.classification))),
        ("classificationReason", args.reason.map(|value| json!(value))),
        ("classificationComment", args.comment.as_ref().map(|value| json!(value))),
    ];
    apply(&args.asking, args.number, members(given), "closed").map_err(|fault| match fault {
        Fault::Input(message) if message.contains("classificationReason") => {
            Fault::Input(format!("{message}; give it with --reason"))
        }
        fault => fault,
    })
}

fn members<const N: usize>(given: [(&str, Option<Value>); N]) -> Map<String, Value> {
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// Sends what is to be changed. Sent twice it does the same as once.
fn apply(asking: &Asking, number: u64, patch: Map<String, Value>, done: &str) -> Result<(), Fault> {
    let client = asking.server.client()?;
    let undone = format!("incident {number} was not {done}");
    let path = format!("/api/incidents/{number}");
    let patch = Value::Object(patch);
    let answer = data::block_on(client.get_done(Method::PATCH, &path, Some(&patch), Again::Harmless, &undone))?;
    asking.tell(&answer, &format!("incident {number} is {done}: {}", answer.text("/properties/title")))
}

pub fn delete(args: &Delete) -> Result<(), Fault> {
    let client = args.asking.server.client()?;
    let number = args.number;
    let undone = format!("incident {number} was not deleted");
    let path = format!("/api/incidents/{number}");
    let answer = data::block_on(client.get_done(Method::DELETE, &path, None, Again::Harmless, &undone))?;
    if answer.status == StatusCode::NO_CONTENT && answer.is_repeated {
        let line = format!("incident {number} is not there; an answer was lost, so this may have deleted it");
        return args.asking.tell(&answer, &line);
    }
    if answer.status == StatusCode::NO_CONTENT {
        return Err(Fault::Input(format!("{undone}: there is none of this number; it may have been deleted before")));
    }
    args.asking.tell(&answer, &format!("incident {number} is deleted; its activity log stays"))
}
