//! One application: its resources, settings, journal, faults and holds, and the handle on it.
//!
//! All resources with all their indexes are behind one lock, which is never held across an await: a write is atomic.
//! [`settings`] is what may be changed while it lives, [`serve`] the way of a request through it,
//! [`aside`] what takes long.

mod aside;
mod serve;
mod settings;
mod start;
mod token;
mod told;
mod transfer;
mod waiting;

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::address::Addresses;
use crate::auth::Auth;
use crate::clock::{AppClock, Clock as _};
use crate::fault::{Fault, FaultId, FaultState, Faults, ParseFaultError, Phase, Places};
use crate::gateway::nowhere::OTHER_ENDPOINTS;
use crate::gateway::resource::{self, Joining};
use crate::hold::{Gates, Hold};
use crate::journal::{Asked, Journal, JournalQuery, QueryError};
use crate::lock;
use crate::log::RequestLog;
use crate::problem::Problem;
use crate::profile::{PathCase, Profile};
use crate::store::content::Content;
use crate::store::{MANY, Ref, Store, let_others};
use crate::types::Role;
use crate::verify::Expectation;
pub(crate) use serve::{Incoming, Served, unauthorized};
pub(crate) use settings::Settings;
pub(crate) use start::{Data, FillError, MadeUp, Start};
pub(crate) use transfer::no_type;
pub use transfer::{Load, LoadError, LoadNote, LoadProblem, Loaded};

/// The name of the application at `/scim`.
pub const DEFAULT_APPLICATION: &str = "default";

/// How a new application is set up.
#[derive(Debug, Clone, Default)]
pub struct ApplicationConfig {
    /// How it behaves.
    pub profile: Profile,
    /// What it accepts: any of these. Empty: what the server was started with.
    pub auth: Vec<Auth>,
    /// Decides its ids, together with its name.
    pub seed: u64,
}

/// The name of an application: 1 to 64 letters, digits, hyphens or underscores.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ApplicationName(String);

impl ApplicationName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_valid(text: &str) -> bool {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }
}

impl FromStr for ApplicationName {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if Self::is_valid(text) { Ok(Self(text.to_owned())) } else { Err(Problem::BadApplicationName) }
    }
}

/// A handle on one application. Clones are handles on the same one.
#[derive(Clone)]
pub struct Application(Arc<Inner>);

struct Inner {
    name: ApplicationName,
    seed: u64,
    addresses: Arc<Addresses>,
    clock: Arc<AppClock>,
    settings: RwLock<Arc<Settings>>,
    store: Mutex<Store>,
    /// Held by what changes many resources in several goes, or puts another store in place.
    many: Mutex<()>,
    journal: Journal,
    faults: Mutex<Faults>,
    gates: Mutex<Gates>,
    /// What a reset returns to, once the application has begun.
    start: OnceLock<Arc<Start>>,
    /// Where each request is told, if anywhere.
    log: Option<RequestLog>,
    /// Whether there is any fault, so that requests need not ask.
    faulty: AtomicBool,
    /// Whether there is any hold.
    gated: AtomicBool,
}

impl Application {
    pub(crate) fn new(
        name: ApplicationName,
        settings: Settings,
        seed: u64,
        clock: AppClock,
        addresses: Arc<Addresses>,
        log: Option<RequestLog>,
    ) -> Self {
        let store = new_store(&settings, seed, &name);
        let journal = Journal::of(name.as_str());
        Self(Arc::new(Inner {
            name,
            seed,
            addresses,
            clock: Arc::new(clock),
            settings: RwLock::new(Arc::new(settings)),
            store: Mutex::new(store),
            many: Mutex::default(),
            journal,
            faults: Mutex::default(),
            gates: Mutex::default(),
            start: OnceLock::new(),
            log,
            faulty: AtomicBool::new(false),
            gated: AtomicBool::new(false),
        }))
    }

    /// The name; `default` for the one at `/scim`.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// What its ids and draws come from, together with its name.
    pub fn seed_number(&self) -> u64 {
        self.0.seed
    }

    /// The base URL of its SCIM endpoint, without a slash at the end.
    pub fn scim_url(&self) -> String {
        self.settings().scim_url.clone()
    }

