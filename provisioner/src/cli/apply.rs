//! `provisioner apply`: carries out a saved plan, unless it has gone stale.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;

use super::output::Output;
use super::telemetry::TelemetryArgs;
use super::{Access, Approval, Common};
use crate::causes::with_cause;
use crate::engine::SyncOptions;
use crate::engine::plan::Plan;
use crate::exit::Exit;
use crate::ids::RuleName;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// The plan, as `plan --out` wrote it.
    plan: PathBuf,
    #[command(flatten)]
    common: Common,
    /// Accepts another [source] than that of the last run.
    #[arg(long)]
    accept_new_source: bool,
    /// Accepts a source without users: every user counts as deleted.
    #[arg(long)]
    allow_empty_source: bool,
    /// Allows this rule to match no user although users with accounts leave it; repeatable.
    #[arg(long, value_name = "RULE")]
    allow_empty_scope: Vec<RuleName>,
    /// Provisions N users in parallel instead of the configured number.
    #[arg(long, value_name = "N")]
    concurrency: Option<NonZeroUsize>,
    /// Has `provisioner work` on this or other machines send the writes; needs a PostgreSQL state.
    #[arg(long)]
    workers: bool,
    #[command(flatten)]
    approval: Approval,
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

pub(super) async fn run(args: &ApplyArgs) -> Exit {
    let plan = match read_plan(&args.plan) {
        Ok(plan) => plan,
        Err(error) => {
            Output::error(&format!("{}; make a plan with `plan --out FILE`", with_cause(&error)));
            return Exit::Usage;
        }
    };
    let provisioner = match args.common.open_with(Access::Write, args.concurrency).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let (mut telemetry, provisioner) = match args.telemetry.start(provisioner).await {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let options = SyncOptions {
        full: plan.full,
        accept_new_source: args.accept_new_source,
        allow_empty_source: args.allow_empty_source,
        allow_empty_scope: args.allow_empty_scope.clone(),
        approve_removals: args.approval.approve_removals,
        approve_plan: args.approval.approve.clone(),
        approve_group_removals: args.approval.approve_group_removals,
        workers: args.workers,
    };
    let signals = super::interrupt::listen(&provisioner);
    let applied = provisioner.apply(&plan, options).await;
    drop(signals);
    let exit = applied.as_ref().ok().map(|report| telemetry.write(provisioner.config(), report));
    provisioner.close().await;
    telemetry.finish().await;
    match applied {
        Ok(report) => {
            args.common.output().report(&report);
            exit.unwrap_or(report.exit)
        }
        Err(error) => {
            Output::error(&format!("{error}; make a new plan with `plan --out FILE`"));
            Exit::Usage
        }
    }
}

/// A file that cannot be read as a plan.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error("failed to read the plan {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("failed to parse the plan {}", .0.display())]
    Invalid(PathBuf, #[source] serde_json::Error),
}

fn read_plan(file: &Path) -> Result<Plan, PlanError> {
    let text = fs::read_to_string(file).map_err(|error| PlanError::Unreadable(file.to_owned(), error))?;
    serde_json::from_str(&text).map_err(|error| PlanError::Invalid(file.to_owned(), error))
}
