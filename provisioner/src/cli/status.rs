//! `provisioner status`: the state of all users, without asking the target.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::output::{OUTCOME, Output, Row, skipped};
use super::terminal::{cell, width};
use super::{Access, Common};
use crate::clock::timestamp;
use crate::config::Config;
use crate::engine::{LeftAlone, describe_quarantine, is_temporary, left_alone};
use crate::exit::Exit;
use crate::ids::{TargetId, UserName};
use crate::report::{Operation, Outcome, Reason, word};
use crate::state::store::Loaded;
use crate::state::{
    LastReported, Learned, LinkState, Quarantine, QuarantineCause, Record, RunRecord, TestRecord,
};

/// Columns of a user name in a line about several.
const NAME: usize = 40;

#[derive(Default, Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Standing {
    connection: String,
    description: Option<String>,
    scim_url: String,
    enabled: bool,
    linked: u64,
    removed: u64,
    withheld: u64,
    pending_deprovisions: u64,
    unsynced: u64,
    partial: u64,
    failed: u64,
    unresolved: u64,
    /// Users whose account has a temporary name, because a swap of names was not finished.
    temporary_names: u64,
    /// Known users that are left alone, because `exclude` names them.
    excluded: u64,
    /// Known users that are left alone, because their rule is turned off.
    frozen: u64,
    learned: Option<Learned>,
    last_test: Option<TestRecord>,
    last_run: Option<RunRecord>,
    last_full_run: Option<RunRecord>,
    quarantine: Option<ShownQuarantine>,
    exit_code: u8,
}

/// A quarantine, as programs read it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownQuarantine {
    cause: QuarantineCause,
    /// RFC 3339, as is `until`.
    since: String,
    pub(super) until: String,
    times: u32,
    detail: String,
}

impl From<&Quarantine> for ShownQuarantine {
    fn from(quarantine: &Quarantine) -> Self {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        Self {
            cause: quarantine.cause,
            since: at(quarantine.since),
            until: at(quarantine.until),
            times: quarantine.times,
            detail: quarantine.detail.clone(),
        }
    }
}

/// One user that does not stand as it should.
#[derive(Serialize)]
#[serde(tag = "type", rename = "user", rename_all = "camelCase")]
struct User<'a> {
    source_id: &'a str,
    user_name: &'a str,
    target_id: Option<&'a str>,
    operation: Operation,
    outcome: Outcome,
    reason: Reason,
    detail: Option<&'a str>,
    since: &'a str,
}

pub(super) async fn run(common: &Common) -> Exit {
    let provisioner = match common.open_for_state(Access::Read).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let config = provisioner.config();
    let connection = provisioner.connection();
    let mut standing = Standing {
        connection: config.name.clone(),
        description: config.description.clone(),
        scim_url: config.authentication.scim_url.to_string(),
        enabled: config.enabled,
        learned: Some(connection.learned.clone()),
        last_test: connection.last_test.clone(),
        last_run: connection.last_run.clone(),
        last_full_run: connection.last_full_run.clone(),
        quarantine: connection.quarantine.as_ref().map(ShownQuarantine::from),
        ..Standing::default()
    };
    // Only users that are shown are kept.
    let mut loaded = Loaded { connection, ..Loaded::default() };
    let scanned = provisioner.scan(|id, record| {
        standing.count(&record, config);
        if is_shown(&record) {
            loaded.records.insert(id, record.into());
        }
    });
    if let Err(error) = scanned.await {
        Output::store_error(&error);
        return Exit::Usage;
    }
    if common.json {
        print_json(&loaded, &standing);
    } else {
        print(&loaded, &standing);
    }
    Exit::Done
}

/// Whether a user is named, and not only counted.
fn is_shown(record: &Record) -> bool {
    let is_other = |told: &LastReported| told.outcome != Outcome::Success;
    record.last_reported.as_ref().is_some_and(is_other) || temporary_name(record).is_some()
}

impl Standing {
    /// Counts a user.
    fn count(&mut self, record: &Record, config: &Config) {
        match record.link.as_ref().map(|link| link.state) {
            Some(LinkState::Owned) => self.linked += 1,
            Some(LinkState::Removed) => self.removed += 1,
            Some(LinkState::Withheld(_)) => self.withheld += 1,
            Some(LinkState::Pending(_)) => self.pending_deprovisions += 1,
            None => {}
        }
        match record.last_reported.as_ref().map(|last_reported| last_reported.outcome) {
            Some(Outcome::Unsynced) => self.unsynced += 1,
            Some(Outcome::Partial) => self.partial += 1,
            Some(Outcome::Failed) => self.failed += 1,
            Some(Outcome::Success) | None => {}
        }
        self.unresolved += u64::from(record.intent.is_some());
        self.temporary_names += u64::from(temporary_name(record).is_some());
        match left_alone(config, None, Some(record)) {
            Some(LeftAlone::Excluded(_)) => self.excluded += 1,
            Some(LeftAlone::Frozen(_)) => self.frozen += 1,
            None => {}
        }
    }
}