    /// The profile that it follows now.
    pub fn profile(&self) -> Profile {
        self.settings().profile.clone()
    }

    /// Its clock, which can be stopped and moved.
    pub fn clock(&self) -> &AppClock {
        &self.0.clock
    }

    /// Every user that exists, in order of creation, in full representation.
    pub fn users(&self) -> Vec<Value> {
        self.resources("User")
    }

    /// Every group that exists, in order of creation, in full representation.
    pub fn groups(&self) -> Vec<Value> {
        self.resources("Group")
    }

    /// Every resource of a type, by the type's name, in order of creation, in full representation.
    pub fn resources(&self, resource_type: &str) -> Vec<Value> {
        let store = lock(&self.0.store);
        let Some(kind) = store.types().named(resource_type) else { return Vec::new() };
        let all = store.table(kind).order.after(None);
        all.filter_map(|(_, slot)| {
            let at = Ref { kind, slot };
            store.get(at).map(|record| store.tree(at, record))
        })
        .collect()
    }

    /// How many users exist.
    pub fn user_count(&self) -> usize {
        self.count("User")
    }

    /// How many resources of a type exist.
    pub fn count(&self, resource_type: &str) -> usize {
        let store = lock(&self.0.store);
        store.types().named(resource_type).map_or(0, |kind| store.count(kind))
    }

    /// One user in full representation.
    pub fn user(&self, id: &str) -> Option<Value> {
        self.resource("User", id)
    }

    /// One resource in full representation.
    pub fn resource(&self, resource_type: &str, id: &str) -> Option<Value> {
        let store = lock(&self.0.store);
        let kind = store.types().named(resource_type)?;
        store.find_in(kind, id).map(|(at, record)| store.tree(at, record))
    }

    /// Adds a user without any check, two with one `userName` if need be, and returns its id. An `id` in the
    /// resource is kept, and takes the place of the resource that has it. `schemas` and `active` are filled in where
    /// they are missing, `meta` always; a password is dropped. What isn't an object counts as an empty one.
    pub fn seed_user(&self, resource: Value) -> String {
        self.seed("User", resource).unwrap_or_default()
    }

    /// Adds a resource of a type without any check, as [`seed_user`](Self::seed_user) does. The members of a group
    /// that exist become its members; the others are passed over. Nothing where there is no such type.
    pub fn seed(&self, resource_type: &str, resource: Value) -> Option<String> {
        let settings = self.settings();
        let mut store = lock(&self.0.store);
        let kind_at = store.types().named(resource_type)?;
        let id = resource.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(Arc::from);
        let id: Arc<str> = id.unwrap_or_else(|| store.new_id());
        let members = resource.get("members").cloned();
        let mut content = resource::completed(settings.types.get(kind_at), resource);
        join(&mut content, members.map(|members| Joining::known(&store, &members)));
        store.insert(kind_at, Arc::clone(&id), content, self.0.clock.now());
        Some(id.to_string())
    }

    /// Adds a user as a POST would, with all its checks.
    #[cfg(test)]
    pub(crate) fn add(&self, kind_at: u16, body: &[u8]) -> Result<(), Problem> {
        self.add_to(&self.settings(), &mut lock(&self.0.store), kind_at, body)
    }

    /// Adds a user to a store as a POST would, with all its checks.
    fn add_to(
        &self,
        settings: &Settings,
        store: &mut Store,
        kind_at: u16,
        body: &[u8],
    ) -> Result<(), Problem> {
        let kind = settings.types.get(kind_at);
        let taken = resource::take(settings, kind, body).map_err(|refusal| refusal.problem)?;
        let mut content = taken.content;
        if kind.role == Role::User && content.active.is_none() {
            content.add_flag("active", true);
        }
        if let Some(path) = store.taken(kind_at, &content.keys, None) {
            let path = path.to_owned();
            let value = content.keys.iter().find_map(|key| {
                let watched = kind.watched.get(usize::from(key.index))?;
                (watched.text == path).then(|| key.text.to_string())
            });
            return Err(Problem::Taken { path, value: value.unwrap_or_default() });
        }
        let id = store.new_id();
        store.insert(kind_at, id, content, self.0.clock.now());
        Ok(())
    }

