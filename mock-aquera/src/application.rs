//! One application: its resources, settings, journal, faults and holds, and the handle on it.
//!
//! All resources with all their indexes are behind one lock, which is never held across an await: a write is atomic.
//! [`serve`] is the way of a request through it, [`blocking_work`] what takes long, [`resources`] what tests do behind the
//! endpoint's back, [`import_export`] resources in bulk, [`journal`](mod@journal) what the journal shows.

mod blocking_work;
mod cancellation;
mod import_export;
mod journal;
mod request_lines;
mod resources;
mod serve;
mod start;
mod token;

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;

use crate::address::Addresses;
use crate::auth::Auth;
use crate::breakpoint::{Gates, Hold};
use crate::clock::{AppClock, Clock as _};
use crate::fault::{Fault, FaultId, FaultState, Faults, ParseFaultError, Phase, Places};
use crate::gateway::Settings;
use crate::gateway::not_found::OTHER_ENDPOINTS;
use crate::journal::{Asked, Journal, JournalQuery, QueryError};
use crate::lock;
use crate::log::RequestLog;
use crate::problem::Problem;
use crate::profile::{PathCase, Profile};
use crate::route::DEFAULT_APPLICATION;
use crate::store::{Inconsistency, Store};
use crate::verify::Expectation;
pub(crate) use serve::{Incoming, Served, unauthorized};
pub(crate) use start::Start;

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

    /// Whether indexes, totals and memberships agree with the resources. Takes its time; for tests.
    ///
    /// # Errors
    /// The first inconsistency.
    pub fn check_consistency(&self) -> Result<(), Inconsistency> {
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
        let base = scim_url("", name);
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

    /// The journal itself.
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

/// The base URL of an application below an origin.
pub(crate) fn scim_url(origin: &str, application: &str) -> String {
    match application {
        DEFAULT_APPLICATION => format!("{origin}/scim"),
        other => format!("{origin}/apps/{other}/scim"),
    }
}

fn new_store(settings: &Settings, seed: u64, name: &ApplicationName) -> Store {
    Store::new(Arc::clone(&settings.types), &settings.scim_url, mixed(seed, name))
}
