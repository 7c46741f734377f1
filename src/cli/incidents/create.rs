//! `larum incidents create`.

use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderValue, IF_NONE_MATCH},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Asking, classification, reason, severity, status};
use crate::{
    cli::{
        client::{Again, Answer, Client},
        data::{self, Fault},
        workspace,
    },
    incident::{Classification, ClassificationReason, Owner, ResourceName, Severity, Status},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    title: String,
    /// At most 5,000 characters; `-` reads it from the standard input.
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// High, Medium, Low or Informational.
    #[arg(long, value_parser = severity, default_value = "Medium")]
    severity: Severity,
    /// New, Active or Closed; Closed needs a classification.
    #[arg(long, value_parser = status, default_value = "New")]
    status: Status,
    /// Undetermined, TruePositive, BenignPositive or FalsePositive.
    #[arg(long, value_parser = classification)]
    classification: Option<Classification>,
    /// SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic or InaccurateData.
    #[arg(long, value_parser = reason)]
    reason: Option<ClassificationReason>,
    /// A remark on the classification.
    #[arg(long, value_name = "TEXT")]
    classification_comment: Option<String>,
    /// Who it is assigned to: an object id, a user principal name or a mail address.
    #[arg(long)]
    owner: Option<String>,
    /// A tag; may be given several times.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Its name in the API, so that a script that repeats the command makes one incident. Default: a new GUID.
    #[arg(long, value_parser = name)]
    name: Option<ResourceName>,
    #[command(flatten)]
    asking: Asking,
}

fn name(text: &str) -> Result<ResourceName, String> {
    ResourceName::parse(text).map_err(|error| error.to_string())
}

pub fn run(args: &Args) -> Result<(), Fault> {
    let client = args.asking.server.client()?;
    let description = data::given(&args.description)?;
    let name = args.name.clone().unwrap_or_else(|| Uuid::new_v4().into());
    let body = json!({"properties": properties(args, &description)});
    let (answer, is_new) = data::block_on(make(&client, &name, &body))?;
    let what = if is_new { "created" } else { "there already, with this name" };
    args.asking.tell(
        &answer,
        &format!(
            "incident {} is {what}: {}",
            answer.body["properties"]["incidentNumber"],
            answer.text("/properties/title")
        ),
    )
}

/// Makes the incident of this name, once, also when an answer is lost on the way: then it looks whether it is there before
/// it asks again. One that was there before is left as it is.
async fn make(client: &Client, name: &ResourceName, body: &Value) -> Result<(Answer, bool), Fault> {
    const UNDONE: &str = "the incident was not created";
    let place =
        format!("{}/incidents/{}", workspace::base(client, UNDONE).await?, workspace::segment(&name.to_string()));
    let path = workspace::versioned(&place);
    // Whoever takes the name after the look at it keeps it.
    let only_new = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("*"))]);
    let mut lost = false;
    for _ in 0..=workspace::REPEATS {
        let found = client.ask(Method::GET, &path, None, Again::Harmless).await?.map_err(|lost| lost.fault(UNDONE))?;
        if found.status != StatusCode::NOT_FOUND {
            return Ok((found.or_refused(UNDONE)?, lost));
        }
        match client.ask_with(&only_new, Method::PUT, &path, Some(body), Again::Never).await? {
            Ok(answer) if answer.status == StatusCode::PRECONDITION_FAILED => {}
            Ok(answer) => return Ok((answer.or_refused(UNDONE)?, true)),
            // It may be that of an incident which was made; the next look tells.
            Err(_) => lost = true,
        }
    }
    Err(Fault::Server(format!(
        "{UNDONE}, or it was and each answer was lost; its name is {name}: repeat with --name {name}"
    )))
}

fn properties(args: &Args, description: &str) -> Map<String, Value> {
    let owner = args.owner.as_deref().map(Owner::parse);
    let labels: Vec<Value> = args.tags.iter().map(|tag| json!({"labelName": tag})).collect();
    let given = [
        ("title", Some(json!(args.title))),
        ("description", Some(json!(description))),
        ("severity", Some(json!(args.severity))),
        ("status", Some(json!(args.status))),
        ("classification", args.classification.map(|value| json!(value))),
        ("classificationReason", args.reason.map(|value| json!(value))),
        ("classificationComment", args.classification_comment.as_ref().map(|value| json!(value))),
        ("owner", owner.map(|owner| json!(owner))),
        ("labels", Some(json!(labels))),
    ];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
