//! State that all users of a run share.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::capabilities::Capabilities;
use super::census::{Census, CensusBuilder, Pending, Survey};
use super::distribute::JobResult;
use super::duplicate_names::DuplicateName;
use super::quarantine::StandingFailures;
use super::scope::{self, Subject};
use super::write::Effects;
use crate::causes::with_cause;
use crate::config::Config;
use crate::diff::PathEffect;
use crate::exit::Exit;
use crate::ids::{SourceId, TargetId};
use crate::mapping::{Desired, TargetPath};
use crate::report::UserLine;
use crate::state::groups::LearnedGroups;
use crate::state::index::{Index, Key};
use crate::state::shared::Shared;
use crate::state::store::{Store, StoreError};
use crate::state::{ConnectionRecord, Learned, Record, StateChange, WriteMethod};
use crate::target::Halt;
use crate::target::client::{Client, SharedPace};
use crate::target::schemas::HiddenAttributes;

/// The pace that the workers of a run keep together.
struct Pace(Arc<Shared>);

impl SharedPace for Pace {
    fn pause(&self, wait: Duration) {
        self.0.pause(wait);
    }

    fn may_send(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(self.0.may_send())
    }
}

/// Returns the client at the pace that all processes of a run keep together.
pub(super) fn at_pace(client: Client, shared: &Arc<Shared>) -> Client {
    client.at_pace(Arc::new(Pace(Arc::clone(shared))))
}

