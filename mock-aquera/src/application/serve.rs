//! The way of a request through an application: holds, credentials, limits, faults, the gateway, the journal.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request};
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{Application, Settings, mixed, scim_url};
use crate::address::Rebase;
use crate::application::cancellation::Waiting;
use crate::auth::{Access, Gatekeeper, Principal, PrincipalKind, Refusal, TokenReply};
use crate::breakpoint::Breakpoint;
use crate::clock::Clock as _;
use crate::fault::{self, FaultKind, Phase, Strikes, Struck, Subject};
use crate::gateway;
use crate::gateway::{Outcome, RequestContext, response_format};
use crate::journal::kind_of_route;
use crate::lock;
use crate::net::{Head, SocketFault};
use crate::problem::Problem;
use crate::profile::DiscoveryAccess;
use crate::profile::rate::{Admission, Asked};
use crate::reply::Reply;
use crate::route::Route;
use crate::store::Ref;
use crate::types::TypeId;

/// One request as it came from the wire.
pub(crate) struct Incoming {
    pub(crate) parts: request::Parts,
    /// Where in the path the part below the base URL begins.
    pub(crate) path_at: usize,
    /// The body, or what was wrong with it.
    pub(crate) body: Result<Bytes, Problem>,
}

/// What becomes of a request on the wire.
pub(crate) struct Served {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What happens to the answer on its way.
    pub(crate) fault: Option<SocketFault>,
    /// How long no new connection is accepted.
    pub(crate) refuse: Option<Duration>,
}

impl Served {
    fn cut_off() -> Self {
        let mut served = Self::of(Reply::empty(StatusCode::SERVICE_UNAVAILABLE));
        served.fault = Some(SocketFault::EmptyReply);
        served
    }

    /// Says that the connection ends, because what the client is still sending is left on it (RFC 9112 §9.6).
    pub(crate) fn closing(mut self) -> Self {
        self.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        self
    }

    pub(crate) fn of(reply: Reply) -> Self {
        Self { status: reply.status, headers: reply.headers, body: reply.body, fault: None, refuse: None }
    }
}

impl From<TokenReply> for Served {
    fn from(TokenReply(response): TokenReply) -> Self {
        let (Parts { status, headers, .. }, body) = response.into_parts();
        Self { status, headers, body, fault: None, refuse: None }
    }
}

/// What the faults have decided for a request.
#[derive(Default)]
pub(super) struct Verdict {
    strikes: Option<Box<Strikes>>,
}

impl Verdict {
    fn main(&self) -> Option<&Struck> {
        self.strikes.as_ref().and_then(|strikes| strikes.main.as_ref())
    }

    fn before(&self) -> Option<&Struck> {
        self.main().filter(|struck| struck.phase == Phase::BeforeEffect && refusal(&struck.kind).is_none())
    }

    fn rules(&self) -> Vec<Arc<str>> {
        self.strikes.iter().flat_map(|strikes| strikes.rules()).cloned().collect()
    }
}

/// How long the server refuses new connections. The request itself is carried out.
fn refusal(kind: &FaultKind) -> Option<Duration> {
    if let FaultKind::Refuse(time) = kind { Some(*time) } else { None }
}

impl Application {
    /// Whether a body as large as this would be read.
    pub(crate) fn body_limit(&self) -> usize {
        self.settings().profile.requests.max_body.get() as usize
    }

    /// Carries out one request from its holds to its journal entry.
    pub(crate) async fn serve(&self, incoming: &Incoming) -> Served {
        if self.0.gated.load(Ordering::Acquire) {
            Box::pin(self.serve_gated(incoming)).await
        } else {
            self.answer(incoming).await
        }
    }

    /// Lets a request pass the holds that apply to it.
    async fn serve_gated(&self, incoming: &Incoming) -> Served {
        let (before, after): (Vec<Breakpoint>, Vec<Breakpoint>) =
            self.arrive().into_iter().partition(|gate| gate.phase == Phase::BeforeEffect);
        for gate in before {
            if !gate.pass().await {
                return Served::cut_off();
            }
        }
        let served = self.answer(incoming).await;
        for gate in after {
            if !gate.pass().await {
                return Served::cut_off();
            }
        }
        served
    }

