//! Defects that need a memory of resources: reads and lists that lag, answers of a cache, names that stay taken.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::casing::lower_case;
use crate::json::get;
use crate::mutants::condition::Came;
use crate::mutants::edit;
use crate::mutants::file::{CacheKey, Ghosts, NamesStay};
use crate::mutants::proxy::answers::resource_path;
use crate::mutants::proxy::{ForwardError, Front, Memory};
use crate::server::PREFIX;
use crate::subject::server::client::Answer;

/// A write, and the resources that it is about as they were.
pub(super) struct Before(Vec<(String, Option<Value>)>);

impl Front {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an answer that the memory gives, so that nothing is sent on.
    pub(super) fn remembered(&self, meant: &[usize], came: &Came) -> Option<Answer> {
        let mut memory = self.memory();
        for index in meant {
            let change = &self.mutant.change[*index];
            if change.names_stay.is_some() && came.method == "POST" {
                let name = came.json.as_ref().and_then(|body| get(body, "userName")?.as_str());
                if name.is_some_and(|name| memory.names.contains(&lower_case(name))) {
                    return Some(conflict());
                }
            }
            if let (Some(CacheKey::Path), "GET") = (change.cache, came.method.as_str())
                && let Some(answer) = memory.cached.get_mut(&(*index, key(came))).and_then(Option::take)
            {
                return Some(answer);
            }
        }
        None
    }

    /// Keeps an answer for a cache, or gives out the answer to another request.
    pub(super) fn cache(&self, meant: &[usize], came: &Came, answer: &mut Answer) {
        if came.method != "GET" || !answer.is_success() {
            return;
        }
        let mut memory = self.memory();
        for index in meant {
            match self.mutant.change[*index].cache {
                Some(CacheKey::Path) => {
                    memory.cached.entry((*index, key(came))).or_insert_with(|| Some(answer.clone()));
                }
                Some(CacheKey::Nothing) => {
                    let last = memory.cached.insert((*index, String::new()), Some(answer.clone()));
                    if let Some(other) = last.flatten() {
                        *answer = other;
                    }
                }
                None => {}
            }
        }
    }

    /// Reads what a write is about, if a defect needs it.
    pub(super) async fn before_write(
        &self,
        http: &reqwest::Client,
        came: &Came,
    ) -> Result<Option<Before>, ForwardError> {
        let needed = |change: &crate::mutants::file::Change| {
            change.stale.is_some() || change.names_stay.is_some() || change.ghosts.is_some()
        };
        if came.method == "GET" || !self.mutant.change.iter().any(needed) {
            return Ok(None);
        }
        let mut paths = Vec::new();
        if came.path.eq_ignore_ascii_case("/bulk") {
            let operations = came.operations().into_iter().flatten();
            paths.extend(
                operations.filter_map(|operation| get(operation, "path")?.as_str().map(ToOwned::to_owned)),
            );
        } else {
            paths.extend(resource_path(came, &Answer::default()));
        }
        let mut before = Vec::new();
        for path in paths {
            let current = self.current(http, &path).await?;
            before.push((path, current.json.filter(|_| current.status == 200)));
        }
        Ok(Some(Before(before)))
    }

    /// Remembers what a write changed.
    pub(super) fn after_write(&self, before: Option<Before>, meant: &[usize], came: &Came, answer: &Answer) {
        let stays: Vec<NamesStay> =
            self.mutant.change.iter().filter_map(|change| change.names_stay).collect();
        let is_invalid = came.method == "POST" && answer.status == 400;
        if is_invalid && stays.contains(&NamesStay::Refused) {
            let name = came.json.as_ref().and_then(|body| get(body, "userName")?.as_str());
            self.memory().names.extend(name.map(lower_case));
        }
        let Some(Before(before)) = before.filter(|_| answer.is_success()) else { return };
        let is_bulk_delete = came.operations().is_some_and(|operations| {
            operations.iter().any(|operation| {
                get(operation, "method").and_then(Value::as_str).is_some_and(|method| method == "DELETE")
            })
        });
        let deletes = came.method == "DELETE" || is_bulk_delete;
        let wanted = if deletes { NamesStay::Deleted } else { NamesStay::Renamed };
        let ghosts = meant.iter().find_map(|index| self.mutant.change[*index].ghosts).filter(|_| deletes);
        let mut memory = self.memory();
        for (path, resource) in before {
            if let (Some(ghosts), Some(user)) = (ghosts, &resource) {
                let id = path.rsplit('/').next().unwrap_or_default();
                memory.ghosts.insert(id.to_owned(), (ghosts, user.clone()));
            }
            let name = resource.as_ref().and_then(|resource| get(resource, "userName")?.as_str());
            let new = answer.json.as_ref().and_then(|body| get(body, "userName")?.as_str());
            if let Some(name) = name.filter(|name| stays.contains(&wanted) && (deletes || new != Some(name)))
            {
                memory.names.insert(lower_case(name));
            }
            memory.before.insert(path, (Instant::now(), resource));
        }
        if let ("POST", Some(path)) = (came.method.as_str(), resource_path(came, answer)) {
            memory.before.insert(path, (Instant::now(), None));
        }
    }

