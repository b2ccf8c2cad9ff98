//! Links by hand: forgetting a user, and linking one to an account that a person names.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::Provisioner;
use super::correlate::personal_data;
use super::duplicate_names::owner;
use super::scope::excluded;
use crate::ids::{SourceId, TargetId, UserName};
use crate::source::{SourceError, SourceUser};
use crate::state::store::StoreError;
use crate::state::{Link, LinkState, Record, StateChange, matched};
use crate::target::Halt;
use crate::target::lookup::{Read, SearchKeys};
use crate::target::personal_data::with_personal_data;

/// The maximum number of candidates that an error names.
const NAMED: usize = 5;

/// A user in the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KnownUser {
    /// The id at the source.
    pub source_id: SourceId,
    /// The last known user name.
    pub user_name: UserName,
    /// The linked account, if there is one.
    pub target_id: Option<TargetId>,
    /// Whether the outcome of a write is not known.
    pub unresolved: bool,
}

impl KnownUser {
    fn new(id: &SourceId, record: &Record) -> Self {
        Self {
            source_id: id.clone(),
            user_name: record.user_name.clone(),
            target_id: record.link.as_ref().map(|link| link.account.clone()),
            unresolved: record.intent.is_some(),
        }
    }

    fn describe(&self) -> String {
        let account = match &self.target_id {
            Some(account) => format!("account {account}"),
            None => "no account".to_owned(),
        };
        format!("{:?} (id {}, {account})", self.user_name.as_str(), self.source_id)
    }
}

/// A word of a person that names no user, or several.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Nobody.
    #[error(
        "unknown user {0:?}: no user in the {1} has this id or user name, and no linked account has this id"
    )]
    Unknown(String, &'static str),
    /// Several.
    #[error("{1} users are named {0:?}: {2}; name one by its id")]
    Ambiguous(String, usize, String),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A user that is not linked to the account that a person named. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The user is not known.
    #[error(transparent)]
    User(#[from] UserError),
    /// The connection is off.
    #[error("the connection is off, so nothing is sent: turn it on with `provisioner enable`")]
    Off,
    /// The source cannot be read.
    #[error("{0}; {way_out}", way_out = .0.way_out())]
    Source(SourceError),
    /// No enabled rule owns the user, or it is excluded.
    #[error("no enabled rule owns user {0:?}, or `exclude` names it: a link would lead to its removal")]
    NotOwned(String),
    /// The user cannot be mapped.
    #[error("failed to map user {0:?}: {1}")]
    Unmapped(String, String),
    /// The user has another account.
    #[error("user {0:?} is linked to account {1}: forget the user first")]
    HasAccount(String, TargetId),
    /// The account belongs to another user of the source.
    #[error("account {0} is linked to user {1}, who is in the source")]
    LinkedElsewhere(TargetId, String),
    /// The account does not exist.
    #[error("the target has no account with the id {0}")]
    Gone(TargetId),
    /// The account has another user name.
    #[error(
        "account {0} has the userName {1:?}, and the user has {2:?}: allow another name if the account is this user's"
    )]
    OtherName(TargetId, String, String),
    /// `exclude` protects the account.
    #[error(
        "account {0} has the userName {1:?}, which `exclude` names, so it is never touched: take the name out of `exclude` first"
    )]
    Excluded(TargetId, String),
    /// The account could not be read.
    #[error("failed to read account {0}: {1}")]
    Unread(TargetId, String),
    /// The state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An adopted account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopted {
    /// The user with its account.
    pub user: KnownUser,
    /// Whether the user was linked to the account before.
    pub already: bool,
    /// A user that is gone from the source, whose account it was.
    pub moved_from: Option<SourceId>,
}

