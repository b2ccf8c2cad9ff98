//! The accounts of the users that may be members: who has one, who is to get one, and whose is left alone.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use super::super::scope::excluded;
use super::super::task::{Task, TaskStep};
use crate::config::Config;
use crate::id_set::{IdList, IdSet};
use crate::ids::{SourceId, TargetId};
use crate::policy::{LeaveDecision, OwnedDecision};
use crate::state::UserAccount;
use crate::state::store::{Store, StoreError};

/// The standing of a user as a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// In scope, with an account.
    Member,
    /// In scope, and without an account.
    Pending,
    /// Frozen or excluded: its memberships stay as they are.
    Untouched,
}

/// A user whose account is expected to change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// It is linked to this account.
    Account(TargetId),
    /// An account is made.
    Created,
    /// It stays without an account.
    Pending,
    /// It is no longer in scope.
    Outside,
}

/// The users with their accounts, as small as a table of a million can be.
#[derive(Default)]
pub(crate) struct AccountTable {
    users: IdList,
    /// A sign without meaning where the user has no account.
    accounts: IdList,
    standings: Vec<Standing>,
    untouched: IdSet,
    expected: HashMap<SourceId, Expected>,
    /// Further users whose account is about to be made.
    created: OnceLock<BTreeSet<SourceId>>,
}

/// The members of a group of the source, as accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The accounts of members in scope.
    pub(crate) wanted: IdSet,
    /// Members in scope without an account.
    pub(crate) pending: usize,
    /// Members whose account is about to be made.
    pub(crate) to_come: usize,
}

/// A table that is being filled.
#[derive(Default)]
struct Filling {
    table: AccountTable,
    untouched: Vec<String>,
}

/// Returns the table of the users that the state knows.
///
/// # Errors
/// The state cannot be read.
pub(crate) async fn accounts(config: &Arc<Config>, store: &Store) -> Result<AccountTable, StoreError> {
    let config = Arc::clone(config);
    // Only a record tells the user names of an account.
    let with_records = !config.options.exclude.is_empty();
    let take = move |filling: &mut Filling, user: UserAccount<'_>| filling.add(&config, &user);
    let Filling { mut table, untouched } = store.accounts(with_records, take).await?;
    table.untouched = IdSet::new(untouched);
    Ok(table)
}

impl Filling {
    fn add(&mut self, config: &Config, user: &UserAccount<'_>) {
        let Some(account) = user.account else {
            self.table.push(user.source_id, None, Standing::Pending);
            return;
        };
        if !user.is_owned {
            return;
        }
        let is_frozen =
            config.rules.iter().any(|rule| !rule.enabled && Some(rule.name.as_str()) == user.rule);
        if is_frozen || excluded(config, user.record.as_ref()) {
            self.untouched.push(account.to_owned());
            self.table.push(user.source_id, Some(account), Standing::Untouched);
        } else {
            self.table.push(user.source_id, Some(account), Standing::Member);
        }
    }
}

impl AccountTable {
    fn push(&mut self, user: &str, account: Option<&str>, standing: Standing) {
        self.users.push(user);
        self.accounts.push(account.unwrap_or("-"));
        self.standings.push(standing);
    }

    /// Notes the users whose account is about to be made, for a plan.
    pub(crate) fn note_created(&self, created: BTreeSet<SourceId>) {
        // A plan is made of one preparation once.
        let _ = self.created.set(created);
    }

    /// Notes what the user will have after the writes of `task`.
    pub(crate) fn expect(&mut self, task: &Task) {
        let linked = || task.record.link.as_ref().map(|link| Expected::Account(link.account.clone()));
        let expected = match &task.step {
            TaskStep::Fail(_) => return,
            TaskStep::Owned(owned) => match owned.decision {
                OwnedDecision::Create { .. } => Some(Expected::Created),
                OwnedDecision::NotCreated { .. } | OwnedDecision::NoAccount(_) => Some(Expected::Pending),
                OwnedDecision::Adopt(_) | OwnedDecision::Linked(_) => linked(),
            },
            TaskStep::Left { decision, .. } => match decision {
                LeaveDecision::Nothing
                | LeaveDecision::Remove(_)
                | LeaveDecision::AlreadyGone
                | LeaveDecision::DeprovisionOff
                | LeaveDecision::RuleDeletionOff => Some(Expected::Outside),
            },
        };
        if let Some(holder) = &task.moved_from {
            self.expected.insert(holder.clone(), Expected::Outside);
        }
        if let Some(expected) = expected {
            self.expected.insert(task.id.clone(), expected);
        }
    }

    /// Returns the accounts that are neither added nor removed.
    pub(crate) fn untouched(&self) -> &IdSet {
        &self.untouched
    }

    /// Returns the number of `accounts` whose users stay in scope.
    pub(crate) fn staying(&self, accounts: &IdSet) -> usize {
        if accounts.is_empty() {
            return 0;
        }
        let asked: HashSet<String> = accounts.iter().map(|id| id.to_string()).collect();
        let leaving = |position: usize| {
            let user = self.users.get(position).and_then(|user| user.parse::<SourceId>().ok());
            user.is_some_and(|user| self.expected.get(&user) == Some(&Expected::Outside))
        };
        let is_member = |(position, standing): (usize, &Standing)| {
            *standing == Standing::Member
                && self.accounts.get(position).is_some_and(|account| asked.contains(&*account))
                && !leaving(position)
        };
        self.standings.iter().enumerate().filter(|pair| is_member(*pair)).count()
    }

    /// Returns the accounts of the users with these source ids. Users that no rule owns are left out.
    pub(crate) fn resolve(&self, members: &IdSet) -> Resolved {
        let mut wanted: Vec<String> = Vec::new();
        let mut resolved = Resolved::default();
        for user in members.iter() {
            let id = user.parse::<SourceId>().ok();
            if let (Some(id), Some(created)) = (&id, self.created.get())
                && created.contains(id)
            {
                resolved.to_come += 1;
                continue;
            }
            match id.and_then(|id| self.expected.get(&id)) {
                Some(Expected::Account(account)) => wanted.push(account.to_string()),
                Some(Expected::Created) => resolved.to_come += 1,
                Some(Expected::Pending) => resolved.pending += 1,
                Some(Expected::Outside) => {}
                None => {
                    let Some(position) = self.users.position(&user) else { continue };
                    match self.standings.get(position) {
                        Some(Standing::Member) => {
                            wanted.extend(self.accounts.get(position).map(|account| account.to_string()));
                        }
                        Some(Standing::Pending) => resolved.pending += 1,
                        Some(Standing::Untouched) | None => {}
                    }
                }
            }
        }
        resolved.wanted = IdSet::new(wanted);
        resolved
    }
}
