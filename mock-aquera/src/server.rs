//! The server: many applications behind one listener, and the way of a request to one of them.

mod admin;
mod cors;
mod routes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;
use hyper::Response;

use crate::address::Addresses;
use crate::application::{
    Application, ApplicationConfig, ApplicationName, Served, Start, mixed, scim_url, unauthorized,
};
use crate::auth::{Auth, Gatekeeper};
use crate::clock::{AppClock, Clock};
use crate::data::InitialData;
use crate::fault::Fault;
use crate::gateway::Settings;
use crate::journal::JournalLimits;
use crate::lock;
use crate::log::{Line, RequestLog};
use crate::net::Head;
use crate::problem::Problem;
use crate::profile::{Profile, ProfileAttributeError, check_paths};
use crate::reply::Reply;
use crate::route::Endpoint;
use crate::types::Types;
pub(crate) use admin::{Admin, AdminAccess, FOLLOWER_PATIENCE};
pub(crate) use cors::Cors;
pub use cors::{Origin, OriginError};
pub(crate) use routes::{admin_port, main_port};

/// How many applications one server holds at most.
pub const MAX_APPLICATIONS: usize = 10_000;

/// What the applications that nobody configured have in common.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    pub(crate) profile: Profile,
    pub(crate) auth: Vec<Auth>,
    pub(crate) seed: u64,
    pub(crate) faults: Vec<Fault>,
    pub(crate) types: Arc<Types>,
    pub(crate) journal: JournalLimits,
    /// Where each request is told, if anywhere.
    pub(crate) log: Option<RequestLog>,
}

/// Everything that the handlers share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) defaults: Defaults,
    /// Lets in those who ask for an application that doesn't exist yet.
    gatekeeper: Gatekeeper,
    clock: Arc<dyn Clock>,
    applications: DashMap<String, Application, DefaultHashBuilder>,
    /// Held while an application is made, so that the limit is kept.
    making: Mutex<()>,
    /// The applications that were there when the server started, by name, with their seeds.
    starts: Mutex<BTreeMap<String, (u64, Arc<Start>)>>,
}

/// Why an application can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationError {
    /// The name can't stand in a URL.
    #[error("the name of an application is 1 to 64 letters, digits, hyphens or underscores, not `{0}`")]
    BadName(String),
    /// There is one of that name.
    #[error("an application called `{0}` exists already")]
    Exists(String),
    /// The server is full.
    #[error(
        "the server holds {MAX_APPLICATIONS} applications already, and makes no more until one is removed"
    )]
    TooMany,
    /// Its profile names an attribute that no resource type has.
    #[error("the profile is not usable: {0}")]
    Profile(ProfileAttributeError),
}

impl Server {
    pub(crate) fn new(addresses: Arc<Addresses>, defaults: Defaults, clock: Arc<dyn Clock>) -> Self {
        let gatekeeper = Gatekeeper::new(defaults.auth.clone(), defaults.seed);
        Self {
            addresses,
            defaults,
            gatekeeper,
            clock,
            applications: DashMap::with_hasher(DefaultHashBuilder::default()),
            making: Mutex::new(()),
            starts: Mutex::default(),
        }
    }

