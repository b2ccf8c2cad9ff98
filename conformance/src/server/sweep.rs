//! Finds what the harness made by its name, whoever made it and when: what a run could not note, and what earlier runs
//! left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::json::get;
use crate::server::PREFIX;
use crate::server::deviation::lists;
use crate::server::deviation::resources::id_of;
use crate::server::discovery::{Facts, resources};
use crate::server::names::{has_prefix, run_in};
use crate::subject::server::bounded::outline;
use crate::subject::server::client::{Client, Request};

/// Resources of one page.
const PAGE: usize = 100;

/// Resources of the answers to one filter that are read; the next search finds the rest.
const FILTERED: usize = 10_000;

/// Without a working filter, the whole list is read if it has at most this number of resources.
const READABLE: usize = 5_000;

/// Searches at most, one after each round of deletions: a server whose ids change with each answer would never end.
const SEARCHES: usize = 500;

/// The number of times that a list with deleted resources is read again, because lists may lag behind.
const LOOKS: u32 = 3;
const LOOK_AFTER: Duration = Duration::from_millis(400);

/// A resource whose name is one of the harness's, or begins like one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Below the base URL.
    pub path: String,
    /// The resource type, as in `User`.
    pub resource_type: String,
    /// The `userName`, `displayName` or `externalId` that tells.
    pub name: String,
    /// The run that made it; none where the name only begins like that of a run.
    pub run: Option<String>,
}

/// The result of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Resources that runs created, each once.
    pub found: Vec<Found>,
    /// Resources whose names begin with the prefix but which no run created.
    pub left_alone: Vec<Found>,
    /// Places that could not be searched, in words.
    pub unsearched: Vec<String>,
}

/// Looks for users and groups whose `userName`, `displayName` or `externalId` holds a name that a run made: at its
/// beginning, or where a template has `{{unique}}`.
pub async fn search(client: &Client, facts: &Facts) -> Search {
    let mut search = Search::default();
    for (name, attributes) in
        [("User", &["userName", "externalId", "displayName"][..]), ("Group", &["displayName", "externalId"])]
    {
        let Some(known) = facts.resource_type(name) else { continue };
        let endpoint = known.endpoint.as_str();
        let mut found = BTreeSet::new();
        let mut is_searched = false;
        let mut unfinished = None;
        // What begins with the prefix may be found where what holds it is not.
        for operator in ["co", "sw"] {
            let mut works = false;
            for attribute in attributes {
                let filter = format!("{attribute} {operator} {}", Value::from(PREFIX));
                match pages(client, endpoint, Some(&filter), FILTERED).await {
                    Ok(read) => {
                        // What is not searched by its first attribute may lack it, but is found by another.
                        works |= *attribute == attributes[0];
                        collect(&read.all, endpoint, name, &mut found);
                        unfinished = unfinished.or(read.unfinished);
                    }
                    Err(_) if *attribute == attributes[0] => break,
                    Err(_) => {}
                }
            }
            is_searched |= works && operator == "co";
            if works {
                break;
            }
        }
        // A total that does not fit may count what a filter leaves out: then the whole list shows it.
        if !is_searched || unfinished.is_some() {
            match pages(client, endpoint, None, READABLE).await {
                Ok(read) => {
                    collect(&read.all, endpoint, name, &mut found);
                    unfinished = read.unfinished;
                }
                Err(error) => unfinished = unfinished.or_else(|| Some(error.to_string())),
            }
        }
        search.unsearched.extend(unfinished.map(|why| format!("{endpoint}: {why}")));
        let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.run.is_some());
        search.found.extend(ours);
        search.left_alone.extend(others);
    }
    search
}

/// The result of removing one run's resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Resources that stay, by path, and the reason.
    pub stay: BTreeMap<String, Stays>,
    /// The number of resources of other runs.
    pub others: usize,
    /// Places that could not be searched, in words.
    pub unsearched: Vec<String>,
}

