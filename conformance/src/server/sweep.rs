//! Finds what the harness made by its name, whoever made it and when: what a run could not note, and what earlier runs
//! left.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::PREFIX;
use crate::server::deviation::lists;
use crate::server::deviation::resources::id_of;
use crate::server::facts::{Facts, get, resources};
use crate::server::names::{has_prefix, run_in};
use crate::wire::bounded::outline;
use crate::wire::client::{Client, Request};

/// Resources of one page.
const PAGE: usize = 100;

/// So many pages of answers to a filter are read.
const FILTERED_PAGES: usize = 100;

/// Where no filter works, the whole list is read if it is no longer than this.
const READABLE: u64 = 5_000;

/// A resource whose name is one of the harness's, or begins like one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Below the base URL.
    pub path: String,
    /// As in `User`.
    pub resource_type: String,
    /// The `userName`, `displayName` or `externalId` that tells.
    pub name: String,
    /// The run that made it; none where the name only begins like that of a run.
    pub run: Option<String>,
}

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// What runs made, each once.
    pub found: Vec<Found>,
    /// What begins with the prefix and is none of theirs.
    pub left_alone: Vec<Found>,
    /// Where nothing could be searched, in words.
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
        // What begins with the prefix may be found where what holds it is not.
        for operator in ["co", "sw"] {
            let mut works = false;
            for attribute in attributes {
                let filter = format!("{attribute} {operator} {}", Value::from(PREFIX));
                match pages(client, endpoint, Some(&filter), FILTERED_PAGES).await {
                    Ok(page) => {
                        // What is not searched by its first attribute may lack it, but is found by another.
                        works |= *attribute == attributes[0];
                        collect(&page, endpoint, name, &mut found);
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
        if !is_searched {
            let most = usize::try_from(READABLE).unwrap_or(usize::MAX) / PAGE;
            match pages(client, endpoint, None, most).await {
                Ok(page) => collect(&page, endpoint, name, &mut found),
                Err(why) => search.unsearched.push(format!("{endpoint}: {why}")),
            }
        }
        let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.run.is_some());
        search.found.extend(ours);
        search.left_alone.extend(others);
    }
    search
}

/// What came of removing one run's resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Those that stay, by path.
    pub stay: Vec<String>,
    /// How many of these are accounts that the server's DELETE deactivates and keeps.
    pub deactivated: usize,
    /// How many are there of other runs.
    pub others: usize,
    /// Where nothing could be searched, in words.
    pub unsearched: Vec<String>,
}

/// Deletes what a run has made, and counts what other runs left.
pub async fn remove(client: &Client, facts: &Facts, run: &str) -> Removed {
    let Search { found, unsearched, .. } = search(client, facts).await;
    let (ours, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| found.run.as_deref() == Some(run));
    // Groups first: a server may not let go of a member.
    let paths = ours.into_iter().rev().map(|found| found.path).collect();
    let (stay, deactivated) = delete_all(client, paths).await;
    Removed { stay, deactivated, others: others.len(), unsearched }
}

impl Removed {
    /// Deletes what else a run may have left, unless it is known to stay.
    pub(crate) async fn and(&mut self, client: &Client, mut paths: Vec<String>) {
        paths.retain(|path| !self.stay.contains(path));
        let (stay, deactivated) = delete_all(client, paths).await;
        self.stay.extend(stay);
        self.deactivated += deactivated;
    }
}

/// Why a resource stays after a DELETE.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    /// The server deactivates an account and keeps it.
    #[error("DELETE is answered {0}, and the account is still there, deactivated")]
    Deactivated(u16),
    /// The server says that it deleted it.
    #[error("DELETE is answered {0}, and it is still there")]
    Kept(u16),
    /// The server refuses to delete it.
    #[error("DELETE is answered {0}")]
    Refused(u16),
    /// There was no answer.
    #[error("{0}")]
    Unanswered(String),
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
        // It cannot be read, and the server says that it is gone.
        Some(answer) if answer.is_success() || matches!(answer.status, 404 | 410) => Ok(()),
        Some(answer) => Err(Stays::Refused(answer.status)),
        None => Err(Stays::Unanswered(exchange.error.unwrap_or_else(|| "no answer".to_owned()))),
    }
}

/// Deletes resources. Returns those that stay, by path, and how many of these are deactivated accounts.
async fn delete_all(client: &Client, paths: Vec<String>) -> (Vec<String>, usize) {
    let (mut stay, mut deactivated) = (Vec::new(), 0);
    for path in paths {
        if let Err(why) = delete(client, &path).await {
            deactivated += usize::from(matches!(why, Stays::Deactivated(_)));
            stay.push(path);
        }
    }
    (stay, deactivated)
}

/// All pages of a list, at most so many.
async fn pages(
    client: &Client,
    endpoint: &str,
    filter: Option<&str>,
    most: usize,
) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    for _ in 0..most {
        let mut query = vec![
            ("startIndex".to_owned(), (all.len() + 1).to_string()),
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
            return Err(exchange.error.unwrap_or_else(|| "no answer".to_owned()));
        };
        if !answer.is_success() {
            return Err(format!("the list is answered {}", answer.status));
        }
        let body = answer.json.unwrap_or_default();
        let total = lists::total(&body);
        if filter.is_none() && total.is_some_and(|total| total > READABLE) {
            return Err(format!(
                "{} resources, and no filter that finds those of the harness",
                total.unwrap_or(0)
            ));
        }
        let page = resources(&body);
        // A server that always answers the first page would never end.
        let stuck = page.first().is_some_and(|first| all.contains(&short(first)));
        if page.is_empty() || stuck {
            break;
        }
        all.extend(page.iter().map(short));
        let is_last = match total {
            Some(total) => all.len() as u64 >= total,
            // A list that does not say how many there are goes on behind a full page.
            None => page.len() < PAGE,
        };
        if is_last {
            break;
        }
    }
    Ok(all)
}

/// What tells which resource it is, with the id that its address says where it shows none.
fn short(resource: &Value) -> Value {
    let mut short = outline(resource);
    if get(&short, "id").is_none_or(Value::is_null)
        && let (Some(id), Some(members)) = (id_of(resource), short.as_object_mut())
    {
        members.insert("id".to_owned(), Value::from(id));
    }
    short
}

/// Those of a list whose name holds what a run made, or begins with the prefix: an answer to a filter proves nothing.
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
    fn names_of_runs_are_told_from_names_that_begin_alike() {
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