/// Returns the account with its name, if that is a temporary one.
fn temporary_name(record: &Record) -> Option<(&TargetId, UserName)> {
    let link = record.link.as_ref()?;
    Some((&link.account, link.user_name().filter(is_temporary)?))
}

fn print_json(loaded: &Loaded, standing: &Standing) {
    for (id, record) in &loaded.records {
        let Some(last_reported) =
            record.last_reported.as_ref().filter(|last_reported| last_reported.outcome != Outcome::Success)
        else {
            continue;
        };
        Output::object(&User {
            source_id: id.as_str(),
            user_name: record.user_name.as_str(),
            target_id: record.link.as_ref().map(|link| link.account.as_str()),
            operation: last_reported.operation,
            outcome: last_reported.outcome,
            reason: last_reported.reason,
            detail: last_reported.detail.as_deref(),
            since: &last_reported.since,
        });
    }
    Output::object(standing);
}

fn print(loaded: &Loaded, standing: &Standing) {
    let toggle = if standing.enabled { "on" } else { "off" };
    Output::line(&format!("connection {:?} to {} ({toggle})", standing.connection, standing.scim_url));
    if let Some(description) = &standing.description {
        description.lines().for_each(Output::line);
    }
    if let Some(quarantine) = &loaded.connection.quarantine {
        Output::line(&describe_quarantine(quarantine));
    }
    match &standing.last_test {
        Some(test) => Output::line(&format!("last test {}: {}", test.at, test.message)),
        None => Output::line("never tested"),
    }
    let run = |name: &str, run: &RunRecord| {
        let RunRecord { at, exit, impacted, failed, users: _ } = run;
        Output::line(&format!("{name} {at}: exit {exit}, {impacted} impacted, {failed} failed"));
    };
    match &standing.last_run {
        Some(last) => run("last run", last),
        None => Output::line("never run"),
    }
    match &standing.last_full_run {
        Some(last) => run("last full run", last),
        None => Output::line(
            "never run in full: `sync --full` reads every account and finds what was changed at the target",
        ),
    }
    if let Some(learned) = &standing.learned {
        for line in learned.lines() {
            Output::line(&line);
        }
    }
    let mut reasons: BTreeMap<(Outcome, Reason, &str), (usize, &str)> = BTreeMap::new();
    for record in loaded.records.values() {
        if let Some(last_reported) =
            record.last_reported.as_ref().filter(|last_reported| last_reported.outcome != Outcome::Success)
        {
            let explained = last_reported.reason.explain_for(last_reported.operation);
            let key = (last_reported.outcome, last_reported.reason, explained);
            reasons.entry(key).or_insert((0, record.user_name.as_str())).0 += 1;
        }
    }
    for (id, record) in &loaded.records {
        if let Some((account, name)) = temporary_name(record) {
            Output::line(&format!(
                "account {account} of user {:?} (id {id}) has the temporary userName {:?}, because a swap of names was not \
                 finished; the next sync tries again",
                record.user_name.as_str(),
                name.as_str()
            ));
        }
    }
    let width = width();
    let mut text = String::new();
    for ((outcome, reason, explained), (count, example)) in reasons.iter().rev() {
        let users = match count {
            1 => cell(example, NAME),
            _ => format!("{count} users, for instance {}", cell(example, NAME)),
        };
        let row = Row {
            lead: &[(word(outcome), OUTCOME)],
            outcome: *outcome,
            user: &format!("{}: {users}", word(reason)),
            change: String::new(),
            below: vec![(*explained).to_owned()],
        };
        text.push_str(&row.render(width));
    }
    Output::raw(&text);
    Output::line(&format!(
        "{} linked, {} removed by disable, {} left and kept by preference, {} deprovisions pending; {} unsynced, {} partial, {} failed; {} unresolved writes{}",
        standing.linked,
        standing.removed,
        standing.withheld,
        standing.pending_deprovisions,
        standing.unsynced,
        standing.partial,
        standing.failed,
        standing.unresolved,
        skipped(standing.excluded, standing.frozen),
    ));
}
