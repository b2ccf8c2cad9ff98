//! The program `mock-aquera`: see the library's [`cli`](mock_aquera::cli).

use std::process::ExitCode;

fn main() -> ExitCode {
    mock_aquera::cli::run(std::env::args_os()).into()
}
