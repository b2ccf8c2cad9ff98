//! State that all users of a run share.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use super::capabilities::Capabilities;
use super::duplicate_names::DuplicateName;
use super::write::Effects;
use crate::causes::with_cause;
use crate::config::Config;
use crate::diff::PathEffect;
use crate::exit::Exit;
use crate::ids::{SourceId, TargetId};
use crate::mapping::{Desired, TargetPath};
use crate::state::store::Store;
use crate::state::{ConnectionRecord, Intent, Learned, Record, StateChange, WriteMethod};
use crate::target::Halt;
use crate::target::client::Client;
use crate::target::schemas::HiddenAttributes;

/// Shared by all users of a run.
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) client: Client,
    pub(crate) capabilities: Capabilities,
    store: Arc<Store>,
    connection: Mutex<ConnectionRecord>,
    /// The attributes that reads lack by the target's schemas; requested when one is missing.
    hidden_attributes: OnceCell<HiddenAttributes>,
    /// The holders of accounts.
    links: Mutex<HashMap<TargetId, SourceId>>,
    /// Users with a duplicate user name, each with a description of the conflict.
    duplicate_names: HashMap<SourceId, String>,
    /// Accounts with a Disable whose outcome is unknown.
    cut_off: HashSet<TargetId>,
    /// The number of settled users of this run.
    settled: AtomicUsize,
    /// The number of users that were looked up before the decisions, and of all such users.
    looked_up: OnceLock<(usize, usize)>,
}

impl Context {
    pub(crate) fn new(
        config: Arc<Config>,
        client: Client,
        store: Arc<Store>,
        connection: ConnectionRecord,
        claims_patch: Option<bool>,
        links: HashMap<TargetId, SourceId>,
    ) -> Self {
        let learned = connection.learned.clone();
        let capabilities = Capabilities::new(learned, config.options.update_method, claims_patch);
        let (connection, links) = (Mutex::new(connection), Mutex::new(links));
        Self {
            config,
            client,
            capabilities,
            store,
            connection,
            hidden_attributes: OnceCell::new(),
            links,
            duplicate_names: HashMap::new(),
            cut_off: HashSet::new(),
            settled: AtomicUsize::new(0),
            looked_up: OnceLock::new(),
        }
    }

    /// Returns the context with the users of the source that share a user name.
    pub(crate) fn with_duplicate_names(mut self, duplicate_names: Vec<DuplicateName>) -> Self {
        for group in duplicate_names {
            let words = group.describe();
            self.duplicate_names.extend(group.users.into_iter().map(|user| (user.source_id, words.clone())));
        }
        self
    }

    /// Returns the context with the accounts of `records` whose Disable was cut off.
    pub(crate) fn with_cut_off<'a>(mut self, records: impl Iterator<Item = &'a Record>) -> Self {
        let unknown = |record: &&Record| {
            let is_late = record.link.as_ref().is_some_and(|link| link.late_disable.is_some());
            is_late || record.intent == Some(Intent::Disable)
        };
        let links = records.filter(unknown).filter_map(|record| record.link.as_ref());
        self.cut_off = links.map(|link| link.account.clone()).collect();
        self
    }

    /// Whether the outcome of a Disable of `account` is unknown.
    pub(crate) fn is_cut_off(&self, account: &TargetId) -> bool {
        self.cut_off.contains(account)
    }

    /// Describes which users have the same user name as `user`; returns `None` if there are none.
    pub(crate) fn clash(&self, user: &SourceId) -> Option<&str> {
        self.duplicate_names.get(user).map(String::as_str)
    }

    /// Counts a user as settled.
    pub(crate) fn settle(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of users that are settled.
    pub(crate) fn settled(&self) -> usize {
        self.settled.load(Ordering::Relaxed)
    }

    /// Notes that `done` of `total` users were looked up.
    pub(crate) fn note_looked_up(&self, done: usize, total: usize) {
        // The look-ups come once in a run.
        let _ = self.looked_up.set((done, total));
    }

    /// Returns how many users were looked up, and of how many, or `None` before the look-ups.
    pub(crate) fn looked_up(&self) -> Option<(usize, usize)> {
        self.looked_up.get().copied()
    }

    /// Excuses the paths that a read lacks after a write by `method` if the target's schemas never return them.
    pub(crate) async fn excuse_hidden(&self, effects: &mut Effects, wanted: &Desired, method: WriteMethod) {
        let missing = |path: &TargetPath, path_effect: &PathEffect| {
            *path_effect == PathEffect::NotStored(None) && wanted.get(path).is_some()
        };
        for (path, path_effect) in &mut effects.path_effects {
            if missing(path, path_effect)
                && self.hidden_attributes.get_or_init(|| self.client.hidden_attributes()).await.contains(path)
            {
                *path_effect = PathEffect::Unverifiable;
                self.capabilities.never_returned(method, path.clone());
            }
        }
    }

    /// Keeps a lesson, so that a crash does not lose it.
    pub(crate) async fn learn(&self, lesson: impl FnOnce(&mut Learned)) -> Result<(), Halt> {
        self.capabilities.learn(lesson);
        self.keep_lessons().await
    }

    /// Stores what was learned, if it is not stored yet.
    pub(crate) async fn keep_lessons(&self) -> Result<(), Halt> {
        let record = {
            let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let learned = self.capabilities.learned();
            if connection.learned == learned {
                return Ok(());
            }
            connection.learned = learned;
            connection.clone()
        };
        self.save(vec![StateChange::Connection(Box::new(record))]).await
    }

    /// Makes `changes` durable; a state that cannot be written stops the run.
    pub(crate) async fn save(&self, changes: Vec<StateChange>) -> Result<(), Halt> {
        if changes.is_empty() {
            return Ok(());
        }
        match self.store.write(changes).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let message = format!("{}; {}", with_cause(&error), error.way_out());
                self.client.stop(Exit::Usage, "state", message);
                Err(Halt::Stopped)
            }
        }
    }

    /// Returns the user that holds `account`.
    pub(crate) fn holder(&self, account: &TargetId) -> Option<SourceId> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    /// Assigns `account` to `user` unless another user holds it; returns the holder.
    pub(crate) fn claim(&self, account: &TargetId, user: &SourceId) -> SourceId {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.entry(account.clone()).or_insert_with(|| user.clone()).clone()
    }

    /// Assigns `account` to `user`, whether or not another user held it.
    pub(crate) fn hand_over(&self, account: &TargetId, user: &SourceId) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), user.clone());
    }

    /// Removes the holder of `account`.
    pub(crate) fn release(&self, account: &TargetId) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}
