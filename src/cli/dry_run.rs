//! `larum run --dry-run`: what a playbook would do with an event, or with the newest mails of a mailbox.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Exit, Output,
    data::{self, Fault},
    playbook::{FindError, loaded},
    table::block,
};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    playbook::Trigger,
    testing::{DryRun, Given, Subject},
    trigger::mailbox::{Peeked, feed_name, peek},
};

/// What is tried.
pub(super) enum Tried<'a> {
    Event(Given),
    /// The newest mails of a mailbox.
    Mailbox {
        connection: &'a str,
        last: u32,
    },
}

/// Tries it and prints what would be done. A run that would not succeed exits with 1; mails that the playbook does not
/// take are no fault.
pub(super) fn run(playbook: &str, config: Config, given: Tried<'_>, output: Output) -> Exit {
    match tried(playbook, config, given, output) {
        Ok(true) => Exit::Done,
        Ok(false) => Exit::InputAtFault,
        Err(fault) => fault.tell(),
    }
}

fn tried(playbook: &str, config: Config, given: Tried<'_>, output: Output) -> Result<bool, Fault> {
    let loaded = loaded(playbook, &config).map_err(|error: FindError| Fault::Input(error.to_string()))?;
    let config = Arc::new(config);
    let subject = Subject::new(loaded, config.clone()).map_err(|error| Fault::Input(error.to_string()))?;
    let mut shown = Shown { output, all: Vec::new(), well: true };
    match given {
        Tried::Event(given) => {
            let runs = subject.dry_run(&given, SystemClock.now());
            let runs = runs.map_err(|error| Fault::Input(format!("the mail cannot be read: {error}")))?;
            shown.well = runs.iter().all(|run| run.status == "succeeded");
            shown.runs(None, &runs)?;
        }
        Tried::Mailbox { connection, last } => {
            let mut printed = Ok(());
            let each = &mut |mail: Peeked| {
                if printed.is_ok() {
                    printed = shown.mail(&subject, mail, SystemClock.now());
                }
            };
            let folder = folder(&subject, connection);
            data::block_on(async {
                let peeked = peek(&config, connection, &folder, last, each).await;
                peeked.map_err(|fault| Fault::Server(format!("the mailbox {connection} cannot be read: {fault}")))
            })?;
            printed?;
        }
    }
    shown.finish()
}

/// The folder that the playbook reads of this connection.
fn folder(subject: &Subject, connection: &str) -> String {
    match &subject.playbook().trigger {
        Trigger::Mailbox(listens) if feed_name(listens).connection == connection => listens.folder.clone(),
        _ => "INBOX".to_owned(),
    }
}

/// What is printed: text at once, JSON as one list at the end.
struct Shown {
    output: Output,
    all: Vec<Value>,
    well: bool,
}

impl Shown {
    fn mail(&mut self, subject: &Subject, mail: Peeked, now: DateTime<Utc>) -> Result<(), Fault> {
        let Peeked { place, received, content } = mail;
        let runs = content.and_then(|raw| {
            let given = Given::Mail(raw, received);
            subject.dry_run(&given, now).map_err(|error| error.to_string())
        });
        match runs {
            Ok(runs) => {
                self.well &= runs.iter().all(|run| matches!(run.status, "succeeded" | "not_started"));
                self.runs(Some(&place), &runs)
            }
            Err(because) => self.print(
                || json!({"mail": place, "dead": because}),
                || format!("{place}: would go to the dead-letter box: {because}\n\n"),
            ),
        }
    }

    fn runs(&mut self, place: Option<&str>, runs: &[DryRun]) -> Result<(), Fault> {
        for run in runs {
            let value = || {
                let mut value = json!(run);
                if let Some(place) = place {
                    value["mail"] = place.into();
                }
                value
            };
            let text = || match place {
                Some(place) => format!("{place}\n{run}\n"),
                None => format!("{run}\n"),
            };
            self.print(value, text)?;
        }
        Ok(())
    }

    fn print(&mut self, value: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Result<(), Fault> {
        match self.output {
            Output::Json => {
                self.all.push(value());
                Ok(())
            }
            Output::Text => data::print(&block(&text())),
        }
    }

    /// Whether all went well.
    fn finish(self) -> Result<bool, Fault> {
        match self.output {
            Output::Json => data::print(&format!("{:#}\n", Value::Array(self.all)))?,
            Output::Text => data::print("Nothing was performed.\n")?,
        }
        Ok(self.well)
    }
}
