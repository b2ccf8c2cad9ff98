//! `provisioner work`: sends the writes of runs that another process has decided.

use std::num::NonZeroUsize;
use std::time::SystemTime;

use clap::Args;

use super::Common;
use super::output::Output;
use crate::causes::with_cause;
use crate::engine::{Environment, work};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::recording::Actor;

#[derive(Debug, Args)]
pub(super) struct WorkArgs {
    #[command(flatten)]
    common: Common,
    /// Sends N requests in parallel instead of the configured number.
    #[arg(long, value_name = "N")]
    concurrency: Option<NonZeroUsize>,
}

pub(super) async fn run(args: &WorkArgs) -> Exit {
    let mut config = match args.common.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    config.options.concurrency = args.concurrency.unwrap_or(config.options.concurrency);
    // The seed only spreads retries over time: any will do.
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let state = match args.common.state() {
        Ok(state) => state,
        Err(error) => {
            Output::error(&error.to_string());
            return Exit::Usage;
        }
    };
    let mut environment = match Environment::system(&config, state, seed) {
        Ok(environment) => environment,
        Err(error) => {
            Output::error(&format!("{}; {}", with_cause(&error), error.way_out()));
            return Exit::ConnectionUnusable;
        }
    };
    environment.recording.actor = Actor::from_environment(&|name| std::env::var(name).ok());
    let interrupt = Interrupt::default();
    let signals = super::interrupt::listen_to(interrupt.clone());
    let ended = work::work(config, environment, interrupt).await;
    drop(signals);
    match ended {
        Ok(()) => Exit::Done,
        Err(error) => {
            Output::store_error(&error);
            Exit::Usage
        }
    }
}
