//! Rules on the method, the path, the header and the query of a request.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::written::path_of;
use super::{Broken, broken};
use crate::client::attributes::{Attribute, Kind, ResourceKind};
use crate::client::filter::{self, Comparison};
use crate::client::recording::{RecordedExchange, last_name};
use crate::json::get;

/// The parameters of a list (RFC 7644 §3.4.2, RFC 9865 §2).
const PARAMETERS: [&str; 8] =
    ["filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes", "cursor"];

/// Names by which other protocols call the pages of a list.
const PAGING: [&str; 12] = [
    "page",
    "pageNumber",
    "page_number",
    "pageSize",
    "page_size",
    "per_page",
    "perPage",
    "limit",
    "offset",
    "skip",
    "$skip",
    "$top",
];

/// Ids that a program writes for an id that it does not have.
const PLACEHOLDERS: [&str; 5] = ["undefined", "null", "None", "nil", "[object Object]"];

/// A rule on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RequestRule {
    /// The endpoint has this method.
    Method,
    /// The id in the path is no text that stands for a missing one.
    NoPlaceholderId,
    /// `startIndex` and `count` are whole numbers.
    PagingNumbers,
    /// The parameters of a list are called as SCIM calls them.
    ScimParameters,
    /// The filter compares an attribute with a value of its type, by an operator of its type.
    FilterTypes,
    /// The filter does not compare with a text that stands for a missing value.
    FilterValues,
    /// A filter has brackets only behind an attribute with several values.
    FilterBrackets,
    /// `If-Match` and `If-None-Match` have entity tags in quotes, or `*`.
    QuotedEntityTags,
    /// The body is in UTF-8.
    Utf8,
    /// A bulk request has whole operations.
    BulkOperations,
}

impl RequestRule {
    /// Whether the request has what this is about.
    pub(super) fn applies(self, exchange: &RecordedExchange) -> bool {
        match self {
            Self::Method => true,
            Self::NoPlaceholderId => exchange.resource_id().is_some(),
            Self::PagingNumbers => {
                ["startIndex", "count"].iter().any(|name| exchange.parameter(name).is_some())
            }
            Self::ScimParameters => exchange.method == "GET" && exchange.segments().len() == 1,
            Self::FilterTypes => !typed(exchange).is_empty(),
            Self::FilterValues => !comparisons(exchange).is_empty(),
            Self::FilterBrackets => comparisons(exchange).iter().any(|one| one.within.is_some()),
            Self::QuotedEntityTags => entity_tags(exchange).next().is_some(),
            Self::Utf8 => charset(exchange).is_some(),
            Self::BulkOperations => {
                let is_bulk = exchange.segments().first().is_some_and(|one| one.eq_ignore_ascii_case("Bulk"));
                is_bulk && exchange.body.as_ref().is_some_and(Value::is_object)
            }
        }
    }

