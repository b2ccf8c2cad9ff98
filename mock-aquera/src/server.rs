//! The server: many applications behind one listener, and the way of a request to one of them.

mod admin;
mod cors;
mod target;
mod told;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Bytes, HttpBody as _};
use axum::http::{HeaderMap, Method, StatusCode};
use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming as Coming;
use hyper::{Request, Response};

use crate::address::Addresses;
use crate::application::{
    Application, ApplicationConfig, ApplicationName, DEFAULT_APPLICATION, Incoming, Served, Start, mixed,
    scim_url, unauthorized,
};
use crate::auth::{Auth, Gatekeeper};
use crate::clock::{AppClock, Clock};
use crate::data::InitialData;
use crate::fault::Fault;
use crate::gateway::{Settings, nowhere, shape};
use crate::journal::JournalLimits;
use crate::lock;
use crate::log::RequestLog;
use crate::net::{Handler, Head, Later, ReplyBody, Wire};
use crate::problem::Problem;
use crate::profile::{Profile, ProfileAttributeError, check_paths};
use crate::reply::Reply;
use crate::types::Types;
pub(crate) use admin::{AdminAccess, AdminFront, FOLLOWER_PATIENCE};
pub(crate) use cors::Cors;
pub use cors::{Origin, OriginError};

/// How many applications one server holds at most.
pub const MAX_APPLICATIONS: usize = 10_000;
/// The largest body of a token request that is read, in bytes.
const MAX_TOKEN_REQUEST: usize = 64 * 1024;

/// The largest body of a request that is refused anyway, in bytes, for which its connection goes on.
const MAX_UNREAD: usize = 64 * 1024;

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
    addresses: Arc<Addresses>,
    defaults: Defaults,
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

    pub(crate) fn addresses(&self) -> &Arc<Addresses> {
        &self.addresses
    }

    pub(crate) fn defaults(&self) -> &Defaults {
        &self.defaults
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
        let application = self.make(valid, config).ok_or(ApplicationError::TooMany)?;
        for fault in faults {
            application.add_fault(fault.clone());
        }
        // Nothing that could be refused.
        let _ = application.begin(InitialData::Nothing);
        Ok(application)
    }

    /// An application as it was at the start of the server, or else as the command line describes it, with its faults.
    /// It has begun.
    fn create_on_demand(&self, name: &str) -> Result<Application, Problem> {
        let started = lock(&self.starts).get(name).cloned();
        if let Some((seed, start)) = started {
            return self.create_again(name, seed, start);
        }
        let application = self.create_default(name)?;
        // Nothing that could be refused; and of two who come first, one has begun it.
        let _ = application.begin(InitialData::Nothing);
        Ok(application)
    }

    /// An application of the start of the server, as it was then.
    fn create_again(&self, name: &str, seed: u64, start: Arc<Start>) -> Result<Application, Problem> {
        let valid = name.parse::<ApplicationName>()?;
        let _making = lock(&self.making);
        if let Some(made_meanwhile) = self.application(name) {
            return Ok(made_meanwhile);
        }
        let config = start.config(seed);
        let fill = |application: &Application| application.begin_as(start);
        self.make_with(valid, config, fill).ok_or(Problem::TooManyApplications(MAX_APPLICATIONS))
    }

    /// An application as the command line describes it, with its faults.
    pub(crate) fn create_default(&self, name: &str) -> Result<Application, Problem> {
        let valid = name.parse::<ApplicationName>()?;
        let _making = lock(&self.making);
        if let Some(made_meanwhile) = self.application(name) {
            return Ok(made_meanwhile);
        }
        let Defaults { profile, auth, seed, faults, .. } = self.defaults.clone();
        let config = ApplicationConfig { profile, auth, seed };
        let application = self.make(valid, config).ok_or(Problem::TooManyApplications(MAX_APPLICATIONS))?;
        for fault in faults {
            application.add_fault(fault);
        }
        Ok(application)
    }

    /// The application that data was kept of: one that is there already, or else one as the command line describes it
    /// save for its seed.
    pub(crate) fn restore(&self, name: &str, seed: u64) -> Result<Application, Problem> {
        if let Some(there) = self.application(name) {
            return Ok(there);
        }
        let valid = name.parse::<ApplicationName>()?;
        let Defaults { profile, auth, faults, .. } = self.defaults.clone();
        let config = ApplicationConfig { profile, auth, seed };
        let application = self.make(valid, config).ok_or(Problem::TooManyApplications(MAX_APPLICATIONS))?;
        for fault in faults {
            application.add_fault(fault);
        }
        Ok(application)
    }

    fn make(&self, name: ApplicationName, config: ApplicationConfig) -> Option<Application> {
        self.make_with(name, config, |_| {})
    }

    /// Makes an application, which nobody sees before it is filled.
    fn make_with(
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

    async fn scim(&self, name: &str, path_at: usize, request: Request<Coming>) -> Served {
        let (parts, body) = request.into_parts();
        let application = match self.application_for(name, &parts.headers) {
            Ok(application) => application,
            // Only the command line says how what doesn't exist yet behaves.
            Err(reply) => {
                self.tell(Some(Head::from(&parts)), reply.status, reply.note().as_deref());
                return unread(shape::shape(&self.defaults.profile, "", *reply), body).await;
            }
        };
        let body = if body.is_end_stream() {
            Ok(Bytes::new())
        } else {
            read(body, "the body", application.body_limit()).await
        };
        if let Ok(body) = &body
            && let Some(served) = application.answer_now(Head::from(&parts), path_at, body)
        {
            return served;
        }
        let left = matches!(body, Err(Problem::TooLarge { .. }));
        let served = Box::pin(application.serve(Incoming { parts, path_at, body })).await;
        if left { served.closing() } else { served }
    }

    /// The token endpoint of an application (RFC 6749 §3.2).
    async fn token(&self, name: &str, request: Request<Coming>) -> Served {
        let (parts, body) = request.into_parts();
        if parts.method != Method::POST {
            let problem =
                Problem::MethodNotAllowed { method: parts.method.to_string(), allow: "POST".to_owned() };
            let reply = Reply::from(problem);
            self.refuse(name, Head::from(&parts), &reply);
            return unread(reply, body).await;
        }
        let body = match read(body, "the token request", MAX_TOKEN_REQUEST).await {
            Ok(body) => body,
            Err(problem) => {
                let reply = Reply::from(problem);
                self.refuse(name, Head::from(&parts), &reply);
                return Served::of(reply).closing();
            }
        };
        let application = match self.application(name) {
            Some(application) => application,
            None if self.gatekeeper.would_issue(&parts.headers, &body) => match self.create_on_demand(name) {
                Ok(application) => application,
                Err(problem) => {
                    let reply = Reply::from(problem);
                    self.refuse(name, Head::from(&parts), &reply);
                    return Served::of(reply);
                }
            },
            None => {
                let reply = self.gatekeeper.issue(&parts.headers, &body, self.clock.now());
                self.tell(Some(Head::from(&parts)), reply.status, Some("the application does not exist yet"));
                return token_reply(reply);
            }
        };
        application.issue_token(&parts, &body)
    }
}