    /// Shows users who are gone, in lists without a filter or in groups that they were in.
    pub(super) fn show_ghosts(&self, came: &Came, answer: &mut Answer) {
        let memory = self.memory();
        if memory.ghosts.is_empty() || came.method != "GET" || !answer.is_success() {
            return;
        }
        let Some(body) = &mut answer.json else { return };
        let is_first_page = came.parameter("startIndex").is_none_or(|start| start == "1");
        for (id, (ghosts, user)) in &memory.ghosts {
            let in_group = |group: &Value| {
                let groups = get(user, "groups").and_then(Value::as_array).into_iter().flatten();
                groups.into_iter().any(|known| get(known, "value") == get(group, "id"))
            };
            let (place, shown) = match ghosts {
                Ghosts::Lists if came.path == "/Users" && came.parameter("filter").is_none() => {
                    edit::each(body, "/totalResults", false, &mut |total| {
                        *total = json!(total.as_u64().unwrap_or_default() + 1);
                    });
                    ("/Resources", Some(user.clone()).filter(|_| is_first_page))
                }
                Ghosts::Members if came.path.starts_with("/Groups/") && in_group(body) => {
                    ("/members", Some(json!({ "value": id })))
                }
                Ghosts::Lists | Ghosts::Members => continue,
            };
            edit::each(body, place, false, &mut |all| {
                if let Some(all) = all.as_array_mut() {
                    all.extend(shown.clone());
                }
            });
        }
        answer.text = body.to_string();
    }

    /// Shows resources as they were before their last write.
    pub(super) fn show_stale(&self, meant: &[usize], came: &Came, answer: &mut Answer) {
        let stale = meant.iter().filter_map(|index| self.mutant.change[*index].stale).max();
        let reads = came.method == "GET" || came.path.ends_with("/.search");
        let Some(stale) = stale.filter(|_| reads).map(Duration::from_millis) else { return };
        let memory = self.memory();
        let old = |path: &str| {
            let (since, resource) = memory.before.get(path)?;
            (since.elapsed() < stale).then_some(resource)
        };
        if let Some(resource) = resource_path(came, answer).as_deref().and_then(old) {
            match resource {
                Some(resource) => {
                    answer.status = 200;
                    answer.json = Some(resource.clone());
                    answer.text = resource.to_string();
                }
                None => *answer = missing(),
            }
            return;
        }
        let Some(list) = &mut answer.json else { return };
        let endpoint = came.path.trim_matches('/').split('/').next().unwrap_or_default().to_owned();
        let path = |resource: &Value| Some(format!("/{endpoint}/{}", get(resource, "id")?.as_str()?));
        edit::each(list, "/Resources", false, &mut |place| {
            let Some(resources) = place.as_array_mut() else { return };
            *resources = std::mem::take(resources)
                .into_iter()
                .filter_map(|resource| match path(&resource).as_deref().and_then(old) {
                    Some(old) => old.clone(),
                    None => Some(resource),
                })
                .collect();
        });
        answer.text = list.to_string();
    }
}

/// Returns the path of a request and the case that it belongs to, so that cases that are played together share no answer.
fn key(came: &Came) -> String {
    let named =
        came.query.iter().find_map(|(_, value)| value.find(PREFIX).map(|at| &value[at + PREFIX.len()..]));
    let name: String = named.unwrap_or_default().split('-').take(2).collect();
    let case: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
    format!("{} {case}", came.path)
}

fn conflict() -> Answer {
    error(409, "uniqueness", "the user name is taken")
}

fn missing() -> Answer {
    error(404, "", "there is no such resource")
}

fn error(status: u16, scim_type: &str, detail: &str) -> Answer {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail,
    });
    if !scim_type.is_empty() {
        body["scimType"] = json!(scim_type);
    }
    let headers = vec![("content-type".to_owned(), "application/scim+json".to_owned())];
    Answer { status, headers, text: body.to_string(), json: Some(body), ..Answer::default() }
}
