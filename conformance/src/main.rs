//! The program `conformance`.

use std::process::ExitCode;

fn main() -> ExitCode {
    conformance::cli::run(std::env::args_os()).into()
}