    /// Changes a user behind the endpoint's back, unchecked, as a new version; its `id` and `meta` stay the
    /// server's. `false` where there is no such user, and then `change` isn't called.
    pub fn edit_user(&self, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
        self.edit("User", id, change)
    }

    /// Changes a resource behind the endpoint's back, as [`edit_user`](Self::edit_user) does.
    pub fn edit(&self, resource_type: &str, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
        let settings = self.settings();
        let mut store = lock(&self.0.store);
        let Some(kind_at) = store.types().named(resource_type) else { return false };
        let Some((at, record)) = store.find_in(kind_at, id) else { return false };
        let mut tree = store.tree(at, record).as_object().cloned().unwrap_or_default();
        change(&mut tree);
        let mut content = Content::of_tree(settings.types.get(kind_at), &tree);
        join(&mut content, tree.get("members").map(|members| Joining::known(&store, members)));
        store.replace(at, content, self.0.clock.now());
        true
    }

    /// Removes a user behind the endpoint's back. `false` where there was none.
    pub fn remove_user(&self, id: &str) -> bool {
        self.remove("User", id)
    }

    /// Removes a resource behind the endpoint's back. `false` where there was none.
    pub fn remove(&self, resource_type: &str, id: &str) -> bool {
        let now = self.0.clock.now();
        let mut store = lock(&self.0.store);
        let Some(kind) = store.types().named(resource_type) else { return false };
        let Some((at, _)) = store.find_in(kind, id) else { return false };
        store.remove_at(at, now).is_some()
    }

    /// Removes all resources of a type behind the endpoint's back. Gives how many there were. Others are served
    /// meanwhile; what they make stays.
    pub fn remove_all(&self, resource_type: &str) -> usize {
        let _alone = lock(&self.0.many);
        let now = self.0.clock.now();
        let mut last = None;
        let mut removed = 0;
        loop {
            let mut store = lock(&self.0.store);
            let Some(kind) = store.types().named(resource_type) else { return removed };
            let order = &store.table(kind).order;
            last = last.or_else(|| order.after(None).next_back().map(|(number, _)| number));
            let there = order.after(None).take_while(|(number, _)| Some(*number) <= last).take(MANY);
            let there: Vec<Ref> = there.map(|(_, slot)| Ref { kind, slot }).collect();
            if there.is_empty() {
                return removed;
            }
            removed += there.into_iter().filter(|at| store.remove_at(*at, now).is_some()).count();
            drop(store);
            let_others();
        }
    }

    /// How many resources there are, by the name of their type, in the order in which the types are listed.
    pub fn counts(&self) -> Vec<(String, usize)> {
        let store = lock(&self.0.store);
        let types = Arc::clone(store.types());
        types.positions().map(|(at, kind)| (kind.name().to_owned(), store.count(at))).collect()
    }

    /// Whether indexes, totals and memberships agree with the resources. Takes its time; for tests.
    ///
    /// # Errors
    /// The first thing that doesn't agree.
    pub fn check_consistency(&self) -> Result<(), String> {
        lock(&self.0.store).check()
    }

    /// Makes sure that a fault can strike some request to this application: its resource type, path and methods are some
    /// that there are.
    ///
    /// # Errors
    /// Why it can't. [`add_fault`](Self::add_fault) takes it all the same.
    pub fn check_fault(&self, fault: &Fault) -> Result<(), ParseFaultError> {
        fault.can_strike_in(&places(&self.settings(), self.0.clock.now()))
    }

    /// Makes sure that some request to this application can be what a question asks for: a method that there is, a path of
    /// it, a resource type, a status.
    ///
    /// # Errors
    /// What can't match, and what was probably meant. [`query_journal`](Self::query_journal) answers it all the same.
    pub fn check_query(&self, query: &JournalQuery) -> Result<(), QueryError> {
        let settings = self.settings();
        let name = self.name();
        let base =
            if name == DEFAULT_APPLICATION { "/scim".to_owned() } else { format!("/apps/{name}/scim") };
        query.can_match_in(&Asked { name, base: &base, places: places(&settings, self.0.clock.now()) })
    }

    /// Makes sure that some requests could satisfy an expectation.
    ///
    /// # Errors
    /// What can't be, and what was probably meant. [`verify`](Self::verify) judges it all the same.
    pub fn check_expectation(&self, expectation: &Expectation) -> Result<(), QueryError> {
        self.check_query(&expectation.request)?;
        expectation.can_be_satisfied()
    }

