//! Many clients write to one application at once; afterwards everything has to agree.
//!
//! `cargo run --release -p mock-aquera --example hammer -- --seconds 60 --clients 64`

mod program;
mod work;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    program::run().await
}
