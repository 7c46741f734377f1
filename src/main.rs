//! The binary: parse the command line, hand over.

use std::process::ExitCode;

fn main() -> ExitCode {
    larum::cli::main()
}