/// A token reply as it goes over the wire.
pub(crate) fn token_reply(reply: crate::auth::TokenReply) -> Served {
    let mut served = Served::of(Reply::empty(reply.status));
    served.headers.extend(reply.headers);
    served.body = reply.body;
    served
}

/// Everything that listens on the main port.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) server: Arc<Server>,
    /// Administration, unless it has a port of its own.
    pub(crate) admin: Option<AdminFront>,
    pub(crate) cors: Cors,
}

impl Front {
    fn scim(&self, name: &str, path_at: usize, request: Request<Coming>, wire: &Wire) -> Later {
        let (server, name, wire) = (Arc::clone(&self.server), name.to_owned(), wire.clone());
        Box::pin(async move { respond(server.scim(&name, path_at, request).await, &wire) })
    }

    fn token(&self, name: &str, request: Request<Coming>, wire: &Wire) -> Later {
        let (server, name, wire) = (Arc::clone(&self.server), name.to_owned(), wire.clone());
        Box::pin(async move { respond(server.token(&name, request).await, &wire) })
    }
}

impl Handler for Front {
    fn at_once(&self, head: Head<'_>, body: &Bytes) -> Option<Response<Bytes>> {
        let (name, path_at) = scim_path(head.uri.path()).filter(|_| target::is_normal(head.uri))?;
        let page = self.cors.allowed(head.headers);
        if page.is_some() && *head.method == Method::OPTIONS {
            return None;
        }
        let application = self.server.application(name)?;
        if body.len() > application.body_limit() {
            return None;
        }
        let Served { status, mut headers, body, sabotage: None, refuse: None } =
            application.answer_now(head, path_at, body)?
        else {
            return None;
        };
        if let Some(page) = page {
            cors::expose(&mut headers, page);
        }
        Some(response(status, headers, body))
    }

    fn call(&self, request: Request<Coming>, wire: &Wire) -> Later {
        let request = target::normalized(request);
        match self.cors.allowed(request.headers()) {
            None => self.route(request, wire),
            Some(page) => cors::for_page(page, request, |request| self.route(request, wire)),
        }
    }

    fn refused(&self, head: Option<Head<'_>>, reply: &Response<Bytes>, why: &str) {
        self.server.refused(head, reply, why);
    }
}

