//! Predicates on a single request.

mod name_rule;
mod operation_rule;
mod request_rule;
mod value_rule;
mod written;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::name_rule::NameRule;
pub use self::operation_rule::OperationRule;
pub use self::request_rule::RequestRule;
pub use self::value_rule::ValueRule;
use self::written::{is_remove, path_of};
use crate::casing::lower_case;
use crate::client::filter;
use crate::client::matcher::at;
use crate::client::recording::{ENDPOINTS, RecordedExchange, is_unknown, last_name};
use crate::client::trace::Knowledge;
use crate::json::get;
use crate::transcript::REDACTED;

/// Names of query parameters that hold secrets.
const SECRET_PARAMETERS: [&str; 8] = [
    "access_token",
    "token",
    "client_secret",
    "password",
    "api_key",
    "apikey",
    "refresh_token",
    "authorization",
];

/// The URN of a PATCH request.
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A predicate on a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Predicate {
    /// `Content-Type` is `application/scim+json` or `application/json`.
    MediaType,
    /// `Content-Type` is `application/scim+json`.
    ScimMediaType,
    /// The body is a JSON object.
    JsonObject,
    /// The request has a body.
    HasBody,
    /// The request has no body.
    NoBody,
    /// `schemas` is an array of URNs, and this is one of them; without a URN: any will do.
    Schemas(String),
    /// Each member named by a URN has that URN in `schemas`.
    ExtensionsInSchemas,
    /// None of these JSON pointers has a value.
    Lacks(Vec<String>),
    /// Each of these JSON pointers has a value that is not empty.
    Has(Vec<String>),
    /// The request has this header field.
    Header(String),
    /// The request has none of these header fields.
    LacksHeaders(Vec<String>),
    /// `Accept` takes `application/scim+json` or `application/json`, or is left out.
    AcceptsScim,
    /// The request has exactly one `Authorization`.
    Authorization,
    /// No credential is in the URL.
    NoSecretInUrl,
    /// The URL has no characters that a URL cannot have.
    UrlCharacters,
    /// A space in the query is `%20`, not `+`.
    NoPlusForSpace,
    /// The path begins with an endpoint as it is called, and has no empty segment.
    KnownEndpoint,
    /// The filter is one.
    FilterParses,
    /// The value that the filter compares with `eq` is exactly a value of somebody at the source.
    FilterNamesSomebody,
    /// The filter has no other words than these, of operators and of `and`, `or`, `not`.
    FilterWords(Vec<String>),
    /// The PATCH names its schema, and has an array of operations that is not empty.
    PatchOperations,
    /// Each `op` is `add`, `replace` or `remove`, in lower case.
    OpWords,
    /// Each operation that adds or replaces has a value.
    OpsHaveValues,
    /// Each operation that removes has a path.
    RemovesHavePaths,
    /// Each operation has a path.
    OpsHavePaths,
    /// Each path is a valid one.
    PathsParse,
    /// `active` is true or false if it is set, and no text.
    BooleanActive,
    /// The `id` of a PUT is the one in the path.
    IdAsInPath,
    /// The id in the path was in an answer before.
    IdWasGiven,
    /// The values of known attributes follow this rule.
    Values(ValueRule),
    /// The names of attributes and schemas follow this rule.
    Names(NameRule),
    /// The operations of a PATCH follow this rule.
    Operations(OperationRule),
    /// The request follows this rule.
    Request(RequestRule),
}

/// Why a request is not as it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// The reason in words.
    pub because: String,
    /// The expected value.
    pub expected: Value,
    /// The actual value.
    pub actual: Value,
}

fn broken(
    because: impl Into<String>,
    expected: impl Into<Value>,
    actual: impl Into<Value>,
) -> Result<(), Broken> {
    Err(Broken { because: because.into(), expected: expected.into(), actual: actual.into() })
}

