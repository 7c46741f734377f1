//! What is asked of a running server: that a run end, go on, or be repeated.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{PAGE, ending};
use crate::{
    cli::{
        Output,
        client::{Again, Answer, Client, ServerArgs},
        data::{self, Fault},
        table::block,
    },
    store::RunId,
};

/// Which run of which server.
#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The run's id, or the end of it as `list` shows it.
    run: String,
    #[command(flatten)]
    server: ServerArgs,
    /// How to print what came of it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(super) struct Resubmit {
    #[command(flatten)]
    one: One,
    /// Follow the version of the playbook that is in force, instead of the one the run followed.
    #[arg(long)]
    current_version: bool,
    /// Do again only what failed, timed out or was cancelled, and what follows from that; keep what succeeded.
    #[arg(long)]
    from_failure: bool,
}

pub(super) fn cancel(args: &One) -> Result<(), Fault> {
    let answer = post(args, "cancel", "cancelled", None, Again::Never)?;
    let (run, playbook) = (answer.text("/run"), answer.text("/playbook"));
    print(args, &answer, &format!("run {run} of {playbook} is asked to end\n"))
}

pub(super) fn resume(args: &One) -> Result<(), Fault> {
    let answer = post(args, "resume", "resumed", None, Again::Never)?;
    print(args, &answer, &format!("run {} of {} goes on\n", answer.text("/run"), answer.text("/playbook")))
}

pub(super) fn resubmit(args: &Resubmit) -> Result<(), Fault> {
    let from = if args.from_failure { "failure" } else { "event" };
    let body = json!({"from": from, "currentVersion": args.current_version});
    // One key for all that is sent, so that a lost answer makes no second run.
    let answer = post(&args.one, "resubmit", "repeated", Some(&body), Again::Once(Uuid::new_v4()))?;
    for warning in answer.body["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        eprintln!("warning: {}", block(warning));
    }
    let (run, of, playbook) = (answer.text("/run"), answer.text("/resubmitOf"), answer.text("/playbook"));
    print(&args.one, &answer, &format!("run {run} of {playbook} repeats {of}\n"))
}

fn post(args: &One, what: &str, done: &str, body: Option<&Value>, again: Again) -> Result<Answer, Fault> {
    let client = args.server.client()?;
    data::block_on(async {
        let undone = format!("run {} was not {done}", args.run);
        let id = match Uuid::try_parse(&args.run) {
            Ok(id) => id,
            Err(_) => ask_for(&client, &args.run, &undone).await?,
        };
        client.get_done(Method::POST, &format!("/api/runs/{id}/{what}"), body, again, &undone).await
    })
}

fn print(args: &One, answer: &Answer, text: &str) -> Result<(), Fault> {
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", answer.body),
        Output::Text => block(text),
    })
}

/// The newest of a server's runs whose id ends so.
async fn ask_for(client: &Client, id: &str, undone: &str) -> Result<RunId, Fault> {
    let end = ending(id)?;
    let mut path = format!("/api/runs?limit={PAGE}");
    loop {
        let page = client.get_done(Method::GET, &path, None, Again::Harmless, undone).await?;
        let runs = page.body["value"].as_array().into_iter().flatten();
        let mut ids = runs.filter_map(|run| run["run"].as_str()?.parse::<Uuid>().ok());
        if let Some(found) = ids.find(|run| run.simple().to_string().ends_with(&end)) {
            return Ok(found);
        }
        match page.text("/nextLink") {
            "" => return Err(Fault::Input(format!("{undone}: the server has no such run"))),
            // Only what is asked counts: the server may call itself by another name than we do.
            next => path = next.split_once("/api/").map(|(_, rest)| format!("/api/{rest}")).unwrap_or_default(),
        }
    }
}
