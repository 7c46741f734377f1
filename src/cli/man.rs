//! `larum man`: the manual pages.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use clap::CommandFactory;

use super::{Cli, Exit};

/// Writes the manual pages, one for each command, or prints that of `larum` itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "To install them: larum man --out /usr/local/share/man/man1")]
pub struct Args {
    /// The folder to write them to; made where it is missing.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes or prints them.
#[must_use]
pub fn run(args: &Args) -> Exit {
    let larum = Cli::command();
    let written = match &args.out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(larum).render(&mut page).and_then(|()| io::stdout().lock().write_all(&page))
        }
        Some(folder) => fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(larum, folder)),
    };
    match written {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: the manual pages cannot be written: {error}");
            Exit::WorldFailed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_a_completion() {
        let folder = tempfile::tempdir().unwrap();
        let args = Args { out: Some(folder.path().join("man1")) };
        assert_eq!(run(&args), Exit::Done);
        let mut script = Vec::new();
        clap_complete::generate(clap_complete::Shell::Bash, &mut Cli::command(), "larum", &mut script);
        let script = String::from_utf8(script).unwrap();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            let page = fs::read_to_string(folder.path().join(format!("man1/larum-{name}.1"))).unwrap();
            assert!(page.contains("SYNOPSIS"), "{page}");
            assert!(script.contains(&format!("larum,{name})")), "{name} is completed");
        }
        assert!(folder.path().join("man1/larum-runs-show.1").exists(), "commands in commands have theirs");
    }
}
