//! Finds what the harness made by its name, whoever made it and when: what a run could not note, and what earlier runs
//! left.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::PREFIX;
use crate::server::facts::{Facts, get, id_text, resources};
use crate::wire::bounded::outline;
use crate::wire::client::{Client, Request};

/// Resources of one page.
const PAGE: usize = 100;

/// So many pages of answers to a filter are read.
const FILTERED_PAGES: usize = 100;

/// Where no filter works, the whole list is read if it is no longer than this.
const READABLE: u64 = 5_000;

/// A resource whose name has the prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Below the base URL.
    pub path: String,
    /// As in `User`.
    pub resource_type: String,
    /// The `userName`, `displayName` or `externalId` with the prefix.
    pub name: String,
}

/// What a search came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// What was found, each once.
    pub found: Vec<Found>,
    /// Where nothing could be searched, in words.
    pub unsearched: Vec<String>,
}

/// Looks for users and groups whose `userName`, `displayName` or `externalId` starts with the prefix.
pub async fn search(client: &Client, facts: &Facts, prefix: &str) -> Search {
    let mut search = Search::default();
    for (name, attributes) in
        [("User", &["userName", "externalId", "displayName"][..]), ("Group", &["displayName", "externalId"])]
    {
        let Some(known) = facts.resource_type(name) else { continue };
        let endpoint = known.endpoint.as_str();
        let mut found = BTreeSet::new();
        let mut filtered = false;
        for attribute in attributes {
            let filter = format!("{attribute} sw {}", Value::from(prefix));
            match pages(client, endpoint, Some(&filter), FILTERED_PAGES).await {
                Ok(page) => {
                    // What is not searched by its first attribute may lack it, but is found by another.
                    filtered |= *attribute == attributes[0];
                    collect(&page, endpoint, name, prefix, &mut found);
                }
                Err(_) if *attribute == attributes[0] => break,
                Err(_) => {}
            }
        }
        if !filtered {
            let most = usize::try_from(READABLE).unwrap_or(usize::MAX) / PAGE;
            match pages(client, endpoint, None, most).await {
                Ok(page) => collect(&page, endpoint, name, prefix, &mut found),
                Err(why) => search.unsearched.push(format!("{endpoint}: {why}")),
            }
        }
        search.found.extend(found);
    }
    search
}

/// What came of removing one run's resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Those that stay, by path.
    pub stay: Vec<String>,
    /// How many are there of other runs.
    pub others: usize,
    /// Where nothing could be searched, in words.
    pub unsearched: Vec<String>,
}

/// Deletes what the run has made that the prefix belongs to, and counts what other runs left.
pub async fn remove(client: &Client, facts: &Facts, own: &str) -> Removed {
    let Search { found, unsearched } = search(client, facts, PREFIX).await;
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| has_prefix(&found.name, own));
    let mut stay = Vec::new();
    // Groups first: a server may not let go of a member.
    for Found { path, .. } in ours.into_iter().rev() {
        if delete(client, &path).await.is_err() || !is_gone(client, &path).await {
            stay.push(path);
        }
    }
    Removed { stay, others: others.len(), unsearched }
}

/// A 204 to a DELETE may be a lie.
async fn is_gone(client: &Client, path: &str) -> bool {
    let request = Request {
        step: "clean up".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        ..Request::default()
    };
    let (_, answer) = client.send(&request).await;
    answer.is_some_and(|answer| matches!(answer.status, 404 | 410))
}

/// Deletes a resource. Returns `Err` with the reason if it stays.
pub async fn delete(client: &Client, path: &str) -> Result<(), String> {
    let request = Request {
        step: "clean up".to_owned(),
        method: "DELETE".to_owned(),
        path: path.to_owned(),
        ..Request::default()
    };
    let (exchange, answer) = client.send(&request).await;
    match answer {
        Some(answer) if answer.is_success() || matches!(answer.status, 404 | 410) => Ok(()),
        Some(answer) => Err(format!("DELETE is answered {}", answer.status)),
        None => Err(exchange.error.unwrap_or_else(|| "no answer".to_owned())),
    }
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
        let total = get(&body, "totalResults").and_then(Value::as_u64);
        if filter.is_none() && total.is_some_and(|total| total > READABLE) {
            return Err(format!(
                "{} resources, and no filter that finds those of the harness",
                total.unwrap_or(0)
            ));
        }
        let page = resources(&body);
        // A server that always answers the first page would never end.
        let stuck = page.first().is_some_and(|first| all.contains(&outline(first)));
        if page.is_empty() || stuck {
            break;
        }
        all.extend(page.iter().map(outline));
        if total.is_none_or(|total| all.len() as u64 >= total) {
            break;
        }
    }
    Ok(all)
}

/// Those of a list whose name has the prefix: an answer to a filter proves nothing.
fn collect(list: &[Value], endpoint: &str, resource_type: &str, prefix: &str, found: &mut BTreeSet<Found>) {
    for resource in list {
        let name = ["userName", "displayName", "externalId"].into_iter().find_map(|attribute| {
            get(resource, attribute).and_then(Value::as_str).filter(|name| has_prefix(name, prefix))
        });
        if let (Some(name), Some(id)) = (name, get(resource, "id").and_then(id_text)) {
            found.insert(Found {
                path: format!("{endpoint}/{}", Client::segment(&id)),
                resource_type: resource_type.to_owned(),
                name: name.to_owned(),
            });
        }
    }
}

/// Servers may keep names in lower case.
pub(crate) fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_names_with_the_prefix_are_collected() {
        let list = [
            json!({ "id": 7, "userName": "Conformance-a@example.com" }),
            json!({ "id": "8", "userName": "ada@example.com" }),
            json!({ "id": "9", "externalId": "conformance-x" }),
            json!({ "id": "10", "displayName": "the conformance-team" }),
            json!({ "userName": "conformance-without-id" }),
        ];
        let mut found = BTreeSet::new();
        collect(&list, "/Users", "User", "conformance-", &mut found);
        let paths: Vec<_> = found.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["/Users/7", "/Users/9"]);
    }
}
