//! Administration under `/_mock`: applications and all that they hold. Plain JSON, no credentials in any answer.
//!
//! [`routes`] is the whole of it, and [`openapi`] describes it; a test holds the two together. What a route does is a
//! method of [`Application`](crate::Application), so that the library can do the same.

mod access;
mod answer;
mod applications;
mod clock;
mod faults;
mod index;
mod journal;
mod live;
mod openapi;
mod reset;
mod resources;
mod strict;
mod transfer;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any, delete, get, post};
use subtle::ConstantTimeEq as _;
use tokio::sync::{Semaphore, watch};

use super::{Cors, Server};
use crate::address::{BadForwarding, host_of};
use crate::auth::Fingerprint;
use crate::net::Head;
pub(crate) use access::AdminAccess;
use answer::{AdminError, MAX_BODY, SeenAs, Told};
pub(crate) use live::FOLLOWER_PATIENCE;

/// What comes before every path.
pub(super) const BASE: &str = "/_mock";

/// Administration, which answers requests by its [`router`](Self::router).
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) server: Arc<Server>,
    /// Whether it is on the port of the SCIM endpoints.
    pub(crate) is_beside: bool,
    /// What has to be shown, if anything.
    pub(crate) token: Option<Fingerprint>,
    pub(crate) access: AdminAccess,
    pub(crate) cors: Cors,
    /// Closed once the server is to end: whoever waits for something stops waiting.
    pub(crate) ending: watch::Receiver<()>,
    /// How long a follower may leave unread what it was sent.
    pub(crate) follower_patience: Duration,
}

/// What the handlers share.
#[derive(Debug)]
struct AdminState {
    config: Admin,
    /// For those who follow a journal.
    followers: Arc<Semaphore>,
    /// For those who wait for exchanges.
    waits: Semaphore,
}

impl AdminState {
    /// Is over once the server is to end.
    async fn ended(&self) {
        let mut ending = self.config.ending.clone();
        while ending.changed().await.is_ok() {}
    }
}

type Shared = Arc<AdminState>;

impl Admin {
    /// All routes of administration, for those who may use it.
    pub(super) fn router(self) -> Router {
        let admin = Arc::new(AdminState {
            config: self,
            followers: Arc::new(Semaphore::new(live::MAX_FOLLOWERS)),
            waits: Semaphore::new(live::MAX_WAITS),
        });
        routes()
            .into_iter()
            .chain([("/", get(index::index))])
            .fold(Router::new(), |router, (path, methods)| {
                let takes = strict::Takes::described(path);
                let strict = from_fn_with_state(takes, strict::check);
                router.route(&format!("{BASE}{path}"), methods.route_layer(strict))
            })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .method_not_allowed_fallback(|| async { AdminError::MethodNotAllowed })
            .route(&format!("{BASE}/{{*path}}"), any(|| async { AdminError::NoSuchPath }))
            .with_state(Arc::clone(&admin))
            .layer(from_fn_with_state(admin, guard))
    }

    /// Checks a request, and adds to it what depends on how its client sees the server.
    fn admit(&self, request: &mut Request) -> Result<(), AdminError> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        // A client without a token may ask whether the server is ready.
        if uri.path().strip_prefix(BASE) != Some("/health") {
            self.check(method, uri, headers)?;
        }
        let bad = |error: BadForwarding| AdminError::BadForwarding(error.to_string());
        let seen = self.seen_as(uri, headers).map_err(bad)?;
        let addresses = &self.server.addresses;
        let prefix = addresses.admin_prefix(seen.as_deref(), self.is_beside, headers).map_err(bad)?;
        request.extensions_mut().insert(SeenAs { origin: seen, base: format!("{prefix}{BASE}") });
        Ok(())
    }

    /// The origin of the SCIM endpoints for whoever sent a request; `None` if it is the one that URLs are kept with.
    fn seen_as(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, BadForwarding> {
        let addresses = &self.server.addresses;
        if self.is_beside {
            return addresses.seen_by(uri, headers);
        }
        // Another port: only the name of the host is common to both.
        let host = host_of(uri, headers).and_then(|host| str::from_utf8(host).ok());
        Ok(host.and_then(|host| addresses.beside(host)))
    }

    /// Checks who asks, and from where.
    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), AdminError> {
        if self.token.is_none() {
            // Who knows the token was not led here by somebody else's host name.
            self.access.check_host(uri, headers)?;
        }
        AdminAccess::check_origin(method, uri, headers, self.cors.allowed(headers).is_some())?;
        if self.lets_in(headers) { Ok(()) } else { Err(AdminError::Unauthorized) }
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = shown.and_then(|shown| {
            let (scheme, token) = shown.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        bearer.is_some_and(|shown| Fingerprint::of(shown.as_bytes()).ct_eq(token).into())
    }
}

/// Lets those requests in that may use administration, and reports those that are refused.
async fn guard(State(admin): State<Shared>, mut request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = match admin.config.admit(&mut request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        let told = response.extensions().get::<Told>().map(|Told(told)| told.as_str());
        let head = Head { method: &method, uri: &uri, headers: &HeaderMap::new() };
        admin.config.server.tell(Some(head), response.status(), told);
    }
    response
}

/// Every path below [`BASE`] with its methods.
fn routes() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("", get(index::index)),
        ("/openapi.json", get(index::openapi)),
        ("/health", get(index::health)),
        ("/metrics", get(index::metrics)),
        ("/profiles", get(index::profiles)),
        ("/reset", post(reset::reset_all)),
        ("/applications", get(applications::list)),
        (
            "/applications/{name}",
            get(applications::describe).put(applications::configure).delete(applications::remove),
        ),
        ("/applications/{name}/profile", get(applications::profile).put(applications::set_profile)),
        ("/applications/{name}/auth", get(applications::auth).put(applications::set_auth)),
        (
            "/applications/{name}/users",
            get(resources::list).post(resources::seed).delete(resources::remove_all),
        ),
        (
            "/applications/{name}/groups",
            get(resources::list).post(resources::seed).delete(resources::remove_all),
        ),
        (
            "/applications/{name}/resources/{type}",
            get(resources::list).post(resources::seed).delete(resources::remove_all),
        ),
        (
            "/applications/{name}/resources/{type}/{id}",
            get(resources::show).put(resources::write).delete(resources::remove),
        ),
        ("/applications/{name}/faults", get(faults::list).post(faults::add).delete(faults::clear)),
        ("/applications/{name}/faults/{id}", delete(faults::remove)),
        ("/applications/{name}/clock", get(clock::show).post(clock::change)),
        ("/applications/{name}/reset", post(reset::reset)),
        ("/applications/{name}/journal", get(journal::query).delete(journal::clear)),
        ("/applications/{name}/journal/limits", get(journal::limits).put(journal::set_limits)),
        ("/applications/{name}/journal/wait", get(live::wait).post(live::wait_for)),
        ("/applications/{name}/journal/har", get(journal::har)),
        ("/applications/{name}/journal/stream", get(live::stream)),
        ("/applications/{name}/verify", post(verify::verify)),
        ("/applications/{name}/dump", get(transfer::dump)),
        ("/applications/{name}/load", post(transfer::load).layer(DefaultBodyLimit::max(transfer::MAX_LOAD))),
        ("/applications/{name}/consistency", get(transfer::consistency)),
    ]
}
