//! `provisioner sync -c DIR/`: the connections of a directory, each with its own state and lock.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::interrupt::listen_to;
use super::output::Output;
use super::state_file::configurations;
use super::{Access, Common, SyncArgs};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::report::RunReport;

/// One connection of a run over several.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finished {
    file: String,
    /// The connection's name; `null` where the configuration cannot be read.
    connection: Option<String>,
    #[serde(serialize_with = "code")]
    exit_code: Exit,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn code<S: serde::Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(exit.code())
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Total {
    connections: Vec<Finished>,
    exit_code: u8,
}

/// The settings that hold for each connection.
#[derive(Clone, Copy)]
struct Settings {
    json: bool,
    dry_run: bool,
    full: bool,
    concurrency: Option<NonZeroUsize>,
}

/// Returns the configurations of a directory; an error is printed to stderr.
pub(super) fn files(directory: &Path) -> Result<Vec<PathBuf>, Exit> {
    match configurations(directory) {
        Ok(files) if files.is_empty() => {
            Output::error(&format!("{} has no configuration: expected files *.toml", directory.display()));
            Err(Exit::Usage)
        }
        Ok(files) => Ok(files),
        Err(error) => {
            Output::error(&format!("failed to read the directory {}: {error}", directory.display()));
            Err(Exit::Usage)
        }
    }
}

/// Runs every configuration of the directory; a failed one does not stop the others.
pub(super) async fn sync(args: &SyncArgs) -> Exit {
    if let Some(option) = of_one_connection(args) {
        let directory = args.common.config.display();
        Output::error(&format!("{option} concerns one connection: run it with -c {directory}/NAME.toml"));
        return Exit::Usage;
    }
    let files = match files(&args.common.config) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let settings = Settings {
        json: args.common.json,
        dry_run: args.dry_run,
        full: args.allow.full,
        concurrency: args.concurrency,
    };
    let interrupt = Interrupt::default();
    let signals = listen_to(interrupt.clone());
    let permits = Arc::new(Semaphore::new(args.jobs.map_or(1, NonZeroUsize::get)));
    let mut runs = JoinSet::new();
    for (index, file) in files.iter().cloned().enumerate() {
        // In the order of the names: a permit is taken here, not by the task.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        if interrupt.is_interrupted() {
            break;
        }
        let interrupt = interrupt.clone();
        runs.spawn(async move {
            let finished = run(file, settings, interrupt).await;
            drop(permit);
            (index, finished)
        });
    }
    let mut finished: Vec<(usize, Finished)> = Vec::new();
    while let Some(joined) = runs.join_next().await {
        match joined {
            Ok(one) => finished.push(one),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {} // cancelled together with its caller
        }
    }
    drop(signals);
    finished.sort_by_key(|(index, _)| *index);
    let left = files.len() - finished.len();
    let mut worst = finished.iter().fold(Exit::Done, |worst, (_, one)| worst.worse(one.exit_code));
    if left > 0 {
        worst = worst.worse(Exit::Interrupted);
    }
    let connections: Vec<Finished> = finished.into_iter().map(|(_, one)| one).collect();
    if settings.json {
        Output::object(&Total { connections, exit_code: worst.code() });
        return worst;
    }
    let failed = connections.iter().filter(|one| one.exit_code != Exit::Done).count();
    let not_run = if left > 0 { format!(", {left} not run") } else { String::new() };
    Output::line(&format!(
        "{} connections: {} done, {failed} with an exit code other than 0{not_run}",
        files.len(),
        connections.len() - failed
    ));
    worst
}

/// Returns an option that a person can only mean for one connection, if one is given.
fn of_one_connection(args: &SyncArgs) -> Option<&'static str> {
    let SyncArgs { common, allow, approval, telemetry, .. } = args;
    [
        (common.state.is_some(), "--state"),
        (approval.approve.is_some(), "--approve"),
        (approval.approve_removals.is_some(), "--approve-removals"),
        (allow.accept_new_source, "--accept-new-source"),
        (allow.allow_empty_source, "--allow-empty-source"),
        (!allow.allow_empty_scope.is_empty(), "--allow-empty-scope"),
    ]
    .into_iter()
    .find_map(|(is_given, option)| is_given.then_some(option))
    .or_else(|| telemetry.given())
}

async fn run(file: PathBuf, settings: Settings, interrupt: Interrupt) -> Finished {
    let Settings { json, dry_run, full, concurrency } = settings;
    let shown = file.display().to_string();
    let common = Common { config: file, state: None, json };
    let access = if dry_run { Access::Read } else { Access::Write };
    let provisioner = match common.open_without_progress(access, concurrency).await {
        Ok(provisioner) => provisioner.interrupted_by(interrupt),
        Err(exit_code) => {
            Output::error(&format!("{shown}: not run, exit code {}", exit_code.code()));
            return Finished { file: shown, connection: None, exit_code };
        }
    };
    let name = provisioner.config().name.clone();
    let options = crate::engine::SyncOptions { full, ..Default::default() };
    let report: RunReport =
        if dry_run { provisioner.dry_run(&options).await } else { provisioner.sync(options).await };
    provisioner.close().await;
    Output { json, connection: Some(name.clone()) }.report(&report);
    Finished { file: shown, connection: Some(name), exit_code: report.exit }
}
