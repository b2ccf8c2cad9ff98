//! The proxy in front of the mock, which applies the changes of a mutant.
//!
//! One server for all of them: a mutant is at `/<slug>`, its mock an application of the same name.

mod answers;
mod state;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::causes::with_causes;
use crate::mutants::condition::{Came, holds};
use crate::mutants::file::{Change, Exchange, Ghosts, Mutant, OperationsEdit, RequestEdit, Split};
use crate::mutants::proxy::answers::{
    change_answer, each_resource, filled, made_up, replaced, resource_path,
};
use crate::mutants::{edit, operations};
use crate::query_string::parameters;
use crate::subject::server::client::{Answer, Client};

/// A body that is larger is no part of any case.
const MAX_BODY: usize = 32 << 20;

/// Header fields that belong to one connection.
const HOP: [&str; 6] = ["connection", "content-length", "transfer-encoding", "host", "keep-alive", "date"];

/// The server.
pub(crate) struct Proxy {
    address: SocketAddr,
    http: reqwest::Client,
    fronts: RwLock<HashMap<String, Arc<Front>>>,
}

/// A mutant and its mock.
struct Front {
    mutant: Mutant,
    /// The base URL of the mock.
    upstream: String,
    /// The base URL of the proxy.
    own: String,
    authorization: String,
    memory: Mutex<Memory>,
}

