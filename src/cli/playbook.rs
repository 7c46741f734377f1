//! The playbook a command is about, by file or by name.

use std::path::{Path, PathBuf};

use crate::{
    action,
    config::Config,
    diagnostic,
    playbook::{self, Loaded, Playbook},
};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("no playbook is called {name}{}", nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    NoPlaybook { name: String, nearest: Option<String> },
    /// They were printed.
    #[error("the playbook has faults")]
    Faults,
}

/// The playbook in the file `name`, or of this name in the configured folders.
///
/// # Errors
/// When there is none, or it has faults, which were printed.
pub fn find(name: &str, config: &Config) -> Result<Playbook, FindError> {
    loaded(name, config).map(|loaded| loaded.playbook)
}

/// The same with what decides its version.
///
/// # Errors
/// As of [`find`].
pub fn loaded(name: &str, config: &Config) -> Result<Loaded, FindError> {
    let file = Path::new(name);
    let paths: &[PathBuf] = if file.is_file() { &[file.to_owned()] } else { &config.playbooks };
    let loading = playbook::load_files(paths, config.templates.as_deref(), Some(config), &action::vocabulary());
    let mut playbooks = loading.playbooks;
    let meant = |loaded: &Loaded| file.is_file() || loaded.playbook.name.eq_ignore_ascii_case(name);
    if let Some(at) = playbooks.iter().position(meant) {
        return Ok(playbooks.swap_remove(at));
    }
    if !loading.faults.is_empty() {
        for fault in &loading.faults {
            eprintln!("{fault}\n");
        }
        return Err(FindError::Faults);
    }
    let nearest =
        diagnostic::nearest(name, playbooks.iter().map(|loaded| loaded.playbook.name.as_str())).map(str::to_owned);
    Err(FindError::NoPlaybook { name: name.to_owned(), nearest })
}