impl Predicate {
    /// Looks at the exchange of this number.
    ///
    /// # Errors
    /// It is not so.
    pub fn check(&self, knowledge: &Knowledge<'_>, index: usize) -> Result<(), Broken> {
        let exchange = &knowledge.trace.exchanges[index];
        let body = exchange.body.as_ref();
        match self {
            Self::MediaType => media_type(exchange, &["application/scim+json", "application/json"]),
            Self::ScimMediaType => media_type(exchange, &["application/scim+json"]),
            Self::JsonObject => match body {
                Some(body) if body.is_object() => Ok(()),
                Some(Value::String(text)) => broken("the body is not JSON", "a JSON object", text.as_str()),
                other => {
                    broken("the body is no JSON object", "a JSON object", other.cloned().unwrap_or_default())
                }
            },
            Self::HasBody => match body {
                Some(_) => Ok(()),
                None => broken(format!("a {} has no body", exchange.method), "a JSON object", Value::Null),
            },
            Self::NoBody => match body {
                None => Ok(()),
                Some(body) => broken(format!("a {} has a body", exchange.method), "no body", body.clone()),
            },
            Self::Schemas(urn) => schemas(body, urn),
            Self::ExtensionsInSchemas => extensions(body),
            Self::Lacks(pointers) => lacks(body, pointers),
            Self::Has(pointers) => has(body, pointers),
            Self::Header(name) => match exchange.header(name) {
                Some(value) if !value.trim().is_empty() => Ok(()),
                _ => broken(format!("the header {name} is missing"), format!("a header {name}"), Value::Null),
            },
            Self::LacksHeaders(names) => match names.iter().find(|name| exchange.header(name).is_some()) {
                None => Ok(()),
                Some(name) => broken(format!("the header {name} is sent"), Value::Null, name.as_str()),
            },
            Self::AcceptsScim => accepts(exchange),
            Self::Authorization => match exchange
                .headers
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("authorization"))
                .count()
            {
                1 => Ok(()),
                0 => broken("it has no credentials", "one Authorization header", Value::Null),
                count => broken("it has several credentials", "one Authorization header", count),
            },
            Self::NoSecretInUrl => no_secret(exchange, &knowledge.trace.secrets),
            Self::UrlCharacters => url_characters(&exchange.target),
            Self::NoPlusForSpace => match exchange.raw_query() {
                Some(query) if query.contains('+') => broken(
                    "a space in the query is written as +, which not every server reads as one",
                    "%20",
                    query,
                ),
                _ => Ok(()),
            },
            Self::KnownEndpoint => known_endpoint(exchange),
            Self::FilterParses => {
                match exchange.parameter("filter").map(|text| (filter::filter(&text), text)) {
                    Some((Err(problem), text)) => {
                        broken(format!("the filter is none: {problem}"), "a filter", text)
                    }
                    _ => Ok(()),
                }
            }
            Self::FilterNamesSomebody => names_somebody(exchange, knowledge),
            Self::FilterWords(words) => filter_words(exchange, words),
            Self::PatchOperations => patch_operations(body),
            Self::OpWords => {
                each_operation(exchange, |operation| match get(operation, "op").and_then(Value::as_str) {
                    Some("add" | "replace" | "remove") => Ok(()),
                    Some(op) => {
                        broken(format!("`{op}` is no operation"), json!(["add", "replace", "remove"]), op)
                    }
                    None => broken(
                        "an operation has no `op`",
                        json!(["add", "replace", "remove"]),
                        operation.clone(),
                    ),
                })
            }
            Self::OpsHaveValues => each_operation(exchange, |operation| {
                if is_remove(operation) || get(operation, "value").is_some() {
                    Ok(())
                } else {
                    broken(
                        "an operation that adds or replaces has no value",
                        "a member `value`",
                        operation.clone(),
                    )
                }
            }),
            Self::RemovesHavePaths => each_operation(exchange, |operation| {
                if is_remove(operation) && path_of(operation).is_none() {
                    broken("an operation removes without a path", "a member `path`", operation.clone())
                } else {
                    Ok(())
                }
            }),
            Self::OpsHavePaths => each_operation(exchange, |operation| match path_of(operation) {
                Some(_) => Ok(()),
                None => broken("an operation has no path", "a member `path`", operation.clone()),
            }),
            Self::PathsParse => each_operation(exchange, |operation| {
                match path_of(operation).map(|path| (filter::path(path), path)) {
                    Some((Err(problem), path)) => {
                        broken(format!("`{path}` is no path: {problem}"), "an attribute path", path)
                    }
                    _ => Ok(()),
                }
            }),
            Self::BooleanActive => boolean_active(exchange),
            Self::IdAsInPath => {
                let id = body.filter(|_| exchange.method == "PUT").and_then(|body| get(body, "id"));
                match (id, exchange.user_id()) {
                    (Some(id), Some(path)) if *id != json!(path) => {
                        broken("the id in the body is not the one in the path", path, id.clone())
                    }
                    _ => Ok(()),
                }
            }
            Self::IdWasGiven => match exchange.user_id() {
                Some(id) if !knowledge.was_told(&id, index) => {
                    broken("no answer before had this id", "an id out of an answer", id)
                }
                _ => Ok(()),
            },
            Self::Values(rule) => rule.check(knowledge, index),
            Self::Names(rule) => rule.check(knowledge, index),
            Self::Operations(rule) => rule.check(knowledge, index),
            Self::Request(rule) => rule.check(exchange),
        }
    }

    /// Whether there is anything to look at. What a body must be like is not asked of a request without one: that it has
    /// none is told by `has-body` alone. What a recording did not keep says nothing.
    pub fn applies(&self, exchange: &RecordedExchange) -> bool {
        let unseen = exchange.body.as_ref().map_or_else(|| exchange.has_unseen_body(), is_unknown);
        match self {
            Self::MediaType | Self::ScimMediaType => exchange.body.is_some() || unseen,
            Self::HasBody | Self::NoBody => !unseen,
            Self::Values(rule) => rule.applies(exchange),
            Self::Names(rule) => rule.applies(exchange),
            Self::Operations(rule) => rule.applies(exchange),
            Self::Request(rule) => rule.applies(exchange),
            _ if self.is_about_the_body() => !unseen && exchange.body.is_some(),
            _ => true,
        }
    }

    /// Whether the predicate is about the content of the body.
    fn is_about_the_body(&self) -> bool {
        match self {
            Self::Schemas(_)
            | Self::ExtensionsInSchemas
            | Self::Lacks(_)
            | Self::Has(_)
            | Self::PatchOperations
            | Self::OpWords
            | Self::OpsHaveValues
            | Self::RemovesHavePaths
            | Self::OpsHavePaths
            | Self::PathsParse
            | Self::BooleanActive
            | Self::IdAsInPath
            | Self::JsonObject => true,
            Self::MediaType
            | Self::ScimMediaType
            | Self::HasBody
            | Self::NoBody
            | Self::Header(_)
            | Self::LacksHeaders(_)
            | Self::AcceptsScim
            | Self::Authorization
            | Self::NoSecretInUrl
            | Self::UrlCharacters
            | Self::NoPlusForSpace
            | Self::KnownEndpoint
            | Self::FilterParses
            | Self::FilterNamesSomebody
            | Self::FilterWords(_)
            | Self::IdWasGiven
            | Self::Values(_)
            | Self::Names(_)
            | Self::Operations(_)
            | Self::Request(_) => false,
        }
    }

    /// Returns the predicate in words, for `explain`.
    pub fn in_words(&self) -> String {
        match self {
            Self::MediaType => "has Content-Type application/scim+json or application/json".to_owned(),
            Self::ScimMediaType => "has Content-Type application/scim+json".to_owned(),
            Self::JsonObject => "has a JSON object as its body".to_owned(),
            Self::HasBody => "has a body".to_owned(),
            Self::NoBody => "has no body".to_owned(),
            Self::Schemas(urn) if urn.is_empty() => "says its schemas".to_owned(),
            Self::Schemas(urn) => format!("has {urn} among its schemas"),
            Self::ExtensionsInSchemas => {
                "has the URN of each extension that it uses among its schemas".to_owned()
            }
            Self::Lacks(pointers) => format!("has none of {}", pointers.join(", ")),
            Self::Has(pointers) => format!("has {}", pointers.join(", ")),
            Self::Header(name) => format!("has the header {name}"),
            Self::LacksHeaders(names) => format!("has none of the headers {}", names.join(", ")),
            Self::AcceptsScim => "accepts SCIM's JSON".to_owned(),
            Self::Authorization => "has one Authorization header".to_owned(),
            Self::NoSecretInUrl => "has no credentials in its URL".to_owned(),
            Self::UrlCharacters => "has a URL whose characters are encoded".to_owned(),
            Self::NoPlusForSpace => "writes a space in the query as %20".to_owned(),
            Self::KnownEndpoint => "goes to an endpoint as it is called".to_owned(),
            Self::FilterParses => "has a well-formed filter".to_owned(),
            Self::FilterNamesSomebody => "compares with what somebody at the source has".to_owned(),
            Self::FilterWords(words) => format!("has no words in its filter but {}", words.join(", ")),
            Self::PatchOperations => "has operations, and PatchOp as its schema".to_owned(),
            Self::OpWords => "writes each op as add, replace or remove".to_owned(),
            Self::OpsHaveValues => "has a value in each operation that adds or replaces".to_owned(),
            Self::RemovesHavePaths => "has a path in each operation that removes".to_owned(),
            Self::OpsHavePaths => "has a path in each operation".to_owned(),
            Self::PathsParse => "has well-formed paths".to_owned(),
            Self::BooleanActive => "sets active to true or false".to_owned(),
            Self::IdAsInPath => "has the same id in body and path".to_owned(),
            Self::IdWasGiven => "names an id that the server gave".to_owned(),
            Self::Values(rule) => rule.in_words().to_owned(),
            Self::Names(rule) => rule.in_words().to_owned(),
            Self::Operations(rule) => rule.in_words().to_owned(),
            Self::Request(rule) => rule.in_words().to_owned(),
        }
    }
}

