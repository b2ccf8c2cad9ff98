//! The names that stand for ids, versions and unique texts of one run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::case::template::without_places;
use crate::json::get;
use crate::server::discovery::{id_in, id_text};
use crate::subject::server::client::Client;
use crate::transcript::Exchange;

/// The names of a case.
pub(super) struct Names<'a> {
    client: &'a Client,
    unique: &'a str,
    /// The place that stands for the unique text.
    place: &'static str,
    /// Names of resources by id.
    ids: BTreeMap<String, String>,
    resources: usize,
    bulks: usize,
    /// The versions that resources were last shown with, by path.
    versions: BTreeMap<String, String>,
}

/// Whether an exchange was answered with success.
pub(super) fn is_done(exchange: &Exchange) -> bool {
    exchange.response.as_ref().is_some_and(|answer| answer.status / 100 == 2)
}

/// Replaces an id where it is a text or a segment of a path by itself, and nowhere within other texts.
fn replace_id(text: &str, id: &str, name: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(id).filter(|_| !id.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + id.len()..]);
        let starts = match before.chars().next_back() {
            Some(last) => matches!(last, '/' | '"' | '='),
            None => replaced.is_empty(),
        };
        let ends = after.chars().next().is_none_or(|next| matches!(next, '/' | '"' | '\\' | '?'));
        replaced.push_str(before);
        if starts && ends {
            append!(replaced, "{{{{{name}.id}}}}");
        } else {
            replaced.push_str(id);
        }
        rest = after;
    }
    replaced + rest
}

impl<'a> Names<'a> {
    /// `is_crowded`: the case creates resources besides, under names of the harness.
    pub(super) fn new(client: &'a Client, unique: &'a str, is_crowded: bool) -> Self {
        let place = if is_crowded { "{{unique:x}}" } else { "{{unique}}" };
        let (ids, versions) = (BTreeMap::new(), BTreeMap::new());
        Self { client, unique, place, ids, resources: 0, bulks: 0, versions }
    }

    /// Returns the path of a request below the base URL, and its query.
    pub(super) fn address<'e>(&self, exchange: &'e Exchange) -> Option<(String, &'e str)> {
        let url = &exchange.request.url;
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        Some((self.client.below(address)?, query))
    }

    /// Whether requests of the client have credentials, and this one has none.
    pub(super) fn lacks_credentials(&self, exchange: &Exchange) -> bool {
        let mut headers = exchange.request.headers.iter();
        self.client.has_credentials() && !headers.any(|(name, _)| name.eq_ignore_ascii_case("authorization"))
    }

    /// Returns the name of the resource with an id.
    pub(super) fn of_id(&self, id: &str) -> Option<&str> {
        self.ids.get(id).map(String::as_str)
    }

    /// Returns the name of the resource at a path.
    pub(super) fn of_path(&self, path: &str) -> Option<&str> {
        self.of_id(&id_in(path)?)
    }

    /// Returns the name of the last bulk request.
    pub(super) fn last_bulk(&self) -> Option<String> {
        (self.bulks > 0).then(|| format!("b{}", self.bulks))
    }

    /// Returns a text with places for the base URL, unique texts and ids.
    pub(super) fn replaced(&self, text: &str) -> String {
        // An id may be a name.
        let mut ids: Vec<_> = self.ids.iter().collect();
        ids.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
        let text = ids.into_iter().fold(without_places(text), |text, (id, name)| replace_id(&text, id, name));
        let text = text.replace(self.client.base(), "{{base}}").replace(self.unique, self.place);
        // Of a name in capitals the rest is in capitals.
        text.replace(&self.unique.to_ascii_uppercase(), self.place)
    }

    /// Returns a path with places for ids.
    pub(super) fn path(&self, path: &str) -> String {
        let segment = |segment: &str| match id_in(segment).and_then(|id| self.ids.get(&id)) {
            Some(name) => format!("{{{{{name}.id}}}}"),
            None => self.replaced(segment),
        };
        path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    /// Returns JSON with places.
    pub(super) fn json(&self, value: &Value) -> String {
        self.replaced(&value.to_string())
    }

    /// Returns the body of a request with places.
    pub(super) fn body(&self, body: &Value) -> String {
        let operations = get(body, "Operations").and_then(Value::as_array);
        let versions = operations.into_iter().flatten().filter_map(|operation| {
            let (path, version) = (get(operation, "path")?.as_str()?, get(operation, "version")?.as_str()?);
            Some((json!(version).to_string(), self.place_of_version(path, version)?))
        });
        versions.fold(self.json(body), |text, (version, place)| {
            text.replace(&format!("\"version\":{version}"), &format!("\"version\":{}", json!(place)))
        })
    }

    /// Returns the place of the version that a resource was last shown with, if this is it.
    pub(super) fn place_of_version(&self, path: &str, version: &str) -> Option<String> {
        let is_current = self.versions.get(path).is_some_and(|known| known == version);
        let name = self.of_path(path).filter(|_| is_current)?;
        Some(format!("{{{{{name}.version}}}}"))
    }

    /// Takes over what an exchange tells. Returns the name of the resource or answer that it shows.
    pub(super) fn note(&mut self, exchange: &Exchange) -> Option<String> {
        let (path, _) = self.address(exchange)?;
        let answer = exchange.response.as_ref().filter(|_| is_done(exchange))?;
        if let Some((path, version)) = self.version_in(exchange) {
            self.versions.insert(path, version);
        }
        match exchange.request.method.as_str() {
            "POST" if path == "/Bulk" => {
                self.bulks += 1;
                let name = format!("b{}", self.bulks);
                let results = get(&answer.body, "Operations").and_then(Value::as_array);
                for (index, result) in results.into_iter().flatten().enumerate() {
                    let id = get(result, "location").and_then(|location| id_in(location.as_str()?));
                    if let Some(id) = id {
                        self.ids.entry(id).or_insert_with(|| format!("{name}.{}", index + 1));
                    }
                }
                Some(name)
            }
            "POST" => {
                let id = get(&answer.body, "id").and_then(id_text)?;
                if let Some(known) = self.ids.get(&id) {
                    return Some(known.clone());
                }
                self.resources += 1;
                let name = format!("r{}", self.resources);
                self.ids.insert(id, name.clone());
                Some(name)
            }
            "GET" | "PUT" | "PATCH" => self.of_path(&path).map(ToOwned::to_owned),
            _ => None,
        }
    }

    /// Returns the path and the version of the resource that an exchange shows.
    pub(super) fn version_in(&self, exchange: &Exchange) -> Option<(String, String)> {
        let (path, _) = self.address(exchange)?;
        let answer = exchange.response.as_ref().filter(|_| is_done(exchange))?;
        let path = match exchange.request.method.as_str() {
            "POST" => format!("{path}/{}", Client::segment(&get(&answer.body, "id").and_then(id_text)?)),
            "GET" | "PUT" | "PATCH" => path,
            _ => return None,
        };
        let header = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("etag"));
        let version = header
            .map(|(_, version)| version.clone())
            .or_else(|| Some(get(get(&answer.body, "meta")?, "version")?.as_str()?.to_owned()))?;
        Some((path, version))
    }
}