impl Provisioner {
    /// Returns the stored user with this source id, user name or account id.
    ///
    /// # Errors
    /// Nobody is, or several are.
    pub async fn known_user(&self, name: &str) -> Result<KnownUser, UserError> {
        let same = name.parse::<UserName>().ok();
        let is_named = |id: &SourceId, record: &Record| {
            id.as_str() == name
                || same.as_ref() == Some(&record.user_name)
                || record.link.as_ref().is_some_and(|link| link.account.as_str() == name)
        };
        let mut found: Vec<KnownUser> = Vec::new();
        self.scan(|id, record| {
            if is_named(&id, &record) {
                found.push(KnownUser::new(&id, &record));
            }
        })
        .await?;
        found.sort_by(|one, other| one.source_id.cmp(&other.source_id));
        match found.as_slice() {
            [] => Err(UserError::Unknown(name.to_owned(), "state")),
            [only] => Ok(only.clone()),
            several => Err(ambiguous(name, several.len(), several.iter().map(KnownUser::describe))),
        }
    }

    /// Forgets everything that is stored of a user; no request is sent.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn forget(&self, user: &KnownUser) -> Result<(), StoreError> {
        let _running = self.running.lock().await;
        let account = match &user.target_id {
            Some(account) => format!("account {account} stays as it is and is no longer managed"),
            None => "no account was linked".to_owned(),
        };
        let unresolved = if user.unresolved { "; a write whose outcome was not known" } else { "" };
        let detail = format!("dropped by hand: {account}{unresolved}");
        let entry = self.command_entry("forget", Some(user), detail);
        self.store.write(vec![StateChange::Remove(user.source_id.clone()), entry]).await
    }

    /// Links a user of the source to `account`, which is read first; `allow_other_name` lets it have another user name.
    ///
    /// # Errors
    /// The link would be wrong, or the account could not be read.
    pub async fn adopt(
        &self,
        name: &str,
        account: &TargetId,
        allow_other_name: bool,
    ) -> Result<Adopted, AdoptError> {
        let _running = self.running.lock().await;
        if !self.config.enabled {
            return Err(AdoptError::Off);
        }
        let mut holder: Option<(SourceId, Record)> = None;
        self.scan(|id, record| {
            if record.link.as_ref().is_some_and(|link| link.account == *account) {
                holder = Some((id, record));
            }
        })
        .await?;
        let known = self.known_user(name).await;
        let ids = known.iter().map(|known| &known.source_id).chain(holder.iter().map(|(id, _)| id));
        let ids: HashSet<SourceId> = ids.cloned().collect();
        let same: Option<UserName> = name.parse().ok();
        let is =
            |other: &str| same.as_ref().is_some_and(|name| other.parse::<UserName>().as_ref() == Ok(name));
        let users = self.users_named(name, &is, &ids, false).await.map_err(AdoptError::Source)?;
        let user = self.source_user(&users, name, known.as_ref().ok())?;
        let record = self.record_of(&user.id).await?;
        let record = record.as_ref();
        if let Some(link) = record.and_then(|record| record.link.as_ref()) {
            if link.account != *account {
                return Err(AdoptError::HasAccount(name.to_owned(), link.account.clone()));
            }
            let user = KnownUser::new(&user.id, record.ok_or_else(|| unknown(name))?);
            return Ok(Adopted { user, already: true, moved_from: None });
        }
        let not_owned = || AdoptError::NotOwned(name.to_owned());
        let rule = owner(&self.config, user).ok_or_else(not_owned)?;
        let unmapped = |error: String| AdoptError::Unmapped(name.to_owned(), error);
        let wanted = rule.mapping.apply(user).map_err(|error| unmapped(error.to_string()))?;
        let is_excluded = self.config.options.exclude.contains(&wanted.user_name());
        if is_excluded || excluded(&self.config, record) {
            return Err(not_owned());
        }
        if let Some((id, record)) = &holder
            && users.iter().any(|other| other.id == *id)
        {
            return Err(AdoptError::LinkedElsewhere(account.clone(), KnownUser::new(id, record).describe()));
        }
        let mut record = record.cloned().unwrap_or_else(|| Record::new(wanted.user_name()));
        let client = self.client();
        let keys = SearchKeys::new([wanted.user_name()], wanted.external_id());
        let read = Box::pin(client.read(account, &keys));
        let found = match with_personal_data(personal_data(Some(&wanted), &record), read).await {
            Ok(Read::Found(found)) => found,
            Ok(Read::Gone(_)) => return Err(AdoptError::Gone(account.clone())),
            Err(Halt::Failed(trouble)) => return Err(AdoptError::Unread(account.clone(), trouble.detail)),
            Err(Halt::Stopped) => {
                let message = client.stopped().map(|(_, stopped)| stopped.message).unwrap_or_default();
                return Err(AdoptError::Unread(account.clone(), message));
            }
        };
        let carried = found.user_name();
        if let Some(name) = carried.as_ref().filter(|name| self.config.options.exclude.contains(name)) {
            return Err(AdoptError::Excluded(account.clone(), name.as_str().to_owned()));
        }
        let has_other_name = carried.as_ref() != Some(&wanted.user_name());
        if has_other_name && !allow_other_name {
            let carried = carried.map(|name| name.as_str().to_owned()).unwrap_or_default();
            let expected = wanted.user_name().as_str().to_owned();
            return Err(AdoptError::OtherName(account.clone(), carried, expected));
        }
        let targets = rule.mapping.targets();
        let paths = targets.iter().chain(wanted.iter().map(|(path, _)| path));
        record.link = Some(Link {
            account: found.id.clone(),
            carries: matched(&found, &wanted, paths),
            shows: BTreeMap::new(),
            active: found.active(),
            written: None,
            late_disable: None,
            state: LinkState::Owned,
        });
        record.user_name = wanted.user_name();
        record.rule = Some(rule.name.clone());
        record.resolve_intent();
        // The next sync compares the account with the source.
        record.fingerprint = None;
        let moved_from = holder.map(|(id, _)| id.clone());
        let user = KnownUser::new(&user.id, &record);
        let mut changes: Vec<StateChange> = moved_from.iter().cloned().map(StateChange::Remove).collect();
        changes.push(StateChange::Put(user.source_id.clone(), record.into()));
        let mut detail = format!("linked by hand to account {account}");
        if let Some(former) = &moved_from {
            let _ = write!(detail, ", which was linked to user {former}, who is gone from the source");
        }
        if has_other_name {
            detail.push_str("; another userName was allowed");
        }
        changes.push(self.command_entry("adopt", Some(&user), detail));
        self.store.write(changes).await?;
        Ok(Adopted { user, already: false, moved_from })
    }

    /// Returns the user of the source that a person names by its id or user name, or by the id of its account.
    fn source_user<'a>(
        &self,
        users: &'a [SourceUser],
        name: &str,
        known: Option<&KnownUser>,
    ) -> Result<&'a SourceUser, UserError> {
        let same: Option<UserName> = name.parse().ok();
        let is =
            |other: &str| same.as_ref().is_some_and(|name| other.parse::<UserName>().as_ref() == Ok(name));
        match self.candidates(users, name, &is).as_slice() {
            [only] => Ok(only),
            [] => {
                let known = known.ok_or_else(|| unknown(name))?;
                users.iter().find(|user| user.id == known.source_id).ok_or_else(|| unknown(name))
            }
            several => {
                let words = several
                    .iter()
                    .map(|user| format!("{:?} (id {}, line {})", user.username, user.id, user.line));
                Err(ambiguous(name, several.len(), words))
            }
        }
    }
}

fn unknown(name: &str) -> UserError {
    UserError::Unknown(name.to_owned(), "source")
}

fn ambiguous(name: &str, count: usize, candidates: impl Iterator<Item = String>) -> UserError {
    let mut named: Vec<String> = candidates.take(NAMED).collect();
    if count > named.len() {
        named.push(format!("{} more", count - named.len()));
    }
    UserError::Ambiguous(name.to_owned(), count, named.join(", "))
}