/// The reason why a request is not forwarded.
#[derive(Debug, thiserror::Error)]
enum ForwardError {
    #[error("failed to forward the request")]
    Http(#[from] reqwest::Error),
    #[error("invalid method")]
    Method(#[from] axum::http::method::InvalidMethod),
    #[error("no operation is left to send")]
    NoOperation,
}

/// The state of a mutant between requests.
#[derive(Default)]
struct Memory {
    /// Changes that are made again to whatever shows a resource, by its path.
    later: HashMap<String, Vec<usize>>,
    /// Values as they were first seen: change, resource, value.
    frozen: HashMap<(usize, String), Value>,
    /// Marks that are taken out of whatever is shown.
    marks: Vec<String>,
    /// The time of the last matching request of a change, by path.
    last: HashMap<(usize, String), Instant>,
    /// Resources before their last write, by path: none where it created them.
    before: HashMap<String, (Instant, Option<Value>)>,
    /// Answers that are sent again, once, by change and key.
    cached: HashMap<(usize, String), Option<Answer>>,
    /// Users who are gone and are shown in spite of it, by id.
    ghosts: HashMap<String, (Ghosts, Value)>,
    /// Names that cannot be taken again, in lower case.
    names: HashSet<String>,
    /// The number of matching requests of a change, by path.
    counts: HashMap<(usize, String), usize>,
}

impl Proxy {
    /// Starts the server on a free port of this machine.
    pub(crate) async fn start() -> std::io::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(
                crate::subject::server::tls::no_certificates().map_err(std::io::Error::other)?,
            )
            .build()
            .map_err(std::io::Error::other)?;
        let proxy = Arc::new(Self { address: listener.local_addr()?, http, fronts: RwLock::default() });
        let router = Router::new().fallback(serve).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(proxy)
    }

    /// Adds a mutant in front of a mock, and returns its base URL.
    pub(crate) fn add(&self, mutant: Mutant, upstream: String, authorization: String) -> String {
        let own = format!("http://{}/{}", self.address, mutant.slug);
        let slug = mutant.slug.clone();
        let front = Front { mutant, upstream, own: own.clone(), authorization, memory: Mutex::default() };
        self.fronts.write().unwrap_or_else(PoisonError::into_inner).insert(slug, Arc::new(front));
        own
    }

    /// Removes a mutant.
    pub(crate) fn remove(&self, slug: &str) {
        self.fronts.write().unwrap_or_else(PoisonError::into_inner).remove(slug);
    }

    fn front(&self, slug: &str) -> Option<Arc<Front>> {
        self.fronts.read().unwrap_or_else(PoisonError::into_inner).get(slug).cloned()
    }
}

async fn serve(State(proxy): State<Arc<Proxy>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let (slug, below) = match path[1..].split_once('/') {
        Some((slug, below)) => (slug, format!("/{below}")),
        None => (&path[1..], String::new()),
    };
    let Some(front) = proxy.front(slug) else { return plain(404, "no such mutant") };
    let Some(came) = came(&front, below, request).await else { return plain(400, "no such body") };
    match front.handle(&proxy.http, came).await {
        Ok(answer) => Front::send(answer),
        Err(error) => plain(502, &with_causes(&error)),
    }
}

fn plain(status: u16, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

async fn came(front: &Front, path: String, request: Request) -> Option<Came> {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, MAX_BODY).await.ok()?;
    // A client may send the proxy's address back, which it got from an earlier answer.
    let text = String::from_utf8_lossy(&bytes).replace(&front.own, &front.upstream);
    let query = parameters(parts.uri.query().unwrap_or_default());
    let headers = parts
        .headers
        .iter()
        // A condition may ask for chunks.
        .filter(|(name, _)| !HOP.contains(&name.as_str()) || name.as_str() == "transfer-encoding")
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let json = serde_json::from_str(&text).ok();
    Some(Came { method: parts.method.to_string(), path, query, headers, text, json })
}

impl Front {
    async fn handle(&self, http: &reqwest::Client, came: Came) -> Result<Answer, ForwardError> {
        let changes = &self.mutant.change;
        let meant: Vec<usize> = (0..changes.len()).filter(|index| self.meant(*index, &came)).collect();
        let mut request = came.clone();
        for index in &meant {
            self.change_request(http, &changes[*index], &mut request).await?;
        }
        let changes_of = |index: &usize| &changes[*index];
        if let Some(answer) = self.remembered(&meant, &came) {
            return Ok(answer);
        }
        if let Some(hold) = meant.iter().map(changes_of).filter_map(|change| change.hold).max() {
            tokio::time::sleep(Duration::from_millis(hold)).await;
        }
        let before = self.before_write(http, &came).await?;
        let exchanges = meant.iter().filter_map(|index| changes[*index].exchange.as_ref());
        let mut answer = match exchanges.min_by_key(|exchange| exchange.rank()) {
            Some(Exchange::Instead(instead)) => made_up(instead),
            Some(Exchange::Swallow(status)) => self.swallowed(http, &came, *status).await?,
            Some(Exchange::Split(split)) => self.forward(http, &request, Some(*split)).await?,
            None => self.forward(http, &request, None).await?,
        };
        if answer.status == 409 {
            for change in meant.iter().map(changes_of).filter(|change| !change.again.is_empty()) {
                answer = self.again(http, change, &request).await?;
            }
        }
        let resource = resource_path(&came, &answer);
        let meant: Vec<usize> = meant
            .into_iter()
            .filter(|index| {
                let wanted = &changes[*index].status;
                wanted.is_empty() || wanted.iter().any(|set| set.has(answer.status))
            })
            .collect();
        self.remember(&meant, resource.as_deref());
        for index in &meant {
            let change = &changes[*index];
            change_answer(change, &came, &mut answer);
            self.freeze(*index, change, &came, &mut answer);
        }
        self.later(&came, &mut answer);
        self.after_write(before, &meant, &came, &answer);
        self.show_stale(&meant, &came, &mut answer);
        self.show_ghosts(&came, &mut answer);
        self.cache(&meant, &came, &mut answer);
        for change in meant.iter().map(changes_of) {
            self.afterwards(http, change, resource.as_deref(), &came).await?;
        }
        Ok(answer)
    }

    fn meant(&self, index: usize, came: &Came) -> bool {
        let change = &self.mutant.change[index];
        if !holds(change, came) {
            return false;
        }
        if let Some(within) = change.within {
            let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            let last = memory.last.insert((index, came.path.clone()), Instant::now());
            return last.is_some_and(|last| last.elapsed() < Duration::from_millis(within));
        }
        let Some(nth) = change.nth else { return true };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let count = memory.counts.entry((index, came.path.clone())).or_default();
        *count += 1;
        *count >= nth
    }

    async fn change_request(
        &self,
        http: &reqwest::Client,
        change: &Change,
        request: &mut Came,
    ) -> Result<(), ForwardError> {
        let mut is_edited = !change.operation.is_empty() || !change.operations.is_empty();
        for edit in &change.request {
            is_edited |= self.edit_request(edit, request);
        }
        let selects = change.operations.iter().any(|edit| matches!(edit, OperationsEdit::Selects(_)));
        let current = if selects { self.current(http, &request.path).await?.json } else { None };
        let Some(json) = request.json.as_mut().filter(|_| is_edited) else { return Ok(()) };
        edit::each(json, "/Operations", false, &mut |place| {
            if let Some(operations) = place.as_array() {
                *place = json!(operations::changed(change, operations, current.as_ref()));
            }
        });
        request.text = json.to_string();
        Ok(())
    }

