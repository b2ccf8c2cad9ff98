//! The answer that a request is entitled to, which tells how a deviating answer is meant.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::json::get;
use crate::server::discovery::{Facts, ResourceType};
use crate::subject::server::client::{Client, Request};

/// The subject of an answer, by its request.
pub(crate) struct Asked<'a> {
    pub(crate) due: Due<'a>,
    /// Resource types, for resources in a list of several.
    pub(crate) facts: &'a Facts,
    /// `attributes` or `excludedAttributes` is given.
    pub(crate) is_narrowed: bool,
    pub(crate) page: Page,
    /// A text was sent for `active`, so a text that comes back may be the stored value.
    pub(crate) sent_texts: bool,
    /// The id of a resource by its names.
    pub(crate) known: &'a dyn Fn(&Value) -> Option<String>,
}

/// The content of a successful answer.
pub(crate) enum Due<'a> {
    /// A resource of a type, with its id if the address has it.
    Resource(&'a ResourceType, Option<String>),
    /// Resources of a type, or of several.
    List(Option<&'a ResourceType>),
    /// /ResourceTypes or /Schemas.
    Discovery,
    /// Any other content.
    Other,
}

/// The page of a list that is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// `startIndex`, at least 1.
    pub(crate) start: Option<u64>,
    /// `count`, at least 0.
    pub(crate) count: Option<u64>,
}

impl<'a> Asked<'a> {
    /// Derives the expected answer from a request. `known` returns the id of a resource by its names.
    pub(crate) fn new(
        client: &Client,
        facts: &'a Facts,
        request: &Request,
        known: &'a dyn Fn(&Value) -> Option<String>,
    ) -> Self {
        let body: Value =
            request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        let asks = |name: &str| {
            request.query.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
                || get(&body, name).is_some()
        };
        let path = client.below(&request.path).unwrap_or_else(|| request.path.clone());
        Self {
            due: due(facts, &request.method, path.trim_end_matches('/')),
            facts,
            is_narrowed: asks("attributes") || asks("excludedAttributes"),
            page: Page::of(request, &body),
            sent_texts: false,
            known,
        }
    }
}

fn due<'a>(facts: &'a Facts, method: &str, path: &str) -> Due<'a> {
    let is_search = method == "POST" && path.ends_with("/.search");
    let endpoint = if is_search { path.trim_end_matches("/.search") } else { path };
    let listed = facts.resource_types.iter().find(|known| known.endpoint == endpoint);
    match (method, listed) {
        ("POST", _) if is_search => Due::List(listed),
        ("GET", Some(_)) => Due::List(listed),
        ("POST", Some(known)) => Due::Resource(known, None),
        ("GET", None) if matches!(path, "/ResourceTypes" | "/Schemas") => Due::Discovery,
        ("GET" | "PUT" | "PATCH", None) => {
            let one = path.rsplit_once('/').and_then(|(endpoint, id)| {
                let known = facts.resource_types.iter().find(|known| known.endpoint == endpoint)?;
                Some((known, percent_decode_str(id).decode_utf8().ok()?.into_owned()))
            });
            match one {
                Some((known, id)) => Due::Resource(known, Some(id)),
                None if path == "/Me" => {
                    facts.resource_type("User").map_or(Due::Other, |user| Due::Resource(user, None))
                }
                None => Due::Other,
            }
        }
        _ => Due::Other,
    }
}

impl Due<'_> {
    /// Whether a list is due.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::List(_) | Self::Discovery)
    }
}

impl Page {
    fn of(request: &Request, body: &Value) -> Self {
        let asked = |name: &str| {
            let in_query = request.query.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            let text = in_query
                .map(|(_, value)| value.clone())
                .or_else(|| get(body, name).map(ToString::to_string))?;
            text.parse::<i64>().ok()
        };
        let at_least = |number: i64, least: u64| u64::try_from(number).unwrap_or_default().max(least);
        Self {
            start: asked("startIndex").map(|start| at_least(start, 1)),
            count: asked("count").map(|count| at_least(count, 0)),
        }
    }

    /// Returns the index of the first resource.
    pub(crate) fn first(self) -> u64 {
        self.start.unwrap_or(1)
    }

    /// Whether this page may be empty although the list has `total` resources.
    pub(crate) fn is_empty(self, total: u64) -> bool {
        self.count == Some(0) || self.first() > total
    }

    /// Returns the total number of resources from the length of this page, or `None` if more may follow.
    pub(crate) fn total(self, length: usize) -> Option<u64> {
        let length = length as u64;
        let is_last = self.count.is_none_or(|count| length < count);
        let is_counted = is_last && (length > 0 || self.first() == 1);
        is_counted.then(|| self.first() - 1 + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_a_total_only_if_no_page_follows() {
        let page = |start, count| Page { start, count };
        assert_eq!(page(None, None).total(3), Some(3));
        assert_eq!(page(Some(4), Some(5)).total(2), Some(5));
        assert_eq!(page(None, Some(2)).total(2), None);
        assert_eq!(page(Some(9), Some(2)).total(0), None);
        assert_eq!(page(None, Some(0)).total(0), None);
        assert!(page(None, Some(0)).is_empty(3) && page(Some(4), None).is_empty(3));
        assert!(!page(Some(3), None).is_empty(3));
        let body = serde_json::json!({ "startIndex": -2, "COUNT": 4 });
        assert_eq!(Page::of(&Request::default(), &body), page(Some(1), Some(4)));
        let query = vec![("Count".to_owned(), "-1".to_owned())];
        assert_eq!(Page::of(&Request { query, ..Request::default() }, &Value::Null), page(None, Some(0)));
    }
}
