//! One application: its accounts, settings, journal, faults and holds, and the handle on it.
//!
//! All accounts with all their indexes are behind one lock, which is never held across an await: a write is atomic.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::auth::{Access, Auth, Gatekeeper};
use crate::clock::{AppClock, Clock};
use crate::fault::{Fault, Faults, Phase};
use crate::gateway::{self, Scene, discovery::Documents};
use crate::hold::{Gate, Gates, Hold};
use crate::journal::{Exchange, Journal, Record};
use crate::lock;
use crate::problem::Problem;
use crate::profile::Profile;
use crate::reply::Reply;
use crate::store::Store;

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

/// What may be changed while the application lives.
pub(crate) struct Settings {
    pub(crate) profile: Profile,
    pub(crate) gatekeeper: Arc<Gatekeeper>,
    pub(crate) scim_url: String,
    documents: OnceLock<Documents>,
}

impl Settings {
    pub(crate) fn new(profile: Profile, gatekeeper: Arc<Gatekeeper>, scim_url: String) -> Self {
        Self { profile, gatekeeper, scim_url, documents: OnceLock::new() }
    }

    /// What the describing endpoints answer, made when first asked for.
    pub(crate) fn documents(&self) -> &Documents {
        self.documents
            .get_or_init(|| Documents::new(&self.profile, self.gatekeeper.accepted(), &self.scim_url))
    }
}

/// A handle on one application. Clones are handles on the same one.
#[derive(Clone)]
pub struct Application(Arc<Inner>);

struct Inner {
    name: ApplicationName,
    seed: u64,
    clock: AppClock,
    settings: RwLock<Arc<Settings>>,
    store: Mutex<Store>,
    journal: Mutex<Journal>,
    faults: Mutex<Faults>,
    gates: Mutex<Gates>,
}

impl Application {
    pub(crate) fn new(name: ApplicationName, settings: Settings, seed: u64, clock: Arc<dyn Clock>) -> Self {
        let store = new_store(&settings.scim_url, seed, &name);
        Self(Arc::new(Inner {
            name,
            seed,
            clock: AppClock::new(clock),
            settings: RwLock::new(Arc::new(settings)),
            store: Mutex::new(store),
            journal: Mutex::default(),
            faults: Mutex::default(),
            gates: Mutex::default(),
        }))
    }

    /// The name; `default` for the one at `/scim`.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// The base URL of its SCIM endpoint, without a slash at the end.
    pub fn scim_url(&self) -> String {
        self.settings().scim_url.clone()
    }

    /// The profile that it follows now.
    pub fn profile(&self) -> Profile {
        self.settings().profile.clone()
    }

    /// Every account that exists, in order of creation, in full representation.
    pub fn users(&self) -> Vec<Value> {
        let accounts: Vec<_> = lock(&self.0.store).all().cloned().collect();
        accounts.iter().map(|account| account.resource.clone()).collect()
    }

    /// How many accounts exist.
    pub fn user_count(&self) -> usize {
        lock(&self.0.store).all().len()
    }

    /// One account in full representation.
    pub fn user(&self, id: &str) -> Option<Value> {
        let account = lock(&self.0.store).get(id).cloned();
        account.map(|account| account.resource.clone())
    }

    /// Adds an account without any check, two with one `userName` if need be, and returns its id. An `id` in the
    /// resource is kept, and takes the place of the account that has it. `schemas` and `active` are filled in where
    /// they are missing, `meta` always; a password is dropped. What isn't an object counts as an empty one.
    pub fn seed_user(&self, resource: Value) -> String {
        let resource = gateway::completed(resource);
        lock(&self.0.store).insert(resource, self.0.clock.now()).id.clone()
    }

    /// Adds an account as a POST would, with all its checks.
    pub(crate) fn add_user(&self, resource: &Value) -> Result<String, Problem> {
        let resource = gateway::accept(resource)?;
        let mut store = lock(&self.0.store);
        match resource.get("userName").and_then(Value::as_str) {
            Some(name) if store.is_taken(name, None) => Err(Problem::UserNameTaken(name.to_owned())),
            _ => Ok(store.insert(resource, self.0.clock.now()).id.clone()),
        }
    }

    /// Changes an account behind the endpoint's back, unchecked, as a new version; its `id` and `meta` stay the
    /// server's. `false` where there is no such account, and then `change` isn't called.
    pub fn edit_user(&self, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
        let mut store = lock(&self.0.store);
        let Some(current) = store.get(id) else { return false };
        let mut resource = current.resource.as_object().cloned().unwrap_or_default();
        change(&mut resource);
        store.update(id, resource, self.0.clock.now()).is_some()
    }

    /// Removes an account behind the endpoint's back. `false` where there was none.
    pub fn remove_user(&self, id: &str) -> bool {
        lock(&self.0.store).remove(id)
    }

    /// What the journal remembers, oldest first.
    pub fn journal(&self) -> Vec<Exchange> {
        lock(&self.0.journal).exchanges()
    }

    /// Empties the journal; `seq` goes on counting.
    pub fn clear_journal(&self) {
        lock(&self.0.journal).clear();
    }

