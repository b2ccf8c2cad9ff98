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
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Method, Request, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post};
use hyper::body::Incoming;
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::{Cors, Server};
use crate::address::{BadForwarding, host_of};
use crate::auth::Fingerprint;
use crate::net::{Head, Wire};
pub(crate) use access::AdminAccess;
use answer::{AdminBase, AdminError, MAX_BODY, SeenAs, Told};
pub(crate) use live::FOLLOWER_PATIENCE;

/// What comes before every path.
pub(super) const BASE: &str = "/_mock";

/// Administration as something that answers requests.
#[derive(Debug, Clone)]
pub(crate) struct AdminFront {
    router: Router,
    server: Arc<Server>,
    /// Whether it is on the port of the SCIM endpoints.
    is_beside: bool,
    /// What has to be shown, if anything.
    token: Option<Fingerprint>,
    access: AdminAccess,
    cors: Cors,
}

/// What the handlers share.
#[derive(Debug)]
struct Admin {
    server: Arc<Server>,
    /// Closed once the server is to end: whoever waits for something stops waiting.
    ending: watch::Receiver<()>,
    /// How many follow a journal.
    followers: Arc<AtomicUsize>,
    /// How many wait for exchanges.
    waits: Arc<AtomicUsize>,
    /// How long a follower may leave unread what it was sent.
    follower_patience: Duration,
}

impl Admin {
    /// Is over once the server is to end.
    async fn ended(&self) {
        let mut ending = self.ending.clone();
        while ending.changed().await.is_ok() {}
    }
}

type Shared = Arc<Admin>;

impl AdminFront {
    pub(crate) fn new(
        server: Arc<Server>,
        token: Option<Fingerprint>,
        (access, cors): (AdminAccess, Cors),
        is_beside: bool,
        ending: watch::Receiver<()>,
        follower_patience: Duration,
    ) -> Self {
        let admin = Arc::new(Admin {
            server: Arc::clone(&server),
            ending,
            followers: Arc::default(),
            waits: Arc::default(),
            follower_patience,
        });
        let router = routes()
            .into_iter()
            .chain([("/", get(index::index))])
            .fold(Router::new(), |router, (path, methods)| {
                let takes = strict::Takes::described(path);
                let strict = from_fn_with_state(takes, strict::check);
                router.route(&format!("{BASE}{path}"), methods.route_layer(strict))
            })
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .fallback(|| async { AdminError::NoSuchPath })
            .method_not_allowed_fallback(|| async { AdminError::MethodNotAllowed })
            .with_state(admin);
        Self { router, server, is_beside, token, access, cors }
    }

    /// Whether a path is one of administration.
    pub(super) fn is_below(path: &str) -> bool {
        path.strip_prefix(BASE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a request, and tells of one that is refused.
    pub(super) async fn answer(&self, request: Request<Incoming>, wire: Wire) -> Response {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = self.answered(request, wire).await;
        if response.status().is_client_error() || response.status().is_server_error() {
            let told = response.extensions().get::<Told>().map(|Told(told)| told.as_str());
            let head = Head { method: &method, uri: &uri, headers: &HeaderMap::new() };
            self.server.tell(Some(head), response.status(), told);
        }
        response
    }

    async fn answered(&self, mut request: Request<Incoming>, wire: Wire) -> Response {
        // Whether it is ready may be asked by those who know nothing.
        let open = request.uri().path().strip_prefix(BASE) == Some("/health");
        if !open && let Err(error) = self.check(request.method(), request.uri(), request.headers()) {
            return error.into_response();
        }
        request.extensions_mut().insert(wire);
        let seen = match self.seen_as(request.uri(), request.headers()) {
            Ok(seen) => seen,
            Err(error) => return AdminError::BadForwarding(error.to_string()).into_response(),
        };
        let addresses = self.server.addresses();
        match addresses.admin_prefix(seen.as_deref(), self.is_beside, request.headers()) {
            Ok(prefix) => request.extensions_mut().insert(AdminBase(format!("{prefix}{BASE}"))),
            Err(error) => return AdminError::BadForwarding(error.to_string()).into_response(),
        };
        request.extensions_mut().insert(SeenAs(seen));
        let answered = self.router.clone().oneshot(request.map(Body::new)).await;
        answered.unwrap_or_else(|never| match never {})
    }

    /// The origin of the SCIM endpoints for whoever sent a request; `None` if it is the one that URLs are kept with.
    fn seen_as(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, BadForwarding> {
        let addresses = self.server.addresses();
        if self.is_beside {
            return addresses.seen_by(uri, headers);
        }
        // Another port: only the name of the host is common to both.
        let host = host_of(uri, headers).and_then(|host| str::from_utf8(host).ok());
        Ok(host.and_then(|host| addresses.beside(host)))
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn cors(&self) -> &Cors {
        &self.cors
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
            get(resources::users).post(resources::seed_users).delete(resources::remove_users),
        ),
        (
            "/applications/{name}/groups",
            get(resources::groups).post(resources::seed_groups).delete(resources::remove_groups),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_administration() {
        for (path, below) in
            [("/_mock", true), ("/_mock/", true), ("/_mock/x", true), ("/_mocks", false), ("/", false)]
        {
            assert_eq!(AdminFront::is_below(path), below, "{path}");
        }
    }
}