    /// Applies an edit. Returns whether it is one of the body.
    fn edit_request(&self, edit: &RequestEdit, request: &mut Came) -> bool {
        let set_header = |request: &mut Came, name: &str, value: &str| {
            request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            request.headers.push((name.to_owned(), value.to_owned()));
        };
        match edit {
            RequestEdit::DropQuery(name) => {
                request.query.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            }
            RequestEdit::SetQuery(parameters) => {
                for (name, value) in parameters {
                    request.query.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                    request.query.push((name.clone(), value.clone()));
                }
            }
            RequestEdit::ShiftQuery(numbers) => {
                for (name, value) in &mut request.query {
                    let by = numbers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
                    if let (Some((_, by)), Ok(number)) = (by, value.parse::<i64>()) {
                        *value = (number + by).to_string();
                    }
                }
            }
            RequestEdit::DropHeader(name) => {
                request.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            }
            RequestEdit::SetHeader(fields) => {
                for (name, value) in fields {
                    set_header(request, name, value);
                }
            }
            RequestEdit::LetIn(true) => set_header(request, "authorization", &self.authorization),
            RequestEdit::LetIn(false) => {}
            RequestEdit::SetMethod(method) => request.method.clone_from(method),
            RequestEdit::SetPath(path) => request.path.clone_from(path),
            RequestEdit::BodyRemove(pointer) => {
                request.json.iter_mut().for_each(|json| edit::remove(json, pointer));
                return true;
            }
            RequestEdit::BodySet(values) => {
                request.json.iter_mut().for_each(|json| edit::set(json, values));
                return true;
            }
            RequestEdit::InBody(words) => {
                for (from, to) in words {
                    request.text = request.text.replace(from, to);
                }
                request.json = serde_json::from_str(&request.text).ok();
            }
            RequestEdit::InFilter(words) => {
                for (_, value) in
                    request.query.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("filter"))
                {
                    *value = replaced(value, words);
                }
                if let Some(json) = &mut request.json {
                    edit::each(json, "/filter", false, &mut |filter| {
                        if let Some(text) = filter.as_str() {
                            *filter = json!(replaced(text, words));
                        }
                    });
                }
                return true;
            }
        }
        false
    }

    /// Sends a request on, or its operations one by one.
    async fn forward(
        &self,
        http: &reqwest::Client,
        request: &Came,
        split: Option<Split>,
    ) -> Result<Answer, ForwardError> {
        let operations = request.operations().cloned();
        if request.method == "PATCH" && operations.as_ref().is_some_and(Vec::is_empty) {
            return self.current(http, &request.path).await;
        }
        let (Some(split), Some(operations)) = (split, operations) else {
            return self.fetch(http, request).await;
        };
        let mut error = None;
        let mut last = None;
        for operation in operations {
            let mut part = request.clone();
            if let Some(json) = &mut part.json {
                edit::each(json, "/Operations", false, &mut |place| *place = json!([operation]));
                part.text = json.to_string();
            }
            let answer = self.fetch(http, &part).await?;
            if answer.is_success() {
                last = Some(answer);
            } else {
                error = error.or(Some(answer));
                if split == Split::Stop {
                    break;
                }
            }
        }
        error.or(last).ok_or(ForwardError::NoOperation)
    }

    async fn current(&self, http: &reqwest::Client, path: &str) -> Result<Answer, ForwardError> {
        let request = Came {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: vec![("authorization".to_owned(), self.authorization.clone())],
            ..Came::default()
        };
        self.fetch(http, &request).await
    }

    async fn swallowed(
        &self,
        http: &reqwest::Client,
        came: &Came,
        status: u16,
    ) -> Result<Answer, ForwardError> {
        let current = self.current(http, &came.path).await?;
        Ok(if current.status != 200 {
            current
        } else if status == 204 {
            Answer { status, ..Answer::default() }
        } else {
            Answer { status, ..current }
        })
    }

    /// Sends a request that met a conflict again, so that it meets none.
    async fn again(
        &self,
        http: &reqwest::Client,
        change: &Change,
        request: &Came,
    ) -> Result<Answer, ForwardError> {
        let mut request = request.clone();
        for (pointer, mark) in &change.again {
            if let Some(json) = &mut request.json {
                edit::each(json, pointer, false, &mut |place| {
                    if let Some(text) = place.as_str() {
                        *place = json!(format!("{text}{mark}"));
                    }
                });
                request.text = json.to_string();
            }
            self.memory.lock().unwrap_or_else(PoisonError::into_inner).marks.push(mark.clone());
        }
        self.fetch(http, &request).await
    }