fn media_type(exchange: &RecordedExchange, wanted: &[&str]) -> Result<(), Broken> {
    let given = exchange.header("content-type").unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind)) {
        return Ok(());
    }
    let told = if kind.is_empty() {
        "Content-Type is missing".to_owned()
    } else {
        format!("Content-Type is {kind}")
    };
    broken(told, wanted.join(" or "), given)
}

fn schemas(body: Option<&Value>, urn: &str) -> Result<(), Broken> {
    let expected = if urn.is_empty() { "an array of URNs" } else { urn };
    let Some(schemas) = body.and_then(|body| get(body, "schemas")) else {
        return broken("`schemas` is missing", expected, Value::Null);
    };
    let listed: Option<Vec<&str>> =
        schemas.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
    match listed {
        Some(listed) if listed.iter().any(|one| urn.is_empty() || one.eq_ignore_ascii_case(urn)) => Ok(()),
        Some(_) => broken("`schemas` lacks the URN of what is sent", expected, schemas.clone()),
        None => broken("`schemas` is no array of texts", expected, schemas.clone()),
    }
}

fn extensions(body: Option<&Value>) -> Result<(), Broken> {
    let Some(members) = body.and_then(Value::as_object) else { return Ok(()) };
    let listed: BTreeSet<String> = body
        .and_then(|body| get(body, "schemas"))
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).map(lower_case).collect())
        .unwrap_or_default();
    let missing = members.keys().find(|name| {
        let name = lower_case(name);
        name.starts_with("urn:") && !listed.contains(&name)
    });
    match missing {
        Some(urn) => broken(format!("{urn} is used and not among the schemas"), urn.as_str(), json!(listed)),
        None => Ok(()),
    }
}