/// Shared by all users of a run.
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) client: Client,
    pub(crate) capabilities: Capabilities,
    store: Arc<Store>,
    /// What the workers of the run share; `None` in a coordinator, and where there are no workers.
    shared: Option<Arc<Shared>>,
    connection: Mutex<ConnectionRecord>,
    /// The attributes that reads lack by the target's schemas; requested when one is missing.
    hidden_attributes: OnceCell<HiddenAttributes>,
    /// The users of the run, and the holders of accounts before it.
    pub(crate) census: Census,
    /// The holders of accounts that changed in this run; `None` if the account has no holder any longer.
    holders: Mutex<HashMap<Key, Option<Key>>>,
    /// Users with a duplicate user name, each with a description of the conflict.
    duplicate_names: HashMap<SourceId, String>,
    /// The users that failed before this run.
    pub(crate) standing_failures: StandingFailures,
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
        census: Census,
    ) -> Self {
        let learned = connection.learned.clone();
        let capabilities = Capabilities::new(learned, config.options.update_method, claims_patch);
        let connection = Mutex::new(connection);
        Self {
            config,
            client,
            capabilities,
            store,
            shared: None,
            connection,
            hidden_attributes: OnceCell::new(),
            census,
            holders: Mutex::new(HashMap::new()),
            duplicate_names: HashMap::new(),
            standing_failures: StandingFailures::default(),
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

    /// Creates the context of a worker. It has no users of its own; the database is asked for the holders of accounts.
    pub(crate) fn for_worker(
        config: Arc<Config>,
        client: Client,
        store: Arc<Store>,
        connection: ConnectionRecord,
        settings: (Option<bool>, bool),
        shared: Arc<Shared>,
    ) -> Self {
        let (claims_patch, full) = settings;
        let survey = Survey::new(Arc::clone(&config), Index::default(), full);
        let census = CensusBuilder::new(survey, &store.folder(), None).finish();
        let client = at_pace(client, &shared);
        let context = Self::new(config, client, store, connection, claims_patch, census);
        let capabilities = context.capabilities.shared_by(Arc::clone(&shared));
        Self { capabilities, shared: Some(shared), ..context }
    }

    /// Returns the state.
    pub(crate) const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Takes over what workers have learned.
    pub(crate) fn relearn(&self, record: ConnectionRecord) {
        self.capabilities.learn(|learned| learned.clone_from(&record.learned));
        self.store.amend_connection(|connection| connection.learned.clone_from(&record.learned));
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).learned = record.learned;
    }

    /// Adds the result of a worker's job to the changes that settle its user.
    pub(crate) fn push_result(
        &self,
        changes: &mut Vec<StateChange>,
        id: &SourceId,
        line: Option<&UserLine>,
        is_final: bool,
    ) {
        if let Some(place) = self.shared.as_ref().and_then(|shared| shared.settles(id)) {
            let result = JobResult::new(line, is_final).to_json();
            changes.push(StateChange::Result { place, id: id.clone(), result });
        }
    }

    /// Whether the outcome of a Disable of `account` is unknown.
    pub(crate) fn is_cut_off(&self, account: &TargetId) -> bool {
        self.census.survey.index.by_account(account.into()).is_some_and(|entry| entry.flags().is_cut_off())
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
        if self.shared.is_some() {
            return self.capabilities.store_lessons().await.map_err(|error| self.stop_for_state(&error));
        }
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

    /// Returns what was learned of the target's groups.
    pub(crate) fn learned_groups(&self) -> LearnedGroups {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).learned_groups.clone()
    }

    /// Stores what was learned of the target's groups, if it is not stored yet.
    pub(crate) async fn keep_group_lessons(&self, learned: &LearnedGroups) -> Result<(), Halt> {
        let record = {
            let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            if connection.learned_groups == *learned {
                return Ok(());
            }
            connection.learned_groups = learned.clone();
            connection.clone()
        };
        self.save(vec![StateChange::Connection(Box::new(record))]).await
    }

    /// Makes `changes` durable; a state that cannot be written stops the run.
    pub(crate) async fn save(&self, changes: Vec<StateChange>) -> Result<(), Halt> {
        if changes.is_empty() {
            return Ok(());
        }
        self.store.write(changes).await.map_err(|error| self.stop_for_state(&error))
    }

    /// Returns the user that holds `account`.
    pub(crate) fn holder(&self, account: &TargetId) -> Option<Key> {
        let key = Key::from(account);
        let changed = self.holders.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let (None, Some(shared)) = (changed, &self.shared) {
            // Held by nobody only if the database says so.
            return match shared.holder(account) {
                Ok(holder) => holder.as_ref().map(Key::from),
                Err(error) => {
                    self.stop_for_state(&error);
                    Some(Key::of(""))
                }
            };
        }
        let account = key;
        changed.unwrap_or_else(|| self.census.survey.index.by_account(account).map(|entry| entry.id))
    }

    /// Whether a user other than `user` holds `account`.
    pub(crate) fn is_held_by_another(&self, account: &TargetId, user: &SourceId) -> bool {
        self.holder(account).is_some_and(|holder| holder != user.into())
    }

    /// Assigns `account` to `user` unless another user holds it; returns the holder.
    pub(crate) fn claim(&self, account: &TargetId, user: &SourceId) -> Key {
        if let Some(shared) = &self.shared {
            return match shared.claim(account, user) {
                Ok(holder) => Key::from(&holder),
                Err(error) => {
                    self.stop_for_state(&error);
                    Key::of("")
                }
            };
        }
        let (account, user) = (Key::from(account), Key::from(user));
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let before = || self.census.survey.index.by_account(account).map(|entry| entry.id);
        let holder = holders.get(&account).copied().unwrap_or_else(before).unwrap_or(user);
        if holder == user {
            holders.insert(account, Some(user));
        }
        holder
    }

    /// Assigns `account` to `user`, whether or not another user held it.
    pub(crate) fn hand_over(&self, account: &TargetId, user: &SourceId) {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        holders.insert(account.into(), Some(user.into()));
    }

    /// Removes the holder of `account`.
    pub(crate) fn release(&self, account: &TargetId) {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner).insert(account.into(), None);
    }

    /// Returns the id of a user that was known before the run.
    pub(crate) fn known_user(&self, user: Key) -> Option<SourceId> {
        let index = &self.census.survey.index;
        let row = index.entries().get(index.find(user)?)?.row;
        self.store.source_id(row).map_err(|error| self.stop_for_state(&error)).ok().flatten()
    }

    /// Reads the records in `rows` of the state.
    ///
    /// # Errors
    /// The state cannot be read: the run is stopped.
    pub(crate) async fn records(&self, rows: Vec<i64>) -> Result<Vec<(SourceId, Record)>, Halt> {
        self.store.records(rows).await.map_err(|error| self.stop_for_state(&error))
    }

    /// Reads the record in `row` of the state.
    ///
    /// # Errors
    /// The state cannot be read: the run is stopped.
    pub(crate) async fn record(&self, row: i64) -> Result<Option<(SourceId, Record)>, Halt> {
        self.store.record(row).await.map_err(|error| self.stop_for_state(&error))
    }

    pub(super) fn stop_for_state(&self, error: &StoreError) -> Halt {
        self.client.stop(Exit::Usage, "state", format!("{}; {}", with_cause(error), error.way_out()));
        Halt::Stopped
    }

    /// Reads what is stored of a pending user, and returns it with what is wanted of it, or `None` if there is nothing to do.
    ///
    /// # Errors
    /// The state or the spool cannot be read: the run is stopped.
    pub(crate) fn subject(
        &self,
        pending: Pending,
        record: Option<(SourceId, Record)>,
        full: bool,
        changes: &mut Vec<StateChange>,
    ) -> Result<Option<Subject>, Halt> {
        let learned = self.capabilities.learned();
        scope::subject(&self.census, pending, record, full, &learned, changes).map_err(|error| {
            let message = format!(
                "failed to read a user from the temporary file beside the state: {error}; free disk space"
            );
            self.client.stop(Exit::Usage, "state", message);
            Halt::Stopped
        })
    }
}
