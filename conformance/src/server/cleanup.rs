//! The resources that a run creates at the subject, and their removal.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::json::get;
use crate::server::deviation::resources::id_of;
use crate::server::discovery::{Facts, resources};
use crate::subject::server::client::{Answer, Client, Request};

/// The resources that one case created, in order, and the creations whose answer was lost.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Paths below the base URL.
    paths: Vec<String>,
    /// Endpoint, attribute and value of creations whose answer says neither yes nor no.
    unsure: Vec<(String, &'static str, String)>,
}

/// The resources that could not be deleted, by path.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<Vec<String>>);

impl Leftovers {
    pub(crate) fn add(&self, path: String) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&path) {
            all.push(path);
        }
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Made {
    /// Notes what a request made or removed.
    pub(crate) fn note(
        &mut self,
        facts: &Facts,
        client: &Client,
        request: &Request,
        answer: Option<&Answer>,
    ) {
        match (request.method.as_str(), answer) {
            ("POST", Some(answer)) if request.path.eq_ignore_ascii_case("/bulk") => {
                self.bulk(facts, client, answer);
            }
            ("POST", answer) => self.posted(facts, client, request, answer),
            // Some servers create what a PUT finds missing.
            ("PUT", Some(answer)) if answer.status == 201 && request.path.starts_with('/') => {
                self.paths.push(request.path.trim_end_matches('/').to_owned());
            }
            // A 404 to what was made a moment ago may be wrong: it is looked at when the case ends.
            ("DELETE", Some(answer)) if answer.is_success() => {
                self.paths.retain(|path| *path != request.path);
            }
            _ => {}
        }
    }

    /// Notes the resources of a POST to an endpoint, or below one: each that the answer shows with an id may be new.
    fn posted(&mut self, facts: &Facts, client: &Client, request: &Request, answer: Option<&Answer>) {
        let path = request.path.trim_end_matches('/');
        if path.ends_with("/.search") {
            return;
        }
        let is_below = |endpoint: &str| {
            path.strip_prefix(endpoint).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let Some(known) = facts.resource_types.iter().find(|known| is_below(&known.endpoint)) else { return };
        let Some(answer) = answer.filter(|answer| answer.status < 500) else {
            return self.unsure(&known.endpoint, request);
        };
        if !answer.is_success() {
            return;
        }
        let body = answer.json.as_ref();
        let id = body.and_then(id_of);
        let told = || {
            let location = answer.header("location")?;
            client.below(location).or_else(|| {
                Some(format!("{}/{}", known.endpoint, location.trim_end_matches('/').rsplit('/').next()?))
            })
        };
        match id.map(|id| format!("{}/{}", known.endpoint, Client::segment(&id))).or_else(told) {
            Some(made) => self.paths.push(made),
            None => self.unsure(&known.endpoint, request),
        }
    }

    fn unsure(&mut self, endpoint: &str, request: &Request) {
        if let Some((name, value)) = named(request) {
            let unsure = (endpoint.to_owned(), name, value);
            if !self.unsure.contains(&unsure) {
                self.unsure.push(unsure);
            }
        }
    }

    /// Whether a request is a creation whose resource can be found by its name.
    pub(crate) fn can_look_up(facts: &Facts, request: &Request) -> bool {
        let endpoint = request.path.trim_end_matches('/');
        let creates =
            request.method == "POST" && facts.resource_types.iter().any(|known| known.endpoint == endpoint);
        creates && named(request).is_some_and(|(_, value)| super::names::run_in(&value).is_some())
    }

    /// Finds a resource at the subject with the name of a creation that no earlier request created.
    pub(crate) async fn unnoted(&self, client: &Client, facts: &Facts, request: &Request) -> Vec<String> {
        if !Self::can_look_up(facts, request) {
            return Vec::new();
        }
        let endpoint = request.path.trim_end_matches('/');
        let Some((name, value)) = named(request) else { return Vec::new() };
        let mut paths = find(client, endpoint, name, &value).await;
        paths.retain(|path| !self.paths.contains(path));
        paths
    }

    fn bulk(&mut self, facts: &Facts, client: &Client, answer: &Answer) {
        let operations = answer.json.as_ref().and_then(|body| get(body, "Operations")?.as_array());
        for operation in operations.into_iter().flatten() {
            let text = |name| get(operation, name).and_then(Value::as_str);
            if text("method").is_none_or(|method| !method.eq_ignore_ascii_case("POST")) {
                continue;
            }
            let Some(location) = text("location") else { continue };
            let mut parts = location.trim_end_matches('/').rsplit('/');
            let (id, endpoint) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let known =
                facts.resource_types.iter().find(|known| known.endpoint.trim_matches('/') == endpoint);
            let path =
                client.below(location).or_else(|| known.map(|known| format!("{}/{id}", known.endpoint)));
            self.paths.extend(path);
        }
    }

    /// Adds what requests beside these made and removed.
    pub(crate) fn join(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.unsure.extend(other.unsure);
    }

    /// Deletes it all, last made first.
    pub(crate) async fn remove(self, client: &Client, leftovers: &Leftovers) {
        let mut paths = self.paths;
        for (endpoint, name, value) in self.unsure {
            paths.extend(find(client, &endpoint, name, &value).await);
        }
        for path in paths.into_iter().rev() {
            let request = |method: &str| Request {
                step: "clean up".to_owned(),
                method: method.to_owned(),
                path: path.clone(),
                ..Request::default()
            };
            let (_, answer) = client.send(&request("DELETE")).await;
            // What a refusal leaves is looked at when the run ends.
            let gone = match answer.map(|answer| (answer.is_success(), answer.status)) {
                Some((true, _)) => true,
                Some((false, 404 | 410)) => {
                    let (_, read) = client.send(&request("GET")).await;
                    !read.is_some_and(|read| read.is_success())
                }
                Some(_) | None => false,
            };
            if !gone {
                leftovers.add(path);
            }
        }
    }
}

/// Returns the attribute that names a created resource, and the name.
fn named(request: &Request) -> Option<(&'static str, String)> {
    let body: Value = serde_json::from_str(request.body.as_deref()?).ok()?;
    ["userName", "displayName"]
        .into_iter()
        .find_map(|name| Some((name, get(&body, name)?.as_str()?.to_owned())))
}

/// Finds resources with a name that only the harness gives.
async fn find(client: &Client, endpoint: &str, name: &str, value: &str) -> Vec<String> {
    // Something else's name is never looked for, let alone deleted.
    if super::names::run_in(value).is_none() {
        return Vec::new();
    }
    let request = Request {
        step: "clean up".to_owned(),
        method: "GET".to_owned(),
        path: endpoint.to_owned(),
        query: vec![("filter".to_owned(), format!("{name} eq {}", Value::from(value)))],
        ..Request::default()
    };
    let (_, answer) = client.send(&request).await;
    let body = answer.and_then(|answer| answer.json).unwrap_or_default();
    resources(&body)
        .iter()
        .filter(|resource| {
            get(resource, name).and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(value))
        })
        .filter_map(id_of)
        .map(|id| format!("{endpoint}/{}", Client::segment(&id)))
        .collect()
}
