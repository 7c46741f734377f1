//! `larum incidents merge`.

use reqwest::Method;
use serde_json::json;

use super::Asking;
use crate::cli::{
    client::Again,
    data::{self, Fault},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The numbers of the incidents that go into another; they are closed.
    #[arg(required = true, value_name = "NUMBER")]
    from: Vec<u64>,
    /// The number of the one they go into.
    #[arg(long, value_name = "NUMBER")]
    into: u64,
    #[command(flatten)]
    asking: Asking,
}

pub fn run(args: &Args) -> Result<(), Fault> {
    let client = args.asking.server.client()?;
    let numbers: Vec<String> = args.from.iter().map(u64::to_string).collect();
    let (numbers, into) = (numbers.join(", "), args.into);
    let undone = format!("nothing was merged into incident {into}");
    let path = format!("/api/incidents/{into}/merge");
    let body = json!({"incidents": args.from});
    let answer = data::block_on(client.get_done(Method::POST, &path, Some(&body), Again::Never, &undone))?;
    args.asking.tell(&answer, &format!("incident {into} took in {numbers}: {}", answer.text("/properties/title")))
}