    /// Adds a fault behind those that are there. Latencies add up; of the others the first one that is ready
    /// strikes.
    pub fn add_fault(&self, fault: Fault) -> FaultId {
        let mut faults = lock(&self.0.faults);
        self.0.faulty.store(true, Ordering::Release);
        faults.add(fault, self.0.clock.now())
    }

    /// Takes one fault away, and gives back what it took: credentials that it refused are good again, and so are
    /// tokens that it let expire once no other fault has. `false` where it is gone already.
    pub fn remove_fault(&self, id: FaultId) -> bool {
        let mut faults = lock(&self.0.faults);
        let had_expired = faults.has_expired_tokens();
        let removed = faults.remove(id);
        if had_expired && !faults.has_expired_tokens() {
            self.settings().gatekeeper.restore();
        }
        self.0.faulty.store(!faults.is_empty(), Ordering::Release);
        removed
    }

    /// The rules of the faults that can still strike.
    pub fn faults(&self) -> Vec<String> {
        let states = self.fault_states();
        states.into_iter().filter(|state| !state.spent).map(|state| state.rule).collect()
    }

    /// What has become of the faults, those included that have struck for the last time.
    pub fn fault_states(&self) -> Vec<FaultState> {
        lock(&self.0.faults).list()
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        let mut faults = lock(&self.0.faults);
        faults.clear();
        self.0.faulty.store(false, Ordering::Release);
        self.settings().gatekeeper.restore();
    }

    /// Follows another profile from the next request on.
    pub fn set_profile(&self, profile: Profile) {
        self.reconfigure(|old| old.with_profile(profile));
    }

    /// Accepts other credentials from the next request on: any of these; none at all where the list is empty.
    pub fn set_auth(&self, auth: Vec<Auth>) {
        self.reconfigure(|old| old.with_auth(auth));
    }

    /// Holds the `nth` request from now, counted from one as requests have been received whole. Requests with wrong
    /// credentials count, as long as the application exists.
    pub fn hold(&self, nth: usize, phase: Phase) -> Hold {
        let mut gates = lock(&self.0.gates);
        self.0.gated.store(true, Ordering::Release);
        gates.add(nth, phase)
    }

    /// Forgets the tokens that were issued, and what was revoked or expired before its time.
    pub fn reset_tokens(&self) {
        self.settings().gatekeeper.reset();
    }

    /// Lets rate limits count from the beginning.
    pub fn reset_limits(&self) {
        self.settings().buckets.refill();
    }

    fn reconfigure(&self, change: impl FnOnce(&Settings) -> Settings) {
        let mut settings = self.0.settings.write().unwrap_or_else(PoisonError::into_inner);
        let next = change(&settings);
        *settings = Arc::new(next);
    }

    /// Where each request is told, if anywhere.
    fn request_log(&self) -> Option<&RequestLog> {
        self.0.log.as_ref()
    }

    /// The journal, behind which `journal::handle` puts what the handle shows of it.
    pub(crate) fn journal_ring(&self) -> &Journal {
        &self.0.journal
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.0.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The store, for those who take everything out or put it in.
    pub(crate) fn store(&self) -> &Mutex<Store> {
        &self.0.store
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The members that exist, whatever else is said of them.
fn join(content: &mut Content, joining: Option<Joining>) {
    if let Some(Joining { refs, names }) = joining {
        content.refs = Some(refs);
        content.names = names;
    }
}

/// Applications of one seed still differ in their ids and draws: the name is mixed in (FNV-1a, which stays the same).
pub(crate) fn mixed(seed: u64, name: &ApplicationName) -> u64 {
    name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The resource types and paths of an application.
fn places(settings: &Settings, now: Timestamp) -> Places<'_> {
    let exact = settings.profile.requests.path_case == PathCase::Exact;
    Places { types: &settings.types, others: &OTHER_ENDPOINTS, exact, now }
}

fn new_store(settings: &Settings, seed: u64, name: &ApplicationName) -> Store {
    Store::new(Arc::clone(&settings.types), &settings.scim_url, mixed(seed, name))
}
