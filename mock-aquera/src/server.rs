//! The server: many applications behind one listener, and the way of a request to one of them.

mod admin;

use std::error::Error as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use dashmap::DashMap;

use crate::application::{
    Application, ApplicationConfig, ApplicationName, DEFAULT_APPLICATION, Settings, mixed, unauthorized,
};
use crate::auth::{Auth, Gatekeeper};
use crate::clock::Clock;
use crate::fault::{Fault, Phase};
use crate::lock;
use crate::problem::Problem;
use crate::profile::Profile;
use crate::reply::{Reply, cut_off};

/// How many applications one server holds at most.
pub const MAX_APPLICATIONS: usize = 10_000;

/// The largest request body that is read, in bytes.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// What the applications that nobody configured have in common.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    pub(crate) profile: Profile,
    pub(crate) auth: Vec<Auth>,
    pub(crate) seed: u64,
    pub(crate) faults: Vec<Fault>,
}

/// Everything that the handlers share.
#[derive(Debug)]
pub(crate) struct Server {
    origin: String,
    defaults: Defaults,
    /// Guards the applications that don't exist yet.
    gatekeeper: Gatekeeper,
    clock: Arc<dyn Clock>,
    applications: DashMap<String, Application>,
    /// Held while an application is made, so that the limit is kept.
    making: Mutex<()>,
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
}

impl Server {
    pub(crate) fn new(origin: String, defaults: Defaults, clock: Arc<dyn Clock>) -> Self {
        let gatekeeper = Gatekeeper::new(defaults.auth.clone(), defaults.seed);
        Self { origin, defaults, gatekeeper, clock, applications: DashMap::new(), making: Mutex::new(()) }
    }

    pub(crate) fn application(&self, name: &str) -> Option<Application> {
        self.applications.get(name).map(|application| application.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.applications.len()
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
    ) -> Result<Application, ApplicationError> {
        let bad_name = |_| ApplicationError::BadName(name.to_owned());
        let valid = name.parse::<ApplicationName>().map_err(bad_name)?;
        let _making = lock(&self.making);
        if self.applications.contains_key(name) {
            return Err(ApplicationError::Exists(name.to_owned()));
        }
        self.make(valid, config).ok_or(ApplicationError::TooMany)
    }

    /// An application as the command line describes it, with its faults.
    pub(crate) fn create_default(&self, name: &str) -> Result<Application, Problem> {
        let valid = name.parse::<ApplicationName>()?;
        let _making = lock(&self.making);
        if let Some(made_meanwhile) = self.application(name) {
            return Ok(made_meanwhile);
        }
        let Defaults { profile, auth, seed, faults } = self.defaults.clone();
        let config = ApplicationConfig { profile, auth, seed };
        let application = self.make(valid, config).ok_or(Problem::TooManyApplications(MAX_APPLICATIONS))?;
        for fault in faults {
            application.add_fault(fault);
        }
        Ok(application)
    }

    fn make(&self, name: ApplicationName, config: ApplicationConfig) -> Option<Application> {
        if self.applications.len() >= MAX_APPLICATIONS {
            return None;
        }
        let scim_url = match name.as_str() {
            DEFAULT_APPLICATION => format!("{}/scim", self.origin),
            other => format!("{}/apps/{other}/scim", self.origin),
        };
        let auth = if config.auth.is_empty() { self.defaults.auth.clone() } else { config.auth };
        let gatekeeper = Gatekeeper::new(auth, mixed(config.seed, &name));
        let settings = Settings::new(config.profile, Arc::new(gatekeeper), scim_url);
        let key = name.as_str().to_owned();
        let application = Application::new(name, settings, config.seed, Arc::clone(&self.clock));
        self.applications.insert(key, application.clone());
        Some(application)
    }

    /// The application that a request is for; one that doesn't exist is made if the request is let in.
    fn application_for(&self, name: &str, request: &Request) -> Result<Application, Reply> {
        if let Some(application) = self.application(name) {
            return Ok(application);
        }
        let access = self.gatekeeper.check(request.headers(), self.clock.now());
        if access.principal().is_none() {
            return Err(unauthorized(&self.gatekeeper, &access));
        }
        self.create_default(name).map_err(Reply::from)
    }
}

/// All routes: administration under `/_mock`, everything else is SCIM's to answer.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new().nest("/_mock", admin::router()).fallback(scim).with_state(server)
}

async fn scim(State(server): State<Arc<Server>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let Some((name, rest)) = destination(&path) else {
        return Reply::from(Problem::NoSuchPath).into_response();
    };
    let application = match server.application_for(name, &request) {
        Ok(application) => application,
        Err(reply) => return reply.into_response(),
    };
    let (parts, body) = request.into_parts();
    let body = read(body).await;
    let (before, after): (Vec<_>, Vec<_>) =
        application.arrive().into_iter().partition(|gate| gate.phase == Phase::BeforeEffect);
    for gate in before {
        if !gate.pass().await {
            return cut_off();
        }
    }
    let reply = application.answer(parts, rest, body);
    for gate in after {
        if !gate.pass().await {
            return cut_off();
        }
    }
    reply.into_response()
}

/// The name of the application and what follows its base URL.
fn destination(path: &str) -> Option<(&str, &str)> {
    let (name, rest) = match path.strip_prefix("/apps/") {
        Some(rest) => {
            let (name, rest) = rest.split_once('/')?;
            (name, rest.strip_prefix("scim")?)
        }
        None => (DEFAULT_APPLICATION, path.strip_prefix("/scim")?),
    };
    (rest.is_empty() || rest.starts_with('/')).then_some((name, rest))
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    to_bytes(body, MAX_BODY).await.map_err(|error| {
        let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        if reason.contains("length limit") {
            Problem::TooLarge(MAX_BODY)
        } else {
            Problem::BadSyntax(format!("it could not be read whole: {reason}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_first_requests_meet_in_one_application() {
        let defaults =
            Defaults { profile: Profile::default(), auth: Vec::new(), seed: 0, faults: Vec::new() };
        let server = Server::new(String::new(), defaults, Arc::new(crate::SystemClock));
        let (first, second) = (server.create_default("a").unwrap(), server.create_default("a").unwrap());
        first.seed_user(serde_json::json!({"userName": "x"}));
        assert_eq!((second.users().len(), server.count()), (1, 1));
    }

    #[test]
    fn a_path_leads_to_an_application() {
        #[track_caller]
        fn check(path: &str, expected: Option<(&str, &str)>) {
            assert_eq!(destination(path), expected, "{path}");
        }
        check("/scim", Some(("default", "")));
        check("/scim/", Some(("default", "/")));
        check("/scim/Users/1", Some(("default", "/Users/1")));
        check("/apps/a-1/scim/Users", Some(("a-1", "/Users")));
        check("/apps//scim", Some(("", "")));
        check("/apps/a", None);
        check("/apps/a/scimx", None);
        check("/scimitar", None);
        check("/", None);
    }
}