    /// Counts a request that has come, and hands out the gates that it has to pass.
    fn arrive(&self) -> Vec<Breakpoint> {
        let mut gates = lock(&self.0.gates);
        let passing = gates.arrive();
        self.0.gated.store(!gates.is_empty(), Ordering::Release);
        passing
    }

    pub(super) fn context<'a>(
        &'a self,
        received: &ReceivedRequest<'a>,
        headers: &RequestHeaders,
        me: Option<Arc<str>>,
    ) -> RequestContext<'a> {
        let ReceivedRequest { settings, head, path, route, body, now, seen_as } = *received;
        RequestContext {
            settings,
            seen_as,
            store: &self.0.store,
            now,
            method: head.method,
            path,
            route,
            query: head.uri.query().unwrap_or_default(),
            conditional: headers.conditional,
            acceptable: headers.acceptable,
            headers: head.headers,
            body,
            me,
            reserved: None,
            inner: false,
        }
    }

    /// The base URL of this application that the client of a request used; `None` if it is the one that URLs are kept
    /// with.
    fn seen_as(&self, head: Head<'_>) -> Result<Option<String>, Problem> {
        let seen =
            head.seen_as(&self.0.addresses).map_err(|error| Problem::BadForwarding(error.to_string()))?;
        Ok(seen.map(|origin| scim_url(&origin, self.name())))
    }

    /// Gives an answer its last form, journals the exchange and lets it go.
    pub(super) fn finish_response(
        &self,
        received: &ReceivedRequest<'_>,
        mut reply: Reply,
        verdict: &Verdict,
        fault: Option<SocketFault>,
    ) -> Served {
        let ReceivedRequest { settings, head, route, body, now, seen_as, .. } = *received;
        if reply.status.is_success() {
            let query = head.uri.query().unwrap_or_default();
            reply.known.notes.extend(gateway::passed_over(settings, head.method, route, query, body));
        }
        if let Some(to) = seen_as {
            Rebase { from: &settings.scim_url, to }.reply(&mut reply);
        }
        response_format::shape(&settings.profile, seen_as.unwrap_or(&settings.scim_url), &mut reply);
        if let Some(FaultKind::WrongType(kind)) = verdict.main().map(|struck| &struck.kind)
            && let Ok(kind) = HeaderValue::from_str(kind)
        {
            reply.headers.insert(header::CONTENT_TYPE, kind);
        }
        let (no_headers, no_body) = (HeaderMap::new(), Bytes::new());
        let answer = if fault.as_ref().is_some_and(is_lost) {
            (None, &no_headers, &no_body)
        } else {
            (Some(reply.status), &reply.headers, &reply.body)
        };
        self.tell_answered(head, answer.0, &reply, verdict.strikes.as_deref());
        let mut known = std::mem::take(&mut reply.known);
        known.faults = verdict.rules();
        known.kind = (route != Route::Unknown).then(|| kind_of_route(head.method, &route));
        self.record((head, now, body), answer, known);
        let Reply { status, headers, body, .. } = reply;
        let refuse = verdict.main().and_then(|struck| refusal(&struck.kind));
        Served { status, headers, body, fault, refuse }
    }

    /// Answers a request. Every request moves this future, so that what is kept over an await is little: what a request
    /// waits for is boxed, and there is one reply, not one for each way to it.
    async fn answer(&self, incoming: &Incoming) -> Served {
        let settings = self.settings();
        let head = Head::from(&incoming.parts);
        let empty = Bytes::new();
        let body = incoming.body.as_ref().unwrap_or(&empty);
        let seen = self.seen_as(head);
        let seen_as = seen.as_ref().ok().and_then(Option::as_deref);
        let now = self.0.clock.now();
        let received = ReceivedRequest::new(&settings, (head, incoming.path_at, body), now, seen_as);
        if let Err(problem) = &seen {
            return self.finish_response(&received, Reply::from(problem.clone()), &Verdict::default(), None);
        }
        let principal = match Self::access(&received) {
            Access::Granted(principal) => principal,
            access => {
                let reply = unauthorized(&settings.gatekeeper, &access);
                return self.finish_response(&received, reply, &Verdict::default(), None);
            }
        };
        // Before the faults: what waits on account of one is among those that are on their way.
        let admission = match Self::admit(&received) {
            Ok(admission) => admission,
            Err(reply) => return self.finish_response(&received, *reply, &Verdict::default(), None),
        };
        let verdict = self.strike(&received);
        if let Some(strikes) = &verdict.strikes {
            let waiting = Waiting { application: self, received: &received, strikes, reply: None };
            Box::pin(waiting.pass(Phase::BeforeEffect)).await;
        }
        let (mut reply, later) = self.carry_out(&received, incoming, (&verdict, principal.me));
        if let Some(later) = later {
            reply = later.await;
        }
        if let Some(strikes) = &verdict.strikes {
            let waiting = Waiting { application: self, received: &received, strikes, reply: Some(&reply) };
            Box::pin(waiting.pass(Phase::AfterEffect)).await;
        }
        drop(admission);
        let after = verdict.main().filter(|struck| struck.phase == Phase::AfterEffect);
        if let Some(struck) = after.filter(|struck| replaces(&struck.kind)) {
            reply = reply.answered_as(Self::struck(&settings, struck, received.head));
        }
        self.finish_response(&received, reply, &verdict, verdict.main().and_then(socket_fault_of))
    }

    /// Carries out a request that was let in, or begins what takes long, whose reply comes later.
    fn carry_out<'a>(
        &'a self,
        received: &'a ReceivedRequest<'a>,
        incoming: &'a Incoming,
        (verdict, me): (&Verdict, Option<Arc<str>>),
    ) -> (Reply, Option<BoxFuture<'a, Reply>>) {
        if let Some(struck) = verdict.before() {
            return (Self::struck(received.settings, struck, received.head), None);
        }
        let headers = RequestHeaders::of(received.head.headers);
        let problem = head_problem(received.settings, received.head, &headers);
        if let Some(problem) = problem.as_ref().or(incoming.body.as_ref().err()) {
            return (Reply::from(problem.clone()), None);
        }
        let context = self.context(received, &headers, me);
        if gateway::is_long(&context) {
            return (Reply::default(), Some(Box::pin(self.carry_out_long(received, incoming, context.me))));
        }
        match gateway::handle(&context) {
            Outcome::Ready(reply) => (reply, None),
            Outcome::Deferred(list) => (Reply::default(), Some(Box::pin(self.walk(list)))),
        }
    }

    /// Who is let in. The describing endpoints may be open to everybody.
    fn access(received: &ReceivedRequest<'_>) -> Access {
        let access = received.settings.gatekeeper.check(received.head.headers, received.now);
        let open = received.settings.profile.discovery.access == DiscoveryAccess::Public;
        if access.principal().is_none() && open && received.route.is_discovery() {
            return Access::Granted(Principal { kind: PrincipalKind::Anonymous, me: None, key: 0 });
        }
        access
    }

    fn admit(received: &ReceivedRequest<'_>) -> Result<Admission, Box<Reply>> {
        let ReceivedRequest { settings, head, route, now, .. } = *received;
        if settings.profile.rate_limits.is_empty() {
            return Ok(Admission::default());
        }
        let kind = route.resource().0.map(|kind| settings.types.get(kind));
        let named = match route {
            Route::Resource(kind, _) => format!("/{}/{{id}}", settings.types.get(kind).endpoint),
            Route::Collection(kind) => format!("/{}", settings.types.get(kind).endpoint),
            _ => received.path.trim_end_matches('/').to_owned(),
        };
        let token = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let asked = Asked {
            token: token.unwrap_or_default(),
            route: &named,
            resource_type: kind.map(crate::types::TypeInfo::name),
            method: head.method,
            search: matches!(route, Route::RootSearch | Route::Search(_)),
        };
        settings.buckets.check(now, &asked).map_err(|limited| {
            let status = StatusCode::from_u16(limited.status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
            let why = "the limit of this application's profile is reached".to_owned();
            let reply = Reply::from(Problem::Limited(status, why));
            Box::new(match limited.retry_after {
                Some(value) => reply.header(header::RETRY_AFTER, &value),
                None => reply,
            })
        })
    }

    fn strike(&self, received: &ReceivedRequest<'_>) -> Verdict {
        let ReceivedRequest { settings, head, route, body, now, .. } = *received;
        if !self.0.faulty.load(Ordering::Acquire) {
            return Verdict::default();
        }
        let (kind, id) = route.resource();
        let user_name = || match (&kind, &id) {
            (Some(kind), Some(id)) => {
                let store = lock(&self.0.store);
                let (_, record): (Ref, _) = store.find_in(*kind, id)?;
                serde_json::from_slice(record.document.member("userName")?).ok()
            }
            _ => fault::user_name(body),
        };
        let subject = Subject {
            method: head.method,
            path: received.path,
            resource_type: kind.map(|kind| settings.types.get(kind).name()),
            core: kind.map(|kind| settings.types.get(kind).schemas.core().id().as_str()),
            id: id.as_deref(),
            user_name: &user_name,
            patch_paths: &|| fault::patch_paths(body),
        };
        let strikes = lock(&self.0.faults).strike(&subject, now, mixed(self.0.seed, &self.0.name));
        let struck = strikes.main.is_some() || !strikes.delays.is_empty();
        Verdict { strikes: struck.then(|| Box::new(strikes)) }
    }

    /// The answer that a fault gives in the place of the true one.
    fn struck(settings: &Settings, struck: &Struck, head: Head<'_>) -> Reply {
        let gatekeeper = &settings.gatekeeper;
        match &struck.kind {
            FaultKind::Status { status, scim_type, detail, retry_after } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let (scim_type, detail) = (*scim_type, detail.clone());
                let reply = Reply::from(Problem::Fault { status, scim_type, detail });
                match retry_after {
                    Some(value) => reply.header(header::RETRY_AFTER, value),
                    None => reply,
                }
            }
            FaultKind::ExpireToken => {
                gatekeeper.expire_token(head.headers);
                unauthorized(gatekeeper, &refused(head, Refusal::LockedOut, Refusal::ExpiredToken))
            }
            FaultKind::Revoke => {
                unauthorized(gatekeeper, &refused(head, Refusal::LockedOut, Refusal::RevokedToken))
            }
            FaultKind::Unauthorized => {
                unauthorized(gatekeeper, &refused(head, Refusal::WrongPassword, Refusal::UnknownToken))
            }
            _ => Reply::empty(StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// A request that was received.
#[derive(Clone, Copy)]
pub(super) struct ReceivedRequest<'a> {
    pub(super) settings: &'a Arc<Settings>,
    pub(super) head: Head<'a>,
    /// The path below the base URL, and what it means.
    path: &'a str,
    route: Route<'a, TypeId>,
    pub(super) body: &'a Bytes,
    pub(super) now: Timestamp,
    /// The base URL that the client used, where it is not the one that URLs are kept with.
    pub(super) seen_as: Option<&'a str>,
}

impl<'a> ReceivedRequest<'a> {
    /// A request with its head, the position in its path at which the part below the base URL begins, and its body.
    pub(super) fn new(
        settings: &'a Arc<Settings>,
        (head, path_at, body): (Head<'a>, usize, &'a Bytes),
        now: Timestamp,
        seen_as: Option<&'a str>,
    ) -> Self {
        let path = head.uri.path().get(path_at..).unwrap_or_default();
        Self { settings, head, path, route: settings.route(path), body, now, seen_as }
    }
}

/// What one look at the headers tells.
pub(super) struct RequestHeaders {
    length: usize,
    conditional: bool,
    acceptable: bool,
}

impl RequestHeaders {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (mut length, mut conditional) = (0, false);
        let (mut accepts, mut acceptable) = (false, false);
        for (name, value) in headers {
            length += name.as_str().len() + value.len() + 4;
            if *name == header::ACCEPT {
                accepts = true;
                acceptable |= gateway::accepts(value);
            } else {
                conditional |= *name == header::IF_MATCH || *name == header::IF_NONE_MATCH;
            }
        }
        Self { length, conditional, acceptable: acceptable || !accepts }
    }
}

/// What is wrong with the head of a request.
fn head_problem(settings: &Settings, head: Head<'_>, headers: &RequestHeaders) -> Option<Problem> {
    let rules = &settings.profile.requests;
    let uri = head.uri.path().len() + head.uri.query().map_or(0, |query| query.len() + 1);
    let most = rules.max_uri.get() as usize;
    if uri > most {
        return Some(Problem::UriTooLong(most));
    }
    let most = rules.max_headers.get() as usize;
    (headers.length > most).then_some(Problem::HeadersTooLarge(most))
}

/// What is said of credentials that a fault refuses, a password or a token.
fn refused(head: Head<'_>, password: Refusal, token: Refusal) -> Access {
    match head.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes) {
        None => Access::Missing,
        Some(sent) if sent.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic ")) => {
            Access::Refused(password)
        }
        Some(_) => Access::Refused(token),
    }
}