    /// Adds a fault behind those that are there. The first one that concerns a request strikes.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.0.faults).add(fault);
    }

    /// The rules of the faults that have strikes left, with how many.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.0.faults).rules()
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
    }

    /// Follows another profile from the next request on.
    pub fn set_profile(&self, profile: Profile) {
        self.reconfigure(|old| (profile, Arc::clone(&old.gatekeeper)));
    }

    /// Accepts other credentials from the next request on: any of these; none at all where the list is empty.
    pub fn set_auth(&self, auth: Vec<Auth>) {
        self.reconfigure(|old| (old.profile.clone(), Arc::new(old.gatekeeper.accepting(auth))));
    }

    /// Its clock, which can be stopped and moved.
    pub fn clock(&self) -> &AppClock {
        &self.0.clock
    }

    /// Holds the `nth` request from now, counted from one as requests have been received whole. Requests with wrong
    /// credentials count, as long as the application exists.
    pub fn hold(&self, nth: usize, phase: Phase) -> Hold {
        lock(&self.0.gates).add(nth, phase)
    }

    /// Forgets accounts, journal, faults and issued tokens. Ids and tokens start over from the seed, the clock follows
    /// the server's again.
    pub fn reset(&self) {
        *lock(&self.0.store) = new_store(&self.scim_url(), self.0.seed, &self.0.name);
        self.settings().gatekeeper.reset();
        self.0.clock.reset();
        self.clear_journal();
        self.clear_faults();
    }

    fn reconfigure(&self, change: impl FnOnce(&Settings) -> (Profile, Arc<Gatekeeper>)) {
        let mut settings = self.0.settings.write().unwrap_or_else(PoisonError::into_inner);
        let (profile, gatekeeper) = change(&settings);
        *settings = Arc::new(Settings::new(profile, gatekeeper, settings.scim_url.clone()));
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.0.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a request that has come, and hands out the gates that it has to pass.
    pub(crate) fn arrive(&self) -> Vec<Gate> {
        lock(&self.0.gates).arrive()
    }

    /// Carries out one request from its credentials to its journal entry. `path` is what follows the base URL;
    /// `body` may be a problem already.
    pub(crate) fn answer(&self, parts: Parts, path: &str, body: Result<Bytes, Problem>) -> Reply {
        let settings = self.settings();
        let now = self.0.clock.now();
        let mut fault = None;
        let access = settings.gatekeeper.check(&parts.headers, now);
        let (reply, request_body) = if access.principal().is_some() {
            fault = lock(&self.0.faults).strike(&parts.method);
            match (body, &fault) {
                (Ok(body), Some(fault)) if fault.strikes_at() == Phase::BeforeEffect => (struck(fault), body),
                (Ok(body), fault) => {
                    let scene = Scene {
                        settings: &settings,
                        store: &self.0.store,
                        now,
                        method: &parts.method,
                        path,
                        query: parts.uri.query().unwrap_or_default(),
                        headers: &parts.headers,
                        body: &body,
                    };
                    let reply = gateway::handle(&scene);
                    match fault {
                        Some(fault) => (struck(fault).became(reply.downstream), body),
                        None => (reply, body),
                    }
                }
                (Err(problem), _) => (Reply::from(problem), Bytes::new()),
            }
        } else {
            (unauthorized(&settings.gatekeeper, &access), body.unwrap_or_default())
        };
        tracing::debug!(
            application = self.name(),
            method = %parts.method,
            status = reply.status.as_u16(),
            fault = fault.is_some(),
            "answered a request"
        );
        lock(&self.0.journal).record(Record {
            at: now,
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            request_body,
            status: reply.status,
            response_body: reply.body(),
            downstream: reply.downstream.clone(),
            fault: fault.map(|fault| fault.to_string()),
        });
        reply
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// A 401 that names what would be accepted (RFC 7644 §2).
pub(crate) fn unauthorized(gatekeeper: &Gatekeeper, access: &Access) -> Reply {
    let challenges = gatekeeper.challenges(access);
    let told = challenges.iter().filter_map(|challenge| HeaderValue::to_str(challenge).ok());
    told.fold(Reply::from(Problem::Unauthorized), |reply, challenge| {
        reply.header(header::WWW_AUTHENTICATE, challenge)
    })
}

fn struck(fault: &Fault) -> Reply {
    let reply = match fault.status_code() {
        status @ (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => Reply::empty(status),
        status => Reply::from(Problem::Fault(status)),
    };
    match fault.retry_after_header().as_ref().and_then(|value| value.to_str().ok()) {
        Some(value) => reply.header(header::RETRY_AFTER, value),
        None => reply,
    }
}

fn new_store(scim_url: &str, seed: u64, name: &ApplicationName) -> Store {
    Store::new(format!("{scim_url}/Users"), mixed(seed, name))
}

/// Applications of one seed still differ in their ids and tokens: the name is mixed in (FNV-1a, which stays the same).
pub(crate) fn mixed(seed: u64, name: &ApplicationName) -> u64 {
    name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
