//! The binary: parse the command line, hand over.

use std::process::ExitCode;

/// The system's allocator takes a sixth of all time under load, in many small JSON values freed by other threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    larum::cli::main()
}
