//! The report of a run: one line per user, and a summary. The JSON of these types is a public interface.

pub mod groups;

use serde::{Deserialize, Serialize, Serializer};

use self::groups::{GroupLine, GroupSummary};

use crate::exit::Exit;
use crate::ids::{RuleName, SourceId, TargetId, UserName};
use crate::policy::Leave;

/// The operation on an account, weakest first: a line names the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// No operation.
    None,
    /// An existing account was linked.
    Link,
    /// Attributes were written.
    Update,
    /// An account was made.
    Create,
    /// `active` became true.
    Enable,
    /// `active` became false.
    Disable,
    /// The account was deleted.
    Delete,
}

/// The outcome, best first: a line names the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The target is as the source and the preferences want it.
    Success,
    /// No account, and none is made.
    Unsynced,
    /// The account exists and may be out of date, because the preferences say so.
    Partial,
    /// It should have worked.
    Failed,
}

/// The reason of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "`explain` says each in words")]
pub enum Reason {
    Done,
    Linked,
    AlreadyInactive,
    AlreadyGone,
    CreationOff,
    DisabledAtSource,
    UpdationOff,
    DisableOff,
    DeprovisionOff,
    RuleDeletionOff,
    PartialUpdateUnsupported,
    IgnoredByTarget,
    DeletedByTarget,
    DisableWithheld,
    DeleteUnsupported,
    AmbiguousMatch,
    AccountLinkedElsewhere,
    FilterNotHonoured,
    HiddenAccount,
    UserNameTaken,
    InvalidUser,
    Rejected,
    Forbidden,
    Conflict,
    RateLimited,
    TargetError,
    Unreachable,
}

impl Reason {
    /// Returns the meaning and the way out, for a person.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Done => "carried out",
            Self::Linked => "an existing account was linked",
            Self::AlreadyInactive => "the account was inactive before it was to be disabled",
            Self::AlreadyGone => "the account was gone before it was to be removed",
            Self::CreationOff => "there is no account, and enable-users-creation is off",
            Self::DisabledAtSource => "there is no account, and disabled users are not created",
            Self::UpdationOff => "attributes changed, and enable-users-updation is off",
            Self::DisableOff => {
                "the account's active differs from the source, and enable-users-disable is off"
            }
            Self::DeprovisionOff => {
                "the user left, and enable-users-deprovision is off: the account stays as it is"
            }
            Self::RuleDeletionOff => {
                "the user's rule was deleted, and deprovision-on-rule-deletion is off: the account stays and is no longer managed"
            }
            Self::PartialUpdateUnsupported => {
                "the target refused the method of the write as not supported (update-method = \"auto\" tries both PATCH and PUT): where both are refused, use remove-action = \"delete\" for removals, or ask the vendor for partial update"
            }
            Self::IgnoredByTarget => {
                "the target answered as if it were done and changed nothing (update-method = \"auto\" tries both PATCH and PUT): take the attributes that the target does not store out of the mapping; each run tries again"
            }
            Self::DeletedByTarget => {
                "the target deleted the account when it was asked to disable it: no further disable is sent until test-connection is run"
            }
            Self::DisableWithheld => {
                "an earlier disable deleted an account, so none is sent: find out why, then run test-connection"
            }
            Self::DeleteUnsupported => "the target has no DELETE: use remove-action = \"disable\"",
            Self::AmbiguousMatch => {
                "it cannot be told which account at the target is this user's: leave one with this userName"
            }
            Self::AccountLinkedElsewhere => {
                "the account of this userName belongs to another user of the source"
            }
            Self::FilterNotHonoured => {
                "the look-up by userName was answered with something else: the target's filter does not work"
            }
            Self::HiddenAccount => {
                "the target says that the userName is taken and does not show the account: restore or purge it there"
            }
            Self::UserNameTaken => "another account at the target has the new userName",
            Self::InvalidUser => "the user cannot be mapped",
            Self::Rejected => "the target refused the request",
            Self::Forbidden => "the credentials are not allowed to do this",
            Self::Conflict => "the account was changed at the target during the write, twice",
            Self::RateLimited => "the target kept answering 429",
            Self::TargetError => {
                "the target kept failing, does not show yet what was written to it, or sent an answer that is too large"
            }
            Self::Unreachable => "the target did not answer",
        }
    }

    /// Returns the text of [`Reason::explain`] for a known `operation`: advice for an update does not help a Disable.
    pub const fn explain_for(self, operation: Operation) -> &'static str {
        match (self, operation) {
            (Self::IgnoredByTarget, Operation::Disable) => {
                "the target answered as if the disable were done and left the account active (update-method = \"auto\" tries both PATCH and PUT): deactivate the account at the target by hand, and report this to its operator; for users who left, remove-action = \"delete\" is another way; each run tries again"
            }
            (Self::IgnoredByTarget, Operation::Enable) => {
                "the target answered as if it were done and left the account inactive (update-method = \"auto\" tries both PATCH and PUT): activate the account at the target by hand, and report this to its operator; each run tries again"
            }
            _ => self.explain(),
        }
    }
}

/// The change at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the outer face, explained in the README")]
pub enum ChangeLabel {
    Enters,
    Attributes,
    Disabled,
    Enabled,
    AttributesAndDisabled,
    AttributesAndEnabled,
    Returns,
    Deleted,
    LeftScope,
    RuleDeleted,
    Retry,
}

impl From<Leave> for ChangeLabel {
    fn from(leave: Leave) -> Self {
        match leave {
            Leave::Deleted => Self::Deleted,
            Leave::LeftScope => Self::LeftScope,
            Leave::RuleDeleted => Self::RuleDeleted,
        }
    }
}