    pub(super) fn check(self, exchange: &RecordedExchange) -> Result<(), Broken> {
        match self {
            Self::Method => method(exchange),
            Self::NoPlaceholderId => {
                let id = exchange.resource_id().unwrap_or_default();
                if PLACEHOLDERS.contains(&id.as_str()) || id.contains(['{', '}']) || id.starts_with(':') {
                    return broken(format!("the id in the path is `{id}`"), "the id of a resource", id);
                }
                Ok(())
            }
            Self::PagingNumbers => ["startIndex", "count"].into_iter().try_for_each(|name| {
                match exchange.parameter(name).filter(|value| value.parse::<i64>().is_err()) {
                    Some(value) => broken(format!("{name} is `{value}`"), "a whole number", value),
                    None => Ok(()),
                }
            }),
            Self::ScimParameters => exchange.query().into_iter().try_for_each(|(name, _)| {
                let meant =
                    PARAMETERS.iter().find(|known| known.eq_ignore_ascii_case(&name) && **known != name);
                if let Some(meant) = meant {
                    return broken(format!("`{meant}` is written `{name}`"), *meant, name);
                }
                if PAGING.contains(&name.as_str()) {
                    let expected = "startIndex and count";
                    return broken(format!("`{name}` is no parameter of SCIM"), expected, name);
                }
                Ok(())
            }),
            Self::FilterTypes => {
                typed(exchange).into_iter().try_for_each(|(one, attribute)| fits_type(&one, attribute))
            }
            Self::FilterValues => comparisons(exchange).iter().try_for_each(|one| {
                let text = one.value.as_ref().and_then(Value::as_str);
                match text.filter(|text| text.trim().is_empty() || PLACEHOLDERS.contains(text)) {
                    Some(text) => {
                        broken(format!("the filter looks for {} `{text}`", one.attribute), "a value", text)
                    }
                    None => Ok(()),
                }
            }),
            Self::FilterBrackets => comparisons(exchange).iter().try_for_each(|one| {
                let within = one.within.as_deref().unwrap_or_default();
                let known = ResourceKind::of(exchange).and_then(|kind| kind.attribute(within));
                match known {
                    Some(attribute) if !attribute.is_many => broken(
                        format!("{within} has one value, and brackets"),
                        "a sub-attribute behind a point",
                        within,
                    ),
                    _ => Ok(()),
                }
            }),
            Self::QuotedEntityTags => entity_tags(exchange).try_for_each(|(name, tags)| {
                if are_entity_tags(tags) {
                    Ok(())
                } else {
                    broken(format!("{name} has no entity tag in quotes"), "* or W/\"…\"", tags)
                }
            }),
            Self::Utf8 => match charset(exchange).filter(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
                Some(other) => broken(format!("the body is declared as {other}"), "utf-8", other),
                None => Ok(()),
            },
            Self::BulkOperations => bulk(exchange.body.as_ref().unwrap_or(&Value::Null)),
        }
    }

    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Method => "has a method that its endpoint has",
            Self::NoPlaceholderId => "has an id in its path, and no text in place of one",
            Self::PagingNumbers => "has whole numbers as startIndex and count",
            Self::ScimParameters => "has parameters as SCIM calls them",
            Self::FilterTypes => "compares attributes with values of their types in its filter",
            Self::FilterValues => "compares with a value, and no text in place of one",
            Self::FilterBrackets => "has brackets in its filter only behind attributes with several values",
            Self::QuotedEntityTags => "has entity tags in quotes",
            Self::Utf8 => "has a body in UTF-8",
            Self::BulkOperations => "has whole bulk operations",
        }
    }
}

fn method(exchange: &RecordedExchange) -> Result<(), Broken> {
    let segments = exchange.segments();
    let lower: Vec<String> = segments.iter().map(|segment| segment.to_ascii_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let known: &[&str] = match lower.as_slice() {
        [.., ".search"] | ["bulk"] => &["POST"],
        ["users" | "groups"] => &["GET", "POST"],
        ["users" | "groups", _] => &["GET", "PUT", "PATCH", "DELETE"],
        ["serviceproviderconfig" | "resourcetypes" | "schemas", ..] => &["GET"],
        _ => return Ok(()),
    };
    let method = exchange.method.as_str();
    if known.contains(&method) || matches!(method, "HEAD" | "OPTIONS") {
        return Ok(());
    }
    broken(format!("{} has no {method}", exchange.path()), json!(known), method)
}

/// Returns the comparisons of the request's filter.
fn comparisons(exchange: &RecordedExchange) -> Vec<Comparison> {
    let filter = exchange.parameter("filter").and_then(|text| filter::filter(&text).ok());
    filter.map(|filter| filter.comparisons).unwrap_or_default()
}

/// Returns the comparisons with known attributes, of the filter and of the paths of a PATCH.
fn typed(exchange: &RecordedExchange) -> Vec<(Comparison, &'static Attribute)> {
    let Some(kind) = ResourceKind::of(exchange) else { return Vec::new() };
    let of_filter = comparisons(exchange).into_iter().map(|one| (None, one));
    let of_paths = exchange.operations().into_iter().flat_map(|operation| {
        let path = path_of(operation).and_then(|path| filter::path(path).ok());
        path.into_iter().flat_map(|path| {
            let comparisons = path.filter.map(|filter| filter.comparisons).unwrap_or_default();
            comparisons.into_iter().map(move |one| (Some(path.attribute.clone()), one))
        })
    });
    of_filter
        .chain(of_paths)
        .filter_map(|(path, one)| {
            let attribute = match path.as_ref().or(one.within.as_ref()) {
                Some(list) => kind.attribute(list)?.part(last_name(&one.attribute))?,
                None => kind.attribute(&one.attribute)?,
            };
            Some((one, attribute))
        })
        .collect()
}

fn fits_type(one: &Comparison, attribute: &Attribute) -> Result<(), Broken> {
    let Some(value) = one.value.as_ref().filter(|value| !value.is_null()) else { return Ok(()) };
    let fits = match attribute.kind {
        Kind::Text => value.is_string(),
        Kind::Boolean => value.is_boolean(),
        // Servers take the value of its elements.
        Kind::Complex(_) => true,
    };
    if !fits {
        let expected = if matches!(attribute.kind, Kind::Boolean) { "true or false" } else { "a text" };
        return broken(
            format!("the filter compares {} with {value}", one.attribute),
            expected,
            value.clone(),
        );
    }
    if matches!(attribute.kind, Kind::Boolean) && !matches!(one.operator.as_str(), "eq" | "ne") {
        return broken(
            format!("the filter compares {} by {}", one.attribute, one.operator),
            json!(["eq", "ne"]),
            one.operator.as_str(),
        );
    }
    Ok(())
}

fn entity_tags(exchange: &RecordedExchange) -> impl Iterator<Item = (&'static str, &str)> {
    ["If-Match", "If-None-Match"].into_iter().filter_map(|name| Some((name, exchange.header(name)?)))
}

/// Whether the text is `*` or a list of entity tags (RFC 9110 §8.8.3).
fn are_entity_tags(text: &str) -> bool {
    let mut rest = text.trim();
    if rest == "*" {
        return true;
    }
    loop {
        let Some(opened) = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"') else { return false };
        let Some((_, after)) = opened.split_once('"') else { return false };
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None => return after.trim().is_empty(),
        }
    }
}

