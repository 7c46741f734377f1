//! `larum schema`: JSON schemas for editors, and the reference made from them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Exit, data, reference};
use crate::{action, config::Config, playbook, testing};

/// Prints the JSON schema of a kind of file, for editors. `larum new` writes what an editor needs beside the playbooks.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of which files.
    #[arg(value_enum, default_value_t)]
    of: Of,
    /// Writes every schema into this folder instead, over those that are there.
    #[arg(long, value_name = "DIR", conflicts_with = "markdown")]
    write: Option<PathBuf>,
    /// Writes the reference of triggers, actions and connections into this folder instead, in Markdown.
    #[arg(long, value_name = "DIR")]
    markdown: Option<PathBuf>,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Of {
    /// Playbooks.
    #[default]
    Playbook,
    /// Tests of playbooks.
    Tests,
    /// larum.yaml.
    Config,
}

impl Of {
    /// The schema (draft 7).
    #[must_use]
    pub fn schema(self) -> Value {
        match self {
            Self::Playbook => playbook::schema(&action::vocabulary()),
            Self::Tests => testing::schema(),
            Self::Config => Config::schema(),
        }
    }
}

/// Prints or writes.
pub fn run(args: &Args) -> Exit {
    let (folder, files) = match (&args.write, &args.markdown) {
        (Some(folder), _) => (folder, files()),
        (None, Some(folder)) => (folder, reference::pages()),
        (None, None) => {
            return data::print(&text(args.of)).map_or_else(|fault| fault.tell(), |()| Exit::Done);
        }
    };
    for (name, text) in files {
        if let Err(error) = write(&folder.join(&name), &text) {
            eprintln!("error: cannot write `{}`: {error}", folder.join(name).display());
            return Exit::WorldFailed;
        }
    }
    Exit::Done
}

/// Every schema, by the name of its file.
#[must_use]
pub fn files() -> Vec<(String, String)> {
    let all = [("playbook.json", Of::Playbook), ("tests.json", Of::Tests), ("config.json", Of::Config)];
    all.into_iter().map(|(name, of)| (name.to_owned(), text(of))).collect()
}

fn text(of: Of) -> String {
    format!("{:#}\n", of.schema())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}
