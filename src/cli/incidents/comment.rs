//! `larum incidents comment`.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::Asking;
use crate::cli::{
    client::Again,
    data::{self, Fault},
    workspace,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The incident's number.
    number: u64,
    /// The comment, HTML or Markdown, at most 30,000 characters; `-` reads it from the standard input.
    message: String,
    #[command(flatten)]
    asking: Asking,
}

pub fn run(args: &Args) -> Result<(), Fault> {
    let client = args.asking.server.client()?;
    let number = args.number;
    let undone = format!("incident {number} was not commented on");
    let message = data::given(&args.message)?;
    // Its name is chosen here, so that sending it twice makes one comment.
    let comment = Uuid::new_v4();
    let answer = data::block_on(async {
        let found =
            client.get_done(Method::GET, &format!("/api/incidents/{number}"), None, Again::Harmless, &undone).await?;
        let place = format!(
            "{}/incidents/{}/comments/{comment}",
            workspace::base(&client, &undone).await?,
            workspace::segment(found.text("/name"))
        );
        let body = json!({"properties": {"message": message}});
        client.get_done(Method::PUT, &workspace::versioned(&place), Some(&body), Again::Harmless, &undone).await
    })?;
    args.asking.tell(&answer, &format!("incident {number} has the comment {comment}"))
}
