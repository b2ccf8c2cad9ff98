//! The program `mock-aquera`: see the library's [`cli`](mock_aquera::cli).

use std::process::ExitCode;

/// The journal frees what was allocated thousands of requests ago, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mock_aquera::cli::run(std::env::args_os()).into()
}
