//! `provisioner sync`: one run.

use std::num::NonZeroUsize;

use clap::Args;

use super::{Access, Allow, Common};
use crate::engine::SyncOptions;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    allow: Allow,
    /// Provisions N users in parallel instead of the configured number.
    #[arg(long, value_name = "N")]
    concurrency: Option<NonZeroUsize>,
    /// Approves exactly N removals and disables, whatever the delete guard says.
    #[arg(long, value_name = "N")]
    approve_removals: Option<u32>,
    /// Has `provisioner work` on this or other machines send the writes; needs a PostgreSQL state.
    #[arg(long)]
    workers: bool,
}

pub(super) async fn run(args: &SyncArgs) -> Exit {
    let provisioner = match args.common.open_with(Access::Write, args.concurrency).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let signals = super::interrupt::listen(&provisioner);
    let options = SyncOptions { workers: args.workers, ..args.allow.options(args.approve_removals) };
    let report = provisioner.sync(options).await;
    drop(signals);
    provisioner.close().await;
    args.common.output().report(&report);
    report.exit
}
