//! The program `provisioner`.

use std::process::ExitCode;

fn main() -> ExitCode {
    provisioner::cli::main()
}
