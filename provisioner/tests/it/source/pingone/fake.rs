//! A fake of PingOne's platform API: tokens, users in pages, populations, groups, and the faults that a reader has to survive.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use scim::filter::{AttrInfo, Filter};
use scim::path::AttrPath;
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "worker-secret-7f3a";
pub(crate) const ENVIRONMENT: &str = "env-1";

/// What happens to one request for users.
#[derive(Clone)]
pub(crate) enum Fault {
    /// This status, with a `Retry-After`.
    Status(u16, Option<&'static str>),
    /// No token is known any longer.
    ForgetTokens,
    /// The connection ends in the middle of the page.
    BreakOff,
    /// Half of the page, as if it were whole.
    Half,
    /// The page before this one again.
    Repeat,
    /// The user with this id is taken away first.
    Remove(&'static str),
    /// `count` is this number.
    Count(u64),
    /// `size` is this number.
    Size(u64),
    /// `_links.next` leads here.
    Next(String),
    /// Neither `count` nor `size`.
    NoCount,
    /// No `count`, and no link to the next page.
    SizeOnly,
    /// This status with this body.
    Refusal(u16, &'static str),
    /// This body in place of the page.
    Body(&'static str),
}

#[derive(Default)]
pub(crate) struct FakeState {
    pub(crate) users: Vec<Value>,
    pub(crate) populations: Vec<(&'static str, &'static str)>,
    pub(crate) groups: Vec<(&'static str, &'static str)>,
    /// The faults of the next requests for users, one each; `None` is none.
    pub(crate) faults: VecDeque<Option<Fault>>,
    /// The fault of every request for a list of users, behind those.
    pub(crate) always: Option<Fault>,
    /// Filters are answered 400.
    pub(crate) refuses_filters: bool,
    /// The seconds that a token lives, as told.
    pub(crate) lifetime: u64,
    tokens: BTreeSet<String>,
    /// The tokens that were handed out.
    pub(crate) issued: usize,
    /// Every request but those for tokens: path and query.
    pub(crate) requests: Vec<String>,
}

/// A running fake, until it is dropped.
pub(crate) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<FakeState>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(crate) async fn start(users: Vec<Value>) -> Self {
        let state = Arc::new(Mutex::new(FakeState { users, lifetime: 3600, ..FakeState::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared { address, state: Arc::clone(&state) };
        let router = Router::new()
            .route("/auth/{environment}/as/token", post(token))
            .route("/v1/environments/{environment}/{collection}", get(list))
            .route("/v1/environments/{environment}/users/{id}", get(one))
            .with_state(shared);
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { address, state, server }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut FakeState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the faults of the next requests for users.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.with(|state| state.faults = faults.into_iter().collect());
    }

    /// Returns the requests since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.requests))
    }

    /// Returns the table [source], with `more` lines.
    pub(crate) fn source(&self, more: &str) -> String {
        format!(
            "[source]\nkind = \"pingone\"\nenvironment-id = \"{ENVIRONMENT}\"\nbase-url = \"http://{0}/v1\"\n\
             auth-url = \"http://{0}/auth\"\nclient-id = \"worker\"\nclient-secret = \"{SECRET}\"\n{more}\n",
            self.address
        )
    }
}

#[derive(Clone)]
struct Shared {
    address: SocketAddr,
    state: Arc<Mutex<FakeState>>,
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn error(status: u16, code: &str) -> Response {
    let body = json!({ "id": "x", "code": code, "message": format!("{code} happened."), "details": [] });
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

async fn token(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("worker:{SECRET}"));
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if sent != Some(&format!("Basic {expected}")) || body != "grant_type=client_credentials" {
        return (StatusCode::UNAUTHORIZED, axum::Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let mut state = shared.lock();
    state.issued += 1;
    let token = format!("token-{}", state.issued);
    state.tokens.insert(token.clone());
    let lifetime = state.lifetime;
    axum::Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime }))
        .into_response()
}

fn is_authorized(state: &FakeState, headers: &HeaderMap) -> bool {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|sent| sent.strip_prefix("Bearer ")).is_some_and(|token| state.tokens.contains(token))
}

async fn one(
    State(shared): State<Shared>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let mut state = shared.lock();
    state.requests.push(format!("users/{id}"));
    if !is_authorized(&state, &headers) {
        return error(401, "ACCESS_FAILED");
    }
    match state.users.iter().find(|user| user["id"] == id.as_str()) {
        Some(user) => axum::Json(user.clone()).into_response(),
        None => error(404, "NOT_FOUND"),
    }
}

async fn list(
    State(shared): State<Shared>,
    Path((environment, collection)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    assert_eq!(environment, ENVIRONMENT);
    let query = query.unwrap_or_default();
    let mut state = shared.lock();
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let value = |name: &str| query.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
    let told: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    state.requests.push(format!("{collection}?{}", told.join("&")));
    let fault = match collection.as_str() {
        "users" => state.faults.pop_front().flatten().or_else(|| state.always.clone()),
        _ => None,
    };
    if matches!(fault, Some(Fault::ForgetTokens)) {
        state.tokens.clear();
    }
    if let Some(Fault::Remove(id)) = fault {
        state.users.retain(|user| user["id"] != id);
    }
    if !is_authorized(&state, &headers) {
        return error(401, "ACCESS_FAILED");
    }
    if value("filter").is_some() && state.refuses_filters {
        return error(400, "INVALID_FILTER");
    }
    let named = |items: &[(&str, &str)]| -> Vec<Value> {
        items.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect()
    };
    let items = match collection.as_str() {
        "populations" => named(&state.populations),
        "groups" => named(&state.groups),
        _ => state.users.clone(),
    };
    let filter = value("filter").map(|filter| Filter::parse(&filter).unwrap());
    let items: Vec<Value> = items
        .into_iter()
        .filter(|item| filter.as_ref().is_none_or(|filter| filter.matches(item, &WithCase)))
        .collect();
    let limit: usize = value("limit").unwrap().parse().unwrap();
    let mut start: usize = value("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    if matches!(fault, Some(Fault::Repeat)) {
        start = start.saturating_sub(limit);
    }
    let page: Vec<Value> = items.iter().skip(start).take(limit).cloned().collect();
    let base = format!("http://{}/v1/environments/{environment}/{collection}", shared.address);
    let mut links = json!({ "self": { "href": base } });
    if start + limit < items.len() {
        let mut next: url::Url = base.parse().unwrap();
        next.query_pairs_mut()
            .append_pair("limit", &limit.to_string())
            .append_pair("cursor", &(start + limit).to_string());
        if let Some(filter) = value("filter") {
            next.query_pairs_mut().append_pair("filter", &filter);
        }
        links["next"] = json!({ "href": next.as_str() });
    }
    let mut body = json!({ "_links": links, "count": items.len(), "size": page.len(), "_embedded": { (collection): page } });
    match fault {
        Some(Fault::Status(status, retry_after)) => {
            let mut response = error(status, "REQUEST_LIMITED");
            if let Some(wait) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, wait.parse().unwrap());
            }
            return response;
        }
        Some(Fault::BreakOff | Fault::Half) => {
            let text = body.to_string();
            let half = Bytes::from(text.into_bytes()[..40].to_vec());
            if matches!(fault, Some(Fault::Half)) {
                return half.into_response();
            }
            let broken = Err(std::io::Error::other("broken off"));
            return Body::from_stream(futures_util::stream::iter([Ok(half), broken])).into_response();
        }
        Some(Fault::Body(text)) => return text.into_response(),
        Some(Fault::SizeOnly) => {
            body.as_object_mut().unwrap().remove("count");
            body["_links"].as_object_mut().unwrap().remove("next");
        }
        Some(Fault::Refusal(status, text)) => {
            return (StatusCode::from_u16(status).unwrap(), text).into_response();
        }
        Some(Fault::Count(count)) => body["count"] = count.into(),
        Some(Fault::Size(size)) => body["size"] = size.into(),
        Some(Fault::Next(next)) => body["_links"]["next"] = json!({ "href": next }),
        Some(Fault::NoCount) => {
            body.as_object_mut().unwrap().remove("count");
            body.as_object_mut().unwrap().remove("size");
        }
        Some(Fault::ForgetTokens | Fault::Repeat | Fault::Remove(_)) | None => {}
    }
    axum::Json(body).into_response()
}

/// Every text compares with case: the strictest server.
struct WithCase;

impl AttrInfo for WithCase {
    fn case_exact(&self, _: &AttrPath) -> bool {
        true
    }
}