/// Returns the word of an enum variant, as JSON spells it.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => {
            tracing::error!(%error, "failed to write a word as JSON");
            String::new()
        }
    }
}

/// One user that had something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "user", rename_all = "camelCase")]
pub struct UserLine {
    /// The user's id at the source.
    pub source_id: SourceId,
    /// Its user name; of a deleted user the last known one.
    pub user_name: UserName,
    /// Its account's id at the target, while it has one.
    pub target_id: Option<TargetId>,
    /// The change at the source.
    pub change: ChangeLabel,
    /// The strongest operation that was decided.
    pub operation: Operation,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: Reason,
    /// More for a person: status, the target's own words, attribute names. Never values or credentials.
    pub detail: Option<String>,
    /// Whether it is a failed deprovision.
    #[serde(skip)]
    pub failed_deprovision: bool,
}

/// The reason of an early end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stopped {
    /// A stable word: `connection-off`, `quarantined`, `connection-test-failed`, `unauthorized`, `delete-guard`, `source-unreadable`, `state`, `worker`, `interrupted`.
    pub code: &'static str,
    /// The problem and the way out.
    pub message: String,
    /// The confirmation with which the run would have gone on.
    #[serde(skip)]
    pub confirmation: Option<Confirmation>,
}

impl Stopped {
    pub(crate) const fn new(code: &'static str, message: String) -> Self {
        Self { code, message, confirmation: None }
    }

    pub(crate) fn confirmed_by(self, confirmation: Confirmation) -> Self {
        Self { confirmation: Some(confirmation), ..self }
    }
}

/// A confirmation by a person, which lets a run go on that is stopped otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The users come from another source than in the last run.
    NewSource,
    /// The source has no users.
    EmptySource,
    /// These rules match no user.
    EmptyScope(Vec<RuleName>),
    /// This number of removals and disables is carried out, or exactly this plan.
    Removals {
        /// The number.
        number: u64,
        /// The plan's hash, as text.
        plan: String,
    },
    /// This number of deletions of groups, or of members removed from groups, is carried out, or exactly this plan.
    GroupRemovals {
        /// The number.
        number: u64,
        /// The plan's hash, as text.
        plan: String,
    },
}

/// The figures of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
pub struct Summary {
    /// Users with a line.
    pub impacted: u64,
    /// Of these: as wanted.
    pub success: u64,
    /// Of these: no account, and none made.
    pub unsynced: u64,
    /// Of these: out of date by preference.
    pub partial: u64,
    /// Of these: failed.
    pub failed: u64,
    /// Of the failed: the users that were to be removed.
    pub failed_deprovisions: u64,
    /// Users in the source.
    pub users: u64,
    /// The figures of the groups, where there are group rules or were groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupSummary>,
    /// Requests sent to the target, connection test included.
    pub requests: u64,
    /// Whether nothing was written: the figures are what a sync is expected to do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Set where the run ended before its time.
    pub stopped: Option<Stopped>,
    /// The exit code.
    #[serde(serialize_with = "exit_code")]
    pub exit_code: ExitField,
}

/// [`Exit`] with a default, for a summary that is being filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitField(pub Exit);

impl Default for ExitField {
    fn default() -> Self {
        Self(Exit::Done)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn exit_code<S: Serializer>(exit: &ExitField, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(exit.0.code())
}

/// The report of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// One line for each user that had something to do: those in the source in its order, then the deleted ones.
    pub lines: Vec<UserLine>,
    /// One line for each group that had something to do.
    pub groups: Vec<GroupLine>,
    /// The figures.
    pub summary: Summary,
    /// The end of the run.
    pub exit: Exit,
}

impl RunReport {
    /// Creates the report of `lines`; `stopped` is the reason of an early end, with its exit code.
    pub(crate) fn new(
        lines: Vec<UserLine>,
        users: u64,
        requests: u64,
        stopped: Option<(Exit, Stopped)>,
    ) -> Self {
        let mut summary = Summary { users, requests, ..Summary::default() };
        for line in &lines {
            summary.impacted += 1;
            match line.outcome {
                Outcome::Success => summary.success += 1,
                Outcome::Unsynced => summary.unsynced += 1,
                Outcome::Partial => summary.partial += 1,
                Outcome::Failed => summary.failed += 1,
            }
            summary.failed_deprovisions += u64::from(line.failed_deprovision);
        }
        let exit = match &stopped {
            Some((exit, _)) => *exit,
            None if summary.failed > 0 => Exit::SomeFailed,
            None => Exit::Done,
        };
        summary.stopped = stopped.map(|(_, stopped)| stopped);
        summary.exit_code = ExitField(exit);
        Self { lines, groups: Vec::new(), summary, exit }
    }

    /// Returns the report with the lines of groups; the source has `total` groups, and `requests` were sent in all.
    pub(crate) fn with_groups(
        mut self,
        lines: Vec<GroupLine>,
        total: u64,
        requests: u64,
        stopped: Option<(Exit, Stopped)>,
    ) -> Self {
        let summary = GroupSummary::of(&lines, total);
        if summary.failed > 0 && self.exit == Exit::Done {
            self.exit = Exit::SomeFailed;
        }
        if let (None, Some((exit, stopped))) = (&self.summary.stopped, stopped) {
            self.exit = exit;
            self.summary.stopped = Some(stopped);
        }
        self.summary.groups = Some(summary);
        self.summary.requests = requests;
        self.summary.exit_code = ExitField(self.exit);
        self.groups = lines;
        self
    }

    /// Returns the report as that of a dry run.
    pub(crate) fn of_a_dry_run(mut self) -> Self {
        self.summary.dry_run = true;
        self
    }
}
