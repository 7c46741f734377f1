//! `larum tokens`: who may ask the server for what. Through a running server, or in the data folder when none holds it.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    Exit, Output,
    client::{Again, ServerArgs},
    data::{self, DataArgs, Fault},
    table::{block, instant, table},
    workspace::segment,
};
use crate::{
    access::{IssueError, Lifetime, Role, StoredToken, TokenRequest, TokenResource},
    clock::{Clock, SystemClock},
    store::{OpenError, SqliteStore, incidents::IncidentStore},
};

/// Make, list and revoke the tokens that clients are let in by.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a token and print it. It is shown this once.
    Create(Create),
    /// List tokens, those too that count no more.
    List(List),
    /// Make a token useless, at once.
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// What it is called: the person or program that will use it.
    name: String,
    /// What it lets its holder do.
    #[arg(long, value_enum)]
    role: Role,
    /// How long it counts, such as `90d`, or `never` for a token without end. Default: a year.
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// The token's name or its id.
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Where the tokens are.
#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    server: ServerArgs,
    /// How to print what came of it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

impl Place {
    /// Whether a server is to be asked: one was named or a token for the usual one, and no data folder.
    fn is_a_server(&self) -> bool {
        (self.server.names_one() || self.server.has_token()) && !self.data.names_one()
    }

    /// The data folder, to change it.
    fn open(&self) -> Result<Arc<SqliteStore>, Fault> {
        let folder = self.data.folder(&self.data.config()?);
        data::make_folder(&folder)?;
        SqliteStore::open(&folder).map_err(|error| match error {
            OpenError::InUse(folder) => Fault::Input(format!(
                "the data folder {} is held by a running server: set LARUM_URL to its address and LARUM_TOKEN to an \
                 administrator's token and run this again, or stop the server first",
                folder.display()
            )),
            error => error.into(),
        })
    }
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::Create(args) => create(args, SystemClock.now()),
        Command::List(args) => list(args, SystemClock.now()),
        Command::Revoke(args) => revoke(args, SystemClock.now()),
    };
    done.map_or_else(|fault| fault.tell(), |()| Exit::Done)
}

fn create(args: &Create, now: DateTime<Utc>) -> Result<(), Fault> {
    let (name, place) = (&args.name, &args.place);
    let undone = format!("the token {name} was not made");
    let lifetime = match &args.expires {
        None => Lifetime::default(),
        Some(text) => Lifetime::parse(text).map_err(|error| Fault::Input(format!("{undone}: --expires: {error}")))?,
    };
    let made = if place.is_a_server() {
        let mut body = json!({"name": name, "role": args.role});
        if let Some(text) = &args.expires {
            body["expires"] = json!(text);
        }
        let client = place.server.client()?;
        data::block_on(client.get_done(Method::POST, "/api/tokens", Some(&body), Again::Never, &undone))?.body
    } else {
        let request = TokenRequest { name: name.clone(), role: args.role, lifetime, by: "the command line".into() };
        let issued = request.issue(now).map_err(|error| match error {
            IssueError::BadName(_) => Fault::Input(format!("{undone}: {error}")),
            IssueError::Random(error) => error.into(),
        })?;
        let store = place.open()?;
        if !data::block_on(async { Ok(store.keep_token(issued.stored.clone()).await?) })? {
            let message = format!("{undone}: one of this name is in use; revoke that, or choose another name");
            return Err(Fault::Input(message));
        }
        let mut made = json!(TokenResource::of(&issued.stored, now));
        made["token"] = json!(issued.token.expose_secret());
        made
    };
    let token = made["token"].as_str().unwrap_or_default();
    if place.output == Output::Json {
        return data::print(&format!("{made:#}\n"));
    }
    let until = made["expires"].as_str().map_or("until it is revoked".to_owned(), |at| format!("until {at}"));
    // The token alone goes to the standard output, so that a script can take it from there.
    eprintln!(
        "{}",
        block(&format!("the token {name} ({}) is good {until}; it is shown this once:", args.role.as_str()))
    );
    data::print(&format!("{token}\n"))
}

fn list(args: &List, now: DateTime<Utc>) -> Result<(), Fault> {
    let place = &args.place;
    let tokens = if place.is_a_server() {
        let client = place.server.client()?;
        let asked = client.get_done(Method::GET, "/api/tokens", None, Again::Harmless, "the tokens cannot be listed");
        match data::block_on(asked)?.body["value"].take() {
            Value::Array(tokens) => tokens,
            _ => return Err(Fault::Server("the server's answer holds no list".to_owned())),
        }
    } else {
        let (_, store) = place.data.open()?;
        let tokens: Vec<StoredToken> = data::block_on(async { Ok(store.tokens().await?) })?;
        tokens.iter().map(|token| json!(TokenResource::of(token, now))).collect()
    };
    data::print(&match place.output {
        Output::Json => format!("{:#}\n", Value::Array(tokens)),
        Output::Text if tokens.is_empty() => "no tokens\n".to_owned(),
        Output::Text => as_table(&tokens),
    })
}

fn as_table(tokens: &[Value]) -> String {
    let text = |token: &Value, name: &str| token[name].as_str().unwrap_or_default().to_owned();
    let at = |token: &Value, name: &str| text(token, name).parse().map(instant).unwrap_or_default();
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            let expires = if token["expires"].is_null() { "never".to_owned() } else { at(token, "expires") };
            [
                text(token, "name"),
                text(token, "role"),
                text(token, "status"),
                at(token, "created"),
                expires,
                text(token, "createdBy"),
            ]
        })
        .collect();
    table(["NAME", "ROLE", "STATUS", "CREATED", "EXPIRES", "BY"], &rows)
}

fn revoke(args: &Revoke, now: DateTime<Utc>) -> Result<(), Fault> {
    let (name, place) = (&args.name, &args.place);
    let undone = format!("the token {name} was not revoked");
    let unknown = || Fault::Input(format!("{undone}: none of this name is in use; `larum tokens list` shows them"));
    let mut line = format!("the token {name} is refused from now on\n");
    if place.is_a_server() {
        let client = place.server.client()?;
        let path = format!("/api/tokens/{}/revoke", segment(name));
        let asked = client.ask(Method::POST, &path, None, Again::Harmless);
        let answer = data::block_on(asked)?.map_err(|lost| lost.fault(&undone))?;
        match answer.status {
            StatusCode::NOT_FOUND if answer.is_repeated => {
                line = format!("no token {name} is in use; an answer was lost, so this may have revoked it\n");
            }
            StatusCode::NOT_FOUND => return Err(unknown()),
            _ => drop(answer.or_refused(&undone)?),
        }
    } else {
        let store = place.open()?;
        if !data::block_on(async { Ok(store.revoke_token(name, now).await?) })? {
            return Err(unknown());
        }
    }
    data::print(&match place.output {
        Output::Text => block(&line),
        Output::Json => {
            format!("{:#}\n", json!({"name": name, "revoked": now.to_rfc3339_opts(SecondsFormat::Secs, true)}))
        }
    })
}