/// Deletes what a run has made, and counts what other runs left.
pub async fn remove(client: &Client, facts: &Facts, run: &str) -> Removed {
    let ours = |found: &Found| found.run.as_deref() == Some(run);
    let Cleared { tried, search } = clear(client, facts, ours, |_, _| Ok::<_, std::convert::Infallible>(()))
        .await
        .unwrap_or_else(|never| match never {});
    let others = search.found.iter().filter(|found| !ours(found)).count();
    let stay = tried.into_iter().filter_map(|(found, outcome)| Some((found.path, outcome.err()?))).collect();
    Removed { stay, others, unsearched: search.unsearched }
}

/// The result of deleting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleared {
    /// The resources to delete, and whether each is gone.
    pub tried: BTreeMap<Found, Result<(), Stays>>,
    /// The last search.
    pub search: Search,
}

/// Deletes what a search finds of `ours`, and searches again until nothing more is found: a list may not show all at
/// once, and what was deleted may still be in it. `tell` is told of each deletion.
///
/// # Errors
/// That of `tell`.
pub async fn clear<E>(
    client: &Client,
    facts: &Facts,
    ours: impl Fn(&Found) -> bool,
    mut tell: impl FnMut(&Found, &Result<(), Stays>) -> Result<(), E>,
) -> Result<Cleared, E> {
    let mut cleared = Cleared::default();
    let mut looks = 0;
    for _ in 0..SEARCHES {
        cleared.search = search(client, facts).await;
        let found: Vec<_> = cleared.search.found.iter().filter(|found| ours(found)).cloned().collect();
        let tried = &mut cleared.tried;
        let mut more = false;
        // Groups first: a server may not let go of a member.
        for one in found.iter().rev().filter(|found| !tried.contains_key(*found)).cloned().collect::<Vec<_>>()
        {
            more = true;
            let outcome = delete(client, &one.path).await;
            tell(&one, &outcome)?;
            tried.insert(one, outcome);
        }
        if more {
            continue;
        }
        let listed: Vec<_> = found.into_iter().filter(|found| tried.get(found) == Some(&Ok(()))).collect();
        if listed.is_empty() {
            break;
        }
        if looks < LOOKS {
            looks += 1;
            client.wait(LOOK_AFTER).await;
            continue;
        }
        for one in listed {
            let outcome = Err(Stays::Listed);
            tell(&one, &outcome)?;
            tried.insert(one, outcome);
        }
        break;
    }
    Ok(cleared)
}

impl Removed {
    /// Deletes what else a run may have left, unless it is known to stay.
    pub(crate) async fn and(&mut self, client: &Client, mut paths: Vec<String>) {
        paths.retain(|path| !self.stay.contains_key(path));
        for path in paths {
            if let Err(why) = delete(client, &path).await {
                self.stay.insert(path, why);
            }
        }
    }
}

/// Why a resource stays after a DELETE.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    /// The server deactivates an account and keeps it.
    #[error("DELETE is answered {0}, and the account is still there, deactivated")]
    Deactivated(u16),
    /// The server says that it deleted it, or that it is not there.
    #[error("DELETE is answered {0}, and it is still there")]
    Kept(u16),
    /// The resource cannot be read by its id any more, and is still listed.
    #[error("it was deleted, by the answers to DELETE and GET, and the list still has it")]
    Listed,
    /// The server has no DELETE.
    #[error("DELETE is answered {0}")]
    WithoutDelete(u16),
    /// The server refuses to delete it.
    #[error("DELETE is answered {0}")]
    Refused(u16),
    /// There was no answer.
    #[error("{0}")]
    Unanswered(String),
}

/// The number of resources that stay, by the way to remove them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staying {
    /// The number of all resources.
    pub all: usize,
    /// Accounts that the server deactivated and keeps.
    pub deactivated: usize,
    /// The number of resources at a server without DELETE, and its status.
    pub without_delete: Option<(usize, u16)>,
}

