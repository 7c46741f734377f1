//! `larum graph`: a playbook as a picture.

use std::path::PathBuf;

use super::{Exit, data, diff};
use crate::playbook::{mermaid, svg};

/// Draws a playbook: its actions from top to bottom, what holds actions as a box around them, and on each arrow the statuses that are waited for.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The playbook's file.
    playbook: PathBuf,
    /// The language of the picture.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The language of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A Mermaid flowchart, which code hosts and wikis show.
    #[default]
    Mermaid,
    /// A picture that every browser shows.
    Svg,
}

/// Prints the picture.
pub fn run(args: &Args) -> Exit {
    let Some(outline) = diff::outline(&args.playbook) else { return Exit::InputAtFault };
    let picture = match args.format {
        Format::Mermaid => mermaid(&outline),
        Format::Svg => svg(&outline),
    };
    data::print(&picture).map_or_else(|fault| fault.tell(), |()| Exit::Done)
}
