//! The program `conformance`.

use std::process::ExitCode;

/// Thousands of cells and cases make small things and drop them on another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    conformance::cli::run(std::env::args_os()).into()
}