fn lacks(body: Option<&Value>, pointers: &[String]) -> Result<(), Broken> {
    let Some(body) = body else { return Ok(()) };
    match pointers.iter().find_map(|pointer| Some((pointer, at(body, pointer).first().copied()?))) {
        Some((pointer, found)) => broken(format!("{pointer} is sent"), Value::Null, found.clone()),
        None => Ok(()),
    }
}

fn has(body: Option<&Value>, pointers: &[String]) -> Result<(), Broken> {
    let full =
        |value: &&Value| !(value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()));
    let missing =
        pointers.iter().find(|pointer| !body.is_some_and(|body| at(body, pointer).iter().any(full)));
    match missing {
        Some(pointer) => {
            broken(format!("{pointer} is missing"), pointer.as_str(), body.cloned().unwrap_or_default())
        }
        None => Ok(()),
    }
}

fn accepts(exchange: &RecordedExchange) -> Result<(), Broken> {
    let Some(accept) = exchange.header("accept") else { return Ok(()) };
    let fine = accept.split(',').any(|range| {
        let kind = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(kind.as_str(), "application/scim+json" | "application/json" | "application/*" | "*/*")
    });
    if fine { Ok(()) } else { broken("Accept takes no SCIM", "application/scim+json", accept) }
}

fn no_secret(exchange: &RecordedExchange, secrets: &[String]) -> Result<(), Broken> {
    let named = exchange
        .query()
        .into_iter()
        .find(|(name, _)| SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name)));
    if let Some((name, _)) = named {
        return broken(
            format!("the parameter `{name}` is in the URL"),
            "credentials in the header Authorization",
            name,
        );
    }
    let decoded = percent_encoding::percent_decode_str(&exchange.target).decode_utf8_lossy().into_owned();
    if secrets.iter().any(|secret| decoded.contains(secret)) {
        return broken("a credential is in the URL", "credentials in the header Authorization", "[redacted]");
    }
    Ok(())
}