/// Whether a fault puts an answer of its own in the place of the true one.
fn replaces(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Status { .. } | FaultKind::ExpireToken | FaultKind::Revoke | FaultKind::Unauthorized
    )
}

fn socket_fault_of(struck: &Struck) -> Option<SocketFault> {
    Some(match &struck.kind {
        FaultKind::Hang(time) => SocketFault::Hang(*time),
        FaultKind::Reset => SocketFault::Reset,
        FaultKind::EmptyReply => SocketFault::EmptyReply,
        FaultKind::MalformedChunk => SocketFault::MalformedChunk,
        FaultKind::Truncate(fraction) => SocketFault::Truncate(*fraction),
        FaultKind::Garbage(count) => SocketFault::Garbage(struck.random_bytes(*count)),
        FaultKind::Dribble { chunk, pause } => SocketFault::Dribble { chunk: *chunk, pause: *pause },
        FaultKind::WrongLength(by) => SocketFault::WrongLength(*by),
        FaultKind::CloseAfter => SocketFault::CloseAfter,
        FaultKind::Status { .. }
        | FaultKind::Latency(_)
        | FaultKind::WrongType(_)
        | FaultKind::Refuse(_)
        | FaultKind::ExpireToken
        | FaultKind::Unauthorized
        | FaultKind::Revoke => return None,
    })
}

/// Whether the client never sees a status.
fn is_lost(fault: &SocketFault) -> bool {
    matches!(
        fault,
        SocketFault::Hang(_) | SocketFault::Reset | SocketFault::EmptyReply | SocketFault::Garbage(_)
    )
}

/// A 401 that names what would be accepted (RFC 7644 §2).
pub(crate) fn unauthorized(gatekeeper: &Gatekeeper, access: &Access) -> Reply {
    let (why, of_form) = match access {
        Access::Granted(_) | Access::Missing => ("there is no Authorization header".to_owned(), true),
        Access::Refused(refusal) => (refusal.to_string(), refusal.is_of_form()),
    };
    let why = if of_form { format!("{why}; {}", gatekeeper.expected()) } else { why };
    let challenges = gatekeeper.challenges(access);
    challenges.into_iter().fold(Reply::from(Problem::Unauthorized(why)), |reply, challenge| {
        reply.with_header(header::WWW_AUTHENTICATE, challenge)
    })
}
