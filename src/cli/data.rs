//! The data folder a command reads, beside a running server or without one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{ConfigArgs, Exit};
use crate::{
    app,
    config::Config,
    secret::Vault,
    store::{OpenError, SqliteStore, StoreError},
};

/// Where the data are.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The data folder, whatever the configuration says.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Why a command that reads has nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its faults were printed.
    #[error("the configuration is at fault")]
    Config(Exit),
    #[error("{0}")]
    Open(#[from] OpenError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Input(String),
    /// A server that cannot be reached, or that fails.
    #[error("{0}")]
    Server(String),
    #[error("{0}")]
    World(#[from] std::io::Error),
}

impl Fault {
    /// Says it, and how the command ends.
    pub fn tell(&self) -> Exit {
        eprintln!("error: {self}");
        match self {
            Self::Config(exit) => *exit,
            Self::Input(_) | Self::Store(StoreError::ShortBeginning { .. }) => Exit::InputAtFault,
            Self::Open(_) | Self::Store(_) | Self::Server(_) | Self::World(_) => Exit::WorldFailed,
        }
    }
}

impl DataArgs {
    /// The configuration, and the store opened to read only.
    ///
    /// # Errors
    /// When the configuration is at fault or the folder holds no database of this version.
    pub fn open(&self) -> Result<(Config, Arc<SqliteStore>), Fault> {
        let config = self.config()?;
        let store = SqliteStore::open_read_only(&self.folder(&config))?;
        Ok((config, store))
    }

    /// The configuration.
    ///
    /// # Errors
    /// When it is at fault, which was printed.
    pub fn config(&self) -> Result<Config, Fault> {
        self.config.load().map_err(Fault::Config)
    }

    /// Whether a folder or a configuration was named.
    #[must_use]
    pub fn names_one(&self) -> bool {
        self.data.is_some() || self.config.config.is_some()
    }

    /// What opens sealed records. A folder that never ran has no key yet, and none is made.
    ///
    /// # Errors
    /// When there is a key that cannot be read.
    pub fn vault(&self, config: &Config) -> io::Result<Vault> {
        let key = self.folder(config).join("key");
        if !key.exists() {
            return Ok(Vault::ephemeral(""));
        }
        Vault::open(&key).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", key.display())))
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self, config: &Config) -> PathBuf {
        self.data.clone().unwrap_or_else(|| config.data.clone())
    }
}

/// Makes the data folder when there is none yet.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(folder: &Path) -> Result<(), Fault> {
    Ok(app::make_private(folder)?)
}

/// A text that was given, or what comes by the standard input when it is `-`.
///
/// # Errors
/// When the standard input cannot be read or is no text.
pub fn given(text: &str) -> Result<String, Fault> {
    if text == "-" { Ok(io::read_to_string(io::stdin())?) } else { Ok(text.to_owned()) }
}

/// Runs a command's questions to their end.
///
/// # Errors
/// What `work` fails with, or the system when it gives no threads.
pub fn block_on<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Prints what a command found.
pub fn print(text: &str) -> Result<(), Fault> {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