impl Front {
    fn route(&self, request: Request<Coming>, wire: &Wire) -> Later {
        let path = request.uri().path();
        if let Some((name, path_at)) = scim_path(path) {
            let name = name.to_owned();
            return self.scim(&name, path_at, request, wire);
        }
        if path == "/oauth/token" {
            return self.token(DEFAULT_APPLICATION, request, wire);
        }
        if let Some((name, path_at)) = application_path(path, "/oauth/token")
            && path.len() == path_at
        {
            let name = name.to_owned();
            return self.token(&name, request, wire);
        }
        match &self.admin {
            Some(admin) if AdminFront::is_below(path) => admin.clone().answer_later(request, wire),
            _ => {
                let server = &self.server;
                let head = Head { method: request.method(), uri: request.uri(), headers: request.headers() };
                let seen = head.seen_as(&server.addresses).ok().flatten();
                let origin = seen.as_deref().unwrap_or_else(|| server.addresses.origin());
                let told = nowhere::outside(&server.defaults.types, origin, path);
                server.tell(Some(head), StatusCode::NOT_FOUND, Some(&told));
                missed(told, request, wire)
            }
        }
    }
}

/// Administration on a port of its own.
impl Handler for AdminFront {
    fn at_once(&self, _: Head<'_>, _: &Bytes) -> Option<Response<Bytes>> {
        None
    }

    fn call(&self, request: Request<Coming>, wire: &Wire) -> Later {
        let request = target::normalized(request);
        let route = |request: Request<Coming>| {
            if Self::is_below(request.uri().path()) {
                self.clone().answer_later(request, wire)
            } else {
                let told =
                    "nothing is at this path; administration is under /_mock, and SCIM on another port";
                self.server().tell(Some(Head::from(&request)), StatusCode::NOT_FOUND, Some(told));
                missed(told.to_owned(), request, wire)
            }
        };
        match self.cors().allowed(request.headers()) {
            None => route(request),
            Some(page) => cors::for_page(page, request, route),
        }
    }

    fn refused(&self, head: Option<Head<'_>>, reply: &Response<Bytes>, why: &str) {
        self.server().tell(head, reply.status(), Some(why));
    }
}

impl AdminFront {
    fn answer_later(self, request: Request<Coming>, wire: &Wire) -> Later {
        let wire = wire.clone();
        Box::pin(async move { self.answer(request, wire).await.map(ReplyBody::Stream) })
    }
}

fn missed(told: String, request: Request<Coming>, wire: &Wire) -> Later {
    let wire = wire.clone();
    let reply = Reply::from(Problem::NoRoute(told));
    Box::pin(async move { respond(unread(reply, request.into_body()).await, &wire) })
}

fn respond(served: Served, wire: &Wire) -> Response<ReplyBody> {
    if let Some(time) = served.refuse {
        wire.refuse_connections(time);
    }
    if let Some(sabotage) = served.sabotage {
        wire.sabotage(sabotage);
    }
    response(served.status, served.headers, ReplyBody::from(served.body))
}

fn response<B>(status: StatusCode, headers: HeaderMap, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The name of the application in a SCIM path, and where what follows the base URL begins.
fn scim_path(path: &str) -> Option<(&str, usize)> {
    match path.strip_prefix("/scim") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Some((DEFAULT_APPLICATION, "/scim".len())),
        _ => application_path(path, "/scim"),
    }
}

/// The name of the application in a path under `/apps`, and where what follows `below` begins.
fn application_path<'p>(path: &'p str, below: &str) -> Option<(&'p str, usize)> {
    let rest = path.strip_prefix("/apps/")?;
    let name_end = rest.find('/')?;
    let after = rest[name_end..].strip_prefix(below)?;
    let path_at = path.len() - after.len();
    (after.is_empty() || after.starts_with('/')).then_some((&rest[..name_end], path_at))
}

/// The answer to a request whose body nobody looks at. It is read all the same where it is small: a connection with a
/// body left on it has to end.
async fn unread(reply: Reply, body: Coming) -> Served {
    let served = Served::of(reply);
    match read(body, "the body", MAX_UNREAD).await {
        Ok(_) => served,
        Err(_) => served.closing(),
    }
}

async fn read(body: Coming, what: &'static str, most: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > most as u64 {
        return Err(Problem::TooLarge { what, most });
    }
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::TooLarge { what, most }),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> Problem {
    Problem::BadSyntax(format!("it could not be read whole: {error}"))
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

    #[test]
    fn a_path_leads_to_an_application() {
        #[track_caller]
        fn check(path: &str, expected: Option<(&str, &str)>) {
            let found = application_path(path, "/scim").map(|(name, at)| (name, &path[at..]));
            assert_eq!(found, expected, "{path}");
        }
        check("/apps/a-1/scim/Users", Some(("a-1", "/Users")));
        check("/apps/a/scim", Some(("a", "")));
        check("/apps//scim", Some(("", "")));
        check("/apps/a", None);
        check("/apps/a/scimx", None);
        check("/scim", None);
        check("/", None);
    }
}