impl Staying {
    /// Counts them.
    pub fn of<'a>(why: impl IntoIterator<Item = &'a Stays>) -> Self {
        let mut staying = Self::default();
        for why in why {
            staying.all += 1;
            match why {
                Stays::Deactivated(_) => staying.deactivated += 1,
                Stays::WithoutDelete(status) => {
                    let count = staying.without_delete.map_or(0, |(count, _)| count);
                    staying.without_delete = Some((count + 1, *status));
                }
                Stays::Kept(_) | Stays::Listed | Stays::Refused(_) | Stays::Unanswered(_) => {}
            }
        }
        staying
    }

    /// Returns why another DELETE is of no use, if that is known: a sentence for each reason.
    pub fn by_hand(&self) -> Vec<String> {
        let Self { deactivated, without_delete, .. } = *self;
        let mut sentences = Vec::new();
        if deactivated > 0 {
            sentences.push(format!(
                "{deactivated} of them are deactivated: this server's DELETE deactivates an account and keeps it, so \
                 remove them by its own administration"
            ));
        }
        if let Some((count, status)) = without_delete {
            sentences.push(format!(
                "{count} of them cannot be deleted by SCIM: this server answers DELETE with {status}, so remove them by \
                 its own administration"
            ));
        }
        sentences
    }

    /// Returns the number of resources that another DELETE may remove.
    pub fn removable(&self) -> usize {
        let without_delete = self.without_delete.map_or(0, |(count, _)| count);
        self.all.saturating_sub(self.deactivated + without_delete)
    }
}

/// Deletes a resource, and reads it back: only an answer of 404 or 410 to a GET shows that it is gone, whatever the DELETE
/// was answered.
///
/// # Errors
/// Why it stays.
pub async fn delete(client: &Client, path: &str) -> Result<(), Stays> {
    let request = |method: &str| Request {
        step: "clean up".to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        ..Request::default()
    };
    let (mut exchange, mut answer) = client.send(&request("DELETE")).await;
    for _ in 0..2 {
        // It may be so just now only.
        if answer.as_ref().is_some_and(|answer| answer.status < 500 || answer.status == 501) {
            break;
        }
        (exchange, answer) = client.send(&request("DELETE")).await;
    }
    let (_, read) = client.send(&request("GET")).await;
    let kept = match &read {
        Some(read) if matches!(read.status, 404 | 410) => return Ok(()),
        Some(read) => read.is_success(),
        None => false,
    };
    let is_inactive = read.and_then(|read| get(&read.json?, "active")?.as_bool()) == Some(false);
    match answer {
        Some(answer) if answer.is_success() && is_inactive => Err(Stays::Deactivated(answer.status)),
        Some(answer) if answer.is_success() && kept => Err(Stays::Kept(answer.status)),
        Some(answer) if matches!(answer.status, 404 | 410) && kept => Err(Stays::Kept(answer.status)),
        // It cannot be read, and the server says that it is gone.
        Some(answer) if answer.is_success() || matches!(answer.status, 404 | 410) => Ok(()),
        Some(answer) if matches!(answer.status, 405 | 501) => Err(Stays::WithoutDelete(answer.status)),
        Some(answer) => Err(Stays::Refused(answer.status)),
        None => Err(Stays::Unanswered(exchange.error.unwrap_or_else(|| "no answer".to_owned()))),
    }
}

/// The reason why a list cannot be read.
#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("{}", .0.as_deref().unwrap_or("no answer"))]
    Unanswered(Option<String>),
    #[error("the list is answered {0}")]
    Refused(u16),
    #[error("{0} resources, and no filter that finds those of the harness")]
    TooLong(usize),
}

/// The part of a list that was read.
struct Read {
    /// The resources, each once, as far as they can be identified.
    all: Vec<Value>,
    /// Why it is not all of them, in words.
    unfinished: Option<String>,
}

