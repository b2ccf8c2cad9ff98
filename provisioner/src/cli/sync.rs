//! `provisioner sync`: one run.

use std::num::NonZeroUsize;

use clap::Args;

use super::interrupt::not_interrupted;
use super::telemetry::TelemetryArgs;
use super::{Access, Allow, Approval, Common};
use crate::engine::SyncOptions;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) allow: Allow,
    /// Prints what the run would do, without a write to the target or the state.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Provisions N users in parallel instead of the configured number.
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<NonZeroUsize>,
    /// Runs N connections of a directory in parallel instead of one after the other.
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) approval: Approval,
    #[command(flatten)]
    pub(super) telemetry: TelemetryArgs,
    /// Has `provisioner work` on this or other machines send the writes; needs a PostgreSQL state.
    #[arg(long)]
    pub(super) workers: bool,
}

pub(super) async fn run(args: &SyncArgs) -> Exit {
    if args.common.config.is_dir() {
        return super::directory::sync(args).await;
    }
    let access = if args.dry_run { Access::Read } else { Access::Write };
    let provisioner = match args.common.open_with(access, args.concurrency).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let (mut telemetry, provisioner) = match args.telemetry.start(provisioner).await {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let options = SyncOptions { workers: args.workers, ..args.allow.options(&args.approval) };
    let report = if args.dry_run {
        match not_interrupted(provisioner.dry_run(&options)).await {
            Ok(report) => report,
            Err(exit) => return exit,
        }
    } else {
        let signals = super::interrupt::listen(&provisioner);
        let report = provisioner.sync(options).await;
        drop(signals);
        report
    };
    let exit = telemetry.write(provisioner.config(), &report);
    provisioner.close().await;
    telemetry.finish().await;
    args.common.output().report(&report);
    exit
}
