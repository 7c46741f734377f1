//! `larum incidents search`: in the data folder, or through the server that was named.

use reqwest::Method;
use serde_json::{Value, json};

use super::shown::as_json;
use crate::{
    cli::{
        Output,
        client::{Again, ServerArgs},
        data::{self, DataArgs, Fault},
        table::table,
    },
    incident::Workspace,
    store::incidents::IncidentStore,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Words that must all occur.
    #[arg(required = true)]
    words: Vec<String>,
    /// At most this many.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub fn run(args: &Args) -> Result<(), Fault> {
    let words = args.words.join(" ");
    let hits =
        if args.server.names_one() && !args.data.names_one() { asked(args, &words)? } else { read(args, &words)? };
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", Value::Array(hits)),
        Output::Text if hits.is_empty() => "no incidents\n".to_owned(),
        Output::Text => as_table(&hits),
    })
}

/// What the data folder holds, beside a running server or without one.
fn read(args: &Args, words: &str) -> Result<Vec<Value>, Fault> {
    let (config, store) = args.data.open()?;
    let workspace = Workspace::of(&config);
    let hits = data::block_on(async { Ok(store.search(words, args.limit).await?) })?;
    let hit = |hit: &crate::store::incidents::SearchHit| json!({"incident": as_json(&hit.incident, &workspace), "excerpt": hit.excerpt});
    Ok(hits.iter().map(hit).collect())
}

fn asked(args: &Args, words: &str) -> Result<Vec<Value>, Fault> {
    let client = args.server.client()?;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("q", words)
        .append_pair("limit", &args.limit.to_string())
        .finish();
    let path = format!("/api/incidents/search?{query}");
    let asked = client.get_done(Method::GET, &path, None, Again::Harmless, "nothing was found");
    let mut answer = data::block_on(asked)?;
    match answer.body["value"].take() {
        Value::Array(hits) => Ok(hits),
        _ => Err(Fault::Server("the server's answer holds no list".to_owned())),
    }
}

fn as_table(hits: &[Value]) -> String {
    let rows: Vec<_> = hits
        .iter()
        .map(|hit| {
            let properties = &hit["incident"]["properties"];
            let text = |name: &str| properties[name].as_str().unwrap_or_default().to_owned();
            let excerpt = hit["excerpt"].as_str().unwrap_or_default().to_owned();
            [properties["incidentNumber"].to_string(), text("severity"), text("status"), text("title"), excerpt]
        })
        .collect();
    table(["NUMBER", "SEVERITY", "STATUS", "TITLE", "FOUND"], &rows)
}
