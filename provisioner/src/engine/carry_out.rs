//! From a prepared run to its report: the delete guard, the writes to users, those to groups, and the record of the run.

use std::sync::Arc;

use super::context::Context;
use super::groups::PreparedGroups;
use super::quarantine::{self, Evidence};
use super::{EndedRun, PreparedRun, Provisioner, SyncOptions, delete_guard, execute, groups};
use crate::causes::with_cause;
use crate::clock::seconds;
use crate::exit::Exit;
use crate::report::{Confirmation, RunReport, Stopped};
use crate::state::{RunRecord, StateChange};

/// More removals than a delete guard allows.
pub(super) struct OverLimit {
    /// What is over which limit, and the way out.
    pub(super) message: String,
    kind: GuardKind,
    /// The number that would have to be approved.
    planned: u64,
}

/// The two delete guards.
enum GuardKind {
    Users,
    Groups,
}

impl Provisioner {
    /// Asks the delete guard of users, then that of groups.
    ///
    /// # Errors
    /// There is more to remove than one of them allows, and no person has approved that number.
    pub(super) fn over_limit(&self, prepared: &PreparedRun, options: &SyncOptions) -> Result<(), OverLimit> {
        let now = self.environment.clock.now();
        let users = delete_guard::check(&self.config.options, prepared, now, options.approve_removals);
        if let Err(error) = users {
            let (message, planned) = (error.to_string(), error.planned());
            return Err(OverLimit { message, kind: GuardKind::Users, planned });
        }
        let Some(groups) = &prepared.groups else { return Ok(()) };
        let (withdrawals, approved) = (&prepared.withdrawals, options.approve_group_removals);
        groups::guard::check(&self.config, groups, withdrawals, now, approved).map_err(|error| {
            let (message, planned) = (error.to_string(), error.planned());
            OverLimit { message, kind: GuardKind::Groups, planned }
        })
    }

    /// Asks the delete guards; the approval of exactly this plan passes both.
    ///
    /// # Errors
    /// There are more removals and disables than one of them allows, and no person has approved them; or the state cannot be
    /// read.
    pub(crate) async fn guard(
        &self,
        prepared: &PreparedRun,
        options: &SyncOptions,
    ) -> Result<(), (Exit, Stopped)> {
        let Err(over) = self.over_limit(prepared, options) else { return Ok(()) };
        let Ok(plan) = self.document(prepared, options).await else {
            let unread = || (Exit::Usage, Stopped::new("state", "failed to read the state".to_owned()));
            return Err(prepared.context.client.stopped().unwrap_or_else(unread));
        };
        let plan = plan.hash();
        let OverLimit { message, kind, planned: number } = over;
        let message = match &options.approve_plan {
            Some(approved) if *approved == plan => return Ok(()),
            Some(approved) => {
                format!("the plan of this run is {plan} and not {approved}, which was approved: {message}")
            }
            None => message,
        };
        let plan = plan.to_string();
        let confirmation = match kind {
            GuardKind::Users => Confirmation::Removals { number, plan },
            GuardKind::Groups => Confirmation::GroupRemovals { number, plan },
        };
        Err((Exit::DeleteGuard, Stopped::new("delete-guard", message).confirmed_by(confirmation)))
    }

    /// Asks the delete guard, writes, and returns the report.
    pub(crate) async fn carry_out(
        &self,
        prepared: Result<PreparedRun, EndedRun>,
        options: &SyncOptions,
    ) -> RunReport {
        let before = self.store.connection().quarantine;
        let mut evidence = Evidence::Used { tried: 0, failed: 0, has_groups: false, is_whole: false };
        let report = match prepared {
            Err(ended) => {
                evidence = ended.evidence.clone();
                ended.report()
            }
            Ok(mut prepared) => {
                if let Err(stopped) = self.guard(&prepared, options).await {
                    let requests = prepared.context.client.requests();
                    RunReport::new(Vec::new(), prepared.users, requests, Some(stopped))
                } else {
                    let (context, groups) = (Arc::clone(&prepared.context), prepared.groups.take());
                    let report = execute::run(prepared, &self.environment).await;
                    let report = Box::pin(self.carry_out_groups(&context, groups, report)).await;
                    let is_whole = report.summary.stopped.is_none();
                    evidence = context.standing_failures.evidence(&report, before.is_some(), is_whole);
                    report
                }
            }
        };
        let mut connection = self.store.connection();
        let users = match (&report.summary.stopped, &connection.last_run) {
            (None, _) => report.summary.users,
            // A source that was refused or guarded against is no measure for the next one.
            (Some(_), last) => last.as_ref().map_or(0, |run| run.users),
        };
        let run = RunRecord {
            at: self.now(),
            exit: report.exit.code(),
            impacted: report.summary.impacted,
            failed: report.summary.failed,
            users,
        };
        if options.full && report.summary.stopped.is_none() {
            connection.last_full_run = Some(run.clone());
        }
        connection.last_run = Some(run);
        let now = seconds(self.environment.clock.now());
        let authentication = self.config.authentication.fingerprint();
        connection.quarantine = quarantine::after_run(&evidence, before.as_ref(), now, &authentication);
        let mut changes = vec![StateChange::Connection(Box::new(connection))];
        changes.extend(self.end_run(&report, options));
        if let Err(error) = self.store.write(changes).await {
            tracing::error!(error = with_cause(&error), "failed to store the run");
        }
        report
    }

    /// Writes the groups after the users, and adds their lines to the report.
    async fn carry_out_groups(
        &self,
        context: &Arc<Context>,
        groups: Option<PreparedGroups>,
        report: RunReport,
    ) -> RunReport {
        let Some(groups) = groups else { return report };
        let total = groups.total;
        // A run that was stopped leaves the groups to the next one.
        let lines = match (&report.summary.stopped, groups::accounts(&self.config, &self.store).await) {
            (None, Ok(accounts)) => groups::run::all(context, groups, accounts, &self.environment).await,
            (Some(_), _) => Vec::new(),
            (None, Err(error)) => {
                context.client.stop(
                    Exit::Usage,
                    "state",
                    format!("{}; {}", with_cause(&error), error.way_out()),
                );
                Vec::new()
            }
        };
        report.with_groups(lines, total, context.client.requests(), context.client.stopped())
    }
}
