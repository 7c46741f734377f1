//! `larum mail status`, `dead` and `retry`: how the mailboxes are, and the mails that could not be taken.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use serde_json::{Value, json};

use super::{
    Exit, Output,
    data::{self, DataArgs, Fault},
    table::{instant, table},
};
use crate::{
    config::{Config, Connection},
    store::{
        Store,
        mailbox::{Cursor, DeadLetter, Feed},
    },
    trigger::mailbox,
};

/// Show mailboxes and dead letters, beside a running server or without one.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show each mailbox: when it was last heard, its place, its last fault, its counts.
    Status(List),
    /// List the dead letters, newest first; with a number, print that mail as it was received.
    Dead(Dead),
    /// Ask that a dead letter be tried again.
    Retry(Retry),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    data: DataArgs,
    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct Dead {
    /// A dead letter's number.
    id: Option<i64>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
struct Retry {
    /// The dead letter's number.
    id: i64,
    #[command(flatten)]
    data: DataArgs,
}

/// Runs the command.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::Status(args) => status(args),
        Command::Dead(Dead { id: Some(id), list }) => raw(*id, &list.data),
        Command::Dead(Dead { id: None, list }) => dead(list),
        Command::Retry(args) => retry(args),
    };
    done.map_or_else(|fault| fault.tell(), |()| Exit::Done)
}

fn status(args: &List) -> Result<(), Fault> {
    let (config, store) = args.data.open()?;
    let mut feeds = data::block_on(async { Ok(store.feeds().await?) })?;
    feeds.retain(|feed| is_mailbox(feed, &config));
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", json!(feeds)),
        Output::Text if feeds.is_empty() => "no mailbox was read yet\n".to_owned(),
        Output::Text => feeds_as_text(&feeds),
    })
}

/// Forms and schedules have feeds too.
fn is_mailbox(feed: &Feed, config: &Config) -> bool {
    let known = config.connections.get(&feed.name.connection);
    matches!(known, Some(Connection::Imap(_) | Connection::Maildir(_)))
        || matches!(feed.cursor, Some(Cursor::Imap { .. }))
        || feed.name.connection == mailbox::EMBEDDED
}

fn feeds_as_text(feeds: &[Feed]) -> String {
    let row = |feed: &Feed| {
        let place = match &feed.cursor {
            Some(Cursor::Imap { uid_validity, uid }) => format!("{uid_validity}/{uid}"),
            Some(Cursor::Tick { .. }) | None => "-".to_owned(),
        };
        [
            feed.name.connection.clone(),
            feed.name.folder.clone(),
            feed.heard.map_or_else(|| "never".to_owned(), instant),
            place,
            feed.accepted.to_string(),
            feed.duplicates.to_string(),
            feed.skipped.to_string(),
            feed.dead.to_string(),
            match (&feed.fault, feed.heard) {
                (Some(_), _) => "failing",
                (None, Some(_)) => "well",
                (None, None) => "not read yet",
            }
            .to_owned(),
        ]
    };
    let heading = ["CONNECTION", "FOLDER", "LAST HEARD", "PLACE", "ACCEPTED", "DUPLICATES", "SKIPPED", "DEAD", "STATE"];
    let mut text = table(heading, &feeds.iter().map(row).collect::<Vec<_>>());
    // A fault is a sentence, too long for a column.
    for feed in feeds {
        if let Some((at, fault)) = &feed.fault {
            let fault = crate::mail::shown::line(fault, 1_000);
            text.push_str(&format!(
                "\n{}/{} since {}: {fault}\n",
                feed.name.connection,
                feed.name.folder,
                instant(*at)
            ));
        }
    }
    text
}

fn dead(args: &List) -> Result<(), Fault> {
    let (_, store) = args.data.open()?;
    let letters = data::block_on(async { Ok(store.dead_letters().await?) })?;
    data::print(&match args.output {
        Output::Json => format!("{:#}\n", Value::Array(letters.iter().map(|letter| json!(letter)).collect())),
        Output::Text if letters.is_empty() => "no dead letters\n".to_owned(),
        Output::Text => letters_as_text(&letters),
    })
}

fn letters_as_text(letters: &[DeadLetter]) -> String {
    let row = |letter: &DeadLetter| {
        [
            letter.id.to_string(),
            instant(letter.at),
            letter.feed.connection.clone(),
            letter.feed.folder.clone(),
            letter.bytes.to_string(),
            match (letter.retrying, letter.whole) {
                (true, _) => "to be tried again",
                (false, true) => "whole",
                (false, false) => "headers only",
            }
            .to_owned(),
            letter.reason.clone(),
        ]
    };
    let heading = ["ID", "AT", "CONNECTION", "FOLDER", "BYTES", "KEPT", "REASON"];
    table(heading, &letters.iter().map(row).collect::<Vec<_>>())
}

fn raw(id: i64, args: &DataArgs) -> Result<(), Fault> {
    let (_, store) = args.open()?;
    let raw = data::block_on(async { Ok(store.dead_letter_raw(id).await?) })?;
    let raw = raw.ok_or_else(|| Fault::Input(format!("there is no dead letter {id}")))?;
    match io::stdout().lock().write_all(&raw) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn retry(args: &Retry) -> Result<(), Fault> {
    let (config, store) = args.data.open()?;
    let letters = data::block_on(async { Ok(store.dead_letters().await?) })?;
    let letter = letters.iter().find(|letter| letter.id == args.id);
    let letter = letter.ok_or_else(|| Fault::Input(format!("there is no dead letter {}", args.id)))?;
    if !letter.whole {
        let said = format!("of dead letter {} only the headers were kept; the mail is in the mailbox", args.id);
        return Err(Fault::Input(said));
    }
    let folder: PathBuf = args.data.folder(&config);
    mailbox::request_retry(&folder, args.id).map_err(io::Error::from)?;
    data::print(&format!(
        "dead letter {} is tried again by the running server, or by the next one at its start\n",
        args.id
    ))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::store::mailbox::FeedName;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_mailbox_that_fails_shows_since_when_and_why() {
        let feed = Feed {
            name: FeedName { connection: "soc-mailbox".into(), folder: "INBOX".into() },
            cursor: Some(Cursor::Imap { uid_validity: 7, uid: 1200 }),
            met: Some(at("2026-11-01T00:00:00Z")),
            start: None,
            heard: Some(at("2026-11-24T09:00:00Z")),
            fault: Some((at("2026-11-24T09:05:00Z"), "imap.example.com:993 cannot be reached: refused".into())),
            accepted: 1190,
            duplicates: 4,
            skipped: 6,
            dead: 0,
        };
        let never = Feed {
            name: FeedName { connection: "embedded".into(), folder: "INBOX".into() },
            cursor: None,
            met: None,
            heard: None,
            fault: None,
            ..feed.clone()
        };
        insta::assert_snapshot!(feeds_as_text(&[never, feed]));
    }

    #[test]
    fn a_dead_letter_shows_what_was_kept_and_why() {
        let letter = DeadLetter {
            id: 3,
            feed: FeedName { connection: "soc-mailbox".into(), folder: "INBOX".into() },
            at: at("2026-11-24T09:05:00Z"),
            reason: "the message is empty".into(),
            bytes: 0,
            whole: true,
            retrying: false,
        };
        let large = DeadLetter { id: 4, whole: false, bytes: 900, reason: "too large".into(), ..letter.clone() };
        insta::assert_snapshot!(letters_as_text(&[large, letter]));
    }
}