    pub(crate) fn application(&self, name: &str) -> Option<Application> {
        self.applications.get(name).map(|application| application.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.applications.len()
    }

    /// Remembers the applications that are there as those of the start.
    pub(crate) fn remember_start(&self) {
        let all = self.applications();
        let started = all.iter().filter_map(|application| {
            let start = Arc::clone(application.start()?);
            Some((application.name().to_owned(), (application.seed_number(), start)))
        });
        *lock(&self.starts) = started.collect();
    }

    /// Brings back the applications of the start that are gone, also where another one took the place of one.
    pub(crate) fn restore_start(&self) {
        let starts = lock(&self.starts).clone();
        for (name, (_, start)) in starts {
            let there = self.application(&name);
            if there.is_some_and(|there| there.start().is_some_and(|own| Arc::ptr_eq(own, &start))) {
                continue;
            }
            self.remove(&name);
            if let Err(problem) = self.create_on_demand(&name) {
                tracing::error!(%problem, application = name, "failed to bring back an application of the start");
            }
        }
    }

    pub(crate) fn remove(&self, name: &str) -> bool {
        self.applications.remove(name).is_some()
    }

    /// All applications in order of their names.
    pub(crate) fn applications(&self) -> Vec<Application> {
        let mut all: Vec<_> = self.applications.iter().map(|entry| entry.value().clone()).collect();
        all.sort_by(|one, other| one.name().cmp(other.name()));
        all
    }

    pub(crate) fn create(
        &self,
        name: &str,
        config: ApplicationConfig,
        faults: &[Fault],
    ) -> Result<Application, ApplicationError> {
        let bad_name = |_| ApplicationError::BadName(name.to_owned());
        let valid = name.parse::<ApplicationName>().map_err(bad_name)?;
        let _making = lock(&self.making);
        if self.applications.contains_key(name) {
            return Err(ApplicationError::Exists(name.to_owned()));
        }
        check_paths(&config.profile, &self.defaults.types).map_err(ApplicationError::Profile)?;
        let made = self.make(valid, config, |application| add_faults(application, faults));
        let application = made.ok_or(ApplicationError::TooMany)?;
        // Nothing that could be refused.
        let _ = application.begin(InitialData::Nothing);
        Ok(application)
    }

    /// An application as it was at the start of the server, or else as the command line describes it, with its faults.
    /// It has begun.
    fn create_on_demand(&self, name: &str) -> Result<Application, Problem> {
        let started = lock(&self.starts).get(name).cloned();
        if let Some((seed, start)) = started {
            let config = start.config(seed);
            return self.get_or_make(name, config, |application| application.begin_as(start));
        }
        let application = self.create_default(name)?;
        // Nothing that could be refused; and of two who come first, one has begun it.
        let _ = application.begin(InitialData::Nothing);
        Ok(application)
    }

    /// An application as the command line describes it, with its faults.
    pub(crate) fn create_default(&self, name: &str) -> Result<Application, Problem> {
        self.restore(name, self.defaults.seed)
    }

    /// The application that data was kept of: one that is there already, or else one as the command line describes it
    /// save for its seed.
    pub(crate) fn restore(&self, name: &str, seed: u64) -> Result<Application, Problem> {
        let Defaults { profile, auth, faults, .. } = &self.defaults;
        let config = ApplicationConfig { profile: profile.clone(), auth: auth.clone(), seed };
        self.get_or_make(name, config, |application| add_faults(application, faults))
    }

    fn get_or_make(
        &self,
        name: &str,
        config: ApplicationConfig,
        fill: impl FnOnce(&Application),
    ) -> Result<Application, Problem> {
        let valid = name.parse::<ApplicationName>()?;
        let _making = lock(&self.making);
        match self.application(name) {
            Some(made_meanwhile) => Ok(made_meanwhile),
            None => self.make(valid, config, fill).ok_or(Problem::TooManyApplications(MAX_APPLICATIONS)),
        }
    }

    /// Makes an application, which nobody sees before it is filled.
    fn make(
        &self,
        name: ApplicationName,
        config: ApplicationConfig,
        fill: impl FnOnce(&Application),
    ) -> Option<Application> {
        if self.applications.len() >= MAX_APPLICATIONS {
            return None;
        }
        let scim_url = scim_url(self.addresses.origin(), name.as_str());
        let auth = if config.auth.is_empty() { self.defaults.auth.clone() } else { config.auth };
        let gatekeeper = Gatekeeper::new(auth, mixed(config.seed, &name));
        let types = Arc::clone(&self.defaults.types);
        let settings = Settings::new(config.profile, Arc::new(gatekeeper), scim_url, types);
        let key = name.as_str().to_owned();
        let clock = AppClock::new(Arc::clone(&self.clock));
        let (addresses, log) = (Arc::clone(&self.addresses), self.defaults.log.clone());
        let application = Application::new(name, settings, config.seed, clock, addresses, log);
        application.set_journal_limits(self.defaults.journal);
        fill(&application);
        self.applications.insert(key, application.clone());
        Some(application)
    }

    /// The application that a request is for; one that doesn't exist is made if the request is let in.
    fn application_for(&self, name: &str, headers: &HeaderMap) -> Result<Application, Box<Reply>> {
        if let Some(application) = self.application(name) {
            return Ok(application);
        }
        let access = self.gatekeeper.check(headers, self.clock.now());
        if access.principal().is_none() {
            return Err(Box::new(unauthorized(&self.gatekeeper, &access)));
        }
        self.create_on_demand(name).map_err(|problem| Box::new(Reply::from(problem)))
    }

    /// Answers a request to the token endpoint of an application (RFC 6749 §3.2).
    fn issue_token(&self, name: &str, parts: &Parts, body: &Bytes) -> Served {
        let application = match self.application(name) {
            Some(application) => application,
            None if self.gatekeeper.would_issue(&parts.headers, body) => match self.create_on_demand(name) {
                Ok(application) => application,
                Err(problem) => return Served::of(self.refuse(name, parts, problem)),
            },
            None => {
                let served = Served::from(self.gatekeeper.issue(&parts.headers, body, self.clock.now()));
                self.tell(Some(Head::from(parts)), served.status, Some("the application does not exist yet"));
                return served;
            }
        };
        application.issue_token(parts, body)
    }

    /// Tells of a request that no application saw.
    fn tell(&self, head: Option<Head<'_>>, status: StatusCode, note: Option<&str>) {
        if let Some(log) = &self.defaults.log {
            let notable = !status.is_success();
            let head = head.map(|head| (head.method, head.uri));
            let line = Line { status: Some(status), head, notable };
            log.tell(line, |notes| note.into_iter().for_each(|note| notes.add(note)));
        }
    }

    /// Refuses a request whatever its application has: tells of it, and journals it where there is one.
    fn refuse(&self, name: &str, parts: &Parts, problem: Problem) -> Reply {
        let (head, reply) = (Head::from(parts), Reply::from(problem));
        let why = reply.note().unwrap_or_default();
        match self.application(name) {
            Some(application) => application.refuse(head, (reply.status, &reply.headers, &reply.body), &why),
            None => self.tell(Some(head), reply.status, Some(&why)),
        }
        reply
    }

    /// Reports a request that the connection layer rejected.
    fn report_rejection(&self, head: Option<Head<'_>>, reply: &Response<Bytes>, why: &str) {
        let application = head.and_then(|head| {
            let Endpoint::Scim { application, .. } = Endpoint::of(head.uri.path()) else { return None };
            Some((self.application(application)?, head))
        });
        match application {
            Some((application, head)) => {
                application.refuse(head, (reply.status(), reply.headers(), reply.body()), why);
            }
            None => self.tell(head, reply.status(), Some(why)),
        }
    }
}

fn add_faults(application: &Application, faults: &[Fault]) {
    for fault in faults {
        application.add_fault(fault.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_first_requests_meet_in_one_application() {
        let defaults = Defaults {
            profile: Profile::default(),
            auth: Vec::new(),
            seed: 0,
            faults: Vec::new(),
            types: Types::standard(),
            journal: JournalLimits::default(),
            log: None,
        };
        let addresses = Addresses::new("http", "h".to_owned(), None, false);
        let server = Server::new(Arc::new(addresses), defaults, Arc::new(crate::SystemClock));
        let (first, second) = (server.create_default("a").unwrap(), server.create_default("a").unwrap());
        first.seed_user(serde_json::json!({"userName": "x"}));
        assert_eq!((second.users().len(), server.count()), (1, 1));
    }
}