    async fn fetch(&self, http: &reqwest::Client, request: &Came) -> Result<Answer, ForwardError> {
        let mut url = format!("{}{}", self.upstream, request.path);
        for (index, (name, value)) in request.query.iter().enumerate() {
            let lead = if index == 0 { '?' } else { '&' };
            append!(url, "{lead}{}={}", Client::value(name), Client::value(value));
        }
        let method = reqwest::Method::from_bytes(request.method.as_bytes())?;
        let mut builder = http.request(method, url);
        for (name, value) in request.headers.iter().filter(|(name, _)| !HOP.contains(&name.as_str())) {
            builder = builder.header(name, value);
        }
        if !request.text.is_empty() {
            builder = builder.body(request.text.clone());
        }
        let response = builder.send().await?;
        let status = response.status().as_u16();
        let own = |text: &str| text.replace(&self.upstream, &self.own);
        let headers = response
            .headers()
            .iter()
            .filter(|(name, _)| !HOP.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str().to_owned(), own(&String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        let text = own(&response.text().await?);
        let json = serde_json::from_str(&text).ok();
        Ok(Answer { status, headers, text, json, ..Answer::default() })
    }

    fn remember(&self, meant: &[usize], resource: Option<&str>) {
        let Some(resource) = resource else { return };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for index in meant.iter().filter(|index| self.mutant.change[**index].later) {
            let known = memory.later.entry(resource.to_owned()).or_default();
            if !known.contains(index) {
                known.push(*index);
            }
        }
    }

    /// Applies the changes that last to every resource that an answer shows.
    fn later(&self, came: &Came, answer: &mut Answer) {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.later.is_empty() && memory.marks.is_empty() {
            return;
        }
        let Some(json) = &mut answer.json else { return };
        each_resource(came, json, &mut |path, resource| {
            for index in memory.later.get(path).into_iter().flatten() {
                edit::answer(&self.mutant.change[*index].json, resource, None);
            }
        });
        answer.text = json.to_string();
        for mark in &memory.marks {
            answer.text = answer.text.replace(mark.as_str(), "");
        }
        answer.json = serde_json::from_str(&answer.text).ok();
    }

    fn freeze(&self, index: usize, change: &Change, came: &Came, answer: &mut Answer) {
        let Some(pointer) = &change.freeze else { return };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = pointer.strip_prefix("header:") {
            let Some(resource) = resource_path(came, answer) else { return };
            let found = answer.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name));
            if let Some((_, value)) = found {
                let first = memory.frozen.entry((index, resource)).or_insert_with(|| json!(value));
                first.as_str().unwrap_or_default().clone_into(value);
            }
            return;
        }
        let Some(json) = &mut answer.json else { return };
        each_resource(came, json, &mut |path, resource| {
            edit::each(resource, pointer, false, &mut |place| {
                let first = memory.frozen.entry((index, path.to_owned())).or_insert_with(|| place.clone());
                *place = first.clone();
            });
        });
        answer.text = json.to_string();
    }

    async fn afterwards(
        &self,
        http: &reqwest::Client,
        change: &Change,
        resource: Option<&str>,
        came: &Came,
    ) -> Result<(), ForwardError> {
        let Some(resource) = resource else { return Ok(()) };
        let mut lines = Vec::new();
        if change.then_delete {
            lines.push(format!("DELETE {resource}"));
        }
        lines.extend(change.then_send.as_ref().map(|line| filled(line, resource, came)));
        for line in lines {
            let mut parts = line.splitn(3, ' ');
            let (Some(method), Some(path)) = (parts.next(), parts.next()) else { continue };
            let request = Came {
                method: method.to_owned(),
                path: path.to_owned(),
                headers: vec![
                    ("authorization".to_owned(), self.authorization.clone()),
                    ("content-type".to_owned(), "application/scim+json".to_owned()),
                ],
                text: parts.next().unwrap_or_default().to_owned(),
                ..Came::default()
            };
            self.fetch(http, &request).await?;
        }
        Ok(())
    }

    fn send(answer: Answer) -> Response<Body> {
        let mut response = Response::new(Body::from(answer.text));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
        for (name, value) in answer.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