fn url_characters(target: &str) -> Result<(), Broken> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-._~:/?@!$&'()*+,;=%".contains(c);
    // What a recording left out says nothing of what was sent.
    let target = target.replace(REDACTED, "");
    let target = target.as_str();
    if let Some(bad) = target.chars().find(|c| !fine(*c)) {
        return broken(
            format!("the URL has the character {bad:?}, which must be percent-encoded"),
            "encoded",
            target,
        );
    }
    let half = target.split('%').skip(1).any(|rest| {
        !rest.get(..2).is_some_and(|digits| digits.chars().all(|digit| digit.is_ascii_hexdigit()))
    });
    if half { broken("the URL has a % that encodes nothing", "%25", target) } else { Ok(()) }
}

fn known_endpoint(exchange: &RecordedExchange) -> Result<(), Broken> {
    let path = exchange.path();
    let mut segments = path.trim_start_matches('/').split('/');
    let first = segments.next().unwrap_or_default();
    if !path.starts_with('/') || path.starts_with("//") || path.contains("//") {
        return broken("the path has an empty segment", "one slash between segments", path);
    }
    if ENDPOINTS.contains(&first) {
        return Ok(());
    }
    let meant = ENDPOINTS.iter().find(|known| known.eq_ignore_ascii_case(first));
    broken(format!("there is no endpoint /{first}"), meant.copied().unwrap_or("an endpoint of SCIM"), path)
}

fn names_somebody(exchange: &RecordedExchange, knowledge: &Knowledge<'_>) -> Result<(), Broken> {
    let Some(text) = exchange.parameter("filter") else { return Ok(()) };
    let Ok(read) = filter::filter(&text) else {
        return broken("the filter is none", "a filter", text);
    };
    let stranger = read.comparisons.iter().find_map(|one| {
        let value = one.value.as_ref().and_then(Value::as_str)?;
        let named =
            matches!(last_name(&one.attribute).to_ascii_lowercase().as_str(), "username" | "externalid");
        (named && one.operator == "eq" && !knowledge.somebody.contains(&lower_case(value))).then_some(value)
    });
    match stranger {
        Some(value) => broken(
            format!("nobody at the source is called `{value}`"),
            "the name of somebody at the source",
            text.as_str(),
        ),
        None => Ok(()),
    }
}

fn filter_words(exchange: &RecordedExchange, words: &[String]) -> Result<(), Broken> {
    let Some(Ok(read)) = exchange.parameter("filter").map(|text| filter::filter(&text)) else {
        return Ok(());
    };
    let used = read.comparisons.iter().map(|one| &one.operator).chain(&read.words);
    match used.into_iter().find(|word| !words.contains(word)) {
        Some(word) => broken(format!("the filter uses `{word}`"), json!(words), word.as_str()),
        None => Ok(()),
    }
}

fn patch_operations(body: Option<&Value>) -> Result<(), Broken> {
    schemas(body, PATCH_OP)?;
    let operations = body.and_then(|body| get(body, "Operations"));
    match operations.and_then(Value::as_array) {
        Some(all) if all.is_empty() => broken("`Operations` is empty", "an array of operations", json!([])),
        Some(all) if all.iter().all(Value::is_object) => Ok(()),
        _ => broken(
            "`Operations` is no array of operations",
            "an array of operations",
            operations.cloned().unwrap_or_default(),
        ),
    }
}

fn each_operation(
    exchange: &RecordedExchange,
    check: impl Fn(&Value) -> Result<(), Broken>,
) -> Result<(), Broken> {
    exchange.operations().into_iter().try_for_each(check)
}

fn boolean_active(exchange: &RecordedExchange) -> Result<(), Broken> {
    let text = |value: Option<&Value>| match value {
        Some(value) if !value.is_boolean() => {
            broken("active is not true or false", "true or false", value.clone())
        }
        _ => Ok(()),
    };
    if exchange.method != "PATCH" {
        return text(exchange.body.as_ref().and_then(|body| get(body, "active")));
    }
    each_operation(exchange, |operation| {
        let value = get(operation, "value");
        match path_of(operation) {
            Some(path) if last_name(path).eq_ignore_ascii_case("active") => text(value),
            Some(_) => Ok(()),
            None => text(value.and_then(|value| get(value, "active"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::client::predicate::Predicate;
    use crate::client::recording::RecordedExchange;
    use crate::client::trace::{Knowledge, Trace};

    /// Returns whether the predicate holds of the last exchange, or `None` if it does not apply to it.
    pub(super) fn verdict(exchanges: &[RecordedExchange], predicate: &Predicate) -> Option<bool> {
        let trace = Trace { exchanges: exchanges.to_vec(), ..Trace::default() };
        let last = exchanges.len() - 1;
        let applies = predicate.applies(&exchanges[last]);
        applies.then(|| predicate.check(&Knowledge::of(&trace), last).is_ok())
    }
}