/// Reads a list to its end, or about `most` resources of it.
async fn pages(
    client: &Client,
    endpoint: &str,
    filter: Option<&str>,
    most: usize,
) -> Result<Read, ListError> {
    let mut all = Vec::new();
    let mut known = BTreeSet::new();
    let mut received = 0;
    let mut said = None;
    while received < most {
        let mut query = vec![
            ("startIndex".to_owned(), (received + 1).to_string()),
            ("count".to_owned(), PAGE.to_string()),
        ];
        query.extend(filter.map(|filter| ("filter".to_owned(), filter.to_owned())));
        let request = Request {
            step: "search".to_owned(),
            method: "GET".to_owned(),
            path: endpoint.to_owned(),
            query,
            ..Request::default()
        };
        let (exchange, answer) = client.send(&request).await;
        let Some(answer) = answer else {
            return Err(ListError::Unanswered(exchange.error));
        };
        if !answer.is_success() {
            return Err(ListError::Refused(answer.status));
        }
        let body = answer.json.unwrap_or_default();
        let total = lists::total(&body).map(|total| usize::try_from(total).unwrap_or(usize::MAX));
        if filter.is_none()
            && let Some(total) = total.filter(|total| *total > READABLE)
        {
            return Err(ListError::TooLong(total));
        }
        said = total.or(said);
        let page = resources(&body);
        received += page.len();
        let before = all.len();
        let outlines = page.iter().map(short);
        all.extend(outlines.filter(|resource| {
            known.insert(get(resource, "id").map_or_else(|| resource.to_string(), Value::to_string))
        }));
        // A server that always answers the first page would never end.
        if all.len() == before || total.is_some_and(|total| all.len() >= total) {
            break;
        }
    }
    let shown = all.len();
    let unfinished = match said {
        Some(total) if total > shown => {
            let are = if total == 1 { "is" } else { "are" };
            Some(format!("the list says that there {are} {total}, and shows {shown}"))
        }
        _ if received >= most => Some(format!("the list has {shown} and more")),
        _ => None,
    };
    Ok(Read { all, unfinished })
}

/// Returns the attributes that identify a resource, with the id of its address if it shows none.
fn short(resource: &Value) -> Value {
    let mut short = outline(resource);
    if get(&short, "id").is_none_or(Value::is_null)
        && let (Some(id), Some(members)) = (id_of(resource), short.as_object_mut())
    {
        members.insert("id".to_owned(), Value::from(id));
    }
    short
}

/// Returns the resources of a list whose name contains the name of a run, or begins with the prefix: the answer to a
/// filter proves nothing.
fn collect(list: &[Value], endpoint: &str, resource_type: &str, found: &mut BTreeSet<Found>) {
    for resource in list {
        let texts = || {
            let names = ["userName", "displayName", "externalId"].into_iter();
            names.filter_map(|attribute| get(resource, attribute).and_then(Value::as_str))
        };
        let made = texts().find_map(|name| Some((name, Some(run_in(name)?))));
        let named = made.or_else(|| texts().find(|name| has_prefix(name)).map(|name| (name, None)));
        if let (Some((name, run)), Some(id)) = (named, id_of(resource)) {
            found.insert(Found {
                path: format!("{endpoint}/{}", Client::segment(&id)),
                resource_type: resource_type.to_owned(),
                name: name.to_owned(),
                run,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::names::run_name;

    #[test]
    fn names_with_the_prefix_alone_are_no_names_of_runs() {
        let run = run_name(7);
        let list = [
            json!({ "id": 7, "userName": format!("Conformance-{run}-1-1@example.com") }),
            json!({ "id": "8", "userName": "ada@example.com" }),
            json!({ "id": "9", "externalId": format!("conformance-{run}-p3-external"), "userName": "x" }),
            json!({ "id": "10", "userName": format!("svc.conformance-{run}-2-1@acme.test") }),
            json!({ "id": "11", "userName": "conformance-officer@example.com" }),
            json!({ "id": "12", "displayName": "the conformance-team" }),
            json!({ "userName": format!("conformance-{run}-without-id") }),
        ];
        let mut found = BTreeSet::new();
        collect(&list, "/Users", "User", &mut found);
        let paths = |made: bool| -> Vec<_> {
            let some = found.iter().filter(|found| found.run.is_some() == made);
            some.map(|found| found.path.as_str()).collect()
        };
        assert_eq!(paths(true), ["/Users/10", "/Users/7", "/Users/9"]);
        assert_eq!(paths(false), ["/Users/11"]);
    }
}
