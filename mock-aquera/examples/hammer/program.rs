//! The command line, and what it prints.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mock_aquera::MockAquera;

use crate::work::{Plan, broken_invariants, hammer};

/// Hammers a mock with mixed writes and checks what is left.
#[derive(Debug, Parser)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many clients at once.
    #[arg(long, default_value_t = 64)]
    clients: u64,
    /// Decides what the clients do; which of them comes first is up to the machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run() -> ExitCode {
    let Options { seconds, clients, seed } = Options::parse();
    let mock = match MockAquera::builder().seed(seed).start().await {
        Ok(mock) => mock,
        Err(error) => {
            eprintln!("error: failed to {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("hammer: {clients} clients for {seconds} s, seed {seed}");
    let begun = Instant::now();
    let end = Some(begun + Duration::from_secs(seconds));
    let tally = hammer(&mock, Plan { clients, seed, operations: u64::MAX, end }).await;
    let took = begun.elapsed();
    println!("{tally}");
    let (users, groups) = (tally.users, tally.groups);
    println!(
        "{} requests in {:.1} s; users: {} made, {} deleted; groups: {} made, {} deleted",
        tally.requests(),
        took.as_secs_f64(),
        users.0,
        users.1,
        groups.0,
        groups.1
    );
    let broken = broken_invariants(&mock, &tally).await;
    if broken.is_empty() {
        println!("consistent: indexes, groups, totals, journal, and what HTTP shows of them");
        return ExitCode::SUCCESS;
    }
    for what in &broken {
        println!("BROKEN: {what}");
    }
    ExitCode::FAILURE
}
