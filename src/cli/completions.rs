//! `larum completions`: what a shell completes after `larum`.

use std::io::{self, Write};

use clap::CommandFactory;

use super::{Cli, Exit};

/// Prints the completions of a shell, to be put where it looks for them.
#[derive(Debug, clap::Args)]
#[command(after_help = "For bash: larum completions bash > /etc/bash_completion.d/larum")]
pub struct Args {
    /// The shell.
    shell: clap_complete::Shell,
}

/// Prints them.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "larum", &mut script);
    if io::stdout().lock().write_all(&script).is_ok() { Exit::Done } else { Exit::WorldFailed }
}
