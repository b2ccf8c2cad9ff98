//! What was made at the subject, so that nothing of it stays.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::server::facts::{Facts, get};
use crate::wire::client::{Answer, Client, Request};

/// What one case made, in order, and what it may have made without being told.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Paths below the base URL.
    paths: Vec<String>,
    /// Endpoint, attribute and value of creations whose answer says neither yes nor no.
    unsure: Vec<(String, &'static str, String)>,
}

/// What stays behind after all, by path.
#[derive(Debug, Default)]
pub(crate) struct Leftovers(Mutex<Vec<String>>);

impl Leftovers {
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
        let endpoint =
            facts.resource_types.iter().find(|known| known.endpoint == request.path.trim_end_matches('/'));
        match (request.method.as_str(), endpoint, answer) {
            ("POST", Some(known), Some(answer)) if answer.is_success() => {
                let body = answer.json.as_ref();
                let id = body.and_then(|body| get(body, "id")?.as_str()).map(ToOwned::to_owned);
                let last = || answer.header("location").and_then(|location| location.rsplit('/').next());
                let segment = id.map(|id| Client::segment(&id)).or_else(|| last().map(ToOwned::to_owned));
                match segment {
                    Some(segment) => self.paths.push(format!("{}/{segment}", known.endpoint)),
                    None => self.unsure(&known.endpoint, request),
                }
            }
            ("POST", Some(known), answer) if answer.is_none_or(|answer| answer.status >= 500) => {
                self.unsure(&known.endpoint, request);
            }
            ("POST", None, Some(answer)) if request.path.eq_ignore_ascii_case("/bulk") => {
                self.bulk(facts, client, answer);
            }
            ("DELETE", _, Some(answer)) if answer.is_success() || answer.status == 404 => {
                self.paths.retain(|path| *path != request.path);
            }
            _ => {}
        }
    }

    fn unsure(&mut self, endpoint: &str, request: &Request) {
        let body = request.body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
        for name in ["userName", "displayName"] {
            if let Some(value) = body.as_ref().and_then(|body| get(body, name)?.as_str()) {
                self.unsure.push((endpoint.to_owned(), name, value.to_owned()));
                return;
            }
        }
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

    /// Deletes it all, last made first.
    pub(crate) async fn remove(self, client: &Client, leftovers: &Leftovers) {
        let mut paths = self.paths;
        for (endpoint, name, value) in self.unsure {
            paths.extend(find(client, &endpoint, name, &value).await);
        }
        for path in paths.into_iter().rev() {
            let request = Request {
                step: "clean up".to_owned(),
                method: "DELETE".to_owned(),
                path,
                ..Request::default()
            };
            let (_, answer) = client.send(&request).await;
            let gone = answer
                .is_some_and(|answer| answer.is_success() || answer.status == 404 || answer.status == 410);
            if !gone {
                leftovers.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.path);
            }
        }
    }
}

/// Looks for what was made under a name that only the harness gives.
async fn find(client: &Client, endpoint: &str, name: &str, value: &str) -> Vec<String> {
    // Something else's name is never looked for, let alone deleted.
    if !value.starts_with(super::PREFIX) {
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
    let resources = get(&body, "Resources").and_then(Value::as_array);
    resources
        .into_iter()
        .flatten()
        .filter(|resource| get(resource, name).and_then(Value::as_str) == Some(value))
        .filter_map(|resource| get(resource, "id")?.as_str())
        .map(|id| format!("{endpoint}/{}", Client::segment(id)))
        .collect()
}
