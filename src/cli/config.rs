//! Which configuration a command works with.

use std::path::{Path, PathBuf};

use super::Exit;
use crate::config::Config;

/// The configuration's file, the same option for every command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigArgs {
    /// The configuration; without it, `larum.yaml` where there is one, else safe defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads it; its faults are printed and give the exit code.
    ///
    /// # Errors
    /// The exit code, after the faults were printed.
    pub fn load(&self) -> Result<Config, Exit> {
        configuration(self.config.as_deref())
    }
}

/// The configuration file that is meant: the one named, else `larum.yaml` of this folder where there is one.
pub(super) fn chosen(named: Option<&Path>) -> Option<&Path> {
    let usual = Path::new("larum.yaml");
    named.or_else(|| usual.exists().then_some(usual))
}

/// The configuration at `path`, or `larum.yaml` of this folder, or the defaults.
///
/// # Errors
/// The exit code, after the faults were printed.
pub fn configuration(path: Option<&Path>) -> Result<Config, Exit> {
    let Some(path) = chosen(path) else { return Ok(Config::default()) };
    Config::load(path).map_err(|faults| {
        for fault in &faults {
            eprintln!("{fault}\n");
        }
        Exit::InputAtFault
    })
}
