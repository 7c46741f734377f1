//! `larum hooks`: the signed addresses of webhooks, and the keys they are signed with.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::{
    Exit, Output,
    data::{self, DataArgs, Fault},
    playbook,
};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    duration,
    playbook::{Admits, Segment, Trigger, WebhookTrigger},
    trigger::webhook::{CallbackKeys, KeyName},
};

/// Make signed addresses of webhooks, and change the keys they are signed with.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print an address that starts a playbook; whoever has it may.
    Url(UrlArgs),
    /// Make a new key, so that no address signed with the old one counts any more.
    Rotate(RotateArgs),
}

#[derive(Debug, clap::Args)]
struct UrlArgs {
    /// A playbook's file, or the name of one in the configured folders.
    playbook: String,
    /// How long the address counts, such as `30d`. Default: until its key is changed.
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires: Option<std::time::Duration>,
    /// The key it is signed with.
    #[arg(long, value_enum, default_value_t)]
    key: Key,
    #[command(flatten)]
    data: DataArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// The key to be changed.
    #[arg(value_enum)]
    key: Key,
    #[command(flatten)]
    data: DataArgs,
}

/// One of the two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Key {
    #[default]
    Primary,
    Secondary,
}

impl From<Key> for KeyName {
    fn from(key: Key) -> Self {
        match key {
            Key::Primary => Self::Primary,
            Key::Secondary => Self::Secondary,
        }
    }
}

fn lifetime(text: &str) -> Result<std::time::Duration, String> {
    duration::parse(text).filter(|time| !time.is_zero()).ok_or_else(|| duration::FORMS.to_owned())
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::Url(args) => url(args, SystemClock.now()),
        Command::Rotate(args) => rotate(args),
    };
    done.map_or_else(|fault| fault.tell(), |()| Exit::Done)
}

fn url(args: &UrlArgs, now: DateTime<Utc>) -> Result<(), Fault> {
    let config = args.data.config()?;
    let playbook = playbook::find(&args.playbook, &config).map_err(|error| Fault::Input(error.to_string()))?;
    let Trigger::Webhook(webhook) = &playbook.trigger else {
        let kind = playbook.trigger.kind();
        let message = format!("{} is started by a {kind} trigger; only a webhook has an address", playbook.name);
        return Err(Fault::Input(message));
    };
    let expires = match args.expires {
        None => None,
        Some(time) => {
            let expires = chrono::Duration::from_std(time).ok().and_then(|time| now.checked_add_signed(time));
            Some(expires.ok_or_else(|| Fault::Input("--expires reaches beyond all time".to_owned()))?)
        }
    };
    let address = address(&config, webhook);
    let url = match &webhook.admits {
        Admits::SignedUrl => {
            let folder = args.data.folder(&config);
            data::make_folder(&folder)?;
            let query = CallbackKeys::of(&folder).query(&webhook.path, args.key.into(), expires)?;
            format!("{address}?{query}")
        }
        Admits::Signed { connection } => {
            eprintln!("its calls are signed as the connection {connection} says; the address needs no signature");
            address
        }
        Admits::Anybody => {
            eprintln!("anybody may call it (connection: none); the address needs no signature");
            address
        }
    };
    data::print(&match args.output {
        Output::Text => format!("{url}\n"),
        Output::Json => {
            let expires = expires.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
            format!("{:#}\n", json!({"playbook": playbook.name, "url": url, "expires": expires}))
        }
    })
}

fn address(config: &Config, webhook: &WebhookTrigger) -> String {
    let mut address = format!("{}/hooks/{}", config.server.link_url(), webhook.path);
    for segment in &webhook.relative_path {
        address.push('/');
        match segment {
            Segment::Text(text) => address.push_str(text),
            // To be filled in by whoever calls.
            Segment::Parameter(name) => address.push_str(&format!("{{{name}}}")),
        }
    }
    address
}

fn rotate(args: &RotateArgs) -> Result<(), Fault> {
    let config = args.data.config()?;
    let folder = args.data.folder(&config);
    data::make_folder(&folder)?;
    CallbackKeys::of(&folder).rotate(args.key.into())?;
    data::print("the key is new; addresses signed with the old one are refused from now on\n")
}
