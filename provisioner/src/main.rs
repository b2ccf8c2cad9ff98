//! The program `provisioner`.

use std::process::ExitCode;

/// A run allocates for each user what another thread frees, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    provisioner::cli::main()
}