/// Returns the charset of the body, if the request names one.
fn charset(exchange: &RecordedExchange) -> Option<&str> {
    let parameters = exchange.header("content-type")?.split(';').skip(1);
    parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset").then_some(value.trim().trim_matches('"'))
    })
}

fn bulk(body: &Value) -> Result<(), Broken> {
    let operations = get(body, "Operations");
    let Some(all) = operations.and_then(Value::as_array).filter(|all| !all.is_empty()) else {
        return broken(
            "`Operations` is no list of operations",
            "an array",
            operations.cloned().unwrap_or_default(),
        );
    };
    all.iter().try_for_each(|operation| {
        let text = |name| get(operation, name).and_then(Value::as_str).unwrap_or_default();
        let missing = match text("method") {
            method @ ("POST" | "PUT" | "PATCH" | "DELETE") => {
                let has_data = get(operation, "data").is_some_and(Value::is_object);
                let is_fine = [
                    ("path", text("path").starts_with('/')),
                    ("bulkId", method != "POST" || !text("bulkId").is_empty()),
                    ("data", method == "DELETE" || has_data),
                ];
                is_fine.into_iter().find_map(|(name, is_fine)| (!is_fine).then_some(name))
            }
            _ => Some("method"),
        };
        match missing {
            Some(name) => broken(
                format!("`{name}` of a bulk operation is missing or of another form"),
                name,
                operation.clone(),
            ),
            None => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::recording::read;

    #[track_caller]
    fn check(rule: RequestRule, request: &str, headers: Value, body: Value, expected: Option<bool>) {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let mut entry = json!({ "method": method, "path": format!("/scim{path}"), "status": 200 });
        entry["requestHeaders"] = headers;
        entry["requestBody"] = body;
        let exchange = read(&entry.to_string()).expect("a journal").exchanges.remove(0);
        let is_fine = rule.applies(&exchange).then(|| rule.check(&exchange).is_ok());
        assert_eq!(is_fine, expected, "{rule:?} {entry}");
    }

    #[test]
    fn methods_paths_and_queries_are_judged() {
        for (rule, request, expected) in [
            (RequestRule::Method, "DELETE /Users/", Some(false)),
            (RequestRule::Method, "POST /Users/7", Some(false)),
            (RequestRule::Method, "PATCH /Groups", Some(false)),
            (RequestRule::Method, "GET /Users/.search", Some(false)),
            (RequestRule::Method, "POST /Schemas", Some(false)),
            (RequestRule::Method, "POST /users/.search", Some(true)),
            (RequestRule::Method, "HEAD /Users", Some(true)),
            (RequestRule::Method, "PUT /Me", Some(true)),
            (RequestRule::NoPlaceholderId, "GET /Users/undefined", Some(false)),
            (RequestRule::NoPlaceholderId, "DELETE /Groups/%7Bid%7D", Some(false)),
            (RequestRule::NoPlaceholderId, "GET /Users/nobody", Some(true)),
            (RequestRule::NoPlaceholderId, "GET /Users", None),
            (RequestRule::PagingNumbers, "GET /Users?startIndex=1.0", Some(false)),
            (RequestRule::PagingNumbers, "GET /Users?startIndex=0&count=0", Some(true)),
            (RequestRule::ScimParameters, "GET /Users?page=2&pageSize=10", Some(false)),
            (RequestRule::ScimParameters, "GET /Users?startindex=2", Some(false)),
            (RequestRule::ScimParameters, "GET /Users?startIndex=2&aadOptscim062020", Some(true)),
            (RequestRule::FilterTypes, "GET /Users?filter=active%20eq%20%22true%22", Some(false)),
            (RequestRule::FilterTypes, "GET /Users?filter=userName%20eq%207", Some(false)),
            (RequestRule::FilterTypes, "GET /Users?filter=active%20gt%20false", Some(false)),
            (RequestRule::FilterTypes, "GET /Users?filter=emails[primary%20eq%20%22True%22]", Some(false)),
            (
                RequestRule::FilterTypes,
                "GET /Users?filter=active%20eq%20true%20and%20title%20eq%20null",
                Some(true),
            ),
            (RequestRule::FilterTypes, "GET /Users?filter=badge%20eq%207", None),
            (RequestRule::FilterValues, "GET /Users?filter=externalId%20eq%20%22undefined%22", Some(false)),
            (RequestRule::FilterValues, "GET /Users?filter=userName%20eq%20%22%22", Some(false)),
            (RequestRule::FilterValues, "GET /Users?filter=userName%20eq%20%22null%40a%22", Some(true)),
            (RequestRule::FilterBrackets, "GET /Users?filter=name[familyName%20eq%20%22x%22]", Some(false)),
            (RequestRule::FilterBrackets, "GET /Users?filter=emails[type%20eq%20%22x%22]", Some(true)),
        ] {
            check(rule, request, json!([]), Value::Null, expected);
        }
        let patch = |path: &str| json!({"Operations": [{"op": "replace", "path": path, "value": "x"}]});
        let text = patch("roles[primary eq \"True\"].value");
        check(RequestRule::FilterTypes, "PATCH /Users/7", json!([]), text, Some(false));
        let boolean = patch("roles[primary eq true].value");
        check(RequestRule::FilterTypes, "PATCH /Users/7", json!([]), boolean, Some(true));
    }

    #[test]
    fn headers_are_judged() {
        for (tags, is_fine) in [
            ("*", true),
            ("W/\"1\"", true),
            ("\"a\", W/\"b,c\"", true),
            ("1", false),
            ("W/1", false),
            ("\"a\" \"b\"", false),
            ("\"a\",", false),
        ] {
            let headers = json!([["If-Match", tags]]);
            check(RequestRule::QuotedEntityTags, "PUT /Users/7", headers, json!({}), Some(is_fine));
        }
        for (kind, expected) in [
            ("application/scim+json; charset=ISO-8859-1", Some(false)),
            ("application/scim+json;charset=\"UTF-8\"", Some(true)),
            ("application/scim+json", None),
        ] {
            check(RequestRule::Utf8, "PUT /Users/7", json!([["Content-Type", kind]]), json!({}), expected);
        }
    }

    #[test]
    fn bulk_operations_are_judged() {
        let whole = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": {}});
        let with = |name: &str, value: Value| {
            let mut operation = whole.clone();
            operation[name] = value;
            operation
        };
        for (operation, is_fine) in [
            (whole.clone(), true),
            (json!({"method": "DELETE", "path": "/Users/7"}), true),
            (with("bulkId", Value::Null), false),
            (with("method", json!("post")), false),
            (with("path", json!("Users")), false),
            (with("data", json!("{}")), false),
        ] {
            let body = json!({ "Operations": [operation] });
            check(RequestRule::BulkOperations, "POST /Bulk", json!([]), body, Some(is_fine));
        }
        check(RequestRule::BulkOperations, "POST /Bulk", json!([]), json!({}), Some(false));
    }
}