/// Returns the versions that a request sends, each with the path of the resource that it is compared with.
pub(super) fn versions_sent(exchange: &Exchange, path: &str) -> Vec<(String, String)> {
    let headers = exchange.request.headers.iter().filter(|(name, _)| is_condition(name));
    let own = headers.map(|(_, version)| (path.to_owned(), version.clone()));
    let operations = get(&exchange.request.body, "Operations").and_then(Value::as_array);
    let of_operations = operations.into_iter().flatten().filter_map(|operation| {
        let text = |name| Some(get(operation, name)?.as_str()?.to_owned());
        Some((text("path")?, text("version")?))
    });
    own.chain(of_operations).collect()
}

/// Returns the paths of the resources that a request deletes.
pub(super) fn deletions(exchange: &Exchange, path: &str) -> Vec<String> {
    if exchange.request.method == "DELETE" {
        return vec![path.to_owned()];
    }
    let operations = get(&exchange.request.body, "Operations").and_then(Value::as_array);
    let text = |operation: &Value, name| Some(get(operation, name)?.as_str()?.to_owned());
    let deletions = operations.into_iter().flatten().filter_map(|operation| {
        text(operation, "method").filter(|method| method == "DELETE").and_then(|_| text(operation, "path"))
    });
    deletions.collect()
}

/// Whether a header field makes a request conditional.
pub(super) fn is_condition(header: &str) -> bool {
    header.eq_ignore_ascii_case("if-match") || header.eq_ignore_ascii_case("if-none-match")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_replaced_where_it_stands_alone() {
        let replaced = |text: &str| replace_id(text, "5", "r1");
        assert_eq!(replaced("5"), "{{r1.id}}");
        assert_eq!(replaced("/Users/5"), "/Users/{{r1.id}}");
        assert_eq!(replaced(r#"members[value eq \"5\"]"#), r#"members[value eq \"{{r1.id}}\"]"#);
        assert_eq!(replaced(r#"{"value":"5","n":5}"#), r#"{"value":"{{r1.id}}","n":5}"#);
        assert_eq!(replaced("/members/value=5/type"), "/members/value={{r1.id}}/type");
        assert_eq!(replaced("a-15x and 55"), "a-15x and 55");
    }
}
