//! The routes of both ports: which path leads to a SCIM endpoint, a token endpoint or administration.
//!
//! Paths below a SCIM base URL are read by [`Route`](crate::route::Route), those of administration stand in
//! [`admin`](super::admin).

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::any;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tower::service_fn;

use super::{Admin, Cors, Server, cors};
use crate::application::{Incoming, Served};
use crate::gateway::{not_found, response_format};
use crate::net::{FaultHandle, Head, HttpApp};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::route::Endpoint;

/// The largest body of a token request that is read, in bytes.
const MAX_TOKEN_REQUEST: usize = 64 * 1024;

/// The largest unused body of a rejected request after which its connection goes on, in bytes.
const MAX_UNREAD: usize = 64 * 1024;

/// The main port: all SCIM and token endpoints, and administration unless it has a port of its own.
pub(crate) fn main_port(server: &Arc<Server>, admin: Option<Admin>, cors: &Cors) -> HttpApp {
    let shared = Arc::clone(server);
    // A service, since a handler with extractors moves each request several times more.
    let mut router = Router::new()
        .fallback_service(service_fn(move |request| endpoint(&shared, request).map(Ok::<_, Infallible>)));
    if let Some(admin) = admin {
        router = router.merge(admin.router());
    }
    let server = Arc::clone(server);
    HttpApp {
        router: with_cors(router, cors),
        on_rejection: Arc::new(move |head, response, why| server.report_rejection(head, response, why)),
    }
}

/// The port of administration.
pub(crate) fn admin_port(server: &Arc<Server>, admin: Admin, cors: &Cors) -> HttpApp {
    let router = admin.router().fallback_service(any(beside_admin).with_state(Arc::clone(server)));
    let server = Arc::clone(server);
    HttpApp {
        router: with_cors(router, cors),
        on_rejection: Arc::new(move |head, response, why| server.tell(head, response.status(), Some(why))),
    }
}

fn with_cors(router: Router, cors: &Cors) -> Router {
    // A layer costs every request something.
    if cors.is_empty() { router } else { router.layer(from_fn_with_state(cors.clone(), cors::layer)) }
}

/// Any request that is not one of administration. The router puts the future of each on the heap, and what is rare in it
/// makes it no larger.
fn endpoint(server: &Arc<Server>, request: Request) -> impl Future<Output = Response> + use<> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let other: BoxFuture<'static, Response> = match Endpoint::of(path) {
        Endpoint::Scim { application, below } => {
            let path_at = path.len() - below.len();
            match server.application_for(application, &parts.headers) {
                Ok(application) => {
                    let mut incoming = Incoming { parts, path_at, body: Ok(Bytes::new()) };
                    // A block, since a function keeps its arguments twice.
                    return Either::Left(async move {
                        if !body.is_end_stream() {
                            incoming.body = read(body, "the body", application.body_limit()).await;
                        }
                        scim_response(application.serve(&incoming).await, &incoming)
                    });
                }
                // Only the command line says how an application behaves that does not exist yet.
                Err(mut reply) => {
                    server.tell(Some(Head::from(&parts)), reply.status, reply.note().as_deref());
                    response_format::shape(&server.defaults.profile, "", &mut reply);
                    Box::pin(unread(*reply, body))
                }
            }
        }
        Endpoint::Token { application } => {
            let (server, application) = (Arc::clone(server), application.to_owned());
            Box::pin(async move { token(&server, &application, &parts, body).await })
        }
        Endpoint::Other => {
            let head = Head::from(&parts);
            let seen = head.seen_as(&server.addresses).ok().flatten();
            let origin = seen.as_deref().unwrap_or_else(|| server.addresses.origin());
            let detail = not_found::outside(&server.defaults.types, origin, path);
            server.tell(Some(head), StatusCode::NOT_FOUND, Some(&detail));
            Box::pin(unread(Reply::from(Problem::NoRoute(detail)), body))
        }
    };
    Either::Right(other)
}

/// The response to a request to a SCIM endpoint.
fn scim_response(mut served: Served, incoming: &Incoming) -> Response {
    if matches!(incoming.body, Err(Problem::TooLarge { .. })) {
        served = served.closing();
    }
    if let Some(time) = served.refuse
        && let Some(handle) = incoming.parts.extensions.get::<FaultHandle>()
    {
        handle.refuse_connections(time);
    }
    respond(served)
}

/// A request to a token endpoint.
async fn token(server: &Server, application: &str, parts: &Parts, body: Body) -> Response {
    if parts.method != Method::POST {
        let problem =
            Problem::MethodNotAllowed { method: parts.method.to_string(), allow: "POST".to_owned() };
        return unread(server.refuse(application, parts, problem), body).await;
    }
    match read(body, "the token request", MAX_TOKEN_REQUEST).await {
        Ok(body) => respond(server.issue_token(application, parts, &body)),
        Err(problem) => respond(Served::of(server.refuse(application, parts, problem)).closing()),
    }
}

/// A path on the port of administration that is none of its paths.
async fn beside_admin(State(server): State<Arc<Server>>, request: Request) -> Response {
    let detail = "nothing is at this path; administration is under /_mock, and SCIM on another port";
    server.tell(Some(Head::from(&request)), StatusCode::NOT_FOUND, Some(detail));
    unread(Reply::from(Problem::NoRoute(detail.to_owned())), request.into_body()).await
}

/// Writes an answer as HTTP.
fn respond(served: Served) -> Response {
    let mut response = Response::new(Body::from(served.body));
    *response.status_mut() = served.status;
    *response.headers_mut() = served.headers;
    if let Some(fault) = served.fault {
        response.extensions_mut().insert(fault);
    }
    response
}

/// The response to a request whose body nobody looks at. A small body is read all the same: a connection with a body left
/// on it has to end.
async fn unread(reply: Reply, body: Body) -> Response {
    let served = Served::of(reply);
    respond(match read(body, "the body", MAX_UNREAD).await {
        Ok(_) => served,
        Err(_) => served.closing(),
    })
}

async fn read(body: Body, what: &'static str, most: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > most as u64 {
        return Err(Problem::TooLarge { what, most });
    }
    match Limited::new(body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::TooLarge { what, most }),
        Err(error) => Err(Problem::BadSyntax(format!("it could not be read whole: {error}"))),
    }
}
